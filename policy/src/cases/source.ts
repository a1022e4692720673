import { isCollection, isMap, isPair, parseDocument, visit, type Document } from "yaml";
import { z } from "zod";
import { nearest, problemAt, type PolicyProblem } from "../author/problem.ts";
import type { PolicyFile } from "../author/split.ts";
import { caseFileShape, type CaseFile } from "./format.ts";

/** A file of cases with the places of what is in it. */
export interface CaseSource {
  readonly file: PolicyFile;
  /** Null when there are problems. */
  readonly cases: CaseFile | null;
  readonly problems: readonly PolicyProblem[];
  /** A problem at the value, or the key, that `path` leads to; at the nearest parent when the path ends early. */
  problem(path: readonly PropertyKey[], message: string, help?: string, at?: "value" | "key"): PolicyProblem;
}

/** Problems of one file that are told; a broken file has thousands. */
const maxProblems = 50;

/** Reads a file of cases. Never throws: what is wrong with it is in `problems`, each with its place. */
export const readCases = (file: PolicyFile): CaseSource => {
  try {
    return read(file);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error; // nesting so deep that a reader ran out of stack
    return { file, cases: null, problems: [problemAt(file, 0, 1, "the file is nested too deeply to be read")], problem: (_, message, help) => problemAt(file, 0, 1, message, help) };
  }
};

const read = (file: PolicyFile): CaseSource => {
  const document = parseDocument(file.text, { uniqueKeys: false, strict: true, prettyErrors: false, logLevel: "error", stringKeys: true });
  const problem: CaseSource["problem"] = (path, message, help = "", at = "value") => {
    const { offset, length } = placeOf(document, path, at);
    return problemAt(file, offset, length, message, help);
  };
  const form = formProblems(file, document);
  if (form.length > 0) return { file, cases: null, problems: form, problem };
  const { success, data, error } = caseFileShape.safeParse(document.toJS());
  if (success) return { file, cases: data, problems: [], problem };
  return { file, cases: null, problems: error.issues.flatMap((issue) => issueProblems(issue, problem)).slice(0, maxProblems), problem };
};

/** Aliases, anchors and tags are refused: none is needed, and each can make a file mean what it does not show. */
const formProblems = (file: PolicyFile, document: Document): PolicyProblem[] => {
  if (document.errors.some(({ message }) => message.startsWith("Maximum call stack"))) throw new RangeError("nested too deeply"); // the parser keeps it for itself
  const problems = document.errors.slice(0, maxProblems).map(({ pos, message }) => problemAt(file, pos[0], 1, message.charAt(0).toLowerCase() + message.slice(1)));
  const add = (node: unknown, message: string): void => {
    if (problems.length < maxProblems) problems.push(problemAt(file, rangeOf(node)?.[0] ?? 0, 1, message));
  };
  visit(document, {
    Alias: (_, node) => add(node, "aliases (`*name`) are not used here; write the value out"),
    Node: (_, node) => {
      if ("anchor" in node && node.anchor) add(node, `anchors (\`&${node.anchor}\`) are not used here`);
      if (node.tag?.startsWith("!")) add(node, `tags (\`${node.tag}\`) are not used here`);
      if (!isMap(node)) return;
      const seen = new Set<string>();
      for (const { key } of node.items) {
        const name = keyText(key);
        if (seen.has(name)) add(key, `the key \`${name}\` is there twice`);
        if (name === "__proto__") add(key, "`__proto__` cannot be a key here; write the arguments as `json`");
        seen.add(name);
      }
    },
  });
  if (problems.length === 0 && document.contents === null) problems.push(problemAt(file, 0, 1, "the file is empty", "write `cases:` and a list of cases"));
  return problems;
};

const issueProblems = (issue: z.core.$ZodIssue, problem: CaseSource["problem"]): PolicyProblem[] => {
  const { path } = issue;
  if (issue.code === "unrecognized_keys") {
    const known = knownKeys(path);
    return issue.keys.map((key) => {
      const near = nearest(key, known);
      return problem([...path, key], `unknown key \`${key}\``, near === null ? (known.length > 0 ? `known here: ${known.join(", ")}` : "") : `did you mean \`${near}\`?`, "key");
    });
  }
  const message = issue.message.replace(/^Invalid input: /, "").replace(/^[A-Z](?=[a-z])/, (letter) => letter.toLowerCase());
  const last = path.at(-1);
  return [problem(path, typeof last === "string" && !message.startsWith("`") ? `\`${last}\`: ${message}` : message, "", issue.code === "invalid_key" ? "key" : "value")];
};

/** The keys an object of the file may have at `path`; empty where keys are names. */
const knownKeys = (path: readonly PropertyKey[]): string[] => {
  let at: unknown = caseFileShape;
  for (const step of path) {
    at = bare(at);
    if (at instanceof z.ZodObject) at = at.shape[String(step)];
    else if (at instanceof z.ZodRecord) at = at.valueType;
    else if (at instanceof z.ZodArray) at = at.element;
    else return [];
  }
  const end = bare(at);
  return end instanceof z.ZodObject ? Object.keys(end.shape) : [];
};

const bare = (schema: unknown): unknown => (schema instanceof z.ZodOptional ? bare(schema.unwrap()) : schema);

const keyText = (key: unknown): string => String((key as { value?: unknown } | null)?.value);

const rangeOf = (node: unknown): readonly number[] | null => (node as { range?: readonly number[] | null } | null | undefined)?.range ?? null;

const placeOf = (document: Document, path: readonly PropertyKey[], at: "value" | "key"): { offset: number; length: number } => {
  let node: unknown = document.contents;
  let range = rangeOf(node);
  path.forEach((step, index) => {
    if (!isCollection(node)) return;
    if (!isMap(node)) {
      node = node.items[Number(step)];
      range = rangeOf(node) ?? range;
      return;
    }
    const pair = node.items.find((item) => isPair(item) && keyText(item.key) === String(step));
    if (pair === undefined) return;
    range = (index === path.length - 1 && at === "key" ? rangeOf(pair.key) : (rangeOf(pair.value) ?? rangeOf(pair.key))) ?? range;
    node = pair.value;
  });
  const [offset = 0, end = offset] = range ?? [];
  return { offset, length: isCollection(node) && at === "value" ? 1 : Math.max(1, end - offset) };
};
