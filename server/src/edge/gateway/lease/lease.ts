import type { ClientRequest } from "node:http";
import type { Duplex } from "node:stream";
import { Fault, isObject, parseJson } from "@lanyard/contract";
import type { Clock } from "../../../base/clock.ts";
import { http } from "../../../base/http.ts";
import { readLines } from "../../../base/lines.ts";
import type { AuthorityNews } from "./door.ts";

/** How an enforcement point stands to the daemon. */
export type AuthorityState = "held" | "stopped" | "lost";

export interface LeaseOptions {
  /** Where the daemon is: its operator's socket, or host and port. */
  readonly at: { readonly socketPath: string } | { readonly host: string; readonly port: number };
  /** The session's. */
  readonly token: string;
  /** Until the daemon has said how long a term is. */
  readonly termMs: number;
  /** The session was opened to be held, and this line holds it. */
  readonly holds?: boolean;
  readonly clock: Clock;
}

const renewals = 5;
/** How much of a term is acted on: the rest is for what it takes to notice that it is over. */
const share = 0.9;
const lineBytes = 4096;
/** How long somebody is kept who asks while it is lost: a daemon that is back answers within this. */
const silentMs = 50;
const beginMs = 2000;
const pokeMs = 250;

/**
 * The right of an enforcement point outside the daemon to act. It is renewed five times a term, and counts from when it was asked for; what is not
 * renewed in time is lost, whatever the reason: a daemon that is gone, frozen, or cut off without a word. It comes back by itself.
 *
 * Invariant: nothing but an answer of the daemon gives it, and only for nine tenths of one term, by both clocks.
 */
export class AuthorityLease implements Disposable {
  readonly #options: LeaseOptions;
  readonly #listeners = new Set<(state: AuthorityState, why: string) => void>();
  readonly #asked = new Map<number, { readonly us: number; readonly ms: number }>();
  #termUs: number;
  /** Monotonic time at which it is lost. */
  #untilUs = 0;
  /** The same by the wall clock: the monotonic one stands still while the machine sleeps, the daemon elsewhere does not. */
  #untilMs = 0;
  #state: AuthorityState | null = null;
  #why = "";
  #socket: Duplex | null = null;
  #dialling: ClientRequest | null = null;
  #dialledUs = 0;
  #number = 0;
  #pokedUs = Number.NEGATIVE_INFINITY;
  #unreachable = false;
  readonly #waiting = new Set<() => void>();
  #tick: { cancel(): void } | null = null;
  #expiry: { cancel(): void } | null = null;
  #abort = new AbortController();
  #closed = false;

  constructor(options: LeaseOptions) {
    this.#options = options;
    this.#termUs = options.termMs * 1000;
    this.#turn();
  }

