import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { JsonObject } from "@lanyard/contract";
import type { GateResult, Proposal, WorkspaceFolder } from "../../stages/execution/workspace/folder.ts";
import type { TreeChange, TreeEntry } from "../../stages/execution/workspace/tree.ts";
import { lineDiff } from "../../stages/facts/diff.ts";
import { printable, type Colour } from "../terminal.ts";

/** A text over this is summed up like a binary. */
const maxTextBytes = 256 * 1024;
const maxPatchFiles = 500;

/** A proposal in numbers. Folders count only where nothing else tells of them. */
export function sizeOf({ changes, refused }: Proposal): { added: number; changed: number; removed: number; renamed: number; bytes: number; refused: number } {
  const renamed = changes.filter(({ from }) => from !== undefined).length;
  const shown = changes.filter(isTold);
  return {
    added: shown.filter(({ before, from }) => !before && from === undefined).length,
    changed: shown.filter(({ before, after }) => before && after).length,
    removed: shown.filter(({ after }) => !after).length - renamed,
    renamed,
    bytes: changes.reduce((sum, { after }) => sum + (after?.size ?? 0), 0),
    refused: refused.length,
  };
}

const isTold = ({ before, after }: TreeChange): boolean => !(before?.kind === "folder" && !after) && !(after?.kind === "folder" && !before);

/** `3 added, 1 renamed, 12.0 KiB`; empty when nothing changed. */
export function sumUp(proposal: Proposal): string {
  const { bytes, refused, ...numbers } = sizeOf(proposal);
  const parts = Object.entries(numbers).flatMap(([name, count]) => (count > 0 ? [`${count} ${name}`] : []));
  if (parts.length === 0 && proposal.changes.length > 0) parts.push(`${proposal.changes.length} folders`);
  return [...parts, ...(refused > 0 ? [`${refused} refused`] : []), ...(parts.length > 0 ? [readableBytes(bytes)] : [])].join(", ");
}

const readableBytes = (bytes: number): string => (bytes < 1024 ? `${bytes} bytes` : bytes < 1024 ** 2 ? `${(bytes / 1024).toFixed(1)} KiB` : `${(bytes / 1024 ** 2).toFixed(1)} MiB`);

const octal = (mode: number): string => mode.toString(8).padStart(3, "0");

/** One line a change: what happened, where, and what its name does not say. */
export function changeLines({ changes, refused }: Proposal, colour: Colour): string[] {
  const renamed = new Set(changes.flatMap(({ from }) => from ?? []));
  return [
    ...changes.flatMap((change) => {
      const { path, before, after, from } = change;
      if (!after && renamed.has(path)) return [];
      if (!isTold(change) && changes.length > 1) return [];
      const what = [kindWords(before, after), modeWords(before, after, from), after?.kind === "file" && before?.hash !== after.hash ? readableBytes(after.size) : ""].filter((word) => word !== "").join(", ");
      const sign = from !== undefined ? "R" : !before ? "A" : !after ? "D" : "M";
      return [`${sign} ${from === undefined ? "" : `${printable(from)} -> `}${printable(path)}${after?.kind === "link" ? ` -> ${printable(after.hash)}` : ""}${what === "" ? "" : colour.dim(`  ${what}`)}`];
    }),
    ...refused.map(({ path, why }) => colour.red(`! ${printable(path)}  ${why}`)),
  ];
}

const kindWords = (before: TreeEntry | null, after: TreeEntry | null): string =>
  before && after && before.kind !== after.kind ? `${before.kind} to ${after.kind}` : (after ?? before)?.kind === "folder" ? "folder" : "";

const modeWords = (before: TreeEntry | null, after: TreeEntry | null, from?: string): string => {
  if (!after || after.kind === "link") return "";
  if (before && before.mode !== after.mode && before.kind === after.kind) return `mode ${octal(before.mode)} to ${octal(after.mode)}`;
  return !before && from === undefined && after.kind === "file" && (after.mode & 0o111) !== 0 ? `mode ${octal(after.mode)}` : "";
};

/** Unified diffs of texts, a line on every binary. What the folder had before is read from it, as far as it is still there. */
export function patchLines(folder: WorkspaceFolder, { changes }: Proposal, colour: Colour): string[] {
  const root = folder.origin().folder;
  const contents = folder.contents();
  const files = changes.filter(({ before, after, from }) => from === undefined && (after ?? before)?.kind === "file" && before?.hash !== after?.hash);
  const lines = files.slice(0, maxPatchFiles).flatMap(({ path, before, after }) => {
    if (!after) return [];
    const [old, now] = [before?.kind === "file" ? textAt(join(root, path)) : [], textAt(contents.place(after.hash))];
    const title = colour.bold(printable(path));
    if (now === "binary" || old === "binary") return [title, `  binary, ${before ? `${readableBytes(before.size)} to ` : ""}${readableBytes(after.size)}`];
    if (old === "gone") return [title, "  what it was before is not there any more"];
    if (now === "gone") return [title, "  its content is not there any more"];
    return [title, ...lineDiff(old, now).map((line) => painted(printable(line), colour))];
  });
  return files.length > maxPatchFiles ? [...lines, `... and ${files.length - maxPatchFiles} files more`] : lines;
}

const painted = (line: string, colour: Colour): string => (line.startsWith("+") ? colour.green(line) : line.startsWith("-") ? colour.red(line) : line);

function textAt(path: string): string[] | "binary" | "gone" {
  if (!existsSync(path)) return "gone";
  const bytes = readFileSync(path);
  if (bytes.length > maxTextBytes || bytes.includes(0)) return "binary";
  const text = bytes.toString();
  return text === "" ? [] : text.replace(/\n$/, "").split("\n");
}

export function gateLines(results: readonly GateResult[], lacking: readonly (readonly string[])[], colour: Colour): string[] {
  return [
    ...results.flatMap(({ gate, passed, findings }) => [`${passed ? colour.green("passed") : colour.red("failed")}  ${gate}`, ...findings.map((finding) => `        ${printable(finding)}`)]),
    ...lacking.map((names) => `${colour.yellow("needs")}   approval of ${names.join(" or ")}`),
  ];
}

/** A proposal for programs. */
export const proposalJson = (session: string, { digest, changes, refused }: Proposal, gates: readonly GateResult[] | null, lacking: readonly (readonly string[])[]): JsonObject =>
  ({ session, proposal: digest, changes: changes.map(({ from, ...change }) => ({ ...change, ...(from !== undefined && { from }) })), refused, gates, lacking }) as unknown as JsonObject;
