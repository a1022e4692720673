import { hash as digest } from "node:crypto";
import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, statSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DecisionInput, Json, NewRecord } from "@lanyard/contract";
import { canonicalize, parseVerifierKey, verifyExport } from "@lanyard/ledger";
import { systemClock as clock } from "../server/src/base/clock.ts";
import { decisionId } from "../server/src/base/store/decision-id.ts";
import type { Store } from "../server/src/base/store/port.ts";
import { openSqlite } from "../server/src/base/store/sqlite.ts";
import { exportLedger, verifyStore } from "../server/src/base/store/verify.ts";

/**
 * What the ledger costs, as ratios to what the disk costs: a raw append and fdatasync of the same minute on the same folder. Every record
 * is a real one: an allow decision with its sealed input, then its outcome with its sealed result.
 */
const seconds = Number(process.argv[process.argv.indexOf("--seconds") + 1]) || 1.5;
const rounds = 3;
const folder = mkdtempSync(join(tmpdir(), "lanyard-bench-"));
const hash = (text: string): string => Buffer.from(text.padEnd(32, "-")).toString("base64url");

const bundle = Buffer.from("a bundle of policies");
const bundleHash = digest("sha256", bundle, "base64url");

const decisionInput = (session: string, call: number): DecisionInput => ({
  agent: { id: "coder", team: "engineering", classes: ["demo"] },
  user: { id: "ana", groups: ["leads"] },
  session: { id: session, purpose: "fix the failing build of the parser", depth: 0, labels: [], isolation: "none" },
  action: "files/write_file",
  args: { path: `/srv/project/src/parser-${call % 50}.ts`, content: "export const answer = 42;\n" },
  approvals: [],
  nowMs: clock.nowMs(),
});

const decision = (store: Store, session: string, call: number): [NewRecord, ReturnType<Store["seal"]>] => {
  const input = decisionInput(session, call);
  const sealed = store.seal("user:ana", { input } as unknown as Json);
  return [{
    type: "decision", id: decisionId(clock), session, agent: "coder", user: "ana", action: input.action,
    digest: hash(canonicalize({ call })), effect: "allow", by: "policy", policies: ["demo.files-write"], decision: hash("decision"),
    bundle: bundleHash, input: sealed.commitment, tool: hash("write_file"), reversibility: "reversible", approval: null, payload: sealed.payload,
  }, sealed];
};

const outcome = (store: Store, of: number, call: number): [NewRecord, ReturnType<Store["seal"]>] => {
  const sealed = store.seal("user:ana", { result: { content: [{ type: "text", text: `Successfully wrote to /srv/project/src/parser-${call % 50}.ts` }] } });
  return [{ type: "outcome", of, status: "done", code: "", result: sealed.commitment, payload: sealed.payload, duration_us: 1234 }, sealed];
};

interface Run {
  readonly rate: number;
  readonly p50: number;
  readonly p99: number;
  readonly stallP99: number;
  readonly records: number;
}

const quantile = (values: number[], q: number): number => values.sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * q))] ?? NaN;
const middle = (values: number[]): number => quantile([...values], 0.5);

/** One writer that appends 900 bytes and syncs: the floor under every durable ledger. */
const raw = (): Run => {
  const file = openSync(join(folder, "raw"), "w");
  const bytes = Buffer.alloc(900, 1);
  const times: number[] = [];
  const start = performance.now();
  while (performance.now() - start < seconds * 1000) {
    const before = performance.now();
    writeSync(file, bytes);
    fdatasyncSync(file);
    times.push(performance.now() - before);
  }
  const elapsed = performance.now() - start;
  closeSync(file);
  return { rate: (times.length / elapsed) * 1000, p50: quantile(times, 0.5), p99: quantile(times, 0.99), stallP99: 0, records: times.length };
};

const load = async (store: Store, callers: number): Promise<Run> => {
  const times: number[] = [];
  const gaps: number[] = [];
  const start = performance.now();
  let running = true;
  const caller = async (id: number): Promise<void> => {
    const session = `s_${String(id).padStart(16, "0")}`;
    for (let call = 0; running; call++) {
      let before = performance.now();
      const [intent, input] = decision(store, session, call);
      const { seq } = await store.append(intent, { sealed: input });
      let now = performance.now();
      times.push(now - before);
      before = now;
      const [ending, result] = outcome(store, seq, call);
      await store.append(ending, { sealed: result });
      now = performance.now();
      times.push(now - before);
      if (now - start > seconds * 1000) running = false;
    }
  };
  const probe = async (): Promise<void> => {
    for (let before = performance.now(); running; ) {
      await new Promise(setImmediate);
      const now = performance.now();
      gaps.push(now - before);
      before = now;
    }
  };
  await Promise.all([...Array.from({ length: callers }, (_, id) => caller(id)), ...(callers > 1 ? [probe()] : [])]);
  const elapsed = performance.now() - start;
  return { rate: (times.length / elapsed) * 1000, p50: quantile(times, 0.5), p99: quantile(times, 0.99), stallP99: quantile(gaps, 0.99), records: times.length };
};

