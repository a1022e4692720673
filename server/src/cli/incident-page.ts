import { createHash } from "node:crypto";
import type { Json, LedgerRecord } from "@lanyard/contract";
import picocolors from "picocolors";
import type { IncidentCall, IncidentReport } from "../edge/api/incident/report.ts";
import { json, printable } from "./terminal.ts";
import { timelineLine, type LogLine } from "./timeline.ts";

/** Text that is HTML already. Only {@link html} makes it. */
class Markup {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

type Part = Markup | string | number | readonly Part[];

const escapes: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;", "`": "&#96;" };

/** Invariant: whatever stands in the page and is not written in this file has gone through here: nothing in it can be markup, hide, or turn the line around. */
const shown = (part: Part): string => {
  if (part instanceof Markup) return part.text;
  if (typeof part === "object") return part.map(shown).join("");
  return printable(String(part)).replace(/[&<>"'`]/g, (character) => escapes[character] ?? "");
};

const html = (texts: TemplateStringsArray, ...parts: readonly Part[]): Markup => new Markup(texts.reduce((page, text, index) => page + shown(parts[index - 1] ?? "") + text));

const style = `
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.15rem; margin-top: 2rem; border-bottom: 1px solid; }
.sum { font-size: 1.15rem; border: 2px solid; border-radius: .5rem; padding: .75rem 1rem; }
.sum p { margin: .25rem 0; } .bad { font-weight: 700; }
table { border-collapse: collapse; width: 100%; } td, th { text-align: left; vertical-align: top; padding: .3rem .6rem .3rem 0; border-bottom: 1px solid #8886; }
code, pre { font: .85rem/1.45 ui-monospace, monospace; overflow-wrap: anywhere; white-space: pre-wrap; }
td.t { white-space: nowrap; font-variant-numeric: tabular-nums; }
.deny { color: #b00020; } .ask { color: #8a5a00; } .allow { color: #0a6b2d; }
@media (prefers-color-scheme: dark) { .deny { color: #ff8a80; } .ask { color: #ffd27f; } .allow { color: #8fe0a8; } }
@media print { body { max-width: none; font-size: 11px; } tr, pre { break-inside: avoid; } }
`;

const moment = (ms: number): string => new Date(ms).toISOString().slice(0, 19).replace("T", " ");
const utc = (ms: number): string => `${moment(ms)} UTC`;
const shades = new Map([["allow", "allow"], ["ask", "ask"]]);
const colourless = picocolors.createColors(false);

