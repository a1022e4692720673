import type { Json } from "@lanyard/contract";
import picocolors from "picocolors";

/** Exit codes of every verb; scripts may rely on them. */
export const exit = {
  ok: 0,
  /** The command ran and the answer is no: damage found, a decision differs, a check failed. */
  failed: 1,
  /** Wrong words on the command line, or a bad file. */
  usage: 2,
  /** Nothing to talk to: no daemon where one is needed, or it did not answer. */
  unreachable: 3,
} as const;

/** What a verb may touch of the process it runs in; tests pass their own. */
export interface Terminal {
  out(line: string): void;
  err(line: string): void;
  readonly colour: Colour;
  /** True when standard output is a terminal: live redraws and colour only then. */
  readonly live: boolean;
}

export type Colour = ReturnType<typeof picocolors.createColors>;

export const processTerminal = (): Terminal => {
  const live = process.stdout.isTTY === true;
  // A closed pipe (`lanyard log | head`) is the reader's wish, not an error.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(exit.ok);
    throw error;
  });
  return {
    out: (line) => void process.stdout.write(`${line}\n`),
    err: (line) => void process.stderr.write(`${line}\n`),
    colour: picocolors.createColors(live && picocolors.isColorSupported),
    live,
  };
};

// Controls but the tab, formats (bidirectional, zero width, tags), separators of lines, and what Unicode lets a reader ignore.
const hidden = /(?!\t)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;

/** Foreign text for one line of output: it could move the cursor, hide words, or begin a line that looks like ours. */
export const printable = (text: string): string => text.replace(hidden, (c) => `\\u{${c.codePointAt(0)?.toString(16).padStart(4, "0") ?? "?"}}`);

export const json = (value: unknown): string => JSON.stringify(value);

/** A table with a header line, columns padded to their widest cell; the last column is not padded. */
export function table(header: readonly string[], rows: readonly (readonly string[])[], colour: Colour): string[] {
  const widths = header.map((title, i) => Math.max(title.length, ...rows.map((row) => (row[i] ?? "").length)));
  const line = (cells: readonly string[]): string =>
    cells.map((cell, i) => (i === header.length - 1 ? cell : cell.padEnd(widths[i] ?? 0))).join("  ").trimEnd();
  return [colour.dim(line(header.map((title) => title.toUpperCase()))), ...rows.map((row) => line(row.map(printable)))];
}

/** `2026-11-22 14:03:11.042` in the reader's own time zone: the form people compare with their other logs. */
export function time(ms: number): string {
  const local = new Date(ms - new Date(ms).getTimezoneOffset() * 60_000);
  return local.toISOString().replace("T", " ").slice(0, 23);
}

/** A JSON value on one line, cut to `width` characters. */
export const brief = (value: Json | undefined, width = 100): string => {
  const text = printable(json(value) ?? "");
  return text.length > width ? `${text.slice(0, width - 1)}…` : text;
};
