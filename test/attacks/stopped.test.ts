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
const honey = "AKIA-nobody-uses-this-4711";

beforeAll(async () => {
  upstream = await rogue({
    era: "stateless",
    tools: ["write", "read", "wait", "pay", "transfer", "leak"].map((name) => ({ name, inputSchema: { type: "object" } })),
    onCall: (message, response) => {
      const { name } = message.params as { name: string };
      effects.push(name);
      if (name === "leak") {
        response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ jsonrpc: "2.0", id: message.id, result: { resultType: "complete", content: [{ type: "text", text: `found ${Buffer.from(`x${honey}`).toString("base64")}` }] } }));
        return true;
      }
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
agents: { bot: { team: t }, other: { team: u }, wild: { team: u }, thief: { team: u } }
servers: { files: { url: "${upstream.url}" } }
tools: { files/read: { effects: [read], reversibility: read }, files/write: { effects: [write] }, files/transfer: { effects: [money], arguments: { sum.eur: money } } }
stop: { may_stop: [oncall], may_resume: [sre] }
breakers:
  denials: false
  errors: false
  loop: false
  agents: { wild: { loop: { count: 5, seconds: 60 }, spend: { amount: 100, seconds: 60 } } }
canaries: { honey: "\${env:HONEY}" }
`,
    policies: {
      "p.cedar": `
@id("all") permit (principal, action, resource);
@id("ask") @remedy("approval:leads") forbid (principal, action == Action::"files/pay", resource) unless { context.approvals.contains(Group::"leads") };`,
    },
  });
  daemon = await DaemonProcess.start(world, { HONEY: honey });
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

test("no session is opened by whom is stopped, nor below one that is; children are met, others are not", async () => {
  const { session, token } = await open();
  const child = await world.operator(token).call<{ token: string }>("session_open", { body: {} });
  const { token: other } = await open("other");
  await stop("session", session);
  for (const met of [token, child.token]) expect(textOf(await call(met, "write"))).toContain("is stopped");
  await expect(world.operator(token).call("session_open", { body: {} })).rejects.toMatchObject({ code: "stopped" });
  await expect(world.operator(child.token).call("session_open", { body: {} })).rejects.toMatchObject({ code: "stopped" });
  expect(textOf(await call(other, "write"))).toBe("done by rogue");
  await resume("session", session);

  await stop("agent", "bot");
  const again = { body: { on_behalf_of: "cleo", purpose: "again" } };
  await expect(as("bot").call("session_open", again)).rejects.toMatchObject({ code: "stopped" });
  await expect(open()).rejects.toMatchObject({ code: "stopped" });
  expect(await records("session.refused")).toContainEqual(expect.objectContaining({ code: "stopped", door: "api" }));
  await resume("agent", "bot");
  await stop("label", "nightly");
  await expect(open("other", ["nightly"])).rejects.toMatchObject({ code: "stopped" });
  expect(textOf(await call((await open("other", ["daily"])).token, "write"))).toBe("done by rogue");
  await resume("label", "nightly");
});

test("a quarantine lets through what only reads, and nothing whose contract does not say so", async () => {
  const { token } = await open();
  const pending = call(token, "wait");
  await until(() => waiting.length > 1, "the call is at the server");
  expect(await stop("user", "cleo", operator, "quarantine")).toMatchObject({ cancelled: 1 });
  expect(textOf(await pending)).toContain("user `cleo` is quarantined");
  expect(textOf(await call(token, "read"))).toBe("done by rogue");
  for (const name of ["write", "pay", "leak"]) expect(textOf(await call(token, name))).toContain("only calls that read are let through");
  expect((await records("decision")).at(-1)).toMatchObject({ by: "session_quarantined" });
  expect(await stop("user", "cleo")).toMatchObject({ kind: "stop" }); // stricter, beside it
  expect(textOf(await call(token, "read"))).toContain("is stopped");
  await expect(resume("user", "cleo", as("cleo"))).rejects.toMatchObject({ code: "forbidden" });
  await resume("user", "cleo");
  expect(textOf(await call(token, "write"))).toBe("done by rogue");
});

test("a server and a tool are stopped for everybody, and nothing else is", async () => {
  const { token } = await open("other");
  await stop("tool", "files/write");
  expect(textOf(await call(token, "write"))).toContain("tool `files/write` is stopped");
  expect(textOf(await call(token, "read"))).toBe("done by rogue");
  await resume("tool", "files/write");
  await stop("server", "files");
  expect(textOf(await call(token, "read"))).toContain("server `files` is stopped");
  await resume("server", "files");
  expect(textOf(await call(token, "read"))).toBe("done by rogue");
});

test("everything goes on when two people say so, each as oneself; one person twice, and the operator, do not count", async () => {
  const { token } = await open();
  expect(await stop("all", undefined, as("lea"))).toMatchObject({ subject: "all", by: "user:lea" });
  expect(textOf(await call(token, "read"))).toContain("everything is stopped");
  await expect(open("other")).rejects.toMatchObject({ code: "stopped" });
  await expect(resume("all")).rejects.toMatchObject({ code: "forbidden" });
  expect(await resume("all", undefined, as("ben"))).toMatchObject({ lifted: false });
  await expect(resume("all", undefined, as("ben"))).rejects.toMatchObject({ code: "forbidden" });
  const second = await credential("user", "ben"); // another credential is not another person
  await expect(resume("all", undefined, world.operator(second))).rejects.toMatchObject({ code: "forbidden" });
  await expect(resume("all", undefined, as("lea"))).rejects.toMatchObject({ code: "forbidden" });
  expect(textOf(await call(token, "read"))).toContain("everything is stopped");
  expect(await resume("all", undefined, as("ana"))).toMatchObject({ lifted: true });
  expect(textOf(await call(token, "read"))).toBe("done by rogue");
  expect((await records("stop.lift")).at(-1)).toMatchObject({ by: "user:ben", second: "user:ana" });
});

test("a stop and a call in a race, many times: whatever began after the answer did not happen", async () => {
  const { token } = await open();
  for (let round = 0; round < 25; round++) {
    let after = false;
    let late = 0;
    const load = Array.from({ length: 6 }, async () => {
      for (let n = 0; n < 6; n++) {
        const begun = after;
        const said = textOf(await call(token, "write", { round, n }));
        if (begun && !said.includes("is stopped")) late++;
      }
    });
    await stop("agent", "bot");
    after = true;
    const count = effects.length;
    await Promise.all(load);
    expect(late).toBe(0);
    expect(effects.length).toBe(count);
    await resume("agent", "bot");
  }
});

test("a breaker quarantines its agent by itself: a loop, money, a canary sent and a canary received", async () => {
  const { token } = await open("wild");
  for (let n = 0; n < 4; n++) expect(textOf(await call(token, "write", { same: true }))).toBe("done by rogue");
  await call(token, "write", { same: true });
  await until(async () => textOf(await call(token, "write", { n: 1 })).includes("agent `wild` is quarantined"), "the loop tripped");
  expect((await records("breaker.trip")).at(-1)).toMatchObject({ agent: "wild", breaker: "loop", count: 5, what: "files/write" });
  expect((await records("stop.order")).at(-1)).toMatchObject({ kind: "quarantine", subject: { kind: "agent", name: "wild" }, by: "lanyard" });
  await resume("agent", "wild");

  const before = effects.length;
  expect(textOf(await call(token, "transfer", { sum: { eur: 60 } }))).toBe("done by rogue");
  expect(textOf(await call(token, "transfer", { sum: { eur: 60 } }))).toContain("is quarantined");
  expect(effects.length).toBe(before + 1);
  expect((await records("breaker.trip")).at(-1)).toMatchObject({ breaker: "spend", count: 120, limit: 100 });

  const { token: thief } = await open("thief");
  const reached = effects.length;
  for (const form of [honey, Buffer.from(honey).toString("hex"), encodeURIComponent(honey), Buffer.from(`key=${honey}`).toString("base64")]) {
    expect(textOf(await call(thief, "read", { note: `x${form}y` }))).toContain("quarantined");
    await resume("agent", "thief");
  }
  expect(effects.length).toBe(reached);
  expect((await records("breaker.trip")).at(-1)).toMatchObject({ agent: "thief", breaker: "canary", what: "honey" });
  const leaked = textOf(await call(thief, "leak"));
  expect(leaked).toContain("Result withheld");
  expect(leaked).not.toContain(Buffer.from(honey).toString("base64").slice(4, 20));
  expect(textOf(await call(thief, "write"))).toContain("agent `thief` is quarantined");
  expect(daemon.log + JSON.stringify(await records("breaker.trip"))).not.toContain(honey);
});

test("a restart forgets no stop, and lifts none", async () => {
  const { token } = await open();
  await stop("agent", "bot");
  await daemon.kill();
  daemon = await DaemonProcess.start(world, { HONEY: honey });
  expect(textOf(await call(token, "write"))).toContain("agent `bot` is stopped");
  await expect(open()).rejects.toMatchObject({ code: "stopped" });
  const { stops } = await operator.call<{ stops: Record<string, unknown>[] }>("stop_list");
  expect(stops).toMatchObject([{ subject: "agent", name: "wild", kind: "quarantine" }, { name: "thief" }, { name: "bot", kind: "stop", recorded: true }]);
  await resume("agent", "bot");
  expect(textOf(await call(token, "write"))).toBe("done by rogue");
});
