import { createHash } from "node:crypto";
import { isObject, type DecisionInput, type Json, type JsonObject, type Reason } from "@lanyard/contract";
import { canonicalize } from "@lanyard/ledger";
import type { Approval, Bound } from "../../base/path.ts";
import type { Store } from "../../base/store/port.ts";
import type { Voice } from "./voice.ts";

/** The parts of a call that people must see; they lie sealed in the payload of the decision that asked. */
export interface SentCall {
  readonly args: JsonObject;
  /** What the call carries beside its arguments; null when there is nothing. */
  readonly beside: JsonObject | null;
  readonly resources: NonNullable<DecisionInput["resources"]>;
  readonly purpose: string;
  readonly untrusted: readonly UntrustedValue[];
}

/** A value of a call that came from what nobody vouches for. */
export interface UntrustedValue {
  /** JSON pointer within the arguments. */
  readonly at: string;
  readonly value: string;
  /** The decision whose result it came from; null when that is not known. */
  readonly seq: number | null;
}

/** How many are shown and can be vouched for, and how long each may be, in characters; a longer one is no value but a text. */
const untrustedBounds = { values: 16, chars: 1024 } as const;

/** Values of the arguments, but for contents, that came from what nobody vouches for. */
export function untrustedIn({ args, facts = {} }: Pick<DecisionInput, "args" | "facts">): UntrustedValue[] {
  const found = new Map<string, UntrustedValue>();
  for (const { role, sources = [] } of Object.values(facts)) {
    for (const { at, origin, seq } of role === "content" ? [] : sources) {
      const leaf = valueAt(args, at);
      const value = typeof leaf === "string" || typeof leaf === "number" ? String(leaf).trim() : "";
      if (origin === "untrusted" && value !== "" && value.length <= untrustedBounds.chars && !found.has(at)) found.set(at, { at, value, seq });
    }
  }
  return [...found.values()].slice(0, untrustedBounds.values);
}

const valueAt = (args: JsonObject, pointer: string): Json | undefined =>
  pointer
    .split("/")
    .slice(1)
    .map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~"))
    .reduce<Json | undefined>((found, step) => (isObject(found) || Array.isArray(found) ? (Object.hasOwn(found, step) ? (found as Record<string, Json>)[step] : undefined) : undefined), args);

/**
 * A question to people about one call, and their answers.
 *
 * Invariant: I6. It is for one session (and so one agent, user and purpose), one digest of action and arguments, what is {@link Bound} to it
 * and one expiry, and what it grants is used once.
 */
export interface ApprovalRequest {
  readonly id: string;
  readonly agent: string;
  readonly user: string;
  readonly session: string;
  readonly action: string;
  readonly digest: string;
  /** Null when it was erased since. */
  readonly sent: SentCall | null;
  /** Terms such as `leads` and `2 of sre`: all must be given; sorted. */
  readonly groups: readonly string[];
  readonly bound: Bound;
  /** The rules that ask, in their authors' words. */
  readonly reasons: readonly Reason[];
  /** How far this very call can be taken back: its arguments choose, where the tool's contract lets them. */
  readonly reversibility: string;
  /** Numbers of the decisions by which the session read something before, oldest first. */
  readonly read: readonly number[];
  /** Number of the decision that asked. */
  readonly of: number;
  readonly askedAtMs: number;
  readonly expiresAtMs: number;
  readonly state: "pending" | "approved" | "denied";
  readonly given: readonly Voice[];
}

/** What a request that is approved grants, with what was said to it. */
export const approvalOf = (store: Pick<Store, "unseal">, { id, groups, bound, given }: ApprovalRequest): Approval => {
  const said = given.flatMap(({ by, comment }) => {
    const text = comment === null ? null : store.unseal(comment)?.value;
    return typeof text === "string" ? [{ by, comment: text }] : [];
  });
  return { id, groups, bound, given: given.map(({ by, groups: terms }) => ({ by, groups: terms })), said };
};

/** Two calls are identical when they come from one session and have one digest. */
export const keyOf = ({ session, digest }: { session: string; digest: string }): string => `${session} ${digest}`;

/** Equal for requests that differ in nothing but their session: people are shown one card for them. */
export const foldOf = ({ agent, user, digest, bound, groups, state, given }: ApprovalRequest): string => JSON.stringify([agent, user, digest, bound, groups, state, given.map(({ by }) => by)]);

/** The record's word for what an answer holds for. */
export const boundHash = ({ bundle, definition, transforms, reasons, values, facts }: Bound): string =>
  createHash("sha256").update(canonicalize({ bundle, definition, transforms: [...transforms], reasons: [...reasons], values: [...values], facts })).digest("base64url");

/** What is kept across a restart: nothing that the agent sent. */
export const stateOf = ({ id: _id, sent: _sent, ...kept }: ApprovalRequest): JsonObject => structuredClone(kept) as unknown as JsonObject;

/** A request as it was kept. One from before facts, reasons or values were bound covers no call, so people are asked again. */
export function fromState(store: Store, id: string, value: JsonObject): ApprovalRequest {
  const text = (key: string): string => String(value[key]);
  const [bound, given, reasons, read] = [value["bound"], value["given"], value["reasons"], value["read"]];
  const part = isObject(bound) ? bound : {};
  return {
    id,
    agent: text("agent"),
    user: text("user"),
    session: text("session"),
    action: text("action"),
    digest: text("digest"),
    sent: sentOf(store, Number(value["of"])),
    groups: textsOf(value["groups"]),
    bound: { bundle: String(part["bundle"]), definition: typeof part["definition"] === "string" ? part["definition"] : null, transforms: textsOf(part["transforms"]), reasons: textsOf(part["reasons"]), values: textsOf(part["values"]), facts: String(part["facts"]) },
    reasons: reasonsOf(reasons),
    reversibility: text("reversibility"),
    read: Array.isArray(read) ? read.map(Number) : [],
    of: Number(value["of"]),
    askedAtMs: Number(value["askedAtMs"] ?? 0),
    expiresAtMs: Number(value["expiresAtMs"] ?? 0),
    state: value["state"] === "approved" ? "approved" : "pending",
    given: voicesOf(given),
  };
}

// Parts of documents of state.
export const textsOf = (list: Json | undefined): string[] => (Array.isArray(list) ? list.map(String) : []);
export const reasonsOf = (list: Json | undefined): Reason[] => listOf(list).map((reason) => ({ policy: String(reason["policy"]), text: String(reason["text"]), remedy: String(reason["remedy"]) }));
export const voicesOf = (list: Json | undefined): Voice[] => listOf(list).map(({ by, groups, comment }) => ({ by: String(by), groups: textsOf(groups), comment: typeof comment === "string" ? comment : null }));
const listOf = (list: Json | undefined): JsonObject[] => (Array.isArray(list) ? list.filter(isObject) : []);

/** The call as the decision `of` has it sealed; null when it was erased. */
export function sentOf(store: Pick<Store, "entry" | "unseal">, of: number): SentCall | null {
  const decision = store.entry(of);
  const payload = decision?.type === "decision" ? decision.payload : null;
  const opened = payload === null ? null : (store.unseal(payload)?.value ?? null);
  const input = isObject(opened) && isObject(opened["input"]) ? (opened["input"] as unknown as DecisionInput) : null;
  if (!isObject(opened) || input === null || !isObject(input.args)) return null;
  return { args: input.args, beside: isObject(opened["beside"]) ? opened["beside"] : null, resources: input.resources ?? [], purpose: input.session?.purpose ?? "", untrusted: untrustedIn(input) };
}
