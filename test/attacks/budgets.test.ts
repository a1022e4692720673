import { afterAll, beforeAll, expect, test } from "vitest";
import type { JsonObject } from "@lanyard/contract";
import type { Client } from "../../server/src/cli/client.ts";
import { approveCatalog, callTool, DaemonProcess, until, World } from "../daemon.ts";
import { rogue, type Rogue } from "./rogue.ts";

// An agent that is wholly somebody else's tries to spend more than it was given. The bank believes everything, so what reached it is what was spent.

let bank: Rogue;
let world: World;
let daemon: DaemonProcess;
let operator: Client;

const yaml = (url: string): string => `
teams: { t: {} }
groups: { leads: {} }
users: { ana: {}, ben: {}, eve: {}, fay: {}, lea: { groups: [leads] } }
agents: { bot: { team: t }, cat: { team: t } }
servers: { bank: { url: "${url}" } }
tools:
  bank/pay: { effects: [money], arguments: { amount: { kind: money, unit: units, currency: { argument: currency } }, to: { kind: text, role: recipient } } }
  bank/later: { effects: [money], arguments: { amount: { kind: money, unit: units, currency: EUR } }, undo: [{ class: irreversible, stage_seconds: 3600 }] }
budgets:
  pocket: { of: money, limit: 100 EUR, per: user, window: 1d, ask: 90% }
  looks: { of: calls, limit: 3, per: [agent, user], actions: [bank/look], quarantine: 4 }
  brood: { of: sessions, limit: 2, per: user }
limits: { hold_ms: 300 }
breakers: { quarantines: session }
`;
const policies = {
  "p.cedar": `@id("all") permit (principal, action, resource);
@id("never") forbid (principal, action == Action::"bank/pay", resource) when { context.input has to && context.input.to == "nobody" };
@id("near") @remedy("approval:leads") @reason("Near the end of the budget a lead looks.") forbid (principal, action in Action::"money", resource) when { context.budget.ask.contains("pocket") } unless { context.approvals.contains(Group::"leads") };`,
};

beforeAll(async () => {
  const properties = { to: { type: "string" }, amount: { type: "number" }, currency: { type: "string" } };
  const tools = ["pay", "later", "look"].map((name) => ({ name, inputSchema: { type: "object", properties } }));
  bank = await rogue({
    label: "bank",
    tools,
    onCall: ({ params }, response) => {
      const { to } = (params?.["arguments"] ?? {}) as { to?: string };
      if (to === "silence") response.destroy();
      return to === "silence";
    },
  });
  world = new World({ yaml: yaml(bank.url), policies });
  daemon = await DaemonProcess.start(world);
  operator = world.operator();
  await approveCatalog(operator, "bank");
}, 60_000);
afterAll(async () => {
  await daemon?.stop();
  world?.[Symbol.dispose]();
  await bank?.[Symbol.asyncDispose]();
});

const session = async (user: string, agent = "bot", more: JsonObject = {}): Promise<{ token: string; id: string }> => {
  const opened = await operator.call<{ token: string; session: string }>("session_open", { body: { agent, on_behalf_of: user, purpose: "test", ...more } });
  return { token: opened.token, id: opened.session };
};
const call = async (token: string, tool: string, args: JsonObject): Promise<string> => {
  const { body } = await callTool(daemon.url, token, tool, args);
  return (body.result?.content ?? []).map(({ text }) => text).join("\n") || (body.error?.message ?? "");
};
const pay = (token: string, amount: unknown, more: JsonObject = {}): Promise<string> => call(token, "pay", { to: "shop", amount: amount as number, currency: "EUR", ...more });
const of = async (query: Record<string, string>): Promise<Record<string, JsonObject>> => {
  const { budgets } = await operator.call<{ budgets: JsonObject[] }>("budget_list", { query });
  return Object.fromEntries(budgets.map((row) => [`${String(row["budget"])} ${String(row["about"])}`, row]));
};
const paid = (to: string): number => bank.calls().map((one) => one.arguments as { to?: string; amount?: number }).reduce((sum, one) => sum + (one.to === to ? (one.amount ?? 0) : 0), 0);

test("a burst of many sessions, agents and children at once: the bank sees no cent more than the budget", async () => {
  const parents = await Promise.all(Array.from({ length: 4 }, (_, at) => session("ana", at % 2 === 0 ? "bot" : "cat")));
  const open = async (token: string) => world.operator(token).call<{ token: string }>("session_open", { body: {} });
  const children = [await open(parents[0]?.token ?? ""), await open(parents[1]?.token ?? "")];
  await expect(open(parents[2]?.token ?? "")).rejects.toMatchObject({ code: "budget_exceeded" });
  const tokens = [...parents, ...children].map(({ token }) => token);
  const ends = await Promise.all(Array.from({ length: 60 }, (_, at) => pay(tokens[at % tokens.length] ?? "", 7, { to: "burst" })));
  expect(ends.filter((text) => text === "done by bank").length * 7).toBe(paid("burst"));
  expect(paid("burst")).toBeLessThan(90);
  expect(paid("burst")).toBeGreaterThanOrEqual(77);
  expect((await of({ session: parents[0]?.id ?? "" }))["pocket user ana"]).toMatchObject({ spent: paid("burst") * 100, reserved: 0, near: true });
});

