import type { ResourceFact } from "@lanyard/contract";
import { z } from "zod";
import { patternProblem } from "../labels/patterns.ts";
import { isTrustedPlace, type ResourceTrust } from "./resource-trust.ts";
import type { Path } from "./source.ts";

/** What the results of a server or a tool are, as the organisation says. */
export interface Yields {
  /** Sorted. */
  readonly labels: readonly string[];
  /** Whether what it gives may be acted on as if it came from the organisation: recipients, amounts. */
  readonly trust: "trusted" | "untrusted";
  /** Fields of which the contrary holds, with all that is below them: what people type into a record that the organisation keeps. */
  readonly except: ReadonlySet<string>;
  /**
   * Fields that say who wrote a record, by name, each with those whose word it is trusted as: addresses, domains of addresses, other values as they stand, in
   * lower case (`true` where it is yes or no). A record of anybody else is not trusted.
   */
  readonly author: ReadonlyMap<string, ReadonlySet<string>>;
}

/** Data classes of the organisation's own. */
export interface OwnLabels {
  /** By name, RE2 patterns. */
  readonly patterns: ReadonlyMap<string, { readonly re2: string; readonly label: string }>;
  /** By name, files of values, one a line. `file`: absolute. */
  readonly sets: ReadonlyMap<string, { readonly file: string; readonly label: string }>;
}

export const labelShape = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, "a label is 1 to 64 letters, digits, `.`, `_` or `-`, and starts with a letter or digit");

const fieldName = z.string().min(1).max(256);
export const yieldsShape = z.strictObject({
  labels: z.array(labelShape).max(64).optional(),
  trust: z.enum(["trusted", "untrusted"]).optional(),
  except: z.array(fieldName).max(64).optional(),
  author: z.record(fieldName, z.array(z.union([z.string().min(1).max(256), z.boolean()]).transform(String)).min(1).max(256)).optional(),
});
export type YieldsFile = z.infer<typeof yieldsShape>;
/** Of a resource: its labels stand beside it. */
export const trustShape = yieldsShape.pick({ trust: true });

export const labelsShape = z.strictObject({
  patterns: z.record(labelShape, z.strictObject({ re2: z.string().min(1), label: labelShape })).optional(),
  sets: z.record(labelShape, z.strictObject({ file: z.string().min(1).max(4096), label: labelShape })).optional(),
});
type LabelsFile = z.infer<typeof labelsShape>;

/** Patterns of one daemon: each is run over everything that is looked at. */
const mostPatterns = 64;

/** That every pattern can be run. */
export function checkLabels({ patterns = {} }: LabelsFile, problem: (path: Path, message: string) => void): void {
  const named = Object.entries(patterns);
  if (named.length > mostPatterns) problem(["labels", "patterns"], `there are ${named.length} patterns; ${mostPatterns} are allowed`);
  for (const [name, { re2 }] of named.slice(0, mostPatterns)) {
    const wrong = patternProblem(re2);
    if (wrong !== null) problem(["labels", "patterns", name, "re2"], wrong);
  }
}

export const ownLabels = ({ patterns = {}, sets = {} }: LabelsFile, absolute: (path: string) => string): OwnLabels => ({
  patterns: new Map(Object.entries(patterns)),
  sets: new Map(Object.entries(sets).map(([name, { file, label }]) => [name, { file: absolute(file), label }])),
});

/**
 * A tool's own words count before its server's, each by itself, and both before those of what a call touches, all of which must be trusted; where all are
 * silent, nothing is trusted. Labels of what is touched are no part of it.
 */
export function yieldsOf({ yields, trust: places }: { readonly yields: ReadonlyMap<string, YieldsFile>; readonly trust: ReadonlyMap<string, ResourceTrust> }, server: string, action: string, touched: readonly ResourceFact[] = []): Yields {
  const own = yields.get(action);
  const all = yields.get(server);
  const said = own?.trust === undefined && own?.except === undefined && own?.author === undefined ? all : own;
  const trust = touched.length > 0 && touched.every((resource) => isTrustedPlace(places, resource)) ? "trusted" : "untrusted";
  const author = new Map(Object.entries(said?.author ?? {}).map(([field, known]) => [field, new Set(known.map((one) => one.toLowerCase()))] as const));
  return { labels: [...new Set(own?.labels ?? all?.labels ?? [])].sort(), trust: said?.trust ?? trust, except: new Set(said?.except ?? []), author };
}
