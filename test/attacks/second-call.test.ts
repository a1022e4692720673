import { afterAll, beforeAll, expect, test } from "vitest";
import { Asking } from "./asking.ts";

// Somebody is asked about what a hijacked agent wants to do, and it does something else meanwhile that nobody would be asked about.

let at: Asking;
const held = `
@id("held") @reason("People were asked about an earlier call.") @remedy("approval:leads") forbid (principal, action, resource)
when { context.session.labels.contains("held") } unless { context.approvals.contains(Group::"leads") };`;
beforeAll(async () => void (at = await Asking.open(held)), 60_000);
afterAll(() => at?.[Symbol.asyncDispose]());

const pending = expect.stringContaining("Pending approval");
const done = expect.stringContaining("done by bank");

const acting = (token: string) => ({
  token,
  pay: (to: string) => at.call(token, "pay", { to }),
  send: (to: string) => at.call(token, "send", { to }),
});
const session = async () => acting(await at.session());
const answer = async (to: string, verdict: "approve" | "deny"): Promise<void> => expect(await at.verdict("lea", (await at.cardOf(to)).id, verdict)).toBe("ok");

test("while people are asked about one call, others of the session are asked about too, and no other session's; when they have said yes, they are not", async () => {
  const [s, other] = [await session(), await session()];
  expect(await s.send("before")).toEqual(done);
  expect(await s.pay("eve")).toEqual(pending);
  expect(await s.send("meanwhile")).toEqual(pending);
  expect(await other.send("elsewhere")).toEqual(done);
  await answer("eve", "approve");
  expect(await s.pay("eve"), "that others were asked about since voids no yes").toEqual(done);
  expect(await s.send("meanwhile"), "its own request is not needed any more").toEqual(done);
  expect(await s.send("afterwards")).toEqual(done);
});

test("when they have said no, the session stays held, also after a crash, and each call can be agreed to", async () => {
  const s = await session();
  expect(await s.pay("mallory")).toEqual(pending);
  await answer("mallory", "deny");
  expect(await s.send("after the no")).toEqual(pending);
  const { requests: [request] } = await at.cardOf("after the no");
  const [asked, next] = (await at.records("decision")).filter((record) => record["session"] === request?.session);
  expect(next?.["seq"]).toBe(request?.of);
  expect(await at.operator.call("explain", { at: { ref: String(asked?.["seq"]) } })).toMatchObject({ held_by: null });
  expect(await at.operator.call("explain", { at: { ref: String(next?.["seq"]) } })).toMatchObject({ held_by: asked?.["seq"] });
  await at.crash();
  expect(await s.send("after the crash")).toEqual(pending);
  await answer("after the crash", "approve");
  expect(await s.send("after the crash")).toEqual(done);
  expect(await s.send("and another"), "a yes to one call is none to those that were refused").toEqual(pending);
});

test("a call that people agree to is agreed to whatever they are asked about beside it", async () => {
  const s = await session();
  expect(await s.pay("first")).toEqual(pending);
  expect(await s.pay("second")).toEqual(pending);
  await answer("second", "approve");
  expect(await s.pay("second")).toEqual(done);
  expect(await s.send("third"), "the first is not answered").toEqual(pending);
});

test("a child of a session is held with it", async () => {
  const s = await session();
  expect(await s.pay("parent")).toEqual(pending);
  const { token } = await at.world.operator(s.token).call<{ token: string }>("session_open", { body: { agent: "bot", on_behalf_of: "ben", purpose: "test" } });
  const child = acting(token);
  expect(await child.send("by the child")).toEqual(pending);
});
