import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Registry, DecisionInput, LedgerRecord } from "@lanyard/contract";
import type { ApprovedTool, ToolSet } from "@lanyard/policy";
import { afterEach, describe, expect, it, vi } from "vitest";
import { systemClock } from "../../base/clock.ts";
import { defaultLimits, type Limits } from "../../base/limits.ts";
import { silent } from "../../base/log.ts";
import { MemoryMedium, openMemory } from "../../base/store/memory.ts";
import type { Store } from "../../base/store/port.ts";
import { markOf, readPolicies } from "../../base/policies.ts";
import { DecisionStage } from "./stage.ts";

const toolNamed = (tool: string): ApprovedTool => ({
  server: "files",
  tool,
  definition: "d",
  inputSchema: { type: "object", properties: { path: { type: "string" } } },
  contract: { effects: [], reversibility: "unknown" },
});
const inputOf = (action = "files/read"): DecisionInput => ({
  agent: { id: "bot", team: "shop", classes: [] },
  user: { id: "ana", groups: [] },
  session: { id: "s", purpose: "", depth: 0, labels: [], isolation: "none" },
  action,
  args: {},
  approvals: [],
  nowMs: 1_790_000_000_000,
});
const nobody: Registry = { agents: {}, users: {}, teams: {}, groups: {}, owners: [], resources: {} };
const allowAll = '@id("all") permit (principal, action, resource);';
const denyAll = '@id("none") @reason("Closed today.") forbid (principal, action, resource);';

