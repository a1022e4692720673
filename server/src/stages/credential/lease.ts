import { PassThrough, type Transform } from "node:stream";
import { Fault } from "@lanyard/contract";
import type { Lease, Outgoing } from "../../base/path.ts";
import { formsOf } from "../../base/patterns/encodings.ts";
import { readRequest, type Usable } from "./request.ts";
import { Scrubber, type Forbidden } from "../../base/patterns/scrubber.ts";
import type { Secret } from "./secret.ts";

/** For an action that needs nothing lent. */
export const nothingLent: Lease = {
  credentials: [],
  guards: false,
  signal: new AbortController().signal,
  dress: (request) => request,
  scrub: () => new PassThrough(),
  scrubText: (text) => text,
  [Symbol.dispose]: () => {},
};

/** What is lent to one request that leaves a sandbox. Invariant: I7, after its end it gives no value to anything; what it takes out it still takes out. */
export class RequestLease implements Lease {
  readonly credentials: readonly string[];
  readonly guards = true;
  readonly #usable: readonly Usable[];
  readonly #scrubber: Scrubber;
  readonly #revoked = new AbortController();
  readonly #onEnd: () => void;
  #values: ReadonlyMap<string, Secret> | null;

  /** `known`: what the host may know beside, from having been lent it before. */
  constructor(usable: readonly Usable[], { values, known }: { values: ReadonlyMap<string, Secret>; known: ReadonlyMap<string, Secret> }, onEnd: () => void) {
    this.credentials = [...values.keys()].sort();
    this.#usable = usable;
    this.#values = values;
    this.#onEnd = onEnd;
    const placeholders = new Map(usable.map(({ name, placeholder }) => [name, placeholder]));
    this.#scrubber = new Scrubber([...values, ...known].flatMap(([name, secret]) => formsToHide(secret, placeholders.get(name) ?? hiddenAs(name))));
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
    return { ...dressed, headers: [...dressed.headers.filter(([name]) => !unsearchable.has(name)), ["accept-encoding", "identity"]] };
  }

  scrub(): Transform {
    return this.#scrubber.stream();
  }

  scrubText(text: string): string {
    return this.#scrubber.text(text);
  }

  [Symbol.dispose](): void {
    this.#values = null;
    this.#onEnd();
  }
}

/** Headers that ask for what could not be looked through: something compressed, or half of a value now and the other half later. */
const unsearchable: ReadonlySet<string> = new Set(["accept-encoding", "sec-websocket-extensions", "range", "if-range"]);

/** What stands for a value where there is no placeholder of it. */
export const hiddenAs = (name: string): string => `[credential ${name}]`;

/** Everything that a value may look like in what comes back. */
export const formsToHide = (secret: Secret, replacement: string): Forbidden[] => formsOf(secret.reveal()).map((bytes) => ({ bytes, replacement: Buffer.from(replacement) }));
