import type { Fault, LedgerRecord } from "@lanyard/contract";
import fc from "fast-check";
import { expect, test } from "vitest";
import { actionOf, as, approvalWorld as world, approvalYaml, factsOf, hash, principalOf, rulingOf, yamlConfig } from "../../../../test/kits/approval.ts";
import { settled } from "../../../../test/kits/clock.ts";
import type { Exchange } from "../../base/exchange.ts";
import type { Approval, Hold } from "../../base/path.ts";

const kinds = (records: LedgerRecord[]) => records.map(({ type }) => type.replace("approval.", ""));
const codeOf = (promise: Promise<unknown>): Promise<string> => promise.then(() => "none", (error: Fault) => error.code);

test("a held call goes on once its group approves, and what was granted is spent by the allow decision", async () => {
  const w = await world();
  const call = await w.call();
  expect(w.approvals.list()).toMatchObject([{ state: "pending", action: "files/write", args: { path: "a" }, agent: "coder", user: "ana", groups: ["leads"], missing: ["leads"] }]);
  const card = await w.approvals.decide(w.only(), "approve", as("lea"), "");
  expect(card).toMatchObject({ state: "approved", missing: [], given: [{ by: "lea", groups: ["leads"] }] });
  const hold = (await call.done) as Extract<Hold, { kind: "approved" }>;
  expect(hold).toMatchObject({ kind: "approved", approval: { id: card.id, groups: ["leads"], bound: { bundle: hash("B"), definition: hash("H") } } });
  expect(w.claim()).toBeNull();
  await w.decided("allow", card.id, "s1", "a");
  await settled();
  w.approvals.unclaim(hold.approval, "unused"); // Too late: it is spent.
  expect(w.claim()).toBeNull();
  expect(w.approvals.list()).toEqual([]);
  expect(kinds(w.records())).toEqual(["request", "approve"]);
});

test("time never approves: after hold_ms the call is pending, after approval_ms the request expires", async () => {
  const w = await world();
  const call = await w.call();
  await w.clock.advance(49_999);
  expect(call.ended()).toBeNull();
  await w.clock.advance(1);
  expect(call.ended()).toMatchObject({ kind: "pending", groups: ["leads"] });
  const id = w.only();
  await w.clock.advance(3_600_000);
  expect(kinds(w.records())).toEqual(["request", "expire"]);
  expect(await codeOf(w.approvals.decide(id, "approve", as("lea"), ""))).toBe("not_found");
  expect(w.claim()).toBeNull();
});

test("an approval that is not used in time is void to the millisecond", async () => {
  const w = await world();
  await w.call();
  await w.clock.advance(3_599_000);
  await w.approvals.decide(w.only(), "approve", as("lea"), "");
  await w.clock.advance(999);
  const taken = w.claim();
  expect(taken).not.toBeNull();
  if (taken) w.approvals.unclaim(taken, "unused");
  await w.clock.advance(1);
  expect(w.claim()).toBeNull();
});

test("the waiting client hears of it at once and every 5 s, in increasing steps", async () => {
  const w = await world();
  const { progress } = await w.call();
  await w.clock.advance(50_000);
  expect(progress).toHaveLength(10);
  expect(progress.every((update, index) => index === 0 || update.progress > (progress[index - 1]?.progress ?? 0))).toBe(true);
  expect(progress[0]?.message).toMatch(/^waiting for approval apr_\S+ by leads$/);
});

test("the identical retry joins the same request: one card, one question", async () => {
  const w = await world();
  const first = await w.call();
  await w.clock.advance(60_000);
  const second = await w.call();
  expect(w.approvals.list()).toHaveLength(1);
  await w.approvals.decide(w.only(), "approve", as("lea"), "");
  await settled();
  expect(first.ended()).toMatchObject({ kind: "pending" });
  expect(second.ended()).toMatchObject({ kind: "approved" });
  expect(kinds(w.records())).toEqual(["request", "approve"]);
});

test("what takes back goes on with no yes that was given after it had looked, however quick; its retry does", async () => {
  const w = await world();
  const { seq } = await w.decided("ask", null, "s1", "a");
  const exchange: Exchange = { era: "stateful", signal: new AbortController().signal, progress: () => {}, notify: () => {}, ask: () => Promise.reject(new Error("not asked")), undoes: 1 };
  const done = w.approvals.hold(actionOf(), principalOf("s1"), { seq, id: "d" }, factsOf(), rulingOf(), exchange);
  const answered = w.approvals.decide(w.only(), "approve", as("lea"), ""); // before the request is on disk
  expect(await answered).toMatchObject({ state: "approved" });
  expect(await done).toMatchObject({ kind: "pending" });
  expect(w.claim()).toMatchObject({ groups: ["leads"] });
});

