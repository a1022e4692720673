import type { DecisionInput, JsonObject } from "@lanyard/contract";
import { readPolicy } from "../../policy/src/author/reading.ts";
import { splitPolicies } from "../../policy/src/author/split.ts";
import { encodeBundle, type Bundle, type Policy } from "../../policy/src/bundle.ts";
import { actionsOf, type ApprovedTool, type Ground } from "../../policy/src/schema/schema.ts";
import { Draw } from "./draw.ts";

/**
 * A company of 40 agents in 6 teams and 12 servers with 25 tools each, as many policies as asked for, and calls that its agents make: what
 * the benchmarks decide about. Everything comes from one seed.
 */
export const teams = ["support", "sales", "finance", "engineering", "legal", "operations"] as const;
const classes = ["worker", "reviewer", "planner", "night-shift", "trainee"] as const;
const groups = ["staff", "leads", "finance-leads", "on-call", "security"] as const;
const servers = ["mail", "tickets", "stripe", "github", "files", "shell", "crm", "calendar", "wiki", "warehouse", "browser", "payroll"] as const;
const verbs = ["get", "list", "search", "create", "delete"] as const;
const nouns = ["order", "customer", "document", "invoice", "branch"] as const;
const labels = ["secret", "personal", "finance", "untrusted-web"] as const;

const effectsOf = { get: ["read"], list: ["read"], search: ["read"], create: ["write"], delete: ["destructive"] } as const;

const inputSchema: JsonObject = {
  type: "object",
  properties: {
    title: { type: "string" },
    body: { type: "string" },
    path: { type: "string" },
    recipients: { type: "array", items: { type: "string" } },
    tags: { type: "array", items: { type: "string" } },
    amount_cents: { type: "integer" },
    price: { type: "number" },
    priority: { type: "string" },
    dry_run: { type: "boolean" },
    options: { type: "object", properties: { depth: { type: "integer" }, force: { type: "boolean" }, region: { type: "string" } } },
  },
  required: ["title", "amount_cents"],
};

const tools: readonly ApprovedTool[] = servers.flatMap((server) =>
  verbs.flatMap((verb) =>
    nouns.map((noun) => {
      const reversibility = verb === "delete" ? "irreversible" : verb === "create" ? "reversible" : "read";
      return { server, tool: `${verb}_${noun}`, definition: `${server}-${verb}-${noun}`.padEnd(43, "-").slice(0, 43), inputSchema, contract: { effects: [...effectsOf[verb]], reversibility } as const };
    }),
  ),
);
const toolNames = tools.map(({ server, tool }) => `${server}/${tool}`);

const agentNames = Array.from({ length: 40 }, (_, at) => `agent-${at}`);
const agentOf = (at: number): DecisionInput["agent"] => ({ id: agentNames[at] ?? "", team: teams[at % teams.length] ?? "", classes: [classes[at % classes.length] ?? "", classes[(at + 2) % classes.length] ?? ""] });

/** Everything those policies are written against. */
export const ground: Ground = {
  servers: [...servers],
  tools,
  registry: {
    agents: Object.fromEntries(agentNames.map((name, at) => [name, { team: agentOf(at).team, classes: agentOf(at).classes }])),
    users: { ana: { groups: ["staff", "leads"] }, ben: { groups: ["staff"] } },
    teams: Object.fromEntries(teams.map((team) => [team, { owners: ["leads"] }])),
    groups: Object.fromEntries(groups.map((group) => [group, { team: null }])),
    owners: ["security"],
    resources: {},
  },
};

