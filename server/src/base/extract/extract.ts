import { isObject, type ArgumentFacts, type ArgumentRole, type CallEffect, type Json, type JsonObject } from "@lanyard/contract";
import type { DeclaredArguments, ToolShape } from "./declared.ts";
import { effectsOfAnnotations, effectsOfFacts, effectsOfName, sortedEffects } from "./effects.ts";
import { roleOfName, weightiest } from "./roles.ts";
import { unfold } from "./unfold.ts";

/** A call, as far as it says what its arguments mean. */
export interface ExtractedCall {
  /** Name of the tool at its server; a method of MCP where the call is of no tool. */
  readonly tool: string;
  readonly args: JsonObject;
  /** What the contract says of the arguments; empty where it says nothing. */
  readonly declared: DeclaredArguments;
  /** What the contract says that the tool does; null where there is no contract. */
  readonly effects: readonly CallEffect[] | null;
  /** Null where the call is of no tool. */
  readonly shape: ToolShape | null;
}

export interface Extracted {
  /** By top-level argument; labels and origins still empty. */
  readonly facts: Readonly<Record<string, ArgumentFacts>>;
  /** Sorted. */
  readonly effects: readonly CallEffect[];
}

/** What the arguments of a call mean and what it does: synchronous, without I/O, linear in the arguments. */
export function extract({ tool, args, declared, effects, shape }: ExtractedCall): Extracted {
  const facts = Object.fromEntries(Object.entries(args).map(([name, value]) => [name, factsOf(name, value, declared)]));
  const told = effects ?? [...effectsOfName(tool), ...effectsOfAnnotations(shape?.annotations)];
  return { facts, effects: sortedEffects([...told, ...effectsOfFacts(Object.values(facts), told)]) };
}

function factsOf(name: string, value: Json, declared: DeclaredArguments): ArgumentFacts {
  const encodings = textsIn(value).flatMap((text) => unfold(text).flatMap((view) => view.encodings));
  return { role: declared.get(name)?.role ?? roleOf(name, value), ...(encodings.length > 0 && { encodings: [...new Set(encodings)].sort() }), labels: [], origins: [] };
}

const textsIn = (value: Json): readonly string[] => (typeof value === "string" ? [value] : Array.isArray(value) ? value.flatMap(textsIn) : isObject(value) ? Object.values(value).flatMap(textsIn) : []);

/** Of an argument with others in it, the weightiest of theirs. */
const roleOf = (name: string, value: Json, depth = 0): ArgumentRole => {
  const own = roleOfName(name);
  if (depth >= 8 || value === null || typeof value !== "object") return own;
  if (Array.isArray(value)) return weightiest([own, ...value.slice(0, 64).filter(isObject).map((item) => roleOf(name, item, depth + 1))]);
  return weightiest([own, ...Object.entries(value).slice(0, 64).map(([key, item]) => roleOf(key, item, depth + 1))]);
};
