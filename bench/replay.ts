import { hash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Decision, DecisionInput, Json, NewRecord } from "@lanyard/contract";
import { canonicalize } from "@lanyard/ledger";
import { compile, openSnapshot, type ApprovedTool, type Snapshot } from "@lanyard/policy";
import { systemClock as clock } from "../server/src/base/clock.ts";
import { defaultLimits } from "../server/src/base/limits.ts";
import { decisionId } from "../server/src/base/store/decision-id.ts";
import type { Store } from "../server/src/base/store/port.ts";
import { openSqlite } from "../server/src/base/store/sqlite.ts";
import { recordedCalls } from "../server/src/mediation/recorded.ts";
import { replay } from "../server/src/mediation/replay.ts";
import { compareTraffic } from "../server/src/mediation/traffic.ts";

/**
 * How fast recorded calls are decided again at 1,000 policies, on one core: processor time of this process, so that neighbours on the
 * machine do not count. `calls_per_s` is all of `lanyard replay` but printing: records and payloads read from a real data folder, payloads
 * decrypted, commitments opened, JSON parsed, the call decided, the decision's canonical bytes hashed and compared, every field of the record
 * checked. Every call must come out the same. `compare_with_history`: by policies that ask of history what was not asked then, so that every call and every end is read twice.
 */
const calls = Number(process.argv[process.argv.indexOf("--calls") + 1]) || 20_000;
const rounds = 5;
const policyCount = 1000;
const teams = Array.from({ length: 10 }, (_, at) => `team${at}`);
const servers = Array.from({ length: 20 }, (_, at) => `server${at}`);

const tools: readonly ApprovedTool[] = servers.flatMap((server) =>
  Array.from({ length: 25 }, (_, at): ApprovedTool => ({
    server,
    tool: `tool${at}`,
    definition: hash("sha256", `${server}/tool${at}`, "base64url"),
    inputSchema: { type: "object", required: ["path"], properties: { path: { type: "string" }, amount: { type: "integer" }, tags: { type: "array", items: { type: "string" } }, text: { type: "string" } } },
    contract: { effects: at % 2 === 0 ? ["read"] : ["write"], reversibility: "reversible" },
  })),
);

/** The actions that a team's policies name. */
function actionsOf(team: string): string {
  return tools.flatMap(({ server, tool }, at) => (teams[at % teams.length] === team ? [`Action::"${server}/${tool}"`] : [])).join(", ");
}

const policyOf = ({ server, tool }: ApprovedTool, at: number): string => {
  const team = teams[at % teams.length] ?? "";
  const head = `(principal in Team::"${team}", action == Action::"${server}/${tool}", resource)`;
  return [
    `@id("permit${at}") @reason("Team ${team} uses this.") permit ${head} when { context.input.path like "/srv/${team}/*" };`,
    `@id("forbid${at}") @reason("Not so much at once.") forbid ${head} when { context.input has amount && context.input.amount > ${(at % 9) + 1}000 };`,
  ].join("\n");
};

/** What nobody asked of history when the calls were made, of every call: how often of late, and whether after another. */
const remembering = teams.flatMap((team, at) => [
  `@id("often${at}") forbid (principal in Team::"${team}", action in [${actionsOf(team)}], resource) when temporal across agent { (count for (t: Timepoint). where formerly within 10m (Action::"read"::request{ input.path: context.input.path, decision: "allow" } && tp(t))) > 1000000 };`,
  `@id("after${at}") forbid (principal in Team::"${team}", action in [${actionsOf(team)}], resource) when temporal { formerly within 1h Action::"write"::error{ input.path: context.input.path } };`,
]);

const inputOf = (at: number): DecisionInput => {
  const index = (at * 7) % tools.length;
  const { server, tool, definition } = tools[index] as ApprovedTool;
  const team = teams[index % teams.length] ?? "";
  return {
    agent: { id: `agent${at % 40}`, team, classes: ["bench"] },
    user: { id: `user${at % 50}`, groups: ["staff", "leads"] },
    session: { id: `s_${String(at % 400).padStart(16, "0")}`, purpose: "fix the failing build of the parser", depth: 0, labels: [], isolation: "none" },
    action: `${server}/${tool}`,
    definition,
    args: { path: `/srv/${at % 11 === 0 ? "elsewhere" : team}/src/parser-${at % 50}.ts`, amount: (at * 37) % 6000, tags: ["nightly", "parser"], text: "export const answer = 42;\n".repeat(4) },
    approvals: [],
    nowMs: clock.nowMs(),
  };
};

const recordOf = (input: DecisionInput, decision: Decision, bundle: string, sealed: ReturnType<Store["seal"]>): NewRecord => ({
  type: "decision", id: decisionId(clock), session: input.session.id, agent: input.agent.id, user: input.user.id, action: input.action,
  digest: hash("sha256", canonicalize(input.args), "base64url"), effect: decision.effect, by: "policy", policies: decision.reasons.map(({ policy }) => policy),
  decision: hash("sha256", canonicalize(decision), "base64url"), bundle, input: sealed.commitment, tool: input.definition ?? null, reversibility: "reversible",
  approval: null, payload: sealed.payload,
});

