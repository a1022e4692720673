import { callEffects, Fault, type Registry } from "@lanyard/contract";
import { nearest } from "../author/problem.ts";
import type { ActionShape } from "../schema/schema.ts";

/** Which agents a question is about. */
export interface AskedAgents {
  readonly of: "any" | "team" | "class" | "agent";
  readonly name: string;
}

/** Which actions a question is about. */
export interface AskedActions {
  readonly of: "any" | "effect" | "server" | "tool";
  readonly name: string;
}

/** A question in one line, understood. */
export interface Ask {
  readonly text: string;
  readonly agents: AskedAgents;
  readonly actions: AskedActions;
  /** Labels that the session carries. */
  readonly labels: readonly string[];
  /** Groups that the user is in. */
  readonly groups: readonly string[];
  /** True when a call that people must approve first does not count. */
  readonly unapproved: boolean;
}

/** What may be asked, for help and for errors. `X` stands for a name, `LABEL` and `GROUP` for a word. */
export const askForms: readonly string[] = [
  "who can DO",
  "can any agent DO",
  "can any agent of team X DO",
  "can any agent of class X DO",
  "can agent X DO",
  "what can agent X do",
  "is any EFFECT allowed",
];

/** Ways to say what is done. */
const deeds: readonly (readonly [RegExp, AskedActions])[] = [
  ["read|read data|read anything", "read"],
  ["write|write data|write anything|change anything", "write"],
  ["egress|send data out|send anything out|send data|exfiltrate data|exfiltrate", "egress"],
  ["destructive|destroy|destroy data|delete data|delete anything", "destructive"],
  ["access|give access|give anybody access", "access"],
  ["money|move money|spend money|pay", "money"],
  ["exec|run a shell|run code|run commands|execute code|run a command", "exec"],
].map(([words = "", name = ""]) => [new RegExp(`^(?:${words})$`), { of: "effect", name }]);

interface Clauses {
  readonly rest: string;
  readonly labels: readonly string[];
  readonly groups: readonly string[];
  readonly unapproved: boolean;
}

/** Reads a question and checks its names. Throws Fault `invalid_request` that says what is known. */
export const parseAsk = (text: string, { registry, actions }: { readonly registry: Registry; readonly actions: readonly ActionShape[] }): Ask => {
  const said = text.trim().replace(/\s+/g, " ").replace(/\s*\?$/, "");
  const { rest, labels, groups, unapproved } = clausesOf(said);
  const whole = (agents: AskedAgents, what: AskedActions): Ask => ({ text, agents: knownAgents(agents, registry, text), actions: knownActions(what, actions, text), labels, groups: knownGroups(groups, registry, text), unapproved });
  const [, allowed] = /^is any (.+?) allowed$/.exec(rest) ?? [];
  if (allowed !== undefined) return whole({ of: "any", name: "" }, deed(allowed, text, actions));
  const [, agent] = /^what can (?:agent )?(\S+) do$/.exec(rest) ?? [];
  if (agent !== undefined) return whole({ of: "agent", name: agent }, { of: "any", name: "" });
  const [, who, whoDoes] = /^(who|which agents?) can (.+)$/.exec(rest) ?? [];
  if (who !== undefined) return whole({ of: "any", name: "" }, deed(whoDoes ?? "", text, actions));
  const [, any, kind, name, does] = /^can (?:(any agent|anyone|any|an agent)(?: of (team|class) (\S+))?) (.+)$/.exec(rest) ?? [];
  if (any !== undefined) return whole({ of: kind === "team" || kind === "class" ? kind : "any", name: name ?? "" }, deed(does ?? "", text, actions));
  const [, one, doesWhat] = /^can (?:agent )?(\S+) (.+)$/.exec(rest) ?? [];
  if (one !== undefined) return whole({ of: "agent", name: one }, deed(doesWhat ?? "", text, actions));
  throw misunderstood(text, `ask like this: ${askForms.map((form) => `\`${form}?\``).join(", ")}`);
};

const misunderstood = (text: string, help: string): Fault => new Fault("invalid_request", `the question \`${text}\` was not understood: ${help}`, { remedy: "" });

