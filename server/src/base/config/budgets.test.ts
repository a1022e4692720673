import fc from "fast-check";
import { expect, test } from "vitest";
import type { Fault } from "@lanyard/contract";
import { moneyFacts } from "../extract/money.ts";
import { parseConfig } from "./read.ts";

const head = "version: 1\nservers: { bank: { command: none } }\nbudgets:\n";
const read = (yaml: string) => parseConfig(new TextEncoder().encode(head + yaml), "/w/lanyard.yaml").budgets;
const wrong = (yaml: string): string[] => {
  try {
    read(yaml);
    return [];
  } catch (error) {
    return (error as Fault).message.split("\n");
  }
};

test("budgets are read with their units", () => {
  const read_ = Object.fromEntries(
    [...read(`  a: { of: money, limit: 500.5 EUR, per: [user, agent], window: day, zone: Europe/Berlin, ask: 90%, quarantine: 120% }
  b: { of: money, limit: 100000 JPY }
  c: { of: money, limit: 7 }
  d: { of: calls, limit: 60, per: agent, window: 1m, actions: [bank/*, egress], quarantine: 5 }
  e: { of: time, limit: 5m }
  f: { of: bytes_out, limit: 10 MB, per: all }
  g: { of: tokens, limit: 1000, expect: 10 }
`)].map(([name, { counts: _counts, window, windowText, ...rest }]) => [name, { ...rest, window: windowText, kindOfWindow: window.kind }]),
  );
  expect(read_).toMatchObject({
    a: { currency: "EUR", limit: 50_050, digits: 2, per: ["agent", "user"], window: "day in Europe/Berlin", warn: 80, ask: 90, quarantine: { percent: 120 } },
    b: { limit: 100_000, digits: 0, per: ["session"], window: "none" },
    c: { currency: null, limit: 700 },
    d: { limit: 60, window: "1m", kindOfWindow: "sliding", quarantine: { refusals: 5 } },
    e: { limit: 300_000 },
    f: { limit: 10_000_000, per: [] },
    g: { limit: 1000, expect: 10 },
  });
});

test("a limit of a currency has the smallest unit that amounts in it are read in", () => {
  for (const currency of Intl.supportedValuesOf("currency")) expect(read(`  a: { of: money, limit: 12 ${currency} }`).get("a")?.limit, currency).toBe(moneyFacts([{ value: 12, currency, unit: "major" }]).minor);
});

test("which calls a budget counts", () => {
  const counts = (entry: string, action: string, ...effects: ("money" | "egress" | "read")[]) => read(`  a: { limit: 1, ${entry} }`).get("a")?.counts(action, effects);
  expect([counts("of: calls", "bank/x"), counts("of: money", "bank/x"), counts("of: money", "bank/x", "money"), counts("of: bytes_out", "web/POST", "egress")]).toEqual([true, false, true, true]);
  expect([counts("of: calls, actions: [bank/p*]", "bank/pay"), counts("of: calls, actions: [bank/p*]", "bank/xp"), counts("of: calls, actions: [bank/p.y]", "bank/pay"), counts("of: calls, actions: [read]", "x/y", "read")]).toEqual([true, false, false, true]);
  expect(counts("of: sessions", "bank/x", "money")).toBe(false);
});

test("what is wrong is said with its place", () => {
  const all = wrong(`  max_calls: { of: calls, limit: 1 }
  a: { of: money, limit: 5 EURO }
  b: { of: money, limit: 5.001 EUR }
  c: { of: calls, limit: 1, window: fortnight }
  d: { of: calls, limit: 1.5 }
  e: { of: calls, limit: 1, actions: [bnk/x, monney, "a/*b*c*d"] }
  f: { of: sessions, limit: 1, ask: 90%, actions: [read] }
  g: { of: calls, limit: 1, expect: 2, zone: UTC }
  h: { of: calls, limit: 1, per: [all, user], warn: 150%, ask: 101% }
  i: { of: rows, limit: 10 MB }
`);
  expect(all).toEqual([
    "/w/lanyard.yaml:4:3: `max_calls` is what a session's own limit is called; name the budget something else",
    "/w/lanyard.yaml:5:26: `5 EURO` is no amount of money; write for example `500 EUR`, or `500` for whatever currency",
    "/w/lanyard.yaml:6:26: `5.001 EUR` has more than 2 digits after the point",
    "/w/lanyard.yaml:7:37: `fortnight` is no window: `none`, `day` or `month` of the calendar, or a stretch of at most 366 days such as `1m`, `1h`, `7d`",
    "/w/lanyard.yaml:8:26: the limit must be a whole number of the smallest unit, at most 9007199254740991",
    "/w/lanyard.yaml:9:39: no server `bnk` is registered under `servers`",
    "/w/lanyard.yaml:9:46: `monney` is neither `<server>/<tool>` nor an effect: read, write, egress, destructive, money, exec, access",
    '/w/lanyard.yaml:9:54: `a/*b*c*d` has more than two `*`',
    "/w/lanyard.yaml:10:37: opening a session is no call that policy could ask about",
    "/w/lanyard.yaml:10:51: child sessions are opened, not called",
    "/w/lanyard.yaml:11:37: how much a call takes of calls is known before it is made",
    "/w/lanyard.yaml:11:46: only days and months of the calendar lie in a time zone",
    "/w/lanyard.yaml:12:34: `all` is one count for everybody; it goes with nothing else",
    "/w/lanyard.yaml:12:53: past 100% a call is refused",
    "/w/lanyard.yaml:12:64: past 100% a call is refused, and nobody is asked",
    "/w/lanyard.yaml:13:25: `10 MB` is no number",
  ]);
  expect(wrong("  a: { of: cash, limit: 1, per: everybody, warn: 80, colour: red }").length).toBe(4);
});

test("whatever stands under budgets, the file is taken or refused, and never throws anything else", () => {
  const text = fc.oneof(fc.string({ unit: "grapheme", maxLength: 8 }), fc.constantFrom("1m", "day", "80%", "500 EUR", "10 MB", "bank/*", "money", "all", "*/*", "0", "-1", "1e9", "none"));
  const value = fc.oneof(text, fc.double({ noNaN: true, noDefaultInfinity: true }), fc.array(text, { maxLength: 3 }), fc.constant(null));
  const entry = fc.dictionary(fc.constantFrom("of", "limit", "per", "window", "zone", "actions", "warn", "ask", "quarantine", "expect", "x"), value);
  fc.assert(
    fc.property(entry, fc.constantFrom("money", "calls", "tokens", "time", "bytes_out"), (one, of) => {
      try {
        const budget = read(`  a: ${JSON.stringify({ of, limit: 1, ...one })}`).get("a");
        expect(budget?.limit).toBeGreaterThanOrEqual(0);
      } catch (error) {
        expect(error).toMatchObject({ code: "invalid_config" });
      }
    }),
    { numRuns: 300 },
  );
});
