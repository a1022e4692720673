import { isObject, type Json } from "@lanyard/contract";
import type { DetailedError } from "@cedar-policy/cedar-wasm/nodejs";
import { cedar } from "./cedar.ts";
import type { EntityRef, Policy, Scope } from "../bundle.ts";
import { readsOf, type ArgumentRead } from "../decide/reads.ts";
import { hoistTemporal, type Hoisted } from "../temporal/hoist.ts";
import { currentOf } from "../temporal/leaf.ts";
import { tooHeavy } from "./burden.ts";
import { readAnnotations, type Annotations, type Objection } from "./lint.ts";
import { problemAt, type Flaw, type PolicyProblem } from "./problem.ts";
import { offsetOfBytes, type Chunk } from "./split.ts";

/** What a policy says. */
export interface Meaning extends Annotations, Pick<Policy, "effect" | "head" | "conditions" | "reads"> {
  /** Offset in its text of its `permit` or `forbid`. */
  readonly keyword: number;
  /** Every action it names in its head and in its conditions, each once. */
  readonly actions: readonly string[];
  /** Every other entity it names. */
  readonly entities: readonly EntityRef[];
  /** Its text as Cedar reads it, with its questions to history. */
  readonly hoisted: Hoisted;
}

/** What one policy's text says, whatever file it is in: kept from one compilation to the next. */
export interface Reading {
  /** Null when it could not be parsed. */
  readonly meaning: Meaning | null;
  readonly flaws: readonly Flaw[];
}

/** Parses one policy and reads its annotations. Pure. Throws what the parser throws when it breaks: it is of no use afterwards. */
export const readPolicy = ({ text, keyword }: Chunk): Reading => {
  const hoisted = hoistTemporal(text);
  if (hoisted.flaws.length > 0) return { meaning: null, flaws: hoisted.flaws };
  const heavy = tooHeavy(hoisted.text);
  if (heavy !== null) return { meaning: null, flaws: [{ ...heavy, at: hoisted.place(heavy.at) }] };
  const answer = cedar().policyToJson(hoisted.text);
  if (answer.type === "failure") return { meaning: null, flaws: answer.errors.map((error) => flawOf(hoisted, error, /^failed to parse policy from string: /)) };
  const { json } = answer;
  if (keyword < 0 || !text.startsWith(json.effect, keyword)) {
    return { meaning: null, flaws: [{ at: 0, length: 1, message: "cannot find the word `permit` or `forbid` of this policy", help: "" }] };
  }
  const { annotations, objections } = readAnnotations(json);
  const conditions = json.conditions as unknown as Policy["conditions"];
  const head = { principal: json.principal as Scope, action: json.action as Scope, resource: json.resource as Scope };
  const named = entitiesIn([head, conditions] as unknown as Json);
  const actions = [...new Set([...named.filter(({ type }) => type === "Action").map(({ id }) => id), ...hoisted.leaves.flatMap(({ queries, left }) => [...queries, ...(left ? [left.query] : [])].flatMap((query) => [...query.actions, ...query.not.flatMap((match) => match.actions)]))])];
  const asked = hoisted.leaves.flatMap(currentOf).flatMap(([first, ...path]): ArgumentRead[] => (first === "input" ? [{ path, value: true }] : []));
  const meaning: Meaning = { ...annotations, keyword, effect: json.effect, head, conditions, reads: [...readsOf(json), ...asked], hoisted, actions, entities: named.filter(({ type }) => type !== "Action") };
  return { meaning, flaws: objections.map((objection) => flawAt(text, objection)) };
};

/** Every entity that is named anywhere in a part of a policy. */
export const entitiesIn = (part: Json): EntityRef[] => {
  const found: EntityRef[] = [];
  const open: Json[] = [part];
  for (let value = open.pop(); value !== undefined; value = open.pop()) {
    if (Array.isArray(value)) open.push(...value.toReversed());
    if (!isObject(value)) continue;
    const { type, id } = value;
    if (typeof type === "string" && typeof id === "string") found.push({ type, id });
    else open.push(...Object.values(value).toReversed());
  }
  return found;
};

export const flawAt = (text: string, { message, help, find }: Objection): Flaw => {
  const at = find === "" ? -1 : text.indexOf(find);
  return { at: Math.max(at, 0), length: at < 0 ? 1 : find.length, message, help };
};

/** An error of cedar's, whose places are in bytes of what it read. `prefix` is what it says before it comes to the point. */
export const flawOf = ({ text, place }: Pick<Hoisted, "text" | "place">, error: DetailedError, prefix: RegExp): Flaw => {
  const location = error.sourceLocations?.[0];
  const at = place(offsetOfBytes(text, location?.start ?? 0));
  const end = Math.max(at, place(offsetOfBytes(text, location?.end ?? location?.start ?? 0)));
  const expected = location && "label" in location && location.label ? `: ${location.label}` : "";
  return { at, length: end - at, message: error.message.replace(prefix, "") + expected, help: (error.help ?? "").replace(prefix, "") };
};

/** A flaw of the policy in this chunk, with its place in the file. */
export const problemIn = ({ file, offset }: Chunk, { at, length, message, help }: Flaw): PolicyProblem => problemAt(file, offset + at, length, message, help);
