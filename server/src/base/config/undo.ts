import { reversibilities, worstOf, type Json, type Reversibility } from "@lanyard/contract";
import { z } from "zod";
import { limits } from "../limits.ts";
import type { UndoCondition, ContractUse, Gate, InverseCall, StateReading, UndoTemplate, UndoCase } from "../undo/contract.ts";
import { conditionProblem, templateProblem } from "../undo/mapping.ts";
import { dialectNames } from "../undo/sql-statement.ts";

// `undo:` of a tool's contract, as it is written. What each key means stands in base/undo/contract.ts.

const text = z.string().max(4096);
const template = z.json();
const stateName = z.string().regex(/^[a-z][a-z0-9_]{0,31}$/, "a name here is small letters, digits and `_`");
const at = { at: template };
const condition: z.ZodType<UndoCondition> = z.lazy(() =>
  z.union(
    [
      z.strictObject({ not: condition }),
      z.strictObject({ any: z.array(condition).min(1).max(64) }),
      z.strictObject({ ...at, is: template }),
      z.strictObject({ ...at, in: z.array(z.json()).min(1).max(1000) }),
      z.strictObject({ ...at, like: text }),
      z.strictObject({ ...at, there: z.boolean() }),
      z.strictObject({ ...at, sql: z.array(text).min(1).max(64) }),
      z.strictObject({ ...at, rows: z.enum(dialectNames) }),
    ],
    "a condition is `{at, is}`, `{at, in}`, `{at, like}`, `{at, there}`, `{at, sql}`, `{at, rows}`, `{not}` or `{any}`",
  ),
);
const conditions = z.array(condition).max(64);

const reading = z
  .strictObject({ tool: text.optional(), args: template.optional(), files: template.optional(), rows: z.strictObject({ of: template, on: z.enum(dialectNames) }).optional(), keep: template.optional(), absent: conditions.optional(), before: z.literal("absent").optional() })
  .refine(({ tool, files }) => (tool === undefined) !== (files === undefined), "a reading has `tool`, which is called, or `files`, a list of `{path, deep, way, must, except}`")
  .refine(({ tool, rows }) => rows === undefined || tool !== undefined, "`rows` needs the `tool` that takes SQL")
  .refine(({ files, rows, args, keep, absent, before }) => (files ?? rows) === undefined || (args ?? keep ?? absent ?? before) === undefined, "nothing else goes with `files` or `rows`");

const readings = z.record(stateName, reading).refine((some) => Object.keys(some).length <= limits.undo_readings.value, `more readings than the limit undo_readings (${limits.undo_readings.value})`);

const inverse = z
  .strictObject({ when: conditions.optional(), tool: text.optional(), args: template.optional(), each: template.optional(), restore: stateName.optional() })
  .refine(({ tool, restore }) => (tool === undefined) !== (restore === undefined), "an inverse has `tool`, which is called, or `restore`, the name of a state of `files` or `rows`");

const gate = z
  .strictObject({ says: text.min(1), when: conditions.optional(), after: text.optional(), read: reading.optional(), older_than_minutes: z.int().min(1).max(5_256_000).optional() })
  .refine(({ after, read, older_than_minutes: old }) => [after, read, old].filter((one) => one !== undefined).length === 1, "a gate has one of `after` (an action), `read` and `older_than_minutes`");

const oneCase = z
  .strictObject({
    when: conditions.optional(),
    class: z.enum(reversibilities),
    before: readings.optional(),
    state: readings.optional(),
    of: template.optional(),
    expect: z.record(stateName, template).optional(),
    inverse: z.array(inverse).max(64).optional(),
    gates: z.array(gate).max(32).optional(),
    residue: text.optional(),
    unread: z.enum(["refuse", "proceed"]).optional(),
    stage_seconds: z.int().min(1).max(limits.held_ms.value / 1000).optional(),
  })
  .superRefine((one, context) => {
    const wrong = (message: string, path: readonly PropertyKey[]) => context.addIssue({ code: "custom", message, path: [...path] });
    for (const [message, key] of misfits(one)) wrong(message, [key]);
    for (const problem of templateProblems(one)) wrong(problem.message, problem.path);
  });

