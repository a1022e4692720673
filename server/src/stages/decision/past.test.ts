import type { DecisionInput } from "@lanyard/contract";
import { compile, openSnapshot } from "@lanyard/policy";
import { expect, it } from "vitest";
import { PastBundles } from "./past.ts";

const bytesOf = (text: string): Uint8Array => {
  const compiled = compile({ servers: ["s"], tools: [], policies: [{ file: "p.cedar", text }] });
  if (!compiled.ok) throw new Error("does not compile");
  return compiled.bytes;
};
const input: DecisionInput = {
  agent: { id: "bot", team: "t", classes: [] }, user: { id: "ana", groups: [] }, session: { id: "s", purpose: "", depth: 1, labels: [], isolation: "none" },
  action: "s/mcp:prompts/get", args: {}, approvals: [], nowMs: 0,
};

it("tells what a bundle of the past said, and why", async () => {
  const [now, then] = ["one", "two"].map((id) => bytesOf(`@id("${id}") permit (principal, action, resource) when { context.session.depth == 1 };`)) as [Uint8Array, Uint8Array];
  const objects = new Map([now, then].map((bytes) => [openSnapshot(bytes).hash, bytes]));
  const active = openSnapshot(now);
  let read = 0;
  const past = new PastBundles({ store: { getObject: (hash) => ((read += 1), objects.get(hash) ?? null) }, active: () => active });
  const thenHash = openSnapshot(then).hash;

  expect([past.policy(thenHash, "two")?.line, past.policy(thenHash, "one"), past.policy("none", "one")]).toEqual([1, null, null]);
  expect((await past.snapshot(active.hash))?.explain(input) ?? null).toMatchObject([{ policy: "one", facts: ["context.session.depth = 1"] }]);
  expect(read).toBe(2); // the active one is not read again
  expect((await past.snapshot(thenHash))?.explain(input) ?? null).toMatchObject([{ policy: "two" }]);
  expect((await past.snapshot(thenHash))?.explain(input) ?? null).toMatchObject([{ policy: "two" }]);
  expect(read).toBe(3);
  expect((await past.snapshot("none"))?.explain(input) ?? null).toBeNull();
});

it("keeps no more bytes at hand than it may", () => {
  const small = bytesOf('@id("one") permit (principal, action, resource);');
  const reads: string[] = [];
  const past = new PastBundles({ store: { getObject: (hash) => (reads.push(hash), small) }, active: () => null, keptBytes: small.length * 2 });
  for (const hash of ["a", "b", "a", "b", "c", "b", "a"]) past.policy(hash, "one");
  expect(reads).toEqual(["a", "b", "c", "a"]);
});

it("takes a bundle of an old form for one that is gone", async () => {
  const past = new PastBundles({ store: { getObject: () => new TextEncoder().encode('{"v":2}\n') }, active: () => null });
  expect([past.policy("old", "one"), (await past.snapshot("old"))?.explain(input) ?? null]).toEqual([null, null]);
});