test("of two identical calls that wait, one goes on", async () => {
  const w = await world();
  const calls = [await w.call(), await w.call()];
  await w.approvals.decide(w.only(), "approve", as("lea"), "");
  await settled();
  expect(calls.map((call) => call.ended()?.kind).toSorted()).toEqual(["approved", "pending"]);
});

test("an approval given while nobody waits is claimed by the identical retry, once", async () => {
  const w = await world();
  await w.call();
  await w.clock.advance(50_000);
  await w.approvals.decide(w.only(), "approve", as("lea"), "");
  expect(w.claim("b")).toBeNull();
  expect(w.claim("a", "s2")).toBeNull();
  expect(w.claim()).toMatchObject({ groups: ["leads"] });
  expect(w.claim()).toBeNull();
});

test("who may not approve", async () => {
  const w = await world();
  await w.call({ ruling: rulingOf(["leads", "sre"]) });
  const id = w.only();
  expect(await codeOf(w.approvals.decide(id, "approve", as("ana"), ""))).toBe("forbidden"); // On her behalf, though she is a lead.
  expect(await codeOf(w.approvals.decide(id, "approve", as("ben"), ""))).toBe("forbidden");
  expect(await codeOf(w.approvals.decide(id, "deny", as("ben"), ""))).toBe("forbidden");
  expect(await codeOf(w.approvals.decide(id, "approve", as("nobody"), ""))).toBe("forbidden");
  expect(await codeOf(w.approvals.decide("apr_none", "approve", as("lea"), ""))).toBe("not_found");
  expect(await codeOf(w.approvals.decide(id, "approve", as("lea"), "x".repeat(1001)))).toBe("invalid_request");
  await w.clock.advance(50_000);
  await w.approvals.decide(id, "approve", as("lea"), "");
  expect(await codeOf(w.approvals.decide(id, "approve", as("lea"), ""))).toBe("conflict");
  expect(w.approvals.list()).toMatchObject([{ state: "pending", missing: ["sre"] }]);
  expect(w.claim()).toBeNull();
  await w.approvals.decide(id, "approve", as("sam"), "");
  expect(w.claim()).toMatchObject({ groups: ["leads", "sre"] });
  expect(await codeOf(w.approvals.decide(id, "deny", as("both"), ""))).toBe("conflict");
});

test("two answers at the same instant are one after the other", async () => {
  const w = await world();
  await w.call();
  const answers = await Promise.all([codeOf(w.approvals.decide(w.only(), "approve", as("lea"), "")), codeOf(w.approvals.decide(w.only(), "deny", as("both"), ""))]);
  expect(answers).toEqual(["none", "conflict"]);
});

test("an approver who left the group has no voice when the call comes to be", async () => {
  const w = await world();
  await w.call();
  await w.clock.advance(50_000);
  await w.approvals.decide(w.only(), "approve", as("lea"), "");
  w.live.config = yamlConfig(approvalYaml.replace("lea: { groups: [leads] }", "lea: {}"));
  expect(w.claim()).toBeNull();
});

test("a denial reaches the waiting call and every identical retry, without asking again", async () => {
  const w = await world();
  const call = await w.call();
  const { id } = await w.approvals.decide(w.only(), "deny", as("lea"), "not on a Friday");
  expect(await call.done).toEqual({ kind: "denied", id, by: "lea", comment: "not on a Friday" });
  const retry = await w.call();
  expect(retry.ended()).toMatchObject({ kind: "denied", comment: "not on a Friday" });
  expect(w.approvals.list()).toEqual([]);
  expect(kinds(w.records())).toEqual(["request", "deny"]);
  expect(JSON.stringify([w.store.entries({}), [...w.disk.medium.state()]])).not.toContain("Friday"); // Sealed, not in records.
  await w.clock.advance(3_700_000);
  await w.call();
  expect(w.approvals.list()).toHaveLength(1);
});

test("a client that goes away leaves the request open, and nothing is claimed for it", async () => {
  const w = await world();
  const call = await w.call();
  call.client.abort();
  await settled();
  expect(call.ended()).toMatchObject({ kind: "pending" });
  await w.approvals.decide(w.only(), "approve", as("lea"), "");
  expect((await w.call({ aborted: true })).ended()).toMatchObject({ kind: "pending" });
  expect(w.claim()).not.toBeNull();
});

test("I6: another bundle, another definition or more groups are another question", async () => {
  for (const changed of [{ ruling: rulingOf(["leads"], "C") }, { facts: factsOf("I") }, { ruling: rulingOf(["leads", "sre"]) }]) {
    const w = await world();
    await w.call();
    const before = w.only();
    await w.call(changed);
    expect(w.approvals.list()).toHaveLength(1);
    expect(w.only()).not.toBe(before);
    expect(await codeOf(w.approvals.decide(before, "approve", as("lea"), ""))).toBe("not_found");
    expect(kinds(w.records()).toSorted()).toEqual(["expire", "request", "request"]);
  }
});