  /** Why nothing may be done now: Fault `authority_lost`, `upstream_unavailable` (nobody listens there) or `stopped`; null while it is held. */
  refusal(): Fault | null {
    if (this.#state !== null && this.#state !== "lost" && this.#isFresh()) return this.#state === "held" ? null : new Fault("stopped", this.#why);
    if (this.#unreachable) return new Fault("upstream_unavailable", "the Lanyard daemon cannot be reached; start it with `lanyard serve` and try again", { remedy: "" });
    return new Fault("authority_lost", this.#why === "" ? `the Lanyard daemon has not answered for ${this.#termUs / 1000} ms, and without it nothing is done here` : this.#why);
  }

  /** Aborts when it is lost or stopped: what is under way must end. Another one once it is held again. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** Asks anew when it is not held, and resolves when that was answered or will not be soon: where the daemon is silent, nobody is kept waiting. */
  async ready(): Promise<void> {
    const { clock } = this.#options;
    const sinceUs = clock.monotonicUs() - this.#pokedUs;
    if (this.refusal()?.code === undefined || (sinceUs < pokeMs * 1000 && !this.#unreachable)) return;
    this.#pokedUs = clock.monotonicUs();
    const isSilent = this.#state === "lost" && !this.#unreachable;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.add(resolve);
    this.#turn();
    const late = clock.after(isSilent ? silentMs : beginMs, resolve);
    await promise;
    late.cancel();
    this.#waiting.delete(resolve);
  }

  /** Calls back at every change, with what the daemon said. */
  onChange(listener: (state: AuthorityState, why: string) => void): { stop(): void } {
    this.#listeners.add(listener);
    return { stop: () => void this.#listeners.delete(listener) };
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    this.#tick?.cancel();
    this.#expiry?.cancel();
    this.#hangUp();
  }

  #isFresh(): boolean {
    const { clock } = this.#options;
    return clock.monotonicUs() < this.#untilUs && clock.nowMs() < this.#untilMs;
  }

  #hangUp(): void {
    this.#dialling?.destroy();
    this.#socket?.destroy();
    this.#dialling = null;
    this.#socket = null;
    this.#asked.clear();
  }

  /** Asks for a renewal, or for a line to ask on; again after a fifth of a term. */
  #turn(): void {
    if (this.#closed) return;
    const { clock } = this.#options;
    this.#tick?.cancel();
    this.#tick = clock.after(Math.ceil(this.#termUs / 1000 / renewals), () => this.#turn());
    const nowUs = clock.monotonicUs();
    const [oldest] = this.#asked.values();
    // A line that says nothing for a term may be one that leads nowhere any more.
    if ((oldest !== undefined && nowUs - oldest.us > this.#termUs) || (this.#dialling && nowUs - this.#dialledUs > this.#termUs)) this.#hangUp();
    if (this.#socket) this.#renew(this.#socket);
    else if (!this.#dialling) this.#dial();
  }

  #renew(socket: Duplex): void {
    if (this.#asked.size > 4 * renewals) return;
    const { clock } = this.#options;
    this.#asked.set(++this.#number, { us: clock.monotonicUs(), ms: clock.nowMs() });
    socket.write(`${JSON.stringify({ renew: this.#number })}\n`);
  }

  #dial(): void {
    const { at, token, holds, clock } = this.#options;
    const headers = { connection: "Upgrade", upgrade: "lanyard-authority", authorization: `Bearer ${token}`, ...(holds && { "lanyard-holds": "session" }) };
    const asked = http.request({ ...at, path: "/authority", headers, agent: false });
    this.#dialling = asked;
    this.#dialledUs = clock.monotonicUs();
    const over = () => {
      if (this.#dialling === asked) this.#dialling = null;
    };
    asked.once("upgrade", (_answer, socket: Duplex, head: Buffer) => {
      if (this.#dialling !== asked) return void socket.destroy();
      this.#dialling = null;
      this.#unreachable = false;
      if (head.length > 0) socket.unshift(head);
      this.#socket = socket;
      socket.on("error", () => socket.destroy());
      socket.once("close", () => {
        if (this.#socket === socket) this.#hangUp();
      });
      readLines(socket, lineBytes, (line) => this.#hear(line), () => socket.destroy());
      this.#renew(socket);
    });
    asked.once("response", (answer) => {
      answer.resume(); // Refused: the session has ended, or was never one. What is asked for with its token is refused too.
      over();
      this.#wake();
    });
    asked.once("error", () => {
      if (this.#dialling !== asked) return;
      this.#unreachable = true;
      over();
      this.#wake();
    });
    asked.end();
  }

  #hear(line: Buffer): void {
    const news = readNews(line);
    if (news === null) return this.#hangUp();
    if ("stopped" in news) {
      this.#asked.clear();
      this.#hold({ us: this.#options.clock.monotonicUs(), ms: this.#options.clock.nowMs() }, this.#termUs);
      return this.#become("stopped", news.stopped);
    }
    if ("ended" in news) {
      this.#untilUs = 0;
      return this.#become("lost", news.ended);
    }
    const asked = this.#asked.get(news.renewed);
    if (asked === undefined) return;
    for (const number of this.#asked.keys()) if (number <= news.renewed) this.#asked.delete(number);
    this.#termUs = news.term_ms * 1000;
    this.#hold(asked, share * this.#termUs);
    if (this.#isFresh()) this.#become("held", "");
  }

  /** Answers come in the order that they were asked for in; a later one counts. */
  #hold({ us, ms }: { readonly us: number; readonly ms: number }, forUs: number): void {
    this.#untilUs = us + forUs;
    this.#untilMs = ms + forUs / 1000;
  }

  #become(state: AuthorityState, why: string): void {
    this.#expiry?.cancel();
    if (state !== "lost") this.#expiry = this.#options.clock.after(Math.max(1, Math.ceil((this.#untilUs - this.#options.clock.monotonicUs()) / 1000)), () => this.#expire());
    if (this.#state === state) return;
    this.#state = state;
    this.#why = why;
    if (state === "held") this.#abort = new AbortController();
    else this.#abort.abort(new Fault(state === "stopped" ? "stopped" : "authority_lost", why));
    this.#wake();
    for (const listener of this.#listeners) listener(state, why);
  }

  #wake(): void {
    for (const resolve of this.#waiting) resolve();
  }

  #expire(): void {
    if (this.#isFresh()) return this.#become(this.#state ?? "lost", this.#why);
    this.#become("lost", "");
  }
}

function readNews(line: Buffer): AuthorityNews | null {
  try {
    const news = parseJson(line.toString("utf8"));
    const { renewed, term_ms: termMs, stopped, ended } = isObject(news) ? news : {};
    if (typeof stopped === "string") return { stopped };
    if (typeof ended === "string") return { ended };
    return typeof renewed === "number" && typeof termMs === "number" && termMs > 0 && termMs <= 60_000 ? { renewed, term_ms: termMs } : null;
  } catch {
    return null;
  }
}
