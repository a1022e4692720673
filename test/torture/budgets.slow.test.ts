import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, expect, test } from "vitest";
import { systemClock } from "../../server/src/base/clock.ts";
import { openSqlite } from "../../server/src/base/store/sqlite.ts";
import { openBudgets, tortureConfig, tortureMaxCalls, torturePrincipals } from "./budget-callers.ts";

// 64 callers in a process of their own reserve and settle over the real ledger, and the process is killed with SIGKILL again and again. What must hold,
// by the ledger alone: at every record no budget is over its limit, and after each start the counts are what the records add up to, to the cent.

const folder = mkdtempSync(join(tmpdir(), "budgets-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** All of them with `npm run soak -- budgets`; a run of every test does with a fifth. */
const attempts = process.env["LANYARD_SOAK"] ? 100_000 : 20_000;
const lives = 8;

/** Runs the callers until so many attempts are made, or kills them in the middle. Returns how many they told of, and what was still reserved at a proper end. */
async function live(wanted: number, isKilled: boolean): Promise<{ made: number; reserved: number | null }> {
  const child = spawn(process.execPath, ["--conditions=@lanyard/source", join(import.meta.dirname, "budget-callers.ts"), folder, `${wanted}`], { stdio: ["ignore", "pipe", "inherit"] });
  const gone = new Promise<void>((resolve) => child.once("close", () => resolve()));
  const killAt = isKilled ? wanted / 2 + Math.random() * (wanted / 2 - 1500) : Number.POSITIVE_INFINITY;
  let made = 0;
  let reserved: number | null = null;
  for await (const line of createInterface({ input: child.stdout })) {
    if (line.startsWith("ended ")) reserved = Number(line.slice(6));
    else made = Number(line);
    if (made >= killAt) child.kill("SIGKILL");
  }
  await gone;
  return { made, reserved };
}

/** Adds up the ledger, budget by budget; fails at the first record after which one is over. */
async function audit(): Promise<{ counted: number; open: number; refused: number }> {
  await using store = await openSqlite({ folder, clock: systemClock, version: "test" });
  using budgets = openBudgets(store);
  const sums = new Map<string, number>();
  const takes = new Map<number, readonly (readonly [key: string, amount: number])[]>();
  const limits = new Map<string, number>();
  const principals = new Map(torturePrincipals.map((principal) => [principal.session, principal]));
  const add = (lines: readonly (readonly [string, number])[], sign: 1 | -1): void => {
    for (const [key, amount] of lines) {
      const sum = (sums.get(key) ?? 0) + sign * amount;
      if (sum > (limits.get(key) ?? 0)) throw new Error(`${key} is at ${sum} of ${limits.get(key)}`);
      sums.set(key, sum);
    }
  };
  let refused = 0;
  for (const run of store.scan({ types: ["decision", "outcome"] })) {
    for (const record of run) {
      if (record.type === "outcome" && record.status === "refused") {
        refused++;
        add(takes.get(record.of) ?? [], -1);
      }
      if (record.type === "outcome") takes.delete(record.of);
      const principal = record.type === "decision" ? principals.get(record.session) : undefined;
      if (record.type !== "decision" || !principal) continue;
      const cents = Number(record.action.slice("bank/pay-".length));
      const { agent, user, session, chain } = principal;
      const lines = [...tortureConfig.budgets.values()].flatMap((budget) => {
        const values = { agent, user, team: tortureConfig.agents.get(agent)?.team ?? "" };
        const amount = budget.of === "money" ? cents : 1;
        return (budget.per.includes("session") ? [session, ...chain] : [""]).map((one) => {
          const key = `${budget.name} ${budget.per.map((scope) => (scope === "session" ? one : values[scope])).join("+")}`;
          limits.set(key, budget.limit);
          return [key, amount] as const;
        });
      });
      for (const one of [session, ...chain]) {
        const most = tortureMaxCalls(one);
        if (most === null) continue;
        limits.set(`max_calls ${one}`, most);
        lines.push([`max_calls ${one}`, 1]);
      }
      takes.set(record.seq, lines);
      add(lines, 1);
    }
  }
  const counted = new Map(budgets.list().map(({ budget, scope, spent, reserved }) => [`${budget.name} ${budget.per.map((kind) => scope[kind]).join("+")}`, spent + reserved]));
  const nonZero = (all: ReadonlyMap<string, number>) => Object.fromEntries([...all].filter(([, sum]) => sum !== 0).sort());
  expect(nonZero(counted)).toEqual(nonZero(sums));
  expect(budgets.list().every(({ reserved }) => reserved === 0)).toBe(true);
  return { counted: counted.size, open: takes.size, refused };
}

test(`${attempts} reservations of 64 callers over ${lives} lives: never over, nothing lost, nothing leaked`, { timeout: 900_000 }, async () => {
  let made = 0;
  let open = 0;
  for (let turn = 1; turn < lives; turn++) {
    made += (await live(Math.ceil(attempts / lives) * 1.3, true)).made;
    ({ open } = await audit());
  }
  const last = await live(Math.max(5000, attempts - made), false);
  made += last.made;
  const found = await audit();
  expect({ made: made >= attempts, reserved: last.reserved }).toEqual({ made: true, reserved: 0 });
  expect(found.open).toBe(open); // The last life left nothing open.
  expect(found.open).toBeGreaterThan(0);
  process.stderr.write(`budgets: ${made} reservations, ${found.counted} counts, ${found.refused} refused after the intent, ${found.open} left open by ${lives - 1} kills\n`);
});