type CaseFile = z.infer<typeof oneCase>;

/** Cases in their order: the first that fits says. */
export const undoShape = z.array(oneCase).min(1).max(64);

/** Which ready contract a server's tools have, and what is particular to this server. */
export const contractUseShape = z.union([text, z.strictObject({ use: text, root: text.optional(), when: conditions.optional() })], "the name of a ready contract, or `{use, root, when}`");

/** What cannot stand together in a case. */
function* misfits({ class: of, state, inverse: calls, unread, stage_seconds: stage, expect, gates }: CaseFile): Generator<[message: string, key: string]> {
  const backs = of === "reversible" || of === "compensable";
  if (of === "read" && (state || calls || stage)) yield ["what is only read has nothing to take back or to hold", "class"];
  if (of === "reversible" && !state) yield ["`reversible` needs a `state`: without reading it again nobody can say that it was restored", "class"];
  if (backs && !calls) yield [`\`${of}\` needs an \`inverse\``, "class"];
  if (!backs && (calls || gates)) yield [`what is \`${of}\` has no inverse`, calls ? "inverse" : "gates"];
  if (of === "reversible" && unread === "proceed") yield ["policy counts on `reversible`: what cannot be read before is refused", "unread"];
  for (const name of Object.keys(expect ?? {})) if (!Object.hasOwn(state ?? {}, name)) yield [`no state \`${name}\` is read`, "expect"];
}

type Problem = NonNullable<ReturnType<typeof templateProblem>>;

function* templateProblems(one: CaseFile): Generator<Problem> {
  const known = ["args", "root"];
  const settled = [...known, "before", "result", "after"];
  yield* inConditions(one.when, known, ["when"]);
  for (const [name, entry] of Object.entries(one.before ?? {})) yield* inReading(entry, [...known, "before"], ["before", name]);
  for (const [name, entry] of Object.entries(one.state ?? {})) yield* inReading(entry, [...known, "before", ...(entry.before === "absent" ? ["result"] : [])], ["state", name]);
  yield* inTemplate(one.of, [...known, "before"], ["of"]);
  for (const [name, entry] of Object.entries(one.expect ?? {})) yield* inTemplate(entry, [...known, "before", "result"], ["expect", name]);
  for (const [index, call] of (one.inverse ?? []).entries()) {
    const roots = call.each === undefined ? settled : [...settled, "item"];
    yield* inTemplate(call.each, settled, ["inverse", index, "each"]);
    yield* inConditions(call.when, roots, ["inverse", index, "when"]);
    yield* inTemplate(call.args, roots, ["inverse", index, "args"]);
    if (call.restore !== undefined && (one.state?.[call.restore]?.files ?? one.state?.[call.restore]?.rows) === undefined) yield { path: ["inverse", index, "restore"], message: `no state \`${call.restore}\` is read with \`files\` or \`rows\`` };
  }
  for (const [index, entry] of (one.gates ?? []).entries()) {
    if (entry.read) yield* inReading(entry.read, settled, ["gates", index, "read"]);
    yield* inConditions(entry.when, [...settled, ...(entry.after === undefined ? [] : ["later"]), ...(entry.read === undefined ? [] : ["answer"])], ["gates", index, "when"]);
  }
}

function* inTemplate(part: Json | undefined, roots: readonly string[], path: readonly PropertyKey[]): Generator<Problem> {
  const problem = part === undefined ? null : templateProblem(part, roots, path);
  if (problem) yield problem;
}

function* inConditions(some: readonly UndoCondition[] | undefined, roots: readonly string[], path: readonly PropertyKey[]): Generator<Problem> {
  for (const [index, one] of (some ?? []).entries()) {
    const problem = conditionProblem(one, roots, [...path, index]);
    if (problem) yield problem;
  }
}

