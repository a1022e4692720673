import { Fault } from "@lanyard/contract";
import type { Limits } from "../../base/limits.ts";
import type { Connection } from "./connection.ts";

export interface PlacesOptions {
  readonly limits: Limits;
  /** The session at the top of a session's family, or the session itself: what a family has is counted together. */
  rootOf(session: string): string;
  /** Connections that could be let go, spares included. */
  open(): readonly Connection[];
}

/** The places for connections to servers, which all sessions share. */
export class Places {
  readonly #options: PlacesOptions;
  #taken = 0;

  constructor(options: PlacesOptions) {
    this.#options = options;
  }

  /**
   * Takes a place for a connection of the session. When none is left an idle connection makes room, but not for a spare (`session` is
   * null), which nobody waits for. Throws Fault `upstream_unavailable` when all are in use.
   */
  async take(session: string | null): Promise<Disposable> {
    const limit = this.#options.limits.upstream_connections;
    const full = this.#taken >= limit;
    const idle = full && session !== null ? this.#dispensable(session) : undefined;
    if (full && !idle) throw new Fault("upstream_unavailable", `the limit upstream_connections (${limit}) is reached`);
    // Its place is passed on at once and used only when it has ended: nobody else gets in, and processes are never more than places.
    const ended = idle?.[Symbol.asyncDispose]();
    this.#taken++;
    await ended?.catch(() => {});
    return { [Symbol.dispose]: () => void this.#taken-- };
  }

  /** A spare, or else the connection idle longest of the family that holds most. Nobody pushes out who has no more than himself. */
  #dispensable(session: string): Connection | undefined {
    const { open, rootOf } = this.#options;
    const families = open().map((connection) => ({ connection, family: connection.session === null ? null : rootOf(connection.session) }));
    const sizes = new Map<string | null, number>();
    for (const { family } of families) sizes.set(family, (sizes.get(family) ?? 0) + 1);
    sizes.set(null, Number.POSITIVE_INFINITY);
    const own = rootOf(session);
    const size = (family: string | null): number => sizes.get(family) ?? 0;
    const candidates = families.filter(({ connection, family }) => connection.idle && (family === own || size(family) > size(own)));
    return candidates.toSorted((a, b) => (a.family === b.family ? 0 : size(b.family) - size(a.family)) || a.connection.lastUsedMs - b.connection.lastUsedMs)[0]?.connection;
  }
}
