import fc from "fast-check";
import type { LedgerRecord, NewRecord } from "@lanyard/contract";
import { expect, test } from "vitest";
import { parseConfig } from "../../base/config/read.ts";
import { Breakers, SlidingSum, type Trip } from "./breakers.ts";

const rulesOf = (yaml: string) => parseConfig(new TextEncoder().encode(`version: 1\n${yaml}`), "/srv/lanyard.yaml").stop;
const hash = (mark: string) => mark.repeat(43).slice(0, 43);

function world(yaml: string) {
  const { breakersOf } = rulesOf(yaml);
  const trips: (Trip & { quarantines: string })[] = [];
  let seq = 0;
  const breakers = new Breakers({ rulesOf: (agent) => breakersOf(agent, agent === "classy" ? ["careful"] : []), trip: (trip, quarantines) => trips.push({ ...trip, quarantines }) });
  const write = (record: NewRecord, atMs: number, silently = false): number => {
    breakers.heed({ ...record, v: 1, seq, at_ms: atMs } as LedgerRecord, silently);
    return seq++;
  };
  const decide = (effect: "allow" | "deny" | "ask", atMs: number, more: { by?: string; agent?: string; session?: string; digest?: string; approval?: string; silently?: boolean } = {}) =>
    write({
      ...{ type: "decision", id: "d_1", session: more.session ?? "s1", agent: more.agent ?? "bot", user: "ben", action: "files/write", digest: hash(more.digest ?? String(seq)), effect, by: more.by ?? "policy", policies: [], decision: hash("D") },
      ...{ bundle: null, input: null, tool: null, reversibility: "unknown", approval: more.approval ?? null, payload: null },
    }, atMs, more.silently);
  const end = (of: number, status: "done" | "failed" | "refused" | "uncertain", atMs: number, code = "") => write({ type: "outcome", of, status, code, result: null, payload: null, duration_us: 1 }, atMs);
  return { breakers, trips, write, decide, end };
}

test("denials: the one that meets the limit trips it, once; those outside the window do not count", () => {
  const { decide, trips } = world("breakers: { denials: { count: 3, seconds: 60 } }");
  decide("deny", 0);
  decide("deny", 70_000);
  decide("deny", 71_000);
  decide("ask", 71_000);
  expect(trips).toEqual([]);
  decide("deny", 72_000);
  expect(trips).toEqual([{ agent: "bot", session: "s1", breaker: "denials", count: 3, limit: 3, windowMs: 60_000, what: null, quarantines: "agent" }]);
  decide("deny", 73_000); // counted from the beginning again
  expect(trips).toHaveLength(1);
});

test("what is refused because of a stop is no conduct, and a person's word begins anew", () => {
  const { decide, end, write, trips } = world("breakers: { denials: { count: 2, seconds: 60 }, errors: { count: 2, seconds: 60 } }");
  for (const by of ["stopped", "session_quarantined", "stopped"]) decide("deny", 1, { by });
  for (const code of ["stopped", "session_quarantined", "stopped"]) end(decide("allow", 1), "uncertain", 1, code);
  decide("deny", 1);
  write({ type: "stop.lift", id: "stp_1", kind: "quarantine", subject: { kind: "agent", name: "bot" }, by: "operator", second: null }, 2);
  decide("deny", 3);
  expect(trips).toEqual([]);
});

test("a staged call is no error, and asking for it anew no denial, but it can be a loop", () => {
  const { decide, end, trips } = world("breakers: { denials: { count: 2, seconds: 60 }, errors: { count: 2, seconds: 60 }, loop: { count: 6, seconds: 60 } }");
  for (let n = 0; n < 3; n++) end(decide("allow", 1), "refused", 1, "staged");
  for (let n = 0; n < 5; n++) decide("deny", 1, { by: "staged", digest: "x" });
  expect(trips).toEqual([]);
  decide("deny", 1, { by: "staged", digest: "x" });
  expect(trips).toMatchObject([{ breaker: "loop", count: 6 }]);
});

test("errors are what failed, was not reached or is uncertain", () => {
  const { decide, end, trips } = world("breakers: { errors: { count: 3, seconds: 60 } }");
  for (const status of ["done", "failed", "done", "refused"] as const) end(decide("allow", 1), status, 1);
  end(999, "failed", 1); // of an intent from before
  expect(trips).toEqual([]);
  end(decide("allow", 1), "uncertain", 1);
  expect(trips).toMatchObject([{ breaker: "errors", count: 3 }]);
});

