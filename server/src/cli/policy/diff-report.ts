import type { Decision, Effect } from "@lanyard/contract";
import type { Comparison, SolvedChange } from "@lanyard/policy";
import type { TrafficChange, TrafficComparison } from "../../mediation/traffic.ts";
import { brief, printable, table, time, type Colour } from "../terminal.ts";

const kinds = ["newly denied", "newly asked", "asked of others", "changed otherwise", "newly allowed"] as const;

/** What becomes of calls: `3 calls ... would now be denied`. */
const becomes: Readonly<Record<TrafficChange["change"], string>> = {
  "newly denied": "would now be denied",
  "newly asked": "would now wait for a person",
  "asked of others": "would now wait for other people",
  "changed otherwise": "would now be carried out with other arguments",
  "newly allowed": "would now be allowed",
};

const past: Readonly<Record<Effect, string>> = { allow: "allowed", ask: "asked", deny: "denied" };

const callsOf = (count: number): string => (count === 1 ? "1 call" : `${count} calls`);

/** `of the last 7 d`, or `since 2026-11-01`. */
const periodOf = (since: string): string => {
  const [, count, unit] = /^(\d+)([smhd])$/.exec(since) ?? [];
  return count ? `of the last ${count} ${unit}` : `since ${since}`;
};

/** How one side decides, by what, and with which changes of the arguments. */
const told = (effect: Effect, policies: readonly string[], approvers: readonly string[], transforms: readonly string[]): string => {
  const by = policies.length > 0 ? ` by ${policies.join(", ")}` : effect === "deny" ? ", as nothing permits it" : "";
  return `${past[effect]}${effect === "ask" ? ` of ${approvers.join(", ")}` : ""}${by}${transforms.length > 0 ? `, with ${transforms.join(", ")}` : ""}`;
};

/** What a change of policies does to recorded calls, as a person reads it. */
export function trafficLines({ calls, unchanged, changes, unlisted, not_replayable, adapted }: TrafficComparison, since: string, colour: Colour): string[] {
  const lines = kinds.flatMap((kind) => groupLines(changes.filter(({ change }) => change === kind), kind, since, colour));
  if (unlisted > 0) lines.push(`and ${callsOf(unlisted)} more would be decided otherwise, too different from each other to list`);
  lines.push(changes.length === 0 ? `all ${callsOf(calls)} ${periodOf(since)} would be decided as before` : `${unchanged} of ${callsOf(calls)} would be decided as before`);
  if (adapted > 0) lines.push(`${callsOf(adapted)} of these went to a tool whose definition or contract has changed since, and ${adapted === 1 ? "is" : "are"} judged by today's`);
  for (const { why, calls: count, first, last } of not_replayable) lines.push(`${callsOf(count)} cannot be compared: ${printable(why)} (${first === last ? `entry ${first}` : `entries ${first} to ${last}`})`);
  return lines;
}

function groupLines(changes: readonly TrafficChange[], kind: TrafficChange["change"], since: string, colour: Colour): string[] {
  if (changes.length === 0) return [];
  const total = changes.reduce((sum, { calls }) => sum + calls, 0);
  const rows = changes.map(({ agent, action, calls, from, to, before, after, approvers, transforms }) => [
    agent, action, String(calls), told(from, before, approvers.before, transforms.before), told(to, after, approvers.after, transforms.after),
  ]);
  const [header = "", ...body] = table(["agent", "tool", "calls", "before", "after"], rows, colour);
  const examples = (at: number): string[] => (changes[at]?.examples ?? []).map(({ seq, at_ms, args }) => colour.dim(`  e.g. entry ${seq}  ${time(at_ms)}  ${printable(args)}`));
  return [colour.bold(`${callsOf(total)} ${periodOf(since)} ${becomes[kind]}:`), header, ...body.flatMap((row, at) => [row, ...examples(at)])];
}

/** What a change of policies does over all possible calls. */
export function solverLines({ changes, proved, cannotSay }: Comparison, colour: Colour): string[] {
  if (changes.length === 0 && proved) return ["over all possible calls: no difference (proved in the model)"];
  return [
    ...(changes.length > 0 ? [colour.bold(`over all possible calls, ${changes.length === 1 ? "1 difference" : `${changes.length} differences`}, each confirmed by an example:`)] : []),
    ...changes.flatMap(solvedLines),
    ...(proved ? ["whatever is not named here is decided as before (proved in the model)"] : []),
    ...cannotSay.map(({ why, policies, actions }) => `cannot say: ${printable(why)}${someOf("policies", policies)}${someOf("tools", actions)}`),
  ];
}

const shownNames = 5;

const someOf = (what: string, names: readonly string[]): string =>
  names.length === 0 ? "" : `; ${what} ${names.slice(0, shownNames).map(printable).join(", ")}${names.length > shownNames ? ` and ${names.length - shownNames} more` : ""}`;

const solvedTo = ({ effect, reasons, errors, approvers, transforms = [] }: Decision): string =>
  errors.length > 0 ? `denied, as ${errors.map(({ policy }) => policy).join(", ")} cannot be evaluated` : told(effect, reasons.map(({ policy }) => policy), approvers, transforms);

function solvedLines({ change, from, agents, actions, policies, example: { input, after } }: SolvedChange): string[] {
  const others = { groups: input.user.groups, labels: input.session.labels, ...(input.resources && { resources: input.resources.map(({ type, id }) => `${type} ${id}`) }) };
  const facts = Object.entries(others).filter(([, values]) => values.length > 0).map(([name, values]) => `, ${name} ${brief([...values])}`);
  return [
    `  ${change} (${past[from]} before)${someOf("agents", agents)}${someOf("tools", actions)}${someOf("policies", policies)}`,
    `    e.g. ${printable(input.agent.id)} for ${printable(input.user.id)}: ${printable(input.action)} ${brief(input.args)}${facts.join("")}; ${solvedTo(after)}`,
  ];
}
