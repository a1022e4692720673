import { type JsonObject, type Reason } from "@lanyard/contract";
import { canonicalize } from "@lanyard/ledger";
import { transformArguments } from "@lanyard/policy";
import type { Config } from "../../base/config/config.ts";
import { Classifier } from "../../base/labels/classifier.ts";
import { conceal, redactedAs } from "../../base/labels/conceal.ts";
import type { Store } from "../../base/store/port.ts";
import { renderingOf } from "./rendering.ts";
import { sentOf, type ApprovalRequest } from "./request.ts";
import { missingOf, votersOf } from "./voice.ts";

/** Something that the session read before it asked. */
export type ReadBefore = { seq: number; action: string; what: string };

/** What people are shown before they answer: plain JSON; all text in it may be the agent's. One card stands for identical requests. */
export type ApprovalCard = {
  /** The oldest request. */
  id: string;
  /** All requests that differ in nothing but their session, oldest first; each takes its own yes. */
  requests: { id: string; session: string; of: number; expires_at_ms: number }[];
  state: string;
  action: string;
  digest: string;
  /** As they will be carried out: after `transforms`. Null when they were erased. */
  args: JsonObject | null;
  /** As the agent sent them, where policies change them; else null. */
  sent: JsonObject | null;
  transforms: string[];
  beside: JsonObject | null;
  /** The arguments for a reader: differences, texts line by line. */
  effect: string[];
  /** Values that came from what nobody vouches for: what a yes can vouch for beside the call. `seq`: the entry whose result it was. */
  untrusted: { at: string; value: string; seq: number | null }[];
  /** What is touched, as `Type::"id"`. */
  resources: string[];
  reversibility: string;
  agent: string;
  user: string;
  purpose: string;
  session: string;
  reasons: Reason[];
  read: ReadBefore[];
  /** Terms such as `leads` and `2 of sre`. */
  groups: string[];
  /** Terms that lack a yes. */
  missing: string[];
  given: { by: string; groups: string[] }[];
  /** Users who may answer and have not said yes. */
  may_answer: string[];
  of: number;
  asked_at_ms: number;
  expires_at_ms: number;
};

const classifier = new Classifier();

/** A card goes to mail boxes and channels: secrets, as far as detectors see them, do not. People approve the digest, in which they are. */
const withoutSecrets = (value: JsonObject | null): JsonObject | null => value && (conceal(classifier, value, { label: "secret", as: () => redactedAs("secret") }) as JsonObject);

/** The card of requests that fold into one, oldest first. */
export function cardOf(people: Pick<Config, "users" | "agents">, folded: readonly [ApprovalRequest, ...ApprovalRequest[]], read: readonly ReadBefore[]): ApprovalCard {
  const [request] = folded;
  const { id, state, action, digest, sent, bound, reversibility, agent, user, session, reasons, groups, given, of, askedAtMs, expiresAtMs } = request;
  const transforms = [...bound.transforms];
  const changed = sent === null || transforms.length === 0 ? null : transformArguments(sent.args, transforms, null);
  const args = withoutSecrets(changed === null || typeof changed === "string" ? (sent?.args ?? null) : changed);
  return {
    id,
    requests: folded.map((one) => ({ id: one.id, session: one.session, of: one.of, expires_at_ms: one.expiresAtMs })),
    state,
    action,
    digest,
    args,
    sent: transforms.length > 0 ? withoutSecrets(sent?.args ?? null) : null,
    transforms,
    beside: withoutSecrets(sent?.beside ?? null),
    effect: args === null ? [] : renderingOf(args),
    untrusted: (sent?.untrusted ?? []).map(({ at, value, seq }) => ({ at, value: String(withoutSecrets({ value })?.["value"]), seq })),
    resources: (sent?.resources ?? []).map(({ type, id: resource }) => `${type}::${JSON.stringify(resource)}`),
    reversibility,
    agent,
    user,
    purpose: sent?.purpose ?? "",
    session,
    reasons: reasons.map((reason) => ({ ...reason })),
    read: [...read],
    groups: [...groups],
    missing: missingOf(request),
    given: given.map((voice) => ({ by: voice.by, groups: [...voice.groups] })),
    may_answer: state === "pending" ? votersOf(people, request).filter((by) => !given.some((voice) => voice.by === by)) : [],
    of,
    asked_at_ms: askedAtMs,
    expires_at_ms: expiresAtMs,
  };
}

const readBounds = { looked: 64, shown: 5, chars: 200 } as const;

/** Numbers of the decisions by which a session read something lately, oldest first: what may have put the agent up to it. */
export function readsOf(store: Pick<Store, "entries">, { tools }: Pick<Config, "tools">, session: string): number[] {
  const lately = store.entries({ session, types: ["decision"], effect: "allow", newest: true, limit: readBounds.looked });
  const reads = lately.filter((record) => record.type === "decision" && (record.reversibility === "read" || tools.get(record.action)?.effects.includes("read")));
  return reads.slice(-readBounds.shown).map(({ seq }) => seq);
}

/** Those decisions in words. What was erased since has none. */
export const readBefore = (store: Pick<Store, "entry" | "unseal">, seqs: readonly number[]): ReadBefore[] =>
  seqs.flatMap((seq) => {
    const record = store.entry(seq);
    if (record?.type !== "decision") return [];
    const args = sentOf(store, seq)?.args;
    const what = args === undefined ? "" : canonicalize(withoutSecrets(args) ?? {}, "doubles");
    return [{ seq, action: record.action, what: what.length > readBounds.chars ? `${what.slice(0, readBounds.chars).toWellFormed()} ...` : what }];
  });
