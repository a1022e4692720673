import { z } from "zod";
import { isolations } from "./decision.ts";
import type { RouteName } from "./routes.ts";
import { stopKinds, stopSubjectKinds } from "./stop.ts";

const name = z.string().min(1).max(256);
const seq = z.coerce.number().int().min(0);

const hash = z.string().regex(/^[A-Za-z0-9_-]{43}$/, "a base64url SHA-256");
const version = z.int().min(1);
/** Files of a folder of policies as they are uploaded; the daemon checks names and sizes. */
const uploaded = z.array(z.strictObject({ file: name, text: z.string() })).max(1000);

/** Policies to compare: a published version, what stands at a post, or files. */
const side = z.union([
  z.strictObject({ version }),
  z.strictObject({ post: z.enum(["active", "shadow", "canary"]) }),
  z.strictObject({ policies: uploaded, tests: uploaded.optional() }),
]);

/** A grant made from the request `approval`: how it is widened, how often and until when it holds. */
const grantWish = {
  approval: name,
  times: z.int().min(1),
  until_ms: z.int().min(0),
  /** Argument -> pattern as of Cedar's `like`. */
  like: z.record(name, z.string().max(1024)).optional(),
  /** Arguments that may be anything. */
  any: z.array(name).max(256).optional(),
};

const logQuery = z.strictObject({
  from: seq.optional(),
  to: seq.optional(),
  since_ms: seq.optional(),
  session: name.optional(),
  agent: name.optional(),
  effect: z.enum(["allow", "deny", "ask"]).optional(),
  tool: name.optional(),
  type: name.optional(),
  limit: z.coerce.number().int().min(1).max(10_000).optional(),
  follow: z.stringbool().optional(),
});

