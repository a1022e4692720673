import { isObject, type Json, type JsonObject } from "@lanyard/contract";
import type { Note, PolicyProblem, Snapshot } from "@lanyard/policy";
import type { CanaryTerms, Edition, Post } from "./edition.ts";
import type { Shadow, ShadowStatistics } from "./shadow.ts";
import type { SideStatistics, Tally } from "./tally.ts";

/** A bundle at its post: its address, how many policies it has, since when and by whom it stands there, what its authors should look at. */
export interface Standing {
  readonly hash: string;
  /** Null for the policies of the live folder. */
  readonly version: number | null;
  readonly snapshot: Snapshot;
  readonly policies: number;
  readonly by: string;
  readonly sinceMs: number;
  readonly warnings: readonly PolicyProblem[];
  readonly notes: readonly Note[];
  /** Its sources; null where the folder has them. */
  readonly edition: Edition | null;
  /** Address of the sources in the store; null where they are not kept. */
  readonly sources: string | null;
  /** Which posting brought it here: of two, the later one stays. */
  readonly ticket: number;
}

/** A bundle that decides for some sessions, and what it and the active one have decided since it does. */
export interface CanaryStanding extends Standing {
  readonly terms: CanaryTerms;
  readonly tallies: { readonly live: Tally; readonly canary: Tally };
}

/** A bundle that decides beside. */
export interface ShadowStanding extends Standing {
  readonly watch: Shadow;
}

/** What stands at each post at one moment. A new one is made for each change, so that whoever holds one has one that fits together. */
export interface Line {
  readonly active: Standing | null;
  readonly canary: CanaryStanding | null;
  readonly shadow: ShadowStanding | null;
}

/** What stands at a post, for people. */
interface Shown extends Pick<Standing, "hash" | "version" | "policies" | "by" | "sinceMs" | "snapshot" | "warnings"> {}

/** What stands at each post; null where nothing does. Statistics count since it was posted or the daemon started, and a canary's since the active version last changed. */
export interface Lineup {
  readonly active: Shown | null;
  readonly canary: (Shown & { readonly terms: CanaryTerms; readonly statistics: { readonly live: SideStatistics; readonly canary: SideStatistics } }) | null;
  readonly shadow: (Shown & { readonly statistics: ShadowStatistics }) | null;
}

const shown = ({ hash, version, policies, by, sinceMs, snapshot, warnings }: Standing): Shown => ({ hash, version, policies, by, sinceMs, snapshot, warnings });

export const lineupOf = ({ active, canary, shadow }: Line): Lineup => ({
  active: active && shown(active),
  canary: canary && { ...shown(canary), terms: canary.terms, statistics: { live: canary.tallies.live.statistics(), canary: canary.tallies.canary.statistics() } },
  shadow: shadow && { ...shown(shadow), statistics: shadow.watch.statistics() },
});

/** What the store remembers of a post. */
export interface Remembered {
  readonly hash: string;
  readonly version: number | null;
  /** Address of the sources. */
  readonly sources: string | null;
  readonly by: string;
  readonly sinceMs: number;
  readonly terms: CanaryTerms | null;
  /** Bundles of the sources that were active last, newest first: digest of the sources, address of the bundle. */
  readonly recent: readonly (readonly [digest: string, bundle: string])[];
}

/** Key of a post's document among the settings. */
export const documentOf: { readonly [P in Post]: string } = { active: "bundle", canary: "canary", shadow: "shadow" };

export const toDocument = ({ hash, version, sources, by, sinceMs, terms, recent }: Remembered): JsonObject => ({
  hash,
  version,
  sources,
  by,
  since_ms: sinceMs,
  ...(terms !== null && { terms: terms as unknown as Json }),
  ...(recent.length > 0 && { recent: recent.map((pair) => [...pair]) }),
});

/** Reads a document back. The ledger vouches for it, so only what its form decides is looked at. */
export const fromDocument = (value: JsonObject | null): Remembered | null => {
  if (value === null || typeof value["hash"] !== "string") return null;
  const { hash, version, sources, by, since_ms, terms, recent } = value as { readonly [key: string]: Json } & { readonly hash: string };
  return {
    hash,
    version: typeof version === "number" ? version : null,
    sources: typeof sources === "string" ? sources : null,
    by: typeof by === "string" ? by : "operator",
    sinceMs: typeof since_ms === "number" ? since_ms : 0,
    terms: isObject(terms) ? (terms as unknown as CanaryTerms) : null,
    recent: Array.isArray(recent) ? (recent as unknown as Remembered["recent"]) : [],
  };
};
