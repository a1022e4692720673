import { z } from "zod";
import type { LedgerRecord } from "@lanyard/contract";
import { recordBodies } from "@lanyard/contract/records";
import { grow, leafHash, rootOf, sameBytes, emptyFrontier, type Checkpoint, type Frontier } from "@lanyard/ledger";
import { storedLevel } from "./draft.ts";
import type { Report } from "./finding.ts";
import { markSize } from "./pack.ts";
import type { Statements } from "./statements.ts";
import { packZone, zoneValues } from "./zone.ts";

/** One thing looked at while the records pass by in order. */
export interface Check {
  see(record: LedgerRecord, text: string, body: Uint8Array): void;
  end(): void;
}

const block = 2 ** storedLevel;
const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64url");

/** Leaves, inner nodes, the signed root, and the root at a remembered checkpoint. */
export const checkTree = (report: Report, sql: Statements, head: Checkpoint | null, from: Checkpoint | null): Check & { tree(): Frontier } => {
  let tree = emptyFrontier;
  let marked = 0;
  let nodes = 0;
  const whole = (level: number, index: number, node: Uint8Array): void => {
    if (level < storedLevel) return;
    nodes++;
    const stored = sql.node.get(level, index) as { hash: Uint8Array } | undefined;
    if (stored && sameBytes(stored.hash, node)) return;
    const first = index * 2 ** level;
    // Where a record's own mark is wrong it has been named already; a node says more only when no record is to blame.
    if (marked <= first) report({ seq: first, what: `the tree node over records ${first} to ${first + 2 ** level - 1} is not what they hash to`, expected: stored ? base64(stored.hash) : "a node", found: base64(node) });
  };
  return {
    see(record, text, body) {
      const leaf = leafHash(text);
      const mark = body.subarray(-markSize);
      if (!sameBytes(mark, leaf.subarray(0, markSize))) {
        marked = tree.size + 1;
        report({ seq: tree.size, what: "the record was changed: it does not hash to its leaf", expected: base64(mark), found: base64(leaf.subarray(0, markSize)) });
      }
      if (record.seq !== tree.size) report({ seq: tree.size, what: "the record carries another seq", expected: String(tree.size), found: String(record.seq) });
      tree = grow(tree, leaf, whole);
      if (from?.size === tree.size && !sameBytes(rootOf(tree), from.root)) report({ seq: null, what: `the first ${from.size} records are not those of the remembered checkpoint`, expected: base64(from.root), found: base64(rootOf(tree)) });
    },
    end() {
      const stored = sql.nodes.all().length;
      if (stored > nodes) report({ seq: null, what: "the database holds tree nodes that no records have", expected: String(nodes), found: String(stored) });
      if (from && from.size > tree.size) report({ seq: null, what: "records were cut off, or an older database put in place: a remembered checkpoint covers more", expected: String(from.size), found: String(tree.size) });
      if (!head) return;
      if (head.size !== tree.size) report({ seq: null, what: "the number of records is not that of the checkpoint", expected: String(head.size), found: String(tree.size) });
      else if (!sameBytes(head.root, rootOf(tree))) report({ seq: null, what: "the records do not hash to the checkpoint's root", expected: base64(head.root), found: base64(rootOf(tree)) });
    },
    tree: () => tree,
  };
};

const envelope = {
  v: z.literal(1),
  seq: z.int().min(0),
  at_ms: z.int().min(0),
  state: z.array(z.tuple([z.string(), z.string().nullable()])).min(1).optional(),
};
const forms = new Map<string, z.ZodType>(Object.entries(recordBodies).map(([type, body]) => [type, z.strictObject({ ...body.shape, ...envelope, type: z.literal(type) })]));

