import { Fault } from "@lanyard/contract";
import type { Clock } from "../../base/clock.ts";
import type { Config } from "../../base/config/config.ts";
import type { CredentialSource } from "../../base/config/credentials.ts";
import type { Environment } from "../../base/config/environment.ts";
import { Secret } from "./secret.ts";
import { fromEnvironment } from "./sources/env.ts";
import { fromExchange } from "./sources/exchange.ts";
import { fromFile } from "./sources/file.ts";
import type { Fetched, SourceTools } from "./sources/source.ts";
import { fromSystemd } from "./sources/systemd.ts";
import { fromVault } from "./sources/vault.ts";

/** What credentials are worth at this moment: read where they lie when they are used, and kept only for as long as their keeper said. */
export class Values {
  readonly #clock: Clock;
  readonly #config: () => Config;
  readonly #environment: Environment;
  readonly #withdrawn: (name: string) => boolean;
  readonly #kept = new Map<string, { readonly from: CredentialSource; readonly secret: Secret; readonly untilMs: number }>();
  /** Reads under way, so that many calls at once ask once. */
  readonly #reading = new Map<string, Promise<Secret>>();

  /** Why one could not be had last. */
  readonly #problems = new Map<string, string>();
  #age = 0;

  constructor({ clock, config, environment, withdrawn }: { clock: Clock; config: () => Config; environment: Environment; withdrawn: (name: string) => boolean }) {
    this.#clock = clock;
    this.#config = config;
    this.#environment = environment;
    this.#withdrawn = withdrawn;
  }

  /** Throws Fault `no_credential`: it is not configured, was revoked, or could not be had. */
  async read(name: string): Promise<Secret> {
    const from = this.#allowed(name);
    const kept = this.#kept.get(name);
    if (kept && kept.from === from && kept.untilMs > this.#clock.nowMs()) return kept.secret;
    const reading = this.#reading.get(name) ?? this.#fetch(name, from).finally(() => this.#reading.delete(name));
    this.#reading.set(name, reading);
    const secret = await reading.catch((error: unknown) => {
      this.#problems.set(name, error instanceof Fault ? error.message : "an internal error");
      throw error;
    });
    this.#problems.delete(name);
    this.#allowed(name); // It may have been revoked meanwhile.
    return secret;
  }

  problem(name: string): string | null {
    return this.#problems.get(name) ?? null;
  }

  /** One was revoked: what is kept of it, and of all that was made with it, is of no use any more. */
  forget(): void {
    this.#age++;
    this.#kept.clear();
  }

  #allowed(name: string): CredentialSource {
    const entry = this.#config().credentials.get(name);
    if (!entry) throw new Fault("no_credential", `the credential \`${name}\` is no longer configured`);
    if (this.#withdrawn(name)) throw new Fault("no_credential", `the credential \`${name}\` was revoked`);
    return entry.from;
  }

  async #fetch(name: string, from: CredentialSource): Promise<Secret> {
    const tools: SourceTools = { clock: this.#clock, environment: this.#environment, other: (needed) => this.read(needed) };
    const age = this.#age;
    const { text, keepUntilMs } = await fetchFrom(from, name, tools);
    const secret = Secret.of(name, text);
    if (keepUntilMs === null || age !== this.#age) this.#kept.delete(name);
    else this.#kept.set(name, { from, secret, untilMs: keepUntilMs });
    return secret;
  }
}

function fetchFrom(from: CredentialSource, name: string, tools: SourceTools): Promise<Fetched> {
  switch (from.kind) {
    case "file":
      return fromFile(from, name, tools);
    case "env":
      return fromEnvironment(from, name, tools);
    case "systemd":
      return fromSystemd(from, name, tools);
    case "vault":
      return fromVault(from, name, tools);
    case "exchange":
      return fromExchange(from, name, tools);
  }
}
