import type { Json } from "@lanyard/contract";
import type { Policy, Scope } from "../bundle.ts";
import { editsOf } from "./expression-edits.ts";

/** A policy with one small mistake in it. */
export interface Mutant {
  readonly original: Policy;
  /** Null: the policy is taken away. */
  readonly policy: Policy | null;
  /** The mistake in words. */
  readonly edit: string;
  /** Line of the file it is in. */
  readonly line: number;
  /** True when it may speak about calls that the original does not speak about. */
  readonly widens: boolean;
}

/** Mistakes tried in one policy; a policy with more is its own problem. */
const mutantsOfPolicy = 96;

/** Policies that differ from this one by one small mistake, such as an author makes or a reviewer overlooks. */
export const mutantsOf = (policy: Policy): Mutant[] => {
  const found: Mutant[] = [];
  for (const mutant of all(policy)) {
    if (found.length >= mutantsOfPolicy) break;
    found.push(mutant);
  }
  return found;
};

function* all(original: Policy): Generator<Mutant> {
  const { line } = original;
  const mutant = (policy: Policy | null, edit: string, at = line, widens = false): Mutant => ({ original, policy, edit, line: at, widens });
  yield mutant(null, "the policy is taken away");
  if (original.effect === "permit") yield mutant({ ...original, effect: "forbid" }, "`permit` becomes `forbid`");
  else yield mutant({ ...original, effect: "permit", remedy: "", approvers: [] }, "`forbid` becomes `permit`");
  yield* remedyMutants(original, mutant);
  yield* headMutants(original, mutant);
  yield* clauseMutants(original, mutant);
}

type Make = (policy: Policy | null, edit: string, at?: number, widens?: boolean) => Mutant;

function* remedyMutants(original: Policy, mutant: Make): Generator<Mutant> {
  if (original.remedy === "") return;
  yield mutant({ ...original, remedy: "", approvers: [] }, "`@remedy` is taken out");
  for (const group of original.approvers) yield mutant({ ...original, approvers: original.approvers.map((one) => (one === group ? `${group}~` : one)) }, `\`@remedy\` names another group than \`${group}\``);
}

function* headMutants(original: Policy, mutant: Make): Generator<Mutant> {
  const { head } = original;
  const keyword = lineOf(original, original.keyword);
  const anyone: Scope = { op: "All" };
  for (const part of ["principal", "action", "resource"] as const) {
    if (head[part].op === "All") continue;
    yield mutant({ ...original, head: { ...head, [part]: anyone } }, `the head speaks of any ${part}`, keyword, true);
  }
  const { action } = head;
  if (!("entities" in action) || action.entities.length < 2) return;
  for (const { id } of action.entities.slice(0, 16)) {
    yield mutant({ ...original, head: { ...head, action: { op: "in", entities: action.entities.filter((entity) => entity.id !== id) } } }, `the head leaves out \`${id}\``, keyword);
  }
}

function* clauseMutants(original: Policy, mutant: Make): Generator<Mutant> {
  const { conditions } = original;
  const lines = clauseLines(original);
  for (const [index, { kind, body }] of conditions.entries()) {
    const line = lines[index] ?? original.line;
    const without = conditions.filter((_, at) => at !== index);
    const other = kind === "when" ? "unless" : "when";
    const edited = (changed: Policy["conditions"]): Policy => ({ ...original, conditions: changed, unconditional: changed.length === 0 });
    yield mutant(edited(without), `the clause \`${kind}\` is taken out`, line);
    yield mutant(edited(conditions.with(index, { kind: other, body })), `\`${kind}\` becomes \`${other}\``, line);
    if (original.remedy !== "" && kind === "unless" && /"attr":"(?:approvals|remedies)"/.test(JSON.stringify(body))) continue; // what lifts it: `@remedy` stands for that
    for (const edit of editsOf(body as Json)) yield mutant(edited(conditions.with(index, { kind, body: edit.body })), edit.words, line);
  }
}

// Cedar's tokens as far as they matter here: what may hide a word, and words.
const token = /\/\/[^\n]*|"(?:[^"\\]|\\[\s\S])*"|[A-Za-z_]\w*|[\s\S]/gu;

/** The lines on which the clauses of a policy begin, in order. */
const clauseLines = (policy: Policy): number[] =>
  [...policy.text.matchAll(token)].filter(({ 0: word, index }) => index > policy.keyword && (word === "when" || word === "unless")).map(({ index }) => lineOf(policy, index));

const lineOf = ({ line, text }: Policy, offset: number): number => line + text.slice(0, Math.max(0, offset)).split("\n").length - 1;
