import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { policies, someEdition, someInput, someTool, StageStand } from "../../../../test/kits/decision.ts";
import { settled } from "../../../../test/kits/clock.ts";
import { placeOf } from "./tally.ts";

const open: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one[Symbol.asyncDispose]();
});
const begin = async (options: Parameters<typeof StageStand.open>[0] = {}): Promise<StageStand> => {
  const stand = await StageStand.open(options);
  open.push(stand);
  return stand;
};

const { allow, deny, small } = policies;
const canary = { share: 0.25, bands: { denyRate: 0.05, errorRate: 0.01, latencyP99Us: 10_000_000 }, minimum: 20 };
const sessions = Array.from({ length: 400 }, (_, at) => `s_${at}`);
const chosen = sessions.filter((session) => placeOf(session) < canary.share);
const others = sessions.filter((session) => placeOf(session) >= canary.share);

describe("reviewed releases", () => {
  it("deny everything until a version is active, and say so", async () => {
    const { stage } = await begin();
    const { decision, bundle } = stage.decide(someInput());
    expect(bundle).toBeNull();
    expect(decision).toMatchObject({ effect: "deny", errors: [{ policy: "lanyard.bundle", message: expect.stringContaining("no version of the policies is active") }] });
    expect(stage.visible(someInput().agent, ["files/read"])).toEqual([]);
    expect(stage.lineup()).toEqual({ active: null, canary: null, shadow: null });
  });

  it("are recorded with who, what and why before they decide", async () => {
    const stand = await begin();
    const posted = await stand.stage.post("active", someEdition(1, allow), "user:ana", { why: "first" });
    expect(stand.effect()).toBe("allow");
    expect(posted).toEqual({ hash: stand.stage.active()?.hash, before: null, warnings: [] });
    expect(stand.records()).toMatchObject([{ type: "bundle.activate", bundle: posted.hash, before: null, by: "user:ana", post: "active", version: 1, share_ppm: null, why: "first" }]);
    expect(stand.stage.lineup().active).toMatchObject({ hash: posted.hash, version: 1, policies: 1, by: "user:ana", sinceMs: stand.clock.nowMs() });
  });

  it("refuse what does not compile, with its place, and change nothing", async () => {
    const stand = await begin();
    await stand.stage.post("active", someEdition(1, allow), "user:ana");
    await expect(stand.stage.post("active", someEdition(2, "permit nobody;"), "user:ana")).rejects.toThrow(/^a\.cedar:1:8: unexpected token/);
    expect(stand.effect()).toBe("allow");
    expect(stand.stage.refusal()).toEqual([]);
    expect(stand.records().at(-1)).toMatchObject({ type: "bundle.refuse", post: "active", version: 2, errors: 1 });
  });

  it("are not in force when the ledger cannot take them", async () => {
    const stand = await begin();
    await stand.stage.post("active", someEdition(1, allow), "user:ana");
    stand.medium.failure = new Error("disk full");
    await expect(stand.stage.post("active", someEdition(2, deny), "user:ana")).rejects.toMatchObject({ code: "ledger_unavailable" });
    expect(stand.effect()).toBe("allow");
    stand.medium.failure = null;
    await stand.stage.post("active", someEdition(2, deny), "user:ana");
    expect(stand.effect()).toBe("deny");
  });

  it("go back at once, without compiling", async () => {
    const stand = await begin();
    const first = await stand.stage.post("active", someEdition(1, allow), "user:ana");
    await stand.stage.post("active", someEdition(2, deny), "user:ana");
    const slow = stand.stage.make(someEdition(3, `${deny}\n${small}`)); // the compiler is busy
    let compiled = false;
    void slow.then(() => (compiled = true));
    const back = await stand.stage.post("active", someEdition(1, allow), "operator", { why: "rolled back" });
    expect(compiled).toBe(false);
    expect(back.hash).toBe(first.hash);
    expect(stand.effect()).toBe("allow");
    await slow;
  });

  it("go back at once after a restart too", async () => {
    const stand = await begin();
    const first = await stand.stage.post("active", someEdition(1, allow), "user:ana");
    await stand.stage.post("active", someEdition(2, deny), "user:ana");
    const later = await stand.restart();
    open.push(later.stage);
    expect(later.effect()).toBe("deny");
    expect(later.stage.lineup().active).toMatchObject({ version: 2, by: "user:ana" });
    const slow = later.stage.make(someEdition(3, small));
    let compiled = false;
    void slow.then(() => (compiled = true));
    expect((await later.stage.post("active", someEdition(1, allow), "operator")).hash).toBe(first.hash);
    expect(compiled).toBe(false);
    expect(later.effect()).toBe("allow");
    await slow;
  });

  it("go back to a bundle of an older catalog, and are fitted to the new one", async () => {
    const stand = await begin();
    const first = await stand.stage.post("active", someEdition(1, allow), "user:ana");
    await stand.stage.post("active", someEdition(2, deny), "user:ana");
    stand.tools.push(someTool("write"));
    await stand.stage.recompile("catalog changed");
    const back = await stand.stage.post("active", someEdition(1, allow), "operator");
    expect(back.hash).toBe(first.hash);
    expect(stand.stage.decide(someInput("s", { action: "files/write" })).decision.errors[0]?.policy).toBe("lanyard.catalog");
    await stand.stage.recompile("catalog changed"); // shares the turn that the posting began
    expect(stand.effect("s", { action: "files/write" })).toBe("allow");
    expect(stand.records().at(-1)).toMatchObject({ by: "lanyard", version: 1, before: first.hash, why: "what the policies are written against has changed" });
    expect(stand.stage.lineup().active).toMatchObject({ by: "operator", version: 1 });
  });

  it("let the later of two postings stay, whichever compiles first", async () => {
    const stand = await begin();
    await stand.stage.post("active", someEdition(1, allow), "user:ana");
    const many = Array.from({ length: 300 }, (_, at) => `@id("n${at}") forbid (principal, action, resource) when { context.session.depth > ${at} };`).join("\n");
    const slow = expect(stand.stage.post("active", someEdition(2, many), "user:ana")).rejects.toMatchObject({ code: "conflict", message: expect.stringMatching(/in the meantime$|before this one was compiled$/) });
    await settled(); // it is being compiled, or on a busy machine about to be
    await stand.stage.post("active", someEdition(1, allow), "user:bob");
    await slow;
    expect(stand.stage.lineup().active?.version).toBe(1);
  });

  it("do not pile up before the compiler: of those that wait, the newest is compiled", async () => {
    const stand = await begin();
    const editions = Array.from({ length: 6 }, (_, at) => someEdition(at + 1, `${allow} // ${at}`));
    const ends = await Promise.allSettled(editions.map((edition) => stand.stage.post("active", edition, "user:ana")));
    expect(ends.map(({ status }) => status)).toEqual(["rejected", "rejected", "rejected", "rejected", "rejected", "fulfilled"]);
    expect(ends[2]).toMatchObject({ reason: { code: "conflict", message: "a later edition came before this one was compiled" } });
    expect(stand.stage.lineup().active?.version).toBe(6);
    expect(stand.records()).toHaveLength(1);
  });

  it("keep what stands when a new catalog does not fit it, and say so until it does", async () => {
    const stand = await begin();
    const text = '@id("x") permit (principal, action == Action::"files/read", resource) when { context.input has path && context.input.path == "x" };';
    await stand.stage.post("active", someEdition(1, text), "user:ana");
    stand.tools[0] = { ...someTool("read", "e".repeat(43)), inputSchema: { type: "object", properties: { path: { type: "integer" } } } };
    await stand.stage.recompile("catalog changed");
    expect(stand.stage.refusal()[0]).toContain("a.cedar:1:");
    expect(stand.records().at(-1)).toMatchObject({ type: "bundle.refuse", post: "active", version: 1 });
    await stand.stage.recompile("catalog changed");
    expect(stand.records().filter(({ type }) => type === "bundle.refuse")).toHaveLength(1);
    expect(stand.stage.active()?.version).toBe(1);
    stand.tools[0] = someTool("read");
    await stand.stage.recompile("catalog changed");
    expect(stand.stage.refusal()).toEqual([]);
  });

  it("can be taken away: then everything is denied", async () => {
    const stand = await begin();
    const { hash } = await stand.stage.post("active", someEdition(1, allow), "user:ana");
    expect(await stand.stage.post("active", null, "operator", { why: "stop" })).toEqual({ hash: null, before: hash, warnings: [] });
    expect(stand.effect()).toBe("deny");
    expect(stand.records().at(-1)).toMatchObject({ type: "bundle.withdraw", bundle: hash, post: "active", version: 1, by: "operator", why: "stop" });
    await stand.stage.post("active", null, "operator");
    expect(stand.records()).toHaveLength(2);
    const later = await stand.restart();
    open.push(later.stage);
    expect(later.stage.active()).toBeNull();
  });

  it("take the place of the live folder, and give it back", async () => {
    const folder = mkdtempSync(join(tmpdir(), "lanyard-policies-"));
    open.push({ [Symbol.asyncDispose]: async () => rmSync(folder, { recursive: true }) });
    writeFileSync(join(folder, "a.cedar"), allow);
    const stand = await begin({ folder, release: "live" });
    expect(stand.effect()).toBe("allow");
    stand.release = "reviewed";
    await stand.stage.recompile("catalog changed");
    expect(stand.effect()).toBe("deny");
    expect(stand.records().at(-1)).toMatchObject({ type: "bundle.withdraw", version: null, by: "lanyard", why: "`release: reviewed` takes only versions that were activated" });
    await stand.stage.post("active", someEdition(1, `${allow}\n${small}`), "user:ana");
    await stand.stage.post("shadow", someEdition(2, deny), "user:ana");
    stand.release = "live";
    await stand.stage.recompile("catalog changed");
    expect(stand.stage.lineup()).toMatchObject({ active: { version: null, policies: 1 }, shadow: null });
  });
});

