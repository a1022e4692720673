import { createHash } from "node:crypto";
import { setImmediate } from "node:timers/promises";
import { Fault } from "@lanyard/contract";
import { Compiler, prepareSnapshot, type Compiled, type Ground, type Note, type PolicyProblem, type Snapshot } from "@lanyard/policy";
import type { Clock } from "../../base/clock.ts";
import type { Store } from "../../base/store/port.ts";
import { digestOf, type Edition } from "./edition.ts";

/** An edition made ready to decide, against the ground named by `ground`. Its bundle is in the store. */
export interface Made {
  readonly ok: true;
  readonly hash: string;
  readonly snapshot: Snapshot;
  readonly warnings: readonly PolicyProblem[];
  readonly notes: readonly Note[];
  /** Names the ground it was compiled against; empty when that is not known any more. */
  readonly ground: string;
}

/** Why an edition cannot decide. `hash` is the address of its source. */
export type Unmade = Extract<Compiled, { ok: false }>;

/** Snapshots kept beside those in force, so that going back is immediate. */
const keptSnapshots = 8;

/** Makes snapshots of editions, away from decisions: compiled in a thread, opened in slices, remembered. */
export class Workshop implements AsyncDisposable {
  readonly #store: Store;
  readonly #ground: () => Ground;
  readonly #compiler: Compiler;
  #turn: Promise<unknown> = Promise.resolve();
  /** By edition and ground, the one used longest ago first. */
  readonly #made = new Map<string, { readonly edition: string; readonly made: Made }>();

  constructor({ store, clock, ground, patienceMs }: { store: Store; clock: Clock; ground: () => Ground; patienceMs: number }) {
    this.#store = store;
    this.#ground = ground;
    this.#compiler = new Compiler({ after: clock.after, patienceMs });
  }

  /** Names the ground as it is now. */
  groundName(): string {
    return nameOf(this.#ground());
  }

  /**
   * Compiles and opens, one edition after the other; at once when it was made before against the same ground. `before` lends what both
   * have in common. Throws Fault `engine_unavailable`, `ledger_unavailable`, `invalid_config` on a server's impossible name, `conflict` when its
   * turn comes and it is no longer `wanted`.
   */
  async make(edition: Edition, before: Snapshot | null, wanted: () => boolean = () => true): Promise<Made | Unmade> {
    const known = this.#recall(edition, this.groundName());
    if (known !== null) return known;
    const made = this.#turn.then(() => {
      if (!wanted()) throw new Fault("conflict", "a later edition came before this one was compiled");
      return this.#make(edition, before);
    });
    this.#turn = made.catch(() => {});
    return made;
  }

  async #make(edition: Edition, before: Snapshot | null): Promise<Made | Unmade> {
    const ground = this.#ground();
    const name = nameOf(ground);
    const known = this.#recall(edition, name);
    if (known !== null) return known;
    const compiled = await this.#compiler.compile({ ...ground, policies: edition.policies, tests: edition.tests });
    if (!compiled.ok) return compiled;
    const { bytes, hash, warnings, notes } = compiled;
    await this.#store.keepObject(bytes);
    return this.#keep(edition, { ok: true, hash, snapshot: await this.#open(bytes, before), warnings, notes, ground: name });
  }

  /** The newest snapshot of these sources, whatever ground it was compiled against; null when none is remembered. */
  remembered(edition: Edition): Made | null {
    const digest = digestOf(edition);
    return [...this.#made.values()].findLast((one) => one.edition === digest)?.made ?? null;
  }

  /** Opens a bundle from the store; null when its bytes are not there or are no bundle of that address. */
  async reopen(edition: Edition | null, hash: string, before: Snapshot | null = null): Promise<Made | null> {
    const bytes = this.#store.getObject(hash);
    if (bytes === null) return null;
    const snapshot = await this.#open(bytes, before);
    if (snapshot.hash !== hash) return null;
    const made: Made = { ok: true, hash, snapshot, warnings: [], notes: [], ground: "" };
    return edition === null ? made : this.#keep(edition, made);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#compiler[Symbol.asyncDispose]();
  }

  #open(bytes: Uint8Array, before: Snapshot | null): Promise<Snapshot> {
    return prepareSnapshot(bytes, { before: before ?? undefined, breathe: () => setImmediate() });
  }

  #recall(edition: Edition, ground: string): Made | null {
    const key = `${digestOf(edition)} ${ground}`;
    const found = this.#made.get(key);
    if (found === undefined) return null;
    this.#made.delete(key); // move it to the young end
    this.#made.set(key, found);
    return found.made;
  }

  #keep(edition: Edition, made: Made): Made {
    const digest = digestOf(edition);
    this.#made.set(`${digest} ${made.ground}`, { edition: digest, made });
    for (const key of this.#made.keys()) {
      if (this.#made.size <= keptSnapshots) break;
      this.#made.delete(key);
    }
    return made;
  }
}

/** A tool's definition is named by its hash, which stands for its schema. */
const nameOf = ({ registry, servers, tools }: Ground): string => {
  const named = tools.map(({ server, tool, definition, contract }) => [server, tool, definition, contract]);
  return createHash("sha256").update(JSON.stringify([registry, servers, named])).digest("base64url");
};