test("I6: what mediation finds void is over, and cannot be claimed again", async () => {
  const w = await world();
  await w.call();
  await w.clock.advance(50_000);
  await w.approvals.decide(w.only(), "approve", as("lea"), "");
  const taken = w.claim();
  if (taken) w.approvals.unclaim(taken, "bundle");
  expect(w.claim()).toBeNull();
  await settled();
  expect(kinds(w.records())).toEqual(["request", "approve", "expire"]);
});

test("when a rule asks for one more group after the first approved, all are asked again together", async () => {
  const w = await world();
  const call = await w.call();
  await w.approvals.decide(w.only(), "approve", as("lea"), "");
  const hold = (await call.done) as Extract<Hold, { kind: "approved" }>;
  w.approvals.unclaim(hold.approval, "unused");
  await w.call({ ruling: rulingOf(["sre"]) });
  expect(w.approvals.list()).toMatchObject([{ groups: ["leads", "sre"], missing: ["leads", "sre"] }]);
});

test("requests and answers outlive the daemon", async () => {
  const w = await world();
  await w.call({ ruling: rulingOf(["leads", "sre"]) });
  await w.approvals.decide(w.only(), "approve", as("lea"), "");
  const before = w.approvals.list();
  await w.restart();
  expect(w.approvals.list()).toEqual(before);
  await w.approvals.decide(w.only(), "approve", as("sam"), "");
  await w.restart(false);
  expect(w.claim()).toMatchObject({ groups: ["leads", "sre"] });
});

test("I6: after a crash an approval that an allow decision names is spent", async () => {
  const w = await world();
  await w.call();
  const { id } = await w.approvals.decide(w.only(), "approve", as("lea"), "");
  await w.approvals[Symbol.asyncDispose](); // Dead to the ledger: it does not hear of the decision that follows.
  await w.decided("allow", id, "s1", "a");
  expect(kinds(w.records())).toEqual(["request", "approve"]);
  await w.restart(false);
  expect(w.claim()).toBeNull();
  expect(w.store.get("approval", id)).toBeNull();
});

test("an approval claimed but not decided when the daemon died can be claimed again: nothing happened", async () => {
  const w = await world();
  await w.call();
  await w.clock.advance(50_000);
  await w.approvals.decide(w.only(), "approve", as("lea"), "");
  expect(w.claim()).not.toBeNull();
  await w.restart(false);
  expect(w.claim()).not.toBeNull();
});

test("while the disk refuses, a call is not held and an answer does not count", async () => {
  const w = await world();
  await w.call();
  const id = w.only();
  const { seq } = await w.decided("ask", null, "s1", "b");
  w.disk.medium.failure = new Error("ENOSPC");
  expect(await codeOf(w.approvals.decide(id, "approve", as("lea"), ""))).toBe("ledger_unavailable");
  expect(w.claim()).toBeNull();
  const exchange: Exchange = { era: "stateful", signal: new AbortController().signal, progress: () => {}, notify: () => {}, ask: () => Promise.reject(new Error()) };
  expect(await codeOf(w.approvals.hold(actionOf("b"), principalOf("s1"), { seq, id: "d" }, factsOf(), rulingOf(), exchange))).toBe("ledger_unavailable");
  expect(w.approvals.list()).toHaveLength(1);
});

test("limits approvals_per_session and approvals: at the limit yes, one past it no", async () => {
  const w = await world();
  await w.call({ mark: "a" });
  await w.call({ mark: "b" });
  expect((await w.call({ mark: "c" })).ended()).toMatchObject({ code: "limit_exceeded" });
  await w.call({ session: "s2", mark: "a" });
  await w.call({ session: "s2", mark: "b" });
  expect((await w.call({ session: "s3", mark: "a" })).ended()).toMatchObject({ code: "limit_exceeded" });
  expect(w.approvals.list().flatMap(({ requests }) => requests)).toHaveLength(4);
});

test("a clock that is set back lengthens no approval's life, running or over a restart", async () => {
  for (const restarts of [false, true]) {
    const w = await world();
    await w.call({ aborted: true });
    await w.approvals.decide(w.only(), "approve", as("lea"), "");
    w.wall.offMs = -24 * 3_600_000;
    if (restarts) await w.restart();
    expect(w.only()).not.toBe("");
    await w.clock.advance(3_600_000 + 10_000);
    expect([w.only(), w.claim()]).toEqual(["", null]);
    await settled();
    expect(w.records("approval.expire")).toMatchObject([{ why: "time" }]);
  }
});

