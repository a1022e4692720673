import { Fault, quorumCovers, type Decision, type Effect, type Registry } from "@lanyard/contract";
import { orgTiersApart, prepareSnapshot, type Snapshot } from "@lanyard/policy";
import type { Clock } from "../base/clock.ts";
import { judgeOf, walk, type Judge } from "./calls.ts";
import { answering, type AnsweringDeps } from "./history-answers.ts";
import { breathe } from "./recorded.ts";

/** The store has both bundles. */
interface LooseningDeps extends AnsweringDeps {
  readonly clock: Pick<Clock, "after">;
  /** How long taking the organisation's policies out of the bundles may last. */
  readonly patienceMs: number;
}

/** What recorded calls say of a change: `why` names at most ten of them. */
interface Loosening {
  readonly loosens: boolean;
  readonly why: readonly string[];
}

const keptWhys = 10;
const rank: Readonly<Record<Effect, number>> = { deny: 0, ask: 1, allow: 2 };

/** Also where something is asked of fewer, or a change of the arguments is no longer made or another one is. */
const isLooser = (before: Decision, after: Decision): boolean =>
  rank[after.effect] > rank[before.effect] ||
  (before.effect === "ask" && after.effect === "ask" && before.approvers.some((term) => !after.approvers.some((other) => quorumCovers(other, term)))) ||
  (after.effect !== "deny" && before.effect !== "deny" && (before.transforms ?? []).some((change) => !after.transforms?.includes(change)));

/**
 * Whether a change loosens what the organisation's own policies do to a call of the record: what they permit by themselves, and what they deny
 * or ask for of everything that is permitted, by a team or anybody. Teams' policies are left out on both sides. Without policies before,
 * everything was denied. A call whose history cannot be looked at any more counts: who knows what it would be now. Reads in slices beside live calls. Throws Fault `engine_unavailable`, and `internal` when the store lacks a bundle.
 */
export const trafficLoosens = async (
  deps: LooseningDeps,
  before: Snapshot | null,
  after: Snapshot,
  { sinceMs, registry }: { readonly sinceMs: number; readonly registry?: Registry },
): Promise<Loosening> => {
  const why: string[] = [];
  const [is, was] = await orgJudges(deps, before === null ? [after] : [after, before], registry);
  if (is === undefined) throw new Fault("internal", "no bundle to compare was read");
  const pairs = (["alone", "besideEverything"] as const).map((tier) => ({ was: was?.[tier] ?? denied, is: is[tier] }));
  const answered = answering(deps, [is, was].flatMap((judges) => judges?.snapshots ?? []));
  let unanswered = 0;
  const say = (text: string): void => void (why.length < keptWhys && why.push(text));
  const { changed } = await walk(deps.store, { sinceMs }, {
    usable: async (record, recorded) => {
      const input = await answered(record, recorded);
      if (typeof input !== "string") return input;
      unanswered += 1;
      say(`entry ${record.seq}: \`${record.action}\` by \`${record.agent}\` cannot be compared: ${input}`);
      return input;
    },
    isDifferent: ({ seq, agent, action }, input) => {
      const looser = pairs.map(({ was, is }) => ({ was: was(input), is: is(input) })).find(({ was, is }) => isLooser(was, is));
      if (looser) say(`entry ${seq}: \`${action}\` by \`${agent}\` ${told(looser.was)} before, and ${told(looser.is)} after`);
      return looser !== undefined;
    },
  });
  const all = changed + unanswered;
  return { loosens: all > 0, why: all > why.length ? [...why, `and ${all - why.length} calls more`] : why };
};

const denied: Judge = () => ({ effect: "deny", reasons: [], approvers: [], errors: [] });

interface OrgJudges {
  readonly snapshots: readonly Snapshot[];
  readonly alone: Judge;
  readonly besideEverything: Judge;
}

const orgJudges = async ({ store, clock, patienceMs }: LooseningDeps, snapshots: readonly Snapshot[], registry: Registry | undefined): Promise<OrgJudges[]> => {
  const bundles = snapshots.map(({ hash }) => store.getObject(hash));
  if (!bundles.every((bytes) => bytes !== null)) throw new Fault("internal", "a bundle to compare is not in the store");
  const judges: OrgJudges[] = [];
  for (const { alone, besideEverything } of await orgTiersApart({ after: clock.after, patienceMs }, bundles)) {
    const first = await prepareSnapshot(alone, { breathe });
    const second = await prepareSnapshot(besideEverything, { before: first, breathe });
    judges.push({ snapshots: [first, second], alone: judgeOf(first, { registry }), besideEverything: judgeOf(second, { registry }) });
  }
  return judges;
};

const told = ({ effect, reasons, approvers }: Decision): string => {
  const policies = reasons.map(({ policy }) => `\`${policy}\``).filter((name) => name !== "`lanyard.permit-all`");
  const by = policies.length > 0 ? ` by ${policies.join(", ")}` : "";
  if (effect === "ask") return `asked of ${approvers.join(", ")}${by}`;
  return effect === "allow" ? `allowed${by || " where a team permits it"}` : `denied${by || " by default"}`;
};
