import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { Json, LedgerRecord, NewRecord } from "@lanyard/contract";
import { leafHash, canonicalize } from "@lanyard/ledger";
import { systemClock as clock } from "../../server/src/base/clock.ts";
import { packRow, unpackRow } from "../../server/src/base/store/pack.ts";
import type { Store } from "../../server/src/base/store/port.ts";
import { openSqlite } from "../../server/src/base/store/sqlite.ts";
import { statements } from "../../server/src/base/store/statements.ts";
import { wordsOf, type WordBook } from "../../server/src/base/store/words.ts";
import { putObjects, sampleRecords, someDecision, someOutcome } from "../kits/records.ts";

/** A temporary folder, gone when disposed. */
export const scratch = (): Disposable & { readonly path: string } => {
  const path = mkdtempSync(join(tmpdir(), "lanyard-ledger-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
};

export const openLedger = (folder: string): Promise<Store> => openSqlite({ folder, clock, version: "test" });

/** Fills a ledger with every type of record, payloads, state, objects, an erasure, open intents of two runs, and more than one block. */
export const fill = async (folder: string): Promise<void> => {
  {
    await using store = await openLedger(folder);
    putObjects(store);
    const sealed = (subject: string, value: Json) => store.seal(subject, value);
    for (const subject of ["user:ana", "user:ben"]) {
      const input = sealed(subject, { input: subject });
      const { seq } = await store.append(someDecision("allow", { input: input.commitment, payload: input.payload }), { sealed: input });
      const result = sealed(subject, { result: [1.5] });
      await store.append({ ...someOutcome(seq), result: result.commitment, payload: result.payload }, { sealed: result });
    }
    await store.append(someDecision("allow"));
    const comment = sealed("user:ana", "fine");
    await store.append({ type: "approval.deny", id: "ap_AAAAAAAAAAAAAAAA", by: "user:ana", comment: comment.commitment, payload: comment.payload }, { sealed: comment });
    await store.erase("user:ben", "operator", "asked to");
  }
  await using store = await openLedger(folder);
  const state = (key: string, value: { [key: string]: Json } | null) => ({ kind: "session" as const, key, value });
  await store.append(sampleRecords["session.close"], { state: [state("one", { calls: 1 }), state("gone", {}), state("kept", { calls: 0 })] });
  await store.append(sampleRecords["session.close"], { state: [state("one", { calls: 2 }), state("gone", null)] });
  await Promise.all(Array.from({ length: 270 }, () => store.append(someDecision("deny"))));
  const intent = await store.append(someDecision("allow"));
  await store.append(someDecision("allow"));
  for (const record of Object.values(sampleRecords)) await store.append(record.type === "outcome" ? someOutcome(intent.seq) : record.type === "erase" || record.type === "ledger.open" ? harmless : record);
};

// Written by the store itself further up, with what they say being so.
const harmless: NewRecord = sampleRecords["ledger.gap"];

/** A ledger's database in an attacker's hands. */
export class Tampered implements Disposable {
  readonly database: DatabaseSync;
  readonly words: WordBook;

  constructor(folder: string) {
    this.database = new DatabaseSync(join(folder, "ledger.db"));
    this.database.exec("PRAGMA synchronous = OFF");
    this.words = wordsOf(statements(this.database));
  }

  body(seq: number): Uint8Array {
    return this.database.prepare("SELECT body FROM entry WHERE seq = ?").get(seq)?.["body"] as Uint8Array;
  }

  record(seq: number): LedgerRecord {
    return JSON.parse(unpackRow(this.body(seq), this.words)) as LedgerRecord;
  }

  setBody(seq: number, body: Uint8Array): void {
    this.database.prepare("UPDATE entry SET body = ? WHERE seq = ?").run(body, seq);
  }

  /** Puts another record in place. A careful attacker makes the mark beside it fit. */
  setRecord(seq: number, record: unknown, careful: boolean): void {
    const mark = careful ? leafHash(canonicalize(record)) : this.body(seq).subarray(-8);
    this.setBody(seq, packRow(record, mark, this.words));
  }

  [Symbol.dispose](): void {
    this.database.close();
  }
}

/** A copy of a ledger's folder; no daemon may be on it. */
export const copyFolder = (from: string, to: string): string => {
  cpSync(from, to, { recursive: true });
  return to;
};