/** Conditions such as people write, none of which can err. */
const conditions: readonly ((draw: Draw) => string)[] = [
  (draw) => `context.input.amount_cents <= ${(1 + draw.below(500)) * 100}`,
  (draw) => `context.input has path && context.input.path like "/srv/${draw.one(nouns)}/${draw.below(50)}/*"`,
  (draw) => `context.input has priority && context.input.priority == "${draw.one(["low", "normal", "high", "urgent"])}"`,
  (draw) => `context.input has tags && context.input.tags.containsAny(["${draw.one(nouns)}", "t${draw.below(200)}"])`,
  (draw) => `context.input has recipients && context.input.recipients.contains("person${draw.below(300)}@example.com")`,
  (draw) => `context.session.labels.contains("${draw.one(labels)}")`,
  (draw) => `context.user in Group::"${draw.one(groups)}" && context.session.depth <= ${draw.below(4)}`,
  (draw) => `context.input has price && context.input.price.greaterThan(decimal("${draw.below(900)}.${1 + draw.below(9)}"))`,
  (draw) => `context.input has options && context.input.options has region && context.input.options.region == "eu-${draw.below(30)}"`,
  (draw) => `context.now > datetime("2026-${String(1 + draw.below(12)).padStart(2, "0")}-01") || context.session.purpose like "*incident ${draw.below(100)}*"`,
  (draw) => `if context.input has dry_run && context.input.dry_run then context.input.amount_cents < ${draw.below(90_000)} else principal in Team::"${draw.one(teams)}"`,
];

const principalOf = (draw: Draw): string =>
  draw.one([() => `principal == Agent::"${draw.one(agentNames)}"`, () => `principal in Team::"${draw.one(teams)}"`, () => `principal in AgentClass::"${draw.one(classes)}"`])();
const actionOf = (draw: Draw): string =>
  draw.share() < 0.8 ? `action == Action::"${draw.one(toolNames)}"` : `action in [${draw.some(toolNames, 3).map((name) => `Action::"${name}"`).join(", ")}]`;

/** Rules of the whole company: few, however many policies there are. */
const broad = [
  `@id("org.read") @reason("Reading is for everybody.") permit (principal, action in Action::"read", resource);`,
  `@id("org.write") permit (principal, action in Action::"write", resource) when { context.session.depth <= 2 };`,
  `@id("org.secret") @reason("Secret data stays inside.") forbid (principal, action in Action::"write", resource) when { context.session.labels.contains("secret") };`,
  `@id("org.etc") forbid (principal, action, resource) when { context.input has path && context.input.path like "/etc/*" };`,
  `@id("org.payroll") @remedy("approval:security") forbid (principal, action in Action::"server:payroll", resource) when { context.input has amount_cents && context.input.amount_cents > 40000 } unless { context.approvals.contains(Group::"security") };`,
];

const policyText = (draw: Draw, at: number): string => {
  const id = `p${String(at).padStart(5, "0")}`;
  const when = draw.some(conditions, 1 + draw.below(2)).map((make) => `when { ${make(draw)} }`);
  const remedy = draw.share() < 0.1 ? draw.one(groups) : null;
  const effect = remedy !== null || draw.share() < 0.3 ? "forbid" : "permit";
  const reason = draw.share() < 0.4 ? ` @reason("Rule ${at} of the ${draw.one(teams)} handbook, see the wiki.")` : "";
  const lift = remedy === null ? "" : ` unless { context.approvals.contains(Group::"${remedy}") }`;
  return `@id("${id}")${reason}${remedy === null ? "" : ` @remedy("approval:${remedy}")`}\n${effect} (${principalOf(draw)}, ${actionOf(draw)}, resource)\n${when.join("\n")}${lift};`;
};

/** So many policies, made of Cedar's own parse of their text, sorted by id. The same `seed` gives the same, and fewer of them when fewer are asked for. */
export const policiesOf = (count: number, seed = 7): Policy[] => {
  const draw = new Draw(seed);
  const texts = [...broad, ...Array.from({ length: Math.max(0, count - broad.length) }, (_, at) => policyText(draw, at))].slice(0, count);
  return texts.map((text, at) => policyOf(text, at)).sort((left, right) => (left.id < right.id ? -1 : 1));
};

