import { Fault, webServer, type Isolation, type Principal } from "@lanyard/contract";
import type { Clock } from "../../base/clock.ts";
import type { Config } from "../../base/config/config.ts";
import { audienceCovers, narrow, type Mandate } from "../../base/mandate.ts";
import type { Opening, Sessions } from "./sessions.ts";

/** Who a bearer token speaks for. */
export type Caller =
  | { readonly kind: "agent"; readonly name: string; readonly key: string }
  | { readonly kind: "user"; readonly name: string; readonly key: string }
  | { readonly kind: "session"; readonly principal: Principal };

/** What a new session is asked to be. What is left out: everything its opener may have. */
export interface SessionRequest {
  readonly agent?: string;
  readonly onBehalfOf?: string;
  /** 1 to 1000 characters; required but for a child, which has its parent's and no other. */
  readonly purpose?: string;
  readonly minutes?: number;
  /** `mcp` (default) or `mcp/<server>`. */
  readonly audience?: string;
  /** Cedar action ids, or `<server>/*`. */
  readonly tools?: readonly string[];
  readonly labels?: readonly string[];
  readonly maxCalls?: number;
  /** What its process runs in; `none`, or a child's parent's, when left out. */
  readonly isolation?: Isolation;
  /** It ends with whoever opened it: see `Identity.hold`. */
  readonly held?: boolean;
}

const labelPattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const maxPurposeChars = 1000;

/** What must hold of any request, whoever makes it. Throws Fault `invalid_request`. */
export function checkRequest({ purpose, minutes, audience, tools, labels, maxCalls }: SessionRequest, { servers, limits }: Config): void {
  const wrong = (message: string): never => {
    throw new Fault("invalid_request", message);
  };
  const count = (value: number | undefined, name: string, least: number) => {
    if (value !== undefined && !(Number.isSafeInteger(value) && value >= least)) wrong(`\`${name}\` must be a whole number from ${least}`);
  };
  if (purpose !== undefined && !(purpose.trim().length > 0 && purpose.length <= maxPurposeChars && purpose.isWellFormed())) {
    wrong(`\`purpose\` must be 1 to ${maxPurposeChars} characters of text`);
  }
  count(minutes, "minutes", 1);
  count(maxCalls, "max_calls", 0);
  if (audience !== undefined && audience !== "mcp" && !(audience.startsWith("mcp/") && (servers.has(audience.slice(4)) || audience === `mcp/${webServer}`))) {
    wrong(`\`audience\` is \`${audience}\`; it must be \`mcp\` or \`mcp/<server>\` of a registered server`);
  }
  if (tools && tools.length > limits.list_items) wrong(`\`tools\` has ${tools.length} items, over the limit list_items (${limits.list_items})`);
  for (const tool of tools ?? []) {
    if (tool.length > limits.name_chars || !tool.isWellFormed() || !/^[^/]+\/./s.test(tool)) wrong(`\`${tool}\` in \`tools\` is no \`<server>/<tool>\` or \`<server>/*\``);
  }
  if (labels && labels.length > 64) wrong(`\`labels\` has ${labels.length} items; 64 are allowed`);
  for (const label of labels ?? []) if (!labelPattern.test(label)) wrong(`\`${label}\` is no label: 1 to 64 letters, digits, \`.\`, \`_\` or \`-\``);
}

/**
 * A session opened by an operator or with an agent's credential.
 * Invariant: a tier above `none` is the operator's word. Whoever holds an agent's credential may be the agent, and could lie. Throws Fault `invalid_request`, `not_found`, `forbidden`.
 */
