import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { preparsePolicySet, statefulIsAuthorized, type CedarValueJson } from "@cedar-policy/cedar-wasm/nodejs";
import type { Decision, DecisionInput, JsonObject } from "@lanyard/contract";
import type { Policy } from "../policy/src/bundle.ts";
import { typedInput } from "../policy/src/decide/input.ts";
import { prepareSnapshot, type ActionShape, type Snapshot } from "../policy/src/index.ts";
import { celJudge } from "./policies/cel.ts";
import { bundleOf, callsOf, policiesOf, type RawCall } from "./policies/world.ts";

/**
 * What a decision costs, from the raw JSON of a call's arguments (1 KB) to the decision, by number of policies; beside cedar-wasm with its
 * policies parsed beforehand, and beside cel-js with the same policies translated, in the same process. Every decision of the two is
 * compared with ours; a difference fails the run. Times are medians over rounds, so that another's burst on the machine counts once.
 */
const sizes = [1, 10, 100, 1000, 10_000] as const;
const rounds = Number(process.argv[process.argv.indexOf("--rounds") + 1]) || 25;
/** The code of the turn before is another size's. */
const warmCalls = 500;
const callsARound = 2000;
const peerMs = 1500;
const windows = 5;

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;
const heapBytes = (): number => {
  collect();
  collect();
  return process.memoryUsage().heapUsed;
};

const quantile = (values: number[], q: number): number => values.sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * q))] ?? Number.NaN;
const round = (value: number): number => Math.round(value * 100) / 100;

const inputOf = ({ facts, raw }: RawCall): DecisionInput => ({ ...facts, args: JSON.parse(raw) as JsonObject });

interface Times {
  readonly p50: number;
  readonly p99: number;
  readonly perSecond: number;
}

/** Times in microseconds of every call, one by one. */
const timesOf = (calls: readonly RawCall[], decide: (call: RawCall) => unknown): Times => {
  const times = new Array<number>(calls.length);
  const start = performance.now();
  for (let at = 0; at < calls.length; at += 1) {
    const before = performance.now();
    decide(calls[at] as RawCall);
    times[at] = (performance.now() - before) * 1000;
  }
  const perSecond = (calls.length / (performance.now() - start)) * 1000;
  return { p50: quantile(times, 0.5), p99: quantile(times, 0.99), perSecond };
};

const ref = (type: string, id: string) => ({ type, id });
const value = (type: string, id: string): CedarValueJson => ({ __entity: { type, id } });

/** Stock Cedar: its answer and the policies that determined it, sorted. */
const cedar = (policies: readonly Policy[], shapeOf: (action: string) => ActionShape): ((call: RawCall) => { effect: string; policies: string[] }) => {
  // The same name again and again: a set under a new one is never freed.
  const parsed = preparsePolicySet("bench", { staticPolicies: Object.fromEntries(policies.map(({ id, text }) => [id, text])) });
  if (parsed.type === "failure") throw new Error(parsed.errors.map(({ message }) => message).join("; "));
  return (call) => {
    const { agent, user, session, action, args, approvals, nowMs } = inputOf(call);
    const shape = shapeOf(action);
    const answer = statefulIsAuthorized({
      principal: ref("Agent", agent.id),
      action: ref("Action", action),
      resource: ref("Server", shape.server),
      context: {
        input: typedInput(shape.input, args),
        user: value("User", user.id),
        session: { ...session, labels: [...session.labels] },
        approvals: approvals.map((group) => value("Group", group)),
        remedies: [],
        now: { __extn: { fn: "datetime", arg: new Date(nowMs).toISOString() } },
      },
      entities: [
        { uid: ref("Agent", agent.id), attrs: {}, parents: [...agent.classes.map((name) => ref("AgentClass", name)), ref("Team", agent.team)] },
        { uid: ref("User", user.id), attrs: {}, parents: user.groups.map((name) => ref("Group", name)) },
        { uid: ref("Action", action), attrs: {}, parents: shape.groups.map((name) => ref("Action", name)) },
      ],
      preparsedPolicySetId: "bench",
      validateRequest: false,
    });
    if (answer.type === "failure" || answer.response.diagnostics.errors.length > 0) throw new Error(`cedar-wasm failed: ${JSON.stringify(answer)}`);
    return { effect: answer.response.decision, policies: answer.response.diagnostics.reason.sort() };
  };
};

/** What stock Cedar would say where we say this: it knows no remedies, and names every forbid that holds, or every permit. */
const asStock = (decision: Decision, satisfied: readonly string[], effects: ReadonlyMap<string, string>): { effect: string; policies: string[] } => {
  const forbids = satisfied.filter((id) => effects.get(id) === "forbid");
  return { effect: decision.effect === "allow" ? "allow" : "deny", policies: forbids.length > 0 ? forbids : satisfied.filter((id) => effects.get(id) === "permit") };
};

interface Peer {
  readonly p50: number;
  /** How many times as long it takes as we do: the median of the windows. */
  readonly ratio: number;
  readonly compared: number;
  readonly differences: number;
}

/**
 * As many calls as fit the time, spread over all of them, each compared and timed. In several windows, before each of which our own time is
 * taken: the machine may run at half its speed a second later, and a ratio is of the same second.
 */
