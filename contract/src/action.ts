import type { Isolation } from "./decision.ts";
import type { JsonObject } from "./json.ts";

/**
 * What an agent asks for, normalised: the unit that is decided, recorded and carried out.
 *
 * `name` is the Cedar action id. A tool call is `<server>/<tool>`; every other request to a server is
 * `<server>/mcp:<method>` (for example `docs/mcp:resources/read`), so that nothing reaches a server undecided. What leaves a sandbox is a call
 * of the built-in server `web`: `web/GET`, `web/WEBSOCKET`, `web/TCP`.
 */
export interface Action {
  /** `http` for what leaves a sandbox through the egress door; the request itself travels beside the action, see `Exchange.web`. */
  readonly protocol: "mcp" | "http";
  /** Name of the upstream server, a key of `servers:` in lanyard.yaml; or `web`. */
  readonly server: string;
  /** JSON-RPC method sent to the server; of `web` the name of the tool. */
  readonly method: string;
  /** Name of the tool at the server (not the name shown to the agent). Set when `method` is `tools/call`, and for `web`. */
  readonly tool?: string;
  /** Cedar action id, see above. */
  readonly name: string;
  /** The arguments policy sees: `params.arguments` of a tool call, `params` without `_meta` of anything else. */
  readonly args: JsonObject;
  /** What a tool call carries beside its name, its arguments and `_meta`: answers to a server's questions, extensions. Absent when there is nothing. */
  readonly beside?: JsonObject;
  /** Parameters as the agent sent them, forwarded unchanged but for the tool's name. */
  readonly params: JsonObject;
  /**
   * base64url SHA-256 over the RFC 8785 bytes of `{"action": name, "args": args}`, and of a tool call's other parameters (but `_meta`) as
   * `params` where there are any; an approval binds to it.
   */
  readonly digest: string;
}

/** Who acts: the agent, for whom, in which session, and the chain of sessions above it (root first). */
export interface Principal {
  readonly session: string;
  readonly agent: string;
  readonly user: string;
  readonly purpose: string;
  /** Ids of the sessions this one was opened from, root first; empty for a session opened with an agent's credential. */
  readonly chain: readonly string[];
  /** Cedar action ids (or `<server>/*`) this session is narrowed to; null means all the agent has. */
  readonly tools: readonly string[] | null;
  /** Labels the session carries from its start, sorted. */
  readonly labels: readonly string[];
  /** What its process runs in, as the operator's program that started it said. */
  readonly isolation: Isolation;
  /** Milliseconds since the epoch after which the session is refused. */
  readonly expiresAtMs: number;
}
