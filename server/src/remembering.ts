import type { Clock } from "./base/clock.ts";
import type { Limits } from "./base/limits.ts";
import type { Log } from "./base/log.ts";
import type { Store } from "./base/store/port.ts";
import type { Stages } from "./mediation/stages.ts";
import type { DecisionStage } from "./stages/decision/stage.ts";
import { HistoryStage } from "./stages/history/history.ts";
import type { Identity } from "./stages/identity/identity.ts";

interface RememberingRooms {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  readonly limits: Limits;
  readonly decision: Pick<DecisionStage, "snapshots">;
  readonly identity: Pick<Identity, "rootOf">;
}

/** What policies ask of history, answered from what happens on the path and, after a restart, from the ledger. */
export function remembering({ store, clock, log, limits, decision, identity }: RememberingRooms, held: AsyncDisposableStack): HistoryStage {
  return held.use(new HistoryStage({ store, clock, log, limits, snapshots: () => decision.snapshots(), rootOf: identity.rootOf }));
}

/** The steps of the path whose outcome is an event: each is noted in the turn in which it happens, so that no decision can slip in between. */
export const noted = (history: HistoryStage, { decide, intend, conclude }: Pick<Stages, "decide" | "intend" | "conclude">): Pick<Stages, "decide" | "intend" | "conclude"> => ({
  decide: (input) => {
    const ruling = decide(input);
    history.decided(input, ruling.decision);
    return ruling;
  },
  intend: async (action, principal, facts, ruling, by, approval) => {
    const intent = await intend(action, principal, facts, ruling, by, approval);
    if (facts && by === "policy") history.begun(intent.seq, facts.input, ruling.decision);
    return intent;
  },
  conclude: (intent, principal, status, code, answer, startedUs) => {
    history.concluded(intent.seq, status, answer);
    return conclude(intent, principal, status, code, answer, startedUs);
  },
});