const beside = (calls: readonly RawCall[], same: (call: RawCall) => boolean, decide: (call: RawCall) => unknown, ours: (call: RawCall) => unknown): Peer => {
  const all: number[] = [];
  const ratios: number[] = [];
  let differences = 0;
  let at = 0;
  for (let window = 0; window < windows; window += 1) {
    timesOf(calls.slice(0, warmCalls), ours);
    const own = timesOf(calls, ours).p50;
    const times: number[] = [];
    const end = performance.now() + peerMs / windows;
    const atLeast = at + 5;
    for (; at < calls.length && (performance.now() < end || at < atLeast); at += 1) {
      const call = calls[(at * 37) % calls.length] as RawCall;
      if (at < 5) decide(call);
      const before = performance.now();
      decide(call);
      times.push((performance.now() - before) * 1000);
      if (!same(call)) differences += 1;
    }
    if (times.length === 0) break;
    all.push(...times);
    ratios.push(quantile(times, 0.5) / own);
  }
  return { p50: quantile(all, 0.5), ratio: quantile(ratios, 0.5), compared: all.length, differences };
};

/** Makes the snapshot ready and runs it warm. What it keeps on the heap is measured with nothing else of its making about. */
const ready = async (bytes: Uint8Array, calls: readonly RawCall[]): Promise<{ snapshot: Snapshot; compileMs: number; heapMb: number }> => {
  const heap = heapBytes();
  const before = performance.now();
  const snapshot = await prepareSnapshot(bytes, { breathe: async () => {} });
  const compileMs = performance.now() - before;
  for (let turn = 0; turn < 30; turn += 1) for (const call of calls) snapshot.decide(inputOf(call));
  return { snapshot, compileMs, heapMb: (heapBytes() - heap) / 1e6 };
};

/** In a function of its own, so that nothing of what the bytes are made from lives on while the heap is measured. */
const bytesOf = (size: number): Uint8Array => bundleOf(policiesOf(size));

interface Ours extends Times {
  readonly compileMs: number;
  readonly heapMb: number;
}

/**
 * Our own times, before any peer has run: theirs would otherwise be told with what they left on the heap and in the compiler's caches. The
 * sizes take turns, so that a slow second of the machine falls on one round of each and not on all rounds of one.
 */
const timeOurs = async (): Promise<ReadonlyMap<number, Ours>> => {
  const calls = callsOf(callsARound);
  const all: { readonly size: number; readonly snapshot: Snapshot; readonly compileMs: number; readonly heapMb: number; readonly rounds: Times[] }[] = [];
  for (const size of sizes) all.push({ size, ...(await ready(bytesOf(size), calls)), rounds: [] });
  for (let turn = 0; turn < rounds; turn += 1) {
    for (const { snapshot, rounds: own } of all) {
      const decide = (call: RawCall): Decision => snapshot.decide(inputOf(call));
      timesOf(calls.slice(0, warmCalls), decide);
      own.push(timesOf(calls, decide));
    }
  }
  const middle = (own: readonly Times[], pick: (times: Times) => number): number => quantile(own.map(pick), 0.5);
  return new Map(all.map(({ size, compileMs, heapMb, rounds: own }) => [size, { p50: middle(own, ({ p50 }) => p50), p99: middle(own, ({ p99 }) => p99), perSecond: middle(own, ({ perSecond }) => perSecond), compileMs, heapMb }]));
};

const compare = async (size: number, ours: Ours): Promise<Record<string, number>> => {
  const calls = callsOf(callsARound);
  const bytes = bytesOf(size);
  const snapshot = await prepareSnapshot(bytes, { breathe: async () => {} });
  const decide = (call: RawCall): Decision => snapshot.decide(inputOf(call));
  const policies = policiesOf(size);
  const effects = new Map(policies.map(({ id, effect }) => [id, effect]));
  const shapeOf = (action: string): ActionShape => {
    const shape = snapshot.action(action);
    if (shape === null) throw new Error(`no action \`${action}\``);
    return shape;
  };
  const stock = cedar(policies, shapeOf);
  const sameAsStock = (call: RawCall): boolean => JSON.stringify(stock(call)) === JSON.stringify(asStock(decide(call), snapshot.judge(inputOf(call)).satisfied, effects));
  const wasm = beside(calls, sameAsStock, stock, decide);
  const holding = celJudge(policies);
  const cel = (call: RawCall): string[] => holding(inputOf(call), shapeOf(call.facts.action).groups);
  const js = beside(calls, (call) => JSON.stringify(cel(call)) === JSON.stringify(snapshot.judge(inputOf(call)).satisfied), cel, decide);
  return {
    p50_us: round(ours.p50), p99_us: round(ours.p99), per_s: Math.round(ours.perSecond), heap_mb: round(ours.heapMb), compile_ms: round(ours.compileMs),
    ratio_cedar_wasm: Math.round(wasm.ratio), ratio_cel_js: Math.round(js.ratio), cedar_wasm_p50_us: round(wasm.p50), cel_js_p50_us: round(js.p50),
    bundle_mb: round(bytes.length / 1e6), candidates: round(calls.reduce((sum, call) => sum + snapshot.judge(inputOf(call)).candidates.length, 0) / calls.length),
    compared: wasm.compared + js.compared, differences: wasm.differences + js.differences,
  };
};

/** What reading the arguments costs before anything is decided: V8's own part in every figure. */
const parsing = callsOf(callsARound);
const parseUs = quantile(Array.from({ length: rounds }, () => timesOf(parsing, ({ raw }) => JSON.parse(raw)).p50), 0.5);

const results: Record<string, Record<string, number>> = {};
for (const [size, ours] of await timeOurs()) results[size] = await compare(size, ours);
process.stdout.write(`${JSON.stringify({ raw_bytes: Math.round(callsOf(200).reduce((sum, { raw }) => sum + raw.length, 0) / 200), json_parse_p50_us: round(parseUs), sizes: results })}\n`);
if (Object.values(results).some(({ differences }) => differences !== 0)) {
  process.stderr.write("the engines do not agree\n");
  process.exitCode = 1;
}
