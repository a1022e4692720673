import { existsSync } from "node:fs";
import { Fault, type Action, type ErrorCode, type Principal } from "@lanyard/contract";
import type { Clock } from "../../base/clock.ts";
import type { Config } from "../../base/config/config.ts";
import type { CredentialEntry } from "../../base/config/credentials.ts";
import { credentialsIn, unsealTemplate, variablesIn, type Environment } from "../../base/config/environment.ts";
import type { Log } from "../../base/log.ts";
import type { Given, Intent, Lease, Outgoing } from "../../base/path.ts";
import type { Store } from "../../base/store/port.ts";
import { formsOf } from "../../base/patterns/encodings.ts";
import { Lendings, type Lending } from "./lendings.ts";
import { formsToHide, hiddenAs, nothingLent, RequestLease } from "./lease.ts";
import { findPlaceholder, placeholderOf } from "./placeholders.ts";
import { UpstreamTokens } from "./oauth/tokens.ts";
import { isHost, ownerOf, readRequest, type PlaceholderReading, type Usable } from "./request.ts";
import { Scrubber, type Forbidden } from "../../base/patterns/scrubber.ts";
import { shortest, type Secret } from "./secret.ts";
import { Values } from "./values.ts";

type Who = Pick<Principal, "session" | "agent">;

interface Rooms {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  readonly config: () => Config;
  readonly environment: Environment;
}

export interface CredentialRow extends Lending {
  readonly name: string;
  readonly entry: CredentialEntry;
  /** Why it could not be had when it was needed last; null when it could. */
  readonly problem: string | null;
}

/** Step 8 of the path: what is lent, to whom, for how long. Nothing else of Lanyard sees a value. */
export class CredentialStage {
  /** Tokens for servers over HTTP. */
  readonly tokens: UpstreamTokens;
  readonly #store: Store;
  readonly #log: Log;
  readonly #config: () => Config;
  readonly #environment: Environment;
  readonly #lendings: Lendings;
  readonly #values: Values;
  /** What placeholders are made with. */
  readonly #key: Buffer;
  readonly #open = new Set<RequestLease>();
  readonly #listeners = new Set<(servers: readonly string[]) => void>();
  readonly #readings = new WeakMap<Outgoing, PlaceholderReading>();