describe("a canary", () => {
  const withCanary = async (text: string, terms = canary): Promise<StageStand> => {
    const stand = await begin();
    await stand.stage.post("active", someEdition(1, allow), "user:ana");
    await stand.stage.post("canary", someEdition(2, text), "user:ana", { canary: terms });
    return stand;
  };

  it("decides for its share of the sessions, always the same, and each decision names its bundle", async () => {
    const stand = await withCanary(deny, { ...canary, bands: { ...canary.bands, denyRate: 1 } });
    const { active, canary: standing } = stand.stage.lineup();
    expect(stand.records().at(-1)).toMatchObject({ type: "bundle.activate", post: "canary", version: 2, share_ppm: 250_000, before: null });
    for (let round = 0; round < 2; round++) {
      for (const session of sessions) {
        const { decision, bundle } = stand.stage.decide(someInput(session));
        expect([decision.effect, bundle]).toEqual(chosen.includes(session) ? ["deny", standing?.hash] : ["allow", active?.hash]);
      }
    }
    expect(stand.stage.visible(someInput().agent, ["files/read"], chosen[0])).toEqual([]);
    expect(stand.stage.visible(someInput().agent, ["files/read"], others[0])).toEqual(["files/read"]);
    expect(stand.stage.lineup().canary).toMatchObject({
      version: 2,
      terms: { share: 0.25 },
      statistics: { live: { decisions: 2 * others.length, denied: 0 }, canary: { decisions: 2 * chosen.length, denied: 2 * chosen.length } },
    });
  });

  it("that leaves its bands is taken back at the decision that shows it, and the ledger tells why", async () => {
    const stand = await withCanary(deny);
    const { canary: standing, active } = stand.stage.lineup();
    for (const session of others.slice(0, 50)) stand.effect(session);
    const effects = chosen.map((session) => stand.effect(session));
    expect(effects.indexOf("allow")).toBe(canary.minimum);
    expect(effects.lastIndexOf("deny")).toBe(canary.minimum - 1);
    expect(stand.stage.lineup().canary).toBeNull();
    await settled();
    const why = "it denies 100.0 % of its calls, the live version 0.0 %; the band is 5.0 % (after 20 decisions of its own and 50 of the live version)";
    expect(stand.records().at(-1)).toMatchObject({ type: "bundle.withdraw", bundle: standing?.hash, post: "canary", version: 2, by: "lanyard", why });
    expect(stand.store.get("setting", "canary")).toBeNull();
    expect(stand.stage.decide(someInput(chosen[0])).bundle).toBe(active?.hash);
  });

  it("that is taken back while the disk is full stays back, and is on record when the disk is there again", async () => {
    const stand = await withCanary(deny);
    stand.medium.failure = new Error("disk full");
    for (const session of sessions) stand.effect(session);
    await settled();
    expect(stand.stage.lineup().canary).toBeNull();
    expect(stand.records().map(({ type }) => type)).not.toContain("bundle.withdraw");
    stand.medium.failure = null;
    await stand.clock.advance(5000);
    expect(stand.records().at(-1)).toMatchObject({ type: "bundle.withdraw", post: "canary", by: "lanyard" });
  });

  it("stands beside something", async () => {
    const { stage } = await begin();
    await expect(stage.post("canary", someEdition(1, allow), "user:ana", { canary })).rejects.toMatchObject({ code: "conflict" });
  });

  it("comes back after a restart, and begins to count anew", async () => {
    const stand = await withCanary(`${allow}\n${small}`);
    stand.effect(chosen[0]);
    const later = await stand.restart();
    open.push(later.stage);
    expect(later.stage.lineup().canary).toMatchObject({ version: 2, by: "user:ana", terms: canary, statistics: { live: { decisions: 0 }, canary: { decisions: 0 } } });
    expect(later.records()).toHaveLength(2);
  });

  it("ends when its version becomes active, and begins to count anew when another one does", async () => {
    const stand = await withCanary(`${allow}\n${small}`);
    for (const session of sessions.slice(0, 10)) stand.effect(session);
    await stand.stage.post("active", someEdition(3, `${allow} // three`), "user:ana");
    expect(stand.stage.lineup().canary?.statistics.live.decisions).toBe(0);
    await stand.stage.post("active", someEdition(2, `${allow}\n${small}`), "user:ana");
    expect(stand.stage.lineup()).toMatchObject({ active: { version: 2 }, canary: null });
    expect(stand.records().at(-1)).toMatchObject({ type: "bundle.withdraw", post: "canary", version: 2, by: "user:ana", why: "it is active now" });
  });
});