test("a loop is the same call; an approved one is counted once, others do not add up", () => {
  const { decide, trips } = world("breakers: { loop: { count: 3, seconds: 60 } }");
  for (const digest of ["a", "b", "a", "c"]) decide("allow", 1, { digest });
  decide("ask", 1, { digest: "a" });
  decide("allow", 1, { digest: "a", approval: "apr_1" });
  expect(trips).toEqual([]);
  decide("deny", 1, { digest: "a" });
  expect(trips).toMatchObject([{ breaker: "loop", what: "files/write" }]);
});

test("money: the sum that would be over the limit trips it before it is spent; what is no amount is more than any", () => {
  const { breakers, trips } = world("breakers: { spend: { amount: 100, seconds: 3600 } }");
  const bot = { agent: "bot", session: "s1" };
  expect([breakers.spend(bot, 60, 0), breakers.spend(bot, 40, 1), breakers.spend(bot, 0.01, 2)]).toEqual([true, true, false]);
  expect(trips).toMatchObject([{ breaker: "spend", count: 101, limit: 100 }]);
  expect(breakers.spend(bot, Number.NaN, 3)).toBe(false);
  expect(breakers.spend(bot, -101, 4)).toBe(false);
  expect(breakers.spend({ agent: "other", session: "s2" }, 100, 5)).toBe(true);
});

test("an agent's own rules come before its class's, these before the general ones; false is off", () => {
  const yaml = `teams: { t: {} }\nagents: { free: { team: t } }\nbreakers: { denials: { count: 2, seconds: 60 }, quarantines: session, classes: { careful: { denials: { count: 1, seconds: 60 } } }, agents: { free: false } }`;
  const { decide, trips } = world(yaml);
  for (const agent of ["free", "bot"]) decide("deny", 1, { agent });
  expect(trips).toEqual([]);
  decide("deny", 1, { agent: "classy", session: "s9" });
  expect(trips).toMatchObject([{ agent: "classy", session: "s9", quarantines: "session" }]);
  decide("deny", 1, { session: "s2" });
  expect(trips).toHaveLength(1); // counted for each session by itself
  decide("deny", 1, { session: "s2" });
  expect(trips).toHaveLength(2);
  for (let n = 0; n < 1000; n++) decide("deny", 1, { agent: "free" });
  expect(trips).toHaveLength(2);
});

test("on by default, with limits that work does not meet; what happened before a restart is counted without tripping", () => {
  const { decide, trips } = world("");
  for (let n = 0; n < 299; n++) decide("deny", 1, { silently: true });
  expect(trips).toEqual([]);
  decide("deny", 2);
  expect(trips).toMatchObject([{ breaker: "denials", count: 300 }]);
});

test("a sliding sum is between what the window holds and what a window a tenth longer holds, whatever comes when", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 0, max: 9 })), { maxLength: 60 }), (steps) => {
      const sum = new SlidingSum(1000);
      const seen: { atMs: number; amount: number }[] = [];
      let nowMs = 1_790_000_000_000;
      for (const [later, amount] of steps) {
        nowMs += later;
        seen.push({ atMs: nowMs, amount });
        const within = (ms: number) => seen.filter(({ atMs }) => atMs > nowMs - ms).reduce((all, one) => all + one.amount, 0);
        const told = sum.add(amount, nowMs);
        expect(told).toBeGreaterThanOrEqual(within(900));
        expect(told).toBeLessThanOrEqual(within(1000));
      }
    }),
  );
});

test("the agent in whose name actions are taken back has no breakers but those it is given by name", () => {
  const yaml = "teams: { t: {} }\nagents: { bot: { team: t }, back: { team: t } }\nundo: { agent: back }\n";
  const general = rulesOf(`${yaml}breakers: { loop: { count: 2, seconds: 60 }, classes: { careful: { denials: { count: 1, seconds: 60 } } } }`);
  expect(general.breakersOf("back", ["careful"])).toMatchObject({ denials: null, errors: null, loop: null, spend: null });
  expect(general.breakersOf("bot", [])).toMatchObject({ loop: { count: 2 } });
  expect(rulesOf(`${yaml}breakers: { agents: { back: { errors: { count: 5, seconds: 60 } } } }`).breakersOf("back", [])).toMatchObject({ errors: { count: 5 }, loop: null });
});
