import type { LedgerRecord } from "@lanyard/contract";
import { cedarEntity } from "../base/cedar-text.ts";
import type { Store } from "../base/store/port.ts";
import { missingOf, type Voice } from "../stages/approval/voice.ts";
import { breathe, type DecisionRecord } from "./recorded.ts";

/** One rule that asks people, and what came of it. */
export interface AskingRule {
  readonly policy: string;
  /** Where it stood when it asked last; empty when the store lacks that bundle. */
  readonly file: string;
  readonly line: number;
  readonly remedy: string;
  /** Requests that people were asked: those that a grant answered are counted beside. */
  readonly asked: number;
  readonly approved: number;
  readonly denied: number;
  /** Nobody answered in time. */
  readonly unanswered: number;
  readonly granted: number;
  /** Of the answered ones, 0 to 1; null when none was. */
  readonly approved_share: number | null;
  /** From asking to the last yes or the no; null when none was answered. */
  readonly median_wait_ms: number | null;
  /** What the numbers suggest, as a whole policy in place of this one; null when they suggest nothing. */
  readonly proposal: { readonly why: string; readonly text: string } | null;
}

interface StatsDeps {
  readonly store: Pick<Store, "scan" | "entry">;
  policy(bundle: string, id: string): { readonly file: string; readonly line: number; readonly text: string; readonly remedy: string } | null;
}

/** Fewer than so many answers suggest nothing. */
const fewest = 10;
/** Above this share approved nobody's judgment is asked for; below its counterpart neither. */
const nearlyAll = 0.98;
const nearlyNone = 0.05;
const mostClauses = 3;

interface Asked {
  readonly decision: DecisionRecord;
  readonly atMs: number;
  readonly groups: readonly string[];
  given: Voice[];
  end: "approved" | "denied" | "unanswered" | "granted" | null;
  waitMs: number;
}

/** Rules that asked since a time, those that asked most first. Live calls go first between two runs. Callers append `access.read` before. */
export async function approvalStats({ store, policy }: StatsDeps, sinceMs: number): Promise<AskingRule[]> {
  const asked = new Map<string, Asked>();
  for (const records of store.scan({ sinceMs, types: ["approval.request", "approval.approve", "approval.deny", "approval.expire", "grant.use"] })) {
    await breathe();
    for (const record of records) heed(store, asked, record);
  }
  const rules = Map.groupBy([...asked.values()].flatMap((one) => one.decision.policies.map((id) => ({ id, one }))), ({ id }) => id);
  const stats = [...rules].flatMap(([id, all]) => ruleOf(id, all.map(({ one }) => one), policy) ?? []);
  return stats.toSorted((a, b) => b.asked - a.asked || (a.policy < b.policy ? -1 : 1));
}

const heed = (store: StatsDeps["store"], asked: Map<string, Asked>, record: LedgerRecord): void => {
  if (record.type === "approval.request") {
    const decision = store.entry(record.of);
    if (decision?.type === "decision") asked.set(record.id, { decision, atMs: record.at_ms, groups: record.groups, given: [], end: null, waitMs: 0 });
    return;
  }
  const id = record.type === "grant.use" ? record.approval : "id" in record ? String(record.id) : "";
  const one = asked.get(id);
  if (!one || one.end !== null) return;
  if (record.type === "grant.use") one.end = "granted";
  else if (record.type === "approval.expire") one.end = record.why === undefined || record.why === "time" ? "unanswered" : null;
  else if (record.type === "approval.deny") [one.end, one.waitMs] = ["denied", record.at_ms - one.atMs];
  else if (record.type === "approval.approve") {
    one.given.push({ by: record.by, groups: record.groups, comment: null });
    if (missingOf(one).length === 0) [one.end, one.waitMs] = ["approved", record.at_ms - one.atMs];
  }
};

const ruleOf = (id: string, all: readonly Asked[], policy: StatsDeps["policy"]): AskingRule | null => {
  const last = all.at(-1);
  const text = last?.decision.bundle ? policy(last.decision.bundle, id) : null;
  if (text !== null && !text.remedy.startsWith("approval:")) return null; // It changed arguments; another one asked.
  const count = (end: Asked["end"]): number => all.filter((one) => one.end === end).length;
  const [approved, denied, granted] = [count("approved"), count("denied"), count("granted")];
  const waits = all.filter(({ end }) => end === "approved" || end === "denied").map(({ waitMs }) => waitMs).sort((a, b) => a - b);
  return {
    policy: id,
    file: text?.file ?? "",
    line: text?.line ?? 0,
    remedy: text?.remedy ?? "",
    asked: all.length - granted,
    approved,
    denied,
    unanswered: count("unanswered"),
    granted,
    approved_share: waits.length === 0 ? null : approved / waits.length,
    median_wait_ms: waits[Math.floor((waits.length - 1) / 2)] ?? null,
    proposal: text === null || waits.length < fewest ? null : proposalOf(text.text, all, approved / waits.length),
  };
};

const proposalOf = (text: string, all: readonly Asked[], share: number): AskingRule["proposal"] => {
  if (share <= nearlyNone) {
    const strict = withoutRemedy(text);
    return strict === null ? null : { why: "people say no to nearly all of it: deny it without asking", text: strict };
  }
  if (share < nearlyAll) return null;
  const kinds = Map.groupBy(all.filter(({ end }) => end === "approved" || end === "denied"), ({ decision: { agent, action } }) => JSON.stringify([agent, action]));
  const always = [...kinds.values()].filter((ones) => ones.length >= fewest && ones.every(({ end }) => end === "approved"));
  const clauses = always.toSorted((a, b) => b.length - a.length).slice(0, mostClauses).flatMap(([one]) => (one ? [clauseOf(one.decision)] : []));
  const wider = clauses.length === 0 ? null : withClauses(text, clauses);
  return wider === null ? null : { why: `people say yes to all of it: do not ask about ${clauses.length === 1 ? "these calls" : "calls like these"}`, text: wider };
};

const clauseOf = ({ agent, action }: DecisionRecord): string => `unless { principal == ${cedarEntity("Agent", agent)} && action == ${cedarEntity("Action", action)} }`;

/** The policy with more clauses before its end; null when its end is not where it is looked for. */
const withClauses = (text: string, clauses: readonly string[]): string | null => (/;\s*$/.test(text) ? `${text.trimEnd().slice(0, -1)}\n${clauses.join("\n")};` : null);

/** The policy without what lifts it; null when that is not written as it usually is. */
const withoutRemedy = (text: string): string | null => {
  const remedy = /@remedy\s*\(\s*"(?:[^"\\]|\\.)*"\s*\)\s*/;
  const clause = /\s*unless\s*\{\s*context\s*\.\s*approvals\s*\.\s*contains(?:All)?\s*\((?:[^()"{}]|"(?:[^"\\]|\\.)*")*\)\s*\}/;
  return remedy.test(text) && clause.test(text) ? text.replace(remedy, "").replace(clause, "") : null;
};
