import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { namesAnother as namesAnotherThan, namesThing } from "./another.ts";

type Args = Parameters<typeof namesAnotherThan>;
const made: ReadonlySet<string> = new Set();
const namesAnother = (own: string, args: Args[2], of: Args[3], tool = "x"): boolean => namesAnotherThan(tool, { own, task: own, made }, args, of);

const facts = { id: { role: "target", origins: [] }, to: { role: "recipient", origins: [] }, mode: { role: "other", origins: [] }, text: { role: "content", origins: [] } } as const;
const task = "Reader V-51240 writes of the fee F-77. Waive it, see also FN-O-9912 and RFC-2616, by 2026-05-18.";

describe("another than the task names", () => {
  it.each([{ id: "F-61" }, { id: "f-7" }, { to: "V-51241" }, { mode: "FN-O-9913" }, { id: ["F-77", "F-78"] }, { id: " F-61 " }, { id: "F-77", to: "V-1" }])("is %j", (args) => expect(namesAnother(task, args, facts)).toBe(true));
  it.each([{ id: "F-77" }, { id: "f-77" }, { id: "G-61" }, { id: "FN-9912" }, { text: "F-61" }, { text: "Instead of F-61" }, { id: 61 }, { id: "" }, { id: null }, { id: ["F-77"] }, { id: "F-61 and more" }, { id: "2026-05-19" }, {}])("is not %j", (args) => expect(namesAnother(task, args as never, facts)).toBe(false));
  it("is nothing where the task names no id", () => expect(["Waive the fee", "", "F-", "F-7.5 percent", "xF--61"].map((said) => namesAnother(said, { id: "F-61" }, facts))).toEqual([false, false, false, false, false]));
  it.each([
    ["1ISK0072993844", ["untrusted"], true],
    ["1ISK0072993810", ["untrusted"], false],
    ["1ISK0072993844", ["trusted"], true],
    ["1ISK007299384", ["untrusted"], false],
    ["40098815", ["model"], true],
    ["4009881", ["model"], false],
  ] as const)("an id without a kind: %s of %j", (id, origins, isAnother) => {
    expect(namesAnother("Enter the reading of meter 1ISK0072993810 for customer 40129946, 70.50 kWh", { id }, { id: { role: "target", origins } })).toBe(isAnother);
  });
  it.each([
    ["Bring quote-engine up to 18 replicas", "replicas", 1, [], true],
    ["Bring quote-engine up to 18 replicas", "replicas", 18, [], false],
    ["Bring quote-engine up to 18 replicas", "replicas", "0", ["untrusted"], true],
    ["Bring quote-engine up to 18 replicas", "replicas", 12, ["trusted"], false],
    ["Set the priority to 2", "priority", 1, [], true],
    ["Scale it from 3 to 18 replicas", "max_replicas", 18, [], false],
    ["Quote her 40 seats", "price_per_seat", 45, [], false],
    ["Billed for 60 seats, though they asked for 45. Set it to 45", "seats", 45, [], false],
    ["Billed for 60 seats, though they asked for 45. Set it to 45", "seats", 450, [], true],
    ["Scale it up", "replicas", 1, [], false],
    ["Load rehearsal at 14:00 with 18 replicas", "hours", 4, [], false],
  ] as const)("of what is counted: %s, %s %j of %j", (said, name, value, origins, isAnother) => {
    expect(namesAnother(said, { [name]: value }, { [name]: { role: "other", origins } })).toBe(isAnother);
  });
  it("an id as long as one that the task names stands beside it as another thing's", () => {
    const both = { customer: { role: "target", origins: ["task"] }, contract: { role: "target", origins: ["trusted"] } } as const;
    expect(namesAnother("Move customer 40129946 to the new tariff", { customer: "40129946", contract: "40098815" }, both)).toBe(false);
    expect(namesAnother("Move customer 40129946 to the new tariff", { customer: "40129947", contract: "40098815" }, both)).toBe(true);
  });
  it("the thing itself is named by its id, whatever the tool calls it", () => {
    const names = (said: string, args: Parameters<typeof namesThing>[1]): boolean => namesThing(said, args, facts);
    expect([names("Release VF-104611 today", { id: "vf-104611" }), names("Customer 40129946 wants out", { id: "40129946" })]).toEqual([true, true]);
    expect([names("Release VF-104611 today", { id: "VF-104612" }), names("Release VF-104611 today", { text: "VF-104611" }), names("Rename it to Seehaus", { id: "Seehaus" }), names("Release it", { id: "VF-1" })]).toEqual([false, false, false, false]);
  });
  it.each([
    ["Off to Porto from Thursday 14 till Sunday 17 May", "date", "2026-05-14", ["model"], false],
    ["Off to Porto from Thursday 14 till Sunday 17 May", "date", "2026-05-18", ["model"], true],
    ["Off to Porto from May 14 to Sunday the 17th", "date", "2026-05-16", ["model"], false],
    ["Move K-1 to 20 May", "date", "2026-05-21", ["untrusted"], true],
    ["Move K-1 to 20 May", "date", "2026-05-21T10:00", ["model"], true],
    ["Move K-1 to 20 May", "date", "2026-05-21", ["trusted"], false],
    ["Move K-1 to 20 May", "date", "2026-05-20", ["untrusted"], false],
    ["Move K-1 to 20 May", "text", "2026-05-21", ["untrusted"], false],
    ["Answer the mail of 20 May", "date", "2026-05-21", ["untrusted"], false],
    ["Refund her the 45 EUR", "amount", 450, ["untrusted"], true],
    ["Refund her the 45 EUR", "amount", 450, ["trusted"], false],
    ["Refund her the 45 EUR and the 5 EUR for shipping", "amount", 50, ["model"], false],
    ["Refund her", "amount", 450, ["untrusted"], false],
    ["She gets her fee back less the 60 pounds", "amount", 390, ["model"], false],
  ] as const)("%s: %s %s of %j", (said, name, value, origins, isAnother) => {
    const role = name === "text" ? "content" : name === "amount" ? "amount" : "other";
    const money = typeof value === "number" ? { money: { class: "plain", minor: value * 100, currencies: [] } } as const : {};
    expect(namesAnother(said, { [name]: value }, { [name]: { role, origins, ...money } })).toBe(isAnother);
  });
  it.each([
    ["Ask the suppliers for a date", { status: "cancelled" }, true],
    ["Ask the suppliers for a date", { fields: { status: "cancelled" } }, true],
    ["Put what they say into the deal", { fields: { stage: "closed_lost" } }, true],
    ["Look at the claim", { changes: [{ field: "x", new_status: "approved" }] }, true],
    ["Cancel the order", { status: "cancelled" }, false],
    ["Give the claim the go-ahead", { decision: "approved" }, false],
    ["We lost the deal, note it", { stage: "closed_lost" }, false],
    ["Ask the suppliers for a date", { status: "waiting" }, false],
    ["Ask the suppliers for a date", { reason: "cancelled" }, false],
    ["Ask the suppliers for a date", { status: "the last one was cancelled, which nobody told us of" }, false],
  ])("%s: %j is %s", (said, args, isAnother) => expect(namesAnother(said, args as never, Object.fromEntries(Object.keys(args).map((name) => [name, { role: "other", origins: ["untrusted"] }])))).toBe(isAnother));
  it("is a decision whatever states records have; not one in a task's own words, or the text of a message", () => {
    expect(namesAnother("Ask for a date", { status: "cancelled" }, { status: { role: "other", origins: ["trusted"] } })).toBe(true);
    expect(namesAnother("Ask for a date", { status: "cancelled" }, { status: { role: "other", origins: ["task"] } })).toBe(false);
    expect(namesAnother("Ask for a date", { body: { status: "cancelled" } }, { body: { role: "content", origins: ["untrusted"] } })).toBe(false);
  });
  it("ends, whatever comes", () => {
    fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 400 }), fc.string({ unit: "binary", maxLength: 200 }), (said, value) => typeof namesAnother(said, { id: value }, facts) === "boolean"));
    expect(namesAnother("a-".repeat(10_000), { id: `${"a-".repeat(10_000)}1` }, facts)).toBe(false);
  });
});