test("limit approval_bytes_per_agent: what all requests of one agent hold, also those from before a restart", async () => {
  const bytes = (mark: string): number => JSON.stringify({ args: { path: mark }, beside: null, resources: [], purpose: "p", untrusted: [] }).length;
  const w = await world();
  w.live.config = yamlConfig(approvalYaml.replace("approvals: 4", `approvals: 4, approval_bytes_per_agent: ${bytes("a") + bytes("b".repeat(500))}`));
  await w.call();
  await w.restart();
  expect((await w.call({ session: "s2", mark: "b".repeat(501) })).ended()).toMatchObject({ code: "limit_exceeded" });
  expect((await w.call({ session: "s2", mark: "b".repeat(500) })).ended()).toBeNull();
  expect((await w.call({ session: "s3", mark: "c" })).ended()).toMatchObject({ code: "limit_exceeded" });
});

test("limit approvals_per_agent: an agent does not get more room by opening more sessions", async () => {
  const w = await world();
  w.live.config = yamlConfig(approvalYaml.replace("approvals: 4", "approvals: 4, approvals_per_agent: 3"));
  for (const session of ["s1", "s2", "s3"]) expect((await w.call({ session })).ended()).toBeNull();
  expect((await w.call({ session: "s4" })).ended()).toMatchObject({ code: "limit_exceeded" });
});

test("a card shows arguments: to those who may answer and the user acted for, and to nobody else", async () => {
  const w = await world();
  await w.call();
  const shown = (user?: string) => w.approvals.list(user).length;
  expect([shown(), shown("lea"), shown("both"), shown("ana"), shown("sam"), shown("ben"), shown("nobody")]).toEqual([1, 1, 1, 1, 0, 0, 0]);
});

test("a denied model cannot wear people out: its denials count until they expire", async () => {
  const w = await world();
  for (const mark of ["a", "b"]) {
    await w.call({ mark });
    await w.approvals.decide(w.only(), "deny", as("lea"), "");
  }
  expect((await w.call({ mark: "c" })).ended()).toMatchObject({ code: "limit_exceeded" });
});

test("requests end with their session", async () => {
  const w = await world();
  const call = await w.call();
  await w.store.append({ type: "session.close", session: "s1", why: "done", actions: 1 });
  await settled();
  expect(call.ended()).toMatchObject({ kind: "pending" });
  expect(w.approvals.list()).toEqual([]);
  expect(kinds(w.records())).toEqual(["request", "expire"]);
});

test("a shutdown does not wait for people", async () => {
  const w = await world();
  const call = await w.call();
  await w.approvals[Symbol.asyncDispose]();
  await settled();
  expect(call.ended()).toMatchObject({ kind: "pending" });
});

type Step = "call" | "claim" | "unclaim" | "void" | "approve" | "deny" | "use" | "wait" | "crash" | "restart";
const steps = fc.array(fc.constantFrom<Step>("call", "call", "claim", "claim", "unclaim", "void", "approve", "approve", "deny", "use", "use", "wait", "crash", "restart"), { maxLength: 30 });

test("I6: in whatever order things happen, no approval is named by two allow decisions, and none that was not approved by any", async () => {
  await fc.assert(
    fc.asyncProperty(steps, async (list) => {
      const w = await world();
      const taken: Approval[] = [];
      for (const step of list) {
        if (step === "call") {
          const call = await w.call();
          void call.done.then((hold) => hold && "approval" in hold && taken.push(hold.approval));
        } else if (step === "claim") {
          const approval = w.claim();
          if (approval) taken.push(approval);
        } else if (step === "unclaim" || step === "void") {
          const approval = taken.pop();
          if (approval) w.approvals.unclaim(approval, step === "void" ? "bundle" : "unused");
        } else if (step === "approve" || step === "deny") await codeOf(w.approvals.decide(w.only(), step, as("lea"), ""));
        else if (step === "use") {
          const approval = taken.pop();
          if (approval) await w.decided("allow", approval.id, "s1", "a");
        } else if (step === "wait") await w.clock.advance(30_000);
        else {
          taken.length = 0; // A claim dies with its process.
          await w.restart(step === "restart");
        }
        await settled();
      }
      const used = w.records("decision").flatMap((record) => (record.type === "decision" && record.effect === "allow" && record.approval ? [record.approval] : []));
      const approved = new Set(w.records("approval.approve").map((record) => (record.type === "approval.approve" ? record.id : "")));
      expect(new Set(used).size).toBe(used.length);
      expect(used.every((id) => approved.has(id))).toBe(true);
    }),
    { numRuns: 60 },
  );
});
