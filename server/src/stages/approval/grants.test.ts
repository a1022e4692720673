import type { Fault } from "@lanyard/contract";
import fc from "fast-check";
import { expect, test } from "vitest";
import { approvalWorld as world, approvalYaml, as, factsOf, rulingOf, yamlConfig } from "../../../../test/kits/approval.ts";
import { settled } from "../../../../test/kits/clock.ts";
import type { Widening } from "./scope.ts";

const codeOf = (promise: Promise<unknown>): Promise<string> => promise.then(() => "none", (error: Fault) => error.code);
const roomy = approvalYaml.replace("approvals: 4, approvals_per_session: 2", "approvals: 100, approvals_per_session: 32");
type W = Awaited<ReturnType<typeof world>>;

const wishOf = (w: W, { times = 3, forMs = 3_600_000, like = {}, any = [] }: Partial<Widening> & { times?: number; forMs?: number } = {}) => ({ times, untilMs: w.clock.nowMs() + forMs, like, any });
const give = async (w: W, wish = wishOf(w, { like: { path: "*" } }), user = "lea", id = w.only()) => w.approvals.giveGrant(id, wish, as(user), w.approvals.draftGrant(id, wish, user).shown);

test("a grant answers the call it was made from and the ones like it, each as a request of its own, as often as it says", async () => {
  const w = await world(roomy);
  const first = await w.call();
  const grant = await give(w, wishOf(w, { times: 2, like: { path: "*" } }));
  expect(grant).toMatchObject({ state: "in force", given: ["lea"], times: 2 });
  await settled();
  expect(first.ended()).toMatchObject({ kind: "approved", approval: { groups: ["leads"] } });
  const heard: string[] = [];
  w.approvals.onChange(({ kind, how }) => heard.push(`${kind} ${how}`));
  w.approvals.onChange(() => {
    throw new Error("a surface with a fault");
  });
  const second = await w.call({ session: "s2", mark: "b" });
  expect(heard).toEqual(["answered grant"]); // nobody was asked
  expect(second.ended()).toMatchObject({ kind: "approved" });
  const third = await w.call({ mark: "c" });
  expect(third.ended()).toBeNull();
  expect(w.records("grant.give", "grant.use", "approval.request", "grant.expire").map(({ type }) => type)).toEqual(["approval.request", "grant.give", "grant.use", "approval.request", "grant.use", "approval.request"]);
  expect(w.records("grant.use")).toMatchObject([{ id: grant.id, left: 1 }, { id: grant.id, left: 0 }]);
  expect(w.approvals.grants.list()).toEqual([]);
  expect(w.store.list("grant")).toEqual([]);
});

test("no scope is in plain text anywhere, and a restart keeps it", async () => {
  const w = await world(roomy);
  await w.call({ mark: "secret-plan" });
  const { id } = await give(w, wishOf(w));
  expect(JSON.stringify([w.store.entries({}), [...w.disk.medium.state()]])).not.toContain("path");
  await w.restart(false);
  expect(w.approvals.grants.list()).toMatchObject([{ id, left: 2, text: expect.stringContaining('context.input.path == "secret-plan"') }]);
  expect((await w.call({ session: "s2", mark: "secret-plan" })).ended()).toMatchObject({ kind: "approved" });
});

test("what was shown is what is given", async () => {
  const w = await world(roomy);
  await w.call();
  const [narrow, wide] = [wishOf(w), wishOf(w, { like: { path: "*" } })];
  const { shown } = w.approvals.draftGrant(w.only(), narrow, "lea");
  expect(await codeOf(w.approvals.giveGrant(w.only(), wide, as("lea"), shown))).toBe("conflict");
  expect(w.records("grant.give")).toEqual([]);
});

test("only who could approve may give one: not who is acted for, not who runs the agent, nobody of another group", async () => {
  const w = await world(roomy.replace("ben: {}", "ben: { groups: [leads] }").replace("limits:", "teams: { eng: {} }\nagents: { coder: { team: eng, run_by: [ben] } }\nlimits:"));
  await w.call();
  for (const user of ["ana", "ben", "sam", "nobody"]) expect(() => w.approvals.draftGrant(w.only(), wishOf(w), user)).toThrow(expect.objectContaining({ code: "forbidden" }));
  const { shown } = w.approvals.draftGrant(w.only(), wishOf(w), "lea");
  expect(await codeOf(w.approvals.giveGrant(w.only(), wishOf(w), as("ana"), shown))).toBe("forbidden");
});

