import { caseSchema } from "@lanyard/policy";
import type { Config } from "../../base/config/config.ts";

/** What a starter is written for: the teams there are, and who may approve for the organisation. */
export type StarterGround = Pick<Config, "teams" | "groups" | "owners" | "agents" | "users">;

/** The files of a new folder of policies, by path below it. Names of lanyard.yaml are in them, so that they compile and their cases pass at once. */
export const starterFiles = (ground: StarterGround): ReadonlyMap<string, string> =>
  new Map([
    ["cases.schema.json", `${JSON.stringify(caseSchema(), null, 2)}\n`],
    ["org/guardrails.cedar", guardrails(ground)],
    ["org/cases.yaml", orgCases(ground)],
    ...[...ground.teams.keys()].sort().flatMap((team): [string, string][] => [
      [`teams/${team}/${team}.cedar`, teamPolicies(team)],
      [`teams/${team}/cases.yaml`, teamCases(team, ground)],
    ]),
  ]);

/** Agents of this class may run in no sandbox. */
const development = "development";

const caged = ({ agents }: StarterGround): string => {
  const exempt = [...agents.values()].some(({ classes }) => classes.includes(development));
  return `
// Outside development an agent runs in a sandbox: \`lanyard run\` starts it in the strongest that the machine has. ${exempt ? "Agents of this class are exempt, for development." : `To exempt one that you develop,
// give it \`classes: [${development}]\` in lanyard.yaml, and end the rule with: unless { principal in AgentClass::"${development}" };`}
@id("org.caged")
@severity("high")
@reason("This agent runs in no sandbox. Start it with \`lanyard run\`; for development, exempt it (rule org.caged).")
forbid (principal, action, resource)
when { context.session.isolation == "none" }${exempt ? `\nunless { principal in AgentClass::"${development}" }` : ""};
`;
};

const guardrails = (ground: StarterGround): string => {
  const { owners, groups } = ground;
  const isTheirs = (group: string): boolean => (groups.get(group)?.team ?? null) === null;
  const approver = owners.find(isTheirs) ?? [...groups.keys()].find(isTheirs);
  const review = approver === undefined ? { remedy: "", lift: "", reason: "What cannot be undone is not for agents." } : { remedy: `\n@remedy("approval:${approver}")`, lift: `\nunless { context.approvals.contains(Group::"${approver}") }`, reason: "What cannot be undone needs a person's yes." };
  return `// What holds for every agent of every team. Teams write their own policies below teams/<team>/; nothing there can lift a rule of this file.
// Nothing is allowed that no policy permits.

@id("org.secret-stays")
@severity("critical")
@reason("This session carries data labelled secret; nothing may leave it.")
forbid (principal, action in Action::"egress", resource)
when { context.session.labels.contains("secret") };
${caged(ground)}
@id("org.no-way-back")
@severity("high")${review.remedy}
@reason("${review.reason}")
forbid (principal, action in [Action::"destructive", Action::"reversibility:irreversible"], resource)${review.lift};

// A server's own hint can only add a rule, never lift one: what the organisation says stands under \`tools:\` in lanyard.yaml.
@id("org.unreviewed")
@severity("medium")
@reason("The server calls this tool destructive, and nobody has said what it does. Give it a contract in lanyard.yaml.")
forbid (principal, action in Action::"hint:destructive", resource)
unless { action in [Action::"read", Action::"write", Action::"egress", Action::"exec"] };
`;
};

const teamPolicies = (team: string): string => `// What the agents of the team \`${team}\` may do. Ids begin with \`${team}.\`, and every head names the team or one of its agents.

// A tool may read and write: the \`unless\` leaves it out.
@id("${team}.read")
@reason("Reading is harmless.")
permit (principal in Team::"${team}", action in Action::"read", resource)
unless { action in [Action::"write", Action::"egress", Action::"exec"] };
`;

const header = "# yaml-language-server: $schema=";

const orgCases = (ground: StarterGround): string => `${header}../cases.schema.json
about: what no team can permit
${samples}${actors([...ground.agents][0], ground, "caged-agent: { team: sample }")}
cases:
  - it: nothing leaves a session that carries a secret
    call: sample/send
    labels: [secret]
    expect: deny
    because: [org.secret-stays]
  - it: an agent that is not in development does nothing outside a sandbox
    agent: caged-agent
    call: sample/look
    args: { name: plan }
    isolation: none
    expect: deny
    because: [org.caged]
`;

const teamCases = (team: string, ground: StarterGround): string => {
  const agent = [...ground.agents].find(([, entry]) => entry.team === team) ?? [`${team}-agent`, { team }];
  return `${header}../../cases.schema.json
about: what the agents of the team ${team} may do
${samples}${actors(agent, ground)}
cases:
  - it: they look
    call: sample/look
    args: { name: plan }
    expect: allow
    because: [${JSON.stringify(`${team}.read`)}]
  - it: they change nothing
    call: sample/change
    args: { name: plan }
    expect: deny
  - it: they are shown what they may use
    sees: [sample/look]
    among: [sample/*]
`;
};

const samples = `tools:
  sample/look: { effects: [read], reversibility: read, input: { name: string } }
  sample/change: { effects: [write], reversibility: reversible, input: { name: string } }
  sample/send: { effects: [egress], reversibility: reversible, input: {} }
`;

/** Who acts: an agent and a user of lanyard.yaml, or ones that the file brings along. */
const actors = (agent: readonly [string, { readonly team: string }] | undefined, { agents, users }: StarterGround, extra = ""): string => {
  const [name, { team }] = agent ?? ["sample-agent", { team: "sample" }];
  const user = [...users.keys()].find((id) => allowed(agents.get(name), id)) ?? "sample-user";
  const brought = [...(agents.has(name) ? [] : [`${JSON.stringify(name)}: { team: ${JSON.stringify(team)} }`]), ...(extra ? [extra] : [])];
  const own = brought.length === 0 ? "" : `agents: { ${brought.join(", ")} }\n`;
  return `${own}${users.has(user) ? "" : `users: { ${user}: {} }\n`}given: { agent: ${JSON.stringify(name)}, user: ${JSON.stringify(user)}, isolation: namespace }`;
};

const allowed = (agent: { readonly onBehalfOf: readonly string[] | null } | undefined, user: string): boolean => agent?.onBehalfOf?.includes(user) ?? true;
