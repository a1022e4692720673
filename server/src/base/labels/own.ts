import { readFileSync, statSync } from "node:fs";
import { Fault } from "@lanyard/contract";
import type { OwnLabels } from "../config/labels.ts";
import { limits } from "../limits.ts";
import { Classifier } from "./classifier.ts";
import { ExactSet, valueProblem } from "./exact.ts";
import { patternFinder } from "./patterns.ts";

/**
 * What looks for the built-in classes and the organisation's own. Reads the files of values; of these, only keyed hashes are kept. `key`: 32 secret
 * bytes. Throws Fault `invalid_config` with the place of every value that cannot be looked for, or when a file cannot be read.
 */
export function classifierOf({ patterns, sets }: OwnLabels, key: Buffer): Classifier {
  const found = [...patterns.values()].map(({ re2, label }) => patternFinder(re2, label));
  for (const [name, { file, label }] of sets) {
    const set = new ExactSet({ key, label, values: valuesIn(file, name) });
    found.push((text) => set.find(text));
  }
  return new Classifier({ finders: found });
}

/** One value a line; empty lines and those that begin with `#` are none. */
function valuesIn(file: string, name: string): string[] {
  const lines = bytesOf(file, name).toString("utf8").split(/\r?\n/);
  const values: string[] = [];
  const problems: string[] = [];
  for (const [at, line] of lines.entries()) {
    const value = line.trim();
    if (value === "" || value.startsWith("#")) continue;
    // A value may be secret: what is wrong with it is said without it.
    const wrong = valueProblem(value);
    if (wrong !== null && problems.length < 10) problems.push(`${file}:${at + 1}:1: the value ${wrong}`);
    values.push(value);
  }
  if (values.length > limits.label_values.value) problems.push(`${file}:1:1: ${values.length} values, over the limit label_values (${limits.label_values.value})`);
  if (problems.length > 0) throw new Fault("invalid_config", problems.join("\n"));
  return values;
}

function bytesOf(file: string, name: string): Buffer {
  try {
    const { size } = statSync(file);
    if (size > limits.label_file_bytes.value) throw new Fault("invalid_config", `${file}:1:1: the file has ${size} bytes, over the limit label_file_bytes (${limits.label_file_bytes.value})`);
    return readFileSync(file);
  } catch (cause) {
    if (cause instanceof Fault) throw cause;
    throw new Fault("invalid_config", `the values of \`labels.sets.${name}\` cannot be read: \`${file}\` (${(cause as NodeJS.ErrnoException).code ?? "unknown error"})`, { cause });
  }
}
