import { completeWebArguments, Fault, isObject, parseJson, webServer, type DecisionInput, type JsonObject, type ResourceFact } from "@lanyard/contract";
import { nearest, type PolicyProblem } from "../author/problem.ts";
import type { PolicyFile, SourcePlace } from "../author/split.ts";
import type { Snapshot } from "../decide/snapshot.ts";
import { resourcesOf } from "../schema/resources.ts";
import type { ApprovedTool, Ground } from "../schema/schema.ts";
import type { Case, CaseFile } from "./format.ts";
import { knownIn } from "./format-facts.ts";
import { answersAfter } from "./past.ts";
import { readCases, type CaseSource } from "./source.ts";

/** What a case needs: files, what they are written against, and policies compiled against that. */
export interface CaseRun {
  readonly files: readonly PolicyFile[];
  readonly ground: Ground;
  /** The policies under test on a ground: the given one, or it with the tools that a file brings along. Asked once for each. */
  open(ground: Ground): Promise<Snapshot | readonly PolicyProblem[]>;
}

/** A question that the policies can be asked, with what is expected of the answer. */
export interface ReadyCase {
  readonly place: SourcePlace;
  readonly wanted: Case;
  readonly snapshot: Snapshot;
  readonly ask:
    | { readonly kind: "call"; readonly input: DecisionInput }
    /** Refused before any policy is asked, for instance because the call does not say what it touches. */
    | { readonly kind: "refused"; readonly message: string }
    | { readonly kind: "sees"; readonly agent: DecisionInput["agent"]; readonly actions: readonly string[] };
}

const usualNow = "2026-11-02T09:00:00Z";

/** Reads files of cases and makes each case ready to be asked. What cannot be is a problem with its place; the other cases are ready all the same. */
export const readyCases = async (run: CaseRun): Promise<{ ready: ReadyCase[]; problems: PolicyProblem[] }> => {
  const ready: ReadyCase[] = [];
  const problems: PolicyProblem[] = [];
  const opened = new Map<string, Snapshot | readonly PolicyProblem[]>();
  for (const file of run.files.toSorted((left, right) => (left.file < right.file ? -1 : 1))) {
    const source = readCases(file);
    problems.push(...source.problems);
    if (source.cases === null) continue;
    const { ground, key } = groundOf(run.ground, source.cases);
    const snapshot = opened.get(key) ?? (await run.open(ground));
    opened.set(key, snapshot);
    if (!("decide" in snapshot)) {
      const [first] = snapshot;
      const where = first === undefined ? "" : `; first: ${first.place.file}:${first.place.line}:${first.place.column}: ${first.message}`;
      problems.push(source.problem(["tools"], `the policies do not compile for this file (${snapshot.length} errors${where})`, "", "key"));
      continue;
    }
    for (const [index, one] of source.cases.cases.entries()) {
      const made = makeReady({ source, file: source.cases, ground, snapshot }, one, index);
      if ("place" in made && "ask" in made) ready.push(made);
      else problems.push(made);
    }
  }
  return { ready, problems };
};

/** The ground of a file: what the catalog has comes first, so that a case is about the real tool as soon as there is one. */
const groundOf = (ground: Ground, { tools = {} }: CaseFile): { ground: Ground; key: string } => {
  const known = new Set(ground.tools.map(({ server, tool }) => `${server}/${tool}`));
  const added = Object.entries(tools).filter(([name]) => !known.has(name)).map(toolOf);
  if (added.length === 0) return { ground, key: "" };
  return { ground: { ...ground, servers: [...new Set([...ground.servers, ...added.map(({ server }) => server)])], tools: [...ground.tools, ...added] }, key: JSON.stringify(added) };
};

const toolOf = ([name, { effects = [], reversibility = "unknown", classes, resource, input = {}, schema }]: [string, NonNullable<CaseFile["tools"]>[string]]): ApprovedTool => {
  const [server = "", tool = ""] = name.split(/\/(.*)/s);
  const contract = { effects, reversibility, ...(classes && { classes }), ...(resource && { resource: { type: resource.type, argument: resource.argument.split(".") } }) };
  return { server, tool, definition: "definition-of-a-case", inputSchema: (schema as JsonObject | undefined) ?? schemaOfInput(input), contract };
};

const schemaOfInput = (input: Readonly<Record<string, string>>): JsonObject => ({
  type: "object",
  properties: Object.fromEntries(Object.entries(input).map(([name, type]) => [name.replace(/\?$/, ""), type.endsWith("[]") ? { type: "array", items: { type: type.slice(0, -2) } } : { type }])),
  required: Object.keys(input).filter((name) => !name.endsWith("?")),
});

interface Frame {
  readonly source: CaseSource;
  readonly file: CaseFile;
  readonly ground: Ground;
  readonly snapshot: Snapshot;
}

