import { createHash } from "node:crypto";
import type { Json } from "@lanyard/contract";
import type { DetailedError, ValidationError } from "@cedar-policy/cedar-wasm/nodejs";
import { cedar } from "./cedar.ts";
import type { Policy, Scope } from "../bundle.ts";
import { schemaOf, standingGroups, type ActionShape } from "../schema/schema.ts";
import type { RecordShape, Shape } from "../schema/shape.ts";
import type { Memory } from "./memory.ts";
import { nearest, type Flaw } from "./problem.ts";
import { entitiesIn, flawAt, flawOf, type Meaning } from "./reading.ts";

/** What strict validation found in one policy. */
export interface Validity {
  readonly errors: readonly Flaw[];
  readonly warnings: readonly Flaw[];
}

/** A policy to validate: its text, and what that says. */
export interface Parsed {
  readonly text: string;
  readonly meaning: Meaning;
}

/** The actions and types of resources that policies are validated against, indexed. */
export interface ActionWorld {
  readonly actions: readonly ActionShape[];
  readonly types: readonly string[];
  /** Names of actions and groups that there are. */
  readonly known: ReadonlySet<string>;
  /** The actions that an action's or a group's name stands for. */
  members(name: string): readonly ActionShape[];
  /** Distinguishes two worlds. */
  readonly mark: string;
}

export const openWorld = (actions: readonly ActionShape[], types: readonly string[]): ActionWorld => {
  const members = new Map<string, ActionShape[]>();
  for (const action of actions) {
    for (const name of [action.name, ...action.groups]) {
      const named = members.get(name);
      if (named === undefined) members.set(name, [action]);
      else named.push(action);
    }
  }
  const mark = createHash("sha256").update(JSON.stringify([actions, types])).digest("base64url");
  return { actions, types, known: new Set([...members.keys(), ...standingGroups]), members: (name) => members.get(name) ?? [], mark };
};

/** The actions that a head's part lets through, sorted by name. */
export const actionsFor = (scope: Scope, world: ActionWorld): readonly ActionShape[] => {
  if (scope.op === "All" || scope.op === "is") return world.actions;
  const named = "entities" in scope ? scope.entities : [scope.entity];
  const found = new Set(named.flatMap(({ type, id }) => (type === "Action" ? world.members(id) : [])));
  return world.actions.length === found.size ? world.actions : [...found].sort((left, right) => (left.name < right.name ? -1 : 1));
};

/** One action, and how many that are the same to a policy: what is found for it holds for them all. */
interface Delegate {
  readonly action: ActionShape;
  readonly count: number;
}

/** As much of the schema as matters to one policy. */
interface Part {
  readonly delegates: readonly Delegate[];
  /** Names that the policy's conditions mention, with the groups each is in. */
  readonly mentioned: readonly { readonly name: string; readonly groups: readonly string[] }[];
}

/**
 * The actions that a policy's head reaches, one for each kind. Two actions are of one kind when their resources are of one type, what the
 * policy reads of their arguments has the same types, and they stand in the same way to every action it mentions in its conditions: then it
 * is valid for both or for none.
 */
const partOf = ({ head, conditions, reads }: Policy | Meaning, world: ActionWorld): Part => {
  const named = entitiesIn(conditions as unknown as Json).filter(({ type }) => type === "Action");
  const names = [...new Set(named.map(({ id }) => id))].sort();
  const paths = reads.map(({ path }) => path);
  const kinds = new Map<string, { action: ActionShape; count: number }>();
  for (const action of actionsFor(head.action, world)) {
    const relations = names.map((name) => (action.name === name ? "=" : action.groups.includes(name) ? "<" : " "));
    const key = [action.resourceType, relations.join(""), ...paths.map((path) => typeAt(action.input, path))].join("\n");
    const kind = kinds.get(key);
    if (kind === undefined) kinds.set(key, { action, count: 1 });
    else kind.count += 1;
  }
  const mentioned = names.map((name) => ({ name, groups: world.members(name).find((action) => action.name === name)?.groups ?? [] }));
  return { delegates: [...kinds.values()], mentioned };
};

const types = new WeakMap<RecordShape, Map<string, string>>();