describe("a shadow", () => {
  const withShadow = async (text: string, options: Parameters<typeof StageStand.open>[0] = {}): Promise<StageStand> => {
    const stand = await begin(options);
    await stand.stage.post("active", someEdition(1, allow), "user:ana");
    await stand.stage.post("shadow", someEdition(2, text), "user:ana");
    return stand;
  };

  it("decides after the answer, changes nothing, and differences of a second are one record", async () => {
    const stand = await withShadow(small);
    const { active, shadow } = stand.stage.lineup();
    for (let call = 0; call < 5; call++) expect(stand.stage.decide(someInput("s_1", { args: { size: 50 } }))).toMatchObject({ bundle: active?.hash, decision: { effect: "allow" } });
    stand.effect("s_2", { args: { size: 5 } });
    expect(stand.stage.lineup().shadow?.statistics.decisions).toBe(0);
    await stand.clock.advance(10);
    expect(stand.stage.lineup().shadow?.statistics).toEqual({ decisions: 6, newlyDenied: 5, newlyAllowed: 0, newlyAsked: 0, changedOtherwise: 0, dropped: 0, unrecorded: 0 });
    await stand.clock.advance(1000);
    const [found, ...more] = stand.records().filter(({ type }) => type === "bundle.difference");
    expect(more).toEqual([]);
    expect(found).toMatchObject({
      session: "s_1", agent: "bot", action: "files/read", bundle: active?.hash, effect: "allow", policies: ["all"], beside: shadow?.hash, beside_effect: "deny", beside_policies: [], times: 5,
    });
  });

  it("counts and records a call that it would let pass changed as such", async () => {
    const stand = await withShadow('@id("all") permit (principal, action, resource); @id("few") @remedy("transform:set(size, 10)") forbid (principal, action == Action::"files/read", resource) when { context.input has size && context.input.size > 10 } unless { context.remedies.contains("set(size, 10)") };');
    stand.effect("s_1", { args: { size: 50 } });
    await stand.clock.advance(1010);
    expect(stand.stage.lineup().shadow?.statistics).toMatchObject({ decisions: 1, newlyAllowed: 0, changedOtherwise: 1 });
    expect(stand.records().at(-1)).toMatchObject({ type: "bundle.difference", effect: "allow", beside_effect: "allow", beside_policies: ["all", "few"], beside_transforms: ["set(size, 10)"] });
  });

  it("writes what it has found when it goes", async () => {
    const stand = await withShadow(deny);
    stand.effect();
    await stand.clock.advance(1);
    await stand.stage.post("shadow", null, "user:ana");
    await settled();
    expect(stand.records().slice(-2)).toMatchObject([{ type: "bundle.withdraw", post: "shadow" }, { type: "bundle.difference", times: 1 }]);
  });

  it("keeps up to shadow_queue calls waiting and counts one more as dropped", async () => {
    const stand = await withShadow(deny, { limits: { shadow_queue: 3 } });
    for (let call = 0; call < 3; call++) stand.effect();
    expect(stand.stage.lineup().shadow?.statistics.dropped).toBe(0);
    stand.effect();
    await stand.clock.advance(10);
    expect(stand.stage.lineup().shadow?.statistics).toMatchObject({ decisions: 3, dropped: 1 });
  });

  it("records differences_per_hour differences and counts one more", async () => {
    const stand = await withShadow(deny, { limits: { differences_per_hour: 2 } });
    const differ = async (): Promise<void> => {
      stand.effect();
      await stand.clock.advance(2000);
    };
    await differ();
    await differ();
    expect(stand.stage.lineup().shadow?.statistics).toMatchObject({ newlyDenied: 2, unrecorded: 0 });
    await differ();
    expect(stand.stage.lineup().shadow?.statistics).toMatchObject({ newlyDenied: 3, unrecorded: 1 });
    await stand.clock.advance(3_600_000);
    await differ();
    expect(stand.records().filter(({ type }) => type === "bundle.difference")).toHaveLength(3);
  });

  it("counts what the ledger did not take", async () => {
    const stand = await withShadow(deny);
    stand.medium.failure = new Error("disk full");
    stand.effect();
    await stand.clock.advance(2000);
    await settled();
    expect(stand.stage.lineup().shadow?.statistics).toMatchObject({ newlyDenied: 1, unrecorded: 1 });
    stand.medium.failure = null;
  });

  it("comes back after a restart, also in front of a new catalog", async () => {
    const stand = await withShadow(deny);
    const later = await stand.restart();
    open.push(later.stage);
    expect(later.stage.lineup().shadow).toMatchObject({ version: 2, by: "user:ana", statistics: { decisions: 0 } });
    later.tools.push(someTool("write"));
    await later.stage.recompile("catalog changed");
    later.effect("s", { action: "files/write" });
    await later.clock.advance(1);
    expect(later.stage.lineup().shadow?.statistics).toMatchObject({ decisions: 1, newlyDenied: 1 });
  });
});
