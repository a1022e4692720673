import type { ErrorCode, Json, JsonObject } from "@lanyard/contract";
import type { BodySum, WebRequest, WebResponse } from "./web.ts";

/** MCP lifecycle families: `stateful` is 2025-06-18 and 2025-11-25 (initialize), `stateless` is 2026-07-28 (per-request `_meta`). */
export type Era = "stateful" | "stateless";

/** What an agent's client said of itself: at `initialize`, or in the `_meta` of a stateless request. Claims, not facts. */
export interface ClientFacts {
  readonly version: string;
  readonly info: JsonObject;
  readonly capabilities: JsonObject;
}

/** The line back to the client while one of its requests is open. A face (mcp-http, mcp-stdio) makes one per request. */
export interface Exchange {
  readonly era: Era;
  /** Aborts when the client cancels the request or goes away. */
  readonly signal: AbortSignal;
  /** Progress of this request; dropped when the client gave no progress token. `progress` must increase. */
  progress(update: { progress: number; total?: number; message?: string }): void;
  /** Any other notification that belongs to this request (logging, progress of a server with its own token mapping). */
  notify(method: string, params: JsonObject): void;
  /** Asks the client something on the server's behalf (elicitation, sampling, roots); resolves with the JSON-RPC result. */
  ask(method: string, params: JsonObject): Promise<Json>;
  /** Absent when the request is Lanyard's own. */
  readonly client?: ClientFacts;
  /** The server ended its stream in mid-call and will answer on a later one (SEP-1699): the client may be let go in the same way. */
  release?(): void;
  /** Number of the action that this call takes back: the call is Lanyard's own, not itself planned for, and waits for nobody. */
  readonly undoes?: number;
  /** Of a call that puts files back: what does it. Only Lanyard makes such calls. */
  readonly restore?: () => Promise<void>;
  /** The request of a sandbox that the action `web/...` was made from. */
  readonly web?: WebRequest;
  /** Hands on an answer whose body is still to come; resolves when that has ended. Absent where an answer is whole when it is there. Never rejects. */
  deliver?(answer: Answer): Promise<Delivered>;
}

/** How an answer got to the client: what is on record of it, and the code of what ended it early, else empty. */
export interface Delivered {
  readonly answer: Answer;
  readonly code: ErrorCode | "";
}

/** What a server answered: a JSON-RPC result or a JSON-RPC error, passed on unchanged. */
export type Answer =
  | {
      readonly result: JsonObject;
      /** Data classes and labels of it, sorted; there once it was inspected. Of a body they are known when it has ended. */
      readonly labels?: readonly string[];
      /** Of the web: the answer itself, of which `result` is what is recorded. `sum` is there once it was inspected. */
      readonly web?: WebResponse & { readonly sum?: () => BodySum };
    }
  | { readonly error: { readonly code: number; readonly message: string; readonly data?: Json }; readonly labels?: readonly string[] };
