import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { setImmediate } from "node:timers/promises";
import type { JsonObject } from "@lanyard/contract";
import { prepareSnapshot, type PolicyFile, type Snapshot } from "@lanyard/policy";
import { UpdateStand } from "../test/kits/updates.ts";
import { bundleOf, callsOf, ground, policiesOf, policyOf } from "./policies/world.ts";

/**
 * What a change of policies costs the calls that go on meanwhile. First how long 10,000 policies take to be made ready, and one more; then
 * 16 callers in one process with a real ledger on disk, by turns with 20 editions a second and without. The longest stalls of the event
 * loop are compared, and every recorded decision is decided again by the bundle that it names. All by the clock: on a busy machine the stalls are
 * its scheduler's.
 */
const option = (name: string, usual: number): number => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? usual : Number(process.argv[at + 1]) || usual;
};
const seconds = option("seconds", 12);
const policies = option("policies", 1000);
const perSecond = option("per-second", 20);
const callers = 16;
const rounds = 12;

const round = (value: number): number => Math.round(value * 1000) / 1000;
/** Noise only adds: where a small difference is looked for, the quicker quarter is compared. */
const quick = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 4)] ?? Number.NaN;
const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

/** Milliseconds that preparing takes, pauses included, and its longest slice: what one turn of the event loop waits for it. */
async function prepared(bytes: Uint8Array, before?: Snapshot): Promise<{ snapshot: Snapshot; ms: number; sliceMs: number }> {
  const begun = performance.now();
  let [since, sliceMs] = [begun, 0];
  const breathe = async (): Promise<void> => {
    sliceMs = Math.max(sliceMs, performance.now() - since);
    await setImmediate();
    since = performance.now();
  };
  const snapshot = await prepareSnapshot(bytes, { before, breathe });
  return { snapshot, ms: performance.now() - begun, sliceMs: Math.max(sliceMs, performance.now() - since) };
}

/** 10,000 policies from their JSON form (EST) to a snapshot; then the same again beside it, with and without one policy more. */
async function preparing(): Promise<{ compile_10k_ms: number; compile_slice_ms: number; add_one_ms: number; same_10k_ms: number; add_slice_ms: number }> {
  const many = policiesOf(10_000);
  const bytes = bundleOf(many);
  const more = Array.from({ length: 15 }, (_, at) => bundleOf([...many, policyOf(`@id("q${at}") forbid (principal, action, resource) when { context.session.depth > ${at + 5} };`, 10_000)]));
  const cold = [];
  for (let at = 0; at < 3; at++) cold.push(await prepared(bytes));
  const { snapshot } = cold[0] as { snapshot: Snapshot };
  const same = [];
  const added = [];
  for (const one of more) {
    same.push(await prepared(bytes, snapshot));
    added.push(await prepared(one, snapshot));
  }
  return {
    compile_10k_ms: round(median(cold.map(({ ms }) => ms))),
    compile_slice_ms: round(quick(cold.map(({ sliceMs }) => sliceMs))),
    add_one_ms: round(Math.max(0, quick(added.map(({ ms }) => ms)) - quick(same.map(({ ms }) => ms)))),
    same_10k_ms: round(quick(same.map(({ ms }) => ms))),
    add_slice_ms: round(quick(added.map(({ sliceMs }) => sliceMs))),
  };
}

const files = (): PolicyFile[] => {
  const byFile = Map.groupBy(policiesOf(policies), ({ file }) => file);
  return [...byFile].map(([file, ones]) => ({ file, text: ones.map(({ text }) => text).join("\n\n") }));
};

async function underLoad(folder: string): Promise<JsonObject> {
  const calls = callsOf(2000).map(({ facts, raw }) => ({ ...facts, args: JSON.parse(raw) as JsonObject }));
  await using stand = await UpdateStand.open({ folder, ground, policies: files(), calls });
  const ms = (seconds * 1000) / rounds / 2;
  await stand.run({ callers, ms: 2000, perSecond }); // compiled code, a warm compiler
  const stalls = { without: [] as number[], during: [] as number[] };
  const total = { calls: 0, dropped: 0, updates: 0, overtaken: 0 };
  const rates = { without: [] as number[], during: [] as number[] };
  for (let turn = 0; turn < rounds * 2; turn++) {
    const kind = turn % 2 === 0 ? "without" : "during";
    const delay = monitorEventLoopDelay({ resolution: 1 });
    delay.enable();
    const begun = performance.now();
    const run = await stand.run({ callers, ms, perSecond: kind === "during" ? perSecond : 0 });
    const took = performance.now() - begun;
    delay.disable();
    stalls[kind].push(delay.max / 1e6);
    rates[kind].push((run.calls / took) * 1000);
    for (const key of ["calls", "dropped", "updates", "overtaken"] as const) total[key] += run[key];
  }
  const { decisions, bundles, mixed } = await stand.verify();
  return {
    swap_pause_ms: round(Math.max(0, quick(stalls.during) - quick(stalls.without))),
    stall_ms: round(quick(stalls.during)),
    stall_without_ms: round(quick(stalls.without)),
    ...total,
    updates_per_s: round(total.updates / (seconds / 2)),
    calls_per_s: Math.round(median(rates.during)),
    calls_per_s_without: Math.round(median(rates.without)),
    decisions,
    bundles,
    mixed,
  };
}

const folder = mkdtempSync(join(tmpdir(), "lanyard-bench-"));
try {
  const ready = await preparing();
  const { swap_pause_ms = 0, dropped = 0, mixed = 0, ...load } = await underLoad(folder);
  process.stdout.write(`${JSON.stringify({ policies, swap_pause_ms, ...ready, dropped, mixed, ...load })}\n`);
  if (dropped !== 0 || mixed !== 0) process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true });
}
