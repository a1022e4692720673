/**
 * Every limit of the product in one table: value, unit, and why it is what it is. `lanyard limits` prints it. A limit that is met is a
 * clear error naming the limit and its value; each has a test at the limit and one past it.
 */
export const limits = {
  body_bytes: { value: 4 * 1024 * 1024, unit: "bytes", why: "one JSON-RPC message from an agent; larger payloads belong in files" },
  result_bytes: { value: 16 * 1024 * 1024, unit: "bytes", why: "one message from a server; past it the result is withheld" },
  json_depth: { value: 64, unit: "levels", why: "deeper nesting has no honest use and costs stack in every reader" },
  list_items: { value: 2000, unit: "items", why: "tools, resources or prompts of one server in one list" },
  calls_per_session: { value: 32, unit: "calls", why: "calls of one session in flight, held ones included" },
  call_ms: { value: 600_000, unit: "ms", why: "a server's answer; past it the call is cancelled and its outcome uncertain" },
  hold_ms: { value: 50_000, unit: "ms", why: "MCP clients give up at 60 s; a held call must answer before that" },
  approval_ms: { value: 3_600_000, unit: "ms", why: "a pending or unused approval; past it the call must be asked anew" },
  session_ms: { value: 8 * 3_600_000, unit: "ms", why: "longest life of a session" },
  sessions: { value: 10_000, unit: "sessions", why: "open sessions of one daemon" },
  session_depth: { value: 8, unit: "sessions", why: "children of children" },
  name_chars: { value: 256, unit: "characters", why: "any name or id that reaches a record" },
} as const satisfies Record<string, { value: number; unit: string; why: string }>;

export type LimitName = keyof typeof limits;

/** Values of all limits; a test or the configuration may lower them. */
export type Limits = { readonly [N in LimitName]: number };

export const defaultLimits = Object.fromEntries(Object.entries(limits).map(([name, { value }]) => [name, value])) as Limits;
