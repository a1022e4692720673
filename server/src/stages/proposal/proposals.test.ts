import { newSigner } from "@lanyard/ledger";
import { expect, test } from "vitest";
import { stillClock } from "../../../../test/kits/clock.ts";
import { hash, yamlConfig } from "../../../../test/kits/approval.ts";
import { MemoryMedium, openMemory } from "../../base/store/memory.ts";
import { gatesWord, Proposals } from "./proposals.ts";

const yaml = `
version: 1
groups: { leads: {} }
users: { ana: { groups: [leads] }, ben: { groups: [leads] }, eve: {} }
limits: { workspaces: 2 }
`;
const size = { added: 1, changed: 0, removed: 0, renamed: 0, bytes: 1, refused: 0 };
const base = { base: hash("b"), files: 1, bytes: 1, left: 0 };
const sealed = { folder: "/srv/secret-project", paths: ["secret-name"] };
const passed = [{ gate: "secrets", passed: true, findings: 0 }];

async function world() {
  const clock = stillClock();
  const store = await openMemory({ clock, medium: new MemoryMedium(), signer: newSigner("lanyard.local/test"), tenant: clock.random(32) });
  const live = { config: yamlConfig(yaml) };
  const proposals = new Proposals({ store, config: () => live.config });
  const open = (session: string) => proposals.open({ session, agent: "coder", user: "ana" }, base);
  return { store, live, proposals, open };
}

test("a proposal is applied only whole: judged, passed, approved, as it was seen; every step is on record, and no path", async () => {
  const { store, live, proposals, open } = await world();
  await open("s1");
  await expect(open("s1")).rejects.toMatchObject({ code: "conflict" });
  await expect(proposals.apply("s1", hash("p"), "operator")).rejects.toMatchObject({ code: "conflict" });
  await proposals.propose("s1", hash("p"), size, sealed);
  await expect(proposals.apply("s1", hash("p"), "operator")).rejects.toThrow(/gates did not run/);
  await proposals.judge("s1", hash("p"), [...passed, { gate: "size", passed: false, findings: 1 }], [], "operator");
  await expect(proposals.apply("s1", hash("p"), "operator")).rejects.toThrow(/did not pass: size/);
  await proposals.judge("s1", hash("p"), passed, [["@leads", "eve"]], "operator");
  await expect(proposals.apply("s1", hash("p"), "operator")).rejects.toThrow(/lacks an approval of @leads or eve/);
  await expect(proposals.approve("s1", hash("p"), "ana")).rejects.toMatchObject({ code: "forbidden" });
  await proposals.approve("s1", hash("p"), "ben");
  await expect(proposals.approve("s1", hash("p"), "ben")).rejects.toMatchObject({ code: "conflict" });

  // Who approved has lost the voice; and a proposal that changed needs everything anew, while the same one keeps it.
  const before = live.config;
  live.config = yamlConfig(yaml.replace("ben: { groups: [leads] }", "ben: {}"));
  await expect(proposals.apply("s1", hash("p"), "operator")).rejects.toThrow(/lacks an approval/);
  live.config = before;
  await proposals.propose("s1", hash("p"), size, sealed);
  await expect(proposals.apply("s1", hash("q"), "operator")).rejects.toThrow(/has changed meanwhile/);
  await proposals.apply("s1", hash("p"), "operator");
  await expect(proposals.propose("s1", hash("q"), size, sealed)).rejects.toMatchObject({ code: "conflict" });
  await expect(proposals.discard("s1", "operator")).rejects.toMatchObject({ code: "conflict" });
  expect((await proposals.conclude("s1", "refused", "conflict", "operator")).state).toBe("proposed");
  await proposals.apply("s1", hash("p"), "operator");
  expect((await proposals.conclude("s1", "done", "", "operator")).state).toBe("applied");
  await expect(proposals.conclude("s1", "done", "", "operator")).rejects.toMatchObject({ code: "conflict" });
  await proposals.revert("s1", hash("p"), "operator");
  expect((await proposals.conclude("s1", "done", "", "operator")).state).toBe("reverted");
  await proposals.discard("s1", "operator");
  expect(proposals.list()).toEqual([]);

  const records = store.entries({ session: "s1" });
  expect(records.map(({ type }) => type.replace("workspace.", "")).join(" ")).toBe("open diff gate gate gate approve apply outcome apply outcome revert outcome discard");
  const intents = records.filter(({ type }) => type === "workspace.apply" || type === "workspace.revert").map(({ seq }) => seq);
  expect(records.flatMap((record) => (record.type === "workspace.outcome" ? [record.of] : []))).toEqual(intents);
  expect(JSON.stringify(records)).not.toContain("secret-");
  await store[Symbol.asyncDispose]();
});

test("a proposal that changed loses its gates and approvals", async () => {
  const { store, proposals, open } = await world();
  await open("s1");
  await proposals.propose("s1", hash("p"), size, sealed);
  await proposals.judge("s1", hash("p"), passed, [["ben"]], "operator");
  await proposals.approve("s1", hash("p"), "ben");
  expect(await proposals.propose("s1", hash("q"), size, sealed)).toMatchObject({ gates: [], needs: [], approvals: [] });
  await expect(proposals.judge("s1", hash("p"), passed, [], "operator")).rejects.toThrow(/has changed meanwhile/);
  await store[Symbol.asyncDispose]();
});

test("as many workspaces as the limit wait, one more is refused until one is discarded", async () => {
  const { store, proposals, open } = await world();
  await open("s1");
  await open("s2");
  await expect(open("s3")).rejects.toThrow(/2 workspaces wait to be applied or discarded, the limit workspaces/);
  await proposals.discard("s1", "operator");
  await open("s3");
  await store[Symbol.asyncDispose]();
});

test("the word of the gates is that of lanyard.yaml as the daemon has it, and no other's", async () => {
  const { live, proposals } = await world();
  expect(proposals.gates()).toBe(gatesWord(yamlConfig(yaml).gates));
  expect(gatesWord(yamlConfig(`${yaml}gates: { protected: ["!*"] }`).gates)).not.toBe(proposals.gates());
  live.config = yamlConfig(`${yaml}gates: { max_files: 1 }`);
  expect(gatesWord(yamlConfig(yaml).gates)).not.toBe(proposals.gates());
});