/** What the validator can learn of the argument at the end of a path. */
const typeAt = (input: RecordShape, path: readonly string[]): string => {
  const known = types.get(input) ?? new Map<string, string>();
  types.set(input, known);
  const key = JSON.stringify(path);
  const text = known.get(key) ?? JSON.stringify(walk(input, path));
  known.set(key, text);
  return text;
};

const walk = (shape: Shape, [step, ...below]: readonly string[]): Json => {
  if (step === undefined) return shape as unknown as Json;
  if (shape.kind === "record") {
    const field = shape.fields.find(({ name }) => name === step);
    return field === undefined ? "none" : [field.required, walk(field.shape, below)];
  }
  const part = shape.kind === "tagged" ? shape.of.find(({ kind }) => kind === step) : undefined;
  return part === undefined ? shape.kind : ["tagged", walk(part, below)];
};

const batch = { policies: 32, delegates: 64 } as const;

/**
 * Strict validation, each policy against as much of the schema as it can reach: the same findings as against the whole, in a small part of
 * the time (a test holds the two against each other). What was found before of the same text and the same part comes from `memory`.
 * Throws what cedar throws when it breaks.
 */
export const validateAll = (policies: readonly Parsed[], world: ActionWorld, memory: Memory<Validity>, progress: (done: number) => void): Validity[] => {
  const verdicts: (Validity | undefined)[] = [];
  const open: { readonly at: number; readonly part: Part; readonly keys: readonly string[] }[] = [];
  policies.forEach(({ text, meaning }, at) => {
    const quick = `${world.mark}\0${text}`;
    verdicts[at] = memory.get(quick);
    if (verdicts[at] !== undefined) return;
    const part = partOf(meaning, world);
    const exact = `${markOf(part, world)}\0${text}`;
    verdicts[at] = memory.get(exact);
    if (verdicts[at] === undefined) open.push({ at, part, keys: [quick, exact] });
    else memory.set(quick, verdicts[at]);
  });
  progress(policies.length - open.length);
  open.sort((left, right) => order(firstName(left.part), firstName(right.part)) || left.at - right.at);
  for (let from = 0, to = 0; from < open.length; from = to) {
    const names = new Set<string>();
    for (; to < open.length && to - from < batch.policies && (to === from || names.size + (open[to]?.part.delegates.length ?? 0) <= batch.delegates); to += 1) {
      for (const { action } of open[to]?.part.delegates ?? []) names.add(action.name);
    }
    const group = open.slice(from, to);
    const found = validateGroup(group.map(({ at, part }) => ({ policy: policies[at] as Parsed, part })), world);
    group.forEach(({ at, keys }, index) => {
      verdicts[at] = found[index];
      for (const key of keys) memory.set(key, found[index] as Validity);
    });
    progress(policies.length - open.length + to);
  }
  return verdicts as Validity[];
};

const order = (left: string, right: string): number => (left < right ? -1 : Number(left > right));
const firstName = ({ delegates }: Part): string => delegates[0]?.action.name ?? "";

const prints = new WeakMap<ActionShape, string>();
const markOf = ({ delegates, mentioned }: Part, { types: declared, known }: ActionWorld): string => {
  const print = (action: ActionShape): string => {
    const text = prints.get(action) ?? createHash("sha256").update(JSON.stringify(action)).digest("base64url");
    prints.set(action, text);
    return text;
  };
  const parts = [delegates.map(({ action, count }) => [print(action), count]), mentioned.map(({ name, groups }) => [name, groups, known.has(name)]), declared];
  return createHash("sha256").update(JSON.stringify(parts)).digest("base64url");
};

interface Case {
  readonly policy: Parsed;
  readonly part: Part;
}