function* inReading(entry: z.infer<typeof reading>, roots: readonly string[], path: readonly PropertyKey[]): Generator<Problem> {
  yield* inTemplate(entry.args, roots, [...path, "args"]);
  yield* inTemplate(entry.files, roots, [...path, "files"]);
  yield* inTemplate(entry.rows?.of, roots, [...path, "rows", "of"]);
  yield* inTemplate(entry.keep, [...roots, "answer"], [...path, "keep"]);
  yield* inConditions(entry.absent, [...roots, "answer"], [...path, "absent"]);
}

const whole: UndoTemplate = { $: "/answer" };

const readingOf = ({ tool, args = {}, files, rows, keep = whole, absent = [], before }: z.infer<typeof reading>): StateReading => ({ tool: tool ?? null, args, files: files ?? null, rows: rows ?? null, keep, absent, made: before === "absent" });

const readingsOf = (some: z.infer<typeof readings> = {}): ReadonlyMap<string, StateReading> => new Map(Object.entries(some).map(([name, entry]) => [name, readingOf(entry)]));

const inverseOf = ({ when = [], tool, args = {}, each, restore }: z.infer<typeof inverse>): InverseCall => ({ when, tool: tool ?? null, args, each: each ?? null, restore: restore ?? null });

function gateOf({ says, when = [], after, read, older_than_minutes: old = 0 }: z.infer<typeof gate>): Gate {
  if (after !== undefined) return { says, when, after };
  return read === undefined ? { says, when, olderThanMs: old * 60_000 } : { says, when, read: readingOf(read) };
}

/** A case as the daemon uses it. `also`: conditions that hold beside its own. */
export const undoCaseOf = (one: CaseFile, also: readonly UndoCondition[] = []): UndoCase => ({
  when: [...also, ...(one.when ?? [])],
  class: one.class,
  before: readingsOf(one.before),
  state: readingsOf(one.state),
  of: one.of ?? null,
  expect: new Map(Object.entries(one.expect ?? {})),
  inverse: (one.inverse ?? []).map(inverseOf),
  gates: (one.gates ?? []).map(gateOf),
  residue: one.residue ?? "",
  unread: one.unread ?? "refuse",
  stageMs: (one.stage_seconds ?? 0) * 1000,
});

export const contractUseOf = (use: z.infer<typeof contractUseShape>): ContractUse => (typeof use === "string" ? { use, root: null, when: [] } : { use: use.use, root: use.root ?? null, when: use.when ?? [] });

/** All tools that the readings of a case call, and where. */
export function* toolsRead({ before = {}, state = {}, gates = [] }: CaseFile): Generator<{ readonly tool: string; readonly path: readonly PropertyKey[] }> {
  for (const [key, some] of [["before", before], ["state", state]] as const) for (const [name, { tool }] of Object.entries(some)) if (tool !== undefined) yield { tool, path: [key, name, "tool"] };
  for (const [index, { read }] of gates.entries()) if (read?.tool !== undefined) yield { tool: read.tool, path: ["gates", index, "read", "tool"] };
}

/** All that a call can be by these cases, best first; `otherwise` where none fits. */
export const classesIn = (cases: readonly { readonly class: Reversibility; readonly when?: readonly unknown[] | undefined }[], otherwise: Reversibility): readonly Reversibility[] => {
  const always = cases.findIndex(({ when = [] }) => when.length === 0);
  const named = new Set([...(always < 0 ? cases : cases.slice(0, always + 1)).map((one) => one.class), ...(always < 0 ? [otherwise] : [])]);
  return reversibilities.filter((one) => named.has(one));
};

/** What the contract says of all calls together: the worst, and all there are where that is more than one. */
export const reversibilityOf = (classes: readonly Reversibility[]): { readonly reversibility: Reversibility; readonly classes?: readonly Reversibility[] } => ({ reversibility: worstOf(classes), ...(classes.length > 1 && { classes }) });