/** What a request of the administration API carries: `body` as JSON, or `query` in the URL. Both are strict; a route without a row takes neither. */
export const requests: Readonly<Partial<Record<RouteName, RequestForms>>> = {
  session_open: { body: z.strictObject({
    agent: name.optional(),
    on_behalf_of: name.optional(),
    purpose: z.string().min(1).max(1000).optional(),
    minutes: z.int().min(1).max(480).optional(),
    audience: z.string().max(80).optional(),
    tools: z.array(name).max(2000).optional(),
    labels: z.array(name).max(64).optional(),
    max_calls: z.int().min(0).max(1_000_000).optional(),
    /** What its process runs in. Only the operator's word counts: from anybody else, more than the session would have anyway is refused. */
    isolation: z.enum(isolations).optional(),
    /** It ends when whoever opened it has held no line to the daemon (`GET /authority`) for `holder_ms`. */
    held: z.boolean().optional(),
  }) },
  session_mark: { body: z.strictObject({ labels: z.array(z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, "no label")).min(1).max(64) }) },
  data_reveal: { body: z.strictObject({ token: name }) },
  session_task: { body: z.strictObject({ text: z.string().trim().min(1).max(16_384) }) },
  session_declassify: { body: z.strictObject({ value: z.string().trim().min(1).max(4096), label: name.optional() }) },
  workspace_open: { body: z.strictObject({ base: hash, files: seq, bytes: seq, left: seq }) },
  workspace_propose: { body: z.strictObject({ proposal: hash, added: seq, changed: seq, removed: seq, renamed: seq, bytes: seq, refused: seq, folder: z.string().max(4096), paths: z.array(z.string().max(4096)).max(1000) }) },
  /** `needs`: of each list, one must approve: a user, or `@group`. */
  workspace_gates: { body: z.strictObject({ proposal: hash, gates: z.array(z.strictObject({ gate: name, passed: z.boolean(), findings: seq })).max(64), needs: z.array(z.array(name).min(1).max(64)).max(256) }) },
  workspace_approve: { body: z.strictObject({ proposal: hash }) },
  workspace_apply: { body: z.strictObject({ proposal: hash }) },
  workspace_revert: { body: z.strictObject({ proposal: hash }) },
  workspace_outcome: { body: z.strictObject({ status: z.enum(["done", "refused"]), code: z.string().max(64) }) },
  undo: { body: z.strictObject({ to: z.int().min(0).optional(), dry_run: z.boolean().optional() }) },
  approval_stats: { query: z.strictObject({ since_ms: seq }) },
  /** `digest`: the call that was shown; a conflict when the request is about another. `vouch`, with a yes: also for the card's `untrusted` values, until the session ends. */
  approval_decide: { body: z.strictObject({ verdict: z.enum(["approve", "deny"]), comment: z.string().max(1000).optional(), digest: hash.optional(), vouch: z.boolean().optional() }) },
  stop_order: { body: z.strictObject({ kind: z.enum(stopKinds), subject: z.enum(stopSubjectKinds), name: name.optional(), why: z.string().trim().min(1).max(1000) }) },
  stop_lift: { body: z.strictObject({ subject: z.enum(stopSubjectKinds), name: name.optional() }) },
  budget_list: { query: z.strictObject({ agent: name.optional(), session: name.optional() }) },
  grant_draft: { body: z.strictObject(grantWish) },
  grant_give: { body: z.strictObject({ ...grantWish, shown: hash }) },
  grant_join: { body: z.strictObject({ shown: hash }) },
  catalog_diff: { query: z.strictObject({ server: name, tool: name.optional() }) },
  /** `definitions`: tool -> hash as it was shown; without it, everything of the server that is quarantined now. */
  catalog_approve: { body: z.strictObject({ server: name, definitions: z.record(name, name).optional() }) },
  /** `since_ms`: calls decided since then; without it none are looked at. `bundles`: begin with both bundles, for whoever compares them by themselves. */
  policy_diff: { body: z.strictObject({ before: side, after: side, since_ms: z.int().min(0).optional(), bundles: z.boolean().optional() }) },
  policy_suggest: { body: z.strictObject({ session: name, effect: z.enum(["allow", "deny", "ask"]).optional() }) },
  /** `base`: the version it was made from, a conflict when there is a newer one. `team`: only this team's folder changes; empty: only what is no team's. */
  policy_publish: { body: z.strictObject({ policies: uploaded, tests: uploaded, note: z.string().max(1000).optional(), base: z.int().min(0).optional(), team: name.or(z.literal("")).optional() }) },
  policy_history: { query: z.strictObject({ limit: z.coerce.number().int().min(1).max(1000).optional() }) },
  policy_show: { query: z.strictObject({ texts: z.stringbool().optional() }) },
  policy_shadow: { body: z.strictObject({ version: version.nullable() }) },
  policy_canary: { body: z.strictObject({
    version: version.nullable(),
    share: z.number().gt(0).lt(1).optional(),
    /** Greatest distance from the active version: in percentage points, percentage points, and microseconds. */
    deny_rate: z.number().min(0).max(100).optional(),
    error_rate: z.number().min(0).max(100).optional(),
    latency_p99_us: z.int().min(1).max(10_000_000).optional(),
    /** Decisions on each side before the bands are looked at. */
    minimum: z.int().min(1).max(1_000_000).optional(),
  }) },
  policy_activate: { body: z.strictObject({ version }) },
  policy_rollback: { body: z.strictObject({ why: z.string().max(1000).optional() }) },
  credential_issue: { body: z.strictObject({ kind: z.enum(["agent", "user"]), name }) },
  lending_revoke: { body: z.strictObject({ name }) },
  lending_restore: { body: z.strictObject({ name }) },
  server_login: { body: z.strictObject({ server: name, redirect_uri: z.string().max(200).regex(/^http:\/\/127\.0\.0\.1:\d{1,5}\/callback$/) }) },
  server_login_finish: { body: z.strictObject({ callback: z.string().max(8192) }) },
  server_logout: { body: z.strictObject({ server: name }) },
  log: { query: logQuery },
  replay: { body: z.strictObject({ from: z.int().min(0), to: z.int().min(0).optional() }) },
};

/** Strict schemas of one route. */
export interface RequestForms {
  readonly body?: z.ZodObject;
  readonly query?: z.ZodObject;
}