/** The report as one file: no script, nothing from elsewhere. The same report gives the same bytes. */
export function incidentPage(report: IncidentReport): string {
  const { session } = report;
  const policy = `default-src 'none'; style-src 'sha256-${createHash("sha256").update(style).digest("base64")}'; form-action 'none'; base-uri 'none'`;
  const records = report.records as unknown as LedgerRecord[];
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${new Markup(policy)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>Incident: session ${session}</title>
<style>${new Markup(style)}</style>
</head>
<body>
<h1>Incident: session ${session}</h1>
${summary(report, records)}
<h2>What was done about it</h2>
${lines(records.filter(({ type }) => /^(?:stop|breaker|alert|approval|grant)\./.test(type)), "Nothing: no stop, no page, no approval.", report)}
<h2>What was taken back</h2>
${lines(records.filter(({ type }) => /^(?:undo|held|workspace)\./.test(type)), "Nothing.", report)}
<h2>What the agent did</h2>
${callTable(report)}
<h2>What it touched</h2>
${touched(report)}
<h2>Timeline</h2>
${report.omitted > 0 ? html`<p class="bad">${report.omitted} older records are left out; <code>lanyard log --session ${session}</code> has them.</p>` : ""}
${lines(records, "Nothing is on record.", report)}
<h2>Proof</h2>
${proof(report)}
</body>
</html>
`.text;
}

function summary({ agent, user, purpose, opened_at_ms: opened, closed_at_ms: closed, sessions, calls }: IncidentReport, records: readonly LedgerRecord[]): Markup {
  const count = (test: (call: IncidentCall) => boolean): number => calls.filter(test).length;
  const done = count(({ outcome }) => outcome?.status === "done");
  const failed = count(({ outcome }) => outcome?.status === "failed");
  const unsure = count(({ outcome, open }) => open || outcome?.status === "uncertain");
  const kept = count(({ effect }) => effect !== "allow");
  const stopped = records.filter(({ type }) => type === "stop.order");
  return html`<div class="sum">
<p>Agent <b>${agent}</b> for <b>${user}</b>${purpose === null ? "" : html`, to: ${purpose}`}</p>
<p>${utc(opened)} to ${closed === null ? html`<span class="bad">still open</span>` : utc(closed)}${sessions.length > 1 ? `, with ${sessions.length - 1} more below it` : ""}</p>
<p>${calls.length} decisions: ${done} carried out, ${failed} failed at the server, ${kept} denied or held${unsure > 0 ? html`, <span class="bad">${unsure} whose end is not known</span>` : ""}</p>
<p>${stopped.length === 0 ? "Nothing stopped it." : html`<span class="bad">Stopped ${stopped.length === 1 ? "once" : `${stopped.length} times`}, first at ${utc(stopped[0]?.at_ms ?? 0)}.</span>`}</p>
</div>`;
}

function callTable({ calls, session }: IncidentReport): Markup {
  if (calls.length === 0) return html`<p>No call.</p>`;
  const rows = calls.map(
    (call) => html`<tr>
<td class="t">${moment(call.at_ms)}<br>entry ${call.seq}${call.session === session ? "" : html`<br><small>session ${call.session}</small>`}</td>
<td><b>${call.action}</b>${call.resources.map((resource) => html`<br>${resource}`)}<br><code>${argumentsOf(call)}</code></td>
<td class="${shades.get(call.effect) ?? "deny"}">${call.effect}${call.by === "policy" ? "" : `, ${call.by}`}${call.reasons.map(({ policy, text, file, line }) => html`<br>${text === "" ? policy : text} <small>${file === "" ? policy : `${file}:${line}`}</small>`)}${call.approval === null ? "" : html`<br>approval ${call.approval}`}</td>
<td>${call.outcome ? `${call.outcome.status}${call.outcome.code === "" ? "" : ` (${call.outcome.code})`}` : call.open ? html`<span class="bad">not known</span>` : "nothing was carried out"}<br><small>${call.reversibility}</small>${call.undone === null ? "" : html`<br><b>${call.undone.verdict}</b> ${call.undone.why}`}</td>
</tr>
`,
  );
  return html`<table><thead><tr><th>When (UTC)</th><th>What</th><th>Decision, and why</th><th>End</th></tr></thead><tbody>
${rows}</tbody></table>`;
}

const argumentsOf = ({ arguments: given, arguments_state: state }: IncidentCall): string => (given === null ? `arguments: ${state}` : `${json(given satisfies Json)}${state === "match their commitment" ? "" : ` (${state})`}`);

function touched({ touched: { servers, resources, hosts, credentials } }: IncidentReport): Markup {
  const rows = Object.entries({ Servers: servers, Resources: resources, Hosts: hosts, Credentials: credentials }).map(
    ([name, list]) => html`<tr><th>${name}</th><td>${list.length === 0 ? "none" : list.map((one) => html`${one.name} <small>(${one.calls})</small><br>`)}</td></tr>
`,
  );
  return html`<p>By calls that were carried out, or may have been; how often in brackets.</p>
<table><tbody>
${rows}</tbody></table>`;
}

function lines(records: readonly LedgerRecord[], none: string, { comments }: IncidentReport): Markup {
  if (records.length === 0) return html`<p>${none}</p>`;
  const rows = records.map((record) => {
    const comment = comments[String(record.seq)];
    return html`<tr><td class="t">${moment(record.at_ms)}</td><td class="t">${record.seq}</td><td>${wordsOf(record)}${comment === undefined ? "" : html`<br>"${comment}"`}</td></tr>
`;
  });
  return html`<table><tbody>
${rows}</tbody></table>`;
}

/** As `lanyard log` says it, without number and time. */
const wordsOf = (record: LedgerRecord): string => timelineLine(record as LogLine, colourless).replace(/^ *\d+ {2}\S+ {2}/, "").trim();

const proof = ({ session, key, checkpoint, records }: IncidentReport): Markup => html`<p>The file <code>incident-${session}.json</code> beside this page holds ${records.length} records of the ledger as they were hashed, each with its proof (C2SP tlog-proof) against the
signed checkpoint below. To check all of them on any machine with Node, without this daemon and without a network:</p>
<pre>node verify.ts incident-${session}.json --key "${key}"</pre>
<p>verify.ts is <code>ledger/src/verify.ts</code> of Lanyard, one file without dependencies. Take the key from where you kept it, not from here: <code>lanyard audit key</code> printed it. Arguments and
reasons on this page are drawn from sealed values and policies that the records name by hash.</p>
<pre>${checkpoint.split("\n").map((line) => html`${line}
`)}</pre>`;
