import type { Decision, DecisionInput, NewRecord } from "@lanyard/contract";
import { comesToTheSame, isSameButForChanges, type Snapshot } from "@lanyard/policy";
import type { Clock } from "../../base/clock.ts";
import type { Limits } from "../../base/limits.ts";

/** What a shadow has found since it was posted. */
export interface ShadowStatistics {
  /** Decisions made beside live ones. */
  readonly decisions: number;
  /** Of these: calls it would have denied, let pass or asked for, and the live version did not; and asked of other groups. */
  readonly newlyDenied: number;
  readonly newlyAllowed: number;
  readonly newlyAsked: number;
  /** Calls it would have let pass, or asked the same people about, with other changes of their arguments. */
  readonly changedOtherwise: number;
  /** Live decisions it did not come to: too many waited. */
  readonly dropped: number;
  /** Differences that are counted here and not in the ledger: more than differences_per_hour, or the ledger refused. */
  readonly unrecorded: number;
}

type Difference = Extract<NewRecord, { type: "bundle.difference" }>;

interface ShadowDeps {
  readonly clock: Clock;
  readonly limits: Pick<Limits, "shadow_queue" | "differences_per_hour">;
  /** Writes a difference; a rejection counts it as unrecorded. */
  readonly record: (difference: Difference) => Promise<unknown>;
}

const sliceCalls = 64;
const foldMs = 1000;
const foldedKinds = 256;
const hourMs = 3_600_000;

/**
 * Decides again beside the live version, after its answer is on the way, without any effect. Differences of effect, or of whom to ask, are
 * recorded: equal ones of a second as one.
 */
export class Shadow implements Disposable {
  readonly #deps: ShadowDeps;
  #queue: { readonly input: DecisionInput; readonly live: Decision; readonly bundle: string; readonly snapshot: Snapshot }[] = [];
  #draining = false;
  #folding: { cancel(): void } | null = null;
  readonly #folded = new Map<string, Omit<Difference, "times"> & { times: number }>();
  #hour = { startMs: 0, recorded: 0 };
  #decisions = 0;
  #changedOtherwise = 0;
  readonly #newly = { deny: 0, allow: 0, ask: 0 };
  #dropped = 0;
  #unrecorded = 0;
  #closed = false;

  constructor(deps: ShadowDeps) {
    this.#deps = deps;
  }

  /** Takes note of a live decision; costs the caller nothing but a place in a queue. */
  see(input: DecisionInput, live: Decision, bundle: string, snapshot: Snapshot): void {
    if (this.#queue.length >= this.#deps.limits.shadow_queue) {
      this.#dropped += 1;
      return;
    }
    this.#queue.push({ input, live, bundle, snapshot });
    this.#wake();
  }

  statistics(): ShadowStatistics {
    const { deny, allow, ask } = this.#newly;
    return { decisions: this.#decisions, newlyDenied: deny, newlyAllowed: allow, newlyAsked: ask, changedOtherwise: this.#changedOtherwise, dropped: this.#dropped, unrecorded: this.#unrecorded };
  }

  /** What waits is not decided any more; what was found is still written. */
  [Symbol.dispose](): void {
    this.#closed = true;
    this.#queue = [];
    this.#folding?.cancel();
    this.#flush();
  }

  #wake(): void {
    if (this.#draining || this.#closed) return;
    this.#draining = true;
    this.#deps.clock.after(0, () => {
      this.#draining = false;
      for (const { input, live, bundle, snapshot } of this.#queue.splice(0, sliceCalls)) this.#compare(input, live, bundle, snapshot);
      if (this.#queue.length > 0) this.#wake();
    });
  }

  #compare(input: DecisionInput, live: Decision, bundle: string, snapshot: Snapshot): void {
    const beside = snapshot.decide(input);
    this.#decisions += 1;
    if (comesToTheSame(beside, live)) return;
    if (isSameButForChanges(beside, live)) this.#changedOtherwise += 1;
    else this.#newly[beside.effect] += 1;
    this.#fold({
      type: "bundle.difference",
      session: input.session.id,
      agent: input.agent.id,
      action: input.action,
      bundle,
      effect: live.effect,
      policies: determining(live),
      beside: snapshot.hash,
      beside_effect: beside.effect,
      beside_policies: determining(beside),
      ...(live.transforms && { transforms: [...live.transforms] }),
      ...(beside.transforms && { beside_transforms: [...beside.transforms] }),
    });
  }

  #fold(difference: Omit<Difference, "times">): void {
    const { session: _session, ...kind } = difference;
    const key = JSON.stringify(kind);
    const known = this.#folded.get(key);
    if (known !== undefined) known.times += 1;
    else if (this.#folded.size >= foldedKinds) this.#unrecorded += 1;
    else this.#folded.set(key, { ...difference, times: 1 });
    this.#folding ??= this.#deps.clock.after(foldMs, () => this.#flush());
  }

  #flush(): void {
    this.#folding = null;
    const { clock, limits, record } = this.#deps;
    const nowMs = clock.nowMs();
    if (nowMs - this.#hour.startMs >= hourMs) this.#hour = { startMs: nowMs, recorded: 0 };
    for (const difference of this.#folded.values()) {
      if (this.#hour.recorded >= limits.differences_per_hour) {
        this.#unrecorded += difference.times;
        continue;
      }
      this.#hour.recorded += 1;
      record(difference).catch(() => void (this.#unrecorded += difference.times));
    }
    this.#folded.clear();
  }
}

const determining = ({ reasons, errors }: Decision): string[] => [...new Set([...reasons, ...errors].map(({ policy }) => policy))].sort().slice(0, 32);
