import { createCipheriv, createDecipheriv, createHash } from "node:crypto";
import { Fault, parseJson } from "@lanyard/contract";
import type { Clock } from "../../../base/clock.ts";
import type { Config, OauthServer } from "../../../base/config/config.ts";
import type { Store } from "../../../base/store/port.ts";
import { Secret } from "../secret.ts";
import { attempt, authorizationUrl, discover, forMachine, isRefused, newVerifier, redeem, register, renew, type IssuedTokens, type Registration } from "./protocol.ts";

interface Rooms {
  readonly store: Store;
  readonly clock: Clock;
  readonly config: () => Config;
  /** The value of a configured credential. */
  read(name: string): Promise<Secret>;
  /** Told when somebody logged in at a server or out. */
  changed(server: string): void;
}

/** A login that a person has not finished. */
interface Pending {
  readonly name: string;
  readonly server: string;
  readonly redirectUri: string;
  readonly state: string;
  readonly verifier: string;
  readonly registration: Registration;
  readonly untilMs: number;
}

/** Tokens with all that is needed to renew them. */
interface Grant {
  readonly server: string;
  readonly registration: Registration;
  readonly tokens: IssuedTokens;
}

const loginMs = 600_000;
/** What is left of a token's life when a new one is asked for: longer than a request takes to get there. */
const marginMs = 30_000;

/**
 * Tokens for MCP servers over HTTP, each from one issuer and for one server. Invariant: a token goes to the server that it was asked for and to
 * nobody else, and no token of an agent ever goes to a server.
 */
export class UpstreamTokens {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #config: () => Config;
  readonly #read: (name: string) => Promise<Secret>;
  readonly #changed: (server: string) => void;
  readonly #key: Buffer;
  readonly #pending = new Map<string, Pending>();
  readonly #renewing = new Map<string, Promise<Grant>>();
  /** Those of machines, which are asked for again and not kept. */
  readonly #machines = new Map<string, IssuedTokens>();

  constructor({ store, clock, config, read, changed }: Rooms) {
    this.#changed = changed;
    this.#store = store;
    this.#clock = clock;
    this.#config = config;
    this.#read = read;
    this.#key = store.derive("upstream tokens");
  }

