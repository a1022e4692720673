import { Fault, type Reason } from "@lanyard/contract";
import type { BundleLines, Condition, Policy, Scope } from "../bundle.ts";
import type { Expressions } from "../cedar/compile.ts";
import { EvaluationFault, type Test } from "../cedar/request.ts";
import type { HistoryLeaf } from "../temporal/leaf.ts";
import { guardsOf } from "./guards.ts";
import type { ArgumentRead } from "./reads.ts";
import { transformOf } from "./transform.ts";

/** A policy as deciding needs it; its text and its place stay in the bundle's bytes. */
export interface ReadyPolicy {
  /** Whether its clauses hold; its head is for others to judge. First, with what follows: that is one line of the processor's cache. */
  test: Test;
  readonly effect: Policy["effect"];
  readonly approvers: readonly string[];
  /** The change of arguments that lifts it, as {@link transformOf} reads it off its remedy; empty when none does. */
  readonly transform: string;
  readonly reason: Reason;
  readonly id: string;
  /** The team whose agents alone it speaks of; empty for the organisation's own. */
  readonly team: string;
  readonly unconditional: boolean;
  /** True until it is asked for the first time, when its clauses are made ready only then. */
  pending: boolean;
  readonly head: Policy["head"];
  readonly reads: readonly ArgumentRead[];
  /** What its conditions ask of history. */
  readonly leaves: readonly HistoryLeaf[];
  /** Of that, what it waits for, see {@link guardsOf}; null: it is asked about each call. */
  guards: readonly string[] | null;
}

/** What makes policies ready: equal parts of different policies become one, which halves the memory and the cache misses of large bundles. */
export class Readying {
  readonly #expressions: Expressions;
  readonly #shared = new Map<string, unknown>();
  readonly #texts = new Map<string, string>();

  constructor(expressions: Expressions) {
    this.#expressions = expressions;
  }

  /** `lazy`: the closures are made when the policy is first asked, from the bundle's bytes; a clause nobody can evaluate is then an error of the policy. */
  ready(lines: BundleLines, at: number, lazy: boolean): ReadyPolicy {
    const { id, team, effect, unconditional, approvers, reason, remedy, head, reads, conditions, leaves = [] } = lines.policy(at);
    const made: ReadyPolicy = {
      test: always,
      effect,
      approvers: this.#one(approvers),
      transform: this.#text(transformOf(remedy)),
      reason: { policy: id, text: this.#text(reason), remedy: this.#text(remedy) },
      id,
      team: this.#text(team),
      unconditional,
      pending: lazy && conditions.length > 0,
      head: { principal: this.#one<Scope>(head.principal), action: this.#one<Scope>(head.action), resource: this.#one<Scope>(head.resource) },
      reads: this.#one(reads),
      leaves: this.#one(leaves),
      guards: guardsOf(conditions, leaves),
    };
    if (conditions.length > 0) made.test = made.pending ? this.#later(made, lines, at) : this.#expressions.conditions(conditions);
    return made;
  }

  #text(value: string): string {
    const before = this.#texts.get(value);
    if (before === undefined) this.#texts.set(value, value);
    return before ?? value;
  }

  #one<T>(value: T): T {
    const key = JSON.stringify(value);
    const before = this.#shared.get(key);
    if (before !== undefined) return before as T;
    this.#shared.set(key, value);
    return value;
  }

  #later(policy: ReadyPolicy, lines: BundleLines, at: number): Test {
    return (request) => {
      policy.pending = false;
      policy.test = this.#compiled(policy, lines.policy(at).conditions);
      return policy.test(request);
    };
  }

  #compiled(policy: ReadyPolicy, conditions: readonly Condition[]): Test {
    try {
      return this.#expressions.conditions(conditions);
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      const { message } = error;
      policy.guards = null; // It errs each time.
      return () => {
        throw new EvaluationFault(message);
      };
    }
  }
}

const always: Test = () => true;
