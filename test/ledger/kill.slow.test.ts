import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { openCheckpoint, parseVerifierKey } from "@lanyard/ledger";
import { expect, test } from "vitest";
import { verifyStore } from "../../server/src/base/store/verify.ts";
import { openLedger, scratch } from "./tamper.ts";

const kills = process.env["LANYARD_SOAK"] ? 200 : 50;
const appender = fileURLToPath(new URL("./appender.ts", import.meta.url));

/** What a run had acknowledged when it was killed, `afterMs` after its first record. */
const runAndKill = async (folder: string, afterMs: number): Promise<string[]> => {
  const child = spawn(process.execPath, [appender, folder], { stdio: ["ignore", "pipe", "inherit"] });
  const lines: string[] = [];
  const ended = new Promise((resolve) => child.on("close", resolve));
  for await (const line of createInterface({ input: child.stdout })) {
    lines.push(line);
    if (lines.length === 2) setTimeout(() => child.kill("SIGKILL"), afterMs);
  }
  await ended;
  return lines;
};

test(`SIGKILL ${kills} times under 16 callers: nothing acknowledged is lost, and exactly the intents without an outcome are open`, async () => {
  using folder = scratch();
  const intents = new Map<number, string>();
  const outcomes = new Map<number, number>();
  let remembered: string | undefined;
  for (let kill = 0; kill < kills; kill++) {
    const [opening = "", ...lines] = await runAndKill(folder.path, 20 + ((kill * 37) % 130));
    expect(lines.length).toBeGreaterThan(0);
    for (const line of lines) {
      const [, kind, seq, what = ""] = /^(intent|outcome) (\d+) (\S+)$/.exec(line) ?? [];
      if (kind === "intent") intents.set(Number(seq), what);
      if (kind === "outcome") outcomes.set(Number(seq), Number(what));
    }
    const from = remembered === undefined ? {} : { from: remembered };
    if (kill % 10 < 2) expect((await verifyStore(folder.path, from)).findings).toEqual([]); // as the kill left it
    if (kill % 10 > 1 && kill < kills - 1) continue;
    await using store = await openLedger(folder.path);
    remembered = store.checkpoint();
    expect(openCheckpoint(remembered, [parseVerifierKey(store.verifierKey())]).size).toBe(store.size());
    for (const [seq, id] of intents) expect(store.entry(seq)).toMatchObject({ type: "decision", id });
    for (const [seq, of] of outcomes) expect(store.entry(seq)).toMatchObject({ type: "outcome", of });
    const all = store.entries({ types: ["decision", "outcome"], limit: 1e9 });
    const ended = new Set(all.map((record) => (record.type === "outcome" ? record.of : -1)));
    expect(store.openIntents()).toEqual(all.filter(({ type, seq }) => type === "decision" && !ended.has(seq)).map(({ seq }) => seq));
    expect(opening).toMatch(/^open /);
    [intents, outcomes].forEach((known) => known.clear());
  }
  const { findings, records } = await verifyStore(folder.path, { from: remembered ?? "" });
  expect(findings).toEqual([]);
  expect(records).toBeGreaterThan(kills * 20);
}, kills * 10_000);