const open: AsyncDisposable[] = [];
const folders: string[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one[Symbol.asyncDispose]();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

interface Setting {
  readonly folder: string;
  readonly store: Store;
  readonly stage: DecisionStage;
  readonly records: () => LedgerRecord[];
}

const begin = async ({ files = {}, store, catalog, limits }: { files?: Record<string, string>; store?: Store; catalog?: () => ToolSet; limits?: Partial<Limits> }): Promise<Setting> => {
  const folder = mkdtempSync(join(tmpdir(), "lanyard-policies-"));
  folders.push(folder);
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  const kept = store ?? (await openMemory());
  if (!store) open.push(kept);
  const tools = { servers: ["files"], tools: [toolNamed("read")] };
  const stage = new DecisionStage({ store: kept, clock: systemClock, log: silent, policyDir: folder, ground: () => ({ ...(catalog?.() ?? tools), registry: nobody }), limits: { ...defaultLimits, ...limits } });
  open.push(stage);
  await stage.start();
  return { folder, store: kept, stage, records: () => kept.entries({ types: ["bundle.activate", "bundle.refuse"] }) };
};
const effectOf = (stage: DecisionStage, action?: string): string => stage.decide(inputOf(action)).decision.effect;

describe("policies in force", () => {
  it("are recorded and kept before they decide", async () => {
    const { stage, store, records } = await begin({ files: { "a.cedar": allowAll } });
    const hash = stage.active()?.hash ?? "";
    expect(records()).toMatchObject([{ type: "bundle.activate", bundle: hash, before: null, policies: 1, by: "operator" }]);
    expect(store.getObject(hash)).not.toBeNull();
    expect(stage.decide(inputOf())).toMatchObject({ bundle: hash, decision: { effect: "allow", reasons: [{ policy: "all" }] } });
    expect(stage.visible(inputOf().agent, ["files/write", "files/read"])).toEqual(["files/read"]);
  });

  it("are none where the first ones are wrong: everything is denied, with the place", async () => {
    const { stage, records } = await begin({ files: { "a.cedar": "\n  permit nobody;" } });
    const { decision, bundle } = stage.decide(inputOf());
    expect(bundle).toBeNull();
    expect(decision).toMatchObject({ effect: "deny", errors: [{ policy: "lanyard.bundle", message: expect.stringContaining("a.cedar:2:10: unexpected token") }] });
    expect(records()).toMatchObject([{ type: "bundle.refuse", errors: 1, first: expect.stringContaining("a.cedar:2:10") }]);
    expect(stage.visible(inputOf().agent, ["files/read"])).toEqual([]);
  });

  it("deny everything in an empty folder", async () => {
    const { stage } = await begin({});
    expect(stage.decide(inputOf())).toMatchObject({ bundle: stage.active()?.hash, decision: { effect: "deny", reasons: [], errors: [] } });
  });

  it("are none where the folder is missing", async () => {
    const store = await openMemory();
    open.push(store);
    const stage = new DecisionStage({ store, clock: systemClock, log: silent, policyDir: "/nowhere/at/all", ground: () => ({ servers: [], tools: [], registry: nobody }) });
    open.push(stage);
    await stage.start();
    expect(stage.decide(inputOf()).decision.errors[0]?.message).toContain("cannot read the folder of policies `/nowhere/at/all`: it is not there");
    expect(store.entries({ types: ["bundle.refuse"] })).toHaveLength(1);
  });

  it("survive a restart when the newest ones are wrong", async () => {
    const store = await openMemory();
    open.push(store);
    const { stage } = await begin({ files: { "a.cedar": allowAll }, store });
    const hash = stage.active()?.hash;
    const second = await begin({ files: { "a.cedar": "permit" }, store });
    expect(second.stage.active()?.hash).toBe(hash);
    expect(second.stage.refusal()[0]).toContain("a.cedar:1:");
    expect(await effectOf(second.stage)).toBe("allow");
  });

  it("are recorded once, however often the same ones start", async () => {
    const { store, records } = await begin({ files: { "a.cedar": allowAll } });
    await begin({ files: { "a.cedar": allowAll }, store });
    expect(records()).toHaveLength(1);
  });
});

describe("a change", () => {
  it("of a file goes live by itself, and no call is dropped meanwhile", async () => {
    const { stage, folder, records } = await begin({ files: { "a.cedar": allowAll } });
    const first = stage.active()?.hash;
    const seen = new Set<string>();
    let calls = 0;
    writeFileSync(join(folder, "new"), denyAll);
    renameSync(join(folder, "new"), join(folder, "a.cedar"));
    while (!seen.has("deny")) {
      const { decision, bundle } = stage.decide(inputOf());
      expect(decision.errors).toEqual([]);
      expect(bundle).not.toBeNull();
      seen.add(decision.effect);
      calls += 1;
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(calls).toBeGreaterThan(1);
    expect(records()).toMatchObject([{ bundle: first, before: null }, { bundle: stage.active()?.hash, before: first }]);
  });

  it("that is wrong is refused with its place, once; the right one after it goes live", async () => {
    const { stage, folder, records } = await begin({ files: { "a.cedar": allowAll } });
    const before = stage.active();
    mkdirSync(join(folder, "team"));
    writeFileSync(join(folder, "team", "b.cedar"), `${denyAll}\n@id("x") forbid (principal, action, resource) when { context.nope };`);
    await vi.waitFor(() => expect(stage.refusal()).toHaveLength(1), 10_000);
    expect(stage.refusal()[0]).toMatch(/^team\/b\.cedar:2:\d+: attribute `nope`/);
    await stage.recompile("catalog changed");
    expect(stage.active()).toEqual(before);
    expect(records().map(({ type }) => type)).toEqual(["bundle.activate", "bundle.refuse"]);
    expect(await effectOf(stage)).toBe("allow");
    writeFileSync(join(folder, "team", "b.cedar"), denyAll);
    await vi.waitFor(async () => expect(await effectOf(stage)).toBe("deny"), 10_000);
    expect(stage.refusal()).toEqual([]);
  });

  it("of the catalog is taken up when it is told", async () => {
    const tools = [toolNamed("read")];
    const { stage, records } = await begin({ files: { "a.cedar": '@id("w") permit (principal, action == Action::"files/write", resource);' }, catalog: () => ({ servers: ["files"], tools }) });
    expect(stage.active()?.warnings.map(({ message }) => message)).toEqual(["no catalog knows the action `files/write`"]);
    expect(stage.decide(inputOf("files/write")).decision.errors[0]?.policy).toBe("lanyard.catalog");
    tools.push(toolNamed("write"));
    await Promise.all([stage.recompile("catalog changed"), stage.recompile("catalog changed"), stage.recompile("catalog changed")]);
    expect(await effectOf(stage, "files/write")).toBe("allow");
    expect(records()).toMatchObject([{ by: "operator" }, { by: "lanyard" }]);
  });

  it("is not in force before it is on record", async () => {
    const medium = new MemoryMedium();
    const store = await openMemory({ medium });
    open.push(store);
    medium.failure = new Error("disk full");
    const { stage } = await begin({ files: { "a.cedar": allowAll }, store });
    expect(stage.active()).toBeNull();
    expect(await effectOf(stage)).toBe("deny");
    medium.failure = null;
    await stage.recompile("policies changed");
    expect(await effectOf(stage)).toBe("allow");
    expect(store.get("setting", "bundle")).toMatchObject({ hash: stage.active()?.hash, version: null, by: "operator" });
  });
});

describe("the folder", () => {
  const folderOf = (files: Record<string, string | Buffer>): string => {
    const folder = mkdtempSync(join(tmpdir(), "lanyard-policies-"));
    folders.push(folder);
    for (const [name, bytes] of Object.entries(files)) writeFileSync(join(folder, name), bytes);
    return folder;
  };
  const limits = { policy_bytes: 10, policy_files: 3 };

  it("is read in one order, without hidden and other files", async () => {
    const folder = folderOf({ "b.cedar": "b", "a.cedar": "a", ".c.cedar": "c", "d.txt": "d" });
    expect(await readPolicies(folder)).toEqual([{ file: "a.cedar", text: "a" }, { file: "b.cedar", text: "b" }]);
  });
  it("holds policy_files files and not one more", async () => {
    const folder = folderOf({ "a.cedar": "", "b.cedar": "", "c.txt": "" });
    await expect(readPolicies(folder, limits)).resolves.toHaveLength(2);
    writeFileSync(join(folder, "d.txt"), "");
    await expect(markOf(folder, limits)).rejects.toThrow("more than 3 files (limit policy_files)");
  });
  it("holds policy_bytes bytes and not one more", async () => {
    const folder = folderOf({ "a.cedar": "12345", "b.cedar": "12345" });
    await expect(readPolicies(folder, limits)).resolves.toHaveLength(2);
    writeFileSync(join(folder, "b.cedar"), "123456");
    await expect(readPolicies(folder, limits)).rejects.toThrow("larger than 10 bytes (limit policy_bytes)");
  });
  it("holds text", async () => {
    await expect(readPolicies(folderOf({ "a.cedar": Buffer.from([0xff]) }))).rejects.toThrow("cannot read the policies in `a.cedar`: they are not UTF-8 text");
  });
});
