import type { Fault, ValueOrigin } from "@lanyard/contract";
import { expect, test } from "vitest";
import { approvalWorld as world, approvalYaml, as, factsOf, hash, rulingOf, yamlConfig } from "../../../../test/kits/approval.ts";
import { settled } from "../../../../test/kits/clock.ts";
import type { Facts } from "../../base/path.ts";
import type { ApprovalChange } from "./change.ts";
import { renderingOf } from "./rendering.ts";

const codeOf = (promise: Promise<unknown>): Promise<string> => promise.then(() => "none", (error: Fault) => error.code);
const team = approvalYaml.replace("ben: {}", "ben: {}, sue: { groups: [sre] }, sid: { groups: [sre] }");

test("a quorum counts people: two of sre are two different ones, in whatever order", async () => {
  const w = await world(team);
  await w.call({ ruling: rulingOf(["2 of sre"]) });
  await w.clock.advance(50_000);
  expect(w.approvals.list()).toMatchObject([{ groups: ["2 of sre"], missing: ["2 of sre"], may_answer: ["both", "sam", "sid", "sue"] }]);
  await w.approvals.decide(w.only(), "approve", as("sam"), "");
  expect(await codeOf(w.approvals.decide(w.only(), "approve", as("sam"), ""))).toBe("conflict");
  expect(w.claim()).toBeNull();
  expect(w.approvals.list()).toMatchObject([{ state: "pending", missing: ["2 of sre"], may_answer: ["both", "sid", "sue"] }]);
  await w.restart();
  await w.approvals.decide(w.only(), "approve", as("sue"), "");
  expect(w.claim()).toMatchObject({ groups: ["2 of sre"] });
});

test("one person counts once a term, and may speak for two groups", async () => {
  const w = await world(team);
  await w.call({ ruling: rulingOf(["2 of sre", "leads"]) });
  await w.approvals.decide(w.only(), "approve", as("both"), "");
  expect(w.approvals.list()).toMatchObject([{ missing: ["2 of sre"], given: [{ by: "both", groups: ["2 of sre", "leads"] }] }]);
});

test("a quorum is void when one of those who made it leaves the group", async () => {
  const w = await world(team);
  await w.call({ ruling: rulingOf(["2 of sre"]) });
  await w.clock.advance(50_000);
  for (const user of ["sam", "sue"]) await w.approvals.decide(w.only(), "approve", as(user), "");
  w.live.config = yamlConfig(team.replace("sue: { groups: [sre] }", "sue: {}"));
  expect(w.claim()).toBeNull();
  await settled();
  expect(w.records("approval.expire")).toMatchObject([{ why: "voice" }]);
});

test("one no of a quorum denies, also from somebody who has said yes before", async () => {
  const w = await world(team);
  const call = await w.call({ ruling: rulingOf(["2 of sre"]) });
  await w.approvals.decide(w.only(), "approve", as("sam"), "");
  await w.approvals.decide(w.only(), "deny", as("sam"), "looked again");
  expect(await call.done).toMatchObject({ kind: "denied", by: "sam", comment: "looked again" });
});

test("separation of duties: not who runs the agent, not who is acted for, whatever their groups", async () => {
  const w = await world(team.replace("ben: {}", "ben: { groups: [leads] }").replace("limits:", "teams: { eng: {} }\nagents: { coder: { team: eng, run_by: [lea] } }\nlimits:"));
  await w.call();
  const id = w.only();
  for (const user of ["lea", "ana"]) expect(await codeOf(w.approvals.decide(id, "approve", as(user), ""))).toBe("forbidden");
  expect(w.approvals.list("lea")).toEqual([]);
  expect(w.approvals.list()).toMatchObject([{ may_answer: ["ben", "both"] }]);
  await w.approvals.decide(id, "approve", as("ben"), "");
});

test("who is acted for answers where the policy says `or self`, in the group or not; who runs the agent does not even then", async () => {
  const w = await world(team.replace("ana: { groups: [leads] }", "ana: {}"));
  await w.call({ ruling: rulingOf(["2 of sre or self"]) });
  await w.approvals.decide(w.only(), "approve", as("ana"), "");
  await w.approvals.decide(w.only(), "approve", as("sam"), "");
  expect(w.records("approval.approve")).toMatchObject([{ by: "user:ana", groups: ["2 of sre or self"] }, { by: "user:sam" }]);
  const other = await world(team.replace("limits:", "teams: { eng: {} }\nagents: { coder: { team: eng, run_by: [ana] } }\nlimits:"));
  await other.call({ ruling: rulingOf(["leads or self"]) });
  expect(await codeOf(other.approvals.decide(other.only(), "approve", as("ana"), ""))).toBe("forbidden");
});

