import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { Client } from "../../server/src/cli/client.ts";
import { approveCatalog, callTool, DaemonProcess, until, World } from "../daemon.ts";
import { notesServer, notesYaml, type Notes } from "../kits/notes.ts";

// What happens beside an undo: people who think, somebody else who writes, a second undo, a crash in a call of which no state tells.

let notes: Notes;
let world: World;
let daemon: DaemonProcess;
let operator: Client;
let ben: Client;

const contracts = `
  notes/send:
    effects: [egress]
    undo:
      - class: compensable
        inverse: [{ tool: send, args: { key: { $: /args/key }, text: { $text: ["sorry: ", { $: /args/text }] } } }]
        residue: whoever read it has read it
`;
const policy = `
@id("all") permit (principal, action, resource);
@id("two") @remedy("approval:oncall") forbid (principal == Agent::"restorer", action == Action::"notes/remove", resource) unless { context.approvals.contains(Group::"oncall") };`;

beforeAll(async () => {
  notes = await notesServer();
  world = new World({ yaml: `${notesYaml(notes.url, contracts)}\nlimits: { hold_ms: 20000 }\n`, policies: { "p.cedar": policy } });
  daemon = await DaemonProcess.start(world);
  operator = world.operator();
  await approveCatalog(operator, "notes");
  ben = world.operator((await operator.call<{ secret: string }>("credential_issue", { body: { kind: "user", name: "ben" } })).secret);
});
afterAll(async () => {
  await daemon?.stop();
  world?.[Symbol.dispose]();
  await notes?.[Symbol.asyncDispose]();
});
beforeEach(() => {
  notes.before = () => {};
  notes.notes.clear();
  notes.sent.length = 0;
});

const open = async (as = operator) => {
  const { session, token } = await as.call<{ session: string; token: string }>("session_open", { body: as === operator ? { agent: "bot", on_behalf_of: "cleo", purpose: "test" } : {} });
  return { session, token, call: (name: string, args: Record<string, string>) => callTool(daemon.url, token, name, args) };
};
const close = (session: string) => operator.call("session_close", { at: { id: session } });
const undo = async (session: string, body: Record<string, number | boolean> = {}): Promise<string[]> => {
  const found: string[] = [];
  for await (const line of operator.lines<Record<string, unknown>>("undo", { at: { id: session }, body })) if (line["kind"] === "step") found.push(`${String(line["verdict"])} ${String(line["why"])}`);
  return found;
};
const cards = async () => (await operator.call<{ approvals: { id: string; action: string }[] }>("approval_list")).approvals.filter(({ action }) => action === "notes/remove");

test("what somebody writes while people think about taking back is not overwritten by their yes", async () => {
  const { session, call } = await open();
  await call("set", { key: "a", text: "1" });
  await close(session);
  const running = undo(session);
  await until(async () => (await cards()).length === 1, "it asks");
  notes.notes.set("a", "theirs");
  await ben.call("approval_decide", { at: { id: (await cards())[0]?.id ?? "" }, body: { verdict: "approve" } });
  expect(await running).toEqual(["refused approval_pending"]);
  expect(await undo(session)).toEqual(["refused changed"]);
  expect(Object.fromEntries(notes.notes)).toEqual({ a: "theirs" });
});

test("what makes good is not made twice: not by an undo of a parent, after a look meanwhile, nor after kill -9", async () => {
  const parent = await open();
  const child = await open(world.operator(parent.token));
  await child.call("send", { key: "a", text: "hello" });
  await close(parent.session);
  const reached = Promise.withResolvers<void>();
  notes.before = (name, { text = "" }) => {
    if (name !== "send" || !text.startsWith("sorry")) return undefined;
    notes.sent.push(text);
    reached.resolve();
    return "hang";
  };
  const running = undo(child.session).catch(() => []);
  await reached.promise;
  expect(await undo(child.session, { dry_run: true })).toEqual(["refused interrupted"]);
  for (const session of [child.session, parent.session]) await expect(undo(session)).rejects.toThrow("is being taken back already");
  await daemon.kill();
  await running;
  notes.before = () => {};
  daemon = await DaemonProcess.start(world);
  for (const session of [child.session, parent.session]) expect(await undo(session)).toEqual(["refused interrupted"]);
  expect(notes.sent).toEqual(["hello", "sorry: hello"]);
});

test("what its server says that it failed has not made anything good, and is tried again", async () => {
  const { session, call } = await open();
  await call("send", { key: "a", text: "hello" });
  await close(session);
  notes.before = (name) => (name === "send" ? "fail" : undefined);
  expect(await undo(session)).toEqual(["refused call_failed"]);
  notes.before = () => {};
  expect(await undo(session)).toEqual(["residue unverified"]);
  expect(await undo(session)).toEqual(["residue already"]);
  expect(notes.sent).toEqual(["hello", "sorry: hello"]);
});

test("what was put back and cannot be read again is not said to be left as it was", async () => {
  notes.notes.set("a", "0");
  const { session, call } = await open();
  await call("set", { key: "a", text: "1" });
  await close(session);
  let made = false;
  notes.before = (name) => {
    made ||= name === "set";
    return name === "get" && made ? "fail" : undefined;
  };
  expect(await undo(session)).toEqual(["failed unread"]);
  notes.before = () => {};
  expect(await undo(session)).toEqual(["restored as_before"]);
  expect(Object.fromEntries(notes.notes)).toEqual({ a: "0" });
});
