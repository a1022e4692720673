import type { LedgerRecord } from "@lanyard/contract";
import { handsLine } from "./timeline-hands.ts";
import { printable, time, type Colour } from "./terminal.ts";

/** A ledger record as `/v1/log` sends it: the record, and for decisions the first reason in the policy author's words. */
export type LogLine = LedgerRecord & { readonly why?: string };

const paint = (colour: Colour, effect: "allow" | "deny" | "ask"): string =>
  ({ allow: colour.green, deny: colour.red, ask: colour.yellow })[effect](effect.padEnd(5));

/** One entry on one line: seq, time, who for whom, what, decision, why. */
export function timelineLine(line: LogLine, colour: Colour): string {
  const head = `${colour.dim(String(line.seq).padStart(6))}  ${colour.dim(time(line.at_ms).slice(11))}  `;
  if (line.type === "decision") {
    const why = line.why || (line.by === "policy" ? line.policies.join(", ") || "no policy permits it" : line.by);
    const approval = line.approval ? colour.dim(` (approval ${line.approval})`) : "";
    const changed = line.transforms ? colour.dim(` (changed: ${printable(line.transforms.join(", "))})`) : "";
    return `${head}${paint(colour, line.effect)}  ${printable(`${line.agent} for ${line.user}`)}  ${colour.bold(printable(line.action))}  ${printable(why)}${changed}${approval}`;
  }
  // Only a fault in a policy has lines of its own; they stand further in, so that none can pass for an entry.
  const [first = "", ...more] = line.type === "bundle.refuse" ? summary(line).split("\n") : [summary(line)];
  return [`${head}${colour.dim(printable(first))}`, ...more.map((text) => colour.dim(printable(text.startsWith("    ") ? text : `    ${text}`)))].join("\n");
}

const past = { allow: "allowed", deny: "denied", ask: "asked for" } as const;

const policiesOf = ({ version, bundle }: { version: number | null; bundle: string }): string => (version === null ? `bundle ${bundle.slice(0, 12)}` : `version ${version} (bundle ${bundle.slice(0, 12)})`);

const postOf = ({ post, share_ppm }: { post: "active" | "shadow" | "canary"; share_ppm: number | null }): string =>
  ({ active: "active", shadow: "a shadow", canary: share_ppm === null ? "a canary" : `a canary for ${share_ppm / 10_000} % of the sessions` })[post];

function workspaceStep(line: Extract<LogLine, { type: `workspace.${string}` }>): string {
  switch (line.type) {
    case "workspace.open":
      return `a copy of ${line.files} files, ${line.bytes} bytes`;
    case "workspace.diff":
      return `${line.added} added, ${line.changed} changed, ${line.removed} removed, ${line.renamed} renamed${line.refused > 0 ? `, ${line.refused} REFUSED` : ""}`;
    case "workspace.gate":
      return `gate ${line.gate} ${line.passed ? "passed" : `failed, ${line.findings} findings`}`;
    case "workspace.outcome":
      return `${line.status}${line.code ? ` (${line.code})` : ""}, what ${line.of} began`;
    case "workspace.approve":
      return `approved by ${line.by}`;
    case "workspace.apply":
      return `to be applied, by ${line.by}`;
    case "workspace.revert":
      return `to be taken back, by ${line.by}`;
    case "workspace.discard":
      return `discarded by ${line.by}`;
  }
}

type AnswerLine = Extract<LogLine, { type: `approval.${string}` | `grant.${string}` }>;
const isAnswer = (line: LogLine): line is AnswerLine => line.type.startsWith("approval.") || line.type.startsWith("grant.");

function answerStep(line: AnswerLine): string {
  switch (line.type) {
    case "approval.request":
      return `      approval ${line.id} asked of ${line.groups.join(", ")} for the call of ${line.of}`;
    case "approval.approve":
      return `      approval ${line.id} given by ${line.by} (${line.groups.join(", ")})`;
    case "approval.deny":
      return `      approval ${line.id} denied by ${line.by}`;
    case "approval.expire":
      return `      approval ${line.id} ended without a use${line.why === undefined ? "" : `: ${line.why}`}`;
    case "approval.void":
      return `      approval ${line.id} taken back by ${line.why}`;
    case "grant.give":
      return `grant ${line.id} ${line.complete ? "given" : "proposed"} by ${line.by}: ${line.agent} for ${line.user}, ${line.action}, ${line.times} times until ${new Date(line.until_ms).toISOString()}`;
    case "grant.join":
      return `grant ${line.id} joined by ${line.by}${line.complete ? ", and in force" : ""}`;
    case "grant.use":
      return `      approval ${line.approval} given by grant ${line.id}, ${line.left} uses left`;
    case "grant.revoke":
      return `grant ${line.id} revoked by ${line.by}`;
    case "grant.expire":
      return `grant ${line.id} ended: ${line.why}`;
  }
}

