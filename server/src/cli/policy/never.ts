import { Fault, webServer } from "@lanyard/contract";
import { actionsOf, decodeBundle, nearest, shapeAt, Solver, type Ground, type PolicyFile, type PolicyProblem, type Shape } from "@lanyard/policy";
import { systemClock } from "../../base/clock.ts";
import { defaultLimits } from "../../base/limits.ts";

// What compiles and yet does nothing: policies that no call can match, contracts that no tool has.

const reasons = {
  unused: { message: "the policy matches no call: its head names no registered agent, or no tool that there is", help: "" },
  never: { message: "the policy matches no call: its conditions never hold (proved in the model)", help: "`lanyard policy analyse` looks for more that changes nothing" },
} as const;

/**
 * Policies that match no call, but for those that `known` warnings are about already; and what the solver could not say in time. A forbid of
 * what no tool does yet is a guard, and where there are no tools but the web every policy waits for some.
 */
export async function matchlessWarnings(bytes: Uint8Array, { registry, tools }: Ground, { policies, known, progress }: { policies: readonly PolicyFile[]; known: readonly PolicyProblem[]; progress: (done: number, total: number) => void }): Promise<{ warnings: PolicyProblem[]; unsaid: string }> {
  await using solver = new Solver({ after: systemClock.after, patienceMs: defaultLimits.compile_ms });
  try {
    const found = await solver.matchless(bytes, registry, progress);
    const lines = new Map(policies.map(({ file, text }) => [file, text.split("\n")]));
    const written = decodeBundle(bytes).policies;
    const ends = new Map(written.map(({ file, line, text }) => [`${file}:${line}`, line + text.split("\n").length]));
    const guards = new Set(written.filter(({ effect }) => effect === "forbid" || tools.every(({ server }) => server === webServer)).map(({ id }) => id));
    const isKnown = (file: string, line: number): boolean => known.some(({ place }) => place.file === file && place.line >= line && place.line < (ends.get(`${file}:${line}`) ?? line));
    const warnings = found.filter(({ policy, file, line, finding }) => !isKnown(file, line) && !(finding === "unused" && guards.has(policy))).map(({ file, line, finding }): PolicyProblem => {
      const text = lines.get(file)?.[line - 1] ?? "";
      return { place: { file, line, column: 1 }, ...reasons[finding], excerpt: `${text}\n^` };
    });
    return { warnings, unsaid: "" };
  } catch (error) {
    if (error instanceof Fault && error.code === "engine_unavailable") return { warnings: [], unsaid: error.message };
    throw error;
  }
}

/** Contracts of lanyard.yaml that say nothing: of tools that a server with approved ones does not have, or about an argument that the tool does not have. */
export function idleContracts({ servers, tools, contracts = [] }: Ground): string[] {
  const known = new Set(tools.map(({ server, tool }) => `${server}/${tool}`));
  const looked = new Set(tools.map(({ server }) => server));
  const absent = contracts.filter((name) => !known.has(name) && looked.has(name.slice(0, name.indexOf("/")))).map((name) => {
    const near = nearest(name, known);
    return `the contract of \`${name}\` in lanyard.yaml is of no approved tool${near === null ? ", so it puts none into its groups" : `; did you mean \`${near}\`?`}`;
  });
  const misdirected = actionsOf({ servers, tools }).actions.flatMap(({ name, contract, input }) => {
    const path = contract?.resource?.argument;
    const place = path && shapeAt(input, path);
    if (path === undefined || (place && isText(place))) return [];
    const near = nearest(path.join("."), pathsIn(input, ""));
    return [`the contract of \`${name}\` in lanyard.yaml names the argument \`${path.join(".")}\`, which the tool's schema does not declare as a text: calls without one are denied${near === null ? "" : `; did you mean \`${near}\`?`}`];
  });
  return [...absent, ...misdirected];
}

/** Whether something is a text, or texts. */
const isText = (shape: Shape): boolean => {
  if (shape.kind === "set") return isText(shape.of);
  return shape.kind === "tagged" ? shape.of.some(isText) : shape.kind === "string";
};

const pathsIn = (shape: Shape, before: string): string[] => {
  if (shape.kind === "set") return pathsIn(shape.of, before);
  return shape.kind === "record" ? shape.fields.flatMap(({ name, shape: below }) => [`${before}${name}`, ...pathsIn(below, `${before}${name}.`)]) : [];
};
