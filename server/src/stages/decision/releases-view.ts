import { Fault, type Json, type JsonObject } from "@lanyard/contract";
import type { Store } from "../../base/store/port.ts";
import { posts, type Edition, type Post } from "./edition.ts";
import { documentOf, fromDocument, type Lineup } from "./lineup.ts";
import { changesBetween } from "./ownership.ts";
import type { Releases } from "./releases.ts";
import { versionNumbers, type PublishedVersion } from "./version.ts";

interface ViewDeps {
  readonly store: Store;
  readonly releases: Releases;
  readonly lineup: () => Lineup;
}

/** The version that the store remembers at a post: also offline, where nothing decides. Null when there is none, or it is the live folder's. */
const remembered = (store: Store, post: Post): number | null => fromDocument(store.get("setting", documentOf[post]))?.version ?? null;

const standsAt = (store: Store, version: number): Post[] => posts.filter((post) => remembered(store, post) === version);

const headOf = ({ releases, store }: ViewDeps, version: PublishedVersion): JsonObject => {
  const { version: number, base, author, at_ms, note, loosens } = version.statement;
  const second = version.approved && { by: version.approved.by, at_ms: version.approved.atMs };
  return { version: number, base, author, at_ms, note, loosens, second_person: second, waits: releases.waits(version), posts: standsAt(store, number) };
};

const line = (deps: ViewDeps, number: number): JsonObject => {
  try {
    return { ...headOf(deps, deps.releases.version(number)), signature: "verified" };
  } catch (error) {
    if (error instanceof Fault) return { version: number, signature: "broken", error: error.message }; // one bad line, and the others still show
    throw error;
  }
};

/** Published versions, newest first, at most `limit`. */
const releaseHistory = (deps: ViewDeps, limit: number): JsonObject => {
  const numbers = versionNumbers(deps.store);
  return { versions: numbers.slice(-limit).reverse().map((number) => line(deps, number)), older: Math.max(0, numbers.length - limit) };
};

/** What stands at each post, for people; null where nothing does. */
const postsView = (lineup: Lineup): JsonObject => {
  const { active, canary, shadow } = lineup;
  const shown = (post: Post): JsonObject | null => {
    const stands = lineup[post];
    return stands && { version: stands.version, bundle: stands.hash, policies: stands.policies, by: stands.by, since_ms: stands.sinceMs };
  };
  return {
    active: active && shown("active"),
    canary: canary && { ...shown("canary"), terms: snakes(canary.terms), statistics: snakes(canary.statistics) },
    shadow: shadow && { ...shown("shadow"), statistics: snakes(shadow.statistics) },
  };
};

/** The same JSON with keys as the API spells them. */
const snakes = (value: object): JsonObject =>
  Object.fromEntries(
    Object.entries(value).map(([key, item]: [string, Json]): [string, Json] => [
      key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
      typeof item === "object" && item !== null ? snakes(item) : item,
    ]),
  );

interface ShowOptions {
  /** With the text of every file. */
  readonly texts: boolean;
  /** Agents whose differences are told; null for all. */
  readonly agents: ReadonlySet<string> | null;
}

const shownDifferences = 20;

/** What the bundle at a post would have decided otherwise, the newest first. */
const differencesOf = (store: Store, bundle: string, sinceMs: number, agents: ShowOptions["agents"]): JsonObject[] =>
  store
    .entries({ types: ["bundle.difference"], sinceMs, newest: true, limit: 1000 })
    .flatMap((record) => (record.type === "bundle.difference" && record.beside === bundle && (agents?.has(record.agent) ?? true) ? [record] : []))
    .slice(-shownDifferences)
    .reverse()
    .map(({ seq, at_ms, agent, action, effect, beside_effect, policies, beside_policies, times }) => ({ seq, at_ms, agent, action, effect, beside_effect, policies, beside_policies, times }));

const filesOf = (edition: Edition, before: Edition | null, texts: boolean): JsonObject[] => {
  const changes = new Map(changesBetween(before, edition).map(({ file, change }) => [file, change]));
  const files = [...edition.policies, ...edition.tests].map(({ file, text }) => ({ file, bytes: Buffer.byteLength(text), change: changes.get(file) ?? "", ...(texts && { text }) }));
  const removed = [...changes].filter(([, change]) => change === "removed").map(([file]) => ({ file, bytes: 0, change: "removed" }));
  return [...files, ...removed];
};

/** The number of a version by what people call it. Throws Fault `not_found`, `invalid_request`. */
const numberOf = ({ releases, store }: ViewDeps, which: string): number => {
  if (/^[1-9]\d{0,8}$/.test(which)) return Number(which);
  if (which === "newest") return releases.newest() || absent("no version was published yet");
  const post = posts.find((name) => name === which);
  if (post === undefined) throw new Fault("invalid_request", `\`${which}\` is no version: write a number, active, shadow, canary, or newest`);
  const stands = fromDocument(store.get("setting", documentOf[post]));
  if (stands === null) return absent(post === "active" ? "nothing is in force" : `there is no ${post}`);
  return stands.version ?? absent("what is in force is the folder of policies as it was saved, not a published version");
};

const absent = (message: string): never => {
  throw new Fault("not_found", message);
};

/** All that is known of one version. Throws Fault `not_found`, and `internal` when it was changed on disk. */
const releaseView = (deps: ViewDeps, which: string, { texts, agents }: ShowOptions): JsonObject => {
  const { releases, store, lineup } = deps;
  const number = numberOf(deps, which);
  const version = releases.version(number);
  const { statement } = version;
  const before = statement.base === 0 ? null : releases.edition(statement.base);
  const stands = postsView(lineup());
  const at = Object.fromEntries(posts.flatMap((post): [string, Json][] => (lineup()[post]?.version === number ? [[post, stands[post] ?? null]] : [])));
  const shadow = lineup().shadow;
  return {
    ...headOf(deps, version),
    signature: "verified",
    why: [...statement.why],
    source: statement.source,
    bundle: statement.bundle,
    bundle_intact: store.getObject(statement.bundle) !== null,
    statement: version.address,
    signed: version.note,
    files: filesOf(releases.edition(number), before, texts),
    standing: at,
    differences: shadow?.version === number ? differencesOf(store, shadow.hash, shadow.sinceMs, agents) : [],
  };
};

/** Versions as the API lists and shows them, and what stands at the posts. */
export interface ReleaseViews {
  /** Newest first, at most `limit`. */
  history(limit: number): JsonObject;
  /** `which`: a number, or active, shadow, canary, newest. Throws Fault `not_found`, and `internal` when it was changed on disk. */
  show(which: string, options: ShowOptions): JsonObject;
  /** null where nothing stands. */
  posts(): JsonObject;
  /** Of these only what stands beside the active version, and only where something does. */
  beside(): JsonObject;
  /** Hash and version of what decides as soon as a daemon runs here; null when everything would be denied. */
  remembered(): JsonObject | null;
}

export const releaseViews = (deps: ViewDeps): ReleaseViews => ({
  history: (limit) => releaseHistory(deps, limit),
  show: (which, options) => releaseView(deps, which, options),
  posts: () => postsView(deps.lineup()),
  beside: () => {
    const { canary, shadow } = postsView(deps.lineup());
    return { ...(canary && { canary }), ...(shadow && { shadow }) };
  },
  remembered: () => {
    const stands = fromDocument(deps.store.get("setting", documentOf.active));
    return stands && { hash: stands.hash, version: stands.version };
  },
});