it("knows what has a number in a list by it", () => {
  const another = (said: string, args: Record<string, string | number>): boolean => namesAnother(said, args, Object.fromEntries(Object.keys(args).map((name) => [name, { role: "target", origins: ["trusted"] }])));
  expect([another("Review PR 412", { number: 419 }), another("Close issue #7", { issue_number: "8" }), another("If tests pass, merge pull request 57", { pull_number: 58 }), another("See #1510", { iid: "#1511" })]).toEqual([true, true, true, true]);
  expect([another("Review PR 412", { number: 412 }), another("Review PR 412 and 413", { number: 413 }), another("Review the PR", { number: 1 }), another("Review PR 412", { line: 9, page_number: 3 }), another("Room 412 is booked", { number: 3 })]).toEqual([false, false, false, false, false]);
});

it("is none of what somebody says to whom the task leaves it, but for kinds that it names itself", () => {
  const named = { id: { role: "target", origins: ["trusted"] } } as const;
  const own = "They took the payment twice, AC-1201. If so give back the second one, as she writes";
  const task = `${own}\ncreated by the retry job, duplicate of INV-88219; see AC-1300`;
  expect([namesAnotherThan("x", { own, task, made }, { id: "INV-88277" }, named), namesAnotherThan("x", { own, task, made }, { id: "AC-1300" }, named), namesAnotherThan("x", { own, task, made }, { id: "AC-1400" }, named)]).toEqual([false, false, true]);
});

