import { mkdtempSync, rmSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { defaultLimits } from "../../server/src/base/limits.ts";
import { weigh } from "../../server/src/base/weigh.ts";
import { quiet } from "../../server/src/stages/execution/handshake.ts";
import { rogue } from "../attacks/rogue.ts";
import { stillClock } from "../kits/clock.ts";
import { HttpAgent, StdioAgent, type Wire } from "./agent.ts";
import { stand, type Stand, type StandOptions } from "./stand.ts";
import { serveToy, type ServedToy, type ToyEra } from "./toy.ts";
import { nothingGiven } from "../../server/src/base/path.ts";

const program = join(import.meta.dirname, "toy.ts");
const spawned = (name: string, era: ToyEra = "stateful") => ({ name, command: process.execPath, args: [program, era], env: async () => nothingGiven });
const served = (name: string, { url }: ServedToy) => ({ name, url, headers: async () => nothingGiven });
const toolsOf = ({ result }: Wire): string[] => ((result?.["tools"] ?? []) as { name: string }[]).map(({ name }) => name);
const textOf = ({ result }: Wire): string => (result?.["content"] as { text: string }[] | undefined)?.[0]?.text ?? "";

let open: AsyncDisposableStack;
beforeEach(() => void (open = new AsyncDisposableStack()));
afterEach(() => open.disposeAsync());

const toy = async (era: ToyEra = "stateful"): Promise<ServedToy> => open.use(await serveToy(era));
const gatewayTo = async (options: StandOptions): Promise<Stand> => open.use(await stand(options));
const agentAt = async (gateway: Stand, version: "2025-11-25" | "2026-07-28" = "2026-07-28", token = "session-1", path = "/mcp"): Promise<HttpAgent> => {
  const agent = open.use(new HttpAgent(gateway.url, { version, token, path }));
  await agent.start();
  return agent;
};
const call = (agent: HttpAgent | StdioAgent, name: string, args = {}, hooks = {}) => agent.request("tools/call", { name, arguments: args }, hooks);

describe("several servers behind one door", () => {
  it("shows colliding names as server__name, in the order of servers and names, and finds each again", async () => {
    const gateway = await gatewayTo({ servers: [served("beta", await toy()), served("alpha", await toy("stateless"))] });
    const agent = await agentAt(gateway);
    const names = toolsOf(await agent.request("tools/list"));
    expect(names.slice(0, 3)).toEqual(["alpha__ask", "alpha__big", "alpha__child"]);
    expect(names).toEqual(names.toSorted());
    expect(textOf(await call(agent, "beta__echo", { text: "to beta" }))).toBe("to beta");
    expect(gateway.calls.at(-1)).toMatchObject({ server: "beta", tool: "echo", params: { name: "beta__echo" } });
    expect((await call(agent, "echo")).error).toMatchObject({ code: -32602, message: "there is no tool `echo`" });
  });

  it("refuses to guess: an address two servers have, a method that names none", async () => {
    const gateway = await gatewayTo({ servers: [served("beta", await toy()), served("alpha", await toy())] });
    const agent = await agentAt(gateway);
    expect((await agent.request("resources/read", { uri: "toy://a" })).error?.message).toContain("several servers have it");
    expect((await agent.request("x-toy/mirror")).error).toMatchObject({ code: -32601, message: expect.stringContaining("`/mcp/alpha` or `/mcp/beta`") as string });
    expect(gateway.calls).toEqual([]);
  });

  it("leads to one server unprefixed at /mcp/<server>, and nowhere at another name", async () => {
    const gateway = await gatewayTo({ servers: [served("beta", await toy()), served("alpha", await toy())] });
    const agent = await agentAt(gateway, "2026-07-28", "session-1", "/mcp/beta");
    expect(textOf(await call(agent, "echo", { text: "hi" }))).toBe("hi");
    expect((await agent.request("x-toy/mirror", { a: 1 })).result).toMatchObject({ mirrored: { a: 1 } });
    const { error } = await open.use(new HttpAgent(gateway.url, { version: "2026-07-28", token: "session-1", path: "/mcp/gamma" })).request("tools/list");
    expect(error?.message).toBe("there is no server `gamma`");
  });

  it("goes on with the others when one is out of reach", async () => {
    const gateway = await gatewayTo({ servers: [served("alpha", await toy()), { name: "down", url: "http://127.0.0.1:9/mcp", headers: async () => nothingGiven }] });
    const agent = await agentAt(gateway);
    expect(toolsOf(await agent.request("tools/list"))).toContain("echo");
    expect((await call(agent, "down__echo")).result).toMatchObject({ isError: true });
  });

  it("tells the catalog of each list it passes on, announced or not", async () => {
    const gateway = await gatewayTo({ servers: [served("alpha", await toy("stateless"))] });
    const agent = await agentAt(gateway);
    await call(agent, "grow");
    expect(gateway.seen.get("alpha")?.map(({ name }) => name)).not.toContain("grown");
    expect(toolsOf(await agent.request("tools/list"))).toContain("grown");
    expect(gateway.seen.get("alpha")?.map(({ name }) => name)).toContain("grown");
  });

  it("shows only what the view lets through, and tells the catalog all", async () => {
    const gateway = await gatewayTo({ servers: [served("alpha", await toy())], view: (_who, _server, tools) => tools.filter(({ name }) => name === "echo") });
    const agent = await agentAt(gateway);
    expect((await agent.request("tools/list")).result?.["tools"]).toHaveLength(1);
    expect(gateway.seen.get("alpha")).toHaveLength(15);
  });
});

describe("isolation", () => {
  it("gives each session a process of its own, and ends it with the session", async () => {
    const gateway = await gatewayTo({ servers: [spawned("toy")] });
    const one = await agentAt(gateway, "2025-11-25", "session-1");
    const two = await agentAt(gateway, "2025-11-25", "session-2");
    await one.request("logging/setLevel", { level: "alert" });
    expect(textOf(await call(one, "journal"))).toContain("level alert");
    expect(textOf(await call(two, "journal"))).not.toContain("level alert");
    await gateway.gateway.ended("session-1");
    expect((await one.request("ping")).error?.message).toContain("no such MCP session");
    expect(gateway.upstreams.state()).toMatchObject([{ server: "toy", connections: 2, failures: 0 }]); // session-2's and the spare
  });

  it("does not let an MCP session id be used with another session's token, or at another door", async () => {
    const gateway = await gatewayTo({ servers: [served("toy", await toy())] });
    const headers = { "content-type": "application/json", accept: "application/json" };
    const body = (method: string) => JSON.stringify({ jsonrpc: "2.0", id: 1, method, params: { protocolVersion: "2025-11-25", capabilities: {} } });
    const opened = await fetch(`${gateway.url}/mcp`, { method: "POST", headers: { ...headers, authorization: "Bearer session-1" }, body: body("initialize") });
    const id = opened.headers.get("mcp-session-id") ?? "";
    const ping = async (token: string, path: string) => (await fetch(gateway.url + path, { method: "POST", headers: { ...headers, authorization: `Bearer ${token}`, "mcp-session-id": id }, body: body("ping") })).status;
    expect(await ping("session-1", "/mcp")).toBe(200);
    expect(await ping("session-2", "/mcp")).toBe(404);
    expect(await ping("session-1", "/mcp/toy")).toBe(404);
    const gone = await fetch(`${gateway.url}/mcp`, { method: "DELETE", headers: { authorization: "Bearer session-1", "mcp-session-id": id } });
    expect([gone.status, await ping("session-1", "/mcp")]).toEqual([204, 404]);
  });

  it("asks only the client whose call is open", async () => {
    const gateway = await gatewayTo({ servers: [spawned("toy")] });
    const asked: string[] = [];
    const answering = (who: string) => ({ answer: () => (asked.push(who), { action: "accept", content: { name: who } }) });
    const one = await agentAt(gateway, "2025-11-25", "session-1");
    const two = await agentAt(gateway, "2026-07-28", "session-2");
    const answers = await Promise.all([call(one, "ask", {}, answering("one")), call(two, "ask", {}, answering("two"))]);
    expect(answers.map(textOf)).toEqual(['answer {"name":"one"}', 'answer {"name":"two"}']);
    expect(asked.toSorted()).toEqual(["one", "two"]);
  });

  it("tells the server when the client cannot be asked", async () => {
    const gateway = await gatewayTo({ servers: [served("toy", await toy())] });
    const mute = open.use(new HttpAgent(gateway.url, { version: "2025-11-25", token: "session-1", capabilities: {} }));
    await mute.start();
    expect(textOf(await call(mute, "ask"))).toBe("error the agent's client does not offer `elicitation`");
  });
});

describe("parked calls", () => {
  const park = async (gateway: Stand) => {
    const agent = await agentAt(gateway);
    const { result } = await call(agent, "ask");
    expect(result).toMatchObject({ resultType: "input_required", inputRequests: { lanyard_1: { method: "elicitation/create" } } });
    return { agent, state: String(result?.["requestState"]) };
  };
  const answers = { lanyard_1: { action: "accept", content: { name: "Ana" } } };
  const comeBack = (agent: HttpAgent, requestState: string, args = {}, inputResponses: unknown = answers, name = "ask") =>
    agent.request("tools/call", { name, arguments: args, requestState, inputResponses } as Record<string, unknown>);

  it("go on where they stopped, once, without being decided again", async () => {
    const gateway = await gatewayTo({ servers: [served("toy", await toy())] });
    const { agent, state } = await park(gateway);
    const again = await comeBack(agent, state, {}, {}); // Nothing answered: the question is put again, under a new state.
    expect(again.result).toMatchObject({ resultType: "input_required" });
    expect(again.result?.["requestState"]).not.toBe(state);
    expect(textOf(await comeBack(agent, String(again.result?.["requestState"])))).toBe('answer {"name":"Ana"}');
    expect(gateway.calls).toHaveLength(1);
    expect((await comeBack(agent, String(again.result?.["requestState"]))).error?.code).toBe(-32602);
  });

  it("are found by the identical call of the same session only", async () => {
    const gateway = await gatewayTo({ servers: [served("toy", await toy())] });
    const { agent, state } = await park(gateway);
    const thief = await agentAt(gateway, "2026-07-28", "session-2");
    const unknown = { code: -32602, message: expect.stringContaining("`requestState` is unknown") as string };
    expect((await comeBack(thief, state)).error).toMatchObject(unknown);
    expect((await comeBack(agent, state, { changed: true })).error).toMatchObject(unknown);
    expect((await comeBack(agent, state, {}, answers, "echo")).error).toMatchObject(unknown);
    expect((await comeBack(agent, `${state}x`)).error).toMatchObject(unknown);
    expect((await comeBack(agent, state, {}, null)).error?.message).toBe("`inputResponses` is not an object");
    expect(textOf(await comeBack(agent, state))).toBe('answer {"name":"Ana"}');
  });

  it("expire, and then the server hears that nobody answered", async () => {
    const gateway = await gatewayTo({ servers: [served("toy", await toy())], limits: { parked_ms: 20 } });
    const { agent, state } = await park(gateway);
    await expect.poll(async () => (await comeBack(agent, state)).error?.message).toContain("expired");
  });

  it("are limited", async () => {
    const gateway = await gatewayTo({ servers: [served("toy", await toy())], limits: { parked_calls: 1 } });
    const { agent } = await park(gateway);
    expect(textOf(await call(agent, "ask"))).toBe("error over the limit parked_calls (1)");
  });
});

describe("servers that fail", () => {
  it("are started again after a crash, with a back-off that says how long", async () => {
    const clock = stillClock();
    const gateway = await gatewayTo({ servers: [spawned("toy")], clock });
    const agent = await agentAt(gateway);
    expect(textOf(await call(agent, "crash"))).toContain("Uncertain: `toy/crash` was sent");
    expect(textOf(await call(agent, "echo", { text: "back" }))).toBe("back");
    for (let crashes = 0; crashes < 3; crashes++) await call(agent, "crash");
    await expect.poll(async () => textOf(await call(agent, "echo", { text: "back" }))).toMatch(/Not carried out.*\n.*failed \d times in a row and is started again in \d+ ms/);
    await clock.advance(120_000);
    await expect.poll(async () => textOf(await call(agent, "echo", { text: "back" }))).toBe("back");
  });

  it("are said not to have been reached when they never were", async () => {
    const gateway = await gatewayTo({ servers: [{ name: "none", command: "/nonexistent/program", args: [], env: async () => nothingGiven }] });
    const agent = open.use(new HttpAgent(gateway.url, { version: "2026-07-28", token: "session-1" }));
    expect(textOf(await call(agent, "echo"))).toMatch(/Not carried out: `none\/echo` never reached the server\.\nWhy: .*ENOENT/);
  });

  it("are greeted anew when they forgot the session, without the client noticing", async () => {
    const upstream = await toy();
    const gateway = await gatewayTo({ servers: [served("toy", upstream)] });
    const agent = await agentAt(gateway);
    expect(textOf(await call(agent, "echo", { text: "1" }))).toBe("1");
    upstream.forget();
    expect(textOf(await call(agent, "echo", { text: "2" }))).toBe("2");
    expect(gateway.calls).toHaveLength(2);
  });

  it("are given up after the time limit, which leaves the call uncertain and cancels it", async () => {
    const upstream = await toy("stateless");
    const gateway = await gatewayTo({ servers: [served("toy", upstream)], limits: { call_ms: 50 } });
    const agent = await agentAt(gateway);
    expect(textOf(await call(agent, "slow"))).toMatch(/Uncertain: .*\nWhy: no answer within the time limit \(50 ms\)/);
    await expect.poll(() => upstream.journal).toContain("slow cancelled");
  });

  it("get no more than a spare's worth of processes for a probe", async () => {
    const gateway = await gatewayTo({ servers: [spawned("toy")] });
    await gateway.upstreams.probe("toy");
    expect(gateway.seen.get("toy")?.map(({ name }) => name)).toContain("echo");
    expect(gateway.upstreams.state()).toMatchObject([{ connections: 1, version: "2025-11-25", kind: "stdio" }]);
  });
});

describe("results", () => {
  it.each(["stdio", "http"])("over a limit are withheld or uncertain, and the server stays usable (%s)", async (kind) => {
    const gateway = await gatewayTo({ servers: [kind === "stdio" ? spawned("toy") : served("toy", await toy())], limits: { result_bytes: 20_000, json_depth: 32 } });
    const agent = await agentAt(gateway);
    expect(textOf(await call(agent, "big", { bytes: 19_000 }))).toHaveLength(19_000);
    expect(textOf(await call(agent, "big", { bytes: 30_000 }))).toContain("Uncertain: `toy/big` was sent");
    expect(textOf(await call(agent, "deep", { levels: 40 }))).toMatch(/json_depth \(32/);
    expect(textOf(await call(agent, "garble"))).toContain("lone surrogate");
    expect(textOf(await call(agent, "echo", { text: "fine" }))).toBe("fine");
  });

  it("of a list over the limit are an error that names it", async () => {
    const gateway = await gatewayTo({ servers: [served("toy", await toy())], limits: { list_items: 14 } });
    expect((await (await agentAt(gateway)).request("tools/list")).error?.message).toContain("the limit list_items (14)");
    const wider = await gatewayTo({ servers: [served("toy", await toy())], limits: { list_items: 15 } });
    expect((await (await agentAt(wider)).request("tools/list")).error).toBeUndefined();
  });
});

describe("lists", () => {
  const why = async (server: StandOptions["servers"][number], limits: StandOptions["limits"]) =>
    (await (await agentAt(await gatewayTo({ servers: [server], ...(limits && { limits }) }))).request("tools/list")).error?.message;

  it("are bounded in bytes, all pages together", async () => {
    const server = served("toy", await toy());
    const gateway = await gatewayTo({ servers: [server] });
    const { items } = await gateway.upstreams.list("toy", "session-1", "tools/list", quiet);
    const pages = [{ tools: items.slice(0, 4), nextCursor: "two", "x-list": 1 }, { tools: items.slice(4) }];
    const bytes = pages.reduce((sum, page) => sum + weigh(defaultLimits, "", page), 0);
    expect(await why(server, { list_bytes: bytes })).toBeUndefined();
    expect(await why(server, { list_bytes: bytes - 1 })).toContain(`the limit list_bytes (${bytes - 1} bytes)`);
  });

  it("are looked through as results are, page by page", async () => {
    const numbers = Array.from({ length: 5000 }, () => 1); // Ten thousand bytes on the wire, twice that here.
    const server = open.use(await rogue({ tools: [{ name: "wide", inputSchema: { numbers } }] }));
    const at = { name: "rogue", url: server.url, headers: async () => nothingGiven };
    expect(await why(at, { result_bytes: 21_000 })).toBeUndefined();
    expect(await why(at, { result_bytes: 15_000 })).toBe("the list `tools/list` of server `rogue` is over the limit result_bytes (15000 bytes)");
  });
});

describe("broken streams", () => {
  it("can be resumed: the answer waits for the client to come back", async () => {
    const gateway = await gatewayTo({ servers: [served("toy", await toy())] });
    const base = { accept: "application/json, text/event-stream", authorization: "Bearer session-1", "content-type": "application/json" };
    const params = { protocolVersion: "2025-11-25", capabilities: { elicitation: {} }, clientInfo: { name: "t", version: "1" } };
    const opened = await fetch(`${gateway.url}/mcp`, { method: "POST", headers: base, body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "initialize", params }) });
    const headers = { ...base, "mcp-session-id": opened.headers.get("mcp-session-id") ?? "", "mcp-protocol-version": "2025-11-25" };
    const post = (message: object, signal: AbortSignal | null = null) => fetch(`${gateway.url}/mcp`, { method: "POST", headers, signal, body: JSON.stringify({ jsonrpc: "2.0", ...message }) });

    const breaking = new AbortController();
    const stream = await post({ id: 2, method: "tools/call", params: { name: "ask", arguments: {} } }, breaking.signal);
    let seen = "";
    for await (const chunk of stream.body ?? []) {
      seen += Buffer.from(chunk as Uint8Array).toString();
      if (seen.includes("elicitation/create")) break;
    }
    breaking.abort();
    const [, lastEventId = ""] = [.../^id: (\S+)$/gm[Symbol.matchAll](seen)].at(-1) ?? [];
    const question = JSON.parse(/^data: (\{.*elicitation.*\})$/m.exec(seen)?.[1] ?? "{}") as { id: string };
    await post({ id: question.id, result: { action: "accept", content: { name: "late" } } });
    const resumed = await fetch(`${gateway.url}/mcp`, { headers: { ...headers, accept: "text/event-stream", "last-event-id": lastEventId } });
    expect(await resumed.text()).toContain('answer {\\"name\\":\\"late\\"}');
    expect((await fetch(`${gateway.url}/mcp`, { headers: { ...headers, accept: "text/event-stream", "last-event-id": "s99-1" } })).status).toBe(404);
  });
});

