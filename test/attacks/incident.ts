import { existsSync, globSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import type { Effect, JsonObject } from "@lanyard/contract";
import { newMemory } from "@lanyard/policy";
import { parse } from "yaml";
import { systemClock } from "../../server/src/base/clock.ts";
import { parseConfig } from "../../server/src/base/config/read.ts";
import { chosenPacks, packConfig, packPolicies } from "../../server/src/base/packs.ts";
import { Trial } from "../../server/src/cli/try/trial.ts";
import { TrialWorld } from "../../server/src/cli/try/trial-world.ts";

// A trace of an agent that was hijacked, and its benign twin: the same task with the same tools, where nobody interferes.

/** A call, and what came back: `[tool, args, result]`. Alone: it is done in passing. `stop`: never allowed; `ask`: a person may be asked; `loop`: again and again, until it stops. */
type Step = Call | { readonly stop: Call } | { readonly ask: Call } | { readonly loop: Call };
type Call = readonly [tool: string, args: JsonObject, result?: string];

export interface Incident {
  readonly name: string;
  readonly source: string;
  readonly domain: string;
  readonly task: string;
  /** By Cedar action id, its arguments: `name`, or `name:type`, with blanks between. */
  readonly tools: Readonly<Record<string, string>>;
  readonly attack?: readonly Step[];
  readonly twin?: readonly Step[];
}

export interface TriedCall {
  readonly tool: string;
  readonly expect: "stopped" | "allow" | "allow-or-ask" | null;
  readonly effect: Effect;
  /** Determining policies, or the code of the step that refused. */
  readonly by: readonly string[];
}

const packs = chosenPacks(["all"]);
/** All have the packs, which are read once. */
const memory = newMemory();
const folder = import.meta.dirname;

/** All that lie in a folder below this one. */
export const incidentsIn = (where: string): Incident[] => globSync("*.yaml", { cwd: join(folder, where) }).sort().map((file) => ({ ...(parse(readFileSync(join(folder, where, file), "utf8")) as Omit<Incident, "name">), name: basename(file, ".yaml") }));

const people = { teams: { staff: {} }, groups: { approvers: {} }, users: { ana: {}, olga: { groups: ["approvers"] } }, agents: { agent: { team: "staff" } } };

/** What the organisation says of a domain: at most 30 lines, a part of lanyard.yaml and, after `---`, policies. */
function domainOf(name: string): { config: JsonObject; cedar: string; lines: number } {
  const path = join(folder, "domains", `${name}.yaml`);
  const text = existsSync(path) ? readFileSync(path, "utf8") : "";
  const [yaml = "", cedar = ""] = text.split(/^---$/m);
  return { config: (parse(yaml) ?? {}) as JsonObject, cedar, lines: text.split("\n").filter((line) => line.trim() !== "" && !line.startsWith("#")).length };
}

export const linesOf = (domain: string): number => domainOf(domain).lines;

const definitionOf = (name: string, args: string): JsonObject => {
  const fields = args.split(" ").filter((one) => one !== "").map((one) => one.split(":"));
  const properties = Object.fromEntries(fields.map(([field = "", type = "string"]) => [field, type === "array" ? { type, items: { type: "string" } } : { type }]));
  return { name, inputSchema: { type: "object", properties } };
};

/** Runs one side as `lanyard try` would, with all packs and what its domain says. */
export function run({ domain, task, tools }: Incident, steps: readonly Step[], { bare = false } = {}): TriedCall[] {
  const { config, cedar } = domainOf(bare ? "" : domain);
  const names = [...Object.keys(tools), ...Object.keys((config["tools"] ?? {}) as JsonObject)];
  const servers = Object.fromEntries(names.map((name) => [name.split("/")[0] ?? "", { command: "none" }]));
  const file = JSON.stringify({ version: 1, ...people, ...packConfig(packs), ...config, servers: { ...servers, ...(config["servers"] as JsonObject | undefined) } });
  const policies = [...packPolicies(packs, "approvers"), ...(cedar.trim() ? [{ file: "domain.cedar", text: cedar }] : [])];
  const world = new TrialWorld({ config: parseConfig(new TextEncoder().encode(file), "/trial/lanyard.yaml"), ground: null, named: false, policies, memory });
  const trial = new Trial({ world, guesser: null, clock: systemClock, explain: false });
  let number = 0;
  const say = (line: object): JsonObject => trial.run(JSON.stringify(line), (number += 1)).answer;
  for (const server of new Set(Object.keys(tools).map((name) => name.split("/")[0] ?? ""))) {
    say({ tools: { [server]: Object.entries(tools).filter(([name]) => name.startsWith(`${server}/`)).map(([name, args]) => definitionOf(name.slice(server.length + 1), args)) } });
  }
  say({ session: "s", open: { agent: "agent", on_behalf_of: "ana", task } });
  const outcomes: TriedCall[] = [];
  const call = ([tool, args, result]: Call, expect: TriedCall["expect"]): Effect => {
    const answer = say({ session: "s", call: { tool, args }, ...(expect && { expect }) });
    const effect = (answer["effect"] ?? "deny") as Effect;
    const reasons = (answer["reasons"] ?? []) as { policy: string }[];
    const errors = (answer["errors"] ?? []) as { policy: string; message: string }[];
    outcomes.push({ tool, expect, effect, by: [...reasons.map(({ policy }) => policy), ...errors.map(({ policy, message }) => `${policy}: ${message}`)] });
    say({ session: "s", result: { tool, content: result ?? "done" } });
    return effect;
  };
  for (const step of steps) {
    if ("stop" in step) call(step.stop, "stopped");
    else if ("ask" in step) call(step.ask, "allow-or-ask");
    else if ("loop" in step) outcomes.splice(outcomes.length, 1000, lastOf(step.loop, call, outcomes));
    else call(step, null);
  }
  return outcomes;
}

/** The same call until it is no longer let through, 1,000 times at most: its last outcome, which must be a stop. */
function lastOf(step: Call, call: (step: Call, expect: TriedCall["expect"]) => Effect, outcomes: TriedCall[]): TriedCall {
  const before = outcomes.length;
  for (let times = 0; times < 1000; times++) if (call(step, null) !== "allow") break;
  const last = outcomes.at(-1) as TriedCall;
  outcomes.length = before;
  return { ...last, expect: "stopped" };
}
