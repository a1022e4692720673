import type { Decision, DecisionInput } from "@lanyard/contract";
import { addressOf, decodeBundle, type Bundle, type Policy } from "../bundle.ts";
import { cedarMatcher } from "../oracle/matcher.ts";
import { decide } from "./decide.ts";
import { openRules } from "./head.ts";

/** A bundle made ready to decide: immutable, synchronous, without clock or I/O. */
export interface Snapshot {
  /** Content address of the bundle's bytes. */
  readonly hash: string;
  readonly bundle: Bundle;
  /** The same input always gives the same decision (invariant I3). Never throws: what cannot be decided is a deny. */
  decide(input: DecisionInput): Decision;
  /**
   * Those of `actions` that some policy could allow this agent, in the order given: what to list. Judges heads only, so it errs towards
   * listing; every call is decided all the same.
   */
  visible(agent: DecisionInput["agent"], actions: readonly string[]): string[];
  /** A policy with its place and text, for explanations; null when the bundle has none of this id. */
  policy(id: string): Policy | null;
}

/** Makes a bundle ready. Throws Fault `invalid_config` when the bytes are no bundle of a version this code knows. */
export const openSnapshot = (bytes: Uint8Array): Snapshot => {
  const bundle = decodeBundle(bytes);
  const rules = openRules(bundle);
  const match = cedarMatcher();
  const byId = new Map(bundle.policies.map((policy) => [policy.id, policy]));
  return {
    hash: addressOf(bytes),
    bundle,
    decide: (input) => decide(match, rules, input),
    visible: (agent, actions) =>
      actions.filter((name) => {
        const action = rules.action(name);
        return action !== null && rules.couldAllow(agent, action);
      }),
    policy: (id) => byId.get(id) ?? null,
  };
};