/** Takes what narrows a question off its end, and the label out of its middle. */
const clausesOf = (said: string): Clauses => {
  const labels: string[] = [];
  const groups: string[] = [];
  let unapproved = false;
  const patterns: readonly (readonly [RegExp, (name: string) => void])[] = [
    [/ (?:when|while|in) (?:the |a )?session (?:is )?(?:labelled|labeled) (\S+?)(?= |$)/, (name) => labels.push(name)],
    [/ (?:labelled|labeled) (\S+?)(?= |$)/, (name) => labels.push(name)],
    [/ (?:on behalf of|for) (?:a user|users|anyone) (?:in|of) (?:group )?(\S+?)(?= |$)/, (name) => groups.push(name)],
    [/ without (?:an? |any )?approval(?= |$)/, () => (unapproved = true)],
  ];
  const rest = patterns.reduce((left, [pattern, note]) => {
    let open = left;
    for (let found = pattern.exec(open); found !== null; found = pattern.exec(open)) {
      note(found[1] ?? "");
      open = open.slice(0, found.index) + open.slice(found.index + found[0].length);
    }
    return open;
  }, said);
  return { rest, labels: [...new Set(labels)].sort(), groups: [...new Set(groups)].sort(), unapproved };
};

const deed = (words: string, text: string, actions: readonly ActionShape[]): AskedActions => {
  const plain = words.toLowerCase();
  const found = deeds.find(([pattern]) => pattern.test(plain));
  if (found !== undefined) return found[1];
  if (plain === "do anything" || plain === "call anything" || plain === "action") return { of: "any", name: "" };
  const [, verb, name] = /^(call|use server|use)\s+(\S+)$/.exec(words) ?? [];
  if (name !== undefined) return { of: verb === "use server" || (verb === "use" && !name.includes("/")) ? "server" : "tool", name };
  if (actions.some((action) => action.name === words)) return { of: "tool", name: words };
  const near = nearest(plain, [...callEffects, "run a shell", "send data out", "move money", "delete data", "write", "read"]);
  throw misunderstood(text, near === null ? `after \`can\` comes ${callEffects.join(", ")}, \`call SERVER/TOOL\`, \`use server NAME\` or \`do anything\`` : `did you mean \`${near}\`?`);
};

const unknown = (text: string, what: string, name: string, known: readonly string[]): Fault => {
  const near = nearest(name, known);
  return misunderstood(text, `there is no ${what} \`${name}\`${near === null ? (known.length === 0 ? "" : `; there are ${known.slice(0, 5).join(", ")}${known.length > 5 ? " ..." : ""}`) : `; did you mean \`${near}\`?`}`);
};

const knownAgents = (agents: AskedAgents, registry: Registry, text: string): AskedAgents => {
  const all = Object.values(registry.agents);
  const names = {
    any: [""],
    agent: Object.keys(registry.agents),
    team: [...new Set([...Object.keys(registry.teams), ...all.map(({ team }) => team)])],
    class: [...new Set(all.flatMap(({ classes }) => classes))],
  }[agents.of];
  if (!names.includes(agents.name)) throw unknown(text, agents.of, agents.name, names.sort());
  return agents;
};

/** A group that nobody has is a slip of the pen, and would be answered with a proof about nobody. */
const knownGroups = (groups: readonly string[], { groups: registered, users }: Registry, text: string): readonly string[] => {
  const names = [...new Set([...Object.keys(registered), ...Object.values(users).flatMap((user) => user.groups)])].sort();
  for (const group of groups) if (!names.includes(group)) throw unknown(text, "group", group, names);
  return groups;
};

const knownActions = (what: AskedActions, actions: readonly ActionShape[], text: string): AskedActions => {
  if (what.of === "tool" && !actions.some(({ name }) => name === what.name)) throw unknown(text, "tool", what.name, actions.map(({ name }) => name));
  const servers = [...new Set(actions.map(({ server }) => server))].sort();
  if (what.of === "server" && !servers.includes(what.name)) throw unknown(text, "server", what.name, servers);
  return what;
};

/** Questions that any organisation may want an answer to. */
export const standardAsks: readonly string[] = [
  "who can run a shell?",
  "who can move money?",
  "is any destructive allowed without approval?",
  "can any agent send data out?",
];
