import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { HttpAgent, StdioAgent, stateless, type Agent, type Version, type Wire } from "./agent.ts";
import { stand, type Stand } from "./stand.ts";
import { serveToy, type ServedToy, type ToyEra } from "./toy.ts";
import { nothingGiven } from "../../server/src/base/path.ts";

// One suite over every mix of face, client version, upstream transport and server lifecycle.

const program = join(import.meta.dirname, "toy.ts");
const faces = ["http", "stdio"] as const;
const versions: Version[] = ["2025-06-18", "2025-11-25", "2026-07-28"];
const upstreamKinds = ["stdio", "http"] as const;
const eras: ToyEra[] = ["stateful", "stateless"];
const mixes = faces.flatMap((face) => versions.flatMap((version) => upstreamKinds.flatMap((upstream) => eras.map((era) => ({ face, version, upstream, era })))));

describe.each(mixes)("$version client over $face, $era server over $upstream", ({ face, version, upstream, era }) => {
  let folder: string;
  let toy: ServedToy | null = null;
  let gateway: Stand;
  let agent: Agent;
  let greeting: Wire;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "lanyard-mix-"));
    if (upstream === "http") toy = await serveToy(era);
    const server = toy ? { name: "toy", url: toy.url, headers: async () => nothingGiven } : { name: "toy", command: process.execPath, args: [program, era], env: async () => nothingGiven };
    gateway = await stand({ servers: [server], folder, deny: ({ params }) => params["name"] === "hidden" });
    agent = face === "http" ? new HttpAgent(gateway.url, { version, token: "session-1" }) : new StdioAgent(gateway.socket, { version, token: "session-1" });
    greeting = await agent.start();
  });
  afterAll(async () => {
    await agent?.[Symbol.asyncDispose]();
    await gateway?.[Symbol.asyncDispose]();
    await toy?.[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  const call = (name: string, args: Record<string, unknown> = {}, hooks = {}) => agent.request("tools/call", { name, arguments: args }, hooks);
  const textOf = ({ result }: Wire) => (result?.["content"] as { text: string }[] | undefined)?.[0]?.text;

  it("greets with the server's own words", () => {
    expect(greeting.result).toMatchObject({ capabilities: { tools: { listChanged: true } }, instructions: "Play nicely." });
    if (stateless(version)) expect(greeting.result).toMatchObject({ resultType: "complete", cacheScope: "private" });
    else expect(greeting.result).toMatchObject({ protocolVersion: version, serverInfo: { name: "toy" } });
  });

  it("lists all pages in the server's order and keeps what it does not know", async () => {
    const { result } = await agent.request("tools/list");
    const tools = result?.["tools"] as Record<string, unknown>[];
    expect(tools.map(({ name }) => name)).toEqual(["echo", "progress", "ask", "slow", "journal", "touch", "crash", "big", "deep", "garble", "hidden", "insist", "child", "noise", "grow"]);
    expect(tools[0]).toMatchObject({ "x-toy": { kept: true } });
    expect(result?.["x-list"]).toBe(1);
    if (stateless(version)) expect(result).toMatchObject({ resultType: "complete", cacheScope: "private", ttlMs: era === "stateless" ? 5 : 0 });
    else expect(result).not.toHaveProperty("resultType");
    expect(gateway.seen.get("toy")?.length).toBe(15);
  });

  it("calls a tool and passes the result on", async () => {
    const answer = await call("echo", { text: "héllo" });
    expect(textOf(answer)).toBe("héllo");
    expect(answer.result?.["x-result"]).toEqual({ kept: true });
    expect(answer.result?.["resultType"]).toBe(stateless(version) ? "complete" : undefined);
  });

  it("maps progress to the client's token", async () => {
    const heard: Wire[] = [];
    const answer = await call("progress", {}, { meta: { progressToken: "mine" }, heard: (message: Wire) => heard.push(message) });
    expect(textOf(answer)).toBe("progressed");
    const progress = heard.filter(({ method }) => method === "notifications/progress").map(({ params }) => params);
    expect(progress).toEqual([1, 2, 3].map((step) => ({ progressToken: "mine", progress: step, total: 3 })));
  });

  it("gives log messages to a stateful client, and to a stateless one when and as far as it asks", async () => {
    const heard: unknown[] = [];
    const note = ({ method, params }: Wire) => method === "notifications/message" && heard.push(params?.["data"]);
    await call("progress", {}, { heard: note });
    expect(heard).toEqual(stateless(version) ? [] : ["careful", "details"]);
    heard.length = 0;
    await call("progress", {}, { heard: note, meta: { "io.modelcontextprotocol/logLevel": "info" } });
    expect(heard).toEqual(stateless(version) ? ["careful"] : ["careful", "details"]);
  });

  it("carries a question of the server to the client and its answer back", async () => {
    const asked: string[] = [];
    const answer = (method: string, params: Record<string, unknown>) => {
      asked.push(`${method}: ${String(params["message"])}`);
      return { action: "accept", content: { name: "Ana" } };
    };
    expect(textOf(await call("ask", {}, { answer }))).toBe('answer {"name":"Ana"}');
    expect(asked).toEqual(["elicitation/create: What is your name?"]);
  });

  it("cancels at the server what the client cancels", async () => {
    const stop = new AbortController();
    const began = Promise.withResolvers<void>();
    const cancelled = call("slow", {}, { signal: stop.signal, meta: { progressToken: 1 }, heard: () => began.resolve() }).catch(() => null);
    await began.promise;
    stop.abort();
    await cancelled;
    await expect.poll(async () => textOf(await call("journal"))).toContain("slow cancelled");
  });

  it("reads resources, gets prompts, completes", async () => {
    expect((await agent.request("resources/read", { uri: "toy://a" })).result).toMatchObject({ contents: [{ text: "text of toy://a" }] });
    expect((await agent.request("prompts/get", { name: "greet", arguments: { name: "Ana" } })).result).toMatchObject({ messages: [{ content: { text: "Hello Ana" } }] });
    expect((await agent.request("completion/complete", { ref: { type: "ref/prompt", name: "greet" }, argument: { name: "name", value: "" } })).result).toMatchObject({ completion: { values: ["one", "two"] } });
    for (const method of ["resources/list", "resources/templates/list", "prompts/list"]) expect((await agent.request(method)).error).toBeUndefined();
  });

  it("passes a server's error on, with the code its lifecycle has for it", async () => {
    const { error } = await agent.request("resources/read", { uri: "toy://none" });
    expect(error).toMatchObject({ message: "Resource not found", code: stateless(version) || era === "stateless" ? -32602 : -32002 });
  });

  it("announces updated resources and changed lists to who watches them", async () => {
    await agent.watch("toy://a");
    await call("touch", { uri: "toy://a" });
    expect((await agent.hears("notifications/resources/updated")).params).toMatchObject({ uri: "toy://a" });
    await agent.hears("notifications/tools/list_changed");
  });

  it("passes methods it does not know, both ways unchanged", async () => {
    const { result } = await agent.request("x-toy/mirror", { some: { thing: [1, null, "x"] } });
    expect(result).toMatchObject({ mirrored: { some: { thing: [1, null, "x"] } }, "x-extra": true });
    expect((await agent.request("x-toy/unheard-of")).error?.code).toBe(-32601);
    expect(gateway.calls.map(({ method }) => method)).toContain("x-toy/unheard-of");
  });

  it("refuses a tool with a result that the model gets to read", async () => {
    const { result } = await call("hidden");
    expect(result).toMatchObject({ isError: true });
    expect(result?.["content"]).toMatchObject([{ type: "text", text: expect.stringContaining("Why: not on a Sunday") as string }]);
  });

  it("answers ping, and sets the log level, in the lifecycle that has them", async () => {
    expect((await agent.request("ping")).error?.code).toBe(stateless(version) ? -32601 : undefined);
    expect((await agent.request("logging/setLevel", { level: "error" })).error?.code).toBe(stateless(version) ? -32601 : undefined);
  });
});
