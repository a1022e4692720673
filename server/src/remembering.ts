import type { Clock } from "./base/clock.ts";
import type { Limits } from "./base/limits.ts";
import type { Log } from "./base/log.ts";
import type { Store } from "./base/store/port.ts";
import type { Stages } from "./mediation/stages.ts";
import type { DecisionStage } from "./stages/decision/stage.ts";
import type { Flow } from "./stages/flow/flow.ts";
import { Deadlines } from "./stages/history/deadlines.ts";
import { HistoryStage } from "./stages/history/history.ts";
import type { Identity } from "./stages/identity/identity.ts";

/** A bundle is on record before it decides: a moment later it does. */
const refitMs = 10;

interface RememberingRooms {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  readonly limits: Limits;
  readonly decision: Pick<DecisionStage, "snapshots">;
  readonly identity: Pick<Identity, "rootOf">;
}

/** What policies ask of history, answered from what happens on the path and, after a restart, from the ledger. */
export function remembering({ store, clock, log, limits, decision, identity }: RememberingRooms, held: AsyncDisposableStack): { history: HistoryStage; deadlines: Deadlines } {
  const deadlines = held.use(new Deadlines({ store, clock, log, limits }));
  const history = held.use(new HistoryStage({ store, clock, log, limits, deadlines, snapshots: () => decision.snapshots(), rootOf: identity.rootOf }));
  const following = store.follow(({ type }) => void (type === "bundle.activate" && clock.after(refitMs, () => history.refit())));
  held.defer(() => following.stop());
  return { deadlines, history };
}

/**
 * The steps of the path whose outcome is an event. A decision is noted when it is final, before the first wait after it: no other decision can slip in
 * between. One that could not be recorded after all stays noted: it was refused, and counts as one more.
 */
export const noted = (history: HistoryStage, flow: Pick<Flow, "decided">, { intend, conclude }: Pick<Stages, "intend"> & { conclude(endedMs: number, ...ending: Parameters<Stages["conclude"]>): Promise<void> }): Pick<Stages, "intend" | "conclude"> => ({
  intend: async (action, principal, facts, ruling, by, ...rest) => {
    if (facts && by === "policy") {
      history.decided(facts.input, ruling.decision);
      flow.decided(principal, action.digest, ruling.decision.effect);
    }
    const intent = await intend(action, principal, facts, ruling, by, ...rest);
    if (facts && by === "policy") history.begun(intent.seq, facts.input, ruling.decision);
    return intent;
  },
  conclude: (intent, principal, status, code, answer, ...rest) => conclude(history.concluded(intent.seq, status, answer), intent, principal, status, code, answer, ...rest),
});
