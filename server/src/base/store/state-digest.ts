import { hash } from "node:crypto";

type Bucket = ReadonlyMap<string, string>;

/** The newest commitment to each state document, in 256 buckets by the first byte of its tag: one change rehashes one bucket. */
export interface StateDigest {
  readonly buckets: readonly Bucket[];
  readonly hashes: readonly Uint8Array[];
  /**
   * `state <base64>`, an extension line of every checkpoint (C2SP tlog-checkpoint). It follows from the records alone, so an auditor
   * computes it again from them; a daemon that starts holds its documents against it without reading one record.
   */
  readonly line: string;
}

const hashed = (bucket: Bucket): Uint8Array => hash("sha256", [...bucket].map((pair) => pair.join(":")).sort().join("\n"), "buffer");
const lineOf = (hashes: readonly Uint8Array[]): string => `state ${hash("sha256", Buffer.concat(hashes), "base64")}`;

const none = Array.from({ length: 256 }, (): Bucket => new Map());
const noneHashed = none.map(hashed);

/** Of no documents. */
export const noState: StateDigest = { buckets: none, hashes: noneHashed, line: lineOf(noneHashed) };

/** The digest after changes as records carry them (`LedgerRecord.state`), in order. `before` stays as it is: a commit may fail. */
export const afterChanges = (before: StateDigest, changes: readonly (readonly [tag: string, commitment: string | null])[]): StateDigest => {
  if (changes.length === 0) return before;
  const touched = new Map<number, Map<string, string>>();
  for (const [tag, commitment] of changes) {
    const at = Buffer.from(tag.slice(0, 2), "base64url")[0] ?? 0;
    const bucket = touched.get(at) ?? new Map(before.buckets[at]);
    touched.set(at, bucket);
    if (commitment === null) bucket.delete(tag);
    else bucket.set(tag, commitment);
  }
  const buckets = before.buckets.map((bucket, at) => touched.get(at) ?? bucket);
  const hashes = before.hashes.map((known, at) => (touched.has(at) ? hashed(buckets[at] as Bucket) : known));
  return { buckets, hashes, line: lineOf(hashes) };
};
