import { isObject, type JsonObject, type Principal } from "@lanyard/contract";
import type { Clock } from "../../base/clock.ts";
import type { StateChange, Store } from "../../base/store/port.ts";

/** What is on record of one credential. */
export interface Lending {
  /** How often it was lent, by agent. */
  readonly uses: Readonly<Record<string, number>>;
  readonly lastUsedMs: number | null;
  /** Who revoked it; null while it may be lent. */
  readonly revokedBy: string | null;
}

const unused: Lending = { uses: {}, lastUsedMs: null, revokedBy: null };

/** Who used what, and what may no longer be used: state of the ledger, which outlives the daemon and the entry in lanyard.yaml. */
export class Lendings {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #known = new Map<string, Lending>();

  constructor({ store, clock }: { store: Store; clock: Clock }) {
    this.#store = store;
    this.#clock = clock;
    for (const { key, value } of store.list("lending")) this.#known.set(key, fromState(value));
  }

  of(name: string): Lending {
    return this.#known.get(name) ?? unused;
  }

  /** Durable on return: no value is lent before. Throws Fault `ledger_unavailable`. */
  async lend(names: readonly string[], { session, agent }: Principal, of: number): Promise<void> {
    for (const name of names) this.#count(name, agent, 1);
    const state = names.map((name) => this.#state(name));
    try {
      await this.#store.append({ type: "credential.lend", of, session, agent, names: [...names] }, { state });
    } catch (error) {
      for (const name of names) this.#count(name, agent, -1);
      throw error;
    }
  }

  /** Takes effect before it is recorded: a failing disk must not keep a leaked secret in use. Throws Fault `ledger_unavailable`. */
  async revoke(name: string, by: string): Promise<void> {
    this.#known.set(name, { ...this.of(name), revokedBy: by });
    await this.#store.append({ type: "credential.withdraw", name, by }, { state: [this.#state(name)] });
  }

  /** Takes effect once it is recorded. Throws Fault `ledger_unavailable`. */
  async restore(name: string, by: string): Promise<void> {
    const before = this.of(name);
    const state = [{ kind: "lending", key: name, value: toState({ ...before, revokedBy: null }) }] as const;
    await this.#store.append({ type: "credential.restore", name, by }, { state });
    this.#known.set(name, { ...this.of(name), revokedBy: null });
  }

  #count(name: string, agent: string, by: 1 | -1): void {
    const { uses, lastUsedMs, revokedBy } = this.of(name);
    this.#known.set(name, { uses: { ...uses, [agent]: (uses[agent] ?? 0) + by }, lastUsedMs: by > 0 ? this.#clock.nowMs() : lastUsedMs, revokedBy });
  }

  #state(name: string): StateChange {
    return { kind: "lending", key: name, value: toState(this.of(name)) };
  }
}

const toState = ({ uses, lastUsedMs, revokedBy }: Lending): JsonObject => ({ uses, last_used_ms: lastUsedMs, revoked_by: revokedBy });

const fromState = ({ uses, last_used_ms: last, revoked_by: by }: JsonObject): Lending => ({
  uses: isObject(uses) ? Object.fromEntries(Object.entries(uses).map(([agent, times]) => [agent, Number(times)])) : {},
  lastUsedMs: typeof last === "number" ? last : null,
  revokedBy: typeof by === "string" ? by : null,
});
