import { addressOf, encodeBundle, sortedJson, type Policy, type Scope } from "../bundle.ts";
import type { Registry, Json } from "@lanyard/contract";
import { getCedarVersion, policyToJson, validate, type DetailedError, type PolicyJson, type ValidationError } from "@cedar-policy/cedar-wasm/nodejs";
import { namedActions, readAnnotations, type Annotations, type Objection } from "./lint.ts";
import { nearest, problemAt, type PolicyProblem } from "./problem.ts";
import { readsOf } from "../decide/reads.ts";
import { actionsOf, schemaOf, type ActionShape, type ToolSet } from "../schema/schema.ts";
import type { Note } from "../schema/shape.ts";
import { offsetOfBytes, placeAt, splitPolicies, type Chunk, type PolicyFile } from "./split.ts";

/** Everything a bundle is made of. */
export interface Source extends ToolSet {
  readonly policies: readonly PolicyFile[];
  /** Who and what there is; without it, names of teams, groups and resources are not checked. */
  readonly registry?: Registry;
  /** Files of cases to keep in the bundle. */
  readonly tests?: readonly PolicyFile[];
}

/** A bundle, or every reason why there is none. `hash` of a refused one is the address of its source. */
export type Compiled =
  | { readonly ok: true; readonly hash: string; readonly bytes: Uint8Array; readonly warnings: readonly PolicyProblem[]; readonly notes: readonly Note[] }
  | { readonly ok: false; readonly hash: string; readonly errors: readonly PolicyProblem[]; readonly warnings: readonly PolicyProblem[]; readonly notes: readonly Note[] };

interface Parsed {
  readonly chunk: Chunk;
  readonly json: PolicyJson;
  readonly annotations: Annotations;
}

/** Names the evaluator and the combining algorithm of a bundle. */
const engineName = (): string => `cedar-wasm/${getCedarVersion()} lanyard/2`;

/**
 * Compiles policies against a catalog: parses each by itself, checks annotations and remedies, validates strictly against the schema
 * generated from the catalog. All errors at once, each with its place. Pure but for the time it takes: 60 ms for a few policies, seconds
 * for a thousand; the compiler does it in a worker. Throws Fault `invalid_config` on a server's name that cannot be an action.
 */
export const compile = (source: Source): Compiled => {
  const { actions, notes } = actionsOf(source);
  const files = source.policies.map(({ file, text }) => ({ file, text: text.toWellFormed() })).sort((left, right) => (left.file < right.file ? -1 : 1));
  const errors: PolicyProblem[] = [];
  const parsed = files.flatMap((file) => splitPolicies(file)).flatMap((chunk) => parse(chunk, errors));
  refuseDuplicates(parsed, errors);
  const { unknown, warnings } = unknownActions(parsed, actions);
  const schema = schemaOf(actions, unknown);
  check(parsed, schema, new Set(unknown), errors, warnings);
  if (errors.length > 0) {
    const hash = addressOf(new TextEncoder().encode(sortedJson({ policies: files, actions } as unknown as Json)));
    return { ok: false, hash, errors: inOrder(errors), warnings: inOrder(warnings), notes };
  }
  const policies = parsed.map(toPolicy).sort((left, right) => (left.id < right.id ? -1 : 1));
  const encoded = encodeBundle({ v: 2, engine: engineName(), policies, actions, schema, tests: source.tests ?? [] });
  return { ok: true, ...encoded, warnings: inOrder(warnings), notes };
};

const inOrder = (problems: readonly PolicyProblem[]): PolicyProblem[] =>
  problems.toSorted((left, right) => left.place.file.localeCompare(right.place.file) || left.place.line - right.place.line || left.place.column - right.place.column);

const objectionIn = (chunk: Chunk, { message, help, find }: Objection): PolicyProblem => {
  const at = find === "" ? -1 : chunk.text.indexOf(find);
  return problemAt(chunk.file, chunk.offset + Math.max(at, 0), at < 0 ? 1 : find.length, message, help);
};

const errorIn = (chunk: Chunk, error: DetailedError, prefix: RegExp): PolicyProblem => {
  const location = error.sourceLocations?.[0];
  const start = offsetOfBytes(chunk.text, location?.start ?? 0);
  const end = offsetOfBytes(chunk.text, location?.end ?? location?.start ?? 0);
  const expected = location && "label" in location && location.label ? `: ${location.label}` : "";
  return problemAt(chunk.file, chunk.offset + start, end - start, error.message.replace(prefix, "") + expected, error.help ?? "");
};

const parse = (chunk: Chunk, errors: PolicyProblem[]): Parsed[] => {
  const answer = policyToJson(chunk.text);
  if (answer.type === "failure") {
    errors.push(...answer.errors.map((error) => errorIn(chunk, error, /^failed to parse policy from string: /)));
    return [];
  }
  if (chunk.keyword < 0 || !chunk.text.startsWith(answer.json.effect, chunk.keyword)) {
    errors.push(problemAt(chunk.file, chunk.offset, 1, "cannot find the word `permit` or `forbid` of this policy"));
    return [];
  }
  const { annotations, objections } = readAnnotations(answer.json);
  errors.push(...objections.map((objection) => objectionIn(chunk, objection)));
  return [{ chunk, json: answer.json, annotations }];
};

