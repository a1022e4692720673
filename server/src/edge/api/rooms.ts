import type { CatalogEntry, JsonObject, Principal } from "@lanyard/contract";
import type { Ground, Snapshot } from "@lanyard/policy";
import type { Limits } from "../../base/limits.ts";
import type { Log } from "../../base/log.ts";
import type { Outbox } from "../../base/notify/notice.ts";
import type { ChannelState } from "../../base/notify/states.ts";
import type { Clock } from "../../base/clock.ts";
import type { Store } from "../../base/store/port.ts";
import type { Changes } from "../../mediation/changes.ts";
import type { Approvals } from "../../stages/approval/approval.ts";
import type { ReleaseViews } from "../../stages/decision/releases-view.ts";
import type { Releases } from "../../stages/decision/releases.ts";
import type { CredentialStage } from "../../stages/credential/credential.ts";
import type { Alerts } from "../../stages/alert/alerts.ts";
import type { Vouching } from "../../stages/flow/vouching.ts";
import type { Identity } from "../../stages/identity/identity.ts";
import type { Proposals } from "../../stages/proposal/proposals.ts";
import type { BudgetStage } from "../../stages/budget/budget.ts";
import type { StopStage } from "../../stages/stop/stop.ts";
import type { HeldWrites } from "../../stages/undo/held.ts";
import type { Undo } from "../../stages/undo/undo.ts";
import type { Caller } from "../../stages/identity/opening.ts";

/** Who makes a request: somebody a token speaks for, whoever opened the operator socket, or nobody known. */
export type Peer = Caller | "operator" | "anyone";

/** How the ledger names a peer. */
export function actorOf(peer: Peer): string {
  if (typeof peer === "string") return peer;
  return peer.kind === "session" ? `session:${peer.principal.session}` : `${peer.kind}:${peer.name}`;
}

/** A policy as a bundle holds it, for explanations. */
export interface PolicyText {
  readonly file: string;
  readonly line: number;
  readonly text: string;
  readonly reason: string;
  readonly remedy: string;
}

/** What the handlers need of the rooms behind them, as functions; compose.ts hands them over. */
export interface Rooms {
  readonly clock: Clock;
  readonly log: Log;
  readonly limits: Limits;
  readonly store: Store;
  /** Where agents reach the daemon, `http://host:port`; empty when it does not listen. */
  url(): string;
  /** The certificate authority that a session's sandbox must trust, in PEM. */
  egressCa(principal: Pick<Principal, "session" | "expiresAtMs">): Promise<string>;
  readonly identity: Pick<Identity, "authenticate" | "open" | "close" | "sessions" | "issue" | "revoke" | "credentials">;
  readonly vouching: Pick<Vouching, "task" | "declassify" | "needVoice">;
  readonly credentials: Pick<CredentialStage, "placeholders" | "list" | "revoke" | "restore" | "tokens">;
  readonly approvals: Pick<Approvals, "list" | "decide" | "concerns" | "onChange" | "draftGrant" | "giveGrant" | "questioned" | "joinGrant" | "grants">;
  readonly stop: Pick<StopStage, "list" | "order" | "lift">;
  readonly budgets: Pick<BudgetStage, "list" | "teamOf">;
  readonly channels: { list(): readonly ChannelState[] } & Pick<Outbox, "post">;
  readonly alerts: Pick<Alerts, "list" | "acknowledge">;
  readonly undo: Pick<Undo, "run" | "mayAsk">;
  readonly held: Pick<HeldWrites, "list" | "withdraw">;
  readonly workspaces: Pick<Proposals, "list" | "gates" | "lacking" | "open" | "propose" | "judge" | "approve" | "apply" | "revert" | "conclude" | "discard">;
  readonly catalog: {
    /** Once every server has been looked at since this process began, or a few seconds after that has begun. */
    list(): Promise<readonly CatalogEntry[]>;
    entries(): readonly CatalogEntry[];
    /** Resolves once the server's tools have been seen since this process began. Throws Fault `not_found` or `upstream_unavailable`; without a daemon nothing is looked at. */
    look(server: string): Promise<void>;
    diff(server: string, tool: string): string;
    /** Resolves once what was approved is in force. */
    approve(which: readonly { server: string; tool?: string; hash?: string }[], by: string): Promise<readonly CatalogEntry[]>;
  };
  readonly data: {
    /** What an agent's tools yield by their contracts, and what they touch: label by label, the tools that policy could allow it. Throws Fault `not_found`. */
    reach(agent: string): readonly { readonly label: string; readonly tools: readonly string[] }[];
    /** Null when it is nobody's, not `user`'s, or erased; `user` null asks for any. */
    reveal(token: string, by: string, user: string | null): Promise<JsonObject | null>;
    mark(principal: Principal, labels: readonly string[]): void;
  };
  readonly policy: {
    /** What policies are compiled against now. */
    ground(): Ground;
  };
  /** Published versions of the policies. */
  readonly releases: Pick<Releases, "publish" | "approve" | "shadow" | "canary" | "activate" | "rollback" | "waits" | "sees" | "edition">;
  readonly versions: ReleaseViews;
  /** The whole ledger, line by line, in the form that the offline verifier reads. */
  exportLines(): Iterable<string>;
  /** What the bundles that once decided say. */
  readonly past: {
    /** Null when the store lacks the bundle, or the bundle the policy. */
    policy(bundle: string, id: string): PolicyText | null;
    /** Null when the store lacks the bundle. */
    snapshot(bundle: string): Promise<Snapshot | null>;
  };
  readonly changes: Pick<Changes, "diff" | "suggest">;
  replay(from: number, to: number): AsyncIterable<readonly object[]>;
  status(): JsonObject;
}
