import type { ArgumentFacts, Json, JsonObject } from "@lanyard/contract";
import { remembered } from "../remembered.ts";

// Whoever names one thing has not asked for another of its kind.

/** An id as systems give them, its kind before the last hyphen: `INV-2291`, `FN-O-9912`. */
const id = /(?<![\w-])([a-z][a-z0-9]{0,7}(?:-[a-z0-9]{1,8}){0,2})-(\d{1,12})(?![\w-]|[.,]\d)/gi;
const mostIds = 64;

/** By kind, the ids of it that a task names. */
const idsOf = remembered({ most: 64, longest: 20_000 }, (task): ReadonlyMap<string, ReadonlySet<string>> => {
  const kinds = new Map<string, Set<string>>();
  for (const [whole, kind = ""] of [...task.slice(0, 20_000).matchAll(id)].slice(0, mostIds)) kinds.set(kind.toLowerCase(), (kinds.get(kind.toLowerCase()) ?? new Set()).add(whole.toLowerCase()));
  return kinds;
});

const whole = new RegExp(`^\\s*${id.source}\\s*$`, "i");
const naming: ReadonlySet<ArgumentFacts["role"]> = new Set(["target", "recipient", "other"]);

/** Whether a call is about a thing of a kind of which the task names others, and not this one. Words of texts do not count. */
export function namesAnother(task: string, args: JsonObject, facts: Readonly<Record<string, Pick<ArgumentFacts, "role">>>): boolean {
  const kinds = idsOf(task);
  if (kinds.size === 0) return false;
  const isAnother = (value: Json | undefined): boolean => {
    if (Array.isArray(value)) return value.slice(0, mostIds).some(isAnother);
    const kind = typeof value === "string" ? whole.exec(value)?.[1] : undefined;
    const named = kind === undefined ? undefined : kinds.get(kind.toLowerCase());
    return named !== undefined && !named.has(String(value).trim().toLowerCase());
  };
  return Object.keys(args).some((name) => naming.has(facts[name]?.role ?? "other") && isAnother(args[name]));
}
