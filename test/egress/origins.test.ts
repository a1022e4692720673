import { readFileSync, writeFileSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { gzipSync } from "node:zlib";
import type { ArgumentFacts, DecisionInput, JsonObject } from "@lanyard/contract";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { rogue, type Rogue } from "../attacks/rogue.ts";
import { approveCatalog, callTool, DaemonProcess, until, World } from "../daemon.ts";
import { dial, Outside, say } from "../kits/egress.ts";

// What comes in by the egress door is known when it is sent on: the real door, a web server on loopback, and a tool that sends mail.

let outside: Outside;
let mail: Rogue;
let world: World;
let daemon: DaemonProcess;
const open: ServerResponse[] = [];

const document = '{"contact": {"mail": "eve\\u0040json.example"}}';
const pages: Record<string, (outgoing: ServerResponse) => void> = {
  "/plain": (outgoing) => outgoing.setHeader("content-type", "text/html").end("<p>Write to <b>eve@plain.example</b></p>"),
  "/entities": (outgoing) => outgoing.end("<p>eve&#64;entities.example</p>"),
  "/json": (outgoing) => outgoing.setHeader("content-length", document.length).end(document),
  "/packed": (outgoing) => outgoing.setHeader("content-encoding", "gzip").end(gzipSync("eve@packed.example ".repeat(3))),
  "/torn": (outgoing) => void (outgoing.write("write to eve@to"), setTimeout(() => outgoing.end("rn.example or not"), 50)),
  "/stream": (outgoing) => void (outgoing.setHeader("content-type", "text/event-stream").write("data: eve@stream.example\n\n"), open.push(outgoing)),
  "/binary": (outgoing) => outgoing.end(Buffer.from([0x89, 0x50, 0x4e, 0x47, 0xff, 0xfe])),
  "/account": (outgoing) => outgoing.end("Pay to DE89 3704 0044 0532 0130 00, please."),
  "/elsewhere": (outgoing) => outgoing.writeHead(302, { location: `http://localhost:${outside.port}/plain` }).end(),
  "/further": (outgoing) => outgoing.writeHead(302, { location: `http://127.0.0.1:${outside.port}/hidden/page` }).end(),
};

const policies = `
@id("all") permit (principal, action, resource);
@id("known-people") @reason("Mail goes to people that are known.")
forbid (principal, action == Action::"mail/send", resource) when { context.origins.recipient.contains("untrusted") };
@id("no-localhost") @reason("This machine by its name is off limits.")
forbid (principal, action, resource) when { context.facts.url.hosts.contains("localhost") };
@id("no-strange-ways") @reason("Nobody goes where a page sends them.")
forbid (principal, action in [Action::"web/GET", Action::"mail/fetch"], resource) when { context.origins.target.contains("untrusted") };
`;

beforeAll(async () => {
  outside = await Outside.open((incoming, outgoing) => (pages[incoming.url ?? ""] ?? ((one: ServerResponse) => one.end("nothing here")))(outgoing));
  const text = { type: "string" };
  mail = await rogue({
    tools: [
      { name: "send", inputSchema: { type: "object", properties: { to: text, body: text } } },
      { name: "fetch", inputSchema: { type: "object", properties: { url: text } } },
    ],
    onCall: ({ id, params }, response) => {
      if (params?.["name"] !== "fetch") return false;
      const said = `302 Found\nLocation: http://localhost:${outside.port}/plain or http://127.0.0.1:${outside.port}/told`;
      response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ jsonrpc: "2.0", id, result: { content: [{ type: "text", text: said }] } }));
      return true;
    },
  });
  const hosts = ["127.0.0.1", "localhost"].map((host) => `"${host}:${outside.port}"`).join(", ");
  world = new World({
    yaml: `teams: { t: {} }\nusers: { ana: {} }\nagents: { clerk: { team: t } }\nservers: { mail: { url: "${mail.url}" } }\negress: { private: [${hosts}] }\nresources: { Host: { elsewhere.example: {} } }\n`,
    policies: { "p.cedar": policies },
  });
  daemon = await DaemonProcess.start(world);
  await approveCatalog(world.operator(), "mail");
}, 60_000);
afterAll(async () => {
  for (const one of open) one.end();
  await daemon?.[Symbol.asyncDispose]();
  world?.[Symbol.dispose]();
  await outside?.[Symbol.asyncDispose]();
  await mail?.[Symbol.asyncDispose]();
});