test("a quorum gives it together: it is proposed until enough have joined what they were shown", async () => {
  const w = await world(roomy.replace("ben: {}", "ben: {}, sue: { groups: [sre] }"));
  const call = await w.call({ ruling: rulingOf(["2 of sre"]) });
  const proposed = await give(w, wishOf(w), "sam");
  expect(proposed).toMatchObject({ state: "proposed", missing: ["2 of sre"] });
  expect(call.ended()).toBeNull();
  expect(await codeOf(w.approvals.joinGrant(proposed.id, as("sam"), proposed.shown))).toBe("conflict");
  expect(await codeOf(w.approvals.joinGrant(proposed.id, as("sue"), "x".repeat(43)))).toBe("conflict");
  expect(await codeOf(w.approvals.joinGrant(proposed.id, as("lea"), proposed.shown))).toBe("forbidden");
  expect(await w.approvals.joinGrant(proposed.id, as("sue"), proposed.shown)).toMatchObject({ state: "in force", left: 3 });
  await settled();
  expect(call.ended()).toMatchObject({ kind: "approved" });
  expect(w.records("grant.use")).toMatchObject([{ left: 2 }]);
});

test("it ends with its time, with a revocation, and when who gave it could not give it any more", async () => {
  for (const end of ["time", "revoke", "voice"] as const) {
    const w = await world(roomy);
    await w.call();
    const { id } = await give(w);
    if (end === "time") await w.clock.advance(3_600_000);
    else if (end === "revoke") await w.approvals.grants.revoke(id, "ana", "user:ana");
    else w.live.config = yamlConfig(roomy.replace("lea: { groups: [leads] }", "lea: {}"));
    expect((await w.call({ session: "s9", mark: "z" })).ended()).toBeNull();
    expect(w.approvals.grants.list()).toEqual([]);
    await settled();
    expect(w.records("grant.revoke", "grant.expire")).toMatchObject([end === "revoke" ? { type: "grant.revoke", by: "user:ana" } : { type: "grant.expire", why: end }]);
    expect(await codeOf(w.approvals.grants.revoke(id, null, "operator"))).toBe("not_found");
  }
});

test("an answer that a grant gave falls with the voice of who gave it", async () => {
  const w = await world(roomy);
  await w.call();
  await w.clock.advance(50_000);
  await give(w);
  w.live.config = yamlConfig(roomy.replace("lea: { groups: [leads] }", "lea: {}"));
  expect(w.claim()).toBeNull();
});

test("it lifts the rules it was made for, asked of the same groups for the same tool, and no others", async () => {
  const w = await world(roomy);
  await w.call();
  await give(w);
  const other = rulingOf(["leads"]);
  const asks = [
    { ruling: rulingOf(["leads", "sre"]) },
    { ruling: { ...other, decision: { ...other.decision, reasons: [{ policy: "new", text: "", remedy: "approval:leads" }] } } },
    { ruling: { ...other, decision: { ...other.decision, transforms: ["drop(path)"] } } },
    { facts: factsOf("I") },
  ];
  for (const [at, ask] of asks.entries()) expect((await w.call({ session: `s${at + 5}`, mark: "q", ...ask })).ended()).toBeNull();
  // Other policies around it do not matter: what asks is the same.
  expect((await w.call({ session: "s4", mark: "q", ruling: rulingOf(["leads"], "C") })).ended()).toMatchObject({ kind: "approved" });
});

test("it covers no call that can be taken back less far than the one it was made from", async () => {
  const w = await world(roomy);
  await w.call();
  const { text } = await give(w);
  expect(text).toContain('context.reversibility == "reversible"');
  const facts = factsOf();
  for (const reversibility of ["irreversible", "unknown", "compensable"] as const) expect((await w.call({ session: reversibility, mark: "q", facts: { ...facts, input: { ...facts.input, reversibility } } })).ended()).toBeNull();
  expect(w.approvals.list().map(({ reversibility }) => reversibility)).toEqual(["reversible", "irreversible", "unknown", "compensable"]);
  await w.restart();
  expect((await w.call({ session: "s2", mark: "q" })).ended()).toMatchObject({ kind: "approved" });
});

