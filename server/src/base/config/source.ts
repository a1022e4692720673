import { Fault } from "@lanyard/contract";
import { isCollection, isMap, isPair, LineCounter, parseDocument, visit, type Document, type Pair } from "yaml";

export type Path = readonly PropertyKey[];

/** A YAML file with its positions, and the problems found in it so far. */
export interface YamlSource {
  /** The whole file as plain data; null when there are problems already. */
  readonly value: unknown;
  readonly problems: readonly Problem[];
  /** Notes a problem at the value, or the key, that `path` leads to; at the nearest parent when the path ends early. */
  problem(path: Path, message: string, at?: "value" | "key"): void;
  /** The line of the value that `path` leads to, or of its nearest parent; counts from 1. */
  lineOf(path: Path): number;
  /** All problems in the order of the file, one `file:line:column: message` a line. */
  report(): string;
}

export interface Problem {
  /** Both count from 1. */
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

const maxProblems = 50;
const maxNoted = 1000;

/**
 * Reads YAML 1.2. Duplicate keys, tags, anchors and aliases are problems: none is needed, and each can make a file mean what it does not show.
 * `aliases`: in a file that comes with Lanyard they say that two things are one.
 */
export function yamlSource(bytes: Uint8Array, file: string, { aliases = false } = {}): YamlSource {
  const problems: Problem[] = [];
  const lines = new LineCounter();
  const places = new Set<number>();
  const add = (offset: number, message: string) => {
    // One place, one problem: a parser that lost its way reports the same spot over and over.
    if (places.has(offset) || places.size >= maxNoted) return;
    places.add(offset);
    const { line, col } = lines.linePos(offset);
    problems.push({ line: Math.max(1, line), column: Math.max(1, col), message });
  };
  const document = parse(bytes, file, lines);
  for (const { pos, message } of [...document.errors, ...document.warnings]) add(pos[0], message.charAt(0).toLowerCase() + message.slice(1));
  visit(document, {
    Alias: (_, node) => void (aliases || add(rangeStart(node) ?? 0, "aliases (`*name`) are not used here; write the value out")),
    Node: (_, node) => {
      if (isMap(node)) checkKeys(node.items, add);
      if (!aliases && "anchor" in node && node.anchor) add(rangeStart(node) ?? 0, `anchors (\`&${node.anchor}\`) are not used here`);
      if (node.tag?.startsWith("!")) add(rangeStart(node) ?? 0, `tags (\`${node.tag}\`) are not used here`);
    },
  });
  return {
    value: problems.length === 0 ? document.toJS() : null,
    problems,
    problem: (path, message, at = "value") => add(offsetOf(document, path, at), message),
    lineOf: (path) => Math.max(1, lines.linePos(offsetOf(document, path, "value")).line),
    report: () => {
      const inOrder = problems.toSorted((a, b) => a.line - b.line || a.column - b.column);
      const shown = inOrder.slice(0, maxProblems).map(({ line, column, message }) => `${file}:${line}:${column}: ${message}`);
      return [...shown, ...(inOrder.length > maxProblems ? [`... and ${inOrder.length - maxProblems} more problems`] : [])].join("\n");
    },
  };
}

function parse(bytes: Uint8Array, file: string, lineCounter: LineCounter): Document {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return parseDocument(text, { lineCounter, uniqueKeys: false, strict: true, prettyErrors: false, logLevel: "error", stringKeys: true });
  } catch (cause) {
    // Bytes that are no UTF-8, or nesting so deep that the parser runs out of stack.
    const why = cause instanceof RangeError ? "it is nested too deeply" : "it is not UTF-8";
    throw new Fault("invalid_config", `${file}:1:1: the file cannot be read as YAML: ${why}`, { cause });
  }
}

/** Keys twice, which the parser would look for by comparing each with each; and the one key that schemas skip in silence. */
function checkKeys(items: readonly Pair[], add: (offset: number, message: string) => void): void {
  const seen = new Set<string>();
  for (const { key } of items) {
    const name = String((key as { value?: unknown } | null)?.value);
    if (seen.has(name)) add(rangeStart(key) ?? 0, `the key \`${name}\` is there twice`);
    if (name === "__proto__") add(rangeStart(key) ?? 0, "`__proto__` is not allowed as a key");
    seen.add(name);
  }
}

function offsetOf(document: Document, path: Path, at: "value" | "key"): number {
  let node: unknown = document.contents;
  let offset = rangeStart(node) ?? 0;
  path.forEach((step, index) => {
    if (!isCollection(node)) return;
    const last = index === path.length - 1;
    if (isMap(node)) {
      const pair = node.items.find((item) => isPair(item) && String((item.key as { value?: unknown }).value) === String(step));
      const key = rangeStart(pair?.key);
      const value = rangeStart(pair?.value);
      offset = (last && at === "key" ? key : (value ?? key)) ?? offset;
      node = pair?.value;
    } else {
      node = node.items[Number(step)];
      offset = rangeStart(node) ?? offset;
    }
  });
  return offset;
}

const rangeStart = (node: unknown): number | undefined => (node as { range?: readonly number[] | null } | null | undefined)?.range?.[0];

/** The candidate at most two edits in five characters away, or null: for hints at a mistyped name. */
export function nearest(text: string, candidates: readonly string[]): string | null {
  let best: { name: string; distance: number } | null = null;
  for (const name of candidates) {
    const distance = edits(text.toLowerCase(), name.toLowerCase());
    if (distance <= Math.max(1, Math.floor((name.length * 2) / 5)) && (!best || distance < best.distance)) best = { name, distance };
  }
  return best?.name ?? null;
}

/** Levenshtein distance, names cut at 64 characters. */
function edits(a: string, b: string): number {
  const [from, to] = [a.slice(0, 64), b.slice(0, 64)];
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      const swap = (row[j - 1] ?? 0) + (from[i - 1] === to[j - 1] ? 0 : 1);
      next.push(Math.min(swap, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[to.length] ?? 0;
}
