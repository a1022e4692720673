import type { KeyObject } from "node:crypto";
import type { LedgerRecord } from "@lanyard/contract";
import type { Checkpoint } from "@lanyard/ledger";
import { committedField, stateTag } from "./draft.ts";
import type { Report } from "./finding.ts";
import { unpackObject } from "./objects.ts";
import { afterChanges, noState } from "./state-digest.ts";
import type { Statements } from "./statements.ts";
import { commitmentOf, openBox, payloadNumber, unwrap } from "./vault.ts";
import type { Check } from "./verify-records.ts";

/** Every payload that a record names is there and opens the record's commitment, or was erased by an `erase` record. */
export const checkPayloads = (report: Report, sql: Statements, tenant: KeyObject | null): Check => {
  const keys = new Map<number, KeyObject | null>();
  let named = 0;
  let erased = 0;
  const keyOf = (wrapping: KeyObject, id: number): KeyObject | null => {
    const cached = keys.get(id);
    if (cached !== undefined) return cached;
    const row = sql.subjectRow.get(id) as { tag: Uint8Array; wrapped: Uint8Array } | undefined;
    const key = row ? unwrap(wrapping, row.tag, row.wrapped) : null;
    if (keys.size > 10_000) keys.clear();
    keys.set(id, key);
    return key;
  };
  const see = (record: LedgerRecord): void => {
    if (record.type === "erase") erased += record.payloads;
    const fields = record as { readonly payload?: string | null; readonly [field: string]: unknown };
    if (typeof fields.payload !== "string") return;
    named++;
    const number = payloadNumber(fields.payload);
    const row = number === null ? undefined : (sql.payloadRow.get(number) as { subject: number; box: Uint8Array | null } | undefined);
    if (!row) return report({ seq: record.seq, what: `the payload \`${fields.payload}\` is missing` });
    if ((row.box === null) !== (row.subject === 0)) return report({ seq: record.seq, what: `the payload \`${fields.payload}\` is neither whole nor erased` });
    if (row.box === null || tenant === null) return;
    const key = keyOf(tenant, row.subject);
    if (!key) return report({ seq: record.seq, what: `the key of the payload \`${fields.payload}\` is missing or was changed` });
    const opened = openBox(key, fields.payload, row.box);
    if (!opened) return report({ seq: record.seq, what: `the payload \`${fields.payload}\` was changed: it does not decrypt` });
    const commitment = commitmentOf(opened.salt, opened.plain);
    const field = committedField[record.type] ?? "";
    if (fields[field] !== commitment) report({ seq: record.seq, what: `the payload \`${fields.payload}\` is not what the record commits to`, expected: String(fields[field]), found: commitment });
  };
  return {
    see,
    end() {
      const counts = sql.payloadCounts.get() as { rows: number; erased: number };
      if (counts.rows !== named) report({ seq: null, what: "the number of payloads is not that which records name", expected: String(named), found: String(counts.rows) });
      if (counts.erased !== erased) report({ seq: null, what: "the number of erased payloads is not that which `erase` records say", expected: String(erased), found: String(counts.erased) });
    },
  };
};

/**
 * The state documents are those the records commit to: the last commitment to each document, and no others. An edited, removed, added or
 * rolled back document is found. The checkpoint carries their digest.
 */
export const checkState = (report: Report, sql: Statements, head: Checkpoint | null): Check => {
  const last = new Map<string, { readonly seq: number; readonly commitment: string }>();
  return {
    see(record) {
      for (const [tag, commitment] of record.state ?? []) {
        if (commitment === null) last.delete(tag);
        else last.set(tag, { seq: record.seq, commitment });
      }
    },
    end() {
      const { line } = afterChanges(noState, Array.from(last, ([tag, { commitment }]) => [tag, commitment] as const));
      if (head && !head.extensions.includes(line)) report({ seq: null, what: "the checkpoint does not carry the state that the records leave", expected: line, found: head.extensions.join() });
      for (const row of sql.state.iterate()) {
        const { kind, key, text, salt, seq } = row as { kind: string; key: string; text: string; salt: Uint8Array; seq: number };
        const known = last.get(stateTag(kind, key));
        last.delete(stateTag(kind, key));
        if (!known) report({ seq: null, what: `no record vouches for the state document \`${kind}/${key}\`` });
        else if (known.commitment !== commitmentOf(salt, Buffer.from(text)) || known.seq !== seq)
          report({ seq: known.seq, what: `the state document \`${kind}/${key}\` is not the one the record commits to` });
      }
      for (const { seq } of last.values()) report({ seq, what: "a state document that the record commits to is missing" });
    },
  };
};

/** Addresses of objects that a record was made with: they were on disk before it. */
const objectsOf = (record: LedgerRecord): readonly (string | null)[] => {
  if (record.type === "decision" || record.type === "bundle.activate") return [record.bundle];
  if (record.type === "policy.publish") return [record.statement, record.source, record.bundle];
  return record.type === "catalog.quarantine" || record.type === "catalog.approve" ? [record.definition] : [];
};

/** Every object is what its address says, and every object that a record names is there. */
export const checkObjects = (report: Report, sql: Statements): Check => {
  const named = new Map<string, number>(); // with the first record that names it
  return {
    see(record) {
      for (const address of objectsOf(record)) if (address !== null && !named.has(address)) named.set(address, record.seq);
    },
    end() {
      for (const row of sql.objects.iterate()) {
        const { hash: key, bytes } = row as { hash: Uint8Array; bytes: Uint8Array };
        const address = Buffer.from(key).toString("base64url");
        named.delete(address);
        if (unpackObject(bytes, address) === null) report({ seq: null, what: `the object \`${address}\` was changed` });
      }
      for (const [address, seq] of named) report({ seq, what: `the object \`${address}\` that the record names is missing` });
    },
  };
};
