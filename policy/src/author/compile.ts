import { addressOf, encodeBundle, sortedJson, type Policy } from "../bundle.ts";
import { Fault, type Json, type Registry } from "@lanyard/contract";
import { actionsOf, resourceTypesOf, schemaOf, type ActionShape, type CedarSchema, type ToolSet } from "../schema/schema.ts";
import type { Note } from "../schema/shape.ts";
import { factWarnings } from "./facts-lint.ts";
import { hiddenParts, hiddenWarnings, type HiddenParts } from "./hidden.ts";
import { Memory } from "./memory.ts";
import type { PolicyProblem } from "./problem.ts";
import { flawAt, problemIn, readPolicy, type Meaning, type Reading } from "./reading.ts";
import { placeAt, splitPolicies, type Chunk, type PolicyFile } from "./split.ts";
import { checkTemporal } from "../temporal/check.ts";
import type { HistoryLeaf } from "../temporal/leaf.ts";
import { teamOf, tierObjections } from "./tiers.ts";
import { namesOf, unmatched } from "./unmatched.ts";
import { openWorld, validateAll, type ActionWorld, type Validity } from "./validate.ts";

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

/** What is kept from one compilation to the next, so that only what changed is parsed and validated again. Bounded. */
export interface CompilerMemory {
  readonly readings: Memory<Reading>;
  readonly verdicts: Memory<Validity>;
  readonly footings: Memory<Footing>;
}

/** What follows from the catalog and the types of resources alone. */
interface Footing {
  readonly actions: readonly ActionShape[];
  readonly notes: readonly Note[];
  readonly hidden: HiddenParts;
  readonly world: ActionWorld;
  /** By the actions that no catalog knows. */
  readonly schemas: Memory<CedarSchema>;
}

const remembered = { readings: 20_000, verdicts: 40_000, footings: 1, schemas: 2 } as const;

export const newMemory = (): CompilerMemory => ({ readings: new Memory(remembered.readings), verdicts: new Memory(remembered.verdicts), footings: new Memory(remembered.footings) });

/** Past so many policies nothing is compiled, past so many errors nothing more is looked at. */
const bounds = { policies: 20_000, errors: 500 } as const;

interface Written {
  readonly chunk: Chunk;
  readonly text: string;
  readonly meaning: Meaning;
}

/** Names the evaluator and the combining algorithm of a bundle. */
const engineName = "lanyard/3 cedar/4.5";

/** Called now and then with how many policies are done, of how many. */
export type Progress = (done: number, total: number) => void;

/**
 * Compiles policies against a catalog: parses each by itself, checks annotations, remedies and tiers, validates strictly against the schema
 * generated from the catalog. All errors at once, each with its place. Pure but for the time it takes, a millisecond for a policy that
 * `memory` does not know: the compiler does it in a worker. Throws Fault `invalid_config` on a server's name that cannot be an
 * action, and when the parser breaks on a policy: this thread is then of no more use.
 */
export const compile = (source: Source, memory: CompilerMemory = newMemory(), progress: Progress = () => {}): Compiled => {
  const { actions, notes, hidden, world, schemas } = footingOf(source, memory);
  const files = source.policies.map(({ file, text }) => ({ file, text: text.toWellFormed() })).sort((left, right) => (left.file < right.file ? -1 : 1));
  const errors: PolicyProblem[] = [];
  const warnings: PolicyProblem[] = [];
  const refused = (): Compiled => {
    const hash = addressOf(new TextEncoder().encode(sortedJson({ policies: files, actions, registry: source.registry } as unknown as Json)));
    return { ok: false, hash, errors: inOrder(errors), warnings: inOrder(warnings), notes };
  };
  const chunks = files.flatMap((file) => splitPolicies(file));
  const excess = chunks[bounds.policies];
  if (excess !== undefined) errors.push(problemIn(excess, { at: 0, length: 1, message: `there are more than ${bounds.policies} policies`, help: "write rules on groups, classes and labels instead of one for each name" }));
  if (excess !== undefined) return refused();
  const written = readAll(chunks, memory.readings, errors, progress);
  if (errors.length > bounds.errors) return refused();
  refuseDuplicates(written, errors);
  const names = namesOf(source.registry, source.servers);
  for (const { chunk, text, meaning } of written) {
    errors.push(...tierObjections(chunk.file.file, meaning, source.registry).map((objection) => problemIn(chunk, flawAt(text, objection))));
    errors.push(...checkTemporal(meaning, world).map((flaw) => problemIn(chunk, flaw)));
    warnings.push(...[...unmatched(meaning, names, world), ...factWarnings(meaning), ...hiddenWarnings(meaning, hidden)].map((objection) => problemIn(chunk, flawAt(text, objection))));
  }
  const verdicts = guarded(written, () => validateAll(written, world, memory.verdicts, (done) => progress(Math.floor((chunks.length + done) / 2), chunks.length)));
  verdicts.forEach((verdict, index) => {
    const chunk = written[index]?.chunk;
    if (chunk === undefined) return;
    errors.push(...verdict.errors.map((flaw) => problemIn(chunk, flaw)));
    warnings.push(...verdict.warnings.map((flaw) => problemIn(chunk, flaw)));
  });
  if (errors.length > 0) return refused();
  const policies = written.map(toPolicy).sort((left, right) => (left.id < right.id ? -1 : 1));
  const unknown = new Set(written.flatMap(({ meaning }) => meaning.actions.filter((name) => !world.known.has(name))));
  const leaves = leavesIn(policies);
  const schema = recalled(schemas, [[...unknown].sort(), leaves] as const, ([names]) => schemaOf(actions, { unknown: names, types: world.types, leaves }));
  const tests = (source.tests ?? []).toSorted((left, right) => (left.file < right.file ? -1 : 1));
  const encoded = encodeBundle({ v: 3, engine: engineName, policies, actions, schema, tests });
  return { ok: true, ...encoded, warnings: inOrder(warnings), notes };
};

