import { webServer, type ArgumentFacts, type Json, type JsonObject, type LedgerRecord } from "@lanyard/contract";
import type { Command } from "commander";
import { addressIn } from "../base/web.ts";
import type { Context } from "./context.ts";
import { meaningLines } from "./explain-facts.ts";
import { brief, json, printable, time, type Colour } from "./terminal.ts";

type DecisionRecord = Extract<LedgerRecord, { type: "decision" }>;

/** A policy, and why it held or did not where its facts are still known. */
interface PolicyShown {
  readonly text: string;
  readonly reason: string;
  readonly remedy: string;
  readonly file: string;
  readonly line: number;
  readonly role?: "decided" | "changed" | "failed" | "nearest";
  readonly resource?: string;
  readonly facts?: readonly string[];
  readonly unmet?: string;
  readonly lift?: string;
}

interface Explanation {
  readonly seq: number;
  readonly record: LedgerRecord;
  readonly proof: { tree_size: number; root: string; leaf_index: number; file: string };
  readonly policies?: readonly (PolicyShown & { id: string })[];
  readonly nearest?: readonly (PolicyShown & { policy: string })[];
  readonly input?: JsonObject | null;
  readonly beside?: JsonObject | null;
  readonly input_state?: string;
  readonly history?: readonly { readonly question: string; readonly calls: readonly number[] }[];
  /** The entry of an earlier call that people were asked about and that held the session. */
  readonly held_by?: number | null;
  /** The calls whose results values of the arguments came from; the address is that of a request that left a sandbox. */
  readonly sources?: readonly { readonly seq: number; readonly action: string; readonly address: string }[];
  readonly approval?: readonly LedgerRecord[];
  readonly outcome?: Extract<LedgerRecord, { type: "outcome" }> | null;
  readonly result?: Json;
  readonly open?: boolean;
}

export function explainVerb(program: Command, context: Context): void {
  program
    .command("explain <entry>")
    .description("one entry in full: who, for whom, what, why, approval, outcome, proof")
    .option("--json", "as one JSON object")
    .addHelpText("after", "\n<entry> is a number from `lanyard log`, or the decision id a denial showed.\n\nExample:\n  lanyard explain 42\n  lanyard explain d_Zk3v9QpL0aXw2rTn")
    .action(async (entry: string, options: { json?: boolean }) => {
      const explanation = await (await context.reach()).call<Explanation>("explain", { at: { ref: entry } });
      if (options.json) context.out(json(explanation));
      else for (const line of explanationLines(explanation, context.colour)) context.out(line);
    });
}

function explanationLines(explained: Explanation, colour: Colour): string[] {
  const { record } = explained;
  const row = (label: string, value: string): string => `${colour.dim(label.padEnd(10))}${value}`;
  const proof = row("proof", `leaf ${explained.proof.leaf_index} of ${explained.proof.tree_size}, root ${explained.proof.root}; \`${explained.proof.file}\` writes it`);
  if (record.type !== "decision") return [row("entry", `${explained.seq}  ${record.type}`), row("when", time(record.at_ms)), row("record", brief(record as unknown as Json, 2000)), ...callsOf(record, row), proof];
  return [...decisionLines(record, explained, row, colour), ...endLines(record, explained, row), proof];
}

type Row = (label: string, value: string) => string;

/** Equal differences of a second are one record, which names one session: where its calls are found. */
const callsOf = (record: LedgerRecord, row: Row): string[] => (record.type === "bundle.difference" ? [row("calls", `\`lanyard log --session ${record.session} --tool ${printable(record.action)} --type decision\` lists them`)] : []);

function decisionLines(record: DecisionRecord, explained: Explanation, row: Row, colour: Colour): string[] {
  const paint = { allow: colour.green, deny: colour.red, ask: colour.yellow }[record.effect];
  const session = explained.input?.["session"] as JsonObject | undefined;
  const user = explained.input?.["user"] as JsonObject | undefined;
  return [
    row("entry", `${record.seq}  ${record.id}`),
    row("when", time(record.at_ms)),
    row("who", `agent ${record.agent}, session ${record.session}${session ? ` (${printable(String(session["purpose"]))})` : ""}`),
    row("for whom", `${record.user}${user ? `, in groups ${brief(user["groups"])}` : ""}`),
    ...whatLines(record, explained, row, colour),
    ...(explained.beside ? [row("  with", brief(explained.beside, 2000))] : []),
    row("decision", `${paint(record.effect)}${record.by === "policy" ? "" : ` by ${record.by}`}`),
    ...(record.transforms ? [row("changed", `${printable(record.transforms.join(", "))}, before it ${record.effect === "ask" ? "is" : "was"} carried out; above are the arguments as sent`)] : []),
    ...(explained.policies ?? []).flatMap((policy) => policyLines("policy", policy.id, policy, row, colour)),
    ...(record.by === "policy" && record.policies.length === 0 ? [row("policy", "none permits it: denied by default")] : []),
    ...(explained.nearest ?? []).flatMap((policy) => policyLines("nearest", policy.policy, policy, row, colour)),
    ...meaningLines(explained.input).map(([label, text]) => row(label, text)),
    row("facts", explained.input ? `${brief(besides(explained.input), 2000)} — ${explained.input_state}` : (explained.input_state ?? "")),
    ...historyLines(explained, row),
    ...(explained.held_by ? [row("held by", `entry ${explained.held_by}: people had been asked about it, and it had not gone through`)] : []),
    ...originLines(explained, row),
    row("bundle", record.bundle ?? "none was asked"),
    ...(record.tool ? [row("tool", `definition ${record.tool}`)] : []),
  ];
}

