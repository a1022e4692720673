import type { Registry } from "@lanyard/contract";
import { decodeBundle } from "../bundle.ts";
import { actionsIn, agentsIn, Encoding, Heads, type Numbered } from "./cell.ts";
import { Inquiry } from "./inquiry.ts";
import { Names } from "./names.ts";
import { and, type Term } from "./term.ts";
import type { Z3 } from "./z3.ts";

/** A policy that matches no call of the model, proved. */
export interface MatchlessPolicy {
  readonly policy: string;
  readonly file: string;
  readonly line: number;
  /** `unused`: its head names no registered agent or no tool that there is. `never`: its clauses never hold. */
  readonly finding: "unused" | "never";
}

/** Finds the policies that match no call: a fraction of a review's work. Throws Fault `invalid_config` on bytes that are no bundle. */
export const matchlessPolicies = (z3: Z3, bytes: Uint8Array, registry: Registry, progress: (done: number, total: number) => void = () => {}): MatchlessPolicy[] => {
  const bundle = decodeBundle(bytes);
  const names = new Names();
  const encoding = new Encoding(names, registry.resources);
  const inquiry = new Inquiry(names, z3);
  const [agents, actions] = [agentsIn(registry), actionsIn(bundle)];
  /** What would have to hold for the policy to match, once for each place at which something else is asked. */
  const chances = function* (numbered: Numbered): Generator<Term> {
    const only = new Heads([numbered]);
    const seen = new Set<Term>();
    for (const agent of agents) {
      for (const action of actions) {
        if (only.candidates(agent, action).length === 0) continue;
        const space = encoding.space(agent, action);
        const chance = and(encoding.verdict(space, numbered).holds, space.always());
        if (!seen.has(chance)) yield chance;
        seen.add(chance);
      }
    }
  };
  const open = encoding.number(bundle).map((numbered) => ({ numbered, left: chances(numbered) }));
  // Nearly every policy matches at the first place that is looked at, so all first places are asked about together.
  const first = open.map(({ left }) => left.next().value);
  const solved = inquiry.solve(first.map((chance) => chance ?? "false"), (done) => progress(done, open.length));
  return open.flatMap(({ numbered: { policy }, left }, index): MatchlessPolicy[] => {
    const { id, file, line } = policy;
    if (first[index] === undefined) return [{ policy: id, file, line, finding: "unused" }];
    if (solved[index] !== "none" || inquiry.solve([...left]).some((one) => one !== "none")) return [];
    return [{ policy: id, file, line, finding: "never" }];
  });
};
