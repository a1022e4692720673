import { hash } from "node:crypto";
import type { Decision, DecisionInput, NewRecord } from "@lanyard/contract";
import { canonicalize } from "@lanyard/ledger";
import { agree, type BundleSource, type Snapshot } from "@lanyard/policy";
import type { Clock } from "../../base/clock.ts";
import type { Limits } from "../../base/limits.ts";
import type { Log } from "../../base/log.ts";
import type { Store } from "../../base/store/port.ts";

/** A second engine; rejects when it cannot tell. */
export interface SecondOpinion extends AsyncDisposable {
  judge(bundle: BundleSource, input: DecisionInput): Promise<Decision>;
}

/** Which share of decisions is checked, and what a difference leads to. */
export interface RecheckTerms {
  readonly share: number;
  readonly onDifference: "alarm" | "deny";
}

/** What the checks have come to since the daemon started. */
export interface RecheckStatistics {
  readonly checked: number;
  readonly differences: number;
  /** Sampled, and not checked: too many waited. */
  readonly dropped: number;
  /** The second engine could not tell: it took too long, or died. */
  readonly failed: number;
  /** Why everything is denied since; null while nothing is. */
  readonly denies: string | null;
}

interface RecheckDeps {
  readonly store: Pick<Store, "append">;
  readonly clock: Pick<Clock, "random">;
  readonly log: Log;
  readonly limits: Pick<Limits, "recheck_queue" | "engine_differences">;
  readonly terms: () => RecheckTerms;
  readonly opinion: SecondOpinion;
}

/**
 * Has a sample of live decisions decided again by another engine. Which ones, no agent can foresee. A difference is recorded and raises an
 * alarm; with `onDifference: "deny"` everything is denied from then on, until somebody puts a bundle in force or the daemon starts again: one
 * of the two engines is wrong, and nobody knows in how many calls.
 */
export class Recheck implements AsyncDisposable {
  readonly #deps: RecheckDeps;
  #waiting = 0;
  #checked = 0;
  #differences = 0;
  #dropped = 0;
  #failed = 0;
  #denies: string | null = null;
  readonly #pending = new Set<Promise<void>>();

  constructor(deps: RecheckDeps) {
    this.#deps = deps;
  }

  /** Why everything is denied; null while nothing is. */
  get denies(): string | null {
    return this.#denies;
  }

  /** Somebody has looked and put a bundle in force. */
  trust(): void {
    this.#denies = null;
  }

  /** Takes note of a live decision. */
  see(input: DecisionInput, decision: Decision, snapshot: Snapshot): void {
    const { clock, terms, limits } = this.#deps;
    const { share } = terms();
    if (share <= 0 || clock.random(4).readUInt32BE() / 2 ** 32 >= share) return;
    if (this.#waiting >= limits.recheck_queue) {
      this.#dropped += 1;
      return;
    }
    this.#waiting += 1;
    const check = this.#check(input, decision, snapshot).finally(() => {
      this.#waiting -= 1;
      this.#pending.delete(check);
    });
    this.#pending.add(check);
  }

  statistics(): RecheckStatistics {
    return { checked: this.#checked, differences: this.#differences, dropped: this.#dropped, failed: this.#failed, denies: this.#denies };
  }

  /** Resolves once nothing waits for the second engine. */
  async settled(): Promise<void> {
    while (this.#pending.size > 0) await Promise.all(this.#pending);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#deps.opinion[Symbol.asyncDispose]();
    await this.settled();
  }

  async #check(input: DecisionInput, decision: Decision, { hash: bundle, bytes }: Snapshot): Promise<void> {
    const { log, opinion } = this.#deps;
    try {
      const theirs = await opinion.judge({ hash: bundle, bytes: () => bytes }, input);
      this.#checked += 1;
      if (!agree(decision, theirs)) await this.#differ(input, { bundle, ours: hashOf(decision), theirs: hashOf(theirs), effect: decision.effect, their_effect: theirs.effect });
    } catch (error) {
      this.#failed += 1;
      log.warn("engine.unchecked", { bundle, error });
    }
  }

  async #differ(input: DecisionInput, found: Pick<Extract<NewRecord, { type: "engine.difference" }>, "bundle" | "ours" | "theirs" | "effect" | "their_effect">): Promise<void> {
    const { store, log, terms, limits } = this.#deps;
    const denies_now = terms().onDifference === "deny";
    if (denies_now) this.#denies ??= `two engines decided one call of \`${input.action}\` differently, so everything is denied until somebody puts a bundle in force`;
    this.#differences += 1;
    const record = { type: "engine.difference", session: input.session.id, agent: input.agent.id, action: input.action, ...found, denies_now } as const;
    log.error("engine.difference", record);
    if (this.#differences <= limits.engine_differences) await store.append(record);
  }
}

const hashOf = (decision: Decision): string => hash("sha256", canonicalize(decision), "base64url");
