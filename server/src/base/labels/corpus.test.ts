import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { Classifier } from "./classifier.ts";
import type { Span } from "./span.ts";

// One document a line; what is to be found stands as «class|value». Every value is made up.
const root = join(import.meta.dirname, "../../../..");
const folder = join(root, "test/corpus/labels");
const classes = ["secret", "personal.card", "personal.email", "personal.iban", "personal.national-id", "personal.phone"];

function read(line: string): { text: string; marked: Span[] } {
  const marked: Span[] = [];
  let text = "";
  let from = 0;
  for (const { 0: whole, 1: label = "", 2: value = "", index } of line.matchAll(/«([\w.-]+)\|(.*?)»/g)) {
    text += line.slice(from, index);
    marked.push({ label, start: text.length, end: text.length + value.length });
    text += value;
    from = index + whole.length;
  }
  return { text: text + line.slice(from), marked };
}

const documents = globSync("*.txt", { cwd: folder }).sort().flatMap((file) => readFileSync(join(folder, file), "utf8").split("\n").filter((line) => line !== "").map(read));
const meets = (a: Span, b: Span): boolean => a.label === b.label && a.start < b.end && b.start < a.end;

/** Of spans: a found one is right where it meets a marked one of its class; a marked one is found where all of it is. */
function figures(label: string): { marked: number; found: number; precision: number; recall: number; missed: string[]; wrong: string[] } {
  const classifier = new Classifier();
  const [missed, wrong]: [string[], string[]] = [[], []];
  const count = { marked: 0, found: 0 };
  for (const { text, marked } of documents) {
    const own = marked.filter((span) => span.label === label);
    const found = classifier.spans(text).filter((span) => span.label === label);
    count.marked += own.length;
    count.found += found.length;
    for (const span of own) if (!found.some((one) => one.start <= span.start && one.end >= span.end)) missed.push(text.slice(span.start, span.end));
    for (const span of found) if (!own.some((one) => meets(one, span))) wrong.push(`${text.slice(span.start, span.end)} in: ${text}`);
  }
  const percent = (part: number, of: number): number => Math.floor((1000 * part) / of) / 10;
  return { ...count, precision: percent(count.found - wrong.length, count.found), recall: percent(count.marked - missed.length, count.marked), missed, wrong };
}

test("precision and recall are what docs/data.md says", () => {
  const page = readFileSync(join(root, "docs/data.md"), "utf8");
  for (const label of classes) {
    const { marked, found, precision, recall, missed, wrong } = figures(label);
    const [, saidMarked, saidPrecision, saidRecall] = new RegExp(`^\\| \`${label}\` \\| (\\d+) \\| ([\\d.]+) \\| ([\\d.]+) \\|$`, "m").exec(page) ?? [];
    expect({ label, marked, precision, recall, missed, wrong, found }).toMatchObject({ label, marked: Number(saidMarked), precision: Number(saidPrecision), recall: Number(saidRecall) });
  }
});
