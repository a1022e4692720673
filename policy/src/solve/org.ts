import type { Registry } from "@lanyard/contract";
import { decodeBundle, encodeBundle, type Bundle } from "../bundle.ts";
import { standingGroups, type ActionShape } from "../schema/schema.ts";
import { orgTier } from "../tier.ts";
import { unforeseeable } from "./beyond.ts";
import { entitiesOf } from "./cell.ts";
import { compareBundles, type ChangeExample, type SolvedChange } from "./compare.ts";
import { mergeDoubts, type Doubt } from "./doubt.ts";
import type { Z3 } from "./z3.ts";

/** Whether the organisation's own policies of one bundle are looser than those of another, over all calls of the model. */
export interface OrgComparison {
  /** True as soon as one call is certainly decided more loosely, or nothing certain can be said. */
  readonly loosens: boolean;
  /** A sentence for each reason. */
  readonly why: readonly string[];
  readonly examples: readonly ChangeExample[];
  readonly cannotSay: readonly Doubt[];
}

/** Two bundles, and the actions that they are compared over. */
interface Look {
  readonly before: Bundle;
  readonly after: Bundle;
  readonly among: (action: ActionShape) => boolean;
}

const looseness = { deny: 0, ask: 1, allow: 2 } as const;

const isLooser = ({ from, to }: SolvedChange): boolean => looseness[to] > looseness[from];

/**
 * Compares the org tiers twice: as they are (what the organisation permits), and with everything permitted beside them (what it forbids or
 * asks for whatever a team permits). Agents that nobody registered and tools that nobody knows yet count: a rule about them is a rule.
 */
export const compareOrg = (z3: Z3, beforeBytes: Uint8Array, afterBytes: Uint8Array, registry: Registry, progress: (done: number, total: number) => void = () => {}): OrgComparison => {
  const bundles = [decodeBundle(beforeBytes), decodeBundle(afterBytes)] as const;
  const [before, after] = foreseeing(...bundles);
  const [blindBefore, blindAfter] = [unforeseeable(before), unforeseeable(after)];
  const looks: readonly Look[] = [
    { before, after, among: () => true },
    // What a policy asks of a tool's arguments or resources says nothing of a tool that has not come yet: there it may hold or not.
    ...(blindBefore === null && blindAfter === null ? [] : [{ before: blindBefore ?? before, after: blindAfter ?? after, among: isForeseen }]),
  ];
  const found = looks.flatMap(({ before, after, among }) =>
    [false, true].map((everythingPermitted) => {
      const [old, young] = [before, after].map((bundle) => encodeBundle(orgTier(bundle, { everythingPermitted })).bytes) as [Uint8Array, Uint8Array];
      return { isPermit: !everythingPermitted, ...compareBundles(z3, old, young, registry, { strangers: true, among, progress }) };
    }),
  );
  const looser = found.map(({ isPermit, changes }) => ({ isPermit, changes: changes.filter(isLooser) }));
  const doubts = mergeDoubts(found.flatMap(({ cannotSay }) => cannotSay));
  const sentences = looser.flatMap(({ isPermit, changes }) => changes.map((change) => sentence(change, isPermit)));
  const doubted = doubts.map(({ why, policies, actions }) => `cannot say${actions.length > 0 ? ` for ${list(actions)}` : ""}${policies.length > 0 ? ` (${list(policies)})` : ""}: ${why}`);
  return {
    loosens: sentences.length + doubted.length > 0,
    why: [...new Set([...sentences, ...doubted])],
    examples: looser.flatMap(({ changes }) => changes.map(({ example }) => example)),
    cannotSay: doubts,
  };
};

const list = (names: readonly string[]): string => (names.length > 3 ? `${names.slice(0, 3).join(", ")} and ${names.length - 3} more` : names.join(", "));

/** Tools that are there before those that may come. */
const inOrder = (actions: readonly string[]): string[] => actions.toSorted((left, right) => Number(left.includes("/(")) - Number(right.includes("/(")));

const sentence = ({ from, to, actions, policies }: SolvedChange, isPermit: boolean): string =>
  isPermit
    ? `the organisation ${to === "allow" ? "allows" : "lets people approve"} calls of ${list(inOrder(actions))} that it ${from === "deny" ? "denied" : "asked people about"} (${list(policies)})`
    : `the organisation no longer ${from === "deny" ? "forbids" : "asks people about"} calls of ${list(inOrder(actions))} that a team may permit${to === "ask" ? " without an approval" : ""} (${list(policies)})`;

/** The bundles with tools that may come one day: those that policies already name, and at each server one of every kind of effect. */
const foreseeing = (before: Bundle, after: Bundle): [Bundle, Bundle] => {
  const known = new Set([...before.actions, ...after.actions].map(({ name }) => name));
  // A server, or an effect, that no policy names is like any other.
  const said = JSON.stringify([...before.policies, ...after.policies].map(({ head, conditions }) => [head, conditions]));
  const isNamed = (name: string): boolean => said.includes(JSON.stringify(name));
  const atServers = [...new Set([...before.actions, ...after.actions].map(({ server }) => server))].filter((server) => isNamed(server) || isNamed(`server:${server}`));
  // A server that policies name and nobody has registered yet is one of those that may come.
  const spoken = entitiesOf([...before.policies, ...after.policies]);
  const absent = spoken.flatMap(({ type, id }) => (type === "Server" ? [id] : type === "Action" && id.startsWith("server:") ? [id.slice("server:".length)] : [])).filter((server) => /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(server));
  const servers = [...new Set([...atServers, ...absent, "unknown-server"])].sort();
  const combined = combinations.filter((kinds) => kinds.length === 0 || kinds.some(isNamed));
  const named = [...before.policies, ...after.policies].flatMap(({ head: { action } }) => ("entity" in action ? [action.entity] : "entities" in action ? action.entities : []));
  const groups = new Set([...before.actions, ...after.actions].flatMap((action) => action.groups).concat(standingGroups));
  const tools = [...new Set(named.map(({ id }) => id))].sort().filter((id) => !known.has(id) && !groups.has(id));
  const foreseen = [
    ...tools.map((name) => foreseenTool(name, name.split("/")[0] ?? name, [])),
    ...servers.flatMap((server) => combined.map((kinds) => foreseenTool(`${server}/(a new ${kinds[0] === undefined ? "" : `${kinds[0]} `}tool)`, server, kinds))),
  ];
  const extend = (bundle: Bundle): Bundle => ({ ...bundle, actions: [...bundle.actions, ...foreseen].sort((left, right) => (left.name < right.name ? -1 : 1)) });
  return [extend(before), extend(after)];
};

const combinations: readonly (readonly string[])[] = [[], ...standingGroups.filter((group) => group !== "mcp").map((group) => (group === "destructive" || group === "money" || group === "access" ? [group, "write"] : [group]))];

/** A tool of which nothing is known but its place and its effects: policy sees none of its arguments. */
const foreseenTool = (name: string, server: string, kinds: readonly string[]): ActionShape => ({
  name,
  server,
  groups: [...kinds, `server:${server}`].sort(),
  resourceType: "Server",
  input: { kind: "record", fields: [] },
  definition: "",
  contract: null,
});

const isForeseen = ({ definition }: ActionShape): boolean => definition === "";
