import { Fault } from "@lanyard/contract";
import type { PolicyFile } from "@lanyard/policy";
import type { CanaryTerms } from "../../stages/decision/edition.ts";
import type { ApiCall, Handler } from "./handler.ts";
import type { Peer, Rooms } from "./rooms.ts";

type ReleaseRoute = "policy_publish" | "policy_history" | "policy_show" | "policy_approve" | "policy_shadow" | "policy_canary" | "policy_activate" | "policy_rollback";

const userOf = (caller: Peer): string | null => (typeof caller !== "string" && caller.kind === "user" ? caller.name : null);

const oneself = ({ caller }: ApiCall): string => {
  const user = userOf(caller);
  if (user === null) throw new Fault("forbidden", "a user does this, as oneself");
  return user;
};

/** Bands and share where nothing else was said. */
const defaults = { share: 0.05, deny_rate: 5, error_rate: 1, latency_p99_us: 2000, minimum: 100 };

const termsOf = ({ body }: ApiCall): CanaryTerms => {
  const { share, deny_rate, error_rate, latency_p99_us, minimum } = { ...defaults, ...(body as Partial<typeof defaults>) };
  return { share, bands: { denyRate: deny_rate / 100, errorRate: error_rate / 100, latencyP99Us: latency_p99_us }, minimum };
};

const versionIn = ({ body }: ApiCall): number | null => (typeof body["version"] === "number" ? body["version"] : null);

const numberAt = ({ at }: ApiCall): number => {
  if (/^[1-9]\d{0,8}$/.test(at["version"] ?? "")) return Number(at["version"]);
  throw new Fault("invalid_request", `\`${at["version"]}\` is no version: write a number`);
};

export const policyHandlers = ({ policy, releases, versions, store }: Rooms): Record<"policy_ground" | ReleaseRoute, Handler> => ({
  policy_ground: () => ({ json: policy.ground() }),
  policy_publish: async (call) => {
    const { policies, tests, note, base, team } = call.body as { policies: PolicyFile[]; tests: PolicyFile[]; note?: string; base?: number; team?: string } & typeof call.body;
    const outcome = await releases.publish(oneself(call), { policies, tests, note: note ?? "", base: base ?? null, team: team ?? null });
    if (!outcome.ok) return { json: outcome };
    const { version, bundle, why } = outcome.published.statement;
    return { json: { ok: true, version, bundle, waits: releases.waits(outcome.published), why, failing: [...outcome.failing] } };
  },
  policy_history: ({ query }) => ({ json: versions.history(Number(query["limit"] ?? 50)) }),
  policy_show: async ({ actor, caller, at, query }) => {
    const user = userOf(caller);
    const shown = versions.show(at["version"] ?? "", { texts: query["texts"] === true, agents: user === null ? null : releases.sees(user) });
    const seqs = (shown["differences"] as { seq: number }[]).map(({ seq }) => seq); // what agents did: reading that is on record
    if (seqs.length > 0) await store.append({ type: "access.read", by: actor, what: "policy differences", from: Math.min(...seqs), to: Math.max(...seqs), times: 1 });
    return { json: shown };
  },
  policy_approve: async (call) => {
    const { statement } = await releases.approve(numberAt(call), oneself(call));
    return { json: { version: statement.version, approved: true } };
  },
  policy_shadow: async (call) => ({ json: { ...(await releases.shadow(versionIn(call), oneself(call))), posts: versions.posts() } }),
  policy_canary: async (call) => ({ json: { ...(await releases.canary(versionIn(call), oneself(call), termsOf(call))), posts: versions.posts() } }),
  policy_activate: async (call) => ({ json: { ...(await releases.activate(versionIn(call) ?? 0, oneself(call))), posts: versions.posts() } }),
  policy_rollback: async ({ caller, body }) => ({ json: { ...(await releases.rollback(userOf(caller), String(body["why"] ?? ""))), posts: versions.posts() } }),
});