test("what was said with a yes goes with the approval, also over a restart", async () => {
  const w = await world();
  await w.call();
  await w.clock.advance(50_000);
  await w.approvals.decide(w.only(), "approve", as("lea"), "only this one");
  await w.restart();
  expect(w.claim()).toMatchObject({ said: [{ by: "lea", comment: "only this one" }] });
  expect(JSON.stringify([w.store.entries({}), [...w.disk.medium.state()]])).not.toContain("only this one");
});

test("I6: a fact that changed is another question, before the answer and after it", async () => {
  const w = await world();
  await w.call();
  const before = w.only();
  const moved = factsOf();
  await w.call({ facts: { ...moved, input: { ...moved.input, session: { ...moved.input.session, depth: 1 } } } });
  expect(w.only()).not.toBe(before);
  await settled();
  expect(w.records("approval.expire")).toMatchObject([{ id: before, why: "facts" }]);
});

test("I6: a yes is for the reasons that were shown: one more is another question, one less is covered, and what moves beside the call is none", async () => {
  const w = await world();
  const asks = (...reasons: string[]) => ({ ruling: rulingOf(["leads"], "B", reasons) });
  await w.call(asks("a", "b"));
  const first = w.only();
  const { input, pin } = factsOf();
  await w.call({ ...asks("a"), facts: { input: { ...input, asked: ["egress"], session: { ...input.session, labels: ["untrusted"] } }, pin } });
  expect(w.only()).toBe(first);
  await w.call(asks("a", "b", "c"));
  expect(w.only()).not.toBe(first);
  await settled();
  expect(w.records("approval.expire")).toMatchObject([{ id: first, why: "reasons" }]);
  const second = w.only();
  await w.restart();
  await w.call(asks("c"));
  expect(w.only()).toBe(second);
});

test("I6: a yes covers what is known of the values, or better: an origin or a label that was not shown is another question", async () => {
  const w = await world();
  const { input, pin } = factsOf();
  const to = (origins: ValueOrigin[], labels: string[] = []): { facts: Facts } => ({ facts: { input: { ...input, facts: { path: { role: "target", labels, origins } } }, pin } });
  await w.call(to(["model", "untrusted"], ["personal"]));
  const first = w.only();
  for (const better of [to(["untrusted"]), to(["directory", "model"], ["personal"]), to(["task"])]) await w.call(better);
  expect(w.only()).toBe(first);
  for (const worse of [to(["untrusted"], ["secret"]), to(["model"])]) {
    const before = w.only();
    await w.call(worse);
    expect(w.only()).not.toBe(before);
    await w.call(to(["task"]));
  }
  await settled();
  expect(w.records("approval.expire")).toMatchObject([{ id: first, why: "values" }, { why: "values" }]);
});

test("the digest that a person was shown must be the request's", async () => {
  const w = await world();
  await w.call();
  expect(await codeOf(w.approvals.decide(w.only(), "approve", as("lea"), "", hash("z")))).toBe("conflict");
  expect(w.records("approval.approve")).toEqual([]);
  await w.approvals.decide(w.only(), "approve", as("lea"), "", hash("a"));
});

test("requests that differ in nothing but their session are one card; a yes is for one of them, a no for all", async () => {
  const w = await world();
  const calls = [await w.call(), await w.call({ session: "s2" })];
  const [card, ...others] = w.approvals.list();
  expect(others).toEqual([]);
  expect(card).toMatchObject({ requests: [{ session: "s1" }, { session: "s2" }] });
  await w.approvals.decide(card?.id ?? "", "approve", as("lea"), "");
  await settled();
  expect(calls.map((call) => call.ended()?.kind)).toEqual(["approved", undefined]);
  expect(w.claim("a", "s2")).toBeNull();
  await w.call({ session: "s3" });
  await w.approvals.decide(w.approvals.list().find(({ state }) => state === "pending")?.id ?? "", "deny", as("lea"), "no");
  expect(w.records("approval.deny")).toHaveLength(2);
  await settled();
  expect(calls[1]?.ended()).toMatchObject({ kind: "denied" });
});

test("a request of the same call under other facts, or for another user's group, has a card of its own", async () => {
  const w = await world();
  await w.call();
  await w.call({ session: "s2", ruling: rulingOf(["sre"]) });
  await w.call({ session: "s3", ruling: rulingOf(["leads"], "C") });
  expect(w.approvals.list()).toHaveLength(3);
});