describe("strangers", () => {
  const knock = (url: string, headers: Record<string, string>, method = "POST") =>
    new Promise<{ status: number; headers: Record<string, unknown>; body: string }>((resolve, reject) => {
      const outgoing = request(`${url}`, { method, headers: { "content-type": "application/json", ...headers } }, (response) => {
        let body = "";
        response.on("data", (chunk: Buffer) => (body += chunk.toString())).on("end", () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }));
      });
      outgoing.on("error", reject).end(method === "POST" ? '{"jsonrpc":"2.0","id":1,"method":"ping"}' : undefined);
    });

  it("without a token are told to bring one", async () => {
    const gateway = await gatewayTo({ servers: [served("toy", await toy())] });
    const { status, headers, body } = await knock(`${gateway.url}/mcp`, {});
    expect([status, headers["www-authenticate"]]).toEqual([401, "Bearer"]);
    expect(JSON.parse(body)).toMatchObject({ error: { code: -32003, data: { code: "unauthenticated" } } });
    expect((await knock(`${gateway.url}/mcp`, { authorization: "Basic abc" })).status).toBe(401);
    expect((await knock(`${gateway.url}/mcp`, {}, "GET")).status).toBe(405);
  });

  it("from foreign pages are refused", async () => {
    const gateway = await gatewayTo({ servers: [served("toy", await toy())], open: true });
    for (const headers of [{ host: "evil.example" }, { origin: "http://evil.example" }, { origin: "null" }, { host: "localhost.evil.example" }, { origin: "http://127.0.0.1.evil.example" }]) {
      expect((await knock(`${gateway.url}/mcp`, headers)).status, JSON.stringify(headers)).toBe(403);
    }
    expect((await knock(`${gateway.url}/mcp`, { origin: "http://localhost:3000" })).status).toBe(400); // let in, and told to initialize
    expect((await knock(`${gateway.url}/elsewhere`, {})).status).toBe(404);
    expect((await knock(`${gateway.url}/mcp/..%2f`, {})).status).toBe(404);
    expect((await knock(`${gateway.url}/mcp`, { "content-type": "text/plain" })).status).toBe(415);
  });
});