test("amounts that are none, and currencies that are others, buy nothing; what policy denies costs nothing", async () => {
  const { token, id } = await session("ben");
  for (const amount of [-50, 1e300, 2 ** 53, 2 ** 53 / 100, 0.001, "1,000", "5 USD", "ten", null, [1, 2], { a: 1 }]) expect(await pay(token, amount), JSON.stringify(amount)).not.toBe("done by bank");
  for (const currency of ["USD", "XBT", "", 1] as const) expect(await pay(token, 1, { currency }), String(currency)).toMatch(/budget `pocket`|malformed|arguments/);
  expect(await call(token, "pay", { to: "shop", amount: 1 })).toMatch(/nobody can say how much this call takes of EUR/);
  expect(await pay(token, 80, { to: "nobody" })).toMatch(/Denied by policy/);
  expect(await pay(token, 101)).toMatch(/has 100.00 EUR of 100.00 EUR left, and this call takes 101.00 EUR, which is more than there ever is/);
  expect((await of({ session: id }))["pocket user ben"] ?? { spent: 0, reserved: 0 }).toMatchObject({ spent: 0, reserved: 0 });
  expect(await pay(token, 1)).toBe("done by bank");
});

test("a call whose end nobody knows is spent, so that trying again is not free; a restart forgets none of it", async () => {
  const { token, id } = await session("eve");
  for (let turn = 0; turn < 2; turn++) expect(await pay(token, 40, { to: "silence" })).not.toBe("done by bank");
  expect(await pay(token, 21)).toMatch(/has 20.00 EUR of 100.00 EUR left/);
  await daemon.kill();
  daemon = await DaemonProcess.start(world);
  expect((await of({ session: id }))["pocket user eve"]).toMatchObject({ spent: 8000, reserved: 0 });
  await until(async () => (await pay(token, 9)) === "done by bank", "the server is reached again");
});

test("an ask near the end holds no room; a staged call does, until it is withdrawn", async () => {
  const { token, id } = await session("fay");
  const staged = await call(token, "later", { amount: 60, to: "x" });
  expect(staged).toMatch(/hld_/);
  expect((await of({ session: id }))["pocket user fay"]).toMatchObject({ spent: 0, reserved: 6000, shown: { left: "40.00 EUR" } });
  expect(await pay(token, 41)).toMatch(/there may be room once calls under way have ended/);
  expect(await pay(token, 35)).toMatch(/Pending approval/);
  expect((await of({ session: id }))["pocket user fay"]).toMatchObject({ reserved: 6000 });
  const [held] = (await operator.call<{ held: { id: string }[] }>("held_list")).held;
  await operator.call("held_withdraw", { at: { id: held?.id ?? "" } });
  expect((await of({ session: id }))["pocket user fay"]).toMatchObject({ spent: 0, reserved: 0 });
  expect(await pay(token, 41)).toBe("done by bank");
});

test("who keeps at it after the refusals is quarantined; the refusals are on record and replay to the same", async () => {
  const { token, id } = await session("lea", "cat", { max_calls: 50 });
  const ends: string[] = [];
  for (let turn = 0; turn < 8; turn++) ends.push(await call(token, "look", { to: `${turn}` }));
  expect(ends.slice(0, 3)).toEqual(["done by bank", "done by bank", "done by bank"]);
  expect(ends[3]).toMatch(/budget `looks` \(agent cat, user lea\) has 0 calls of 3 calls left/);
  expect(ends[7]).toMatch(/quarantine/);
  const records: JsonObject[] = [];
  for await (const line of operator.lines<JsonObject>("log", { query: { session: id } })) records.push(line);
  expect(records.filter(({ by }) => by === "budget_exceeded")).toHaveLength(4);
  const trips: JsonObject[] = [];
  for await (const line of operator.lines<JsonObject>("log", { query: { type: "breaker.trip" } })) trips.push(line);
  expect(trips).toMatchObject([{ breaker: "budget", what: "looks", session: id }]);
  const replayed: JsonObject[] = [];
  for await (const line of operator.lines<JsonObject>("replay", { body: { from: 0 } })) replayed.push(line);
  expect(replayed.filter(({ kind }) => kind === "differs")).toEqual([]);
  expect(Object.keys(await of({ agent: "cat" }))).toContain("max_calls session " + id);
  await expect(world.operator(token).call("budget_list", { query: { agent: "bot" } })).rejects.toMatchObject({ code: "forbidden" });
  const own = await world.operator(token).call<{ budgets: JsonObject[] }>("budget_list");
  expect(own.budgets.map(({ budget }) => budget).toSorted()).toEqual(["looks", "max_calls"]);
});
