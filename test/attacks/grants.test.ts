import { afterAll, beforeAll, expect, test } from "vitest";
import { until } from "../daemon.ts";
import { Asking } from "./asking.ts";

// A grant is a yes beforehand. Here it is stretched: to other arguments, other agents, more uses, a longer life, another giver.

let at: Asking;
beforeAll(async () => void (at = await Asking.open()), 60_000);
afterAll(() => at?.[Symbol.asyncDispose]());

const hourMs = 3_600_000;
const done = expect.stringContaining("done by bank");
const pending = expect.stringContaining("Pending approval");
let made = 0;

/** A payment of its own kind that waits, and the body of a grant made from it. */
async function asked(tool: "pay" | "close" = "pay", more: object = {}) {
  const token = await at.session();
  const to = `K${made++}/1`;
  expect(await at.call(token, tool, { to })).toEqual(pending);
  const { id } = await at.cardOf(to);
  const prefix = to.slice(0, -1);
  return { token, to, prefix, wish: { approval: id, times: 3, until_ms: Date.now() + hourMs, like: { to: `${prefix}*` }, ...more } };
}

test("a wider pattern than was shown is not given, and none that does not fit the call", async () => {
  const { wish, prefix } = await asked();
  const { shown, text } = await at.as("lea").call<{ shown: string; text: string }>("grant_draft", { body: wish });
  expect(text).toContain(`context.input.to like "${prefix}*"`);
  const give = (body: object) => at.code(at.as("lea").call("grant_give", { body: { ...wish, shown, ...body } }));
  for (const wider of [{ like: { to: "*" } }, { like: {}, any: ["to"] }, { times: 4 }, { until_ms: wish.until_ms + 1 }]) expect(await give(wider)).toBe("conflict");
  for (const wrong of [{ like: { to: "other*" } }, { like: { note: "*" } }, { any: ["note"] }, { times: 1001 }, { until_ms: Date.now() + 31 * 24 * hourMs }, { until_ms: 1 }]) expect(await give(wrong)).toBe("invalid_request");
  expect(await at.records("grant.give")).toEqual([]);
});

test("it covers what it names: the pattern, no other argument, no other tool, no other agent or user", async () => {
  const { token, to, prefix, wish } = await asked();
  await at.give("lea", wish);
  expect(await at.call(token, "pay", { to })).toEqual(done);
  const session = await at.session();
  expect(await at.call(session, "pay", { to: `x${to}` })).toEqual(pending);
  expect(await at.call(session, "pay", { to, note: "" })).toEqual(pending);
  expect(await at.call(session, "close", { to })).toEqual(pending);
  expect(await at.call(await at.session("other"), "pay", { to })).toEqual(pending);
  expect(await at.call(await at.session("bot", "cleo"), "pay", { to })).toEqual(pending);
  expect(await at.call(session, "pay", { to: `${prefix}2` })).toEqual(done);
});

test("a grant made of a call that carries more than arguments is refused, and covers none that does", async () => {
  const { token, to, wish } = await asked();
  await at.give("lea", wish);
  const response = await fetch(`${at.url}/mcp`, {
    method: "POST",
    headers: { "content-type": "application/json", accept: "application/json, text/event-stream", "mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call", "mcp-name": "pay", authorization: `Bearer ${token}` },
    body: JSON.stringify({
      jsonrpc: "2.0", id: 1, method: "tools/call",
      params: { name: "pay", arguments: { to }, inputResponses: { more: true }, _meta: { "io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientInfo": { name: "t", version: "1" }, "io.modelcontextprotocol/clientCapabilities": {} } },
    }),
  });
  expect(await response.text()).toContain("Pending approval");
  const card = (await at.cards()).find(({ beside, args }) => beside !== null && args["to"] === to);
  expect(await at.code(at.as("lea").call("grant_draft", { body: { ...wish, approval: card?.id ?? "" } }))).toBe("invalid_request");
});

