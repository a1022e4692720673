import { setImmediate } from "node:timers/promises";
import type { Action, ArgumentFacts, DecisionInput, Principal } from "@lanyard/contract";
import { systemClock } from "../../server/src/base/clock.ts";
import { parseConfig } from "../../server/src/base/config/read.ts";
import type { Log } from "../../server/src/base/log.ts";
import type { OutcomeStatus } from "../../server/src/base/path.ts";
import { openSqlite } from "../../server/src/base/store/sqlite.ts";
import type { Store } from "../../server/src/base/store/port.ts";
import { BudgetStage } from "../../server/src/stages/budget/budget.ts";
import { recordStage } from "../../server/src/stages/record/record.ts";

/** Overlapping budgets whose limits are met on the way. */
export const tortureConfig = parseConfig(
  new TextEncoder().encode(`version: 1
teams: { shop: {}, lab: {} }
users: { ana: {}, ben: {}, eve: {} }
agents: { bot: { team: shop }, cat: { team: shop }, dog: { team: lab } }
servers: { bank: { command: none } }
budgets:
  everything: { of: calls, limit: 60000, per: all, window: none }
  pocket: { of: money, limit: 60000 EUR, per: user, window: 300d }
  pair: { of: money, limit: 25000 EUR, per: [agent, user], window: 300d }
  team: { of: calls, limit: 35000, per: team, window: 366d, actions: [bank/*] }
  talk: { of: calls, limit: 4000, per: session }
`),
  "/torture/lanyard.yaml",
);

/** Calls that session may make, its children's included. */
export const tortureMaxCalls = (session: string): number | null => (session.endsWith("0") ? 5000 : null);

const silent: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const who = ["bot", "cat", "dog"].flatMap((agent) => ["ana", "ben", "eve"].map((user) => ({ agent, user })));

/** Twenty sessions, and one below each. */
export const torturePrincipals: readonly Principal[] = Array.from({ length: 40 }, (_, at): Principal => {
  const { agent = "bot", user = "ana" } = who[(at % 20) % who.length] ?? {};
  return { session: `s${at}`, agent, user, purpose: "p", chain: at >= 20 ? [`s${at - 20}`] : [], tools: null, labels: [], isolation: "none", expiresAtMs: 9e15 };
});

export const openBudgets = (store: Store): BudgetStage => new BudgetStage({ store, clock: systemClock, config: () => tortureConfig, maxCallsOf: tortureMaxCalls, quarantine: () => {} });

/** The amount in cents is in the name of the action, so that the ledger alone tells what each call takes. */
function callOf(principal: Principal, cents: number): { action: Action; input: DecisionInput } {
  const name = `bank/pay-${cents}`;
  const amount: ArgumentFacts = { role: "amount", labels: [], origins: [], money: { class: "plain", minor: cents, currencies: ["EUR"] } };
  const action: Action = { protocol: "mcp", server: "bank", method: "tools/call", tool: `pay-${cents}`, name, args: {}, params: {}, digest: "A".repeat(43) };
  const { agent, user, session } = principal;
  const team = tortureConfig.agents.get(agent)?.team ?? "";
  return { action, input: { agent: { id: agent, team, classes: [] }, user: { id: user, groups: [] }, session: { id: session, purpose: "p", depth: 0, labels: [], isolation: "none" }, action: name, args: {}, effects: ["money"], facts: { amount }, approvals: [], nowMs: 0 } };
}

const endings: readonly OutcomeStatus[] = ["done", "done", "failed", "refused", "refused", "uncertain"];
const pick = <T>(all: readonly T[]): T => all[Math.floor(Math.random() * all.length)] as T;

/** So many callers reserve, and are denied, recorded, refused, or end somehow, until `attempts` are made. `told` hears of every thousandth. */
export async function runCallers({ folder, callers, attempts, told }: { folder: string; callers: number; attempts: number; told: (made: number) => void }): Promise<{ perCallUs: number[]; reserved: number }> {
  await using store = await openSqlite({ folder, clock: systemClock, version: "test" });
  for (const { session } of store.get("session", "s0") ? [] : torturePrincipals) await store.append({ type: "config.change", config: "A".repeat(43), before: null, by: "test" }, { state: [{ kind: "session", key: session, value: {} }] });
  using budgets = openBudgets(store);
  const record = recordStage({ store, clock: systemClock, log: silent });
  const perCallUs: number[] = [];
  let made = 0;
  const caller = async (): Promise<void> => {
    while (made < attempts) {
      if (++made % 1000 === 0) told(made);
      const principal = pick(torturePrincipals);
      const { action, input } = callOf(principal, 1 + Math.floor(Math.random() * 900));
      const fromUs = systemClock.monotonicUs();
      using reservation = budgets.reserve(action, principal, { input });
      perCallUs.push(systemClock.monotonicUs() - fromUs);
      const chance = Math.random();
      if (reservation.refuse || chance < 0.1) {
        if (chance > 0.05) await setImmediate(); // policy denies, or asks
        continue;
      }
      const intent = await record.intend(action, principal, null, { decision: { effect: "allow", reasons: [], approvers: [], errors: [] }, bundle: null, reasons: [] }, "policy", null, reservation);
      if (chance < 0.6) await systemClock.pause(Math.random() * 3);
      const concluded = record.conclude(systemClock.nowMs(), intent, principal, pick(endings), "", { result: {} }, systemClock.monotonicUs(), reservation);
      if (chance < 0.3) await concluded;
    }
  };
  await Promise.all(Array.from({ length: callers }, caller));
  while (record.unwritten() > 0) await systemClock.pause(5);
  await store.settled();
  await setImmediate();
  return { perCallUs, reserved: budgets.list().reduce((sum, { reserved }) => sum + reserved, 0) };
}

const [, script, folder, attempts] = process.argv;
if (script === import.meta.filename && folder !== undefined) {
  const { reserved } = await runCallers({ folder, callers: 64, attempts: Number(attempts), told: (made) => process.stdout.write(`${made}\n`) });
  process.stdout.write(`ended ${reserved}\n`);
}
