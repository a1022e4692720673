import fc from "fast-check";
import { expect, test } from "vitest";
import { dayNumber, dayOf, instantOf, isZone, minuteOf, parseLocal, wallAt, wallOf, weekdayOf } from "./wall-clock.ts";

const utc = (text: string): number => Date.parse(text);
const local = (text: string): number => parseLocal(text) ?? Number.NaN;
const iso = (ms: number): string => new Date(ms).toISOString().slice(0, 19);

// Half an hour of daylight saving (Lord Howe), none at all, half-hour zones, a day left out (Apia 2011), both hemispheres.
const zones = ["UTC", "Europe/Berlin", "America/New_York", "America/St_Johns", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia", "Pacific/Kiritimati", "America/Sao_Paulo", "Africa/Casablanca", "Asia/Tehran", "Etc/GMT+12"];

/** Without arithmetic on offsets: looks at the clock on the wall minute by minute until it shows the time. */
function walked(zone: string, wall: number): number {
  const shown = new Intl.DateTimeFormat("sv-SE", { timeZone: zone, dateStyle: "short", timeStyle: "medium" });
  const target = iso(wall).replace("T", " ");
  for (let at = wall - 27 * 3_600_000; ; at += 60_000) if (shown.format(at) >= target) return at;
}

test("a wall time is the first minute at which the clock on the wall shows it or later, in every zone, around every change of clocks", () => {
  const changes = ["2026-03-29T02:30", "2026-10-25T02:30", "2026-03-08T02:30", "2026-11-01T01:30", "2026-04-05T01:45", "2026-10-04T02:15", "2011-12-30T12:00"].map(local);
  const minute = fc.oneof(
    fc.tuple(fc.constantFrom(...changes), fc.integer({ min: -180, max: 180 })).map(([at, off]) => at + off * 60_000),
    fc.integer({ min: local("2001-01-01T00:00") / 60_000, max: local("2037-12-31T00:00") / 60_000 }).map((minutes) => minutes * 60_000),
  );
  fc.assert(
    fc.property(fc.constantFrom(...zones), minute, (zone, wall) => {
      expect(iso(instantOf(zone, wall))).toBe(iso(walked(zone, wall)));
    }),
    { numRuns: 150 },
  );
});

test("what rises on the wall never falls in time, and an instant's own wall time leads back to it or to its first coming", () => {
  const wall = fc.integer({ min: local("2005-01-01T00:00"), max: local("2037-01-01T00:00") });
  fc.assert(
    fc.property(fc.constantFrom(...zones), wall, fc.integer({ min: 0, max: 7_200_000 }), (zone, at, more) => {
      expect(instantOf(zone, at + more)).toBeGreaterThanOrEqual(instantOf(zone, at));
      const instant = at;
      const first = instantOf(zone, wallOf(zone, instant));
      expect(first).toBeLessThanOrEqual(instant);
      expect(wallOf(zone, first)).toBe(wallOf(zone, instant));
    }),
    { numRuns: 300 },
  );
});

test("both changes of clocks in Berlin: a skipped time is the skip, a time that comes twice is its first coming", () => {
  const at = (text: string): string => iso(instantOf("Europe/Berlin", local(text)));
  expect([at("2026-03-29T01:59"), at("2026-03-29T02:30"), at("2026-03-29T03:00")]).toEqual(["2026-03-29T00:59:00", "2026-03-29T01:00:00", "2026-03-29T01:00:00"]);
  expect([at("2026-10-25T01:59"), at("2026-10-25T02:30"), at("2026-10-25T03:00")]).toEqual(["2026-10-24T23:59:00", "2026-10-25T00:30:00", "2026-10-25T02:00:00"]);
  expect(wallOf("Europe/Berlin", utc("2026-10-25T01:30:00Z"))).toBe(wallOf("Europe/Berlin", utc("2026-10-25T00:30:00Z")));
});

test("days, weekdays and times are read strictly", () => {
  expect([minuteOf("00:00"), minuteOf("23:59"), minuteOf("24:00"), minuteOf("9:00"), minuteOf("09:60")]).toEqual([0, 1439, null, null, null]);
  expect([dayNumber("1970-01-01"), dayNumber("2026-02-29"), dayNumber("2028-02-29"), dayNumber("2026-1-1")]).toEqual([0, null, 21243, null]);
  expect(["2026-11-23", "2026-11-29", "1969-12-28"].map((day) => weekdayOf(dayNumber(day) ?? 0))).toEqual([0, 6, 6]);
  expect(parseLocal("2026-11-23T09:30")).toBe(wallAt(dayOf(utc("2026-11-23T00:00:00Z")), 570));
  expect([parseLocal("2026-11-23"), parseLocal("2026-11-23 09:30"), parseLocal("")]).toEqual([null, null, null]);
  expect(["Europe/Berlin", "UTC", "Berlin", "", "../etc"].map(isZone)).toEqual([true, true, false, false, false]);
});