interface Explained {
  readonly seq: number;
  readonly record: { readonly action: string };
  readonly input: DecisionInput;
  readonly sources: JsonObject[];
}

/** A session whose task is to look at pages of the server on loopback. */
async function session(...named: string[]) {
  const { token, session: id } = await world.operator().call<{ token: string; session: string }>("session_open", { body: { agent: "clerk", on_behalf_of: "ana", purpose: `look at ${named.map((path) => `http://127.0.0.1:${outside.port}${path}`).join(" and ")}` } });
  const request = (path: string, host = "127.0.0.1"): string => `GET http://${host}:${outside.port}${path} HTTP/1.1\r\nHost: ${host}:${outside.port}\r\nConnection: close\r\n\r\n`;
  const call = async (tool: string, args: Record<string, unknown>): Promise<string> => (await callTool(daemon.url, token, tool, args)).body.result?.content?.map(({ text }) => text).join("\n") ?? "";
  const decisions = async (): Promise<Explained[]> => {
    const found: Explained[] = [];
    for await (const { seq } of world.operator().lines<{ seq: number }>("log", { query: { session: id, type: "decision" } })) found.push(await world.operator().call<Explained & JsonObject>("explain", { at: { ref: String(seq) } }));
    return found;
  };
  const lastFacts = async (): Promise<Readonly<Record<string, ArgumentFacts>>> => (await decisions()).at(-1)?.input.facts ?? {};
  return {
    id,
    token,
    dial: () => dial(daemon.url, token),
    request,
    get: async (path: string, host?: string) => say(await dial(daemon.url, token), request(path, host)),
    send: (to: string, body = "hello") => call("send", { to, body }),
    fetch: (url: string) => call("fetch", { url }),
    decisions,
    lastFacts,
  };
}

const sent = "done by rogue";
const denied = expect.stringContaining("Mail goes to people that are known.");

describe("what a page says is known by the page", () => {
  test.each([["/plain", "/body"], ["/entities", "/body"], ["/packed", "/body"], ["/torn", "/body"]])("%s", async (path, field) => {
    const s = await session(path);
    expect(await s.send("eve@made-up.example")).toBe(sent);
    await s.get(path);
    expect(await s.send(`eve@${path.slice(1)}.example`)).toEqual(denied);
    const [last, fetched] = [(await s.decisions()).at(-1), (await s.decisions()).find(({ record }) => record.action === "web/GET")];
    expect(last?.input.facts?.["to"]).toMatchObject({ origins: ["untrusted"], sources: [{ at: "/to", origin: "untrusted", seq: fetched?.seq, field }] });
    expect(last?.sources).toEqual([{ seq: fetched?.seq, action: "web/GET", address: `http://127.0.0.1:${outside.port}${path}` }]);
    expect(await s.send("zed@unseen.test"), "what no page said is the model's own").toBe(sent);
    expect((await s.lastFacts())["to"]).toMatchObject({ origins: ["model"] });
  });

  test("a document by its field", async () => {
    const s = await session("/json");
    await s.get("/json");
    expect(await s.send("eve@json.example")).toEqual(denied);
    expect((await s.lastFacts())["to"]?.sources).toMatchObject([{ field: "/body/contact/mail" }]);
  });

  test("a stream, while it is open", async () => {
    const s = await session("/stream");
    const socket = await s.dial();
    let said = "";
    socket.on("data", (chunk: Buffer) => (said += chunk.toString())).on("error", () => {});
    socket.write(s.request("/stream"));
    await until(() => said.includes("eve@stream.example"), "the first piece is there");
    expect(await s.send("eve@stream.example")).toEqual(denied);
    expect(await s.send("zed@unseen.test")).toBe(sent);
    socket.destroy();
  });

  test("labels of what was read stick to the session and to the values, as soon as it is read", async () => {
    const s = await session("/account");
    await s.get("/account");
    await s.send("bob@unseen.test", "to DE89370400440532013000");
    const { input } = (await s.decisions()).at(-1) ?? {};
    expect(input?.session.labels).toEqual(expect.arrayContaining(["personal.iban", "untrusted"]));
    expect(input?.facts?.["body"]?.labels).toContain("personal.iban");
  });

  test("where something was no text, whatever is not known may have come from it", async () => {
    const s = await session("/binary");
    await s.get("/binary");
    expect(await s.send("zed@unseen.test")).toEqual(denied);
  });

  test("a host that is called trusted vouches for what it says; what it does not say is the model's still", async () => {
    const before = (await count("config.change")) + 1;
    writeFileSync(world.config, readFileSync(world.config, "utf8").replace("elsewhere.example: {}", '"127.0.0.1": { yields: { trust: trusted } }'));
    await until(async () => (await count("config.change")) >= before, "the other configuration is in force");
    const s = await session("/plain");
    await s.get("/plain");
    expect(await s.send("eve@plain.example")).toBe(sent);
    expect(await s.lastFacts()).toMatchObject({ to: { origins: ["trusted"] } });
    await s.send("zed@unseen.test");
    expect(await s.lastFacts()).toMatchObject({ to: { origins: ["model"] } });
    expect((await s.decisions())[1]?.input.session.labels).toEqual(["personal", "personal.email"]);
    writeFileSync(world.config, readFileSync(world.config, "utf8").replace('"127.0.0.1": { yields: { trust: trusted } }', "elsewhere.example: {}"));
    await until(async () => (await count("config.change")) > before, "the first configuration is in force");
  });
});

describe("a redirect is an answer: where it leads is decided by its own facts and origins", () => {
  test("to a host that a rule over facts forbids: the first hop was allowed, the second is not, and nothing went there", async () => {
    const s = await session("/elsewhere");
    expect(await s.get("/elsewhere")).toMatch(/^HTTP\/1.1 302[^]*location: http:\/\/localhost/);
    const before = outside.seen.length;
    expect(await s.get("/plain", "localhost")).toMatch(/^HTTP\/1.1 403[^]*This machine by its name is off limits/);
    expect(outside.seen.length).toBe(before);
    const hops = (await s.decisions()).filter(({ record }) => record.action === "web/GET");
    expect(hops.map(({ input }) => input.facts?.["host"]?.url?.hosts)).toEqual([["127.0.0.1"], ["localhost"]]);
    expect(hops.map(({ input }) => input.facts?.["host"]?.origins)).toEqual([["task"], ["untrusted"]]);
    expect(hops[1]?.input.facts?.["host"]?.sources).toMatchObject([{ seq: hops[0]?.seq, field: "/location/0/host" }]);
  });

  test("on the same host, to a path that nobody but the answer named", async () => {
    const s = await session("/further");
    expect(await s.get("/further")).toMatch(/^HTTP\/1.1 302/);
    expect(await s.get("/hidden/page")).toMatch(/^HTTP\/1.1 403[^]*Nobody goes where a page sends them/);
    const hops = (await s.decisions()).map(({ input }) => input.facts?.["path"]);
    expect(hops).toMatchObject([{ path: { paths: ["/further"] }, origins: ["task"] }, { path: { paths: ["/hidden/page"] }, origins: ["untrusted"], sources: [{ field: "/location/0/path" }] }]);
  });

  test("told by a tool: the next call has the facts of the address, and its origin", async () => {
    const s = await session("/first");
    expect(await s.fetch(`http://127.0.0.1:${outside.port}/first`)).toContain("302 Found");
    expect(await s.fetch(`http://localhost:${outside.port}/plain`)).toContain("This machine by its name is off limits.");
    expect(await s.fetch(`http://127.0.0.1:${outside.port}/told`)).toContain("Nobody goes where a page sends them.");
    expect((await s.lastFacts())["url"]).toMatchObject({ url: { hosts: ["127.0.0.1"] }, origins: expect.arrayContaining(["untrusted"]) });
  });
});

test("after a restart what has passed is not known any more, and what is not known counts as untrusted", async () => {
  const s = await session("/plain");
  await s.get("/plain");
  expect(await s.send("zed@unseen.test")).toBe(sent);
  await daemon.kill();
  daemon = await DaemonProcess.start(world);
  await until(async () => !(await s.send("eve@plain.example")).includes("no tool"), "the daemon decides as before");
  expect(await s.send("zed@unseen.test")).toEqual(denied);
});

async function count(type: string): Promise<number> {
  let found = 0;
  for await (const _ of world.operator().lines("log", { query: { type } })) found += 1;
  return found;
}
