import { hash as digest } from "node:crypto";
import type { NewRecord, RecordType } from "@lanyard/contract";
import { decisionId } from "../../server/src/base/store/decision-id.ts";
import { systemClock } from "../../server/src/base/clock.ts";
import type { Store } from "../../server/src/base/store/port.ts";

const hash = (text: string): string => Buffer.from(text.padEnd(32, ".").slice(0, 32)).toString("base64url");

const objects = { bundle: "a bundle of policies", definition: "a tool's definition" };
const address = (name: keyof typeof objects): string => digest("sha256", objects[name], "base64url");

/** Stores the objects that the sample records name: without them no ledger of theirs is intact. */
export const putObjects = (store: Store): void => {
  for (const text of Object.values(objects)) store.putObject(Buffer.from(text));
};

/** One valid record of every type. A type added to the contract is missing here until its example is, and then does not compile. */
export const sampleRecords: { readonly [T in RecordType]: NewRecord & { readonly type: T } } = {
  decision: {
    type: "decision", id: "d_AAAAAAAAAAAAAAAA", session: "s_AAAAAAAAAAAAAAAA", agent: "coder", user: "ana", action: "files/write_file", digest: hash("digest"),
    effect: "deny", by: "policy", policies: ["files.write", "org.base"], decision: hash("decision"), bundle: address("bundle"), input: hash("input"),
    tool: hash("tool"), reversibility: "reversible", approval: "ap_AAAAAAAAAAAAAAAA", payload: null,
  },
  outcome: { type: "outcome", of: 1, status: "failed", code: "upstream_timeout", result: null, payload: null, duration_us: 1234 },
  "approval.request": { type: "approval.request", id: "ap_AAAAAAAAAAAAAAAA", of: 1, digest: hash("digest"), groups: ["leads"], session: "s_AAAAAAAAAAAAAAAA", expires_at_ms: 1_800_000_000_000 },
  "approval.approve": { type: "approval.approve", id: "ap_AAAAAAAAAAAAAAAA", by: "user:ana", groups: ["leads"], comment: null, payload: null },
  "approval.deny": { type: "approval.deny", id: "ap_AAAAAAAAAAAAAAAA", by: "user:ana", comment: null, payload: null },
  "approval.expire": { type: "approval.expire", id: "ap_AAAAAAAAAAAAAAAA" },
  "data.mark": { type: "data.mark", session: "s_AAAAAAAAAAAAAAAA", labels: ["customer"], by: "user:ana" },
  "data.tokenise": { type: "data.tokenise", session: "s_AAAAAAAAAAAAAAAA", labels: ["personal.email"], values: 2, hidden: hash("hidden"), payload: null },
  "access.reveal": { type: "access.reveal", by: "user:ana", session: "s_AAAAAAAAAAAAAAAA", label: "personal.email", token: "tok_AAAAAAAAAAAAAAAAAAAAAA" },
  "grant.give": {
    type: "grant.give", id: "gr_AAAAAAAAAAAAAAAA", approval: "ap_AAAAAAAAAAAAAAAA", by: "user:ana", groups: ["leads"], agent: "bot", user: "ben", action: "files/write", times: 3,
    until_ms: 1_800_000_000_000, scope: hash("scope"), payload: null, complete: true,
  },
  "grant.join": { type: "grant.join", id: "gr_AAAAAAAAAAAAAAAA", by: "user:lea", groups: ["leads"], complete: true },
  "grant.use": { type: "grant.use", id: "gr_AAAAAAAAAAAAAAAA", approval: "ap_AAAAAAAAAAAAAAAA", left: 2 },
  "grant.revoke": { type: "grant.revoke", id: "gr_AAAAAAAAAAAAAAAA", by: "operator" },
  "grant.expire": { type: "grant.expire", id: "gr_AAAAAAAAAAAAAAAA", why: "time" },
  "approval.void": { type: "approval.void", id: "ap_AAAAAAAAAAAAAAAA", why: "stp_AAAAAAAAAAAAAAAA" },
  "session.open": { type: "session.open", session: "s_AAAAAAAAAAAAAAAA", agent: "coder", user: "ana", purpose: hash("purpose"), payload: null, parent: null, expires_at_ms: 1_800_000_000_000 },
  "deadline.open": { type: "deadline.open", of: 4, policy: "reread", session: "s_AAAAAAAAAAAAAAAA", agent: "coder", due_ms: 7 },
  "deadline.met": { type: "deadline.met", of: 4, policy: "reread", session: "s_AAAAAAAAAAAAAAAA", late: false },
  "deadline.miss": { type: "deadline.miss", of: 4, policy: "reread", session: "s_AAAAAAAAAAAAAAAA", agent: "coder" },
  "deadline.close": { type: "deadline.close", of: 4, policy: "reread", session: "s_AAAAAAAAAAAAAAAA" },
  "session.task": { type: "session.task", session: "s_AAAAAAAAAAAAAAAA", by: "user:ana", text: hash("text"), payload: null },
  "flow.declassify": { type: "flow.declassify", session: "s_AAAAAAAAAAAAAAAA", by: "user:ana", value: hash("value"), payload: null, label: null, approval: "apr_AAAAAAAAAAAAAAAA" },
  "session.close": { type: "session.close", session: "s_AAAAAAAAAAAAAAAA", why: "ended", actions: 3 },
  "session.refused": { type: "session.refused", code: "unauthenticated", door: "mcp", times: 2 },
  "egress.refuse": { type: "egress.refuse", session: "s_AAAAAAAAAAAAAAAA", agent: "coder", fault: "mismatch", times: 2 },
  "held.stage": { type: "held.stage", id: "hld_AAAAAAAAAAAAAAAA", of: 1, session: "s_AAAAAAAAAAAAAAAA", action: "mail/send", until_ms: 1_800_000_000_000, call: hash("call"), payload: null },
  "held.withdraw": { type: "held.withdraw", id: "hld_AAAAAAAAAAAAAAAA", session: "s_AAAAAAAAAAAAAAAA", by: "user:ana" },
  "held.void": { type: "held.void", id: "hld_AAAAAAAAAAAAAAAA", session: "s_AAAAAAAAAAAAAAAA", why: "stp_AAAAAAAAAAAAAAAA" },
  "held.release": { type: "held.release", id: "hld_AAAAAAAAAAAAAAAA", session: "s_AAAAAAAAAAAAAAAA", erased: false },
  "held.outcome": { type: "held.outcome", id: "hld_AAAAAAAAAAAAAAAA", session: "s_AAAAAAAAAAAAAAAA", of: 2, status: "done", code: "" },
  "undo.plan": { type: "undo.plan", of: 1, session: "s_AAAAAAAAAAAAAAAA", action: "files/write_file", class: "reversible", read: true, pieces: 1, plan: hash("plan"), payload: null },
  "undo.piece": { type: "undo.piece", of: 1, session: "s_AAAAAAAAAAAAAAAA", at: 1, piece: hash("piece"), payload: null },
  "undo.settle": { type: "undo.settle", of: 1, session: "s_AAAAAAAAAAAAAAAA", seen: "known", after: hash("after"), payload: null },
  "undo.begin": { type: "undo.begin", undo: "und_AAAAAAAAAAAAAAAA", session: "s_AAAAAAAAAAAAAAAA", to: 3, actions: 2, as: "s_BBBBBBBBBBBBBBBB", by: "operator" },
  "undo.call": { type: "undo.call", undo: "und_AAAAAAAAAAAAAAAA", of: 1, session: "s_AAAAAAAAAAAAAAAA", calls: 1 },
  "undo.step": { type: "undo.step", undo: "und_AAAAAAAAAAAAAAAA", of: 1, session: "s_AAAAAAAAAAAAAAAA", verdict: "restored", why: "verified", calls: 1 },
  "undo.end": { type: "undo.end", undo: "und_AAAAAAAAAAAAAAAA", session: "s_AAAAAAAAAAAAAAAA", restored: 1, residue: 0, refused: 0, failed: 0 },
  "workspace.open": { type: "workspace.open", session: "s_AAAAAAAAAAAAAAAA", agent: "coder", user: "ana", base: hash("base"), files: 12, bytes: 3456, left: 1 },
  "workspace.diff": {
    type: "workspace.diff", session: "s_AAAAAAAAAAAAAAAA", proposal: hash("proposal"), added: 1, changed: 2, removed: 3, renamed: 1, bytes: 456, refused: 0, paths: hash("paths"), payload: null,
  },
  "workspace.gate": { type: "workspace.gate", session: "s_AAAAAAAAAAAAAAAA", proposal: hash("proposal"), gate: "secrets", passed: false, findings: 2, by: "operator" },
  "workspace.approve": { type: "workspace.approve", session: "s_AAAAAAAAAAAAAAAA", proposal: hash("proposal"), by: "user:ben" },
  "workspace.apply": { type: "workspace.apply", session: "s_AAAAAAAAAAAAAAAA", proposal: hash("proposal"), by: "operator" },
  "workspace.revert": { type: "workspace.revert", session: "s_AAAAAAAAAAAAAAAA", proposal: hash("proposal"), by: "operator" },
  "workspace.outcome": { type: "workspace.outcome", of: 7, session: "s_AAAAAAAAAAAAAAAA", status: "refused", code: "conflict", by: "operator" },
  "stop.order": { type: "stop.order", id: "stp_AAAAAAAAAAAAAAAA", kind: "stop", subject: { kind: "agent", name: "bot" }, by: "user:ben", why: "runs wild", sessions: 2, cancelled: 1, voided: 0 },
  "stop.approve": { type: "stop.approve", id: "stp_AAAAAAAAAAAAAAAA", by: "user:ben" },
  "stop.lift": { type: "stop.lift", id: "stp_AAAAAAAAAAAAAAAA", kind: "stop", subject: { kind: "all", name: "all" }, by: "user:ben", second: "user:ana" },
  "breaker.trip": { type: "breaker.trip", order: "stp_BBBBBBBBBBBBBBBB", agent: "bot", session: "s_AAAAAAAAAAAAAAAA", breaker: "denials", count: 100, limit: 100, window_ms: 60000, what: null },
  "workspace.discard": { type: "workspace.discard", session: "s_AAAAAAAAAAAAAAAA", proposal: null, by: "operator" },
  "credential.issue": { type: "credential.issue", kind: "agent", name: "coder", key: "k_AAAAAAAAAAAAAAAA", by: "operator" },
  "credential.revoke": { type: "credential.revoke", kind: "user", name: "ana", key: "k_AAAAAAAAAAAAAAAA", by: "operator" },
  "credential.lend": { type: "credential.lend", of: 1, session: "s_AAAAAAAAAAAAAAAA", agent: "coder", names: ["github"] },
  "credential.misuse": { type: "credential.misuse", session: "s_AAAAAAAAAAAAAAAA", agent: "coder", action: "web/POST", name: null, where: "in the body" },
  "credential.token": { type: "credential.token", server: "docs", issuer: "https://id.example", why: "refresh", by: "lanyard" },
  "credential.withdraw": { type: "credential.withdraw", name: "github", by: "operator" },
  "credential.restore": { type: "credential.restore", name: "github", by: "operator" },
  "catalog.quarantine": { type: "catalog.quarantine", server: "files", tool: "write_file", why: "changed", definition: address("definition"), approved: hash("old") },
  "catalog.approve": { type: "catalog.approve", server: "files", tool: "write_file", definition: address("definition"), by: "operator" },
  "catalog.gone": { type: "catalog.gone", server: "files", tool: "write_file" },
  "notice.post": { type: "notice.post", id: "apr_AAAAAAAAAAAAAAAA", channel: "pager", kind: "alert", notice: hash("notice"), payload: null },
  "notice.deliver": { type: "notice.deliver", id: "apr_AAAAAAAAAAAAAAAA", channel: "pager", attempts: 2 },
  "notice.fail": { type: "notice.fail", id: "apr_AAAAAAAAAAAAAAAA", channel: "pager", code: "status_500", attempts: 9 },
  "bundle.activate": { type: "bundle.activate", bundle: address("bundle"), before: hash("earlier"), policies: 12, by: "lanyard", post: "canary", version: 3, share_ppm: 50_000, why: "the catalog changed" },
  "bundle.withdraw": { type: "bundle.withdraw", bundle: hash("bundle"), by: "user:ana", post: "shadow", version: 3, why: "seen enough" },
  "bundle.refuse": { type: "bundle.refuse", candidate: hash("bundle"), errors: 1, first: "a.cedar:3:1: \u201cunexpected\u201d token \u2028 here", post: "active", version: null },
  "bundle.difference": {
    type: "bundle.difference", session: "s_AAAAAAAAAAAAAAAA", agent: "coder", action: "files/write_file", bundle: hash("bundle"), effect: "allow", policies: ["files.write"],
    beside: hash("other"), beside_effect: "deny", beside_policies: ["org.base"], times: 3,
  },
  "engine.difference": {
    type: "engine.difference", session: "s_AAAAAAAAAAAAAAAA", agent: "coder", action: "files/write_file", bundle: hash("bundle"), ours: hash("ours"), theirs: hash("theirs"),
    effect: "allow", their_effect: "deny", denies_now: true,
  },
  "policy.publish": { type: "policy.publish", version: 2, base: 1, statement: address("definition"), source: address("definition"), bundle: address("bundle"), loosens: true, by: "user:ana" },
  "policy.approve": { type: "policy.approve", version: 2, statement: address("definition"), over: hash("org"), by: "user:ben" },
  "policy.rollback": { type: "policy.rollback", from: 2, to: 1, by: "operator", why: "calls are denied" },
  "alert.raise": {
    type: "alert.raise", id: "al_AAAAAAAAAAAAAAAA", condition: "breaker", subject: "agent coder", session: "s_AAAAAAAAAAAAAAAA", severity: "critical", route: "page", since_ms: 1_700_000_000_000, held: false,
    channels: ["ana-phone"], people: ["ana"],
  },
  "alert.escalate": { type: "alert.escalate", id: "al_AAAAAAAAAAAAAAAA", page: 2, channels: ["lea-phone", "ops"], people: ["lea"] },
  "alert.acknowledge": { type: "alert.acknowledge", id: "al_AAAAAAAAAAAAAAAA", by: "user:ana" },
  "alert.resolve": { type: "alert.resolve", id: "al_AAAAAAAAAAAAAAAA", times: 1 },
  "config.change": { type: "config.change", config: hash("config"), before: hash("earlier"), by: "operator" },
  "access.read": { type: "access.read", by: "operator", what: "log", from: 0, to: 10, times: 1 },
  "access.unseal": { type: "access.unseal", by: "user:ana", of: 7 },
  "access.export": { type: "access.export", by: "operator", what: "ledger", from: 0, to: 10 },
  erase: { type: "erase", subject: hash("subject"), payloads: 0, by: "operator", why: "asked to" },
  "key.rotate": { type: "key.rotate", key: hash("key"), before: hash("earlier"), by: "operator" },
  "ledger.open": { type: "ledger.open", key: hash("key"), version: "0.1.0", open_intents: [], more: 0 },
  "ledger.close": { type: "ledger.close", why: "stopped" },
  "ledger.gap": { type: "ledger.gap", from_ms: 1, to_ms: 2, refused: 3, why: "database or disk is full" },
};

/** A decision of its own: with `allow` it awaits an outcome. */
export const someDecision = (effect: "allow" | "deny" | "ask" = "allow", changes: Partial<NewRecord & { type: "decision" }> = {}): NewRecord & { type: "decision" } => ({
  ...sampleRecords.decision, id: decisionId(systemClock), effect, input: null, approval: null, ...changes,
});

/** An outcome of an intent. */
export const someOutcome = (of: number): NewRecord & { type: "outcome" } => ({ ...sampleRecords.outcome, of, status: "done", code: "" });
