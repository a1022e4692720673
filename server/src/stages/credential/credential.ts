import { Fault, type Action, type ErrorCode, type Principal } from "@lanyard/contract";
import type { Clock } from "../../base/clock.ts";
import type { Config } from "../../base/config/config.ts";
import { credentialsIn, unsealTemplate, type Environment } from "../../base/config/environment.ts";
import type { Log } from "../../base/log.ts";
import type { Given, Intent, Lease, Outgoing } from "../../base/path.ts";
import type { Store } from "../../base/store/port.ts";
import { Lendings, type Lending } from "./lendings.ts";
import { nothingLent, patternsOf, RequestLease } from "./lease.ts";
import { findPlaceholder, placeholderOf } from "./placeholders.ts";
import { ownerOf, readRequest, type Reading, type Usable } from "./request.ts";
import { scrubText } from "./scrubber.ts";
import type { Secret } from "./secret.ts";
import { Values } from "./values.ts";

type Who = Pick<Principal, "session" | "agent">;

/** Step 8 of the path: what is lent, to whom, for how long. Nothing else of Lanyard sees a value. */
export interface CredentialStage {
  /** Variables for the environment of a session's sandbox: placeholders, and what makes git present one. Never a value. */
  placeholders(who: Who): Record<string, string>;
  /** Names of the credentials that would be lent to a request, sorted: a fact for policies. */
  wanted(who: Who, request: Outgoing): readonly string[];
  /** Why an action may not happen whatever policy says: a placeholder where it does not belong. Recorded, and an alarm. Null when there is none. */
  vet(action: Action, principal: Principal, request?: Outgoing): { readonly code: ErrorCode; readonly text: string } | null;
  /** Throws Fault `no_credential`, `ledger_unavailable`. */
  lease(action: Action, principal: Principal, intent: Intent, request?: Outgoing): Promise<Lease>;
  /** Fills in what a server is given. Throws Fault `no_credential`, `invalid_config`. */
  give(server: string, templates: Readonly<Record<string, string>>): Promise<Given>;
  list(): CredentialRow[];
  /** At once, for what is under way too. Throws Fault `not_found`, `ledger_unavailable`. */
  revoke(name: string, by: string): Promise<void>;
  /** Throws Fault `not_found`, `ledger_unavailable`. */
  restore(name: string, by: string): Promise<void>;
  /** Calls back with the servers that hold a credential when it is revoked. */
  onRevoke(listener: (servers: readonly string[]) => void): { stop(): void };
}

export interface CredentialRow extends Lending {
  readonly name: string;
  readonly entry: NonNullable<ReturnType<Config["credentials"]["get"]>>;
  /** Why it could not be had when it was needed last; null when it could. */
  readonly problem: string | null;
}

interface Rooms {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  readonly config: () => Config;
  readonly environment: Environment;
}

