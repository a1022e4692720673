import { Fault } from "@lanyard/contract";
import type { Snapshot } from "@lanyard/policy";
import type { Store } from "../../base/store/port.ts";
import { readVersion, type PublishedVersion } from "./version.ts";

/** Whether one set of the organisation's policies allows what another does not, or nobody can say; `why` is for people to read. */
export interface TierVerdict {
  readonly loosens: boolean;
  readonly why: readonly string[];
}

/** Compares the organisation's tier of two bundles, over all possible calls and over recorded ones. */
export type CompareTiers = (before: Snapshot, after: Snapshot) => Promise<TierVerdict>;

/** Whether the org tier of `version` may be put over `over` (null: nothing is in force) without asking anybody: it is the same, or somebody else has said yes to it over just that. */
export const isCleared = (store: Store, { statement: { org } }: PublishedVersion, over: string | null): boolean =>
  org === over || store.list("release").some(({ value }) => {
    const given = value["approved"] as { over: string | null } | null;
    return value["org"] === org && given !== null && given.over === over;
  });

/**
 * Everybody who changed the organisation's policies between what is in force and this version, and who published it: none of them is its
 * second person. What somebody else has approved on the way is no longer anybody's alone. `active` is the version in force, or null.
 */
export const authorsOf = (store: Store, version: PublishedVersion, active: number | null): ReadonlyMap<string, number> => {
  const authors = new Map([[version.statement.author, version.statement.version]]);
  for (let at = version; ; ) {
    const { base, author, org, version: number } = at.statement;
    if (at !== version && (at.approved !== null || number === active)) break;
    const before = base === 0 ? null : readVersion(store, base);
    if (before?.statement.org !== org && !authors.has(author)) authors.set(author, number);
    if (before === null) break;
    at = before;
  }
  return authors;
};

/** Throws Fault `forbidden` unless `user` may be the second person of `version`; `conflict` when it needs none over what is in force. */
export const demandSecondPerson = (store: Store, version: PublishedVersion, user: string, inForce: { readonly version: number | null; readonly org: string | null }): void => {
  const { version: number, org } = version.statement;
  const own = authorsOf(store, version, inForce.version).get(`user:${user}`);
  if (own === number) throw new Fault("forbidden", `approving version ${number}: \`${user}\` published it, and the second person is another`, { remedy: "" });
  if (own !== undefined) throw new Fault("forbidden", `approving version ${number}: it holds what \`${user}\` changed in version ${own}, and the second person is another`, { remedy: "" });
  if (org === inForce.org) throw new Fault("conflict", `version ${number} changes nothing of the organisation's policies in force, so it needs no second person`, { remedy: "" });
};
