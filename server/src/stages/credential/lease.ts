import { PassThrough, type Transform } from "node:stream";
import { Fault } from "@lanyard/contract";
import type { Lease, Outgoing } from "../../base/path.ts";
import { formsOf } from "./encodings.ts";
import { readRequest, type Usable } from "./request.ts";
import { scrubbing, scrubText, type Forbidden } from "./scrubber.ts";
import type { Secret } from "./secret.ts";

/** For an action that needs nothing lent. */
export const nothingLent: Lease = {
  credentials: [],
  signal: new AbortController().signal,
  dress: (request) => request,
  scrub: () => new PassThrough(),
  scrubText: (text) => text,
  [Symbol.dispose]: () => {},
};

/** What is lent to one request that leaves a sandbox. Invariant: I7, after its end it gives no value to anything; what it takes out it still takes out. */
export class RequestLease implements Lease {
  readonly credentials: readonly string[];
  readonly #usable: readonly Usable[];
  readonly #forbidden: readonly Forbidden[];
  readonly #revoked = new AbortController();
  readonly #onEnd: () => void;
  #values: ReadonlyMap<string, Secret> | null;

  constructor(usable: readonly Usable[], values: ReadonlyMap<string, Secret>, onEnd: () => void) {
    this.credentials = [...values.keys()].sort();
    this.#usable = usable;
    this.#values = values;
    this.#onEnd = onEnd;
    this.#forbidden = usable.flatMap(({ name, placeholder }) => {
      const secret = values.get(name);
      return secret ? formsToHide(secret, placeholder) : [];
    });
  }

  get signal(): AbortSignal {
    return this.#revoked.signal;
  }

  /** A credential of it was revoked: what is under way ends. */
  revoke(name: string): void {
    this.#values = null;
    this.#revoked.abort(new Fault("no_credential", `the credential \`${name}\` was revoked while it was in use`));
  }

  dress<R extends Outgoing>(request: R): R {
    const values = this.#values;
    if (!values) throw new Fault("no_credential", "the credential was revoked, or the action it was lent for has ended");
    const { lent, misplaced, request: dressed } = readRequest(request, this.#usable, (name) => values.get(name)?.reveal() ?? null);
    if (misplaced || lent.join() !== this.credentials.join()) throw new Fault("no_credential", "the request is not the one that was decided on");
    // What comes back compressed could not be looked through.
    return { ...dressed, headers: [...dressed.headers.filter(([name]) => name !== "accept-encoding"), ["accept-encoding", "identity"]] };
  }

  scrub(): Transform {
    return scrubbing(this.#forbidden);
  }

  scrubText(text: string): string {
    return scrubText(this.#forbidden, text);
  }

  [Symbol.dispose](): void {
    this.#values = null;
    this.#onEnd();
  }
}

/** Everything that a value may look like in what comes back. */
export const formsToHide = (secret: Secret, replacement: string): Forbidden[] => formsOf(secret.reveal()).map((bytes) => ({ bytes, replacement: Buffer.from(replacement) }));
