import { z } from "zod";
import { isolations } from "./decision.ts";
import { stopKinds, stopSubjectKinds } from "./stop.ts";

/**
 * The administration API as one table: handlers, the typed client, the role matrix and the reference page are drawn from it.
 *
 * Roles: `operator` is whoever can open the daemon's operator socket (file permissions decide); `agent`, `session` and `user` present a
 * bearer token of that kind; `anyone` needs none. Requests carry `body` as JSON or `query` in the URL; both are strict.
 */
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

export const routes = {
  status: { method: "GET", path: "/v1/status", roles: ["operator"], says: "what runs: servers, bundle, ledger, sessions" },
  health: { method: "GET", path: "/healthz", roles: ["anyone"], says: "whether calls can be decided and recorded" },

  session_open: {
    method: "POST",
    path: "/v1/sessions",
    roles: ["operator", "agent", "session"],
    says: "opens a session; with a session's token, a child that can only narrow",
    body: z.strictObject({
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
    }),
  },
  session_list: { method: "GET", path: "/v1/sessions", roles: ["operator"], says: "open sessions" },
  session_mark: { method: "POST", path: "/v1/sessions/:id/labels", roles: ["operator", "user"], says: "says that a session has seen data of these classes, which stays; a user marks sessions on their own behalf", body: z.strictObject({ labels: z.array(z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, "no label")).min(1).max(64) }) },
  data_agent: { method: "GET", path: "/v1/data/:agent", roles: ["operator"], says: "which data classes an agent can touch, and which it did" },
  data_reveal: { method: "POST", path: "/v1/data/reveal", roles: ["operator", "user"], says: "what a token stands for; a user asks about those of sessions on their own behalf", body: z.strictObject({ token: name }) },
  session_close: { method: "DELETE", path: "/v1/sessions/:id", roles: ["operator", "session"], says: "ends a session and its children" },

  session_task: {
    method: "POST",
    path: "/v1/sessions/:id/task",
    roles: ["operator", "user"],
    says: "adds to what a session is for; of users, whoever it acts for",
    body: z.strictObject({ text: z.string().trim().min(1).max(16_384) }),
  },
  session_declassify: {
    method: "POST",
    path: "/v1/sessions/:id/declassify",
    roles: ["operator", "user"],
    says: "exactly this value counts as the organisation's own in this session, or no longer carries a label; of users, those in a group under `origins: declassify:`",
    body: z.strictObject({ value: z.string().trim().min(1).max(4096), label: name.optional() }),
  },

  workspace_open: {
    method: "POST",
    path: "/v1/workspaces/:id",
    roles: ["operator", "session"],
    says: "a session works on a copy of a folder",
    body: z.strictObject({ base: hash, files: seq, bytes: seq, left: seq }),
  },
  workspace_propose: {
    method: "POST",
    path: "/v1/workspaces/:id/proposal",
    roles: ["operator", "session"],
    says: "what a session's copy has become, in numbers; paths are kept sealed",
    body: z.strictObject({ proposal: hash, added: seq, changed: seq, removed: seq, renamed: seq, bytes: seq, refused: seq, folder: z.string().max(4096), paths: z.array(z.string().max(4096)).max(1000) }),
  },
  workspace_gates: {
    method: "POST",
    path: "/v1/workspaces/:id/gates",
    roles: ["operator"],
    says: "what the gates say of a proposal, and whose approval it needs",
    /** `needs`: of each list, one must approve: a user, or `@group`. */
    body: z.strictObject({ proposal: hash, gates: z.array(z.strictObject({ gate: name, passed: z.boolean(), findings: seq })).max(64), needs: z.array(z.array(name).min(1).max(64)).max(256) }),
  },
  workspace_approve: { method: "POST", path: "/v1/workspaces/:id/approve", roles: ["user"], says: "approves a proposal, as oneself", body: z.strictObject({ proposal: hash }) },
  workspace_apply: { method: "POST", path: "/v1/workspaces/:id/apply", roles: ["operator"], says: "records that a proposal is about to be applied; refused while a gate or an approval lacks", body: z.strictObject({ proposal: hash }) },
  workspace_revert: { method: "POST", path: "/v1/workspaces/:id/revert", roles: ["operator"], says: "records that an applied proposal is about to be taken back", body: z.strictObject({ proposal: hash }) },
  workspace_outcome: {
    method: "POST",
    path: "/v1/workspaces/:id/outcome",
    roles: ["operator"],
    says: "how applying or taking back ended",
    body: z.strictObject({ status: z.enum(["done", "refused"]), code: z.string().max(64) }),
  },
  workspace_discard: { method: "DELETE", path: "/v1/workspaces/:id", roles: ["operator"], says: "forgets a proposal; nothing of it can be applied any more" },
  workspace_list: { method: "GET", path: "/v1/workspaces", roles: ["operator", "user"], says: "proposals, what their gates said, and whose approval they lack" },

  undo: {
    method: "POST",
    path: "/v1/undo/:id",
    roles: ["operator", "user"],
    says: "takes back what a session did after entry `to`, one JSON a line; users of the groups under `undo: {by}` may",
    body: z.strictObject({ to: z.int().min(0).optional(), dry_run: z.boolean().optional() }),
  },

  held_list: { method: "GET", path: "/v1/held", roles: ["operator", "user", "session"], says: "staged calls that wait for their time; a session sees its own, a user those on their behalf" },
  held_withdraw: { method: "POST", path: "/v1/held/:id/withdraw", roles: ["operator", "user", "session"], says: "withdraws a staged call, which is then not carried out" },

  approval_list: { method: "GET", path: "/v1/approvals", roles: ["operator", "user"], says: "calls that wait for a person" },
  approval_stats: { method: "GET", path: "/v1/approvals/stats", roles: ["operator", "user"], says: "rules that asked people since a time: how often, what came of it, and what that suggests", query: z.strictObject({ since_ms: seq }) },
  approval_events: { method: "GET", path: "/v1/approvals/events", roles: ["operator", "user"], says: "server-sent events: what waits for a person now, then every change of it; a user is sent what concerns them" },
  approval_decide: {
    method: "POST",
    path: "/v1/approvals/:id",
    roles: ["user"],
    says: "approves or denies a held call, as oneself",
    /** `digest`: the call that was shown; a conflict when the request is about another. `vouch`, with a yes: also for the card's `untrusted` values, until the session ends. */
    body: z.strictObject({ verdict: z.enum(["approve", "deny"]), comment: z.string().max(1000).optional(), digest: hash.optional(), vouch: z.boolean().optional() }),
  },

  stop_list: { method: "GET", path: "/v1/stops", roles: ["operator", "user"], says: "what is stopped or quarantined now" },
  stop_order: {
    method: "POST",
    path: "/v1/stops",
    roles: ["operator", "user"],
    says: "stops or quarantines a subject at once; of users, those in a group under `stop: may_stop:` of lanyard.yaml",
    body: z.strictObject({ kind: z.enum(stopKinds), subject: z.enum(stopSubjectKinds), name: name.optional(), why: z.string().trim().min(1).max(1000) }),
  },
  stop_lift: {
    method: "POST",
    path: "/v1/stops/lift",
    roles: ["operator", "user"],
    says: "lets a subject go on; of users, those in a group under `stop: may_resume:`; for `all` two of them must say so",
    body: z.strictObject({ subject: z.enum(stopSubjectKinds), name: name.optional() }),
  },
  alert_list: { method: "GET", path: "/v1/alerts", roles: ["operator"], says: "what people were paged about, and who has it" },
  alert_acknowledge: { method: "POST", path: "/v1/alerts/:id/acknowledge", roles: ["user"], says: "acknowledges an alert, as oneself; nobody else is paged about it" },

  budget_list: {
    method: "GET",
    path: "/v1/budgets",
    roles: ["operator", "session"],
    says: "counts of budgets: what is spent, reserved and left; a session sees those that count its own calls",
    query: z.strictObject({ agent: name.optional(), session: name.optional() }),
  },

  grant_list: { method: "GET", path: "/v1/grants", roles: ["operator", "user"], says: "approvals given beforehand, as policy text; a user sees those that concern them" },
  grant_draft: { method: "POST", path: "/v1/grants/draft", roles: ["user"], says: "what a grant made from a request would say", body: z.strictObject(grantWish) },
  grant_give: {
    method: "POST",
    path: "/v1/grants",
    roles: ["user"],
    says: "gives a grant, as oneself; `shown` names the text that was shown",
    body: z.strictObject({ ...grantWish, shown: hash }),
  },
  grant_join: { method: "POST", path: "/v1/grants/:id", roles: ["user"], says: "another yes to a grant that several must give, as oneself", body: z.strictObject({ shown: hash }) },
  grant_revoke: { method: "DELETE", path: "/v1/grants/:id", roles: ["operator", "user"], says: "takes a grant back at once" },

  catalog_list: { method: "GET", path: "/v1/catalog", roles: ["operator"], says: "pinned tool definitions and their state" },
  catalog_diff: {
    method: "GET",
    path: "/v1/catalog/diff",
    roles: ["operator"],
    says: "what a quarantined definition changes",
    query: z.strictObject({ server: name, tool: name.optional() }),
  },
  catalog_approve: {
    method: "POST",
    path: "/v1/catalog/approve",
    roles: ["operator"],
    says: "accepts the definitions that were shown",
    /** `definitions`: tool -> hash as it was shown; without it, everything of the server that is quarantined now. */
    body: z.strictObject({ server: name, definitions: z.record(name, name).optional() }),
  },

  policy_ground: { method: "GET", path: "/v1/policy/ground", roles: ["operator", "user"], says: "what policies are written against: approved tools, contracts, agents, groups" },

  policy_diff: {
    method: "POST",
    path: "/v1/policy/diff",
    roles: ["operator", "user"],
    large: true,
    says: "what a change of policies does to recorded calls, one JSON a line; a team's owner sees the calls of its agents",
    /** `since_ms`: calls decided since then; without it none are looked at. `bundles`: begin with both bundles, for whoever compares them by themselves. */
    body: z.strictObject({ before: side, after: side, since_ms: z.int().min(0).optional(), bundles: z.boolean().optional() }),
  },
  policy_suggest: {
    method: "POST",
    path: "/v1/policy/suggest",
    roles: ["operator", "user"],
    says: "the narrowest policies that allow what a recorded session did, for a person to read",
    body: z.strictObject({ session: name, effect: z.enum(["allow", "deny", "ask"]).optional() }),
  },
  policy_publish: {
    method: "POST",
    path: "/v1/policy/versions",
    roles: ["user"],
    large: true,
    says: "publishes a folder of policies as the next version, as oneself; nothing changes until it is activated",
    /** `base`: the version it was made from, a conflict when there is a newer one. `team`: only this team's folder changes; empty: only what is no team's. */
    body: z.strictObject({ policies: uploaded, tests: uploaded, note: z.string().max(1000).optional(), base: z.int().min(0).optional(), team: name.or(z.literal("")).optional() }),
  },
  policy_history: {
    method: "GET",
    path: "/v1/policy/versions",
    roles: ["operator", "user"],
    says: "published versions, newest first, and where each stands",
    query: z.strictObject({ limit: z.coerce.number().int().min(1).max(1000).optional() }),
  },
  policy_show: {
    method: "GET",
    path: "/v1/policy/versions/:version",
    roles: ["operator", "user"],
    says: "one version (a number, or active, shadow, canary, newest): its files, who made and approved it, how it does",
    query: z.strictObject({ texts: z.stringbool().optional() }),
  },
  policy_approve: { method: "POST", path: "/v1/policy/approve/:version", roles: ["user"], says: "the second person's yes to a version, as oneself" },
  policy_shadow: {
    method: "POST",
    path: "/v1/policy/shadow",
    roles: ["user"],
    says: "lets a version decide beside the active one without effect; null ends it",
    body: z.strictObject({ version: version.nullable() }),
  },
  policy_canary: {
    method: "POST",
    path: "/v1/policy/canary",
    roles: ["user"],
    says: "lets a version decide for a share of the sessions, taken back when it leaves its bands; null ends it",
    body: z.strictObject({
      version: version.nullable(),
      share: z.number().gt(0).lt(1).optional(),
      /** Greatest distance from the active version: in percentage points, percentage points, and microseconds. */
      deny_rate: z.number().min(0).max(100).optional(),
      error_rate: z.number().min(0).max(100).optional(),
      latency_p99_us: z.int().min(1).max(10_000_000).optional(),
      /** Decisions on each side before the bands are looked at. */
      minimum: z.int().min(1).max(1_000_000).optional(),
    }),
  },
  policy_activate: { method: "POST", path: "/v1/policy/activate", roles: ["user"], says: "puts a version in force", body: z.strictObject({ version }) },
  policy_rollback: {
    method: "POST",
    path: "/v1/policy/rollback",
    roles: ["operator", "user"],
    says: "back to the version that was in force before; ends canary and shadow",
    body: z.strictObject({ why: z.string().max(1000).optional() }),
  },

  credential_issue: {
    method: "POST",
    path: "/v1/credentials",
    roles: ["operator"],
    says: "a new credential of an agent or user, shown this once",
    body: z.strictObject({ kind: z.enum(["agent", "user"]), name }),
  },
  channel_list: { method: "GET", path: "/v1/channels", roles: ["operator"], says: "ways to reach people, what waits for each, and how the last message ended" },
  channel_test: { method: "POST", path: "/v1/channels/:id/test", roles: ["operator"], says: "sends a message that says it is a test, and tells how that went" },

  credential_list: { method: "GET", path: "/v1/credentials", roles: ["operator"], says: "credentials, without their secrets" },
  credential_revoke: { method: "DELETE", path: "/v1/credentials/:id", roles: ["operator"], says: "revokes a credential at once" },

  lending_list: { method: "GET", path: "/v1/lendings", roles: ["operator"], says: "configured credentials, what they serve, and who used them; no values" },
  lending_revoke: { method: "POST", path: "/v1/lendings/revoke", roles: ["operator"], says: "lends a configured credential to nobody any more, at once", body: z.strictObject({ name }) },
  lending_restore: { method: "POST", path: "/v1/lendings/restore", roles: ["operator"], says: "lends a revoked one again", body: z.strictObject({ name }) },

  server_login: {
    method: "POST",
    path: "/v1/servers/login",
    roles: ["operator"],
    says: "begins a login at a server over HTTP; a person goes on at the URL that is answered",
    body: z.strictObject({ server: name, redirect_uri: z.string().max(200).regex(/^http:\/\/127\.0\.0\.1:\d{1,5}\/callback$/) }),
  },
  server_login_finish: { method: "POST", path: "/v1/servers/login/finish", roles: ["operator"], says: "ends it with the URL that the browser was sent back to", body: z.strictObject({ callback: z.string().max(8192) }) },
  server_logout: { method: "POST", path: "/v1/servers/logout", roles: ["operator"], says: "forgets the tokens for a server", body: z.strictObject({ server: name }) },

  log: { method: "GET", path: "/v1/log", roles: ["operator"], says: "ledger entries, one JSON a line; `follow` keeps the line open", query: logQuery },
  explain: { method: "GET", path: "/v1/entries/:ref", roles: ["operator"], says: "one entry with everything that belongs to it" },
  replay: {
    method: "POST",
    path: "/v1/replay",
    roles: ["operator"],
    says: "decides recorded calls again from the record alone, one JSON a line",
    body: z.strictObject({ from: z.int().min(0), to: z.int().min(0).optional() }),
  },
  incident: { method: "GET", path: "/v1/incidents/:session", roles: ["operator"], says: "everything on record about a session that went wrong, with proofs; docs/incident.md says what each key holds" },
  audit_checkpoint: { method: "GET", path: "/v1/audit/checkpoint", roles: ["operator"], says: "the signed checkpoint of the whole ledger" },
  audit_prove: { method: "GET", path: "/v1/audit/proof/:seq", roles: ["operator"], says: "a tlog-proof file of one entry" },
  audit_export: { method: "GET", path: "/v1/audit/export", roles: ["operator"], says: "the whole ledger as the offline verifier reads it" },
  audit_key: { method: "GET", path: "/v1/audit/key", roles: ["operator"], says: "the key that verifies checkpoints" },
} as const satisfies Record<string, Route>;

export type Role = "anyone" | "operator" | "agent" | "session" | "user";

export interface Route {
  readonly method: "GET" | "POST" | "DELETE";
  readonly path: string;
  readonly roles: readonly Role[];
  readonly says: string;
  readonly body?: z.ZodObject;
  readonly query?: z.ZodObject;
  /** The body may be as long as the limit `upload_bytes`. */
  readonly large?: boolean;
}

export type RouteName = keyof typeof routes;