/** One policy of its text. */
export const policyOf = (text: string, at: number): Policy => {
  const [chunk] = splitPolicies({ file: `p${Math.floor(at / 100)}.cedar`, text });
  const meaning = chunk && readPolicy(chunk).meaning;
  if (!chunk || !meaning) throw new Error(`no policy: ${text}`);
  const { id, reason, remedy, approvers, severity, effect, head, conditions: clauses, reads } = meaning;
  return { id, reason, remedy, approvers, severity, effect, head, conditions: clauses, reads, file: chunk.file.file, line: 1, column: 1, text, keyword: chunk.keyword, unconditional: clauses.length === 0, team: "" };
};

/** The bytes of a bundle of these policies. Its schema is left out: nothing that decides reads it. */
export const bundleOf = (policies: readonly Policy[]): Uint8Array => {
  const bundle: Bundle = { v: 3, engine: "bench", policies, actions: actionsOf(ground).actions, schema: {}, tests: [] };
  return encodeBundle(bundle).bytes;
};

/** Arguments of about 1 KB. */
const argumentsOf = (draw: Draw): JsonObject => ({
  title: `Order ${draw.below(100_000)} of customer ${draw.below(5000)}`,
  body: `Dear colleague, as agreed on the phone I attach what we know of case ${draw.below(10_000)}. ${"The parcel was handed over, then came back, and nobody wrote down why. ".repeat(6)}Please answer by Friday.`,
  path: draw.share() < 0.02 ? "/etc/shadow" : `/srv/${draw.one(nouns)}/${draw.below(50)}/report-${draw.below(1000)}.md`,
  recipients: Array.from({ length: 4 }, () => `person${draw.below(300)}@example.com`),
  tags: Array.from({ length: 5 }, () => draw.one([draw.one(nouns), `t${draw.below(200)}`])),
  amount_cents: draw.below(60_000),
  price: draw.below(90_000) / 100,
  priority: draw.one(["low", "normal", "high", "urgent"]),
  dry_run: draw.share() < 0.3,
  options: { depth: draw.below(5), force: false, region: `eu-${draw.below(30)}` },
  request: { id: `req-${draw.below(1e9)}`, origin: "assistant", attempts: [1, draw.below(5)] },
});

/** A call as it comes in: the facts the gateway has, and the raw JSON of the arguments. */
export interface RawCall {
  readonly facts: Omit<DecisionInput, "args">;
  readonly raw: string;
}

/** Sessions that are open at a time, and how many calls each makes before another one takes its place. */
const traffic = { open: 16, calls: 40 } as const;

/**
 * So many calls as they come in at a gateway: at any time some sessions are open, each of an agent that uses some 20 tools; their calls
 * come mixed, and when a session has made its calls another agent's begins.
 */
export const callsOf = (count: number, seed = 11): RawCall[] => {
  const draw = new Draw(seed);
  const used = agentNames.map(() => draw.some(tools, 20));
  const open = Array.from({ length: traffic.open }, (_, at) => ({ agent: draw.below(agentNames.length), left: Math.ceil((traffic.calls * (at + 1)) / traffic.open) }));
  return Array.from({ length: count }, (): RawCall => {
    const session = draw.one(open);
    const at = session.agent;
    session.left -= 1;
    if (session.left === 0) Object.assign(session, { agent: draw.below(agentNames.length), left: traffic.calls });
    const tool = draw.one(used[at] ?? tools);
    const user = draw.share() < 0.5 ? "ana" : "ben";
    const facts = {
      agent: agentOf(at),
      user: { id: user, groups: [...(ground.registry.users[user]?.groups ?? [])] },
      session: { id: `ses_${at}`, purpose: `handle incident ${draw.below(100)}`, depth: draw.below(3), labels: draw.share() < 0.1 ? ["secret"] : [], isolation: "none" } as const,
      action: `${tool.server}/${tool.tool}`,
      definition: tool.definition,
      approvals: [],
      nowMs: 1_790_000_000_000 + draw.below(1e9),
    };
    return { facts, raw: JSON.stringify(argumentsOf(draw)) };
  });
};
