import type { Registry, ToolContract } from "@lanyard/contract";
import type { Limits } from "../limits.ts";
import type { DeclaredArguments } from "../extract/declared.ts";
import type { AskedBy } from "../extract/asked.ts";
import type { ChannelEntry } from "./channels.ts";
import type { UndoContract } from "../undo/contract.ts";
import type { AlertRules } from "./alerts.ts";
import type { Budget } from "./budgets.ts";
import type { CredentialEntry } from "./credentials.ts";
import type { OwnLabels, YieldsFile } from "./labels.ts";
import type { ResourceTrust } from "./resource-trust.ts";
import type { StopRules } from "./stop.ts";

/** lanyard.yaml as the daemon uses it: checked, references resolved, defaults filled in, paths absolute. Immutable. */
export interface Config {
  /** Absolute path of the file. */
  readonly file: string;
  /** base64url SHA-256 of the file's bytes. */
  readonly hash: string;
  readonly listen: { readonly host: string; readonly port: number };
  readonly allowRemote: boolean;
  /** Folder of the ledger and its keys. */
  readonly data: string;
  /** Folder of the Cedar policies. */
  readonly policies: string;
  /** `live`: what is saved in the folder of policies is in force at once. `reviewed`: only what was published and activated is. */
  readonly release: "live" | "reviewed";
  /** How live decisions are checked against a second engine: the share of them, and what a difference leads to. */
  readonly recheck: { readonly share: number; readonly onDifference: "alarm" | "deny" };
  readonly teams: ReadonlyMap<string, { readonly owners: readonly string[] }>;
  readonly groups: ReadonlyMap<string, { readonly team: string | null }>;
  /** Groups that own the organisation's policies. */
  readonly owners: readonly string[];
  /** By entity type, then id; `*` for all others. */
  readonly resources: ReadonlyMap<string, Registry["resources"][string]>;
  readonly users: ReadonlyMap<string, UserEntry>;
  readonly agents: ReadonlyMap<string, AgentEntry>;
  readonly servers: ReadonlyMap<string, ServerDefinition>;
  readonly credentials: ReadonlyMap<string, CredentialEntry>;
  /** Ways to reach people. */
  readonly channels: ReadonlyMap<string, ChannelEntry>;
  /** Where people reach this daemon, without a slash at the end, for links in messages; null: where it listens. */
  readonly publicUrl: string | null;
  /** Channels that a request for approval is told to, by the group that is asked; `*` for every other group. */
  readonly notify: ReadonlyMap<string, readonly string[]>;
  /** Contracts by Cedar action id: `<server>/<tool>`. */
  readonly tools: ReadonlyMap<string, ToolContract>;
  /** What results are, by the name of a server or the Cedar action id of a tool: see `yieldsOf`. */
  readonly yields: ReadonlyMap<string, YieldsFile>;
  /** Whose word it is what is read in a resource, by its type. */
  readonly trust: ReadonlyMap<string, ResourceTrust>;
  /** Which tasks ask for calls, by Cedar action id; of tools that are absent their names tell. */
  readonly askedBy: ReadonlyMap<string, AskedBy>;
  /** Data classes beside the built-in ones. */
  readonly labels: OwnLabels;
  /**
   * `agent`: whose policies decide the calls that take actions back, in a session of its own; null: nothing is taken back. `by`: groups whose members
   * may ask for it, beside the operator. `contracts`: by Cedar action id.
   */
  readonly undo: { readonly agent: string | null; readonly by: readonly string[]; readonly contracts: ReadonlyMap<string, UndoContract> };
  /** `directory`: values that are the organisation's own, as good as its users; `declassify`: groups whose members may vouch for a value, beside the operator. */
  readonly origins: { readonly directory: readonly string[]; readonly declassify: readonly string[] };
  readonly egress: EgressRules;
  /** What a session's changes must pass before they are applied to the folder they were made from. */
  readonly gates: Gates;
  /** Who may stop and resume, for how long an enforcement point acts on its own, and what stops an agent by itself. */
  readonly stop: StopRules;
  /** What arguments are, by Cedar action id; actions of which nothing is said are absent. */
  readonly arguments: ReadonlyMap<string, DeclaredArguments>;
  /** What is worth waking somebody, and whom. */
  readonly alerts: AlertRules;
  /** What agents may use up, by name. */
  readonly budgets: ReadonlyMap<string, Budget>;
  /** Where an answer's rows are that budgets count, by Cedar action id: the path within its `structuredContent`. */
  readonly rows: ReadonlyMap<string, readonly string[]>;
  readonly limits: Limits;
}

