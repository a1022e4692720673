/**
 * The closed table of error codes. `status` is the HTTP status, `rpc` the JSON-RPC code (ours lie in -32019...-32000 as MCP asks),
 * `remedy` what the reader should do. A refusal of an action is not a fault but uses the same codes.
 */
export const errors = {
  malformed_call: { status: 400, rpc: -32600, remedy: "send a single well-formed JSON-RPC 2.0 request" },
  parse_error: { status: 400, rpc: -32700, remedy: "send valid UTF-8 JSON" },
  limit_exceeded: { status: 413, rpc: -32001, remedy: "send less; `lanyard limits` lists every limit" },
  too_many_calls: { status: 429, rpc: -32019, remedy: "wait for a running call of this session to end" },
  too_slow: { status: 408, rpc: -32001, remedy: "send the whole request at once; `lanyard limits` lists every limit" },
  unauthenticated: { status: 401, rpc: -32003, remedy: "send a valid token: a session's (`lanyard run` opens one), or an agent's or person's (`lanyard credential issue`)" },
  wrong_audience: { status: 401, rpc: -32004, remedy: "use a session token at /mcp and an agent's credential only to open sessions" },
  session_expired: { status: 401, rpc: -32005, remedy: "open a new session" },
  budget_exceeded: { status: 403, rpc: -32019, remedy: "ask for less, or wait until there is room again; `lanyard budgets` shows what is left" },
  forbidden: { status: 403, rpc: -32006, remedy: "ask the operator for the role this needs" },
  not_found: { status: 404, rpc: -32601, remedy: "check the name" },
  denied: { status: 403, rpc: -32007, remedy: "choose another way, or ask the policy's owner" },
  quarantined: { status: 403, rpc: -32008, remedy: "an operator reviews it with `lanyard catalog` and `lanyard catalog approve`" },
  stopped: { status: 403, rpc: -32000, remedy: "do not retry; end here and tell the user: a person has stopped this, and only a person lifts it (`lanyard resume`)" },
  session_quarantined: { status: 403, rpc: -32000, remedy: "do not retry; only calls whose contract says that they read are let through until a person lifts it (`lanyard resume`)" },
  authority_lost: { status: 503, rpc: -32000, remedy: "retry when the Lanyard daemon answers again; until then everything is refused here" },
  approval_pending: { status: 403, rpc: -32009, remedy: "retry the identical call later" },
  approval_denied: { status: 403, rpc: -32010, remedy: "do not retry; choose another way" },
  facts_unavailable: { status: 503, rpc: -32011, remedy: "retry later; the gateway could not gather what policy needs" },
  engine_unavailable: { status: 503, rpc: -32012, remedy: "retry later; the policy engine did not answer" },
  ledger_unavailable: { status: 503, rpc: -32013, remedy: "retry later; nothing may happen unrecorded" },
  upstream_unavailable: { status: 502, rpc: -32014, remedy: "retry later; the server could not be reached" },
  upstream_timeout: { status: 504, rpc: -32015, remedy: "the call may have taken effect; check before retrying" },
  uncertain: { status: 502, rpc: -32016, remedy: "the call may have taken effect; check before retrying" },
  result_withheld: { status: 502, rpc: -32017, remedy: "ask for less; the result broke a limit and was not passed on" },
  misdirected: { status: 421, rpc: -32600, remedy: "send the request to the host that the connection was opened for" },
  address_refused: { status: 403, rpc: -32007, remedy: "use a public host; an operator lists private endpoints under `egress: private:` of lanyard.yaml" },
  isolation_unavailable: { status: 503, rpc: -32000, remedy: "install what is named (`npm run isolation` does what it can), or choose another `--isolation` knowingly; for development, `none` runs the command without" },
  sandbox_ended: { status: 502, rpc: -32000, remedy: "start a new session; what was under way may have taken effect" },
  no_credential: { status: 503, rpc: -32000, remedy: "retry later; an operator looks at `lanyard credentials` and at where the credential comes from" },
  no_preimage: { status: 503, rpc: -32000, remedy: "retry later; nothing was done, since what it would change could not be read before, or stays out of reach: see the tool's contract" },
  not_tokenised: { status: 503, rpc: -32000, remedy: "retry later; nothing was done, since what stands behind a token could not be written down" },
  staged: { status: 202, rpc: -32000, remedy: "do not send it again in other words; the identical call tells how it stands" },
  credential_misused: { status: 403, rpc: -32000, remedy: "send a placeholder only to the hosts and in the place its credential is for; nowhere else is it worth anything" },
  invalid_config: { status: 400, rpc: -32602, remedy: "correct the place named" },
  invalid_request: { status: 400, rpc: -32602, remedy: "correct what is named" },
  conflict: { status: 409, rpc: -32018, remedy: "look at the current state and try again" },
  irreversible: { status: 409, rpc: -32018, remedy: "nothing is promised for this action; look at the state itself before you correct it by hand" },
  internal: { status: 500, rpc: -32603, remedy: "see the daemon's log" },
} as const satisfies Record<string, { status: number; rpc: number; remedy: string }>;

export type ErrorCode = keyof typeof errors;

/**
 * The one error type that is thrown. `message` is public: lowercase, what was tried and why it failed, the user's input in backticks.
 * `cause` is private: it goes to the log, never to a client.
 */
export class Fault extends Error {
  readonly code: ErrorCode;
  /** Where in a file, when a file is at fault: `lanyard.yaml:3:7`. */
  readonly place: string | undefined;
  /** What the reader should do: the table's word, unless the message itself says it; then empty. */
  readonly remedy: string;

  constructor(code: ErrorCode, message: string, options: { cause?: unknown; place?: string; remedy?: "" } = {}) {
    super(options.place ? `${options.place}: ${message}` : message, { cause: options.cause });
    this.name = "Fault";
    this.code = code;
    this.place = options.place;
    this.remedy = options.remedy ?? errors[code].remedy;
  }
}
