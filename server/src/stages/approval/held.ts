import { Fault } from "@lanyard/contract";
import type { Clock } from "../../base/clock.ts";
import type { Limits } from "../../base/limits.ts";
import type { Store } from "../../base/store/port.ts";
import { readBefore, type ReadBefore } from "./card.ts";
import { foldOf, keyOf, sentOf, type ApprovalRequest, type SentCall } from "./request.ts";

/** A request with what is only of this process. */
export interface Held {
  request: ApprovalRequest;
  /** What the session read before it asked. */
  read: readonly ReadBefore[];
  /** When it is over whatever the clock on the wall says: one that is set back lengthens nothing. Monotonic. */
  readonly endsUs: number;
  /** Of what is kept of the call. */
  readonly bytes: number;
  /** Taken by a call that is about to be decided again. */
  claimed: boolean;
  /** Of a denial: who, and why. */
  denial: { readonly by: string; readonly comment: string } | null;
  /** Surfaces have heard of it. */
  announced: boolean;
  /** Taken back by a stop: its calls are decided anew. */
  voided: boolean;
  /** Wake the calls that wait for an answer. */
  readonly waiting: Set<() => void>;
  /** Resolves when the request is on disk. */
  readonly written: Promise<void>;
}

/** The requests there are, by id and by the call that meets them. */
export class HeldRequests {
  readonly #clock: Clock;
  readonly #held = new Map<string, Held>();
  readonly #byCall = new Map<string, Held>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  keep(request: ApprovalRequest, read: readonly ReadBefore[], written: Promise<void>): Held {
    const { askedAtMs, expiresAtMs } = request;
    const leftMs = Math.min(expiresAtMs - this.#clock.nowMs(), expiresAtMs - askedAtMs);
    const held: Held = { request, read, endsUs: this.#clock.monotonicUs() + leftMs * 1000, bytes: sizeOf(request.sent), claimed: false, denial: null, announced: false, voided: false, waiting: new Set(), written };
    this.#held.set(request.id, held);
    this.#byCall.set(keyOf(request), held);
    return held;
  }

  /** False when it was forgotten before. */
  forget(held: Held): boolean {
    this.detach(held);
    return this.#held.delete(held.request.id);
  }

  /** From now on the identical call does not meet it. */
  detach(held: Held): void {
    const key = keyOf(held.request);
    if (this.#byCall.get(key) === held) this.#byCall.delete(key);
  }

  get(id: string): Held | undefined {
    return this.#held.get(id);
  }

  /** The request that an identical call meets. */
  atCall(session: string, digest: string): Held | undefined {
    return this.#byCall.get(keyOf({ session, digest }));
  }

  isOver({ request, endsUs }: Held): boolean {
    return !this.#held.has(request.id) || request.expiresAtMs <= this.#clock.nowMs() || endsUs <= this.#clock.monotonicUs();
  }

  /** Reads what was sealed anew. Invariant: what was erased is in no memory either, and so on no card. */
  reread(store: Pick<Store, "entry" | "unseal">): void {
    for (const held of this.#held.values()) {
      held.request = { ...held.request, sent: sentOf(store, held.request.of) };
      held.read = readBefore(store, held.request.read);
    }
  }

  all(): Held[] {
    return [...this.#held.values()];
  }

  /** Requests that somebody may still answer or use, oldest first. */
  open(): Held[] {
    return this.all().filter((held) => held.request.state !== "denied" && !this.isOver(held));
  }

  /** Open ones that differ from a request in nothing but their session. */
  alike(request: ApprovalRequest): Held[] {
    const fold = foldOf(request);
    return this.open().filter((held) => foldOf(held.request) === fold);
  }

  /** Throws Fault `not_found`. */
  opened(id: string): Held {
    const held = this.#held.get(id);
    if (!held || this.isOver(held)) throw new Fault("not_found", `no approval \`${id}\` is open; it may have expired`);
    return held;
  }

  /** Throws Fault `limit_exceeded` when there is no room for another. */
  checkRoom({ approvals, approvals_per_session, approvals_per_agent, approval_bytes_per_agent: most }: Limits, session: string, agent: string, sent: SentCall): void {
    if (this.#held.size >= approvals) throw new Fault("limit_exceeded", `${approvals} requests for approval are open, the limit approvals`);
    const ofAgent = this.all().filter(({ request }) => request.agent === agent);
    if (ofAgent.length >= approvals_per_agent) throw new Fault("limit_exceeded", `agent \`${agent}\` has ${approvals_per_agent} requests for approval open, the limit approvals_per_agent`);
    const bytes = ofAgent.reduce((sum, held) => sum + held.bytes, sizeOf(sent));
    if (bytes > most) throw new Fault("limit_exceeded", `with this one the requests for approval of agent \`${agent}\` would hold ${bytes} bytes, more than the limit approval_bytes_per_agent (${most})`);
    if (ofAgent.filter(({ request }) => request.session === session).length >= approvals_per_session) {
      throw new Fault("limit_exceeded", `session \`${session}\` has ${approvals_per_session} requests for approval open, the limit approvals_per_session`);
    }
  }
}

const sizeOf = (sent: SentCall | null): number => Buffer.byteLength(JSON.stringify(sent));
