import { Fault, isObject, type Json, type JsonObject, type Registry, type ResourceFact, type ToolContract } from "@lanyard/contract";

/** How many resources one call may name, and how many characters one name may have. */
export interface ResourceBounds {
  readonly count: number;
  readonly chars: number;
}

/** The server's limits `call_resources` and `resource_chars`, where nobody lowered them. */
const usual: ResourceBounds = { count: 64, chars: 1024 };

/**
 * What a call touches, as the tool's contract says: the strings its argument holds, each once and sorted, with what the organisation says of
 * them. An array on the way or at the end names several. Empty when the contract names no resource. Throws Fault `malformed_call` when
 * the argument is not there or holds anything else: a call whose resource is unknown is not decided.
 */
export const resourcesOf = ({ resource }: ToolContract, known: Registry["resources"], args: JsonObject, bounds: ResourceBounds = usual): ResourceFact[] => {
  if (resource === undefined) return [];
  const { type, argument } = resource;
  const refuse = (why: string): Fault => new Fault("malformed_call", `argument \`${argument.join(".")}\` ${why}`); // never the value: it may be a secret
  const values = valuesAt(args, argument, bounds.count);
  if (values.length === 0) throw refuse(`names nothing, and the call must say what it touches (a ${type})`);
  // Invariant: too many are refused, never cut short: the one left out would be touched undecided.
  if (values.length > bounds.count) throw refuse(`names more than ${bounds.count} resources (limit call_resources)`);
  const entries = Object.hasOwn(known, type) ? (known[type] ?? {}) : {};
  const ids = values.map((value) => {
    if (typeof value !== "string" || value === "") throw refuse(`must name what the call touches (a ${type}), as a text or an array of texts`);
    if (value.length > bounds.chars) throw refuse(`is longer than ${bounds.chars} characters (limit resource_chars)`);
    return value;
  });
  return [...new Set(ids)].sort().map((id) => ({ type, id, ...((Object.hasOwn(entries, id) ? entries[id] : entries["*"]) ?? { labels: [], owner: null }) }));
};

/** Every value that a path of names leads to, arrays walked through; what is not there is undefined. Ends early once there are more than `limit`. */
const valuesAt = (args: JsonObject, path: readonly string[], limit: number): readonly (Json | undefined)[] => {
  let found: readonly (Json | undefined)[] = [args];
  for (const step of path) {
    const next: (Json | undefined)[] = [];
    for (const value of found) {
      const below = isObject(value) && Object.hasOwn(value, step) ? value[step] : undefined;
      for (const item of Array.isArray(below) ? below : [below]) {
        next.push(item);
        if (next.length > limit) return next;
      }
    }
    found = next;
  }
  return found;
};
