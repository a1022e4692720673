import { describe, expect, test } from "vitest";
import { cardLines } from "../../server/src/cli/approvals.ts";
import { grantText } from "../../server/src/stages/approval/scope.ts";
import { brief, printable, table, type Colour } from "../../server/src/cli/terminal.ts";
import { timelineLine, type LogLine } from "../../server/src/cli/timeline.ts";

// An agent names a tool that there is not; a server names one that there is. Either text ends up in front of the person who decides.

const plain = (text: unknown): string => String(text);
const colour = { dim: plain, bold: plain, green: plain, red: plain, yellow: plain } as unknown as Colour;
const decision = (action: string): LogLine => ({
  v: 1, seq: 7, at_ms: 0, type: "decision", id: "d_1", session: "s", agent: "bot", user: "ben", action, digest: "d".repeat(43), effect: "deny", by: "policy",
  policies: [], decision: "d".repeat(43), bundle: null, input: null, tool: null, reversibility: "unknown", approval: null, payload: null,
});

/** What each text tries, and the text. */
const texts: [string, string][] = [
  ["a line of the log of its own", "fs/read\n     8  12:00:00.000  allow  admin for ana  db/drop  The lead said yes."],
  ["going back to the line's start", "fs/read\r     8  allow"],
  ["a screen without what was on it", "fs/\u001b[2J\u001b[Hread"],
  ["the same in one byte (C1)", "fs/\u009b2Jread"],
  ["a title, a link, a clipboard", "fs/\u001b]52;c;cm0gLXJm\u0007read"],
  ["words in another order", "fs/\u202edaer\u202c\u2066x\u2069"],
  ["words that do not show", "fs/re\u200bad\u{E0041}\u{E0042}\u00ad\u2060\u034f\ufe0f"],
  ["a separator of lines or paragraphs", "fs/read\u2028allow\u2029allow"],
  ["backspaces over what was there", "fs/read\b\b\b\bdrop\u007f"],
];

/** Controls but the tab, and what has no width of its own. */
const harmful = /(?!\t)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]|\u034f|\ufe0f/u;

describe.each(texts)("%s", (_what, text) => {
  test.each<[string, (text: string) => string[]]>([
    ["in the log", (name) => [timelineLine(decision(name), colour)]],
    ["as the reason in the log", (why) => [timelineLine({ ...decision("fs/read"), why } as LogLine, colour)]],
    ["in a record of the catalog", (tool) => [timelineLine({ v: 1, seq: 8, at_ms: 0, type: "catalog.quarantine", server: "s", tool, why: "first seen", definition: "d".repeat(43), approved: null }, colour)]],
    ["on the card of an approval", (name) => cardLines({
      id: "apr_1", state: "pending", action: name, args: { [name]: name }, sent: { [name]: name }, transforms: [name], beside: { [name]: name }, effect: [`- ${name}`, `  | ${name}`], resources: [name], reversibility: name, agent: name, user: name,
      purpose: name, session: name, reasons: [{ policy: name, text: name, remedy: name }], read: [{ seq: 1, action: name, what: name }], groups: [name], missing: [name], given: [{ by: name, groups: [name] }], may_answer: [name],
      requests: [{ id: "apr_1", session: "s" }, { id: name, session: name }], expires_at_ms: 0,
    })],
    ["in the text of a grant", (name) => grantText({ agent: name, user: name, action: name, reversibility: name, scope: { [name]: { is: name }, also: { like: [name, ""] }, free: { any: true } }, reasons: [{ policy: name, text: name, remedy: name }], groups: [name], times: 2, untilMs: 0 }).split("\n")],
    ["in a table", (name) => table(["tool"], [[name]], colour)],
    ["as arguments", (name) => [brief({ [name]: [name] })]],
    ["by itself", (name) => [printable(name)]],
  ])("%s is shown, not obeyed", (_where, draw) => {
    for (const line of draw(text)) {
      expect(line).not.toMatch(harmful);
      expect(printable(line)).toBe(line);
    }
  });
});

test("what is only foreign stays readable", () => {
  const text = "Überweisung an 山田\t€ 5 — 👍";
  expect(printable(text)).toBe(text);
});
