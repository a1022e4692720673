import { writtenDaysIn } from "../../base/extract/named-values.ts";
import { isObject, parseJson, type Json, type JsonObject } from "@lanyard/contract";
import { unfold } from "../../base/extract/unfold.ts";
import { copyChars, phraseLexemes, type Atoms, type Sink } from "./atoms.ts";
import { tags } from "./print.ts";
import { folded, has, looselyFolded, type Lexer } from "./lexemes.ts";

/** Texts are read in pieces of so many characters, each begun a bit before the end of the last, so that no copy is torn. */
const pieceChars = 65_536;
const overlapChars = 512;
/** What MCP itself calls the parts of a result: no server chose these names. */
export const envelope: ReadonlySet<string> = new Set(["content", "contents", "type", "text", "mimeType", "isError", "structuredContent", "messages", "role"]);

/** What a task says, its sentences apart (`www.shop.example.They sent it`), its days as programs write them, and the accounts of whom it names. */
export const taskAsRead = (text: string): string => [text.replace(/(?<=[\w)]\.)(?=\p{Lu}\p{Ll})/gu, " "), ...writtenDaysIn(text), ...loginsIn(text)].join("\n");

const mostLogins = 128;
/** Words as names are written, one after the other. */
const named = /(?<!\p{L})\p{Lu}\p{Ll}+(?: \p{Lu}\p{Ll}+)+(?!\p{L})/gu;

/** Names of accounts as they are made of names: `eholm` and `e.holm` of Elin Holm. Shorter ones are of others: `Dear Ana` names no `dana`. */
function loginsIn(text: string): readonly string[] {
  const runs = [...text.normalize("NFD").replace(/\p{M}/gu, "").matchAll(named)].map(([run]) => run.split(" "));
  const pairs = runs.flatMap((run) => run.flatMap((first, at) => run.slice(at + 1, at + 3).map((last) => [first.charAt(0), last] as const)));
  return pairs.filter(([, last]) => last.length > 3).slice(0, mostLogins).flatMap(([first, last]) => [`${first}${last}`, `${first}.${last}`]);
}

/** Says all that values later can be known by; of a text in a source the whole, its phrases, its lexemes and their parts, and shingles of long texts. */
export class ValueReader {
  readonly #atoms: Atoms;
  readonly #lexer: Lexer;

  constructor(atoms: Atoms, lexer: Lexer) {
    this.#atoms = atoms;
    this.#lexer = lexer;
  }

  /** `isDense`: every run of up to eight lexemes counts as a phrase, wherever it stands; for texts of people, which are short. */
  text(text: string, sink: Sink, isDense = false): void {
    for (const view of unfold(text)) {
      for (let start = 0; start < view.text.length; start += pieceChars - overlapChars) {
        const raw = view.text.length <= pieceChars ? view.text : view.text.slice(start, start + pieceChars);
        this.#piece(folded(raw), raw, sink, isDense);
        const loose = looselyFolded(raw);
        if (loose !== null) this.#piece(loose, raw, sink, isDense);
        if (start + pieceChars >= view.text.length) break;
      }
    }
  }

  #piece(text: string, raw: string, sink: Sink, isDense: boolean): void {
    const [atoms, lexer] = [this.#atoms, this.#lexer];
    lexer.read(text, raw);
    if (lexer.count === 0) return;
    let first = 0;
    for (let index = 0; index < lexer.count; index++) {
      if (index > first && lexer.begins[index] === 1) {
        this.#phrases(first, index - 1, sink, isDense);
        first = index;
      }
      this.#lexeme(index, sink);
      if ((lexer.flags[index] ?? 0) & (has.joiner | has.digit)) this.#parts(index, sink);
    }
    this.#phrases(first, lexer.count - 1, sink, isDense);
    if (first > 0) atoms.phrase(0, lexer.count - 1, () => sink(tags.phrase));
    if (lexer.solidCount >= copyChars) atoms.shingles(sink);
  }

