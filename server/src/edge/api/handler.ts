import type { JsonObject } from "@lanyard/contract";
import type { Peer } from "./rooms.ts";

/** One request as a handler sees it: authenticated, authorised, its body and query checked against the route's schema. */
export interface ApiCall {
  readonly caller: Peer;
  /** The caller as the ledger names it. */
  readonly actor: string;
  readonly at: Readonly<Record<string, string>>;
  readonly body: JsonObject;
  readonly query: JsonObject;
  readonly signal: AbortSignal;
}

/** JSON, or text as it is, or a stream: of server-sent events (null keeps the line open), of objects sent one a line (NDJSON; a list of them at once is many lines), or of lines of text. */
export type ApiResult = { json: object } | { text: string } | { events: AsyncIterable<object | null> } | { lines: AsyncIterable<object | readonly object[]> } | { textLines: Iterable<string> };
export type Handler = (call: ApiCall) => ApiResult | Promise<ApiResult>;

/** The name of the user who calls; undefined for everybody else. */
export const userOf = (caller: Peer): string | undefined => (typeof caller !== "string" && caller.kind === "user" ? caller.name : undefined);
