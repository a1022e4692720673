import type { Decision } from "@lanyard/contract";
import type { CanaryTerms } from "./edition.ts";

/** What one side of a canary has decided since the canary began. `latencyP99Us` is 0 before the first decision. */
export interface SideStatistics {
  readonly decisions: number;
  readonly denied: number;
  readonly asked: number;
  /** Decisions in which a policy failed, or policy could not be asked. */
  readonly failed: number;
  /** 99 of 100 decisions took no longer than this, microseconds; at most a fifth too high. */
  readonly latencyP99Us: number;
}

// Four buckets an octave from 1 us to a minute: enough to tell a slow side, and a hundred numbers in all.
const perOctave = 4;
const bucketCount = 26 * perOctave;
const bucketOf = (us: number): number => Math.min(bucketCount - 1, Math.max(0, Math.ceil(Math.log2(Math.max(1, us)) * perOctave)));

/** Counts decisions of one side. */
export class Tally {
  readonly #buckets = new Uint32Array(bucketCount);
  decisions = 0;
  #denied = 0;
  #asked = 0;
  #failed = 0;

  add({ effect, errors }: Decision, tookUs: number): void {
    this.decisions += 1;
    if (effect === "deny") this.#denied += 1;
    if (effect === "ask") this.#asked += 1;
    if (errors.length > 0) this.#failed += 1;
    const bucket = bucketOf(tookUs);
    this.#buckets[bucket] = (this.#buckets[bucket] ?? 0) + 1;
  }

  get denyRate(): number {
    return this.#denied / Math.max(1, this.decisions);
  }

  get failRate(): number {
    return this.#failed / Math.max(1, this.decisions);
  }

  /** Upper edge of the bucket that holds the 99th of a hundred. */
  p99Us(): number {
    if (this.decisions === 0) return 0;
    let left = Math.ceil(this.decisions * 0.99);
    const at = this.#buckets.findIndex((count) => (left -= count) <= 0);
    return Math.round(2 ** (at / perOctave));
  }

  statistics(): SideStatistics {
    return { decisions: this.decisions, denied: this.#denied, asked: this.#asked, failed: this.#failed, latencyP99Us: this.p99Us() };
  }
}

/** Rates are quotients: at the edge of a band they must not be past it by a rounding. */
const past = (difference: number, band: number): boolean => difference > band + 1e-9;
const percent = (share: number): string => `${(share * 100).toFixed(1)} %`;
/** Looking for the 99th percentile costs a hundred additions; not every decision pays them. */
const latencyEvery = 16;

/** Why the canary has left its bands, with the figures; null while it has not, or too little was decided to tell. */
export const outOfBands = (live: Tally, canary: Tally, { bands, minimum }: CanaryTerms): string | null => {
  if (live.decisions < minimum || canary.decisions < minimum) return null;
  const after = `after ${canary.decisions} decisions of its own and ${live.decisions} of the live version`;
  if (past(Math.abs(canary.denyRate - live.denyRate), bands.denyRate))
    return `it denies ${percent(canary.denyRate)} of its calls, the live version ${percent(live.denyRate)}; the band is ${percent(bands.denyRate)} (${after})`;
  if (past(canary.failRate - live.failRate, bands.errorRate))
    return `policies fail in ${percent(canary.failRate)} of its decisions, in ${percent(live.failRate)} of the live version's; the band is ${percent(bands.errorRate)} (${after})`;
  if (canary.decisions % latencyEvery !== 0 && canary.decisions !== minimum) return null;
  const [late, usual] = [canary.p99Us(), live.p99Us()];
  return late - usual > bands.latencyP99Us ? `the 99th percentile of its decisions is ${late} us, the live version's ${usual} us; the band is ${bands.latencyP99Us} us (${after})` : null;
};

/** A session's place among all, 0..1: the same as long as its id, so that the same sessions stay with a canary (FNV-1a, mixed). */
export const placeOf = (session: string): number => {
  let hash = 0x811c9dc5;
  for (let at = 0; at < session.length; at++) hash = Math.imul(hash ^ session.charCodeAt(at), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32;
};
