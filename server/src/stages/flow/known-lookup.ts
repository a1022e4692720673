import type { ArgumentFacts, Json, JsonObject } from "@lanyard/contract";
import { date } from "./named-source.ts";

const longest = 128;
/** An id, a number or an address: no word, which many have, and no day. */
const isOne = (value: Json | undefined): boolean => typeof value === "string" ? value.length <= longest && /[\d@]/.test(value) && !date.test(value) && /^\S+$/.test(value.trim()) : typeof value === "number" && Math.abs(value) >= 100;

/**
 * Whether a call looks something up by an id that the task or a trusted record gave, and by nothing that a stranger or the model said: what it finds, nobody
 * has steered it to, so that the record vouches for what it has, whoever told that before.
 */
export function isKnownLookup(args: JsonObject, facts: Readonly<Record<string, Pick<ArgumentFacts, "origins">>>): boolean {
  const all = Object.values(facts);
  if (all.some(({ origins }) => origins.some((one) => one === "untrusted" || one === "model"))) return false;
  return Object.keys(args).some((name) => isOne(args[name]) && facts[name]?.origins.some((one) => one === "task" || one === "trusted"));
}
