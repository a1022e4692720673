import type { JsonObject } from "@lanyard/contract";
import { afterAll, beforeAll, expect, test } from "vitest";
import { approveCatalog, callTool, DaemonProcess, World } from "../daemon.ts";
import { rogue, type Rogue } from "./rogue.ts";

// Somebody is asked about what a hijacked agent wants to do, and it does something else meanwhile that nobody would be asked about.

let bank: Rogue;
let world: World;
let daemon: DaemonProcess;
const secrets = new Map<string, string>();

beforeAll(async () => {
  const text = { type: "string" };
  bank = await rogue({ tools: [{ name: "pay", inputSchema: { type: "object", properties: { to: text } } }, { name: "send", inputSchema: { type: "object", properties: { to: text } } }], label: "bank" });
  world = new World({
    yaml: `teams: { t: {} }\ngroups: { leads: {} }\nusers: { ana: {}, lea: { groups: [leads] } }\nagents: { bot: { team: t } }\nservers: { bank: { url: "${bank.url}" } }\nlimits: { hold_ms: 300 }\nbreakers: false\n`,
    policies: {
      "p.cedar": `
@id("all") permit (principal, action, resource);
@id("pay") @remedy("approval:leads") forbid (principal, action == Action::"bank/pay", resource) unless { context.approvals.contains(Group::"leads") };
@id("held") @reason("People were asked about an earlier call.") @remedy("approval:leads") forbid (principal, action, resource)
when { context.session.labels.contains("held") } unless { context.approvals.contains(Group::"leads") };`,
    },
  });
  daemon = await DaemonProcess.start(world);
  await approveCatalog(world.operator(), "bank");
  for (const name of ["ana", "lea"]) secrets.set(name, (await world.operator().call<{ secret: string }>("credential_issue", { body: { kind: "user", name } })).secret);
}, 60_000);
afterAll(async () => {
  await daemon?.stop();
  world?.[Symbol.dispose]();
  await bank?.[Symbol.asyncDispose]();
});

interface Card extends JsonObject {
  action: string;
  args: { to: string };
  digest: string;
  requests: { id: string; session: string }[];
}

const pending = expect.stringContaining("Pending approval");
const done = expect.stringContaining("done by bank");
const lea = () => world.operator(secrets.get("lea"));

async function session(parent?: string) {
  const opener = parent === undefined ? world.operator() : world.operator(parent);
  const { token, session: id } = await opener.call<{ token: string; session: string }>("session_open", { body: { agent: "bot", on_behalf_of: "ana", purpose: "what is new?" } });
  const call = async (tool: string, to: string): Promise<string> => (await callTool(daemon.url, token, tool, { to })).body.result?.content?.map(({ text }) => text).join("\n") ?? "";
  const answer = async (to: string, verdict: "approve" | "deny"): Promise<unknown> => {
    const { approvals } = await lea().call<{ approvals: Card[] }>("approval_list");
    const card = approvals.find(({ args, requests }) => args.to === to && requests.some(({ session: of }) => of === id));
    const request = card?.requests.find(({ session: of }) => of === id);
    return lea().call("approval_decide", { at: { id: request?.id ?? "" }, body: { verdict, digest: card?.digest ?? "" } });
  };
  const decisions = async (): Promise<unknown[]> => {
    const found: unknown[] = [];
    for await (const { seq } of world.operator().lines<JsonObject>("log", { query: { session: id, type: "decision" } })) found.push(seq);
    return found;
  };
  return { token, decisions, pay: (to: string) => call("pay", to), send: (to: string) => call("send", to), answer };
}

test("while people are asked about one call, others of the session are asked about too, and no other session's; when they have said yes, they are not", async () => {
  const [s, other] = [await session(), await session()];
  expect(await s.send("before")).toEqual(done);
  expect(await s.pay("eve")).toEqual(pending);
  expect(await s.send("meanwhile")).toEqual(pending);
  expect(await other.send("elsewhere")).toEqual(done);
  await s.answer("eve", "approve");
  expect(await s.pay("eve"), "that others were asked about since voids no yes").toEqual(done);
  expect(await s.send("meanwhile"), "its own request is not needed any more").toEqual(done);
  expect(await s.send("afterwards")).toEqual(done);
});

test("when they have said no, the session stays held, also after a crash, and each call can be agreed to", async () => {
  const s = await session();
  expect(await s.pay("mallory")).toEqual(pending);
  await s.answer("mallory", "deny");
  expect(await s.send("after the no")).toEqual(pending);
  const [asked, held] = await s.decisions();
  expect(await world.operator().call("explain", { at: { ref: String(asked) } })).toMatchObject({ held_by: null });
  expect(await world.operator().call("explain", { at: { ref: String(held) } })).toMatchObject({ held_by: asked });
  await daemon.kill();
  daemon = await DaemonProcess.start(world);
  expect(await s.send("after the crash")).toEqual(pending);
  await s.answer("after the crash", "approve");
  expect(await s.send("after the crash")).toEqual(done);
  expect(await s.send("and another"), "a yes to one call is none to those that were refused").toEqual(pending);
});

test("a call that people agree to is agreed to whatever they are asked about beside it", async () => {
  const s = await session();
  expect(await s.pay("first")).toEqual(pending);
  expect(await s.pay("second")).toEqual(pending);
  await s.answer("second", "approve");
  expect(await s.pay("second")).toEqual(done);
  expect(await s.send("third"), "the first is not answered").toEqual(pending);
});

test("a child of a session is held with it", async () => {
  const s = await session();
  expect(await s.pay("parent")).toEqual(pending);
  const child = await session(s.token);
  expect(await child.send("by the child")).toEqual(pending);
});
