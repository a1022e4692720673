import { Fault, type JsonObject, type Registry } from "@lanyard/contract";
import { Solver, type Comparison, type Ground } from "@lanyard/policy";
import type { Command } from "commander";
import { systemClock } from "../../base/clock.ts";
import { loadConfig } from "../../base/config/read.ts";
import { readPolicies, readTests } from "../../base/policies.ts";
import type { TrafficChange, TrafficComparison } from "../../mediation/traffic.ts";
import type { Client } from "../client.ts";
import type { Context } from "../context.ts";
import { sinceMs } from "../log.ts";
import { progressLine } from "../progress.ts";
import { exit, json } from "../terminal.ts";
import { solverLines, trafficLines } from "./diff-report.ts";

interface DiffOptions {
  readonly traffic: string | false;
  readonly solver: boolean;
  readonly patience: string;
  readonly json?: boolean;
}

/** One side as the daemon made it ready. */
interface Side {
  readonly name: string;
  readonly bundle: string;
  readonly policies: number;
  readonly bytes?: string;
}

type Line =
  | ({ readonly kind: "side"; readonly side: "before" | "after" } & Side)
  | { readonly kind: "progress"; readonly calls: number; readonly events: number }
  | ({ readonly kind: "change" } & TrafficChange)
  | ({ readonly kind: "traffic"; readonly since_ms: number } & Omit<TrafficComparison, "changes">);

const help = `
A and B are each a folder of policies, a version number, or \`active\`, \`shadow\`, \`canary\`; without B, B is the folder of policies in use, and
without A too, A is what is in force: \`lanyard policy diff\` says what saving or publishing the folder would do.

The calls recorded since SINCE are decided again by both. Then the solver is asked what B decides otherwise over all possible calls; each example
it gives is confirmed by deciding it.

With LANYARD_CREDENTIAL set it is asked as yourself: owners of the organisation's policies see all calls, a team's owners those of its agents.
Exits 0 when nothing is decided otherwise, 1 when something is or the solver cannot say.

Example:
  lanyard policy diff
  lanyard policy diff active 4 --traffic 30d
  lanyard policy diff 3 ./policies --no-solver --json`;

export function diffVerb(policy: Command, context: Context): void {
  policy
    .command("diff [A] [B]")
    .description("what a change of policies does: to recorded calls, and over all possible ones")
    .option("--traffic <since>", "calls younger than 90s, 15m, 2h, 7d, or an ISO time", "7d")
    .option("--no-traffic", "without recorded calls")
    .option("--no-solver", "without the solver")
    .option("--patience <seconds>", "how long the solver may take", "60")
    .option("--json", "as one JSON object")
    .addHelpText("after", help)
    .action(async (before: string | undefined, after: string | undefined, options: DiffOptions) => {
      if (options.traffic === false && !options.solver) throw new Fault("invalid_request", "without recorded calls and without the solver nothing is compared: leave out `--no-traffic` or `--no-solver`", { remedy: "" });
      const since = options.traffic === false ? null : sinceMs(options.traffic);
      const patienceMs = patienceOf(options.patience);
      const words = { before: before ?? "active", after: after ?? folderInUse(context) };
      const sides = { before: await sideOf(words.before), after: await sideOf(words.after) };
      const token = context.variable("LANYARD_CREDENTIAL");
      const api = await context.reach(token ? { token } : {});
      if (context.live) context.err("compiling both, deciding recorded calls again ...");
      const found = await ask(api, words, { ...sides, bundles: options.solver, ...(since !== null && { since_ms: since }) });
      const solved = options.solver ? await solve(api, found, patienceMs) : null;
      print(context, options, found, solved);
      const isSure = solved === null || (solved.proved && solved.changes.length === 0);
      if (!isSure || found.changes.length > 0) process.exitCode = exit.failed;
    });
}