const validateGroup = (group: readonly Case[], world: ActionWorld): Validity[] => {
  const actions = new Map(group.flatMap(({ part }) => part.delegates.map(({ action }) => [action.name, action])));
  const unknown = group.flatMap(({ policy }) => policy.meaning.actions).filter((name) => !actions.has(name));
  const mentioned = group.flatMap(({ part }) => part.mentioned).filter(({ name }) => !actions.has(name));
  const leaves = group.flatMap(({ policy }) => policy.meaning.hoisted.leaves);
  const schema = schemaOf([...actions.values()], { types: world.types, unknown, mentioned, leaves });
  const staticPolicies = Object.fromEntries(group.map(({ policy }, index) => [`${index}`, policy.meaning.hoisted.text]));
  const answer = cedar().validate({ validationSettings: { mode: "strict" }, schema: schema as never, policies: { staticPolicies } });
  if (answer.type === "failure") {
    const errors = answer.errors.map(({ message, help }) => ({ at: 0, length: 1, message, help: help ?? "" }));
    return group.map(() => ({ errors, warnings: [] }));
  }
  const { validationErrors, validationWarnings } = answer;
  const of = (found: readonly ValidationError[], index: number): DetailedError[] => found.filter(({ policyId }) => policyId === `${index}`).map(({ error }) => error);
  return group.map((one, index) => verdictOf(one, of(validationErrors, index), of(validationWarnings, index), world));
};

const verdictOf = ({ policy: { text, meaning }, part }: Case, errors: readonly DetailedError[], warnings: readonly DetailedError[], world: ActionWorld): Validity => {
  const unknown = unknownActions(text, meaning, world);
  // A policy that names an unknown action or is in error matches nothing either; that is said already, with a better place.
  const isSaid = errors.length > 0 || unknown.length > 0 || awaitsTools(meaning, world);
  return { errors: folded(meaning, errors, part), warnings: [...unknown, ...(isSaid ? [] : plainly(meaning.keyword, folded(meaning, warnings, part)))] };
};

/** A head on a standing group that has no action yet, such as `money`: the rule is there before the first tool is, as it should be. */
const awaitsTools = ({ head, actions }: Meaning, world: ActionWorld): boolean => actions.length > 0 && actionsFor(head.action, world).length === 0 && actions.every((name) => standingGroups.includes(name));

const impossible = "policy is impossible: the policy expression evaluates to false for all valid requests";
const inapplicable = "unable to find an applicable action given the policy scope constraints";

/** What cedar says of policies that never match, once and in our words, at the word that begins their head. */
const plainly = (keyword: number, found: readonly Flaw[]): Flaw[] => {
  const place = { at: keyword, length: "permit".length };
  const rest = found.filter(({ message }) => message !== impossible && message !== inapplicable);
  if (found.some(({ message }) => message === inapplicable)) return [...rest, { ...place, message: "the policy can never match: no action goes with this principal and this resource", help: "" }];
  if (found.some(({ message }) => message === impossible)) return [...rest, { ...place, message: "the policy can never match: its conditions are false for every call that its head lets through", help: "" }];
  return rest;
};

/** Actions no catalog knows are no error: policies may be written before their server is there. But they match nothing until then. */
const unknownActions = (text: string, { actions }: Meaning, { known }: ActionWorld): Flaw[] =>
  actions.filter((name) => !known.has(name)).map((name) => {
    const near = nearest(name, known);
    const help = near === null ? "the policy matches no call until a server has it and its definition is approved" : `did you mean \`${near}\`?`;
    return flawAt(text, { message: `no catalog knows the action \`${name}\``, help, find: JSON.stringify(name) });
  });

const actionName = /Action::("(?:[^"\\]|\\.)*")/g;

/** Cedar reports a fault once for every action that the policy applies to, in any order: one of each kind and place is enough. */
const folded = ({ hoisted }: Meaning, found: readonly DetailedError[], { delegates }: Part): Flaw[] => {
  const groups = new Map<string, { error: DetailedError; times: number }>();
  for (const error of found.toSorted((left, right) => order(left.message, right.message))) {
    const names = new Set([...error.message.matchAll(actionName)].map(([, name]) => name));
    // Actions that are in the schema for another policy's sake are of a kind that is counted already.
    const times = names.size === 0 ? 1 : delegates.filter(({ action }) => names.has(JSON.stringify(action.name))).reduce((sum, { count }) => sum + count, 0);
    const key = JSON.stringify([error.sourceLocations, error.message.replace(actionName, "")]);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { error, times });
    else group.times += times;
  }
  return [...groups.values()].map(({ error, times }) => {
    const flaw = flawOf(hoisted, error, /^for policy `[^`]*`, /);
    return times <= 1 ? flaw : { ...flaw, message: `${flaw.message} (and for ${times - 1} more actions)` };
  });
};
