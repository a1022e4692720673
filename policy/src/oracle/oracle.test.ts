import type { DecisionInput, JsonObject } from "@lanyard/contract";
import { afterAll, describe, expect, it } from "vitest";
import { compile } from "../author/compile.ts";
import { decodeBundle, encodeBundle } from "../bundle.ts";
import { openSnapshot } from "../decide/snapshot.ts";
import type { ApprovedTool } from "../schema/schema.ts";
import { CedarJudge } from "./judge.ts";
import { agree, Oracle, type BundleSource, type OracleOptions } from "./oracle.ts";

const after: OracleOptions["after"] = (ms, task) => {
  const timer = setTimeout(task, ms);
  return { cancel: () => clearTimeout(timer) };
};
/** A clock that never strikes. */
const never: OracleOptions["after"] = () => ({ cancel: () => {} });

const tools = ["read", "write"].map(
  (tool): ApprovedTool => ({
    server: "files",
    tool,
    definition: "d",
    inputSchema: { type: "object", properties: { path: { type: "string" }, size: { type: "integer" } } },
    contract: { effects: [tool === "read" ? "read" : "write"], reversibility: "unknown", ...(tool === "read" ? { resource: { type: "Folder", argument: ["path"] } } : {}) },
  }),
);
const bundleOf = (text: string): { hash: string; bytes: Uint8Array } => {
  const compiled = compile({ servers: ["files"], tools, policies: [{ file: "p.cedar", text }] });
  if (!compiled.ok) throw new Error(compiled.errors.map(({ message }) => message).join("; "));
  return compiled;
};
const inputOf = (args: JsonObject, more: Partial<DecisionInput> = {}): DecisionInput => ({
  agent: { id: "bot", team: "shop", classes: ["worker"] },
  user: { id: "ana", groups: ["staff"] },
  session: { id: "s", purpose: "", depth: 0, labels: [], isolation: "none" },
  action: "files/write",
  args,
  approvals: [],
  nowMs: 1_790_000_000_000,
  ...more,
});
const program = (source: string): URL => new URL(`data:text/javascript,${encodeURIComponent(`import { parentPort } from "node:worker_threads"; ${source}`)}`);

const text = `
@id("write") permit (principal in AgentClass::"worker", action, resource) when { context.input has path };
@id("secret") forbid (principal, action in Action::"write", resource) when { context.input has path && context.input.path like "*secret*" };
@id("large") @remedy("approval:leads") @reason("Large files need a lead.")
forbid (principal, action == Action::"files/write", resource) when { context.input has size && context.input.size * 4611686018427387904 > 0 } unless { context.approvals.contains(Group::"leads") };
@id("labelled") forbid (principal, action == Action::"files/read", resource) when { resource.labels.contains("pii") && resource has owner && resource.owner == Team::"hr" };
@id("mode") forbid (principal == Agent::"other", action, resource) when { context.input has size && context.input.size == 0 };`;
const bundle = bundleOf(text);
const source: BundleSource = { hash: bundle.hash, bytes: () => bundle.bytes };
/** A bundle of one permit, of this name. */
const renamed = (id: string): { hash: string; bytes: Uint8Array } => encodeBundle({ ...single, policies: single.policies.map((policy) => ({ ...policy, id })) });
const single = decodeBundle(bundleOf('@id("single") permit (principal, action, resource);').bytes);
const folder = (id: string, labels: string[] = [], owner: string | null = null) => ({ type: "Folder", id, labels, owner });

const oracle = new Oracle({ after });
afterAll(() => oracle[Symbol.asyncDispose]());

