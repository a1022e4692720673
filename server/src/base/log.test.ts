import { expect, test } from "vitest";
import { systemClock } from "./clock.ts";
import { logger, redact } from "./log.ts";

const at = { ...systemClock, nowMs: () => 0 };
const lines: string[] = [];
const log = logger({ clock: at, write: (line) => lines.push(line) });
const written = () => lines.splice(0).join("");
const token = `lyd_session_${"a".repeat(43)}`;

test("one JSON line an event, with time and level", () => {
  log.info("call.decided", { seq: 7, effect: "deny" });
  expect(written()).toBe('{"at":"1970-01-01T00:00:00.000Z","level":"info","event":"call.decided","seq":7,"effect":"deny"}\n');
});

test("below the level nothing is written, and no field forges the head of a line", () => {
  log.debug("noise");
  expect(written()).toBe("");
  log.warn("real", { event: "forged", level: "info", text: 'a\n{"event":"forged"}' });
  const text = written();
  expect(text.trimEnd().split("\n")).toHaveLength(1);
  expect(JSON.parse(text)).toMatchObject({ event: "real", level: "warn" });
});

test("I10: tokens stay out of the log wherever they hide", () => {
  const error = new Error(`refused ${token}`, { cause: new Error(`Bearer abc.def-${token}`) });
  log.error("failed", { error, authorization: "Basic xyz", nested: { session_token: "xyz", list: [token, { apiKey: "xyz" }] }, [token]: 1 });
  const text = written();
  expect(text).not.toContain("aaaa");
  expect(text).not.toContain("xyz");
  expect(text).not.toContain("abc.def");
  expect(text).toContain("lyd_session_[redacted]");
  expect(redact("authorization: BEARER zzz")).toBe("authorization: BEARER [redacted]");
});

test("what cannot be written never throws, and a line has an end", () => {
  const circle: Record<string, unknown> = { n: 1n, f: () => 1 };
  circle["self"] = circle;
  expect(() => log.info("odd", circle)).not.toThrow();
  log.info("big", { text: "x".repeat(100_000), many: Array.from({ length: 100 }, () => "y".repeat(1000)) });
  for (const line of written().trimEnd().split("\n")) expect(line.length).toBeLessThan(40_000);
  const broken = logger({ clock: at, write: () => { throw new Error("EPIPE"); } });
  expect(() => broken.error("lost")).not.toThrow();
});
