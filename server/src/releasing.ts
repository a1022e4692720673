import { describeReport, runCasesApart, type Ground, type Snapshot, type Solver } from "@lanyard/policy";
import type { Clock } from "./base/clock.ts";
import type { Config } from "./base/config/config.ts";
import type { Limits } from "./base/limits.ts";
import type { Log } from "./base/log.ts";
import type { Store } from "./base/store/port.ts";
import { trafficLoosens } from "./mediation/loosening.ts";
import type { CompareTiers, TierVerdict } from "./stages/decision/clearance.ts";
import type { Edition } from "./stages/decision/edition.ts";
import { Releases } from "./stages/decision/releases.ts";
import type { DecisionStage } from "./stages/decision/stage.ts";

interface ReleasingRooms {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  readonly limits: Limits;
  readonly config: () => Config;
  readonly ground: () => Ground;
  readonly decision: DecisionStage;
  readonly solver: Solver;
}

const trafficMs = 7 * 24 * 3_600_000;
const keptWhys = 20;
const whyChars = 500;

/** The room of published versions, with what it asks of others: the cases' runner, the solver, the record of past calls. */
export const releasing = ({ store, clock, log, limits, config, ground, decision, solver }: ReleasingRooms): Releases => {
  const test = async ({ policies, tests }: Edition): Promise<readonly string[]> => {
    if (tests.length === 0) return [];
    const report = await runCasesApart({ after: clock.after, patienceMs: limits.compile_ms }, { policies, tests, ground: ground() });
    return report.ok ? [] : describeReport(report);
  };
  return new Releases({ store, clock, config, limits, decision, test, compare: compareTiers({ store, clock, log, limits, ground, solver }) });
};

/** Over all possible calls by the solver, and over the calls of the last seven days. Whoever cannot say counts as "it loosens". */
const compareTiers = ({ store, clock, log, limits, ground, solver }: Pick<ReleasingRooms, "store" | "clock" | "log" | "limits" | "ground" | "solver">): CompareTiers => {
  const byTraffic = async (before: Snapshot, after: Snapshot): Promise<TierVerdict> => {
    await store.append({ type: "access.read", by: "lanyard", what: "policy publish", from: 0, to: Math.max(0, store.size() - 1), times: 1 });
    return trafficLoosens({ store, clock, limits, patienceMs: limits.compile_ms }, before, after, { sinceMs: clock.nowMs() - trafficMs, registry: ground().registry });
  };
  const bySolver = async (before: Snapshot, after: Snapshot): Promise<TierVerdict> => {
    const [was, is] = [store.getObject(before.hash), store.getObject(after.hash)];
    return was === null || is === null ? { loosens: true, why: ["a bundle is missing or was changed on disk"] } : solver.loosens(was, is, ground().registry);
  };
  const answered = async (by: string, question: Promise<TierVerdict>): Promise<TierVerdict> => {
    try {
      return await question;
    } catch (error) {
      log.error("policy.uncompared", { by, error });
      return { loosens: true, why: [`${by} could not say whether it loosens`] };
    }
  };
  return async (before, after) => {
    const verdicts = [await answered("the solver", bySolver(before, after)), await answered("the record of past calls", byTraffic(before, after))];
    const why = verdicts.flatMap((verdict) => (verdict.loosens ? verdict.why : [])).map((text) => text.slice(0, whyChars).toWellFormed());
    return { loosens: verdicts.some(({ loosens }) => loosens), why: why.slice(0, keptWhys) };
  };
};
