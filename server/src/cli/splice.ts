import { Fault, isObject, parseJson, type Json } from "@lanyard/contract";

// Edits of other programs' configuration as text: everything that is not ours stays byte for byte, comments included.

interface Member {
  readonly key: string;
  readonly value: number;
  readonly end: number;
}

const bad = (text: string, at: number): Fault => {
  const lines = text.slice(0, at).split("\n");
  return new Fault("invalid_config", `not valid JSON: unexpected \`${text.slice(at, at + 1) || "end of file"}\` in line ${lines.length}, column ${(lines.at(-1)?.length ?? 0) + 1}`);
};

/** First offset at or after `at` that is neither white space nor part of a comment. */
const skip = (text: string, at: number): number => at + (/^(?:[\s\ufeff]|\/\/[^\n]*|\/\*[\s\S]*?\*\/)*/.exec(text.slice(at))?.[0].length ?? 0);

const endOfScalar = (text: string, at: number): number => {
  const length = /^(?:"(?:[^"\\\n]|\\.)*"|[-+.\w]+)/.exec(text.slice(at))?.[0].length;
  if (!length) throw bad(text, at);
  return at + length;
};

const endOfValue = (text: string, at: number): number => {
  if (text[at] === "{") return members(text, at).close + 1;
  if (text[at] !== "[") return endOfScalar(text, at);
  let next = skip(text, at + 1);
  while (text[next] !== "]") {
    next = skip(text, endOfValue(text, next));
    if (text[next] === ",") next = skip(text, next + 1);
    else if (text[next] !== "]") throw bad(text, next);
  }
  return next + 1;
};

/** Members of the object that opens at `open`, where it closes, and whether a comma already follows its last member. */
const members = (text: string, open: number): { readonly list: readonly Member[]; readonly close: number; readonly hasComma: boolean } => {
  const list: Member[] = [];
  let hasComma = true;
  let at = skip(text, open + 1);
  while (text[at] !== "}") {
    if (!hasComma || text[at] !== '"') throw bad(text, at);
    const endOfKey = endOfScalar(text, at);
    const colon = skip(text, endOfKey);
    if (text[colon] !== ":") throw bad(text, colon);
    const value = skip(text, colon + 1);
    const end = endOfValue(text, value);
    list.push({ key: parseJson(text.slice(at, endOfKey)) as string, value, end });
    at = skip(text, end);
    hasComma = text[at] === ",";
    if (hasComma) at = skip(text, at + 1);
  }
  return { list, close: at, hasComma };
};

/**
 * Sets the member at `path` of a JSON text that may hold comments and trailing commas. Objects on the way are made as needed.
 * Throws Fault `invalid_config` when the text is not JSON or something on the way is not an object.
 */
export function spliceJson(text: string, path: readonly [string, ...string[]], value: Json): string {
  const indent = /^([ \t]+)"/m.exec(text)?.[1] ?? "  ";
  const start = skip(text, 0);
  if (start === text.length) return `${JSON.stringify(nest(path, value), null, indent)}\n`;
  let open = start;
  for (const [depth, key] of path.entries()) {
    if (text[open] !== "{") throw new Fault("invalid_config", depth === 0 ? "not a JSON object" : `\`${path.slice(0, depth).join(".")}\` is not an object`);
    const { list, close, hasComma } = members(text, open);
    if (depth === 0 && skip(text, close + 1) !== text.length) throw bad(text, skip(text, close + 1));
    const block = (written: Json): string => JSON.stringify(written, null, indent).replaceAll("\n", `\n${indent.repeat(depth + 1)}`);
    const found = list.findLast((member) => member.key === key);
    if (found && depth === path.length - 1) return text.slice(0, found.value) + block(value) + text.slice(found.end);
    if (found) {
      open = found.value;
      continue;
    }
    const line = `\n${indent.repeat(depth + 1)}${JSON.stringify(key)}: ${block(nest(path.slice(depth + 1), value))}\n${indent.repeat(depth)}`;
    const last = list.at(-1)?.end;
    if (last === undefined) return text.slice(0, close).trimEnd() + line + text.slice(close);
    return text.slice(0, last) + (hasComma ? "" : ",") + text.slice(last, close).trimEnd() + line + text.slice(close);
  }
  return text;
}

const nest = (path: readonly string[], value: Json): Json => path.reduceRight<Json>((inner, key) => ({ [key]: inner }), value);

/** JSON's strings, numbers and lists are TOML's; an object becomes an inline table. */
const toml = (value: Json): string => {
  if (isObject(value)) return `{ ${Object.entries(value).map(([key, inner]) => `${JSON.stringify(key)} = ${toml(inner)}`).join(", ")} }`;
  return JSON.stringify(value).replaceAll("\u007f", "\\u007f");
};

const begin = "# >>> lanyard: written by `lanyard connect`, taken out by `lanyard connect --undo`";
const end = "# <<< lanyard";

/**
 * Puts a table at the end of a TOML text, between two marks; replaces what stood between them.
 * Throws Fault `invalid_config` when the table is there already without our marks, because TOML allows no table twice.
 */
export function spliceToml(text: string, table: string, entries: Readonly<Record<string, Json>>): string {
  const from = text.indexOf(begin);
  const to = text.indexOf(end, from);
  const rest = from >= 0 && to >= 0 ? text.slice(0, from) + text.slice(to + end.length).replace(/^\n/, "") : text;
  const parent = table.split(".")[0] ?? table;
  const taken = rest.split("\n").findIndex((line) => line.replaceAll(/[\s"']/g, "").startsWith(`[${table}]`) || new RegExp(`^\\s*${parent}\\s*[.=]`).test(line));
  if (taken >= 0) throw new Fault("invalid_config", `line ${taken + 1} already defines \`${rest.split("\n")[taken]?.trim()}\`; take it out and try again`);
  const lines = Object.entries(entries).map(([key, value]) => `${key} = ${toml(value)}`);
  const before = rest.trimEnd();
  return `${before}${before ? "\n\n" : ""}${[begin, `[${table}]`, ...lines, end].join("\n")}\n`;
}
