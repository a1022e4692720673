import { readFileSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { Client } from "../../server/src/cli/client.ts";
import { approveCatalog, callTool, DaemonProcess, until, World } from "../daemon.ts";
import { notesServer, notesYaml, type Notes } from "../kits/notes.ts";

// A staged call is decided when it is staged and again when its time has come, goes out once or not at all, and never after somebody said no.

let notes: Notes;
let world: World;
let daemon: DaemonProcess;
let operator: Client;
const credentials: Record<string, string> = {};

const more = (seconds: number) => `
  notes/send:
    effects: [egress]
    undo:
      - when: [{ at: /args/key, is: soon }]
        class: irreversible
        stage_seconds: ${seconds}
      - class: irreversible
        stage_seconds: 3600
`;
const policies = (more = "") => ({
  "p.cedar": `
@id("all") permit (principal, action, resource);
@id("ask") @remedy("approval:oncall") forbid (principal, action == Action::"notes/send", resource) when { context.input has other && context.input.other == "ask" } unless { context.approvals.contains(Group::"oncall") };
${more}`,
});

beforeAll(async () => {
  notes = await notesServer();
  world = new World({ yaml: notesYaml(notes.url, more(2)), policies: policies() });
  daemon = await DaemonProcess.start(world);
  operator = world.operator();
  await approveCatalog(operator, "notes");
  for (const name of ["ben", "cleo", "ana"]) credentials[name] = (await operator.call<{ secret: string }>("credential_issue", { body: { kind: "user", name } })).secret;
});
afterAll(async () => {
  await daemon?.stop();
  world?.[Symbol.dispose]();
  await notes?.[Symbol.asyncDispose]();
});
beforeEach(() => {
  notes.sent.length = 0;
});

const open = () => operator.call<{ session: string; token: string }>("session_open", { body: { agent: "bot", on_behalf_of: "cleo", purpose: "test" } });
const send = async (token: string, args: Record<string, string>): Promise<string> => {
  const { body } = await callTool(daemon.url, token, "send", args);
  return body.result?.content?.[0]?.text ?? body.error?.message ?? "";
};
const held = async (as = operator) => (await as.call<{ held: { id: string; session: string; args: Record<string, string> }[] }>("held_list")).held;
const outcomes = async (session: string) => {
  const found: string[] = [];
  for await (const record of operator.lines<Record<string, unknown>>("log", { query: { session, type: "held.outcome" } })) found.push(`${String(record["status"])} ${String(record["code"])}`.trim());
  return found;
};
const later = (ms: number) => new Promise((done) => setTimeout(done, ms));

test("is told, waits, goes out once when its time has come, and says so to whoever asks again", async () => {
  const { session, token } = await open();
  expect(await send(token, { key: "soon", text: "hello" })).toContain("Staged: `notes/send` has not been carried out yet");
  expect(await send(token, { key: "soon", text: "hello" })).toContain("Staged before");
  expect((await held()).filter((one) => one.session === session).length).toBe(1);
  expect(notes.sent).toEqual([]);
  await until(async () => (await outcomes(session)).length === 1, "it went out");
  expect(await outcomes(session)).toEqual(["done"]);
  expect(notes.sent).toEqual(["hello"]);
  expect(await send(token, { key: "soon", text: "hello" })).toContain("it was carried out");
});

test("is withdrawn by its session, its user or the operator, and by nobody else", async () => {
  const { session, token } = await open();
  await send(token, { key: "x", text: "1" });
  const id = (await held()).find((one) => one.session === session)?.id ?? "";
  const other = await open();
  await expect(world.operator(other.token).call("held_withdraw", { at: { id } })).rejects.toThrow("not yours");
  await expect(world.operator(credentials["ana"]).call("held_withdraw", { at: { id } })).rejects.toThrow("not yours");
  expect(await held(world.operator(other.token))).toEqual([]);
  expect((await held(world.operator(token))).map(({ args }) => args)).toEqual([{ key: "x", text: "1" }]);
  await world.operator(credentials["cleo"]).call("held_withdraw", { at: { id } });
  await expect(operator.call("held_withdraw", { at: { id } })).rejects.toThrow("nothing is staged");
  expect(await send(token, { key: "x", text: "1" })).toContain("withdrawn by user:cleo");
  expect(notes.sent).toEqual([]);
});

test("is not let go when policy no longer allows it", async () => {
  const { session, token } = await open();
  await send(token, { key: "soon", text: "later forbidden" });
  world.policy("p.cedar", policies(`@id("no") @reason("no more mail") forbid (principal, action == Action::"notes/send", resource);`)["p.cedar"]);
  await until(async () => (await operator.call<{ bundle: { policies: number } }>("status")).bundle.policies === 3, "the policy is in force");
  await until(async () => (await outcomes(session)).length === 1, "its time came");
  expect(await outcomes(session)).toEqual(["refused denied"]);
  world.policy("p.cedar", policies()["p.cedar"]);
  await until(async () => (await operator.call<{ bundle: { policies: number } }>("status")).bundle.policies === 2, "the policy is gone");
  expect(notes.sent).toEqual([]);
});

test("a stop voids it, and so does an operator who closes the session; a session that ends its own work does not", async () => {
  const [stopped, closed, done] = [await open(), await open(), await open()];
  for (const [{ token }, key] of [[stopped, "x"], [closed, "x"], [done, "soon"]] as const) await send(token, { key, text: `of ${key}` });
  await operator.call("stop_order", { body: { kind: "stop", subject: "session", name: stopped.session, why: "test" } });
  await operator.call("session_close", { at: { id: closed.session } });
  await world.operator(done.token).call("session_close", { at: { id: done.session } });
  await until(async () => (await held()).every(({ session }) => session !== stopped.session && session !== closed.session), "both are void");
  await until(async () => (await outcomes(done.session)).length === 1, "its time came");
  expect(notes.sent).toEqual(["of soon"]);
});

test("undo withdraws what the session had staged", async () => {
  const { session, token } = await open();
  await send(token, { key: "x", text: "never" });
  await world.operator(token).call("session_close", { at: { id: session } });
  expect((await held()).some((one) => one.session === session)).toBe(true);
  const lines: Record<string, unknown>[] = [];
  for await (const line of operator.lines<Record<string, unknown>>("undo", { at: { id: session }, body: {} })) lines.push(line);
  expect(lines[0]).toMatchObject({ kind: "begin", withdrawn: 1 });
  expect((await held()).every((one) => one.session !== session)).toBe(true);
});

test("what people said yes to counts when its time comes, and not for anything else", async () => {
  const { session, token } = await open();
  const asked = send(token, { key: "soon", text: "asked", other: "ask" });
  await until(async () => (await operator.call<{ approvals: { session: string; id: string }[] }>("approval_list")).approvals.some((one) => one.session === session), "it asks");
  const [card] = (await operator.call<{ approvals: { session: string; id: string }[] }>("approval_list")).approvals.filter((one) => one.session === session);
  await world.operator(credentials["ben"]).call("approval_decide", { at: { id: card?.id ?? "" }, body: { verdict: "approve" } });
  expect(await asked).toContain("Staged:");
  await until(async () => (await outcomes(session)).length === 1, "its time came");
  expect(await outcomes(session)).toEqual(["done"]);
  expect(notes.sent).toEqual(["asked"]);
});

test("is told as going while it goes, however often the agent asks, and is not staged a second time", async () => {
  const { session, token } = await open();
  let went = 0;
  notes.before = (name) => (name === "send" && ++went > 0 ? "hang" : undefined);
  expect(await send(token, { key: "soon", text: "once" })).toContain("Staged:");
  await until(() => went === 1, "it goes");
  for (let asked = 0; asked < 3; asked++) expect(await send(token, { key: "soon", text: "once" })).toContain("it is being carried out as hld_");
  await operator.call("stop_order", { body: { kind: "stop", subject: "session", name: session, why: "it hangs" } });
  await until(async () => (await outcomes(session)).length === 1, "it was cut");
  notes.before = () => {};
  expect(await outcomes(session)).toEqual(["uncertain uncertain"]);
  expect((await held()).filter((one) => one.session === session)).toEqual([]);
});

test("a server that does not answer one holds up nobody else's", async () => {
  const [stuck, other] = [await open(), await open()];
  notes.before = (_name, { text }) => (text === "stuck" ? "hang" : undefined);
  await send(stuck.token, { key: "soon", text: "stuck" });
  await send(other.token, { key: "soon", text: "on time" });
  await until(async () => (await outcomes(other.session)).length === 1, "the other went out");
  expect(notes.sent).toEqual(["on time"]);
  expect(await outcomes(stuck.session)).toEqual([]);
  await operator.call("stop_order", { body: { kind: "stop", subject: "session", name: stuck.session, why: "it hangs" } });
  await until(async () => (await outcomes(stuck.session)).length === 1, "it was cut");
  notes.before = () => {};
});

test("an undo down to an entry leaves what was staged by then", async () => {
  const { session, token } = await open();
  for (const text of ["stays", "goes"]) await send(token, { key: "x", text });
  await world.operator(token).call("session_close", { at: { id: session } });
  const of = (await operator.call<{ held: { session: string; of: number; args: { text: string } }[] }>("held_list")).held.find((one) => one.session === session && one.args.text === "stays")?.of ?? 0;
  const lines: Record<string, unknown>[] = [];
  for await (const line of operator.lines<Record<string, unknown>>("undo", { at: { id: session }, body: { to: of } })) lines.push(line);
  expect(lines[0]).toMatchObject({ kind: "begin", withdrawn: 1 });
  expect((await held()).filter((one) => one.session === session).map(({ args }) => args["text"])).toEqual(["stays"]);
});

test("survives kill -9, and is let go by the next daemon", async () => {
  const { session, token } = await open();
  await send(token, { key: "soon", text: "after" });
  await send(token, { key: "x", text: "much later" });
  await daemon.kill();
  await later(2100);
  expect(notes.sent).toEqual([]);
  daemon = await DaemonProcess.start(world);
  await until(async () => (await outcomes(session)).length === 1, "it went out");
  expect(notes.sent).toEqual(["after"]);
  expect((await held()).filter((one) => one.session === session).length).toBe(1);
});

test("a yes of somebody who may not give it any more when its time comes does not count", async () => {
  const { session, token } = await open();
  const asked = send(token, { key: "soon", text: "by whom?", other: "ask" });
  const mine = async () => (await operator.call<{ approvals: { session: string; id: string; state: string }[] }>("approval_list")).approvals.filter((one) => one.session === session);
  await until(async () => (await mine()).length === 1, "it asks");
  await world.operator(credentials["ben"]).call("approval_decide", { at: { id: (await mine())[0]?.id ?? "" }, body: { verdict: "approve" } });
  expect(await asked).toContain("Staged:");
  await daemon.kill();
  writeFileSync(world.config, readFileSync(world.config, "utf8").replace("ben: { groups: [oncall] }", "ben: {}"));
  daemon = await DaemonProcess.start(world);
  await until(async () => (await mine()).some(({ state }) => state === "pending"), "people are asked anew");
  expect(notes.sent).toEqual([]);
});
