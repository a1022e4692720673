import { Fault, type JsonObject } from "@lanyard/contract";
import type { Clock } from "../../base/clock.ts";
import type { Config } from "../../base/config/config.ts";
import type { Store } from "../../base/store/port.ts";
import { fingerprint, newToken, TokenTable } from "./token.ts";

/** A credential without its secret. */
export interface Credential {
  /** Its public id, `key_...`, by which it is revoked. */
  readonly key: string;
  readonly kind: "agent" | "user";
  /** Of the agent or user it belongs to. */
  readonly name: string;
  readonly issuedAtMs: number;
  readonly by: string;
}

/** Long-lived secrets of agents and users, stored as hashes only; a name may have several, so that one can be replaced without a gap. */
export class Credentials {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #config: () => Config;
  readonly #table = new TokenTable<Credential>();
  readonly #prints = new Map<string, string>();

  constructor({ store, clock, config }: { store: Store; clock: Clock; config: () => Config }) {
    this.#store = store;
    this.#clock = clock;
    this.#config = config;
    for (const { key, value } of store.list("credential")) this.#keep(fromState(key, value), String(value["hash"]));
  }

  /**
   * A new credential; `secret` is returned this once and kept nowhere. Throws Fault `not_found` for a name that is not registered,
   * `limit_exceeded` past the limit credentials_per_name, `ledger_unavailable`.
   */
  async issue(kind: "agent" | "user", name: string, by: string): Promise<{ key: string; secret: string }> {
    if (!this.#registered(kind, name)) throw new Fault("not_found", `no ${kind} \`${name}\` is registered under \`${kind}s\` in lanyard.yaml`);
    const max = this.#config().limits.credentials_per_name;
    if (this.list().filter((known) => known.kind === kind && known.name === name).length >= max) {
      throw new Fault("limit_exceeded", `${kind} \`${name}\` has ${max} credentials, the limit credentials_per_name; revoke one first`);
    }
    const secret = newToken(this.#clock, kind);
    const hash = fingerprint(secret);
    const credential: Credential = { key: this.#clock.id("key"), kind, name, issuedAtMs: this.#clock.nowMs(), by };
    const value = { kind, name, hash, issued_at_ms: credential.issuedAtMs, by };
    await this.#store.append({ type: "credential.issue", kind, name, key: credential.key, by }, { state: [{ kind: "credential", key: credential.key, value }] });
    this.#keep(credential, hash);
    return { key: credential.key, secret };
  }

  /** Takes effect before it is recorded: a failing disk must not keep a leaked secret alive. Throws Fault `not_found`, `ledger_unavailable`. */
  async revoke(key: string, by: string): Promise<Credential> {
    const state = this.#store.get("credential", key);
    if (!state) throw new Fault("not_found", `no credential \`${key}\`; \`lanyard credential list\` shows them`);
    const credential = fromState(key, state);
    this.#table.delete(String(state["hash"]));
    this.#prints.delete(key);
    const { kind, name } = credential;
    await this.#store.append({ type: "credential.revoke", kind, name, key, by }, { state: [{ kind: "credential", key, value: null }] });
    return credential;
  }

  list(): Credential[] {
    return this.#store
      .list("credential")
      .map(({ key, value }) => fromState(key, value))
      .toSorted((a, b) => a.issuedAtMs - b.issuedAtMs || a.key.localeCompare(b.key));
  }

  /** Whose secret this is; null when nobody's, or its owner is no longer registered. */
  find(secret: string): Credential | null {
    const credential = this.#table.find(secret);
    return credential && this.#registered(credential.kind, credential.name) ? credential : null;
  }

  /** Whether the credential is still in force. */
  has(key: string): boolean {
    return this.#prints.has(key);
  }

  #registered(kind: "agent" | "user", name: string): boolean {
    const config = this.#config();
    return kind === "agent" ? config.agents.has(name) : config.users.has(name);
  }

  #keep(credential: Credential, hash: string): void {
    this.#table.set(hash, credential);
    this.#prints.set(credential.key, hash);
  }
}

const fromState = (key: string, value: JsonObject): Credential => ({
  key,
  kind: value["kind"] === "user" ? "user" : "agent",
  name: String(value["name"]),
  issuedAtMs: Number(value["issued_at_ms"]),
  by: String(value["by"]),
});
