import type { Questions, ReadAnswers } from "../temporal/answers.ts";
import type { ReadyPolicy } from "./ready.ts";

/** Policies that are asked together: those that always are, and those that wait for an answer that is not false or 0. */
interface Waiting {
  readonly awake: readonly ReadyPolicy[];
  /** By the place of the question. */
  readonly asleep: readonly (readonly ReadyPolicy[] | undefined)[];
}

const remembered = new WeakMap<readonly ReadyPolicy[], Waiting | null>();

/** Those of a bundle's policies that may hold or err, given what is known of history; in any order. */
export const rousedBy = (policies: readonly ReadyPolicy[], answers: ReadAnswers, questions: Questions): Iterable<ReadyPolicy> => {
  let waiting = remembered.get(policies);
  if (waiting === undefined && policies.some(({ pending }) => pending)) return policies; // Asked once, each is made ready: whether it can be is known then.
  if (waiting === undefined) remembered.set(policies, (waiting = waitingOf(policies, questions)));
  if (waiting === null) return policies;
  const { awake, asleep } = waiting;
  const roused = new Set(awake);
  const isKnown = answers.eachTold((place) => {
    for (const policy of asleep[place] ?? none) roused.add(policy);
  });
  return isKnown ? roused : policies;
};

const none: readonly ReadyPolicy[] = [];

/** Null where all are always asked. */
const waitingOf = (policies: readonly ReadyPolicy[], { places }: Questions): Waiting | null => {
  const awake: ReadyPolicy[] = [];
  const asleep: ReadyPolicy[][] = [];
  for (const policy of policies) {
    const at = policy.guards?.map((id) => places.get(id));
    if (at === undefined || !at.every((place) => place !== undefined)) awake.push(policy);
    else for (const place of at) (asleep[place] ??= []).push(policy);
  }
  return awake.length === policies.length ? null : { awake, asleep };
};
