/**
 * Every limit of the product in one table: value, unit, and why it is what it is. `lanyard limits` prints it. A limit that is met is a
 * clear error naming the limit and its value; each has a test at the limit and one past it.
 */
export const limits = {
  body_bytes: { value: 4 * 1024 * 1024, unit: "bytes", why: "one JSON-RPC message from an agent; larger payloads belong in files" },
  result_bytes: { value: 16 * 1024 * 1024, unit: "bytes", why: "one message from a server; past it the result is withheld" },
  json_depth: { value: 64, unit: "levels", why: "deeper nesting has no honest use and costs stack in every reader" },
  list_items: { value: 2000, unit: "items", why: "tools, resources or prompts of one server in one list" },
  list_bytes: { value: 16 * 1024 * 1024, unit: "bytes", why: "all pages of one list of one server, which are held together" },
  calls_per_session: { value: 32, unit: "calls", why: "calls of one session in flight, held ones included" },
  call_ms: { value: 600_000, unit: "ms", why: "a server's answer; past it the call is cancelled and its outcome uncertain" },
  hold_ms: { value: 50_000, unit: "ms", why: "MCP clients give up at 60 s; a held call must answer before that" },
  approval_ms: { value: 3_600_000, unit: "ms", why: "a pending or unused approval; past it the call must be asked anew" },
  session_ms: { value: 8 * 3_600_000, unit: "ms", why: "longest life of a session" },
  sessions: { value: 10_000, unit: "sessions", why: "open sessions of one daemon" },
  sessions_per_agent: { value: 1000, unit: "sessions", why: "open sessions of one agent, so that one agent cannot take all others' places" },
  session_depth: { value: 8, unit: "sessions", why: "children of children" },
  session_children: { value: 100, unit: "sessions", why: "open sessions below one session, those of its children included" },
  credentials_per_name: { value: 16, unit: "credentials", why: "of one agent or user: enough to replace them one by one" },
  approvals: { value: 1000, unit: "requests", why: "open requests for approval of one daemon; more than people can read" },
  approvals_per_session: { value: 32, unit: "requests", why: "open requests of one session, so that one agent cannot bury all others' cards" },
  approvals_per_agent: { value: 250, unit: "requests", why: "open requests of all sessions of one agent, for the same reason" },
  config_bytes: { value: 1024 * 1024, unit: "bytes", why: "lanyard.yaml; a hundred times what a large organisation writes" },
  catalog_refresh_ms: { value: 60_000, unit: "ms", why: "how long a server in use can change its tools without saying so before Lanyard looks" },
  definition_bytes: { value: 256 * 1024, unit: "bytes", why: "one tool's definition; past it the tool stays out of the catalog" },
  catalog_changes_per_hour: { value: 4000, unit: "changes", why: "definitions of one server that are recorded; past it they only stay quarantined" },
  record_bytes: { value: 64 * 1024 - 1, unit: "bytes", why: "one ledger record; an entry bundle of C2SP tlog-tiles holds no longer one" },
  patient_ms: { value: 5, unit: "ms", why: "how long an outcome may wait for the next intent to share its sync; a crash meanwhile leaves its intent listed as open" },
  batch_records: { value: 128, unit: "records", why: "records in one commit; more would hold the event loop for longer than a disk does" },
  pending_appends: { value: 10_000, unit: "records", why: "records that wait for the disk; past it calls are refused rather than queued" },
  state_changes: { value: 256, unit: "documents", why: "state documents that change with one record; their commitments are in it" },
  result_payload_bytes: { value: 64 * 1024, unit: "bytes", why: "a result kept sealed beside its outcome; of a larger one only the commitment stays" },
  policy_bytes: { value: 4 * 1024 * 1024, unit: "bytes", why: "all policy files together; some ten thousand policies" },
  policy_files: { value: 1000, unit: "files", why: "files and folders below the folder of policies" },
  compile_ms: { value: 120_000, unit: "ms", why: "compiling all policies; a thousand take seconds, and the old ones stay in force meanwhile" },
  name_chars: { value: 256, unit: "characters", why: "any name or id that reaches a record" },
  client_sessions: { value: 1024, unit: "sessions", why: "MCP sessions of stateful clients; the one idle longest makes room" },
  streams: { value: 64, unit: "streams", why: "open event streams of one session" },
  replay_bytes: { value: 1024 * 1024, unit: "bytes", why: "events kept for one client that may come back for them" },
  asks: { value: 16, unit: "questions", why: "questions of servers that one client has not answered" },
  ask_rounds: { value: 8, unit: "rounds", why: "times one call may be answered with yet another question" },
  parked_calls: { value: 64, unit: "calls", why: "calls of one session that wait for a stateless client to come back with an answer" },
  parked_ms: { value: 300_000, unit: "ms", why: "a parked call; past it the server's question counts as unanswered" },
  subscriptions: { value: 256, unit: "resources", why: "resources one session watches" },
  upstream_connections: { value: 256, unit: "connections", why: "connections to servers, each a process or an HTTP session; the one idle longest makes room" },
  upstream_idle_ms: { value: 1_800_000, unit: "ms", why: "an unused connection; past it the server is let go and opened again when needed" },
  handshake_ms: { value: 30_000, unit: "ms", why: "a server's start, handshake or list" },
  stderr_bytes: { value: 256 * 1024, unit: "bytes", why: "what one server process may write to the log through its stderr" },
} as const satisfies Record<string, { value: number; unit: string; why: string }>;

export type LimitName = keyof typeof limits;

/** Values of all limits; a test or the configuration may lower them. */
export type Limits = { readonly [N in LimitName]: number };

export const defaultLimits = Object.fromEntries(Object.entries(limits).map(([name, { value }]) => [name, value])) as Limits;
