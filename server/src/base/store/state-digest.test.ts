import fc from "fast-check";
import { expect, test } from "vitest";
import { stateTag } from "./draft.ts";
import { afterChanges, noState } from "./state-digest.ts";

// Few keys, so that documents change, go and come back.
const change = fc.tuple(fc.nat(20).map((key) => stateTag("session", `${key}`)), fc.option(fc.constantFrom("a", "b", "c")));
const changes = fc.array(change, { maxLength: 40 });

test("depends on the newest commitments only, not on the way there", () => {
  fc.assert(fc.property(fc.array(changes, { maxLength: 5 }), (commits) => {
    const newest = new Map<string, string>();
    for (const [tag, commitment] of commits.flat()) {
      if (commitment === null) newest.delete(tag);
      else newest.set(tag, commitment);
    }
    const atOnce = afterChanges(noState, [...newest].reverse());
    expect(commits.reduce(afterChanges, noState).line).toBe(atOnce.line);
  }));
});

test("differs where one document does", () => {
  fc.assert(fc.property(changes, change, (before, [tag, commitment]) => {
    const digest = afterChanges(noState, before);
    const known = digest.buckets.reduce<string | null>((found, bucket) => bucket.get(tag) ?? found, null);
    expect(afterChanges(digest, [[tag, commitment]]).line === digest.line).toBe(known === commitment);
  }));
});

test("leaves the digest before a change as it was", () => {
  const tag = stateTag("approval", "one");
  const before = afterChanges(noState, [[tag, "a"]]);
  const { line } = before;
  afterChanges(before, [[tag, "b"], [stateTag("approval", "two"), "c"]]);
  expect([before.line, afterChanges(before, [[tag, null]]).line]).toEqual([line, noState.line]);
});