/** Earlier calls that policies asked about. */
const historyLines = ({ history = [] }: Explanation, row: Row): string[] =>
  history.filter(({ calls }) => calls.length > 0).map(({ question, calls }) => row("history", printable(`${question}: ${calls.map((seq) => `entry ${seq}`).join(", ")}`)));

/** Where the values of the arguments came from, those from results first. */
function originLines({ input, sources: known = [] }: Explanation, row: Row): string[] {
  const facts = Object.entries((input?.["facts"] ?? {}) as unknown as Readonly<Record<string, ArgumentFacts>>);
  const calls = new Map(known.map(({ seq, action, address }) => [seq, `, ${action}${address === "" ? "" : ` ${address}`}`]));
  return facts.flatMap(([name, { origins, sources = [] }]) => {
    const places = sources.map(({ at, origin, seq, field }) => `${at} ${seq === null ? `is known from the ${origin}` : `came from the result of entry ${seq}${calls.get(seq) ?? ""}${field === "" ? "" : ` (${field})`}, ${origin}`}`);
    const isMade = origins.includes("model") ? [`/${name} has something in it that was found nowhere: the model's own`] : [];
    return [...places, ...isMade].map((line) => row("origin", printable(line)));
  });
}

/** A request that left a sandbox reads as one: its address, then what it carried. */
function whatLines(record: DecisionRecord, { input, input_state: state }: Explanation, row: Row, colour: Colour): string[] {
  const name = colour.bold(printable(record.action));
  const args = input?.["args"] as JsonObject | undefined;
  if (!args) return [row("what", `${name} arguments: ${state}`)];
  if (!record.action.startsWith(`${webServer}/`)) return [row("what", `${name} ${brief(args, 2000)}`)];
  const { headers, body, body_bytes: bytes = 0, body_cut: cut } = args;
  return [
    row("what", `${name} ${printable(addressIn(args))}`),
    ...(headers === undefined ? [] : [row("  headers", brief(headers, 2000))]),
    ...(bytes === 0 ? [] : [row("  body", `${bytes} bytes${body === undefined ? ", no plain text" : `: ${brief(body, 2000)}${cut ? " (and more)" : ""}`}`)]),
  ];
}

function policyLines(label: string, id: string, policy: PolicyShown, row: Row, colour: Colour): string[] {
  const { file, line, reason, remedy, text, resource = "", facts = [], unmet = "", lift = "" } = policy;
  return [
    row(label, `${id}${file ? `  ${file}:${line}` : ""}${resource ? `  about ${printable(resource)}` : ""}`),
    ...(reason ? [row("  reason", printable(reason))] : []),
    ...(text ? text.trim().split("\n").map((each) => `          ${colour.dim("│")} ${printable(each)}`) : []),
    ...facts.map((fact) => row("  because", printable(fact))),
    ...(unmet ? [row(policy.role === "failed" ? "  failed" : "  but not", printable(unmet))] : []),
    ...(lift || remedy ? [row("  lifted by", ` ${printable(lift || remedy)}`)] : []),
  ];
}

/** What is shown in lines of its own. */
const besides = ({ args: _args, facts: _facts, effects: _effects, ...others }: JsonObject): JsonObject => others;

function endLines(record: DecisionRecord, explained: Explanation, row: Row): string[] {
  const approval = (explained.approval ?? []).map((entry) => {
    const by = "by" in entry ? ` by ${entry.by}` : "";
    const groups = "groups" in entry ? ` (${entry.groups.join(", ")})` : "";
    return row("approval", `${entry.seq}  ${time(entry.at_ms)}  ${entry.type.replace("approval.", "")}${by}${groups}`);
  });
  const { outcome } = explained;
  if (!outcome) return [...approval, row("outcome", explained.open ? "OPEN: the intent has no outcome; a running call, or a crash in between" : "none: nothing was carried out")];
  return [
    ...approval,
    row("lease", "none: no credential was lent"),
    row("outcome", `${outcome.seq}  ${outcome.status}${outcome.code ? ` (${outcome.code})` : ""}`),
    row("result", explained.result === null || explained.result === undefined ? "not kept" : brief(explained.result, 2000)),
    row("timing", `carried out in ${(outcome.duration_us / 1000).toFixed(2)} ms; outcome on record ${outcome.at_ms - record.at_ms} ms after the intent`),
  ];
}