test("void ends what matches, pending, approved or in use, and its calls are decided anew", async () => {
  const w = await world();
  const waits = await w.call();
  const other = await w.call({ session: "s2", mark: "b" });
  await w.call({ session: "s3" });
  const third = w.approvals.list().flatMap(({ requests }) => requests).find(({ session }) => session === "s3")?.id ?? "";
  await w.approvals.decide(third, "approve", as("lea"), "");
  const gone = w.approvals.void(({ session }) => session !== "s2", "stp_1");
  expect(w.claim("a", "s3")).toBeNull(); // at once, before it is on disk
  expect(await gone).toBe(2);
  await settled();
  expect(waits.ended()).toEqual({ kind: "void" });
  expect(other.ended()).toBeNull();
  expect(w.records("approval.void")).toMatchObject([{ why: "stp_1" }, { why: "stp_1" }]);
  expect(w.store.list("approval")).toHaveLength(1);
  expect(await codeOf(w.approvals.decide(third, "approve", as("both"), ""))).toBe("not_found");
});

test("an answer and a void at the same instant: the void wins", async () => {
  const w = await world();
  const call = await w.call();
  const answer = codeOf(w.approvals.decide(w.only(), "approve", as("lea"), ""));
  await Promise.resolve(); // the answer is on its way to the disk
  await w.approvals.void(() => true, "stp_1");
  expect(await answer).toBe("conflict");
  expect(await call.done).toEqual({ kind: "void" });
  await w.restart(false);
  expect(w.claim()).toBeNull();
});

test("surfaces hear of every change, with the card as it stands, and answers name theirs", async () => {
  const w = await world(team);
  const heard: ApprovalChange[] = [];
  const following = w.approvals.onChange((change) => heard.push(change));
  await w.call({ ruling: rulingOf(["2 of sre"]) });
  await w.call({ session: "s2", ruling: rulingOf(["2 of sre"]) });
  await w.approvals.decide(w.only(), "approve", { user: "sam", via: "slack" }, "");
  await w.approvals.decide(heard[0]?.id ?? "", "approve", as("sue"), "");
  await w.approvals.void(() => true, "stp_1");
  following.stop();
  await w.call({ mark: "b" });
  expect(heard.map(({ kind, how, by, card }) => [kind, how, by, card.requests.length])).toEqual([
    ["asked", "asked", null, 1],
    ["asked", "asked", null, 2],
    ["answered", "approve", "sam", 1],
    ["answered", "approve", "sue", 1],
    ["ended", "void", null, 1],
    ["ended", "void", null, 1],
  ]);
  expect(w.records("approval.approve")).toMatchObject([{ by: "user:sam", via: "slack" }, { by: "user:sue" }]);
});

test("a card says what would happen: differences, texts line by line, everything else by name", () => {
  expect(renderingOf({ path: "a.md", edits: [{ oldText: "one\ntwo", newText: "three" }], note: "x\ny", n: 1, flags: ["a"], deep: { old: "p", new: "q", at: true } })).toEqual([
    "path: a.md", "edits[0]: oldText -> newText", "- one", "- two", "+ three", "note:", "  | x", "  | y", "n: 1", 'flags: ["a"]', "deep.at: true", "deep: old -> new", "- p", "+ q",
  ]);
  // Nothing disappears, and nothing passes for something else.
  expect(renderingOf({ force: {}, deep: { all: {}, "": [{}] }, n: "1", list: '["a"]', none: "null", empty: "", end: "x ", "to: ana": "b", "deep.all": 2 })).toEqual([
    "force: {}", "deep.all: {}", 'deep.""[0]: {}', 'n: "1"', 'list: "[\\"a\\"]"', 'none: "null"', 'empty: ""', 'end: "x "', '"to: ana": b', '"deep.all": 2',
  ]);
  const long = renderingOf({ text: Array.from({ length: 300 }, (_, at) => `${at}`).join("\n"), wide: "w".repeat(1000) });
  expect(long).toHaveLength(201);
  expect(long.at(-1)).toBe("... 102 lines more");
});

test("a card shows what the session read before it asked", async () => {
  const w = await world();
  const { seq } = await w.read("https://example.org/issue");
  await w.call();
  const shown = [{ seq, action: "web/GET", what: '{"url":"https://example.org/issue"}' }];
  expect(w.approvals.list()).toMatchObject([{ read: shown, purpose: "p", reversibility: "reversible" }]);
  await w.restart();
  expect(w.approvals.list()).toMatchObject([{ read: shown }]);
  expect(w.records("approval.request")).toMatchObject([{ read: [seq] }]);
});
