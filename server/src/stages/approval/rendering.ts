import { isObject, type Json, type JsonObject } from "@lanyard/contract";

/** What a rendering has at most, so that a card stays one; how much is left out is always said. */
export const renderingBounds = { lines: 200, lineChars: 400 } as const;

/** Pairs of argument names by which tools say "this text becomes that one". */
const replacements: readonly (readonly [before: string, after: string])[] = [["old_string", "new_string"], ["oldText", "newText"], ["old_str", "new_str"], ["old_text", "new_text"], ["before", "after"], ["old", "new"], ["search", "replace"]];

/**
 * What a call would do, read off its arguments: a replacement as a difference (`-` and `+`), a text of several lines as these, everything else as
 * `name: value`. Lines are foreign text: a surface escapes them. Nothing is left out but by length, and then the last line says how much; and no two
 * values read the same: a text that could be a number, nothing or another argument stands in quotes.
 */
export function renderingOf(args: JsonObject): string[] {
  const lines = shown("", args).map((line) => (line.length > renderingBounds.lineChars ? `${line.slice(0, renderingBounds.lineChars).toWellFormed()} ... ${line.length - renderingBounds.lineChars} characters more` : line));
  return lines.length <= renderingBounds.lines ? lines : [...lines.slice(0, renderingBounds.lines), `... ${lines.length - renderingBounds.lines} lines more`];
}

const linesOf = (text: string, mark: string): string[] => text.split(/\r\n|[\r\n]/).map((line) => `${mark}${line}`);

/** Texts that would read as something else: a number, a word of JSON, a list; or whose ends do not show. */
const isEquivocal = (text: string): boolean => /^(?:-?\d[\d.eE+-]*|true|false|null|[[{"].*|\s.*|.*\s|)$/.test(text);

const nameOf = (name: string): string => (/^[\w$@][\w$@ -]*$/.test(name) ? name : JSON.stringify(name));

const shown = (path: string, value: Json): string[] => {
  if (typeof value === "string" && /[\r\n]/.test(value)) return [`${path}:`, ...linesOf(value, "  | ")];
  if (Array.isArray(value) && value.some(isObject)) return value.flatMap((item, at) => shown(`${path}[${at}]`, item));
  const isEmpty = path !== "" && isObject(value) && Object.keys(value).length === 0;
  if (!isObject(value) || isEmpty) return [`${path}: ${typeof value === "string" && !isEquivocal(value) ? value : JSON.stringify(value)}`];
  const pair = replacements.find(([before, after]) => typeof value[before] === "string" && typeof value[after] === "string");
  const others = Object.entries(value).filter(([name]) => !pair?.includes(name));
  const named = others.flatMap(([name, item]) => shown(path === "" ? nameOf(name) : `${path}.${nameOf(name)}`, item));
  if (pair === undefined) return named;
  return [...named, `${path === "" ? "" : `${path}: `}${pair[0]} -> ${pair[1]}`, ...linesOf(String(value[pair[0]]), "- "), ...linesOf(String(value[pair[1]]), "+ ")];
};
