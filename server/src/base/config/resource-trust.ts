import type { ResourceFact } from "@lanyard/contract";

/** Of one type, whose word what is read in a resource is: `true` as good as the organisation's own, `false` a stranger's. */
export interface ResourceTrust {
  /** By the name of one. */
  readonly named: ReadonlyMap<string, boolean>;
  /** By how names begin, as `placeOf` has them, the longest first. */
  readonly beginning: readonly (readonly [string, boolean])[];
  /** Of every other. */
  readonly others: boolean;
}

/** Whether a name of resources stands for all that begin so: `/work/*`. `*` alone is every other. */
export const isBeginning = (id: string): boolean => id.length > 1 && id.endsWith("*");

/** Entries of one type by name, as the configuration has them; of one that says nothing, nothing is trusted. */
export function resourceTrust(entries: Readonly<Record<string, { readonly yields?: { readonly trust?: "trusted" | "untrusted" | undefined } | undefined }>>): ResourceTrust {
  const said = Object.entries(entries).map(([id, { yields }]) => [id, yields?.trust === "trusted"] as const);
  return {
    named: new Map(said.filter(([id]) => !isBeginning(id))),
    beginning: said.flatMap(([id, is]) => (isBeginning(id) ? [[placeOf(id.slice(0, -1)) ?? "", is] as const] : [])).sort(([a], [b]) => b.length - a.length),
    others: entries["*"]?.yields?.trust === "trusted",
  };
}

/** Whether what is read in a resource is trusted: by its name, by the longest beginning of it, or as all others are. */
export function isTrustedPlace(trust: ReadonlyMap<string, ResourceTrust>, { type, id }: Pick<ResourceFact, "type" | "id">): boolean {
  const ofType = trust.get(type);
  if (ofType === undefined) return false;
  const own = ofType.named.get(id);
  if (own !== undefined) return own;
  if (ofType.beginning.length > 0) {
    const place = placeOf(id);
    if (place === null) return false;
    const found = ofType.beginning.find(([beginning]) => place.startsWith(beginning));
    if (found !== undefined) return found[1];
  }
  return ofType.others;
}

/** A name as it is compared with such beginnings: without regard to case, as a path without what leads nowhere; null where it may lead elsewhere. */
const placeOf = (id: string): string | null => (/[\\%]|(?:^|\/)\.\.(?:\/|$)/.test(id) ? null : id.toLowerCase().replace(/\/(?:\.?\/)+/g, "/").replace(/^(?:\.?\/)+/, ""));
