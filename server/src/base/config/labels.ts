import { parseJson, type ResourceFact } from "@lanyard/contract";
import { z } from "zod";
import { patternProblem } from "../labels/patterns.ts";
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

/** What a resource is called among those that `yields` speaks of: no server and no tool has such a name. */
export const resourceKey = ({ type, id }: Pick<ResourceFact, "type" | "id">): string => `${type}::${JSON.stringify(id)}`;

/** Whether a name of resources stands for all that begin so: `/work/*`. `*` alone is every other. */
export const isBeginning = (id: string): boolean => id.length > 1 && id.endsWith("*");

/** By type, what is said of resources whose names begin so, the longest first. */
const known = new WeakMap<ReadonlyMap<string, YieldsFile>, ReadonlyMap<string, readonly (readonly [string, YieldsFile])[]>>();

function beginningsIn(yields: ReadonlyMap<string, YieldsFile>): ReadonlyMap<string, readonly (readonly [string, YieldsFile])[]> {
  let found = known.get(yields);
  if (found === undefined) {
    const all = [...yields].flatMap(([key, one]) => {
      const at = key.indexOf('::"');
      const id = at < 0 ? "" : (parseJson(key.slice(at + 2)) as string);
      return isBeginning(id) ? [{ type: key.slice(0, at), one: [placeOf(id.slice(0, -1)) ?? "", one] as const }] : [];
    });
    found = new Map([...Map.groupBy(all, ({ type }) => type)].map(([type, ofType]) => [type, ofType.map(({ one }) => one).sort(([a], [b]) => b.length - a.length)]));
    known.set(yields, found);
  }
  return found;
}

/** A name as it is compared with such beginnings: without regard to case, as a path without what leads nowhere; null where it may lead elsewhere. */
const placeOf = (id: string): string | null => (/[\\%]|(?:^|\/)\.\.(?:\/|$)/.test(id) ? null : id.toLowerCase().replace(/\/(?:\.?\/)+/g, "/").replace(/^(?:\.?\/)+/, ""));

/** What is said of a resource: by its name, by the longest beginning of it, or of all others. */
function ofResource(yields: ReadonlyMap<string, YieldsFile>, { type, id }: Pick<ResourceFact, "type" | "id">): YieldsFile | undefined {
  const own = yields.get(resourceKey({ type, id }));
  if (own !== undefined) return own;
  const beginnings = beginningsIn(yields).get(type);
  if (beginnings !== undefined) {
    const place = placeOf(id);
    if (place === null) return undefined;
    const [, found] = beginnings.find(([beginning]) => place.startsWith(beginning)) ?? [];
    if (found !== undefined) return found;
  }
  return yields.get(resourceKey({ type, id: "*" }));
}

/**
 * A tool's own words count before its server's, each by itself, and both before those of what a call touches, all of which must be trusted; where all are
 * silent, nothing is trusted. Labels of what is touched are no part of it.
 */
export function yieldsOf({ yields }: { readonly yields: ReadonlyMap<string, YieldsFile> }, server: string, action: string, touched: readonly ResourceFact[] = []): Yields {
  const own = yields.get(action);
  const all = yields.get(server);
  const said = own?.trust === undefined && own?.except === undefined && own?.author === undefined ? all : own;
  const ofTouched = touched.map((resource) => ofResource(yields, resource));
  const trust = ofTouched.length > 0 && ofTouched.every((one) => one?.trust === "trusted") ? "trusted" : "untrusted";
  const author = new Map(Object.entries(said?.author ?? {}).map(([field, known]) => [field, new Set(known.map((one) => one.toLowerCase()))] as const));
  return { labels: [...new Set(own?.labels ?? all?.labels ?? [])].sort(), trust: said?.trust ?? trust, except: new Set(said?.except ?? []), author };
}