interface Found {
  readonly before: Side;
  readonly after: Side;
  readonly changes: readonly TrafficChange[];
  readonly traffic: (Omit<TrafficComparison, "changes"> & { readonly since_ms: number }) | null;
}

const posts = ["active", "shadow", "canary"];

const folderInUse = (context: Context): string => {
  const folder = loadConfig(context.configPath()).policies;
  return folder.includes("/") ? folder : `./${folder}`;
};

async function sideOf(word: string): Promise<JsonObject> {
  if (posts.includes(word)) return { post: word };
  if (/^v?[1-9]\d{0,8}$/.test(word)) return { version: Number(word.replace("v", "")) };
  const [policies, tests] = await Promise.all([readPolicies(word), readTests(word)]);
  return { policies, tests } as unknown as JsonObject;
}

const patienceOf = (text: string): number => {
  if (/^[1-9]\d{0,4}$/.test(text)) return Number(text) * 1000;
  throw new Fault("invalid_request", `\`${text}\` is no time to wait: write whole seconds`);
};

async function ask(api: Client, words: Readonly<Record<"before" | "after", string>>, body: JsonObject): Promise<Found> {
  const sides = new Map<string, Side>();
  const changes: TrafficChange[] = [];
  let traffic: Found["traffic"] = null;
  const [decided, read] = [progressLine("decided again", "calls"), progressLine("read", "events of history")];
  try {
    for await (const line of api.lines<Line>("policy_diff", { body })) {
      if (line.kind === "side") sides.set(line.side, line.name === "files" ? { ...line, name: words[line.side] } : line);
      else if (line.kind === "change") changes.push(line);
      else if (line.kind === "traffic") traffic = line;
      else if (line.calls > 0) decided.show(line.calls);
      else read.show(line.events);
    }
  } finally {
    decided.clear();
    read.clear();
  }
  const [before, after] = [sides.get("before"), sides.get("after")];
  if (!before || !after || (body["since_ms"] !== undefined && traffic === null)) throw new Fault("internal", "the daemon's answer ended early");
  return { before, after, changes, traffic };
}

/** The solver runs here, not in the daemon, which has calls to decide. */
async function solve(api: Client, { before, after }: Found, patienceMs: number): Promise<Comparison> {
  const { registry } = await api.call<Ground>("policy_ground");
  await using solver = new Solver({ after: systemClock.after, patienceMs });
  const line = progressLine("solved", "questions");
  try {
    return await solver.compare(bytesOf(before), bytesOf(after), registry satisfies Registry, line.show);
  } catch (error) {
    if (error instanceof Fault && error.code === "engine_unavailable") return { changes: [], proved: false, cannotSay: [{ why: error.message, policies: [], actions: [] }] };
    throw error;
  } finally {
    line.clear();
  }
}

const bytesOf = ({ bytes = "" }: Side): Uint8Array => Uint8Array.from(Buffer.from(bytes, "base64"));

function print(context: Context, { traffic, json: isJson }: DiffOptions, { before, after, changes, ...found }: Found, solved: Comparison | null): void {
  const plain = ({ name, bundle, policies }: Side) => ({ name, bundle, policies });
  if (isJson) return context.out(json({ before: plain(before), after: plain(after), traffic: found.traffic && { ...counts(found.traffic), changes }, solver: solved }));
  context.out(`before: ${before.name}, ${before.policies} policies, bundle ${before.bundle.slice(0, 12)}`);
  context.out(`after:  ${after.name}, ${after.policies} policies, bundle ${after.bundle.slice(0, 12)}`);
  if (found.traffic && traffic !== false) for (const line of trafficLines({ ...found.traffic, changes }, traffic, context.colour)) context.out(line);
  if (solved) for (const line of solverLines(solved, context.colour)) context.out(line);
}

const counts = ({ since_ms, calls, unchanged, unlisted, not_replayable, adapted }: NonNullable<Found["traffic"]>) => ({ since_ms, calls, unchanged, unlisted, not_replayable, adapted });