export function credentialStage({ store, clock, log, config, environment }: Rooms): CredentialStage {
  const lendings = new Lendings({ store, clock });
  const values = new Values({ clock, config, environment, withdrawn: (name) => lendings.of(name).revokedBy !== null });
  const key = store.derive("placeholders");
  const open = new Set<RequestLease>();
  const listeners = new Set<(servers: readonly string[]) => void>();
  const readings = new WeakMap<Outgoing, Reading>();

  /** What the session may use at the door. Revoked ones stay known: their placeholders are no less misplaced elsewhere. */
  const usable = ({ session, agent }: Who): Usable[] =>
    [...config().credentials].flatMap(([name, entry]) => {
      const isHers = entry.serves.hosts.length > 0 && (entry.serves.agents?.includes(agent) ?? true);
      return isHers ? [{ name, entry, placeholder: placeholderOf(key, session, name, entry.shape) }] : [];
    });

  const read = (who: Who, request: Outgoing): Reading => {
    const known = readings.get(request) ?? readRequest(request, usable(who), () => null);
    readings.set(request, known);
    return known;
  };

  const known = (name: string): void => {
    if (!config().credentials.has(name)) throw new Fault("not_found", `no credential \`${name}\` is configured under \`credentials\` in lanyard.yaml`);
  };

  const lend = async (names: readonly string[], principal: Principal, intent: Intent): Promise<Map<string, Secret>> => {
    const secrets = new Map(await Promise.all(names.map(async (name) => [name, await values.read(name)] as const)));
    await lendings.lend(names, principal, intent.seq);
    return secrets;
  };

  return {
    placeholders: (who) => environmentOf(usable(who).filter(({ name }) => lendings.of(name).revokedBy === null)),
    wanted: (who, request) => (config().credentials.size === 0 ? [] : read(who, request).lent),

    vet(action, principal, request) {
      if (config().credentials.size === 0) return null;
      const misplaced = request ? read(principal, request).misplaced : inCall(action, usable(principal));
      if (!misplaced) return null;
      const { name, where } = misplaced;
      log.error("credential.misused", { name, where, action: action.name, session: principal.session, agent: principal.agent });
      void store.append({ type: "credential.misuse", session: principal.session, agent: principal.agent, action: action.name, name, where }, { patient: true }).catch((error: unknown) => log.error("misuse not written", { error }));
      const whose = name === null ? "a placeholder of another session" : `the placeholder of the credential \`${name}\``;
      return { code: "credential_misused", text: `${whose} is ${where}, where it does not belong` };
    },

    async lease(action, principal, intent, request) {
      if (config().credentials.size === 0) return nothingLent;
      if (!request) {
        const held = heldBy(config(), action.server);
        if (held.length > 0) await lend(held, principal, intent);
        return held.length > 0 ? { ...nothingLent, credentials: held } : nothingLent;
      }
      const { lent } = read(principal, request);
      if (lent.length === 0) return nothingLent;
      const lease: RequestLease = new RequestLease(usable(principal), await lend(lent, principal, intent), () => open.delete(lease));
      open.add(lease);
      const revoked = lent.find((name) => lendings.of(name).revokedBy !== null);
      if (revoked !== undefined) lease.revoke(revoked); // while its lending was being recorded
      return lease;
    },

    async give(server, templates) {
      const names = heldBy(config(), server);
      const secrets = new Map(await Promise.all(names.map(async (name) => [name, await values.read(name)] as const)));
      const texts = new Map([...secrets].map(([name, secret]) => [name, secret.reveal()]));
      const injected = names.flatMap((name) => {
        const inject = config().credentials.get(name)?.inject;
        return inject?.kind === "env" ? [[inject.variable, texts.get(name) ?? ""]] : [];
      });
      const patterns = [...secrets].flatMap(([name, secret]) => patternsOf(secret, `[credential ${name}]`));
      return { values: { ...unsealTemplate(templates, environment, texts), ...Object.fromEntries(injected) }, scrub: patterns.length > 0 ? (text) => scrubText(patterns, text) : null };
    },

    list: () => [...config().credentials].map(([name, entry]) => ({ name, entry, problem: values.problem(name), ...lendings.of(name) })),

    async revoke(name, by) {
      known(name);
      const recorded = lendings.revoke(name, by);
      values.forget();
      for (const lease of open) if (lease.credentials.includes(name)) lease.revoke(name);
      for (const listener of listeners) listener(config().credentials.get(name)?.serves.servers ?? []);
      await recorded;
    },

    async restore(name, by) {
      known(name);
      await lendings.restore(name, by);
    },

    onRevoke(listener) {
      listeners.add(listener);
      return { stop: () => void listeners.delete(listener) };
    },
  };
}

/** A call of a tool says nothing that a placeholder could belong to. */
function inCall({ args, beside }: Action, usable: readonly Usable[]): Reading["misplaced"] {
  const found = findPlaceholder(JSON.stringify([args, beside ?? null]));
  return found === null ? null : { name: ownerOf(found, usable), where: "in the arguments of a tool" };
}

/** Credentials that a server is given, sorted: in its environment, or where its `env` or `headers` name them. */
export function heldBy({ credentials, servers }: Config, server: string): string[] {
  const definition = servers.get(server);
  if (!definition) return [];
  const named = new Set(Object.values(definition.kind === "stdio" ? definition.env : definition.headers).flatMap(credentialsIn));
  return [...credentials].flatMap(([name, { inject, serves }]) => (serves.servers.includes(server) && (named.has(name) || inject?.kind === "env") ? [name] : [])).sort();
}

/** The placeholders by their variables. For git a helper in its own configuration answers with one, and only at the hosts it is for. */
function environmentOf(usable: readonly Usable[]): Record<string, string> {
  const helpers = usable.flatMap(({ entry: { inject, serves }, placeholder }) => {
    if (inject?.kind !== "askpass") return [];
    const answer = `!f() { test "$1" = get && printf 'username=%s\\npassword=%s\\n' '${inject.user}' '${placeholder}'; }; f`;
    return serves.hosts.map(({ scheme, host, port }) => [`credential.${scheme}://${host}${port === (scheme === "https" ? 443 : 80) ? "" : `:${port}`}.helper`, answer] as const);
  });
  const git = helpers.flatMap(([name, value], index) => [[`GIT_CONFIG_KEY_${index}`, name], [`GIT_CONFIG_VALUE_${index}`, value]]);
  const own = usable.flatMap(({ entry: { as }, placeholder }) => (as === null ? [] : [[as, placeholder]]));
  return Object.fromEntries([...own, ...git, ...(helpers.length > 0 ? [["GIT_CONFIG_COUNT", String(helpers.length)], ["GIT_TERMINAL_PROMPT", "0"]] : [])]);
}
