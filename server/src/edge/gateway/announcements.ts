import type { JsonObject } from "@lanyard/contract";
import type { Upstreams } from "../../stages/execution/upstreams.ts";
import { changedList, type Directory } from "./directory.ts";

/** A client's open ear: the GET stream or the stdio line of a stateful client, or one `subscriptions/listen` of a stateless one. */
export interface Ear {
  readonly session: string;
  readonly servers: readonly string[];
  /** Resources it watches. */
  readonly watching: ReadonlySet<string>;
  hear(method: string, params: JsonObject): void;
  /** The session is over. */
  end(): void;
}

/** Carries what servers, and Lanyard itself, announce outside any call to the clients that may hear it. */
export class Announcements {
  readonly #upstreams: Upstreams;
  readonly #directory: Directory;
  readonly #ears = new Set<Ear>();

  constructor(upstreams: Upstreams, directory: Directory) {
    this.#upstreams = upstreams;
    this.#directory = directory;
  }

  add(ear: Ear): Disposable {
    this.#ears.add(ear);
    const following = this.#upstreams.follow(ear.session, (server, method, params) => {
      for (const list of changedList(method)) this.#directory.forget(ear.session, list);
      if (!ear.servers.includes(server)) return;
      // Another client of the session may have subscribed to what this one has not.
      if (method === "notifications/resources/updated" && !(typeof params["uri"] === "string" && ear.watching.has(params["uri"]))) return;
      ear.hear(method, params);
    });
    return {
      [Symbol.dispose]: () => {
        this.#ears.delete(ear);
        following[Symbol.dispose]();
      },
    };
  }

  /** True when some other ear of the session still watches the resource. */
  watched(session: string, uri: string, but: Ear["watching"]): boolean {
    return [...this.#ears].some((ear) => ear.session === session && ear.watching !== but && ear.watching.has(uri));
  }

  /** Ends the ears of a session, or all. */
  end(session?: string): void {
    for (const ear of [...this.#ears]) if (session === undefined || ear.session === session) ear.end();
  }

  /** Lanyard's own change of what tools are shown: a policy or the catalog is another. */
  toolsChanged(server?: string): void {
    for (const ear of this.#ears) {
      if (server !== undefined && !ear.servers.includes(server)) continue;
      this.#directory.forget(ear.session, "tools/list");
      ear.hear("notifications/tools/list_changed", {});
    }
  }
}
