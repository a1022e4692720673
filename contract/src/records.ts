import { z } from "zod";
import { reversibilities } from "./catalog.ts";
import { isolations } from "./decision.ts";
import { noticeKinds } from "./notice.ts";
import { breakerKinds, stopKinds, stopSubjectKinds } from "./stop.ts";
import { egressFaults } from "./web.ts";

/**
 * Bodies of ledger records, one strict schema a type: unknown keys are refused, numbers are integers. The ledger adds the envelope
 * `{v, seq, at_ms, type}` when it commits; the whole record is RFC 8785 JSON, at most 64 KiB, and every key is covered by its leaf.
 * Personal or secret values appear only as salted commitments; the values lie encrypted in the payload named by `payload`.
 */
const id = z.string().min(1).max(256);
const hash = z.string().regex(/^[A-Za-z0-9_-]{43}$/); // base64url SHA-256
const text = z.string().max(4096);
const count = z.int().min(0);
const actor = z.string().min(1).max(256); // "operator", "user:ana", "agent:bot", "lanyard"
/** Where a bundle stands: it decides, it decides beside without effect, or it decides for a share of the sessions. */
const post = z.enum(["active", "shadow", "canary"]);
const version = z.int().min(1).nullable(); // of the policies; null for those of the live folder
const effect = z.enum(["allow", "deny", "ask"]);
const subject = z.strictObject({ kind: z.enum(stopSubjectKinds), name: id });
const severity = z.enum(["info", "warning", "critical"]);
const body = <S extends z.ZodRawShape>(shape: S) => z.strictObject(shape);

