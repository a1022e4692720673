import fc from "fast-check";
import { expect, test } from "vitest";
import { alertRules, alertShape, type Rota } from "../../base/config/alerts.ts";
import { isQuiet, onCall } from "./rota.ts";

const rulesOf = (alerts: unknown) => alertRules(alertShape.parse(alerts));
const rotaOf = (zone: string, shifts: unknown, overrides: unknown = []): Rota => {
  const rota = rulesOf({ rotas: { sre: { zone, shifts, overrides } } }).rotas.get("sre");
  if (!rota) throw new Error("no rota");
  return rota;
};
const at = (text: string): number => Date.parse(text);

const weekly = [{ who: ["ana", "ben", "cem"], since: "2026-11-23", from: "09:00", to: "09:00" }];

test("those who take turns hand over at the hour on the wall, whichever offset it has that week", () => {
  const rota = rotaOf("Europe/Berlin", weekly);
  const handovers = ["2026-11-30T08:00:00Z", "2026-12-07T08:00:00Z", "2027-03-29T07:00:00Z", "2026-10-26T08:00:00Z"];
  expect(handovers.map((text) => [onCall(rota, at(text) - 1), onCall(rota, at(text))])).toEqual([
    ["ana", "ben"], ["ben", "cem"], ["cem", "ana"], ["ben", "cem"], // the last is before `since`: turns count backwards too
  ]);
});

test("a night shift belongs to the day it began on; it is an hour shorter or longer when clocks change in it", () => {
  const rota = rotaOf("Europe/Berlin", [{ who: "night", days: ["sat"], from: "22:00", to: "06:00" }, { who: "day", from: "00:00", to: "00:00" }]);
  const hours = (from: string, to: string): number => {
    let count = 0;
    for (let time = at(from); time < at(to); time += 1_800_000) count += onCall(rota, time) === "night" ? 0.5 : 0;
    return count;
  };
  expect(hours("2026-11-21T12:00:00Z", "2026-11-22T12:00:00Z")).toBe(8);
  expect(hours("2026-03-28T12:00:00Z", "2026-03-29T12:00:00Z")).toBe(7);
  expect(hours("2026-10-24T12:00:00Z", "2026-10-25T12:00:00Z")).toBe(9);
});

test("who stands in counts before every shift, the first of the list first; a shift that nobody has is nobody's", () => {
  const rota = rotaOf("America/New_York", [{ who: "ana", days: ["mon", "tue", "wed", "thu", "fri"], from: "09:00", to: "17:00" }], [
    { who: "ben", from: "2026-11-24T12:00", to: "2026-11-24T13:00" },
    { who: "cem", from: "2026-11-24T00:00", to: "2026-11-25T00:00" },
  ]);
  const when = ["2026-11-23T15:00:00Z", "2026-11-24T17:00:00Z", "2026-11-24T18:00:00Z", "2026-11-25T05:00:00Z", "2026-11-25T14:00:00Z", "2026-11-28T15:00:00Z"];
  expect(when.map((text) => onCall(rota, at(text)))).toEqual(["ana", "ben", "cem", null, "ana", null]);
});

test("shifts that meet on the wall cover every instant exactly once, in every zone and through every change of clocks", () => {
  const zones = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "Africa/Casablanca", "America/St_Johns"];
  const time = (minute: number): string => `${String(Math.floor(minute / 60)).padStart(2, "0")}:${String(minute % 60).padStart(2, "0")}`;
  const cuts = fc.uniqueArray(fc.integer({ min: 0, max: 1439 }), { minLength: 2, maxLength: 6 }).map((minutes) => minutes.sort((a, b) => a - b));
  const changes = ["2026-03-29T01:00:00Z", "2026-10-25T01:00:00Z", "2026-03-08T07:00:00Z", "2026-11-01T06:00:00Z", "2026-04-04T15:00:00Z", "2026-10-03T15:30:00Z"].map(at);
  const instant = fc.tuple(fc.constantFrom(...changes), fc.integer({ min: -200, max: 200 })).map(([change, off]) => change + off * 60_000);
  fc.assert(
    fc.property(fc.constantFrom(...zones), cuts, instant, (zone, minutes, now) => {
      const shifts = minutes.map((from, index) => ({ who: `p${index}`, from: time(from), to: time(minutes[(index + 1) % minutes.length] ?? 0) }));
      const covering = shifts.filter((shift) => onCall(rotaOf(zone, [shift]), now) !== null);
      expect(covering).toHaveLength(1);
    }),
    { numRuns: 200 },
  );
});

test("quiet hours hold what they name; critical only when it is said", () => {
  const quiet = (severities?: string[]) => {
    const route = rulesOf({ routes: { page: { levels: [{ channels: ["ops"] }], quiet: [{ zone: "Europe/Berlin", from: "22:00", to: "07:00", ...(severities && { severities }) }] } } }).routes.get("page");
    return (severity: "info" | "warning" | "critical", text: string) => route !== undefined && isQuiet(route, severity, at(text));
  };
  expect(["2026-11-22T20:59:00Z", "2026-11-22T21:00:00Z", "2026-11-23T05:59:00Z", "2026-11-23T06:00:00Z"].map((text) => quiet()("warning", text))).toEqual([false, true, true, false]);
  expect([quiet()("critical", "2026-11-22T23:00:00Z"), quiet(["critical"])("critical", "2026-11-22T23:00:00Z"), quiet(["critical"])("info", "2026-11-22T23:00:00Z")]).toEqual([false, true, false]);
});