describe("the oracle", () => {
  const cases: Record<string, DecisionInput> = {
    allowed: inputOf({ path: "a" }),
    forbidden: inputOf({ path: "a secret" }),
    "asked for approval": inputOf({ path: "a", size: 1 }),
    approved: inputOf({ path: "a", size: 1 }, { approvals: ["leads"] }),
    "in error": inputOf({ path: "a", size: 2 }),
    "of nobody": inputOf({ path: "a" }, { agent: { id: "x", team: "y", classes: [] } }),
    "on two resources": inputOf({ path: "a" }, { action: "files/read", resources: [folder("a"), folder("b", ["pii"], "hr")] }),
    "on a resource that nobody owns": inputOf({ path: "a" }, { action: "files/read", resources: [folder("b", ["pii"])] }),
    "on no resource where one is due": inputOf({ path: "a" }, { action: "files/read" }),
    "on an unknown action": inputOf({}, { action: "files/burn" }),
    "of another definition": inputOf({ path: "a" }, { definition: "e" }),
    "with arguments of another type": inputOf({ path: 1 }),
    "with an undeclared argument that nobody speaks about": inputOf({ path: "a", mood: "blue" }),
    "with an undeclared argument that a policy speaks about": inputOf({ path: "a" }, { action: "files/mcp:resources/read" }),
    "of a request with what policy is not shown": inputOf({ size: 1 }, { action: "files/mcp:resources/read" }),
    "of a request with what a policy for others is not shown": inputOf({ size: 1, path: "p" }, { action: "files/mcp:resources/read", agent: { id: "other", team: "shop", classes: [] } }),
    "past the year 9999": inputOf({ path: "a" }, { nowMs: 8.64e15 }),
  };

  it.each(Object.entries(cases))("decides what is %s as a snapshot does", async (_, input) => {
    expect(await oracle.judge(source, input)).toEqual(openSnapshot(bundle.bytes).decide(input));
  });

  it("judges by the bundle that is named, whatever came before", async () => {
    const other = bundleOf('@id("none") forbid (principal, action, resource);');
    const [one, two, three] = await Promise.all([oracle.judge(source, inputOf({ path: "a" })), oracle.judge({ hash: other.hash, bytes: () => other.bytes }, inputOf({ path: "a" })), oracle.judge(source, inputOf({ path: "a" }))]);
    expect([one.effect, two.effect, three.effect]).toEqual(["allow", "deny", "allow"]);
    expect(two.reasons).toEqual([{ policy: "none", text: "", remedy: "" }]);
  });

  it("asks for a bundle's bytes once, and says when they are gone", async () => {
    let asked = 0;
    const counted = { ...source, bytes: () => ((asked += 1), bundle.bytes) };
    await using fresh = new Oracle({ after });
    await fresh.judge(counted, inputOf({}));
    await fresh.judge(counted, inputOf({}));
    expect(asked).toBe(1);
    await expect(fresh.judge({ hash: "gone", bytes: () => null }, inputOf({}))).rejects.toMatchObject({ code: "engine_unavailable" });
  });

  it("keeps four bundles and gets a fifth again when it is asked for", async () => {
    await using fresh = new Oracle({ after });
    const asked: number[] = [];
    const several = Array.from({ length: 5 }, (_, index) => ({ ...renamed(`p${index}`), index }));
    for (const { hash, bytes, index } of [...several, ...several.slice(0, 1), ...several.slice(2)]) {
      const { reasons } = await fresh.judge({ hash, bytes: () => (asked.push(index), bytes) }, inputOf({}));
      expect(reasons.map(({ policy }) => policy)).toEqual([`p${index}`]);
    }
    expect(asked).toEqual([0, 1, 2, 3, 4, 0]);
  });

  it("outnumbers its sets and still judges each bundle by its own", () => {
    const judge = new CedarJudge();
    const bundles = Array.from({ length: 75 }, (_, index) => renamed(`p${index}`));
    for (let index = 0; index < 150; index += 1) {
      const { hash, bytes } = bundles[index % 75] ?? bundle;
      judge.load(hash, bytes);
      expect(judge.judge(hash, inputOf({})).reasons.map(({ policy }) => policy)).toEqual([`p${index % 75}`]);
    }
  });
});

describe("agreement", () => {
  it("minds everything but the words of errors", () => {
    const [one, two] = [openSnapshot(bundle.bytes).decide(inputOf({ path: "a", size: 2 })), openSnapshot(bundle.bytes).decide(inputOf({ path: "a", size: 1 }))];
    expect(agree(one, { ...one, errors: one.errors.map(({ policy }) => ({ policy, message: "other words" })) })).toBe(true);
    expect([agree(one, two), agree(two, { ...two, approvers: [] }), agree(two, { ...two, reasons: [] }), agree(two, { ...two, effect: "deny" }), agree(one, { ...one, errors: [] })]).toEqual([false, false, false, false, false]);
  });
});

describe("when the thread fails", () => {
  const kept = `const kept = (hash) => parentPort.postMessage({ kept: [hash] });`;

  it("a crash rejects what was being judged, and the next question has a new thread", async () => {
    await using broken = new Oracle({ after: never, program: program(`${kept} parentPort.on("message", ({ kind, hash, input }) => { if (kind === "load") kept(hash); else if (input.includes("poison")) process.exit(3); else parentPort.postMessage({ decision: "{}" }); });`) });
    const three = await Promise.allSettled(["a", "poison", "b"].map((path) => broken.judge(source, inputOf({ path }))));
    expect(three.map((one) => (one.status === "rejected" ? one.reason.code : "judged"))).toEqual(["judged", "engine_unavailable", "judged"]);
  });

  it("a hang is noticed", async () => {
    const strikes: (() => void)[] = [];
    await using hung = new Oracle({ after: (_, task) => (strikes.push(task), { cancel: () => {} }), program: program(`parentPort.on("message", () => {});`) });
    const waiting = hung.judge(source, inputOf({}));
    while (strikes.length === 0) await Promise.resolve();
    strikes[0]?.();
    await expect(waiting).rejects.toThrow("did not answer within");
  });

  it("lets no more than a number of questions wait", async () => {
    const closing = new Oracle({ after: never, waiting: 3, program: program(`parentPort.on("message", () => {});`) });
    const four = Promise.allSettled(Array.from({ length: 4 }, () => closing.judge(source, inputOf({}))));
    await expect(closing.judge(source, inputOf({}))).rejects.toThrow("too many");
    await closing[Symbol.asyncDispose]();
    expect((await four).map((one) => one.status === "rejected" && one.reason.message)).toEqual(["the oracle failed", "the oracle is closed", "the oracle is closed", "too many decisions wait for a second opinion"]);
    await expect(closing.judge(source, inputOf({}))).rejects.toThrow("the oracle is closed");
  });

  it("a program that does not start rejects", async () => {
    await using none = new Oracle({ after: never, program: new URL("file:///nowhere/at-all.js") });
    await expect(none.judge(source, inputOf({}))).rejects.toMatchObject({ code: "engine_unavailable" });
  });
});