  /** A token that its server takes now. Throws Fault `no_credential`. */
  async token(name: string): Promise<Secret> {
    const { url, oauth } = this.#definition(name);
    const known = oauth.grant === "client_credentials" ? this.#machines.get(keyOf(url, oauth)) : this.#grantOf(name).tokens;
    if (known && !this.#isOver(known)) return Secret.of(name, known.access);
    const renewing = this.#renewing.get(name) ?? this.#renew(name).finally(() => this.#renewing.delete(name));
    this.#renewing.set(name, renewing);
    return Secret.of(name, (await renewing).tokens.access);
  }

  /** Begins a login; a person goes on at `url`. Throws Fault `no_credential`, `not_found`, `limit_exceeded`. */
  async begin(name: string, redirectUri: string): Promise<{ url: string; issuer: string }> {
    const { url: server, oauth } = this.#definition(name);
    if (oauth.grant === "client_credentials") throw new Fault("invalid_request", `server \`${name}\` is asked as a machine; nobody logs in`);
    const now = this.#clock.nowMs();
    for (const [state, { untilMs }] of this.#pending) if (untilMs <= now) this.#pending.delete(state);
    const { logins } = this.#config().limits;
    if (this.#pending.size >= logins) throw new Fault("limit_exceeded", `${logins} logins are under way, the limit logins; finish one, or wait ten minutes`);
    const as = await discover(server, oauth.issuer);
    const registration = await register(server, as, oauth, await this.#secretOf(oauth), redirectUri);
    const login: Pending = { name, server, redirectUri, state: this.#clock.random(24).toString("base64url"), verifier: newVerifier(), registration, untilMs: now + loginMs };
    this.#pending.set(login.state, login);
    return { url: await authorizationUrl(registration, { ...login, scope: oauth.scope }), issuer: as.issuer };
  }

  /** Ends a login with the URL that the person's browser was sent back to. Throws Fault `no_credential`, `not_found`, `ledger_unavailable`. */
  async finish(callback: string, by: string): Promise<{ server: string; issuer: string; expiresAtMs: number | null }> {
    const url = URL.parse(callback);
    const login = this.#pending.get(url?.searchParams.get("state") ?? "");
    if (!url || !login || login.untilMs <= this.#clock.nowMs()) throw new Fault("not_found", "no login is under way that this answer belongs to; begin again");
    this.#pending.delete(login.state);
    const tokens = await redeem(login.registration, login, url, this.#clock.nowMs());
    await this.#keep(login.name, { server: login.server, registration: login.registration, tokens }, "login", by);
    this.#changed(login.name);
    return { server: login.name, issuer: login.registration.as.issuer, expiresAtMs: tokens.expiresAtMs };
  }

  /** Forgets the tokens for a server. Throws Fault `not_found`, `ledger_unavailable`. */
  async forget(name: string, by: string): Promise<void> {
    const { url, oauth } = this.#definition(name);
    this.#machines.delete(keyOf(url, oauth));
    await this.#store.append({ type: "credential.token", server: name, issuer: oauth.issuer ?? "", why: "logout", by }, { state: [{ kind: "token", key: keyOf(url, oauth), value: null }] });
    this.#changed(name);
  }

  #definition(name: string): { readonly url: string; readonly oauth: OauthServer } {
    const definition = this.#config().servers.get(name);
    if (definition?.kind !== "http" || !definition.oauth) throw new Fault("not_found", `no server \`${name}\` with \`oauth\` is configured under \`servers\` in lanyard.yaml`);
    return { url: definition.url, oauth: definition.oauth };
  }

  #isOver({ expiresAtMs }: IssuedTokens): boolean {
    return expiresAtMs !== null && expiresAtMs - marginMs <= this.#clock.nowMs();
  }

  async #secretOf({ clientSecret }: OauthServer): Promise<string | null> {
    return clientSecret === null ? null : (await this.#read(clientSecret)).reveal();
  }

  async #renew(name: string): Promise<Grant> {
    const { url: server, oauth } = this.#definition(name);
    const now = this.#clock.nowMs();
    if (oauth.grant === "client_credentials") {
      const as = await discover(server, oauth.issuer);
      const registration = { as, client: { client_id: oauth.clientId ?? "" }, secret: await this.#secretOf(oauth) };
      const tokens = await forMachine(registration, server, oauth.scope, now);
      this.#machines.set(keyOf(server, oauth), tokens);
      return { server, registration, tokens };
    }
    const { registration, tokens: { refresh } } = this.#grantOf(name);
    if (refresh === null) throw this.#loggedOut(name);
    try {
      const grant = { server, registration, tokens: await renew(registration, server, refresh, now) };
      await this.#keep(name, grant, "refresh", "lanyard"); // Before it is used: the old one may be worth nothing by now.
      return grant;
    } catch (error) {
      if (isRefused(error)) throw this.#loggedOut(name);
      return await attempt(`renewing the token for server \`${name}\``, () => Promise.reject(error));
    }
  }

  #loggedOut = (name: string): Fault => new Fault("no_credential", `nobody is logged in at server \`${name}\`: run \`lanyard mcp login ${name}\``);

  #grantOf(name: string): Grant {
    const { url, oauth } = this.#definition(name);
    const sealed = this.#store.get("token", keyOf(url, oauth))?.["sealed"];
    if (typeof sealed !== "string") throw this.#loggedOut(name);
    const bytes = Buffer.from(sealed, "base64url");
    const opener = createDecipheriv("aes-256-gcm", this.#key, bytes.subarray(0, 12)).setAAD(Buffer.from(keyOf(url, oauth)));
    opener.setAuthTag(bytes.subarray(-16));
    return parseJson(Buffer.concat([opener.update(bytes.subarray(12, -16)), opener.final()]).toString("utf8")) as unknown as Grant;
  }

  async #keep(name: string, grant: Grant, why: "login" | "refresh", by: string): Promise<void> {
    const { url, oauth } = this.#definition(name);
    const key = keyOf(url, oauth);
    const nonce = this.#clock.random(12);
    const sealer = createCipheriv("aes-256-gcm", this.#key, nonce).setAAD(Buffer.from(key));
    const box = Buffer.concat([nonce, sealer.update(JSON.stringify(grant), "utf8"), sealer.final(), sealer.getAuthTag()]);
    await this.#store.append({ type: "credential.token", server: name, issuer: grant.registration.as.issuer, why, by }, { state: [{ kind: "token", key, value: { sealed: box.toString("base64url") } }] });
  }
}

/** A token is kept for one server's address, the issuer and the client that lanyard.yaml names for it: another of these is another token. */
const keyOf = (server: string, { issuer, clientId, scope }: OauthServer): string => createHash("sha256").update(JSON.stringify([server, issuer, clientId, scope])).digest("base64url");