const makeReady = (frame: Frame, one: Case, index: number): ReadyCase | PolicyProblem => {
  const { source, file, snapshot } = frame;
  const path = ["cases", index];
  const wanted: Case = { ...file.given, ...one };
  const { place } = source.problem([...path, "it"], "");
  const agent = agentOf(frame, wanted, [...path, "agent"]);
  if ("message" in agent) return agent;
  if (wanted.sees !== undefined) return { place, wanted, snapshot, ask: { kind: "sees", agent, actions: amongOf(frame.ground, wanted.among) } };
  const user = userOf(frame, wanted, [...path, "user"]);
  if ("message" in user) return user;
  const action = wanted.call ?? "";
  const given = (wanted.json === undefined ? (wanted.args ?? {}) : parseJson(wanted.json)) as JsonObject;
  const args = action.startsWith(`${webServer}/`) && wanted.json === undefined ? completeWebArguments(action.slice(webServer.length + 1), given) : given;
  try {
    const resources = wanted.resources?.map(givenResource) ?? touched(frame.ground, action, args);
    const session = { id: "case", purpose: wanted.purpose ?? "a case", depth: wanted.depth ?? 0, labels: (wanted.labels ?? []).toSorted(), isolation: wanted.isolation ?? "none" };
    const reversibility = wanted.reversibility ?? toolNamed(frame.ground, action)?.contract.reversibility ?? "unknown";
    const input: DecisionInput = { agent, user, session, action, reversibility, ...(resources.length > 0 && { resources }), ...knownIn(wanted), args, approvals: (wanted.approved_by ?? []).toSorted(), nowMs: Date.parse(wanted.now ?? usualNow) };
    const history = answersAfter(snapshot, wanted.history, input);
    return { place, wanted, snapshot, ask: { kind: "call", input: history === null ? input : { ...input, history } } };
  } catch (error) {
    if (error instanceof Fault) return { place, wanted, snapshot, ask: { kind: "refused", message: error.message } };
    throw error;
  }
};

const givenResource = ({ type, id, labels = [], owner = null }: NonNullable<Case["resources"]>[number]): ResourceFact => ({ type, id, labels: labels.toSorted(), owner });

const toolNamed = (ground: Ground, action: string): ApprovedTool | undefined => ground.tools.find(({ server, tool }) => `${server}/${tool}` === action);

const touched = (ground: Ground, action: string, args: JsonObject): readonly ResourceFact[] => {
  const tool = toolNamed(ground, action);
  return tool === undefined || !isObject(args) ? [] : resourcesOf(tool.contract, ground.registry.resources, args);
};

const amongOf = ({ tools }: Ground, among: readonly string[] | undefined): string[] => {
  const names = tools.map(({ server, tool }) => `${server}/${tool}`);
  return among === undefined ? names : names.filter((name) => among.includes(name) || among.includes(`${name.slice(0, name.indexOf("/"))}/*`));
};

/** Who is registered is who lanyard.yaml says; a file that says otherwise would test a world that is not there. */
const agentOf = ({ source, file, ground }: Frame, { agent: id }: Case, path: readonly PropertyKey[]): DecisionInput["agent"] | PolicyProblem => {
  if (id === undefined) return source.problem(path, "the case has no agent", "name it here, or for all cases of the file: `given: { agent: ... }`");
  const [known, own] = [ownOf(ground.registry.agents, id), ownOf(file.agents ?? {}, id)];
  const classes = (own?.classes ?? []).toSorted();
  if (known !== null && own !== null && (known.team !== own.team || JSON.stringify(known.classes.toSorted()) !== JSON.stringify(classes))) {
    return source.problem(["agents", id], `the agent \`${id}\` is registered with another team or other classes`, "take it out here: lanyard.yaml says who it is", "key");
  }
  if (known !== null) return { id, team: known.team, classes: known.classes };
  if (own !== null) return { id, team: own.team, classes };
  return source.problem(path, `no agent \`${id}\` is registered`, hint(id, [...Object.keys(ground.registry.agents), ...Object.keys(file.agents ?? {})], "agents"));
};

const userOf = ({ source, file, ground }: Frame, { user: id }: Case, path: readonly PropertyKey[]): DecisionInput["user"] | PolicyProblem => {
  if (id === undefined) return source.problem(path, "the case has no user", "name it here, or for all cases of the file: `given: { user: ... }`");
  const [known, own] = [ownOf(ground.registry.users, id), ownOf(file.users ?? {}, id)];
  const groups = (own?.groups ?? []).toSorted();
  if (known !== null && own !== null && JSON.stringify(known.groups.toSorted()) !== JSON.stringify(groups)) {
    return source.problem(["users", id], `the user \`${id}\` is registered with other groups`, "take it out here: lanyard.yaml says who it is", "key");
  }
  if (known !== null) return { id, groups: known.groups };
  if (own !== null) return { id, groups };
  return source.problem(path, `no user \`${id}\` is registered`, hint(id, [...Object.keys(ground.registry.users), ...Object.keys(file.users ?? {})], "users"));
};

const ownOf = <T>(record: Readonly<Record<string, T>>, key: string): T | null => (Object.hasOwn(record, key) ? (record[key] ?? null) : null);

const hint = (name: string, known: readonly string[], key: string): string => {
  const near = nearest(name, known);
  return near === null ? `register it in lanyard.yaml, or describe it in this file under \`${key}:\`` : `did you mean \`${near}\`?`;
};