export function rootOpening({ config, clock }: { config: Config; clock: Clock }, opener: "operator" | Caller, request: SessionRequest): Opening {
  if (opener !== "operator" && opener.kind !== "agent") throw new Fault("forbidden", "a user's credential opens no session; an agent's does, or the operator");
  const agent = opener === "operator" ? request.agent : opener.name;
  if (agent === undefined) throw new Fault("invalid_request", "`agent` is missing: the session's agent");
  if (request.agent !== undefined && request.agent !== agent) throw new Fault("forbidden", `the credential is of agent \`${agent}\`, not \`${request.agent}\``);
  const entry = config.agents.get(agent);
  if (!entry) throw new Fault("not_found", `no agent \`${agent}\` is registered`);
  const user = request.onBehalfOf;
  if (user === undefined) throw new Fault("invalid_request", "`on_behalf_of` is missing: the user the agent acts for");
  if (!config.users.has(user)) throw new Fault("not_found", `no user \`${user}\` is registered`);
  if (entry.onBehalfOf && !entry.onBehalfOf.includes(user)) throw new Fault("forbidden", `agent \`${agent}\` may not act for \`${user}\``);
  if (request.purpose === undefined) throw new Fault("invalid_request", "`purpose` is missing: what the session is for, in a sentence");
  const longest = Math.min(entry.sessionMinutes ?? Number.POSITIVE_INFINITY, config.limits.session_ms / 60_000);
  const minutes = request.minutes ?? entry.sessionMinutes ?? Math.min(60, longest);
  if (minutes > longest) throw new Fault("invalid_request", `\`minutes\` is ${minutes}; agent \`${agent}\` may have sessions of ${longest} at most`);
  const mandate: Mandate = {
    tools: request.tools ? [...new Set(request.tools)].sort() : null,
    labels: [...new Set(request.labels ?? [])].sort(),
    audience: request.audience ?? "mcp",
    expiresAtMs: clock.nowMs() + minutes * 60_000,
    maxCalls: request.maxCalls ?? null,
  };
  const { isolation = "none" } = request;
  if (isolation !== "none" && opener !== "operator") throw new Fault("forbidden", `an agent's credential cannot vouch for the isolation \`${isolation}\`; only the operator's \`lanyard run\` can`);
  return { agent, user, purpose: request.purpose, isolation, held: request.held === true, mandate, credential: opener === "operator" ? null : opener.key, parent: null };
}

/**
 * A child of an open session, cut to what that one has. Throws Fault `session_expired`, `forbidden`.
 */
export function childOpening({ sessions, clock }: { sessions: Pick<Sessions, "get">; clock: Clock }, { session: id }: Principal, request: SessionRequest): Opening {
  const parent = sessions.get(id);
  if (!parent) throw new Fault("session_expired", `session \`${id}\` has ended`);
  const { agent, user, purpose, isolation } = parent.principal;
  if (request.agent !== undefined && request.agent !== agent) throw new Fault("forbidden", `a child session stays with its parent's agent \`${agent}\``);
  if (request.onBehalfOf !== undefined && request.onBehalfOf !== user) throw new Fault("forbidden", `a child session stays with its parent's user \`${user}\``);
  // Policies read the purpose: whoever may choose it anew for a child has not narrowed anything.
  if (request.purpose !== undefined && request.purpose !== purpose) throw new Fault("forbidden", "a child session stays with its parent's purpose");
  if (request.isolation !== undefined && request.isolation !== isolation) throw new Fault("forbidden", `a child session stays with its parent's isolation \`${isolation}\``);
  if (request.audience !== undefined && !audienceCovers(parent.mandate.audience, request.audience)) {
    throw new Fault("forbidden", `\`${request.audience}\` is wider than the parent's audience \`${parent.mandate.audience}\``);
  }
  const { tools, labels, audience, maxCalls, minutes } = request;
  const mandate = narrow(parent.mandate, {
    ...(tools && { tools }),
    ...(labels && { labels }),
    ...(audience !== undefined && { audience }),
    ...(maxCalls !== undefined && { maxCalls }),
    ...(minutes !== undefined && { expiresAtMs: clock.nowMs() + minutes * 60_000 }),
  });
  return { agent, user, purpose, isolation, held: request.held === true, mandate, credential: parent.credential, parent };
}