/** Writes calls as the daemon does: an intent with its sealed input, and for one that is allowed its outcome with a sealed result. */
const fill = async (store: Store, snapshot: Snapshot): Promise<void> => {
  const one = async (at: number): Promise<void> => {
    const input = inputOf(at);
    const decision = snapshot.decide(input);
    const sealed = store.seal(`user:${input.user.id}`, { input } as unknown as Json);
    const { seq } = await store.append(recordOf(input, decision, snapshot.hash, sealed), { sealed });
    if (decision.effect !== "allow") return;
    const result = store.seal(`user:${input.user.id}`, { result: { content: [{ type: "text", text: `wrote ${input.action}` }] } });
    await store.append({ type: "outcome", of: seq, status: "done", code: "", result: result.commitment, payload: result.payload, duration_us: 1234 }, { sealed: result });
  };
  for (let at = 0; at < calls; at += 500) await Promise.all(Array.from({ length: Math.min(500, calls - at) }, (_, more) => one(at + more)));
};

/** Microseconds of processor time for each of the recorded calls; the least of some rounds, for the rest is noise. */
const perCall = async (work: () => Promise<void> | void): Promise<number> => {
  let least = Infinity;
  for (let round = 0; round < rounds; round++) {
    const before = process.cpuUsage();
    await work();
    const { user, system } = process.cpuUsage(before);
    least = Math.min(least, (user + system) / calls);
  }
  return least;
};

const replayAll = async (store: Store): Promise<void> => {
  let same = 0;
  for await (const run of replay({ store }, 0, store.size() - 1)) {
    for (const result of run) {
      if (result.kind !== "same") throw new Error(`the bench's own calls replay otherwise: ${JSON.stringify(result)}`);
      same += 1;
    }
  }
  if (same !== calls) throw new Error(`${same} calls of ${calls} were replayed`);
};

const readAll = async (store: Store): Promise<DecisionInput[]> => {
  const inputs: DecisionInput[] = [];
  for await (const run of recordedCalls(store, {})) for (const { input } of run) if (input) inputs.push(input);
  return inputs;
};

const main = async (folder: string): Promise<void> => {
  const text = tools.map(policyOf).join("\n");
  const compiled = compile({ servers, tools, policies: [{ file: "bench.cedar", text }] });
  if (!compiled.ok) throw new Error(`the bench's policies are wrong: ${compiled.errors[0]?.message}`);
  const snapshot = openSnapshot(compiled.bytes);
  if (snapshot.bundle.policies.length !== policyCount) throw new Error("the bench has another number of policies");
  await using store = await openSqlite({ folder: join(folder, "data"), clock, version: "bench" });
  store.putObject(compiled.bytes);
  await fill(store, snapshot);
  const inputs = await readAll(store);
  const decisions = inputs.map((input) => snapshot.decide(input));
  const other = openSnapshot(compiled.bytes);
  const whole = await perCall(() => replayAll(store));
  const parts = {
    scan_us: await perCall(() => [...store.scan({ types: ["decision"] })].forEach(() => {})),
    scan_and_unseal_us: await perCall(async () => void (await readAll(store))),
    decide_us: await perCall(() => inputs.forEach((input) => snapshot.decide(input))),
    hash_us: await perCall(() => decisions.forEach((decision) => hash("sha256", canonicalize(decision), "base64url"))),
  };
  const compared = await perCall(async () => void (await compareTraffic({ store, limits: defaultLimits }, { sinceMs: 0 }, snapshot, other)));
  const asked = compile({ servers, tools, policies: [{ file: "bench.cedar", text }, { file: "history.cedar", text: remembering.join("\n") }] });
  if (!asked.ok) throw new Error(`the bench's policies over history are wrong: ${asked.errors[0]?.message}`);
  const proposed = openSnapshot(asked.bytes);
  const answered = await perCall(async () => {
    const { not_replayable: none, calls: all } = await compareTraffic({ store, limits: defaultLimits }, { sinceMs: 0 }, snapshot, proposed);
    if (none.length > 0 || all !== calls) throw new Error(`the bench's own calls have no history: ${JSON.stringify(none)}`);
  });
  const round = (value: number): number => Math.round(value * 100) / 100;
  const result = {
    calls_per_s: Math.round(1e6 / whole),
    policies: policyCount,
    calls,
    us_per_call: round(whole),
    ...Object.fromEntries(Object.entries(parts).map(([name, us]) => [name, round(us)])),
    compare_calls_per_s: Math.round(1e6 / compared),
    compare_with_history_calls_per_s: Math.round(1e6 / answered),
    effects: Object.fromEntries(["allow", "deny"].map((effect) => [effect, decisions.filter((decision) => decision.effect === effect).length])),
  };
  process.stdout.write(`${JSON.stringify(result, null, process.argv.includes("--json") ? 0 : 2)}\n`);
};

const folder = mkdtempSync(join(tmpdir(), "lanyard-bench-"));
try {
  await main(folder);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
