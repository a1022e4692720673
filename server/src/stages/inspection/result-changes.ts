import { Fault } from "@lanyard/contract";

/** A change of what comes back, as a decision lists it: `result.redact(secret)`, `result.tokenise(personal)`, `result.mask(password)`. */
export type ResultChange = { readonly text: string } & ({ readonly kind: "redact" | "tokenise"; readonly label: string } | { readonly kind: "mask"; readonly path: readonly string[] });

const form = /^result\.(?:(redact|tokenise)\(([A-Za-z0-9][A-Za-z0-9._-]{0,63})\)|mask\(([^()]+)\))$/s;

/** Those of a decision's changes that are about what comes back. Throws Fault `result_withheld` on one that nobody knows (invariant I4). */
export const resultChanges = (transforms: readonly string[]): ResultChange[] =>
  transforms
    .filter((text) => text.startsWith("result."))
    .map((text) => {
      const [, kind, label, field] = form.exec(text) ?? [];
      if (kind !== undefined && label !== undefined) return { text, kind: kind as "redact" | "tokenise", label };
      if (field !== undefined) return { text, kind: "mask", path: field.split(".") };
      throw new Fault("result_withheld", `a policy changes the answer by \`${text.slice(0, 100)}\`, which is no change that is known`);
    });