it("is another version, of which no record says anything", () => {
  const another = (said: string, args: Record<string, string>, origin: "untrusted" | "model" | "trusted" = "untrusted"): boolean => namesAnother(said, args, Object.fromEntries(Object.keys(args).map((name) => [name, { role: "other", origins: [origin] }])));
  expect([another("Make 7.4.2 stable", { version: "7.4.2-1" }), another("Ship v2.8.0", { tag: "v2.8.1" }, "model"), another("Bump it to 3.0.0-rc.1", { version: "3.0.0" })]).toEqual([true, true, true]);
  expect([another("Make 7.4.2 stable", { version: "v7.4.2" }), another("Ship v2.8.0.", { tag: "2.8.0" }), another("Roll 7.4.2 back", { version: "7.4.1" }, "trusted"), another("Look at 10.0.0.1", { host: "10.0.0.2" }), another("Ship it", { version: "7.4.1" }), another("Make 7.4.2 stable", { version: "latest" })]).toEqual([false, false, false, false, false, false]);
});

it("is nothing that the session's own calls have made", () => {
  const sends = (made: readonly string[]): boolean => namesAnotherThan("send", { own: "Make Q-4471 anew", task: "Make Q-4471 anew", made: new Set(made) }, { files: ["Q-4502"] }, { files: { role: "target", origins: ["trusted"] } });
  expect([sends([]), sends(["to"]), sends(["files"])]).toEqual([true, true, false]);
});

it("is what a stranger alone says is to be given back or is owed, and no bill that is paid", () => {
  const another = (tool: string, minor: number, origins: readonly ("untrusted" | "trusted")[], said = "Give her the money back"): boolean => namesAnother(said, { amount: minor / 100 }, { amount: { role: "amount", money: { class: "plain", minor, currencies: [] }, origins } }, tool);
  expect([another("refund", 26_400, ["untrusted"]), another("credit_account", 26_400, ["untrusted"]), another("create_invoice", 14_200, ["untrusted"])]).toEqual([true, true, true]);
  expect([another("refund", 26_400, ["trusted"]), another("refund", 9000, ["untrusted"]), another("pay_invoice", 26_400, ["untrusted"]), another("transfer", 26_400, ["untrusted"])]).toEqual([false, false, false, false]);
});

it("is no first day of what the task says the last of", () => {
  const another = (said: string, args: Record<string, string>): boolean => namesAnother(said, args, Object.fromEntries(Object.keys(args).map((name) => [name, { role: "other", origins: ["model"] }])));
  expect([another("Reply that I am away until 15 October", { from: "2026-10-13" }), another("Lend it to her till 3 May", { start_date: "2026-05-01" })]).toEqual([false, false]);
  expect([another("Reply that I am away until 15 October", { until: "2026-10-13" }), another("Move it to 15 October", { from: "2026-10-13" }), another("Away from 12 till 15 October", { from: "2026-10-11" })]).toEqual([true, true, true]);
});

it("is no last day where the task says the first alone, and the call begins then", () => {
  const another = (said: string, args: Record<string, string>): boolean => namesAnother(said, args, Object.fromEntries(Object.keys(args).map((name) => [name, { role: "other", origins: ["model"] }])));
  expect([another("Place her from 5 July", { from: "2026-07-05", to: "2026-07-19" }), another("Book a room for 5 July", { start_date: "2026-07-05", end_date: "2026-07-06" })]).toEqual([false, false]);
  expect([another("Book a room for 5 July", { start_date: "2026-07-04", end_date: "2026-07-06" }), another("Book a room for 5 July", { end_date: "2026-07-06" }), another("Book a room from 5 to 7 July", { from: "2026-07-05", to: "2026-07-19" })]).toEqual([true, true, true]);
});

it("is no decision where the task leaves it to be decided", () => {
  const decision = { claim: { role: "target", origins: ["task"] }, outcome: { role: "other", origins: ["model"] } } as const;
  const args = { claim: "WC-3391", outcome: "accepted" };
  expect([namesAnother("Decide WC-3391 on the inspection", args, decision), namesAnother("Make a decision on WC-3391", args, decision), namesAnother("Look at WC-3391 and tell me", args, decision)]).toEqual([false, false, true]);
});
