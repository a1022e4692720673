import { expect, test } from "vitest";
import fc from "fast-check";
import { Fault } from "@lanyard/contract";
import { parseConfig } from "./read.ts";

const file = "/srv/lanyard.yaml";
const parse = (text: string) => parseConfig(new TextEncoder().encode(text), file);
const problems = (text: string): string[] => {
  try {
    parse(text);
  } catch (error) {
    return (error as Error).message.split("\n").map((line) => line.replace(`${file}:`, ""));
  }
  return [];
};

const whole = `version: 1
users: { ana: {}, ben: {}, lea: {} }
channels:
  ops: { kind: webhook, url: "http://127.0.0.1:9/hook", secret: "\${env:HOOK}" }
alerts:
  rotas:
    sre:
      zone: Europe/Berlin
      shifts:
        - { who: [ana, ben], since: "2026-11-23", from: "09:00", to: "09:00" }
      overrides:
        - { who: ben, from: "2026-12-24T18:00", to: "2026-12-27T09:00" }
  contacts: { ana: [ops], ben: [ops], lea: [] }
  routes:
    page:
      levels: [{ rotas: [sre], minutes: 5 }, { channels: [ops] }]
      quiet: [{ zone: UTC, days: [sat, sun], from: "22:00", to: "07:00" }]
  conditions:
    breaker: { route: page }
    open_intent: { route: page, minutes: 3, severity: info }
    verify_failed: { route: page, every_minutes: 30 }
    budget: { route: page, percent: 90 }
`;

test("alerts become rules with defaults; nothing is watched where nothing stands", () => {
  const { alerts } = parse(whole);
  expect(alerts.routes.get("page")).toMatchObject({ repeat: 0, levels: [{ ms: 300_000, users: [] }, { ms: 600_000, channels: ["ops"] }], quiet: [{ severities: ["info", "warning"], from: 1320, to: 420, days: new Set([5, 6]) }] });
  expect([...alerts.conditions]).toEqual([
    ["breaker", { route: "page", severity: "critical", ms: 0, everyMs: 0, percent: 80 }],
    ["verify_failed", { route: "page", severity: "critical", ms: 0, everyMs: 1_800_000, percent: 80 }],
    ["open_intent", { route: "page", severity: "info", ms: 180_000, everyMs: 180_000, percent: 80 }],
    ["budget", { route: "page", severity: "warning", ms: 0, everyMs: 0, percent: 90 }],
  ]);
  expect(parse("version: 1").alerts.conditions.size).toBe(0);
});

test("a name that leads nowhere, a time that is none and a level that pages nobody are found at their places", () => {
  const wrong = whole
    .replace("who: [ana, ben], since", "who: [ana, bem], since")
    .replace("lea: []", "leo: [opps]")
    .replace("rotas: [sre]", "rotas: [sra], users: [lea]")
    .replace("breaker: { route: page }", "breaker: { route: pager }");
  expect(problems(wrong)).toEqual([
    "10:24: no user `bem` is registered under `users`; did you mean `ben`?",
    "13:39: no user `leo` is registered under `users`; did you mean `lea`?",
    "13:45: no channel `opps` is registered under `channels`; did you mean `ops`?",
    "16:26: no rota `sra` is registered under `rotas`; did you mean `sre`?",
    "16:40: `lea` can be reached by no channel; name one under `alerts: contacts: {lea: [...]}`",
    "19:23: no route `pager` is registered under `routes`; did you mean `page`?",
  ]);
  const shapes = whole
    .replace("Europe/Berlin", "Berlin")
    .replace(', since: "2026-11-23"', "")
    .replace("2026-12-27T09:00", "2026-12-24T09:00")
    .replace("{ channels: [ops] }", "{ minutes: 5 }")
    .replace('from: "22:00"', 'from: "25:00"')
    .replace("budget: { route: page, percent: 90 }", "budget: { route: page, percentage: 90 }");
  expect(problems(shapes).map((text) => text.replace(/`alerts\.[^`]*`: /, ""))).toEqual([
    "8:13: no time zone of the IANA database, such as `Europe/Berlin` or `UTC`",
    "10:11: those who take turns need `since`, the day on which the first one's week begins",
    "12:11: `to` is not after `from`",
    "16:46: a level pages nobody: name `rotas`, `users` or `channels`",
    '17:52: a time of day, in quotes: "09:00"',
    "22:28: unknown key `percentage`; known here: route, severity, percent",
  ]);
});

test("whatever stands under alerts, the file is taken or refused, and never throws anything else", () => {
  const lines = whole.split("\n");
  fc.assert(
    fc.property(fc.integer({ min: 4, max: lines.length - 2 }), fc.string({ unit: "binary", maxLength: 12 }), fc.nat(40), (row, text, column) => {
      const line = lines[row] ?? "";
      const cut = Math.min(column, line.length);
      const changed = [...lines.slice(0, row), `${line.slice(0, cut)}${text.replaceAll("\n", " ")}${line.slice(cut + text.length)}`, ...lines.slice(row + 1)].join("\n");
      try {
        parse(changed);
      } catch (error) {
        expect(error).toBeInstanceOf(Fault);
      }
    }),
    { numRuns: 300 },
  );
});