/** Each question to history once, by name. */
const leavesIn = (policies: readonly Policy[]): Pick<HistoryLeaf, "id" | "type">[] => {
  const found = new Map(policies.flatMap(({ leaves = [] }) => leaves.map(({ id, type }) => [id, { id, type }] as const)));
  return [...found.values()].sort((left, right) => (left.id < right.id ? -1 : 1));
};

/** The same catalog gives the same objects, so that what was made of them need not be made again. */
const footingOf = ({ servers, tools, registry }: Source, memory: CompilerMemory): Footing =>
  recalled(memory.footings, [servers, tools, registry?.resources] as const, () => {
    const { actions, notes } = actionsOf({ servers, tools });
    return { actions, notes, hidden: hiddenParts(notes), world: openWorld(actions, resourceTypesOf(actions, registry)), schemas: new Memory(remembered.schemas) };
  });

const recalled = <K, V>(memory: Memory<V>, key: K, make: (key: K) => V): V => {
  const name = JSON.stringify(key);
  const known = memory.get(name);
  if (known !== undefined) return known;
  const made = make(key);
  memory.set(name, made);
  return made;
};

const inOrder = (problems: readonly PolicyProblem[]): PolicyProblem[] =>
  problems.toSorted((left, right) => left.place.file.localeCompare(right.place.file) || left.place.line - right.place.line || left.place.column - right.place.column);

/** Reads all policies, or as many as there are errors to tell. Parsing counts for half of the work, validation for the other half. */
const readAll = (chunks: readonly Chunk[], readings: Memory<Reading>, errors: PolicyProblem[], progress: Progress): Written[] => {
  const written: Written[] = [];
  for (const [index, chunk] of chunks.entries()) {
    if (index % 64 === 0) progress(Math.floor(index / 2), chunks.length);
    written.push(...read(chunk, readings, errors));
    if (errors.length < bounds.errors || index === chunks.length - 1) continue;
    errors.push(problemIn(chunk, { at: 0, length: 1, message: `more than ${bounds.errors} errors: what follows was not looked at`, help: "" }));
    break;
  }
  return written;
};

const read = (chunk: Chunk, readings: Memory<Reading>, errors: PolicyProblem[]): Written[] => {
  const known = readings.get(chunk.text);
  const reading = known ?? guarded([{ chunk }], () => readPolicy(chunk));
  if (known === undefined) readings.set(chunk.text, reading);
  errors.push(...reading.flaws.map((flaw) => problemIn(chunk, flaw)));
  return reading.meaning === null ? [] : [{ chunk, text: chunk.text, meaning: reading.meaning }];
};

/** The parser is recursive and has no bounds of its own. Those we set keep it whole; should it break all the same, the author hears where. */
const guarded = <T>(at: readonly { readonly chunk: Chunk }[], work: () => T): T => {
  try {
    return work();
  } catch (cause) {
    if (!(cause instanceof RangeError || (cause instanceof Error && cause.name === "RuntimeError"))) throw cause; // the stack's end, or wasm's
    const first = at[0]?.chunk;
    const place = first === undefined ? null : placeAt(first.file, first.offset);
    throw new Fault("invalid_config", `${place === null ? "" : `${place.file}:${place.line}:${place.column}: `}cedar broke down on ${at.length === 1 ? "this policy" : `one of ${at.length} policies that begin here`}; write it more simply`, { cause });
  }
};

/** An id that a team takes from the organisation is the team's fault, whatever order the files come in. */
const refuseDuplicates = (written: readonly Written[], errors: PolicyProblem[]): void => {
  const first = new Map<string, Chunk>();
  const inTiers = [...written.filter(({ chunk }) => teamOf(chunk.file.file) === ""), ...written.filter(({ chunk }) => teamOf(chunk.file.file) !== "")];
  for (const { chunk, text, meaning: { id } } of inTiers) {
    const before = first.get(id);
    if (before === undefined) first.set(id, chunk);
    else if (id !== "") {
      const { file, line } = placeAt(before.file, before.offset);
      errors.push(problemIn(chunk, flawAt(text, { message: `the id \`${id}\` is taken`, help: `${file}:${line} has it already`, find: "@id" })));
    }
  }
};

const toPolicy = ({ chunk, text, meaning }: Written): Policy => {
  const { id, reason, remedy, approvers, severity, effect, head, conditions, reads, keyword, hoisted } = meaning;
  const { file, line, column } = placeAt(chunk.file, chunk.offset);
  return { id, reason, remedy, approvers, severity, effect, head, conditions, reads, file, line, column, text, keyword, unconditional: conditions.length === 0, team: teamOf(file), ...(hoisted.leaves.length > 0 && { cedar: hoisted.text, leaves: hoisted.leaves }) };
};