const refuseDuplicates = (parsed: readonly Parsed[], errors: PolicyProblem[]): void => {
  const first = new Map<string, Chunk>();
  for (const { chunk, annotations: { id } } of parsed) {
    const before = first.get(id);
    if (before === undefined) first.set(id, chunk);
    else if (id !== "") {
      const { file, line } = placeAt(before.file, before.offset);
      errors.push(objectionIn(chunk, { message: `the id \`${id}\` is taken`, help: `${file}:${line} has it already`, find: "@id" }));
    }
  }
};

/** Actions no catalog knows are no error: policies may be written before their server is there. But they match nothing until then. */
const unknownActions = (parsed: readonly Parsed[], actions: readonly ActionShape[]): { unknown: string[]; warnings: PolicyProblem[] } => {
  const known = new Set(actions.flatMap(({ name, groups }) => [name, ...groups]).concat("read", "write", "egress", "destructive", "money", "exec", "mcp"));
  const unknown = new Set<string>();
  const warnings: PolicyProblem[] = [];
  for (const { chunk, json } of parsed) {
    for (const name of namedActions(json).filter((action) => !known.has(action))) {
      unknown.add(name);
      const near = nearest(name, known);
      const help = near === null ? "the policy matches no call until a server has it and its definition is approved" : `did you mean \`${near}\`?`;
      warnings.push(objectionIn(chunk, { message: `no catalog knows the action \`${name}\``, help, find: JSON.stringify(name) }));
    }
  }
  return { unknown: [...unknown].sort(), warnings };
};

/** Strict validation of all policies at once: a call costs some 50 ms for the schema alone. */
const check = (parsed: readonly Parsed[], schema: unknown, unknown: ReadonlySet<string>, errors: PolicyProblem[], warnings: PolicyProblem[]): void => {
  const staticPolicies = Object.fromEntries(parsed.map(({ chunk }, index) => [`${index}`, chunk.text]));
  const answer = validate({ validationSettings: { mode: "strict" }, schema: schema as string, policies: { staticPolicies } });
  if (answer.type === "failure") {
    for (const { message } of answer.errors) errors.push(problemAt({ file: "(schema of the catalog)", text: "" }, 0, 0, message));
    return;
  }
  const report = (found: readonly ValidationError[], into: PolicyProblem[]): void => {
    for (const { chunk, error, more } of folded(found, parsed)) {
      const problem = errorIn(chunk, error, /^for policy `[^`]*`, /);
      into.push(more === 0 ? problem : { ...problem, message: `${problem.message} (and for ${more} more actions)` });
    }
  };
  report(answer.validationErrors, errors);
  // A policy that names an unknown action or is in error matches nothing either; that is said already, with a better place.
  const said = new Set(answer.validationErrors.map(({ policyId }) => policyId));
  parsed.forEach(({ json }, index) => namedActions(json).some((name) => unknown.has(name)) && said.add(`${index}`));
  report(answer.validationWarnings.filter(({ policyId }) => !said.has(policyId)), warnings);
};

/** Cedar reports a fault once for every action that the policy applies to, in any order: one of each kind and place is enough. */
const folded = (found: readonly ValidationError[], parsed: readonly Parsed[]): { chunk: Chunk; error: DetailedError; more: number }[] => {
  const groups = new Map<string, { chunk: Chunk; error: DetailedError; more: number }>();
  for (const { policyId, error } of found.toSorted((left, right) => (left.error.message < right.error.message ? -1 : 1))) {
    const key = JSON.stringify([policyId, error.sourceLocations, error.message.replace(/Action::"(?:[^"\\]|\\.)*"/g, "")]);
    const group = groups.get(key);
    const chunk = parsed[Number(policyId)]?.chunk;
    if (group !== undefined) group.more += 1;
    else if (chunk !== undefined) groups.set(key, { chunk, error, more: 0 });
  }
  return [...groups.values()];
};

/** A team owns the files below `teams/<team>/`; every other file is the organisation's. */
const teamOf = (file: string): string => /^teams\/([^/]+)\//.exec(file)?.[1] ?? "";

const toPolicy = ({ chunk, json, annotations }: Parsed): Policy => ({
  ...annotations,
  effect: json.effect,
  file: chunk.file.file,
  line: placeAt(chunk.file, chunk.offset).line,
  column: placeAt(chunk.file, chunk.offset).column,
  text: chunk.text,
  keyword: chunk.keyword,
  unconditional: json.conditions.length === 0,
  reads: readsOf(json),
  team: teamOf(chunk.file.file),
  conditions: json.conditions as unknown as Policy["conditions"],
  head: { principal: json.principal as Scope, action: json.action as Scope, resource: json.resource as Scope },
});