  #lexeme(index: number, sink: Sink): void {
    const { flags, begins, count } = this.#lexer;
    const isAlone = begins[index] === 1 && (index + 1 === count || begins[index + 1] === 1);
    if ((flags[index] ?? 0) & has.at && !((flags[index] ?? 0) & (has.scheme | has.slash))) this.#atoms.phrase(index, index, () => sink(tags.address));
    else if (isAlone || (flags[index] ?? 0) & (has.joiner | has.digit)) this.#atoms.phrase(index, index, sink);
    else this.#atoms.phrase(index, index, () => sink(tags.inner));
  }

  #parts(index: number, sink: Sink): void {
    const flags = this.#lexer.flags[index] ?? 0;
    this.#atoms.forms(index, sink);
    this.#atoms.pieces(index, sink);
    if (flags & has.slash) this.#atoms.base(index, sink);
    if (flags & has.at) this.#atoms.halves(index, sink);
  }

  #phrases(first: number, last: number, sink: Sink, isDense: boolean): void {
    const { flags } = this.#lexer;
    const phrase: Sink = () => sink(tags.phrase);
    for (let index = first; index < last; index++) this.#atoms.accounts(index, last, sink);
    if (isDense) {
      for (let start = first; start < last; start++) for (let end = start + 1; end <= Math.min(last, start + phraseLexemes - 1); end++) this.#atoms.phrase(start, end, phrase);
      return;
    }
    if (last > first && last - first < phraseLexemes) this.#atoms.phrase(first, last, phrase);
    for (let start = first, end = first; start <= last; start = end + 1) {
      for (end = start; end <= last && (flags[end] ?? 0) & has.capital; ) end++;
      if (end - start >= 2 && end - start <= phraseLexemes && end - start <= last - first) this.#atoms.phrase(start, end - 1, phrase);
    }
  }
}

/** Whether a text is the number of an account alone: in groups it is one value all the same, and no phrase that somebody could have said before. */
export const isAccount = (text: string): boolean => /^\s*[a-z]{2}\d{2}(?: ?[\da-z]{2,4}){3,8}\s*$/i.test(text);

/** Where a value is told of: below which node. */
export interface ResultWalk<P> {
  child(place: P, key: string | number): P;
  /** Where the contents of a record are told of that stands at a place. */
  enter?(record: JsonObject, place: P): P;
  /** A text at a place is JSON, and is told of as what it says. */
  unfold?(place: P): void;
  /** `field`: the name it stands under. */
  text(text: string, place: P, field: string): void;
}

/** Tells every text, number and name of a field in a result; of a text that is JSON what it says. */
export function walk<P>(value: Json, place: P, walker: ResultWalk<P>, field = "", depth = 0): void {
  if (typeof value === "string") {
    const inner = depth < 64 ? jsonIn(value) : null;
    if (inner === null) walker.text(value, place, field);
    else {
      walker.unfold?.(place);
      walk(inner, place, walker, field, depth + 1);
    }
  } else if (typeof value === "number") walker.text(String(value), place, field);
  else if (Array.isArray(value)) for (const [index, item] of value.entries()) walk(item, walker.child(place, index), walker, field, depth + 1);
  else if (isObject(value)) {
    const own = walker.enter?.(value, place) ?? place;
    for (const [key, item] of Object.entries(withRecords(value))) {
      const below = walker.child(own, key);
      if (!envelope.has(key)) walker.text(key, below, "");
      walk(item, below, walker, key, depth + 1);
    }
  }
}

const rowNames = ["rows", "data", "values", "records"] as const;
const columnNames = ["columns", "fields", "headers", "column_names"] as const;

/** Rows beside the names of their columns, as databases give them, say the same as records: `{columns: ["id", "text"], rows: [[1, "a"]]}`. Cells of columns with one name lie together. */
function withRecords(value: JsonObject): JsonObject {
  const rowsAt = rowNames.find((name) => Array.isArray(value[name]));
  const columnsAt = rowsAt && columnNames.find((name) => Array.isArray(value[name]));
  if (!rowsAt || !columnsAt) return value;
  const names = (value[columnsAt] as Json[]).map((one) => (isObject(one) ? one["name"] : one));
  const rows = value[rowsAt] as Json[];
  if (!names.every((name) => typeof name === "string") || !rows.every((row) => Array.isArray(row) && row.length === names.length)) return value;
  const cells = Map.groupBy((names as string[]).entries(), ([, name]) => name);
  const record = (row: Json[]): JsonObject => Object.fromEntries([...cells].map(([name, places]) => [name, places.length === 1 ? (row[places[0]?.[0] ?? 0] ?? null) : places.map(([at]) => row[at] ?? null)]));
  return { ...value, [rowsAt]: (rows as Json[][]).map(record) };
}

function jsonIn(text: string): Json | null {
  const start = /^\s*[[{]/.test(text) ? text.trim() : "";
  if (start === "" || !/[\]}]$/.test(start)) return null;
  try {
    return parseJson(start) as Json;
  } catch {
    return null;
  }
}
