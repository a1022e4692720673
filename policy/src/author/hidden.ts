import { hides, type Note } from "../schema/shape.ts";
import type { Objection } from "./lint.ts";
import type { Meaning } from "./reading.ts";

/** By action, where in its arguments something is that policy is not shown, as pointers into the schema. */
export type HiddenParts = ReadonlyMap<string, ReadonlySet<string>>;

export const hiddenParts = (notes: readonly Note[]): HiddenParts => {
  const found = new Map<string, Set<string>>();
  for (const { action, at, text } of notes) if (text.endsWith(hides)) found.set(action, (found.get(action) ?? new Set()).add(at));
  return found;
};

/**
 * Warnings about arguments that a policy speaks about and is not shown: it would not hold of them, so that calls of the tool that carry one are denied. Of
 * tools that its head names; others may have such an argument or not.
 */
export const hiddenWarnings = ({ head, reads }: Pick<Meaning, "head" | "reads">, hidden: HiddenParts): Objection[] => {
  const { action } = head;
  const named = "entities" in action ? action.entities : "entity" in action ? [action.entity] : [];
  const found = new Map<string, Objection>();
  for (const { id } of named) {
    const parts = hidden.get(id);
    for (const { path } of parts === undefined ? [] : reads) {
      const at = path.findIndex((_, index) => parts?.has(path.slice(0, index + 1).map((step) => `/properties/${step}`).join("")));
      if (at < 0) continue;
      const name = path.slice(0, at + 1).join(".");
      const part = path.length > at + 1 ? path.slice(0, at + 2).join(".") : `${name}.x`;
      found.set(name, { message: `policy is not shown what is in the argument \`${name}\` of \`${id}\`, so calls that carry it are denied`, help: `say in the tool's contract what the policy looks at: \`arguments: { ${part}: { type: string } }\``, find: `input.${name}` });
    }
  }
  return [...found.values()];
};
