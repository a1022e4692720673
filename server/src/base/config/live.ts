import { createHash } from "node:crypto";
import { Fault } from "@lanyard/contract";
import type { Clock } from "../clock.ts";
import type { Log } from "../log.ts";
import type { Store } from "../store/port.ts";
import { needsRestart, type Config } from "./config.ts";
import { readConfigBytes } from "./file.ts";
import { parseConfig } from "./read.ts";

const pollMs = 500;

/**
 * The configuration in force. A valid change of the file is live within a second and recorded as `config.change` before it is; an
 * invalid one is logged with its places, and the old configuration stays. Polled, because editors replace files in ways that
 * watchers of one inode miss.
 */
export class LiveConfig {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #listeners = new Set<(after: Config, before: Config) => void>();
  #current: Config;
  /** Hash of the bytes looked at last, valid or not, so that a refused file is reported once. */
  #looked: string;
  #timer: { cancel(): void } | null = null;
  #working: Promise<unknown> = Promise.resolve();
  #closed = false;
  #lastRefusal = "";

  constructor({ first, store, clock, log }: { first: Config; store: Store; clock: Clock; log: Log }) {
    this.#current = first;
    this.#looked = first.hash;
    this.#store = store;
    this.#clock = clock;
    this.#log = log;
  }

  current(): Config {
    return this.#current;
  }

  /** Calls back after each change is in force. */
  onChange(listener: (after: Config, before: Config) => void): { stop(): void } {
    this.#listeners.add(listener);
    return { stop: () => void this.#listeners.delete(listener) };
  }

  /** Records the first configuration when it is not the one recorded last, then looks at the file twice a second. Throws Fault `ledger_unavailable`. */
  async start(): Promise<void> {
    const before = this.#recorded();
    if (before !== this.#current.hash) await this.#record(this.#current, before);
    this.#arm();
  }

  /**
   * Looks at the file now. Resolves with true when another configuration is in force afterwards. Throws Fault `invalid_config` (once for
   * the same bytes), `ledger_unavailable`.
   */
  reload(): Promise<boolean> {
    const turn = this.#working.then(() => this.#look());
    this.#working = turn.catch(() => {});
    return turn;
  }

  async #look(): Promise<boolean> {
    const before = this.#current;
    const bytes = readConfigBytes(before.file);
    const hash = createHash("sha256").update(bytes).digest("base64url");
    if (hash === this.#looked) return false;
    this.#looked = hash;
    const after = parseConfig(bytes, before.file);
    if (hash === before.hash) return false;
    await this.#record(after, before.hash).catch((error: unknown) => {
      this.#looked = before.hash; // Look again: the file is good, the ledger was not.
      throw error;
    });
    this.#current = after;
    this.#lastRefusal = "";
    this.#log.info("config.changed", { config: hash, restart_needed: needsRestart(before, after) });
    for (const listener of this.#listeners) listener(after, before);
    return true;
  }

  #recorded(): string | null {
    const config = this.#store.get("setting", "config")?.["hash"];
    return typeof config === "string" ? config : null;
  }

  async #record({ hash }: Config, before: string | null): Promise<void> {
    const state = [{ kind: "setting", key: "config", value: { hash } }] as const;
    await this.#store.append({ type: "config.change", config: hash, before, by: "operator" }, { state });
  }

  #arm(): void {
    if (this.#closed) return;
    this.#timer = this.#clock.after(pollMs, () => {
      void this.reload()
        .catch((error: unknown) => this.#refused(error))
        .finally(() => this.#arm());
    });
  }

  #refused(error: unknown): void {
    const problems = error instanceof Fault ? error.message : "an internal error";
    // A file that is missing for a while would otherwise be reported twice a second.
    if (problems !== this.#lastRefusal) this.#log.error("config.refused", { problems, stays: this.#current.hash });
    this.#lastRefusal = problems;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    await this.#working;
  }
}