/** What holds of everything that leaves a sandbox, whatever policy says. Endpoints are `host:port`. */
export interface EgressRules {
  /** Reached by plain TCP, as `web/TCP`. */
  readonly tcp: ReadonlySet<string>;
  /** Reached although their addresses are private. */
  readonly private: ReadonlySet<string>;
  /** Absolute path of further root certificates in PEM, or null. */
  readonly ca: string | null;
}

export interface Gates {
  /** Lines of shell, run in the changed folder in a fresh sandbox without any door. */
  readonly commands: readonly { readonly run: string; readonly ms: number }[];
  /** Patterns of paths that may change only where `owners` names who approves it, beside those that always are; `!` takes one out. The last that matches counts. */
  readonly protected: readonly string[];
  /** In CODEOWNERS form: the last rule that matches a path counts; one of its names must approve: a user, or `@group`. */
  readonly owners: readonly { readonly pattern: string; readonly names: readonly string[] }[];
  readonly maxBytes: number;
  readonly maxFiles: number;
}

export interface UserEntry {
  readonly groups: readonly string[];
  readonly email?: string;
  /** Id of the Slack user this is. */
  readonly slack?: string;
}

export interface AgentEntry {
  readonly team: string;
  readonly classes: readonly string[];
  /** Servers it may use at all, whatever policy says; null means every one. */
  readonly servers: readonly string[] | null;
  /** Users it may act for; null means every one. */
  readonly onBehalfOf: readonly string[] | null;
  /** Users who run it or hold its credentials, sorted: they never answer for what it asks. */
  readonly runBy: readonly string[];
  /** Longest life of a session, and its life when none is asked for; null means 60 minutes and the limit session_ms. */
  readonly sessionMinutes: number | null;
}

/** How to reach a server. Values of `env` and `headers` may hold `${env:NAME}` and `${credential:NAME}`: see `unsealTemplate`. */
export type ServerDefinition =
  | {
      readonly kind: "stdio";
      /** Started as it is, never through a shell. */
      readonly command: string;
      readonly args: readonly string[];
      /** Absolute. */
      readonly cwd: string;
      readonly env: Readonly<Record<string, string>>;
      /** How it is a guest; null when it runs as a child of the daemon, with all that the daemon's user may do. */
      readonly isolated: IsolatedServer | null;
    }
  | { readonly kind: "http"; readonly url: string; readonly headers: Readonly<Record<string, string>>; /** How a token for it is had; null: it asks for none. */ readonly oauth: OauthServer | null };

/** The part of the configuration that policies may speak about. */
export const registryOf = ({ agents, users, teams, groups, owners, resources }: Config): Registry => ({
  agents: Object.fromEntries([...agents].map(([name, { team, classes }]) => [name, { team, classes }])),
  users: Object.fromEntries([...users].map(([name, { groups: own }]) => [name, { groups: own }])),
  teams: Object.fromEntries(teams),
  groups: Object.fromEntries(groups),
  owners,
  resources: Object.fromEntries(resources),
});

/** How Lanyard gets a token for a server over HTTP (OAuth 2.1). */
export interface OauthServer {
  readonly grant: "authorization_code" | "client_credentials";
  /** Null: the one that the server names. */
  readonly issuer: string | null;
  /** Null: Lanyard registers there by itself. A URL is that of a client id metadata document. */
  readonly clientId: string | null;
  /** Name of the credential that is the client's secret; null for a public client. */
  readonly clientSecret: string | null;
  readonly scope: string | null;
}

/** What a server in a sandbox of its own is given beside its command. */
export interface IsolatedServer {
  /** Null: the strongest driver there is. */
  readonly driver: "microvm" | "gvisor" | "process" | null;
  /** Absolute paths that it can read; it can write none. */
  readonly readable: readonly string[];
  /** Whose policies decide what it sends, and whose credentials it is lent; null: it sends nothing. */
  readonly egress: { readonly agent: string; readonly onBehalfOf: string } | null;
}

/**
 * What a change of the file needs a restart for. Agents, users, teams, groups, contracts and limits are read anew on every use, and a
 * server that was taken out is refused at once; but an open port, an open ledger and a running server stay as they are.
 */
export function needsRestart(before: Config, after: Config): string[] {
  const same = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b);
  const places = (["listen", "allowRemote", "data", "policies"] as const).filter((key) => !same(before[key], after[key]));
  const servers = [...after.servers].filter(([name, server]) => !same(before.servers.get(name), server)).map(([name]) => `servers.${name}`);
  return [...places, ...servers];
}