test("nobody gives one who could not approve, and no one of a quorum alone", async () => {
  const { wish } = await asked();
  for (const user of ["ben", "rob", "sam"]) expect(await at.code(at.give(user, wish))).toBe("forbidden");
  expect(await at.code(at.operator.call("grant_draft", { body: wish }))).toBe("forbidden");
  const two = await asked("close");
  const grant = await at.give("sam", two.wish);
  expect(grant).toMatchObject({ state: "proposed" });
  const join = (as: string, shown: unknown) => at.code(at.as(as).call("grant_join", { at: { id: String(grant["id"]) }, body: { shown: String(shown) } }));
  expect(await join("sam", grant["shown"])).toBe("conflict");
  expect(await join("lea", grant["shown"])).toBe("forbidden");
  expect(await join("sue", "x".repeat(43))).toBe("conflict");
  expect(await at.call(two.token, "close", { to: two.to })).toEqual(pending);
  expect(await join("sue", grant["shown"])).toBe("ok");
  expect(await at.call(two.token, "close", { to: two.to })).toEqual(done);
});

test("after it was revoked it covers nothing; a stranger cannot revoke it", async () => {
  const { token, prefix, wish } = await asked();
  const grant = await at.give("lea", wish);
  const revoke = (as: string) => at.code(at.as(as).call("grant_revoke", { at: { id: String(grant["id"]) } }));
  expect(await revoke("sam")).toBe("forbidden");
  expect(await revoke("bot")).toBe("forbidden");
  expect(await at.call(token, "pay", { to: `${prefix}2` })).toEqual(done);
  expect(await revoke("lou")).toBe("ok");
  expect(await at.call(token, "pay", { to: `${prefix}3` })).toEqual(pending);
  expect(await revoke("lou")).toBe("not_found");
});

test("many calls at once use it as often as it says, over a crash too", async () => {
  const { token, prefix, wish } = await asked("pay", { times: 6 });
  await at.give("lea", wish); // One use is for the call that waits.
  const burst = async (tokens: readonly string[], mark: string) => {
    const ends = await Promise.all(tokens.flatMap((one) => [1, 2, 3, 4].map((n) => at.call(one, "pay", { to: `${prefix}${mark}${n}` }))));
    return ends.filter((end) => end.includes("done by bank")).length;
  };
  expect(await burst([token], "a")).toBe(4);
  await at.crash();
  const sessions = [await at.session(), await at.session(), token];
  await until(async () => (await at.call(sessions[0] ?? "", "pay", { to: "probe" })).includes("Pending approval"), "the daemon decides as before");
  expect(await burst(sessions, "b")).toBe(1);
  const grants = (await at.operator.call<{ grants: { text: string }[] }>("grant_list")).grants;
  expect(grants.filter(({ text }) => text.includes(prefix))).toEqual([]);
  const uses = await at.records("grant.use");
  const approvals = uses.map((record) => record["approval"]);
  expect(new Set(approvals).size).toBe(approvals.length);
});

test("it permits nothing: what a rule without remedy forbids stays forbidden, and a rule that is new asks", async () => {
  const { token, prefix, wish } = await asked();
  await at.give("lea", wish);
  const before = (await at.records("bundle.activate")).length;
  at.world.policy("r.cedar", `@id("never") forbid (principal, action == Action::"bank/pay", resource) when { context.input has to && context.input.to like "*/9" };
@id("new") @remedy("approval:leads") forbid (principal, action == Action::"bank/pay", resource) when { context.input has to && context.input.to like "*/8" } unless { context.approvals.contains(Group::"leads") };`);
  await until(async () => (await at.records("bundle.activate")).length > before, "the other policies are in force");
  expect(await at.call(token, "pay", { to: `${prefix}9` })).toContain("Denied by policy");
  expect(await at.call(token, "pay", { to: `${prefix}8` })).toEqual(pending);
  expect(await at.call(token, "pay", { to: `${prefix}7` })).toEqual(done);
});

test("it ends when who gave it could not give it any more", async () => {
  const { token, prefix, wish } = await asked();
  const { id } = await at.give("lou", wish);
  const before = (await at.records("config.change")).length;
  at.config((text) => text.replace("lou: { groups: [leads] }", "lou: {}"));
  await until(async () => (await at.records("config.change")).length > before, "the other configuration is in force");
  expect(await at.call(token, "pay", { to: `${prefix}2` })).toEqual(pending);
  await until(async () => (await at.records("grant.expire")).some((record) => record["id"] === id && record["why"] === "voice"), "its end is on record");
});
