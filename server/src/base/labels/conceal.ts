import { isObject, parseJson, type Json, type JsonObject } from "@lanyard/contract";
import { unfold } from "../extract/unfold.ts";
import { splitSecrets, textsOf, type Classifier } from "./classifier.ts";

/** What is taken out of a value, and what comes in its place. */
export interface Concealed {
  /** Of this class, and of every class below it: `personal` takes `personal.email` too. */
  readonly label: string;
  /** What stands for a text that is taken out; nothing in it may be of the class again. */
  readonly as: (text: string) => string;
  /** The value is known to carry the label though nothing in it says so: then every text in it is taken out whole. */
  readonly isHeld?: boolean;
}

/** In the place of what was taken out and cannot be had back. */
export const redactedAs = (label: string): string => `[redacted:${label}]`;

const isUnder = (label: string, wanted: string): boolean => label === wanted || label.startsWith(`${wanted}.`);

/** Fields of MCP content whose text is base64. */
const inBase64: ReadonlySet<string> = new Set(["blob", "data"]);
const mostRounds = 3;

/**
 * The value without what is of a class: spans alone where they can be told, the whole text where the class lies behind an encoding, is split over
 * several texts, or is only known to be there. Names of fields too. The very same value where nothing is found.
 */
export function conceal(classifier: Classifier, value: Json, { label, as, isHeld = false }: Concealed, field = ""): Json {
  const texts = [...textsOf(value, field)];
  const split = isUnder("secret", label) ? new Set([...splitSecrets(texts)].map(({ text }) => text)) : new Set<string>();
  const has = (text: string, name: string): boolean => classifier.detect(text, name).some((found) => isUnder(found, label));
  const isAnywhere = texts.some((one) => split.has(one.text) || unfold(one.text).some((view) => has(view.text, one.field)));
  if (!isAnywhere && !isHeld) return value;
  const whole = (text: string, name: string): string => (inBase64.has(name) ? Buffer.from(as(text)).toString("base64") : as(text));
  const textWithout = (text: string, name: string): string => {
    if (!isAnywhere || split.has(text)) return whole(text, name);
    let left = text;
    for (let round = 0; round < mostRounds && has(left, name); round++) left = spansReplaced(classifier, left, name, { label, as });
    return unfold(left).some((view) => has(view.text, name)) ? whole(text, name) : left;
  };
  const without = (item: Json, name: string): Json => {
    if (typeof item === "string") return keepsShape(name, item) && !has(item, name) ? item : textWithout(item, name);
    if (typeof item === "number") return Math.abs(item) > 99_999 && (has(String(item), name) || !isAnywhere) ? as(String(item)) : item;
    if (Array.isArray(item)) return item.map((one) => without(one, name));
    if (!isObject(item)) return item;
    return named(Object.entries(item).map(([key, one]) => [has(key, "") || split.has(key) ? textWithout(key, "") : key, without(one, key)]));
  };
  return without(value, field);
}

/** Words that say what a piece of MCP content is: with them taken out, nobody could read the rest. */
const keepsShape = (name: string, text: string): boolean => (name === "type" || name === "mimeType" || name === "role") && /^[a-z][a-z0-9/.+_-]{0,63}$/i.test(text);

/** Two names that were both taken out must not become one. */
function named(entries: readonly (readonly [string, Json])[]): JsonObject {
  const taken = new Set<string>();
  return Object.fromEntries(
    entries.map(([name, value]) => {
      let free = name;
      for (let count = 2; taken.has(free); count++) free = `${name} ${count}`;
      taken.add(free);
      return [free, value];
    }),
  );
}

function spansReplaced(classifier: Classifier, text: string, field: string, { label, as }: Pick<Concealed, "label" | "as">): string {
  let out = "";
  let from = 0;
  let open: { start: number; end: number } | null = null;
  const close = (): void => {
    if (!open) return;
    out += text.slice(from, open.start) + as(text.slice(open.start, open.end));
    from = open.end;
  };
  for (const { label: found, start, end } of classifier.spans(text, field)) {
    if (!isUnder(found, label)) continue;
    if (open && start < open.end) {
      open = { start: open.start, end: Math.max(open.end, end) };
      continue;
    }
    close();
    open = { start, end };
  }
  close();
  return out + text.slice(from);
}

const masked = "[masked]";

/**
 * The value with each field of that name masked, at whatever depth: `path` is a name, or names one below the other. Texts that are JSON are looked
 * into. Null when a text that is no JSON speaks of the field: then nobody can say what to mask.
 */
export function maskField(value: Json, path: readonly string[]): Json | null {
  const last = (path.at(-1) ?? "").toLowerCase();
  let isLost = false;
  const leads = (above: readonly string[]): boolean => path.length <= above.length && path.every((name, at) => above[above.length - path.length + at] === name);
  const mask = (item: Json, above: readonly string[]): Json => {
    if (leads(above)) return masked;
    if (typeof item === "string") return inText(item);
    if (Array.isArray(item)) return item.map((one) => mask(one, above));
    return isObject(item) ? Object.fromEntries(Object.entries(item).map(([name, one]) => [name, mask(one, [...above, name])])) : item;
  };
  const inText = (text: string): string => {
    if (!text.toLowerCase().includes(last)) return text;
    try {
      const parsed = parseJson(text) as Json;
      if (typeof parsed === "object" && parsed !== null) return JSON.stringify(mask(parsed, []));
    } catch {
      // No JSON: looked at as text below.
    }
    isLost = true;
    return text;
  };
  const out = mask(value, []);
  return isLost ? null : out;
}