test("what is erased is on no card and in no grant any more, at once", async () => {
  const w = await world(roomy);
  await w.read("https://example.com/a");
  await w.call();
  await give(w);
  await w.call({ mark: "b", ruling: rulingOf(["sre"]) });
  expect(w.approvals.list()).toMatchObject([{ args: { path: "a" } }, { args: { path: "b" }, read: [{ what: '{"url":"https://example.com/a"}' }] }]);
  await w.store.erase("user:ana", "operator", "asked for");
  await settled();
  expect(w.approvals.list()).toMatchObject([{ args: null, purpose: "" }, { args: null, purpose: "" }]);
  expect(JSON.stringify([w.approvals.list(), w.approvals.grants.list()])).not.toContain("example.com");
  expect(w.approvals.grants.list()).toEqual([]);
  expect(w.records("grant.expire")).toMatchObject([{ why: "erased" }]);
});

test("a revocation that cannot be written is told, and the grant stays", async () => {
  const w = await world(roomy);
  await w.call({ mark: "b" });
  await give(w, wishOf(w, { like: { path: "*" }, times: 2 }));
  const { id } = w.approvals.grants.list()[0] ?? { id: "" };
  w.disk.medium.failure = new Error("ENOSPC");
  expect(await codeOf(w.approvals.grants.revoke(id, null, "operator"))).toBe("ledger_unavailable");
  w.disk.medium.failure = null;
  expect(w.approvals.grants.list()).toMatchObject([{ left: 1 }]);
});

test("limits grants, grant_uses, grant_ms: at the limit yes, one past it no", async () => {
  const w = await world(roomy.replace("limits: {", "limits: { grants: 1, grant_uses: 5, grant_ms: 60000,"));
  await w.call();
  for (const over of [{ times: 6 }, { times: 0 }, { forMs: 60_001 }, { forMs: 0 }]) expect(() => w.approvals.draftGrant(w.only(), wishOf(w, { forMs: 60_000, times: 5, ...over }), "lea")).toThrow(expect.objectContaining({ code: "invalid_request" }));
  const wish = wishOf(w, { times: 5, forMs: 60_000 });
  await w.call({ mark: "b" });
  const [one = "", two = ""] = w.approvals.list().map(({ id }) => id);
  await give(w, wish, "lea", one);
  expect(await codeOf(give(w, wish, "lea", two))).toBe("limit_exceeded");
});

test("who may see one: who could give it, and who is acted for", async () => {
  const w = await world(roomy);
  await w.call();
  await give(w);
  expect(["lea", "both", "ana", "sam", "ben"].map((user) => w.approvals.grants.list(user).length)).toEqual([1, 1, 1, 0, 0]);
});

test("however many calls come at once, and whatever happens between, it is used no more often than it says", async () => {
  const step = fc.constantFrom<"calls" | "restart" | "revoke" | "crash">("calls", "calls", "calls", "restart", "crash", "revoke");
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 5 }), fc.array(step, { minLength: 1, maxLength: 6 }), async (times, list) => {
      const w = await world(roomy);
      await w.call();
      const { id } = await give(w, wishOf(w, { times, like: { path: "*" } }));
      let [at, revoked] = [0, Number.POSITIVE_INFINITY];
      for (const one of list) {
        if (one === "calls") await Promise.all([1, 2, 3].map(() => w.call({ session: `x${at}`, mark: `m${at++}` })));
        else if (one === "revoke") {
          await codeOf(w.approvals.grants.revoke(id, null, "operator"));
          revoked = Math.min(revoked, w.records("grant.use").length);
        } else await w.restart(one === "restart");
        await settled();
      }
      const uses = w.records("grant.use").map((record) => (record.type === "grant.use" ? record.approval : ""));
      expect(uses.length).toBeLessThanOrEqual(Math.min(times, revoked));
      expect(new Set(uses).size).toBe(uses.length);
    }),
    { numRuns: 40 },
  );
});
