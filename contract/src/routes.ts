/**
 * The administration API as one table: handlers, the typed client, the role matrix and the reference page are drawn from it. What requests carry stands in requests.ts.
 *
 * Roles: `operator` is whoever can open the daemon's operator socket (file permissions decide); `agent`, `session` and `user` present a
 * bearer token of that kind; `anyone` needs none.
 */
export const routes = {
  status: { method: "GET", path: "/v1/status", roles: ["operator"], says: "what runs: servers, bundle, ledger, sessions" },
  health: { method: "GET", path: "/healthz", roles: ["anyone"], says: "whether calls can be decided and recorded" },

  session_open: { method: "POST", path: "/v1/sessions", roles: ["operator", "agent", "session"], says: "opens a session; with a session's token, a child that can only narrow" },
  session_list: { method: "GET", path: "/v1/sessions", roles: ["operator"], says: "open sessions" },
  session_mark: { method: "POST", path: "/v1/sessions/:id/labels", roles: ["operator", "user"], says: "says that a session has seen data of these classes, which stays; a user marks sessions on their own behalf" },
  data_agent: { method: "GET", path: "/v1/data/:agent", roles: ["operator"], says: "which data classes an agent can touch, and which it did" },
  data_reveal: { method: "POST", path: "/v1/data/reveal", roles: ["operator", "user"], says: "what a token stands for; a user asks about those of sessions on their own behalf" },
  session_close: { method: "DELETE", path: "/v1/sessions/:id", roles: ["operator", "session"], says: "ends a session and its children" },

  session_task: { method: "POST", path: "/v1/sessions/:id/task", roles: ["operator", "user"], says: "adds to what a session is for; of users, whoever it acts for" },
  session_declassify: {
    method: "POST",
    path: "/v1/sessions/:id/declassify",
    roles: ["operator", "user"],
    says: "exactly this value counts as the organisation's own in this session, or no longer carries a label; of users, those in a group under `origins: declassify:`",
  },

  workspace_open: { method: "POST", path: "/v1/workspaces/:id", roles: ["operator", "session"], says: "a session works on a copy of a folder" },
  workspace_propose: { method: "POST", path: "/v1/workspaces/:id/proposal", roles: ["operator", "session"], says: "what a session's copy has become, in numbers; paths are kept sealed" },
  workspace_gates: { method: "POST", path: "/v1/workspaces/:id/gates", roles: ["operator"], says: "what the gates say of a proposal, and whose approval it needs" },
  workspace_approve: { method: "POST", path: "/v1/workspaces/:id/approve", roles: ["user"], says: "approves a proposal, as oneself" },
  workspace_apply: { method: "POST", path: "/v1/workspaces/:id/apply", roles: ["operator"], says: "records that a proposal is about to be applied; refused while a gate or an approval lacks" },
  workspace_revert: { method: "POST", path: "/v1/workspaces/:id/revert", roles: ["operator"], says: "records that an applied proposal is about to be taken back" },
  workspace_outcome: { method: "POST", path: "/v1/workspaces/:id/outcome", roles: ["operator"], says: "how applying or taking back ended" },
  workspace_discard: { method: "DELETE", path: "/v1/workspaces/:id", roles: ["operator"], says: "forgets a proposal; nothing of it can be applied any more" },
  workspace_list: { method: "GET", path: "/v1/workspaces", roles: ["operator", "user"], says: "proposals, what their gates said, and whose approval they lack" },

  undo: {
    method: "POST",
    path: "/v1/undo/:id",
    roles: ["operator", "user"],
    says: "takes back what a session did after entry `to`, one JSON a line; users of the groups under `undo: {by}` may",
  },

  held_list: { method: "GET", path: "/v1/held", roles: ["operator", "user", "session"], says: "staged calls that wait for their time; a session sees its own, a user those on their behalf" },
  held_withdraw: { method: "POST", path: "/v1/held/:id/withdraw", roles: ["operator", "user", "session"], says: "withdraws a staged call, which is then not carried out" },

  approval_list: { method: "GET", path: "/v1/approvals", roles: ["operator", "user"], says: "calls that wait for a person" },
  approval_stats: { method: "GET", path: "/v1/approvals/stats", roles: ["operator", "user"], says: "rules that asked people since a time: how often, what came of it, and what that suggests" },
  approval_events: { method: "GET", path: "/v1/approvals/events", roles: ["operator", "user"], says: "server-sent events: what waits for a person now, then every change of it; a user is sent what concerns them" },
  approval_decide: { method: "POST", path: "/v1/approvals/:id", roles: ["user"], says: "approves or denies a held call, as oneself" },

  stop_list: { method: "GET", path: "/v1/stops", roles: ["operator", "user"], says: "what is stopped or quarantined now" },
  stop_order: {
    method: "POST",
    path: "/v1/stops",
    roles: ["operator", "user"],
    says: "stops or quarantines a subject at once; of users, those in a group under `stop: may_stop:` of lanyard.yaml",
  },
  stop_lift: {
    method: "POST",
    path: "/v1/stops/lift",
    roles: ["operator", "user"],
    says: "lets a subject go on; of users, those in a group under `stop: may_resume:`; for `all` two of them must say so",
  },
  alert_list: { method: "GET", path: "/v1/alerts", roles: ["operator"], says: "what people were paged about, and who has it" },
  alert_acknowledge: { method: "POST", path: "/v1/alerts/:id/acknowledge", roles: ["user"], says: "acknowledges an alert, as oneself; nobody else is paged about it" },

  budget_list: {
    method: "GET",
    path: "/v1/budgets",
    roles: ["operator", "session"],
    says: "counts of budgets: what is spent, reserved and left; a session sees those that count its own calls",
  },

  grant_list: { method: "GET", path: "/v1/grants", roles: ["operator", "user"], says: "approvals given beforehand, as policy text; a user sees those that concern them" },
  grant_draft: { method: "POST", path: "/v1/grants/draft", roles: ["user"], says: "what a grant made from a request would say" },
  grant_give: { method: "POST", path: "/v1/grants", roles: ["user"], says: "gives a grant, as oneself; `shown` names the text that was shown" },
  grant_join: { method: "POST", path: "/v1/grants/:id", roles: ["user"], says: "another yes to a grant that several must give, as oneself" },
  grant_revoke: { method: "DELETE", path: "/v1/grants/:id", roles: ["operator", "user"], says: "takes a grant back at once" },

  catalog_list: { method: "GET", path: "/v1/catalog", roles: ["operator"], says: "pinned tool definitions and their state" },
  catalog_diff: { method: "GET", path: "/v1/catalog/diff", roles: ["operator"], says: "what a quarantined definition changes" },
  catalog_approve: { method: "POST", path: "/v1/catalog/approve", roles: ["operator"], says: "accepts the definitions that were shown" },

  policy_ground: { method: "GET", path: "/v1/policy/ground", roles: ["operator", "user"], says: "what policies are written against: approved tools, contracts, agents, groups" },

  policy_diff: {
    method: "POST",
    path: "/v1/policy/diff",
    roles: ["operator", "user"],
    large: true,
    says: "what a change of policies does to recorded calls, one JSON a line; a team's owner sees the calls of its agents",
  },
  policy_suggest: { method: "POST", path: "/v1/policy/suggest", roles: ["operator", "user"], says: "the narrowest policies that allow what a recorded session did, for a person to read" },
  policy_publish: {
    method: "POST",
    path: "/v1/policy/versions",
    roles: ["user"],
    large: true,
    says: "publishes a folder of policies as the next version, as oneself; nothing changes until it is activated",
  },
  policy_history: { method: "GET", path: "/v1/policy/versions", roles: ["operator", "user"], says: "published versions, newest first, and where each stands" },
  policy_show: {
    method: "GET",
    path: "/v1/policy/versions/:version",
    roles: ["operator", "user"],
    says: "one version (a number, or active, shadow, canary, newest): its files, who made and approved it, how it does",
  },
  policy_approve: { method: "POST", path: "/v1/policy/approve/:version", roles: ["user"], says: "the second person's yes to a version, as oneself" },
  policy_shadow: { method: "POST", path: "/v1/policy/shadow", roles: ["user"], says: "lets a version decide beside the active one without effect; null ends it" },
  policy_canary: { method: "POST", path: "/v1/policy/canary", roles: ["user"], says: "lets a version decide for a share of the sessions, taken back when it leaves its bands; null ends it" },
  policy_activate: { method: "POST", path: "/v1/policy/activate", roles: ["user"], says: "puts a version in force" },
  policy_rollback: { method: "POST", path: "/v1/policy/rollback", roles: ["operator", "user"], says: "back to the version that was in force before; ends canary and shadow" },

  credential_issue: { method: "POST", path: "/v1/credentials", roles: ["operator"], says: "a new credential of an agent or user, shown this once" },
  channel_list: { method: "GET", path: "/v1/channels", roles: ["operator"], says: "ways to reach people, what waits for each, and how the last message ended" },
  channel_test: { method: "POST", path: "/v1/channels/:id/test", roles: ["operator"], says: "sends a message that says it is a test, and tells how that went" },

  credential_list: { method: "GET", path: "/v1/credentials", roles: ["operator"], says: "credentials, without their secrets" },
  credential_revoke: { method: "DELETE", path: "/v1/credentials/:id", roles: ["operator"], says: "revokes a credential at once" },

  lending_list: { method: "GET", path: "/v1/lendings", roles: ["operator"], says: "configured credentials, what they serve, and who used them; no values" },
  lending_revoke: { method: "POST", path: "/v1/lendings/revoke", roles: ["operator"], says: "lends a configured credential to nobody any more, at once" },
  lending_restore: { method: "POST", path: "/v1/lendings/restore", roles: ["operator"], says: "lends a revoked one again" },

  server_login: { method: "POST", path: "/v1/servers/login", roles: ["operator"], says: "begins a login at a server over HTTP; a person goes on at the URL that is answered" },
  server_login_finish: { method: "POST", path: "/v1/servers/login/finish", roles: ["operator"], says: "ends it with the URL that the browser was sent back to" },
  server_logout: { method: "POST", path: "/v1/servers/logout", roles: ["operator"], says: "forgets the tokens for a server" },

  log: { method: "GET", path: "/v1/log", roles: ["operator"], says: "ledger entries, one JSON a line; `follow` keeps the line open" },
  explain: { method: "GET", path: "/v1/entries/:ref", roles: ["operator"], says: "one entry with everything that belongs to it" },
  replay: { method: "POST", path: "/v1/replay", roles: ["operator"], says: "decides recorded calls again from the record alone, one JSON a line" },
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
  /** The body may be as long as the limit `upload_bytes`. */
  readonly large?: boolean;
}

export type RouteName = keyof typeof routes;
