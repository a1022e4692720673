import { existsSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { Fault, parseJson, type LedgerRecord } from "@lanyard/contract";
import { exportHeader, openCheckpoint, parseVerifierKey, VerifyError, type Checkpoint, type VerifierKey } from "@lanyard/ledger";
import type { Finding, Report } from "./finding.ts";
import { readTenant, readVerifier } from "./keys.ts";
import { unpackRow } from "./pack.ts";
import { createSchema } from "./schema.ts";
import { ledgerFile } from "./sqlite.ts";
import { statements, type Statements } from "./statements.ts";
import { checkObjects, checkPayloads, checkState } from "./verify-attached.ts";
import { checkForm, checkOutcomes, checkTree, checkZones, type Check } from "./verify-records.ts";
import { wordsOf } from "./words.ts";

export interface VerifyOptions {
  /** A checkpoint remembered from before, as the signed note it was. With it, truncation, restored backups, forks and rewrites are found. */
  readonly from?: string;
  /** The verifier key as it was remembered; without it the one in the folder is believed. */
  readonly key?: string;
  /** False leaves payloads sealed, as for an auditor without the tenant's key: then only that they are there is checked. Default true. */
  readonly payloads?: boolean;
  /** Called now and then with the number of records seen and of all. */
  readonly progress?: (done: number, all: number) => void;
}

export interface VerifyReport {
  readonly records: number;
  /** Name of the ledger, from its key. */
  readonly ledger: string;
  /** Nothing when all is well; at most {@link maxFindings}. */
  readonly findings: readonly Finding[];
  /** Findings past that many. */
  readonly more: number;
}

/** Findings a report names one by one. */
export const maxFindings = 1000;

const chunk = 1024;

/** Opens a ledger for reading, whether or not a daemon writes on it. Reads see one moment. Throws Fault `not_found`, `ledger_unavailable`. */
export const openToRead = (folder: string): DatabaseSync => {
  const file = ledgerFile(folder);
  const open = (path: string): DatabaseSync => {
    const database = new DatabaseSync(path, { readOnly: true, timeout: 1000 });
    database.exec("PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; BEGIN; SELECT size FROM head");
    return database;
  };
  if (!existsSync(file)) throw new Fault("not_found", `reading the ledger in \`${folder}\`: there is none`);
  try {
    return open(file);
  } catch {
    // A folder that cannot be written offers no place for the log's index; then nobody writes either.
    try {
      return open(`file:${encodeURI(file)}?immutable=1`);
    } catch (cause) {
      throw new Fault("ledger_unavailable", `reading the ledger in \`${folder}\`: it cannot be opened`, { cause });
    }
  }
};

const opened = (report: Report, what: string, note: string, keys: readonly VerifierKey[]): Checkpoint | null => {
  try {
    return openCheckpoint(note, keys);
  } catch (cause) {
    if (!(cause instanceof VerifyError)) throw cause;
    report({ seq: null, what: `${what} is not to be believed: ${cause.message}` });
    return null;
  }
};

const checkSchema = (report: Report, database: DatabaseSync): void => {
  using reference = new DatabaseSync(":memory:");
  createSchema(reference);
  const list = (from: DatabaseSync): string[] => from.prepare("SELECT type || ' ' || name || ' ' || coalesce(sql, '') AS line FROM sqlite_schema ORDER BY 1").all().map((row) => String(row["line"]));
  const expected = new Set(list(reference));
  for (const line of list(database)) if (!expected.delete(line)) report({ seq: null, what: "the database has a table, index or trigger that is not the program's", found: line.slice(0, 200) });
  for (const line of expected) report({ seq: null, what: "the database lacks a table or index of the program", expected: line.slice(0, 200) });
};

/** Passes every record by the checks, in order. Gaps and unreadable records are findings; the walk goes on. */
const walk = (report: Report, sql: Statements, checks: readonly Check[], size: number, progress: VerifyOptions["progress"]): number => {
  const words = wordsOf(sql);
  let next = 0;
  for (let start = 0; ; start += chunk) {
    const rows = sql.entries.all(start, start + chunk) as { seq: number; body: Uint8Array }[];
    if (rows.length === 0 && start >= size) return next;
    for (const { seq, body } of rows) {
      if (seq !== next) report({ seq: next, what: seq === next + 1 ? "the record is missing" : `records ${next} to ${seq - 1} are missing` });
      next = seq + 1;
      try {
        const text = unpackRow(body, words);
        const record = parseJson(text) as LedgerRecord;
        for (const check of checks) check.see(record, text, body);
      } catch (cause) {
        report({ seq, what: `the record cannot be read: ${cause instanceof Error ? cause.message : String(cause)}` });
      }
    }
    progress?.(next, Math.max(next, size));
  }
};

/**
 * Checks a ledger as it lies on disk, daemon or not: every record against its leaf, form and order, the tree against the signed
 * checkpoint and a remembered one, every index, payload, object and state document against the records. Throws Fault `not_found` when
 * there is no ledger, `invalid_config` when its key is missing.
 */
export const verifyStore = async (folder: string, { from, key, payloads = true, progress }: VerifyOptions = {}): Promise<VerifyReport> => {
  const findings: Finding[] = [];
  let more = 0;
  const report: Report = (finding) => void (findings.length < maxFindings ? findings.push(finding) : more++);
  using database = openToRead(folder);
  const sql = statements(database);
  const verifier = parseVerifierKey(key ?? readVerifier(folder));
  const head = sql.head.get() as { size: number; checkpoint: string };
  const signed = opened(report, "the ledger's checkpoint", head.checkpoint, [verifier]);
  if (signed && signed.size !== head.size) report({ seq: null, what: "the ledger's size is not that of its checkpoint", expected: String(signed.size), found: String(head.size) });
  const remembered = from === undefined ? null : opened(report, "the remembered checkpoint", from, [verifier]);
  checkSchema(report, database);
  const checks = [
    checkTree(report, sql, signed, remembered), checkForm(report, sql), checkOutcomes(report, sql), checkZones(report, sql),
    checkPayloads(report, sql, payloads ? readTenant(folder) : null), checkState(report, sql, signed), checkObjects(report, sql),
  ];
  const records = walk(report, sql, checks, head.size, progress);
  for (const check of checks) check.end();
  return { records, ledger: verifier.name, findings, more };
};

/** The lines of an export that `ledger/src/verify.ts` checks anywhere: header, records, an empty line, the checkpoint. */
export const exportLedger = function* (folder: string): Generator<string> {
  using database = openToRead(folder);
  const sql = statements(database);
  const words = wordsOf(sql);
  const { size, checkpoint } = sql.head.get() as { size: number; checkpoint: string };
  yield exportHeader;
  for (let start = 0; start < size; start += chunk) {
    for (const { body } of sql.entries.all(start, Math.min(start + chunk, size)) as { body: Uint8Array }[]) yield unpackRow(body, words);
  }
  yield "";
  yield* checkpoint.trimEnd().split("\n");
};

