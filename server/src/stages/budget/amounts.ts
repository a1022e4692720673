import { isObject, parseJson, type Action, type DecisionInput, type Json, type JsonObject } from "@lanyard/contract";
import type { Budget } from "../../base/config/budgets.ts";
import type { Answer } from "../../base/exchange.ts";
import { isModelHost, tokensBy } from "../../base/usage.ts";

// How much a call takes of a budget: before it is made, and as its answer tells.

/**
 * What a call takes of a budget; null when that cannot be said, and then there is no room for it. `held`: currencies that some budget counts which
 * this call is for: money in them is that one's concern.
 */
export function asked({ of, currency }: Budget, action: Action, input: DecisionInput, held: ReadonlySet<string>): number | null {
  if (of === "money") return moneyIn(input, currency, held);
  if (of === "bytes_out") return bytesIn(action);
  return 1;
}

/** In the smallest unit. A call that only reads moves none. */
function moneyIn({ facts = {}, effects = [] }: DecisionInput, currency: string | null, held: ReadonlySet<string>): number | null {
  const all = Object.values(facts).filter(({ money }) => money !== undefined);
  const named = all.filter(({ role }) => role === "amount");
  const counted = named.length > 0 ? named : all;
  let sum = 0;
  for (const { money } of counted) {
    const [only = "", ...more] = money?.currencies ?? [];
    const isKnown = money?.class === "plain" && Number.isSafeInteger(money.minor) && money.minor >= 0; // Less than nothing would make room.
    if (!isKnown || (currency !== null && more.length > 0)) return null;
    if (currency === null || only === currency) sum += money.minor;
    else if (!held.has(only)) return null;
  }
  if (counted.length === 0) return effects.length > 0 && effects.every((effect) => effect === "read") ? 0 : null;
  return Number.isSafeInteger(sum) ? sum : null;
}

/** Of what is said on a socket nobody knows beforehand how much it is. */
function bytesIn({ protocol, tool, args }: Action): number | null {
  if (protocol !== "http") return Buffer.byteLength(JSON.stringify(args));
  if (tool === "TCP" || tool === "WEBSOCKET") return null;
  const { body: _shown, body_bytes: bytes, ...head } = args;
  return typeof bytes === "number" && Number.isSafeInteger(bytes) && bytes >= 0 ? bytes + Buffer.byteLength(JSON.stringify(head)) : null;
}

/** What an answer says that it took of a quantity that nobody knew before; null when it does not say. Never throws, whatever a server sends. */
export function told(of: "tokens" | "rows", action: Action, answer: Answer, path: readonly string[] | undefined): number | null {
  if (!("result" in answer)) return 0;
  const { result } = answer;
  if (of === "rows") return rowsIn(result, path);
  if (action.protocol === "http") return count(result["tokens"]) ?? (isModelHost(action.args["host"]) ? null : 0);
  const parts: readonly (Json | undefined)[] = [result, result["structuredContent"], result["_meta"], ...texts(result)];
  for (const part of parts) {
    const tokens = tokensIn(part);
    if (tokens !== null) return tokens;
  }
  return 0;
}

const count = (value: Json | undefined): number | null => (typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : null);

/** Tokens by a `usage` in it, as OpenAI, Anthropic and Gemini write it; null when there is none. */
function tokensIn(value: Json | undefined): number | null {
  if (!isObject(value)) return null;
  const usage = value["usage"] ?? value["usageMetadata"];
  return isObject(usage) ? tokensBy((name) => count(usage[name])) : null;
}

const rowNames = ["rows", "records", "results", "items", "entries", "documents", "hits", "values", "data"] as const;

function rowsIn(result: JsonObject, path: readonly string[] | undefined): number {
  const { structuredContent } = result;
  if (path) {
    let at: Json | undefined = structuredContent;
    for (const step of path) at = isObject(at) && Object.hasOwn(at, step) ? at[step] : undefined;
    if (at !== undefined) return Array.isArray(at) ? at.length : (count(at) ?? 1);
  }
  const found = [structuredContent, ...texts(result)].map(arrayIn);
  return Math.max(0, ...found);
}

/** Length of the list that a value is, or has under a usual name; else of its longest. */
function arrayIn(value: Json | undefined): number {
  if (Array.isArray(value)) return value.length;
  if (!isObject(value)) return 0;
  for (const name of rowNames) {
    const list = value[name];
    if (Array.isArray(list)) return list.length;
  }
  return Object.values(value).reduce<number>((longest, each) => (Array.isArray(each) ? Math.max(longest, each.length) : longest), 0);
}

const readableChars = 4 * 1024 * 1024;

/** Blocks of text that are JSON. */
function* texts({ content }: JsonObject): Iterable<Json> {
  for (const block of Array.isArray(content) ? content : []) {
    const text = isObject(block) ? block["text"] : undefined;
    if (typeof text !== "string" || text.length > readableChars || !/^\s*[[{]/.test(text)) continue;
    try {
      yield parseJson(text) as Json;
    } catch {
      // It only looked like it.
    }
  }
}
