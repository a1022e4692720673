import { hash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { Fault, type DecisionInput, type JsonObject, type Principal } from "@lanyard/contract";
import { callEvent, compile, naiveAnswers, openSnapshot, type ApprovedTool, type HistoryEvent, type Snapshot } from "@lanyard/policy";
import { ruled } from "../server/src/base/bound.ts";
import { systemClock as clock } from "../server/src/base/clock.ts";
import { defaultLimits } from "../server/src/base/limits.ts";
import type { Log } from "../server/src/base/log.ts";
import { nothingReserved, type InboundCall } from "../server/src/base/path.ts";
import { openSqlite } from "../server/src/base/store/sqlite.ts";
import { mediate } from "../server/src/mediation/mediate.ts";
import type { Stages } from "../server/src/mediation/stages.ts";
import { noted } from "../server/src/remembering.ts";
import { HistoryStage } from "../server/src/stages/history/history.ts";
import { recordStage } from "../server/src/stages/record/record.ts";

/**
 * Calls at a fixed rate against 1,000 policies that each ask something else of history, all of them about every call: the path of a call from its
 * token to its answer, with every decision and every end synced to a real ledger; the server answers at once. Open loop: a call's time counts from
 * when it was due, so that waiting counts. Beside it, in the same run, the same without temporal policies; what reading it all again after a restart
 * takes; and what the same questions cost when the whole history is looked through for each.
 */
const seconds = Number(process.argv[process.argv.indexOf("--seconds") + 1]) || 60;
const rate = Number(process.argv[process.argv.indexOf("--rate") + 1]) || 500;
const policyCount = 1000;
const sessions = 50;
const servers = 49;

const tool = (name: string, properties: JsonObject): ApprovedTool => ({ server: "shop", tool: name, definition: hash("sha256", name, "base64url"), inputSchema: { type: "object", properties, required: Object.keys(properties) }, contract: { effects: ["read"], reversibility: "read" } });
const text = { type: "string" };
const fields = { user: text, server: text, order: text, amount: { type: "integer" } };
const tools = [tool("login", fields), tool("read", fields), tool("refund", fields), tool("revoke", fields)];

/** Of twenty policies so many ask each kind of question. */
const kinds = [0, 1, 3, 4, 0, 1, 0, 4, 3, 0, 1, 2, 4, 0, 3, 1, 0, 4, 0, 0];

/** Five kinds of questions; each policy asks one that no other asks. */
const clauseOf = (at: number): string => {
  const event = (name: string, kind: string, pattern: string): string => `Action::"shop/${name}"::${kind}{ ${pattern} }`;
  switch (kinds[at % kinds.length]) {
    case 0:
      return `when temporal { formerly within 1h ${event("login", "request", `input.user: "blocked${at}", input.server: context.input.server`)} }`;
    case 1:
      return `when temporal across user { (count for (t: Timepoint). where (formerly within 1h (${event("refund", "request", `input.user: "user${at}", decision: "allow"`)} && tp(t)))) >= ${3 + (at % 7)} }`;
    case 2:
      return `when temporal across agent { (sum a for (a: Long), (t: Timepoint). where (formerly within ${10 + at}s (${event("refund", "request", 'input.server: context.input.server, input.amount: a, decision: "allow"')} && tp(t)))) > ${1_000_000 + at} }`;
    case 3:
      return `when temporal { !${event("revoke", "request", `input.user: "user${at}"`)} since within 1h ${event("revoke", "response", "input.server: context.input.server")} }`;
    default:
      return `unless temporal across all { formerly within ${60 + at}m ${event("read", "response", "input.order: context.input.order")} || !(formerly within ${60 + at}m ${event("read", "request", 'input.order: "none"')}) }`;
  }
};
const policies = (clause: (at: number) => string): string =>
  [`@id("permit") permit (principal, action, resource);`, ...Array.from({ length: policyCount }, (_, at) => `@id("rule${at}") forbid (principal, action in Action::"read", resource) ${clause(at)};`)].join("\n");

const snapshotOf = (clause: (at: number) => string): Snapshot => {
  const made = compile({ servers: ["shop"], tools, policies: [{ file: "bench.cedar", text: policies(clause) }] });
  if (!made.ok) throw new Fault("invalid_config", made.errors.slice(0, 3).map(({ message, help }) => `${message} ${help}`).join("\n"));
  return openSnapshot(made.bytes);
};

const argsOf = (at: number): JsonObject => ({ user: at % 97 === 0 ? `blocked${at % policyCount}` : `user${(at * 7) % policyCount}`, server: `s${at % servers}`, order: `o${at % 400}`, amount: 1 + (at % 50) });
const nameOf = (at: number): string => (at % 5 === 0 ? "login" : at % 5 === 1 ? "read" : at % 401 === 0 ? "revoke" : "refund");
const principalOf = (at: number): Principal => ({ session: `s_${String(at % sessions).padStart(16, "0")}`, agent: `agent${at % 10}`, user: `user${at % 20}`, purpose: "bench", chain: [], tools: null, labels: [], isolation: "none", expiresAtMs: 9e15 });

const log: Log = { debug: () => {}, info: (event, said) => void (event === "history.read" && read.push(said as { events: number; ms: number })), warn: () => {}, error: (event, said) => { throw new Error(`${event} ${JSON.stringify(said)}`); } };
const read: { events: number; ms: number }[] = [];

const inputOf = (at: number, action: string, args: JsonObject): DecisionInput => {
  const { agent, user, session } = principalOf(at);
  return { agent: { id: agent, team: "bench", classes: [] }, user: { id: user, groups: [] }, session: { id: session, purpose: "bench", depth: 0, labels: [], isolation: "none" }, action, definition: tools.find((one) => action === `shop/${one.tool}`)?.definition ?? null, args, approvals: [], nowMs: clock.nowMs() };
};

/** The rooms of the path that matter here are the real ones; the others let everything pass. */
const stagesOf = (snapshot: Snapshot, history: HistoryStage, record: ReturnType<typeof recordStage>): Stages => ({
  monotonicUs: () => clock.monotonicUs(),
  unforeseen: (_action, error) => {
    throw error;
  },
  identify: (token) => principalOf(Number(token)),
  admit: () => ({ [Symbol.dispose]: () => {} }),
  recall: () => null,
  gather: (action, principal) => {
    const input = inputOf(Number(principal.session.slice(2)), action.name, action.args);
    const answers = history.facts(input);
    return { input: answers === null ? input : { ...input, history: answers }, pin: { definition: input.definition ?? null, contract: { effects: [], reversibility: "read" }, refuse: null } };
  },
  enter: (action, principal, exchange) => ({ action, principal, exchange, cut: null, [Symbol.dispose]: () => {} }),
  standing: () => null,
  reserve: () => nothingReserved,
  look: () => {},
  vet: () => null,
  decide: (input) => ruled(snapshot, input),
  ...noted(history, { decided: () => {} }, { intend: record.intend, conclude: record.conclude }),
  claim: () => null,
  unclaim: () => {},
  hold: () => Promise.reject(new Fault("internal", "nothing asks here")),
  lease: async () => ({ credentials: [], guards: false, signal: new AbortController().signal, dress: (request) => request, scrub: () => new PassThrough(), scrubText: (said) => said, [Symbol.dispose]: () => {} }),
  plan: async () => null,
  staged: () => null,
  stage: async () => null,
  execute: async () => ({ result: { content: [{ type: "text", text: "done" }] } }),
  conceal: () => (value) => value,
  remember: async () => {},
  line: (exchange) => exchange,
  inspect: async (_action, answer) => answer,
  say: () => {},
  learn: (_action, answer) => answer,
});

const callOf = (at: number): InboundCall => ({
  token: String(at), audience: "mcp", server: "shop", method: "tools/call", tool: nameOf(at), params: { name: nameOf(at), arguments: argsOf(at) },
  exchange: { era: "stateless", signal: new AbortController().signal, progress: () => {}, notify: () => {}, ask: async () => null },
});

const quantile = (values: readonly number[], q: number): number => Math.round((values.toSorted((left, right) => left - right)[Math.min(values.length - 1, Math.floor(values.length * q))] ?? Number.NaN) * 100) / 100;

interface Run {
  readonly p50_ms: number;
  readonly p99_ms: number;
  readonly max_ms: number;
  readonly achieved_per_s: number;
  readonly calls: number;
  readonly allowed: number;
  readonly decision_p50_us: number;
}

const run = async (snapshot: Snapshot, restart: boolean): Promise<Run> => {
  const folder = mkdtempSync(join(tmpdir(), "lanyard-bench-"));
  await using held = new AsyncDisposableStack();
  held.defer(() => rmSync(folder, { recursive: true, force: true }));
  const store = held.use(await openSqlite({ folder, clock, version: "bench", alarm: (event) => { throw new Error(event); } }));
  const history = new HistoryStage({ store, deadlines: null, clock, log, limits: defaultLimits, snapshots: () => [snapshot], rootOf: (session) => session });
  await history.start();
  const stages = stagesOf(snapshot, history, recordStage({ store, clock, log }));
  const [times, deciding]: [number[], number[]] = [[], []];
  let [allowed, ended] = [0, 0];
  const one = async (at: number, dueMs: number): Promise<void> => {
    const reply = await mediate(stages, callOf(at));
    times.push(performance.now() - dueMs);
    if (reply.kind === "done") allowed += 1;
    ended += 1;
  };
  const warm = Math.min(2 * rate, 1000);
  for (let at = 0; at < warm; at += 1) await one(at, performance.now());
  times.length = ended = allowed = 0;
  const total = seconds * rate;
  const open: Promise<void>[] = [];
  const startMs = performance.now();
  for (let at = 0; at < total; ) {
    const due = Math.min(total, Math.floor(((performance.now() - startMs) / 1000) * rate) + 1);
    for (; at < due; at += 1) open.push(one(warm + at, startMs + (at / rate) * 1000));
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await Promise.all(open);
  const tookS = (performance.now() - startMs) / 1000;
  for (let at = 0; at < 500; at += 1) {
    const input = inputOf(at, `shop/${nameOf(at)}`, argsOf(at));
    const began = performance.now();
    const answers = history.facts(input);
    snapshot.decide(answers === null ? input : { ...input, history: answers });
    deciding.push((performance.now() - began) * 1000);
  }
  await store.settled();
  if (restart) await new HistoryStage({ store, deadlines: null, clock, log, limits: defaultLimits, snapshots: () => [snapshot], rootOf: (session) => session }).start();
  return { p50_ms: quantile(times, 0.5), p99_ms: quantile(times, 0.99), max_ms: quantile(times, 1), achieved_per_s: Math.round((ended / tookS) * 10) / 10, calls: ended, allowed, decision_p50_us: Math.round(quantile(deciding, 0.5)) };
};

/** The same questions, each by looking through all of so many events. */
const naive = (snapshot: Snapshot, events: number): number => {
  const history: HistoryEvent[] = Array.from({ length: events }, (_, at) => {
    const input = inputOf(at, `shop/${nameOf(at)}`, argsOf(at));
    return callEvent(input, snapshot.seen(input), { kind: "request", atMs: at, rootSession: input.session.id });
  });
  const startedMs = performance.now();
  for (let at = 0; at < policyCount; at += 10) for (let kind = 0; kind < 5; kind += 1) naiveAnswers(clauseOf(at + kind), history);
  return Math.round((performance.now() - startedMs) * 2 * 100) / 100;
};

const startedMs = performance.now();
const temporal = snapshotOf(clauseOf);
const compiledMs = Math.round(performance.now() - startedMs);
const plain = snapshotOf((at) => `when { context.input.user == "blocked${at}" && context.input.amount > ${at} }`);
const at = await run(temporal, true);
const baseline = await run(plain, false);
const [rebuilt] = read.toReversed();
const result = {
  policies: policyCount,
  questions: temporal.leaves.length,
  seconds,
  [`at_${rate}_per_s`]: at,
  baseline_without_history: baseline,
  naive_ms_per_decision: { history_of_200: naive(temporal, 200), history_of_2000: naive(temporal, 2000) },
  after_restart: { events: rebuilt?.events ?? 0, ms: rebuilt?.ms ?? 0 },
  compile_ms: compiledMs,
};
if (process.argv.includes("--json")) console.log(JSON.stringify(result));
else console.log(result);