function summary(line: Exclude<LogLine, { type: "decision" }>): string {
  const hands = handsLine(line);
  if (hands !== null) return hands;
  if (isAnswer(line)) return answerStep(line);
  switch (line.type) {
    case "outcome":
      return `      ${line.status}${line.code ? ` (${line.code})` : ""}, the call of ${line.of}, after ${(line.duration_us / 1000).toFixed(1)} ms`;
    case "session.open":
      return `session ${line.session} opened: ${line.agent} for ${line.user}${line.parent ? `, child of ${line.parent}` : ""}`;
    case "session.close":
      return `session ${line.session} closed: ${line.why}, ${line.actions} calls`;
    case "session.refused":
      return `refused at the door ${line.door}: ${line.code}${line.times > 1 ? `, ${line.times} times` : ""}`;
    case "credential.lend":
      return `      lent for the call of ${line.of}: ${line.names.join(", ")}`;
    case "credential.misuse":
      return `PLACEHOLDER MISUSED: ${line.agent} ${line.action}, ${line.name ?? "of another session"}, ${line.where}`;
    case "credential.withdraw":
      return `credential ${line.name} revoked by ${line.by}`;
    case "credential.restore":
      return `credential ${line.name} restored by ${line.by}`;
    case "egress.refuse":
      return `${line.agent}, session ${line.session}: turned away at the egress door (${line.fault})${line.times > 1 ? `, ${line.times} times` : ""}`;
    case "workspace.open":
    case "workspace.diff":
    case "workspace.gate":
    case "workspace.approve":
    case "workspace.apply":
    case "workspace.revert":
    case "workspace.outcome":
    case "workspace.discard":
      return `workspace of session ${line.session}: ${workspaceStep(line)}`;
    case "catalog.quarantine":
      return `catalog: ${line.server}/${line.tool} quarantined, ${line.why}`;
    case "catalog.approve":
      return `catalog: ${line.server}/${line.tool} approved by ${line.by}`;
    case "bundle.activate":
      return `${policiesOf(line)} ${postOf(line)}: ${line.policies} policies, by ${line.by}${line.why && ` (${line.why})`}`;
    case "bundle.withdraw":
      return `${policiesOf(line)} no longer ${postOf({ ...line, share_ppm: null })}, by ${line.by}${line.why && `: ${line.why}`}`;
    case "bundle.refuse":
      return `${line.version === null ? "bundle" : `version ${line.version}`} refused${line.post === "active" ? "" : ` as ${line.post}`}, the old one stays: ${line.first}`;
    case "bundle.difference":
      return `shadow: ${line.agent} ${line.action} would be ${past[line.beside_effect]} (${line.beside_policies.join(", ") || "no policy permits it"}), was ${past[line.effect]}${line.times > 1 ? `, ${line.times} times` : ""}`;
    case "engine.difference":
      return `ENGINES DIFFER: ${line.agent} ${line.action} was ${past[line.effect]}, the second engine says ${line.their_effect}${line.denies_now ? "; everything is denied since" : ""}`;
    case "policy.publish":
      return `version ${line.version} published by ${line.by}${line.loosens ? ": it loosens the organisation's policies and waits for a second person" : ""}`;
    case "policy.approve":
      return `version ${line.version} approved by ${line.by}`;
    case "policy.rollback":
      return `rolled back${line.from === null ? "" : ` from version ${line.from}`} to version ${line.to} by ${line.by}${line.why ? `: ${line.why}` : ""}`;
    case "ledger.open":
      return `ledger opened${line.open_intents.length ? `; OPEN INTENTS: ${line.open_intents.join(", ")}${line.more ? ` and ${line.more} more` : ""}` : ""}`;
    case "ledger.gap":
      return `ledger could not write (${line.why}): ${line.refused} calls denied meanwhile`;
    default: {
      const { v: _v, seq: _seq, at_ms: _at, type, ...rest } = line;
      return `${type} ${JSON.stringify(rest)}`;
    }
  }
}