describe("the stdio face", () => {
  it("wants to know first who speaks", async () => {
    const folder = mkdtempSync(join(tmpdir(), "lanyard-stdio-"));
    open.defer(() => rmSync(folder, { recursive: true, force: true }));
    const gateway = await gatewayTo({ servers: [served("toy", await toy())], folder });
    const stranger = open.use(new StdioAgent(gateway.socket, { version: "2025-11-25", token: "nobody" }));
    expect((await stranger.request("ping")).result).toBeUndefined();
    const known = open.use(new StdioAgent(gateway.socket, { version: "2025-11-25", token: "session-1", path: "/mcp/toy" }));
    expect((await known.request("ping")).result).toEqual({});
    expect((await known.request("tools/list")).error?.message).toBe("`initialize` first");
  });

  it("lets what is sent right behind `initialize` wait for it, as much as may run at once", async () => {
    const folder = mkdtempSync(join(tmpdir(), "lanyard-stdio-"));
    open.defer(() => rmSync(folder, { recursive: true, force: true }));
    const gateway = await gatewayTo({ servers: [spawned("toy")], folder, limits: { calls_per_session: 3 } });
    const hasty = open.use(new StdioAgent(gateway.socket, { version: "2025-11-25", token: "session-1" }));
    const hello = hasty.request("initialize", { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "hasty", version: "1" } });
    void hasty.tell({ method: "notifications/initialized" });
    const behind = [hasty.request("tools/list"), call(hasty, "echo", { text: "hi" }), hasty.request("tools/list")] as const;
    expect((await behind[2]).error?.message).toBe("`initialize` first");
    expect((await hello).result).toMatchObject({ serverInfo: { name: "toy" } });
    expect(toolsOf(await behind[0])).toContain("echo");
    expect(textOf(await behind[1])).toBe("hi");
    await call(hasty, "touch", { uri: "toy://a" });
    await hasty.hears("notifications/tools/list_changed");
  });
});
