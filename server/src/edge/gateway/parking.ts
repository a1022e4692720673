import { createHash } from "node:crypto";
import { isObject, type Json, type JsonObject } from "@lanyard/contract";
import { canonicalize } from "@lanyard/ledger";
import type { Clock } from "../../base/clock.ts";
import type { Answer, Exchange } from "../../base/exchange.ts";
import type { Limits } from "../../base/limits.ts";
import { RpcError, rpcCodes, type RpcRequest } from "../../base/rpc.ts";
import type { Visitor } from "./visitor.ts";
import { mayBeAsked } from "./line.ts";

/** Marks a `requestState` as ours; a stateless server's own passes through untouched. */
const ours = "lanyard.";

interface Question {
  readonly method: string;
  readonly params: JsonObject;
  resolve(answer: Json): void;
  reject(why: Error): void;
}

/** One call of a stateless client, which may span several of its requests. */
interface Call {
  readonly session: string;
  readonly stop: AbortController;
  readonly questions: Map<string, Question>;
  /** The request that is open now; null while parked. */
  open: Exchange | null;
  answer: Promise<Answer>;
  /** Wakes the open request when there is something to ask. */
  asked: () => void;
  asks: number;
  /** While parked: what the retry must present and equal. */
  state: string | null;
  print: string;
  expiry: { cancel(): void } | null;
}

/**
 * Lets a stateful server ask a stateless client. The server's question becomes an `input_required` result, and the call stays parked,
 * still running at the server, until the client comes back with the answer or the limit `parked_ms` is over. Invariant: only the same
 * session, at the same door, with the identical call, finds it again, once.
 */
export class Parking {
  readonly #clock: Clock;
  readonly #limits: Limits;
  readonly #parked = new Map<string, Call>();

  constructor({ clock, limits }: { clock: Clock; limits: Limits }) {
    this.#clock = clock;
    this.#limits = limits;
  }

  /** Runs `begin` with an exchange that can park, or goes on with the call that the request comes back for. */
  call(visitor: Visitor, request: RpcRequest, exchange: Exchange, begin: (open: Exchange) => Promise<Answer>): Promise<Answer> {
    const state = request.params?.["requestState"];
    if (typeof state === "string" && state.startsWith(ours)) return this.#resume(visitor, request, exchange, state);
    const call: Call = {
      session: visitor.principal.session,
      stop: new AbortController(),
      questions: new Map(),
      open: exchange,
      answer: Promise.resolve({ result: {} }),
      asked: () => {},
      asks: 0,
      state: null,
      print: "",
      expiry: null,
    };
    call.answer = begin(this.#exchange(call, exchange));
    return this.#wait(call, visitor, request, exchange);
  }

  /** A session is over, or all are: their questions stay unanswered. */
  drop(session?: string): void {
    for (const call of [...this.#parked.values()]) if (session === undefined || call.session === session) this.#giveUp(call);
  }

  #exchange(call: Call, first: Exchange): Exchange {
    return {
      era: "stateless",
      ...(first.client && { client: first.client }),
      signal: call.stop.signal,
      progress: (update) => call.open?.progress(update),
      notify: (method, params) => call.open?.notify(method, params),
      ask: async (method, params) => {
        if (first.client) mayBeAsked(first.client, method);
        if (call.questions.size >= this.#limits.asks) throw new RpcError(rpcCodes.internal, `over the limit asks (${this.#limits.asks})`);
        const { asks, ask_rounds: rounds } = this.#limits;
        if (++call.asks > asks * rounds) throw new RpcError(rpcCodes.internal, `over the limit ask_rounds (${rounds})`);
        const answer = new Promise<Json>((resolve, reject) => call.questions.set(`lanyard_${call.asks}`, { method, params, resolve, reject }));
        queueMicrotask(() => call.asked());
        return answer;
      },
    };
  }

  /** Until the call is answered or asks something, whichever is first. */
  #wait(call: Call, visitor: Visitor, request: RpcRequest, exchange: Exchange): Promise<Answer> {
    const abort = () => call.stop.abort();
    if (exchange.signal.aborted) abort();
    exchange.signal.addEventListener("abort", abort, { once: true });
    call.open = exchange;
    return new Promise<Answer>((resolve, reject) => {
      call.asked = () => {
        if (call.open !== exchange) return;
        if (this.#count(call.session) < this.#limits.parked_calls) resolve({ result: this.#park(call, visitor, request) });
        else refuse(call, `over the limit parked_calls (${this.#limits.parked_calls})`);
      };
      call.answer.then(resolve, reject);
      if (call.questions.size > 0) call.asked();
    }).finally(() => {
      exchange.signal.removeEventListener("abort", abort);
      if (call.open === exchange) call.open = null;
    });
  }

  #park(call: Call, visitor: Visitor, request: RpcRequest): JsonObject {
    call.state = ours + this.#clock.id("call");
    call.print = printOf(visitor, request);
    call.open = null;
    call.expiry = this.#clock.after(this.#limits.parked_ms, () => this.#giveUp(call));
    this.#parked.set(call.state, call);
    const inputRequests = Object.fromEntries([...call.questions].map(([key, { method, params }]) => [key, { method, params }]));
    return { resultType: "input_required", inputRequests, requestState: call.state };
  }

  async #resume(visitor: Visitor, request: RpcRequest, exchange: Exchange, state: string): Promise<Answer> {
    const call = this.#parked.get(state);
    if (!call || call.session !== visitor.principal.session || call.print !== printOf(visitor, request)) {
      throw new RpcError(rpcCodes.invalidParams, "`requestState` is unknown, expired, used before or belongs to another call; send the call anew without it");
    }
    const responses = request.params?.["inputResponses"];
    if (!isObject(responses)) throw new RpcError(rpcCodes.invalidParams, "`inputResponses` is not an object");
    this.#parked.delete(state);
    call.expiry?.cancel();
    for (const [key, question] of call.questions) {
      const response = Object.hasOwn(responses, key) ? responses[key] : undefined;
      if (!isObject(response)) continue; // What is missing is asked again.
      call.questions.delete(key);
      question.resolve(response);
    }
    return this.#wait(call, visitor, request, exchange);
  }

  #giveUp(call: Call): void {
    if (call.state !== null) this.#parked.delete(call.state);
    call.expiry?.cancel();
    refuse(call, "the client did not come back with an answer");
  }

  #count(session: string): number {
    let count = 0;
    for (const call of this.#parked.values()) if (call.session === session) count++;
    return count;
  }
}

function refuse(call: Call, why: string): void {
  for (const question of call.questions.values()) question.reject(new RpcError(rpcCodes.internal, why));
  call.questions.clear();
}

/** What makes two requests the same call: everything but the answers and the transport's own. */
function printOf({ audience }: Visitor, { method, params = {} }: RpcRequest): string {
  const { _meta, inputResponses: _answers, requestState: _state, ...call } = params;
  return createHash("sha256").update(canonicalize({ audience, method, call })).digest("base64url");
}