export const recordBodies = {
  /** Intent. With effect `allow` it awaits exactly one outcome; `deny` and `ask` end in themselves. */
  decision: body({
    id,
    session: id,
    agent: id,
    user: id,
    action: id,
    digest: hash,
    effect: z.enum(["allow", "deny", "ask"]),
    /** Error code of the step that refused; `policy` when policy decided. */
    by: id,
    policies: z.array(id).max(256),
    /** Changes of the arguments that were made before the call was carried out or shown to people; absent when there were none. `input` has them as sent. */
    transforms: z.array(id).min(1).max(16).optional(),
    /** Data classes and labels of what the call carries; absent where there were none, and in entries from before there were any. */
    labels: z.array(id).min(1).max(256).optional(),
    /** Hash of the canonical bytes of the whole Decision, reasons and errors included. */
    decision: hash,
    /** Content address of the bundle (policies, schema, contracts, engine) that decided; null when none was asked. */
    bundle: hash.nullable(),
    /** Commitment to the DecisionInput; null when facts were never gathered. */
    input: hash.nullable(),
    /** Hash of the tool's pinned definition; null for anything but a catalogued tool. */
    tool: hash.nullable(),
    /** Of this very call. */
    reversibility: z.enum(reversibilities),
    /** The approval that lifted an ask, by its id; an allow that names one has spent it. */
    approval: id.nullable(),
    /** Key of the encrypted payload with DecisionInput; null when there is none. */
    payload: id.nullable(),
  }),
  outcome: body({
    of: count,
    status: z.enum(["done", "refused", "failed", "uncertain"]),
    /** Error code when not done, else empty. */
    code: z.string().max(64),
    /** Commitment to the result as inspected; null when none came back. */
    result: hash.nullable(),
    payload: id.nullable(),
    duration_us: count,
    /** When it was known, by the clock that history goes by: the record itself may wait for the next intent. Absent in entries from before there was a history. */
    ended_ms: count.optional(),
    /** Data classes and labels of the result as the agent got it; absent where there were none, and in entries from before there were any. */
    labels: z.array(id).min(1).max(256).optional(),
  }),
  /**
   * `bound`: hash over what the answer will hold for beside the digest (policies, definition, changes, facts). `read`: the decisions shown on the
   * card as what the agent read before. Entries from before there were these lack them.
   */
  "approval.request": body({ id, of: count, digest: hash, groups: z.array(id).max(64), session: id, expires_at_ms: count, bound: hash.optional(), read: z.array(count).max(16).optional() }),
  /** `via`: the surface it was given on; absent for the administration API. */
  "approval.approve": body({ id, by: actor, groups: z.array(id).max(64), comment: hash.nullable(), payload: id.nullable(), via: id.optional() }),
  "approval.deny": body({ id, by: actor, comment: hash.nullable(), payload: id.nullable(), via: id.optional() }),
  /** Over without a use. `why`: `time`, `session`, `voice` (who approved may no longer), or what changed: `bundle`, `definition`, `transforms`, `facts`, `groups`. */
  "approval.expire": body({ id, why: id.optional() }),
  /** Taken back by a stop, which `why` names. */
  "approval.void": body({ id, why: id }),
  /** A yes beforehand, made from the request `approval`. `complete`: nobody's yes lacks any more, so it is in force. */
  "grant.give": body({ id, approval: id, by: actor, groups: z.array(id).max(64), agent: id, user: id, action: id, times: count, until_ms: count, scope: hash, payload: id.nullable(), complete: z.boolean(), via: id.optional() }),
  "grant.join": body({ id, by: actor, groups: z.array(id).max(64), complete: z.boolean(), via: id.optional() }),
  /** It approved a request; `left`: uses that remain. */
  "grant.use": body({ id, approval: id, left: count }),
  "grant.revoke": body({ id, by: actor }),
  /** `why`: `time`, `voice` (who gave it may no longer), `erased`. */
  "grant.expire": body({ id, why: id }),
  /** `isolation`: the tier it was opened with; entries from before there were tiers lack it. */
  /** `stop`: nothing more happens of the subject's; `quarantine`: only reads. `sessions` it met, calls `cancelled` under way, approvals `voided`. */
  "stop.order": body({ id, kind: z.enum(stopKinds), subject, by: actor, why: text, sessions: count, cancelled: count, voided: count }),
  /** The first of two people says that it may be lifted. */
  "stop.approve": body({ id, by: actor }),
  /** `second`: who agreed to what `by` said first; null where one is enough. */
  "stop.lift": body({ id, kind: z.enum(stopKinds), subject, by: actor, second: actor.nullable() }),
  /** Somebody says that a session has seen data of these classes. */
  "data.mark": body({ session: id, labels: z.array(id).min(1).max(64), by: actor }),
  /** Values were put out of an agent's sight: what each token stands for lies sealed. */
  "data.tokenise": body({ session: id, labels: z.array(id).max(64), values: count, hidden: hash, payload: id.nullable() }),
  /** A limit of an agent's conduct was met, and the quarantine `order` follows. `count` of `limit` within `window_ms`; `what`: the call that repeats, the canary that was seen; null where there is no one such thing. */
  "breaker.trip": body({ order: id, agent: id, session: id, breaker: z.enum(breakerKinds), count, limit: count, window_ms: count, what: id.nullable() }),
  "session.open": body({ session: id, agent: id, user: id, purpose: hash, payload: id.nullable(), parent: id.nullable(), expires_at_ms: count, isolation: z.enum(isolations).optional(), held: z.literal(true).optional() }),
  /** The call of decision `of` must be followed by what `policy` awaits, by then. */
  "deadline.open": body({ of: count, policy: id, session: id, agent: id, due_ms: count }),
  /** It was; `late`: after its time. */
  "deadline.met": body({ of: count, policy: id, session: id, late: z.boolean() }),
  "deadline.miss": body({ of: count, policy: id, session: id, agent: id }),
  /** Missed, and not looked for any longer. */
  "deadline.close": body({ of: count, policy: id, session: id }),
  /** Somebody says more of what the session is for. */
  "session.task": body({ session: id, by: actor, text: hash, payload: id.nullable() }),
  /** Exactly this value counts as the organisation's own in this session, or no longer carries `label`. */
  "flow.declassify": body({ session: id, by: actor, value: hash, payload: id.nullable(), label: id.nullable(), approval: id.optional() }),
  "session.close": body({ session: id, why: id, actions: count }),
  /** Refused at the door: no session could be established. Repeats within a second fold into `times`. */
  "session.refused": body({ code: id, door: id, times: count }),
  /** Turned away at the egress door before it was an action. Repeats within a second fold into `times`. */
  "egress.refuse": body({ session: id, agent: id, fault: z.enum(egressFaults), times: count }),
  /** A session works on a copy of a folder. `base`: salted hash of what was copied; `left`: what stayed out. */
  "workspace.open": body({ session: id, agent: id, user: id, base: hash, files: count, bytes: count, left: count }),
  /** What it changed, as a proposal: `proposal` is the salted hash of every change; folder and paths lie sealed. `refused`: what may not come out. */
  "workspace.diff": body({ session: id, proposal: hash, added: count, changed: count, removed: count, renamed: count, bytes: count, refused: count, paths: hash, payload: id.nullable() }),
  "workspace.gate": body({ session: id, proposal: hash, gate: id, passed: z.boolean(), findings: count, by: actor }),
  "workspace.approve": body({ session: id, proposal: hash, by: actor }),
  /** Intents: what follows them on the disk is told by `workspace.outcome`. */
  "workspace.apply": body({ session: id, proposal: hash, by: actor }),
  "workspace.revert": body({ session: id, proposal: hash, by: actor }),
  "workspace.outcome": body({ of: count, session: id, status: z.enum(["done", "refused"]), code: z.string().max(64), by: actor }),
  "workspace.discard": body({ session: id, proposal: hash.nullable(), by: actor }),
  /**
   * How the action `of` can be taken back, made before its effect: `plan` commits to contract, arguments and the state before, whose first part is in
   * the payload; `pieces` more of it are in records of their own. `read`: whether the state could be read.
   */
  "undo.plan": body({ of: count, session: id, action: id, class: z.enum(reversibilities), read: z.boolean(), pieces: count, plan: hash, payload: id.nullable() }),
  "undo.piece": body({ of: count, session: id, at: count, piece: hash, payload: id.nullable() }),
  /** The state right after the action: `known`, `unread`, or `disturbed` when it is not what the action alone would have made of it. */
  "undo.settle": body({ of: count, session: id, seen: z.enum(["known", "unread", "disturbed"]), after: hash, payload: id.nullable() }),
  /** Somebody takes a session's actions back, down to entry `to` (which stays); `as`: the session that acts. */
  "undo.begin": body({ undo: id, session: id, to: count.nullable(), actions: count, as: id, by: actor }),
  /**
   * `calls` of the calls that take `of` back are made; the next run goes on from there if the state is still as it was after them. Where there is no
   * state, it is written before the last of them, and that is never made twice.
   */
  "undo.call": body({ undo: id, of: count, session: id, calls: count }),
  /** What became of taking back the action `of`; `restored` was judged by reading its state again. */
  "undo.step": body({ undo: id, of: count, session: id, verdict: z.enum(["restored", "residue", "refused", "failed"]), why: id, calls: count }),
  "undo.end": body({ undo: id, session: id, restored: count, residue: count, refused: count, failed: count }),
  /** A call that policy allowed waits for its time, in which it can be withdrawn; it lies sealed in the payload. */
  "held.stage": body({ id, of: count, session: id, action: id, until_ms: count, call: hash, payload: id.nullable() }),
  "held.withdraw": body({ id, session: id, by: actor }),
  /** Ended without anybody's word about it: its session was stopped or closed. `why`: the order, or the ending. */
  "held.void": body({ id, session: id, why: id }),
  /** Its time has come: it is decided anew, and carried out if that allows it. `erased`: nothing is left of it to carry out. */
  "held.release": body({ id, session: id, erased: z.boolean() }),
  /** How that ended; `of`: the decision it was let go by. */
  "held.outcome": body({ id, session: id, of: count.nullable(), status: z.enum(["done", "failed", "refused", "uncertain"]), code: z.string().max(64) }),
  "credential.issue": body({ kind: z.enum(["agent", "user"]), name: id, key: id, by: actor }),
  "credential.revoke": body({ kind: z.enum(["agent", "user"]), name: id, key: id, by: actor }),
  /** Values of configured credentials were lent for the intent `of`. */
  "credential.lend": body({ of: count, session: id, agent: id, names: z.array(id).min(1).max(64) }),
  /** A placeholder where it does not belong; `name` is null when it is none of this session's. */
  "credential.misuse": body({ session: id, agent: id, action: id, name: id.nullable(), where: id }),
  /** Tokens for a server over HTTP were issued, renewed or forgotten. */
  "credential.token": body({ server: id, issuer: text, why: z.enum(["login", "refresh", "logout"]), by: actor }),
  /** A configured credential is not lent any more, or again. */
  "credential.withdraw": body({ name: id, by: actor }),
  "credential.restore": body({ name: id, by: actor }),
  "catalog.quarantine": body({ server: id, tool: id, why: z.enum(["first seen", "changed"]), definition: hash, approved: hash.nullable() }),
  "catalog.approve": body({ server: id, tool: id, definition: hash, by: actor }),
  "catalog.gone": body({ server: id, tool: id }),
  /** `before`: what stood at this post. `share_ppm`: millionths of the sessions that a canary decides for; null at other posts. */
  "bundle.activate": body({ bundle: hash, before: hash.nullable(), policies: count, by: actor, post, version, share_ppm: z.int().min(0).max(1_000_000).nullable(), why: text }),
  "bundle.withdraw": body({ bundle: hash, by: actor, post, version, why: text }),
  "bundle.refuse": body({ candidate: hash, errors: count, first: text, post, version }),
  /** What another bundle, deciding beside without effect, would have done otherwise. Repeats within a second fold into `times`; `session` is the first one's. */
  "bundle.difference": body({
    session: id,
    agent: id,
    action: id,
    bundle: hash,
    effect,
    policies: z.array(id).max(32),
    beside: hash,
    beside_effect: effect,
    beside_policies: z.array(id).max(32),
    transforms: z.array(id).min(1).max(16).optional(),
    beside_transforms: z.array(id).min(1).max(16).optional(),
    times: count,
  }),
  /** The second engine decided otherwise. `ours` and `theirs` are hashes of the whole Decision: `ours` is the `decision` of the entry it is about. */
  "engine.difference": body({ session: id, agent: id, action: id, bundle: hash, ours: hash, theirs: hash, effect, their_effect: effect, denies_now: z.boolean() }),
  /** A version of the policies: `statement` is the signed note about it, `base` the version it was made from (0: none), `loosens` what needs a second person. */
  "policy.publish": body({ version: count, base: count, statement: hash, source: hash, bundle: hash, loosens: z.boolean(), by: actor }),
  /** The second person's yes to a version, for as long as the organisation's policies in force are `over` (null: none). */
  "policy.approve": body({ version: count, statement: hash, over: hash.nullable(), by: actor }),
  /** Comes just before the activation that carries it out. */
  "policy.rollback": body({ from: count.nullable(), to: count, by: actor, why: text }),
  /** A message to people was put into the outbox; what it says lies sealed. Ends in `notice.deliver` or `notice.fail`. */
  "notice.post": body({ id, channel: id, kind: z.enum(noticeKinds), notice: hash, payload: id.nullable() }),
  /** The channel took it. `attempts`: those of this run of the daemon, this one included. */
  "notice.deliver": body({ id, channel: id, attempts: count }),
  /** Given up. `code`: what the last attempt met, or `expired`, `erased`, `no_channel`. */
  "notice.fail": body({ id, channel: id, code: id, attempts: count }),
  /** A condition of `alerts:` became an alert; `session` when it is about one. `held` by quiet hours; else `channels` and `people` were paged. */
  "alert.raise": body({ id, condition: id, subject: id, session: id.nullable(), severity, route: id, since_ms: count, held: z.boolean(), channels: z.array(id).max(256), people: z.array(id).max(256) }),
  /** Page number `page` of it: nobody acknowledged in time, or quiet hours ended. */
  "alert.escalate": body({ id, page: count, channels: z.array(id).max(256), people: z.array(id).max(256) }),
  "alert.acknowledge": body({ id, by: actor }),
  /** Its condition ended. `times`: how often it came while it was open. */
  "alert.resolve": body({ id, times: count }),
  "config.change": body({ config: hash, before: hash.nullable(), by: actor }),
  "access.read": body({ by: actor, what: id, from: count, to: count, times: count }),
  "access.unseal": body({ by: actor, of: count }),
  /** Somebody was told what a token stands for. */
  "access.reveal": body({ by: actor, session: id, label: id, token: id }),
  "access.export": body({ by: actor, what: id, from: count, to: count }),
  erase: body({ subject: hash, payloads: count, by: actor, why: text }),
  "key.rotate": body({ key: hash, before: hash, by: actor }),
  /** `open_intents`: all that lack an outcome at this time, the first 1,024 of them; `more`: how many beyond. */
  "ledger.open": body({ key: hash, version: id, open_intents: z.array(count).max(1024), more: count }),
  "ledger.close": body({ why: id }),
  /** The ledger could not write between these times; `refused` actions were denied meanwhile. */
  "ledger.gap": body({ from_ms: count, to_ms: count, refused: count, why: id }),
} as const;

export type RecordType = keyof typeof recordBodies;
export type RecordBody<T extends RecordType> = z.infer<(typeof recordBodies)[T]>;

/** A record to append: `type` and its body side by side. */
export type NewRecord = { [T in RecordType]: { readonly type: T } & RecordBody<T> }[RecordType];

/**
 * A committed record: the body with its envelope. `seq` counts from 0 and is the leaf's index in the tree. `state` is there when
 * documents of the daemon's state changed with it: for each its tag (hash of kind and key) and a salted commitment to the new
 * document, null when it was removed; so the ledger vouches for the state too.
 */
export type LedgerRecord = NewRecord & {
  readonly v: 1;
  readonly seq: number;
  readonly at_ms: number;
  readonly state?: readonly (readonly [tag: string, commitment: string | null])[];
};