const databaseBytes = (data: string): number => statSync(join(data, "ledger.db")).size;

/** Growth of the closed database for 20,000 decisions with outcome and payloads. */
const bytesPerDecision = async (): Promise<number> => {
  const data = join(folder, "size");
  const grow = async (count: number): Promise<number> => {
    {
      await using store = await openSqlite({ folder: data, clock, version: "bench" });
      for (let done = 0; done < count; done += 200) {
        await Promise.all(Array.from({ length: 200 }, async (_, at) => {
          const [intent, input] = decision(store, `s_${String(at % 16).padStart(16, "0")}`, done + at);
          const { seq } = await store.append(intent, { sealed: input });
          const [ending, result] = outcome(store, seq, done + at);
          await store.append(ending, { sealed: result });
        }));
      }
    }
    return databaseBytes(data);
  };
  const before = await grow(200);
  return ((await grow(20_000)) - before) / 20_000;
};

/** Records checked per second of one core: processor time, so that neighbours on the machine do not count. */
const verified = async (data: string, payloads: boolean): Promise<{ records: number; perSecond: number }> => {
  const before = process.cpuUsage();
  const { records, findings } = await verifyStore(data, { payloads });
  const { user, system } = process.cpuUsage(before);
  if (findings.length > 0) throw new Error(`the bench's own ledger does not verify: ${JSON.stringify(findings.slice(0, 3))}`);
  return { records, perSecond: (records / (user + system)) * 1e6 };
};

/** The same for the one-file verifier on an export: what an auditor runs. Reading the lines is not counted, checking them is. */
const verifiedOffline = async (data: string, vkey: string): Promise<number> => {
  const [, ...lines] = exportLedger(data);
  const before = process.cpuUsage();
  const { size, findings } = await verifyExport(lines, [parseVerifierKey(vkey)]);
  const { user, system } = process.cpuUsage(before);
  if (findings.length > 0) throw new Error(`the bench's own export does not verify: ${JSON.stringify(findings.slice(0, 3))}`);
  return (size / (user + system)) * 1e6;
};

const main = async (): Promise<void> => {
  let vkey = "";
  const runs: Record<"raw" | "one" | "sixteen" | "many", Run[]> = { raw: [], one: [], sixteen: [], many: [] };
  const data = join(folder, "data");
  {
    await using store = await openSqlite({ folder: data, clock, version: "bench" });
    store.putObject(bundle);
    vkey = store.verifierKey();
    await load(store, 16); // warms the compiler up; not counted
    for (let round = 0; round < rounds; round++) {
      runs.raw.push(raw());
      runs.one.push(await load(store, 1));
      runs.sixteen.push(await load(store, 16));
      runs.many.push(await load(store, 256));
    }
  }
  const of = (name: keyof typeof runs, field: keyof Run): number => middle(runs[name].map((run) => run[field]));
  const offline = await verifiedOffline(data, vkey);
  const opened = await verified(data, true); // the first also warms the compiler up
  const sealed = await verified(data, false);
  const round = (value: number, digits = 2): number => Number(value.toFixed(digits));
  const result = {
    append_p50_over_fdatasync: round(of("one", "p50") / of("raw", "p50")),
    p99_ms_16: round(of("sixteen", "p99")),
    rate_16_over_fdatasync: round(of("sixteen", "rate") / of("raw", "rate")),
    rate_256_over_fdatasync: round(of("many", "rate") / of("raw", "rate")),
    verify_per_s: Math.round(offline),
    verify_folder_per_s: Math.round(sealed.perSecond),
    verify_folder_with_payloads_per_s: Math.round(opened.perSecond),
    bytes_per_decision: Math.round(await bytesPerDecision()),
    stall_p99_ms_16: round(of("sixteen", "stallP99")),
    stall_p99_ms_256: round(of("many", "stallP99")),
    fdatasync_p50_ms: round(of("raw", "p50"), 3),
    fdatasync_p99_ms: round(of("raw", "p99"), 3),
    fdatasync_per_s: Math.round(of("raw", "rate")),
    append_p50_ms: round(of("one", "p50"), 3),
    append_p99_ms: round(of("one", "p99"), 3),
    records_per_s_16: Math.round(of("sixteen", "rate")),
    records_per_s_256: Math.round(of("many", "rate")),
    records_verified: sealed.records,
  };
  process.stdout.write(`${JSON.stringify(result, null, process.argv.includes("--json") ? 0 : 2)}\n`);
};

try {
  await main();
} finally {
  rmSync(folder, { recursive: true, force: true });
}
