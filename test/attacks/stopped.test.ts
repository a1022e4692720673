import type { ServerResponse } from "node:http";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Client } from "../../server/src/cli/client.ts";
import { approveCatalog, callTool, DaemonProcess, until, World, type ToolAnswer } from "../daemon.ts";
import { rogue, type Heard, type Rogue } from "./rogue.ts";

// A stop is one person's word and binds at once: no approval, no new or child session, no restart and no agent gets around it.

let upstream: Rogue;
let world: World;
let daemon: DaemonProcess;
let operator: Client;
const credentials: Record<string, string> = {};
const waiting: { readonly message: Heard; readonly response: ServerResponse }[] = [];
const effects: string[] = [];

beforeAll(async () => {
  upstream = await rogue({
    era: "stateless",
    tools: ["write", "read", "wait", "pay"].map((name) => ({ name, inputSchema: { type: "object" } })),
    onCall: (message, response) => {
      const { name } = message.params as { name: string };
      effects.push(name);
      if (name !== "wait") return false;
      response.writeHead(200, { "content-type": "text/event-stream" }).flushHeaders();
      waiting.push({ message, response });
      return true;
    },
  });
  world = new World({
    yaml: `
teams: { t: {}, u: {} }
groups: { oncall: {}, sre: {}, leads: {} }
users: { ben: { groups: [sre, oncall] }, ana: { groups: [sre] }, lea: { groups: [leads, oncall] }, cleo: {} }
agents: { bot: { team: t }, other: { team: u } }
servers: { files: { url: "${upstream.url}" } }
tools: { files/read: { effects: [read], reversibility: read }, files/write: { effects: [write] } }
stop: { may_stop: [oncall], may_resume: [sre] }
breakers: false
`,
    policies: {
      "p.cedar": `
@id("all") permit (principal, action, resource);
@id("ask") @remedy("approval:leads") forbid (principal, action == Action::"files/pay", resource) unless { context.approvals.contains(Group::"leads") };`,
    },
  });
  daemon = await DaemonProcess.start(world);
  operator = world.operator();
  await approveCatalog(operator, "files");
  for (const name of ["ben", "ana", "lea", "cleo"]) credentials[name] = await credential("user", name);
  credentials["bot"] = await credential("agent", "bot");
});
afterAll(async () => {
  await daemon?.stop();
  world?.[Symbol.dispose]();
  await upstream?.[Symbol.asyncDispose]();
});

const credential = async (kind: string, name: string): Promise<string> => (await operator.call<{ secret: string }>("credential_issue", { body: { kind, name } })).secret;
const open = (agent = "bot", labels: string[] = []) => operator.call<{ session: string; token: string }>("session_open", { body: { agent, on_behalf_of: "cleo", purpose: "test", labels } });
const as = (name: string): Client => world.operator(credentials[name]);
const call = (token: string, name: string, args: Record<string, unknown> = {}): Promise<ToolAnswer> => callTool(daemon.url, token, name, args);
const textOf = ({ body }: ToolAnswer): string => body.result?.content?.[0]?.text ?? body.error?.message ?? "";
const stop = (subject: string, name?: string, by: Client = operator, kind = "stop") => by.call<Record<string, unknown>>("stop_order", { body: { kind, subject, why: "test", ...(name !== undefined && { name }) } });
const resume = (subject: string, name?: string, by: Client = operator) => by.call<{ lifted: boolean }>("stop_lift", { body: { subject, ...(name !== undefined && { name }) } });
const records = async (type: string): Promise<Record<string, unknown>[]> => {
  const found: Record<string, unknown>[] = [];
  for await (const line of operator.lines("log", { query: { type } })) found.push(line as Record<string, unknown>);
  return found;
};

test("a stop refuses what is new, cancels what is under way, and is recorded; a resume lets it go on", async () => {
  const { token } = await open();
  expect(textOf(await call(token, "write"))).toBe("done by rogue");
  const pending = call(token, "wait");
  await until(() => waiting.length > 0, "the call is at the server");
  const order = await stop("agent", "bot");
  expect(order).toMatchObject({ kind: "stop", subject: "agent", name: "bot", by: "operator", cancelled: 1, recorded: true });
  expect(textOf(await pending)).toMatch(/^Uncertain: .*\nWhy: agent `bot` is stopped/s);
  const before = effects.length;
  const refused = await call(token, "write");
  expect(textOf(refused)).toContain("agent `bot` is stopped");
  expect(textOf(refused)).not.toContain("test"); // why is nobody's business but people's
  expect(effects).toHaveLength(before);
  expect((await records("decision")).at(-1)).toMatchObject({ effect: "deny", by: "stopped" });
  expect((await records("outcome")).at(-1)).toMatchObject({ status: "uncertain", code: "stopped" });
  await resume("agent", "bot");
  expect(textOf(await call(token, "write"))).toBe("done by rogue");
});

test("only the operator and people of the groups stop; resuming takes another group; an agent and a session do neither", async () => {
  const { session, token } = await open();
  const forged = [as("bot"), world.operator(token)];
  for (const client of forged) {
    await expect(stop("agent", "other", client)).rejects.toMatchObject({ code: "forbidden" });
    await expect(resume("agent", "other", client)).rejects.toMatchObject({ code: "forbidden" });
    await expect(client.call("stop_list")).rejects.toMatchObject({ code: "forbidden" });
  }
  await expect(stop("agent", "bot", as("cleo"))).rejects.toMatchObject({ code: "forbidden" });
  await expect(stop("agent", "bot", as("ana"))).rejects.toMatchObject({ code: "forbidden" });
  expect(await stop("session", session, as("lea"))).toMatchObject({ by: "user:lea", sessions: 1 });
  await expect(resume("session", session, as("lea"))).rejects.toMatchObject({ code: "forbidden" });
  expect(textOf(await call(token, "write"))).toContain("is stopped");
  await resume("session", session, as("ben"));
  expect(textOf(await call(token, "write"))).toBe("done by rogue");
});

test("a name that nobody has is an error, not a stop of nothing", async () => {
  for (const [subject, name] of [["agent", "bott"], ["user", "nobody"], ["team", "x"], ["server", "file"], ["tool", "files"], ["tool", "file/write"], ["session", "ses_none"], ["label", "a b"]] as const) {
    await expect(stop(subject, name), `${subject} ${name}`).rejects.toMatchObject({ code: "not_found" });
  }
  await expect(stop("agent")).rejects.toMatchObject({ code: "invalid_request" });
  await expect(stop("all", "bot")).rejects.toMatchObject({ code: "invalid_request" });
  await expect(resume("agent", "bot")).rejects.toMatchObject({ code: "not_found" });
});

test("an approval that was asked for before the stop cannot be given after it, nor used when it was", async () => {
  const { token } = await open();
  const { token: second } = await open();
  const answers = [call(token, "pay", { to: "a" }), call(second, "pay", { to: "b" })];
  const cards = async () => (await operator.call<{ approvals: { id: string; args: { to: string } }[] }>("approval_list")).approvals;
  await until(async () => (await cards()).length === 2, "both are asked");
  const ids = (await cards()).map(({ id }) => id);
  const before = effects.length;
  expect(await stop("team", "t")).toMatchObject({ voided: 2 });
  for (const answer of await Promise.all(answers)) expect(textOf(answer)).toContain("team `t` is stopped");
  for (const id of ids) await expect(as("lea").call("approval_decide", { at: { id }, body: { verdict: "approve" } })).rejects.toMatchObject({ code: "not_found" });
  await resume("team", "t");
  expect(effects).toHaveLength(before);
  expect(await cards()).toEqual([]);
});