  constructor({ store, clock, log, config, environment }: Rooms) {
    this.#store = store;
    this.#log = log;
    this.#config = config;
    this.#environment = environment;
    this.#lendings = new Lendings({ store, clock });
    this.#values = new Values({ clock, config, environment, withdrawn: (name) => this.#isRevoked(name) });
    this.tokens = new UpstreamTokens({ store, clock, config, read: (name) => this.#values.read(name), changed: (server) => this.#tell([server]) });
    this.#key = store.derive("placeholders");
  }

  /** Variables for the environment of a session's sandbox: placeholders, and what makes git present one. Never a value. */
  placeholders(who: Who): Record<string, string> {
    return environmentOf(this.#usable(who).filter(({ name }) => !this.#isRevoked(name)));
  }

  /** Names of the credentials that would be lent to a request, sorted: a fact for policies. */
  wanted(who: Who, request: Outgoing): readonly string[] {
    return this.#config().credentials.size === 0 ? [] : this.#read(who, request).lent;
  }

  /** Why an action may not happen whatever policy says: a placeholder where it does not belong. Recorded, and an alarm. Null when there is none. */
  vet(action: Action, { session, agent }: Principal, request?: Outgoing): { readonly code: ErrorCode; readonly text: string } | null {
    if (this.#config().credentials.size === 0) return null;
    const who = { session, agent };
    const misplaced = request ? this.#read(who, request).misplaced : inCall(action, this.#usable(who));
    if (!misplaced) return null;
    const { name, where } = misplaced;
    this.#log.error("credential.misused", { name, where, action: action.name, session, agent });
    const recorded = this.#store.append({ type: "credential.misuse", session, agent, action: action.name, name, where }, { patient: true });
    recorded.catch((error: unknown) => this.#log.error("misuse not written", { error })); // The refusal itself is recorded, or nothing happens.
    const whose = name === null ? "a placeholder of another session" : `the placeholder of the credential \`${name}\``;
    return { code: "credential_misused", text: `${whose} is ${where}, where it does not belong` };
  }

  /** Throws Fault `no_credential`, `ledger_unavailable`. */
  async lease(action: Action, principal: Principal, intent: Intent, request?: Outgoing): Promise<Lease> {
    if (this.#config().credentials.size === 0) return nothingLent;
    const names = request ? this.#read(principal, request).lent : heldBy(this.#config(), action.server);
    const values = await this.#secretsOf(names);
    if (names.length > 0) await this.#lendings.lend(names, principal, intent.seq);
    if (!request) return { ...nothingLent, credentials: names }; // What a server holds, its connection takes out of what it says.
    const known = await this.#knownAt(request, names);
    if (values.size + known.size === 0) return nothingLent;
    const lease: RequestLease = new RequestLease(this.#usable(principal), { values, known }, () => this.#open.delete(lease));
    this.#open.add(lease);
    const revoked = names.find((name) => this.#isRevoked(name));
    if (revoked !== undefined) lease.revoke(revoked); // while its lending was being recorded
    return lease;
  }

  /** Fills in what a server is given. Throws Fault `no_credential`, `invalid_config`. */
  async give(server: string, templates: Readonly<Record<string, string>>): Promise<Given> {
    const names = heldBy(this.#config(), server);
    const secrets = await this.#secretsOf(names);
    const definition = this.#config().servers.get(server);
    const token = definition?.kind === "http" && definition.oauth ? await this.tokens.token(server) : null;
    const texts = new Map([...secrets].map(([name, secret]) => [name, secret.reveal()]));
    const injected = names.flatMap((name) => {
      const inject = this.#config().credentials.get(name)?.inject;
      return inject?.kind === "env" ? [[inject.variable, texts.get(name) ?? ""]] : [];
    });
    const variables = new Set(Object.values(templates).flatMap(variablesIn));
    const forbidden = [
      ...[...secrets, ...(token ? [[server, token] as const] : [])].flatMap(([name, secret]) => formsToHide(secret, hiddenAs(name))),
      ...[...variables].flatMap((name) => formsOfVariable(name, this.#environment[name] ?? "")),
    ];
    const scrubber = forbidden.length > 0 ? new Scrubber(forbidden) : null;
    const bearer = token && { authorization: `Bearer ${token.reveal()}` };
    return { values: { ...unsealTemplate(templates, this.#environment, texts), ...Object.fromEntries(injected), ...bearer }, scrub: scrubber && ((text) => scrubber.text(text)) };
  }

  /** Fills in what a channel to people sends with. Throws Fault `no_credential`, `invalid_config`. */
  async fill(templates: Readonly<Record<string, string>>): Promise<Record<string, string>> {
    const secrets = await this.#secretsOf([...new Set(Object.values(templates).flatMap(credentialsIn))]);
    return unsealTemplate(templates, this.#environment, new Map([...secrets].map(([name, secret]) => [name, secret.reveal()])));
  }

  list(): CredentialRow[] {
    return [...this.#config().credentials].map(([name, entry]) => ({ name, entry, problem: this.#values.problem(name), ...this.#lendings.of(name) }));
  }

  /** At once, for what is under way too. Throws Fault `not_found`, `ledger_unavailable`. */
  async revoke(name: string, by: string): Promise<void> {
    const { serves } = this.#known(name);
    const recorded = this.#lendings.revoke(name, by);
    this.#values.forget();
    for (const lease of this.#open) if (lease.credentials.includes(name)) lease.revoke(name);
    this.#tell(serves.servers);
    await recorded;
  }

  /** Throws Fault `not_found`, `ledger_unavailable`. */
  async restore(name: string, by: string): Promise<void> {
    const { serves } = this.#known(name);
    await this.#lendings.restore(name, by);
    this.#tell(serves.servers);
  }

  /** Calls back with servers whose connections are no longer good: what they are given has changed. */
  onChange(listener: (servers: readonly string[]) => void): { stop(): void } {
    this.#listeners.add(listener);
    return { stop: () => void this.#listeners.delete(listener) };
  }

  #tell(servers: readonly string[]): void {
    for (const listener of this.#listeners) listener(servers);
  }

  #isRevoked(name: string): boolean {
    return this.#lendings.of(name).revokedBy !== null;
  }

  #known(name: string): CredentialEntry {
    const entry = this.#config().credentials.get(name);
    if (!entry) throw new Fault("not_found", `no credential \`${name}\` is configured under \`credentials\` in lanyard.yaml`);
    return entry;
  }

  /** What the session may use at the door. Revoked ones stay known: their placeholders are no less misplaced elsewhere. */
  #usable({ session, agent }: Who): Usable[] {
    return [...this.#config().credentials].flatMap(([name, entry]) => {
      const isHers = entry.serves.hosts.length > 0 && (entry.serves.agents?.includes(agent) ?? true);
      return isHers ? [{ name, entry, placeholder: placeholderOf(this.#key, session, name, entry.shape) }] : [];
    });
  }

  #read(who: Who, request: Outgoing): PlaceholderReading {
    const known = this.#readings.get(request) ?? readRequest(request, this.#usable(who), () => null);
    this.#readings.set(request, known);
    return known;
  }

  /** What a host may tell although it is not lent now: all that it ever was lent, by anybody. What cannot be had any more is let be. */
  async #knownAt(request: Outgoing, but: readonly string[]): Promise<Map<string, Secret>> {
    const names = [...this.#config().credentials].flatMap(([name, { serves }]) => {
      const wasLent = !but.includes(name) && this.#lendings.of(name).lastUsedMs !== null;
      return wasLent && serves.hosts.some((pattern) => isHost(pattern, request)) ? [name] : [];
    });
    const had = await Promise.allSettled(names.map(async (name) => [name, await this.#values.read(name)] as const));
    return new Map(had.flatMap((one) => (one.status === "fulfilled" ? [one.value] : [])));
  }

  async #secretsOf(names: readonly string[]): Promise<Map<string, Secret>> {
    return new Map(await Promise.all(names.map(async (name) => [name, await this.#values.read(name)] as const)));
  }
}

/** A variable that lanyard.yaml gives to a server counts as a secret too, unless it is a path of this machine, or so short that taking it out would destroy what it is taken out of. */
const formsOfVariable = (name: string, text: string): Forbidden[] =>
  text.length < shortest || existsSync(text) ? [] : formsOf(text).map((bytes) => ({ bytes, replacement: Buffer.from(`[variable ${name}]`) }));

/** A call of a tool says nothing that a placeholder could belong to. */
function inCall({ args, beside }: Action, usable: readonly Usable[]): PlaceholderReading["misplaced"] {
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