/** Every record has its type's form, and time does not run backwards. */
export const checkForm = (report: Report, sql: Statements): Check => {
  let before = 0;
  return {
    see(record) {
      const { seq, at_ms, type } = record;
      const issue = forms.get(type)?.safeParse(record).error?.issues[0];
      if (issue) report({ seq, what: `the record does not have the form of \`${type}\`: ${issue.path.join(".")}: ${issue.message}` });
      if (!forms.has(type)) report({ seq, what: `there is no type of record \`${type}\`` });
      if (at_ms < before) report({ seq, what: "the record is older than the one before it", expected: `at least ${before}`, found: String(at_ms) });
      before = Math.max(before, at_ms);
    },
    end() {
      const { at_ms } = sql.head.get() as { at_ms: number };
      if (at_ms !== before) report({ seq: null, what: "the time of the last commit is not that of the last record", expected: String(before), found: String(at_ms) });
    },
  };
};

/** Every outcome ends an allow decision, each once; the database's own lists of outcomes and open intents say the same. */
export const checkOutcomes = (report: Report, sql: Statements): Check => {
  const open = new Set<number>();
  let outcomes = 0;
  let lastOpen = 0;
  const opened = (record: LedgerRecord & { readonly type: "ledger.open" }): void => {
    lastOpen = record.seq;
    const expected = [...open];
    if (record.open_intents.join() !== expected.slice(0, 1024).join() || record.more !== Math.max(0, expected.length - 1024))
      report({ seq: record.seq, what: "the record does not list the intents open at that time", expected: expected.slice(0, 10).join(), found: record.open_intents.slice(0, 10).join() });
  };
  return {
    see(record) {
      if (record.type === "decision" && record.effect === "allow") open.add(record.seq);
      else if (record.type === "ledger.open") opened(record);
      else if (record.type === "outcome") {
        outcomes++;
        if (!open.delete(record.of)) report({ seq: record.seq, what: "the outcome is of no open intent", found: String(record.of) });
        const listed = (sql.outcome.get(record.of) as { seq: number } | undefined)?.seq;
        if (listed !== record.seq) report({ seq: record.seq, what: "the database's list of outcomes says otherwise", expected: String(record.seq), found: String(listed ?? "none") });
      }
    },
    end() {
      const listed = sql.outcomes.all().length;
      if (listed > outcomes) report({ seq: null, what: "the database lists outcomes that no record has", expected: String(outcomes), found: String(listed) });
      const left = new Set((sql.leftOpen.all() as { seq: number }[]).map(({ seq }) => seq));
      for (const seq of left) if (!open.has(seq)) report({ seq, what: "the database lists an open intent that is none" });
      for (const seq of open) if (seq < lastOpen && !left.has(seq)) report({ seq, what: "the database does not list an intent that is open" });
      const { open_from: from, size } = sql.head.get() as { open_from: number; size: number };
      const oldest = open.values().find((seq) => !left.has(seq)) ?? size;
      if (from !== oldest) report({ seq: null, what: "the database would look for open intents from the wrong record after a crash", expected: String(oldest), found: String(from) });
    },
  };
};

/** What a search may skip is what the records say. */
export const checkZones = (report: Report, sql: Statements): Check => {
  const zones = new Map((sql.zones.all() as { block: number; words: Uint8Array }[]).map(({ block: at, words }) => [at, words]));
  const ids = new Map<string, number>();
  const idOf = (text: string): number => {
    const id = ids.get(text) ?? (sql.findWord.get(text) as { id: number } | undefined)?.id ?? -1;
    if (ids.size > 50_000) ids.clear();
    ids.set(text, id);
    return id;
  };
  let words = new Set<number>();
  return {
    see(record) {
      for (const value of zoneValues(record)) words.add(idOf(value));
      if (record.seq % block !== block - 1) return;
      const at = (record.seq + 1) / block - 1;
      const stored = zones.get(at);
      zones.delete(at);
      if (!stored || !sameBytes(stored, packZone(words))) report({ seq: at * block, what: `the search index over records ${at * block} to ${record.seq} is not what they hold` });
      words = new Set();
    },
    end() {
      for (const at of zones.keys()) report({ seq: at * block, what: "the database holds a search index of records it does not have" });
    },
  };
};
