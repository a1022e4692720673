import { Fault, type LedgerRecord } from "@lanyard/contract";
import type { Command } from "commander";
import { guardrailPacks } from "../base/packs.ts";
import { ApiError, type Client } from "./client.ts";
import type { Context } from "./context.ts";
import { sinceMs } from "./log.ts";
import { json, printable, table, time } from "./terminal.ts";

type Difference = Extract<LedgerRecord, { type: "bundle.difference" }>;

/** What stands at the shadow post, as far as the report tells. */
interface ShownShadow {
  readonly version: number;
  readonly waits: boolean;
  readonly standing: { readonly shadow?: { readonly since_ms: number; readonly statistics: { readonly decisions: number; readonly unrecorded: number; readonly dropped: number } } };
}

/** What the policies of one pack would have done to calls that went otherwise. */
interface PackFindings {
  readonly pack: string;
  denied: number;
  asked: number;
  readonly tools: Map<string, number>;
  /** The newest records of it. */
  readonly entries: number[];
}

const newest = 10_000;
const shownTools = 3;
const shownEntries = 2;

export function guardrailVerbs(program: Command, context: Context): void {
  program
    .command("guardrails")
    .description("ready guardrails that only look on: what they would have done")
    .command("report")
    .description("calls that the shadow would have denied or asked about, by the guardrail, and how to put it in force")
    .option("--since <when>", "only what was found later than 90s, 15m, 2h, 7d ago, or an ISO time (default: since the shadow began)")
    .option("--json", "as one JSON object")
    .addHelpText("after", "\nExample:\n  lanyard guardrails report\n  lanyard guardrails report --since 1d --json")
    .action(async ({ since, json: asJson }: { since?: string; json?: boolean }) => {
      const api = await context.reach();
      const shadow = await shadowNow(api);
      const from = since === undefined ? shadow?.standing.shadow?.since_ms : sinceMs(since);
      if (from === undefined) throw new Fault("not_found", "no version of the policies stands at the shadow post; `lanyard policy shadow N` puts a published one there, and `--since` tells of earlier ones", { remedy: "" });
      const found: Difference[] = [];
      for await (const line of api.lines<Difference>("log", { query: { type: "bundle.difference", since_ms: from, limit: newest } })) found.push(line);
      const packs = findings(found);
      const passed = found.reduce((sum, { beside_effect, times }) => sum + (beside_effect === "allow" ? times : 0), 0);
      const activate = shadow === null ? [] : activation(shadow);
      if (asJson) return context.out(json({ since_ms: from, version: shadow?.version ?? null, ...shadow?.standing.shadow?.statistics, would_pass: passed, packs: packs.map(({ tools, ...pack }) => ({ ...pack, tools: Object.fromEntries(tools) })), more: found.length === newest, activate }));
      for (const line of reportLines({ shadow, from, packs, passed, isCut: found.length === newest }, context)) context.out(line);
      if (activate.length > 0) context.out("to put it in force, once what is above is as it should be (`owner` and `second-owner`: two of `owners`, as `lanyard init` names them):");
      for (const line of activate) context.out(`  ${line}`);
    });
}

const shadowNow = async (api: Client): Promise<ShownShadow | null> => {
  try {
    return await api.call<ShownShadow>("policy_show", { at: { version: "shadow" } });
  } catch (error) {
    if (error instanceof ApiError && error.code === "not_found") return null;
    throw error;
  }
};

const as = (who: string, command: string): string => `LANYARD_CREDENTIAL=$(cat ${who}.secret) lanyard policy ${command}`;

const activation = ({ version, waits }: ShownShadow): string[] => [...(waits ? [as("second-owner", `approve ${version}`)] : []), as("owner", `activate ${version}`)];

/** Packs with what their policies would have denied or asked about, most first. A call that several speak against counts for each. */
export function findings(differences: readonly Pick<Difference, "seq" | "action" | "times" | "beside_effect" | "beside_policies">[]): PackFindings[] {
  const packs = new Map<string, PackFindings>();
  for (const { seq, action, times, beside_effect: effect, beside_policies: policies } of differences) {
    if (effect === "allow") continue;
    for (const name of new Set(policies.length === 0 ? [noPermit] : policies.map(packOf))) {
      const pack = packs.get(name) ?? { pack: name, denied: 0, asked: 0, tools: new Map<string, number>(), entries: [] };
      packs.set(name, pack);
      if (effect === "deny") pack.denied += times;
      else pack.asked += times;
      pack.tools.set(action, (pack.tools.get(action) ?? 0) + times);
      pack.entries.push(seq);
    }
  }
  for (const pack of packs.values()) pack.entries.splice(0, pack.entries.length - shownEntries);
  return [...packs.values()].sort((left, right) => right.denied + right.asked - left.denied - left.asked || (left.pack < right.pack ? -1 : 1));
}

const noPermit = "(no permit)";

/** Ids of a pack's policies begin with a word of its own; policies of others go by theirs. */
const packOf = (policy: string): string => {
  prefixes ??= new Map(guardrailPacks().flatMap(({ name, policies }) => Array.from(policies.matchAll(/@id\("([^".]+)\./g), ([, prefix = ""]): [string, string] => [prefix, name])));
  const prefix = policy.split(".")[0] ?? policy;
  return prefixes.get(prefix) ?? prefix;
};
let prefixes: ReadonlyMap<string, string> | undefined;

interface Report {
  readonly shadow: ShownShadow | null;
  readonly from: number;
  readonly packs: readonly PackFindings[];
  readonly passed: number;
  readonly isCut: boolean;
}

function reportLines({ shadow, from, packs, passed, isCut }: Report, { colour }: Context): string[] {
  const stands = shadow?.standing.shadow;
  const head = stands === undefined ? `no version stands at the shadow post now; since ${time(from)} those that did` : `version ${shadow?.version} has decided ${stands.statistics.decisions} calls beside the one in force since ${time(stands.since_ms)}; ${stands.since_ms === from ? "it" : `since ${time(from)} a shadow`}`;
  const lines = [`${head} ${packs.length === 0 ? "would have denied nothing and asked about nothing that was let through" : "would have stopped:"}`];
  const rows = packs.map(({ pack, denied, asked, tools }) => [pack, String(denied), String(asked), topOf(tools)]);
  if (rows.length > 0) lines.push(...table(["guardrail", "would deny", "would ask", "most of all"], rows, colour));
  for (const { pack, entries } of packs) lines.push(`  ${printable(pack)}, e.g. ${entries.map((seq) => `lanyard explain ${seq}`).join(", ")}`);
  if (passed > 0) lines.push(`and let pass ${passed} that ${passed === 1 ? "was" : "were"} not`);
  if (isCut) lines.push(`only the newest ${newest} records were read; --since tells of less`);
  const lost = (stands?.statistics.unrecorded ?? 0) + (stands?.statistics.dropped ?? 0);
  if (lost > 0) lines.push(`${lost} more were not recorded: too many at once`);
  return lines;
}

const topOf = (tools: ReadonlyMap<string, number>): string => {
  const sorted = [...tools].sort((left, right) => right[1] - left[1] || (left[0] < right[0] ? -1 : 1));
  const more = sorted.length - shownTools;
  return sorted.slice(0, shownTools).map(([tool, times]) => `${tool} ${times}`).join(", ") + (more > 0 ? ` and ${more} more` : "");
};
