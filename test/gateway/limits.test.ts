import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Limits } from "../../server/src/base/limits.ts";
import { stillClock } from "../kits/clock.ts";
import { HttpAgent, type Hooks, type Version, type Wire } from "./agent.ts";
import { stand, type Stand, type StandOptions } from "./stand.ts";
import { serveToy, type ToyEra } from "./toy.ts";
import { nothingGiven } from "../../server/src/base/path.ts";

// Each limit of the gateway at its edge and one past it; what is past it is an error that names the limit.

let open: AsyncDisposableStack;
beforeEach(() => void (open = new AsyncDisposableStack()));
afterEach(() => open.disposeAsync());

const spawned = { name: "toy", command: process.execPath, args: [join(import.meta.dirname, "toy.ts"), "stateful"], env: async () => nothingGiven };
const gatewayTo = async (limits: Partial<Limits>, server: ToyEra | typeof spawned = "stateful", more: Partial<StandOptions> = {}): Promise<Stand> => {
  const toy = typeof server === "string" ? open.use(await serveToy(server)) : null;
  return open.use(await stand({ servers: [toy ? { name: "toy", url: toy.url, headers: async () => nothingGiven } : spawned], limits, ...more }));
};
const agentAt = async (gateway: Stand, version: Version = "2025-11-25", token = "session-1"): Promise<HttpAgent> => {
  const agent = open.use(new HttpAgent(gateway.url, { version, token }));
  await agent.start();
  return agent;
};
const call = (agent: HttpAgent, name: string, args = {}, hooks: Hooks = {}) => agent.request("tools/call", { name, arguments: args }, hooks);
const textOf = ({ result }: Wire): string => (result?.["content"] as { text: string }[] | undefined)?.[0]?.text ?? "";
const accept = { answer: () => ({ action: "accept", content: {} }) };

describe("limits of clients", () => {
  it("client_sessions: the one idle longest makes room, a busy one does not", async () => {
    const gateway = await gatewayTo({ client_sessions: 2 });
    const [one, two] = [await agentAt(gateway), await agentAt(gateway)];
    await one.request("ping");
    expect((await two.request("ping")).error).toBeUndefined();
    // Both have their event stream open, so neither is idle.
    const third = open.use(new HttpAgent(gateway.url, { version: "2025-11-25", token: "session-1" }));
    expect((await third.request("initialize", { capabilities: {} })).error?.message).toBe("over the limit client_sessions (2)");
    await one[Symbol.asyncDispose]();
    await expect.poll(async () => (await third.request("initialize", { capabilities: {} })).error).toBeUndefined();
    expect((await two.request("ping")).error).toBeUndefined();
  });

  it("streams", async () => {
    const gateway = await gatewayTo({ streams: 1 }, "stateless");
    await (await agentAt(gateway, "2026-07-28")).watch("toy://a");
    const late = await agentAt(gateway, "2026-07-28");
    expect((await late.request("subscriptions/listen", { notifications: {} })).error?.message).toBe("over the limit streams (1)");
    await (await agentAt(gateway, "2026-07-28", "session-2")).watch("toy://a");
  });

  it("asks", async () => {
    const one = await agentAt(await gatewayTo({ asks: 1 }));
    expect(textOf(await call(one, "ask", {}, accept))).toBe("answer {}");
    const none = await agentAt(await gatewayTo({ asks: 0 }));
    expect(textOf(await call(none, "ask", {}, accept))).toBe("error over the limit asks (0)");
  });

  it("ask_rounds", async () => {
    expect(textOf(await call(await agentAt(await gatewayTo({ ask_rounds: 2 }, "stateless")), "ask", {}, accept))).toBe("answer {}");
    expect(textOf(await call(await agentAt(await gatewayTo({ ask_rounds: 2 }, "stateless")), "insist", {}, accept))).toContain("ask_rounds (2)");
  });

  it("subscriptions", async () => {
    const gateway = await gatewayTo({ subscriptions: 1 });
    const agent = await agentAt(gateway);
    expect((await agent.request("resources/subscribe", { uri: "toy://a" })).error).toBeUndefined();
    expect((await agent.request("resources/subscribe", { uri: "toy://a" })).error).toBeUndefined();
    expect((await agent.request("resources/subscribe", { uri: "toy://b" })).error?.message).toBe("over the limit subscriptions (1)");
    expect((await agent.request("resources/unsubscribe", { uri: "toy://a" })).error).toBeUndefined();
    expect((await agent.request("resources/subscribe", { uri: "toy://b" })).error).toBeUndefined();
    const modern = await agentAt(gateway, "2026-07-28", "session-2");
    expect((await modern.request("subscriptions/listen", { notifications: { resourceSubscriptions: ["toy://a", "toy://b"] } })).error?.message).toContain("the limit subscriptions (1)");
  });
});

describe("limits of servers", () => {
  it.each(["stateful", "a process"])("upstream_connections: an idle one makes room, a busy one does not (%s)", async (kind) => {
    const gateway = await gatewayTo({ upstream_connections: 1 }, kind === "stateful" ? kind : spawned);
    const [first, second] = [await agentAt(gateway, "2026-07-28"), await agentAt(gateway, "2026-07-28", "session-2")];
    const [began, stop] = [Promise.withResolvers<void>(), new AbortController()];
    const slow = call(first, "slow", {}, { signal: stop.signal, meta: { progressToken: 1 }, heard: () => began.resolve() });
    await began.promise;
    expect(textOf(await call(second, "echo"))).toContain("the limit upstream_connections (1) is reached");
    stop.abort();
    await expect(slow).rejects.toThrow("aborted");
    await expect.poll(async () => textOf(await call(second, "echo", { text: "second" }))).toBe("second");
    expect(textOf(await call(first, "echo", { text: "first" }))).toBe("first");
    expect(gateway.upstreams.state()).toMatchObject([{ connections: 1, failures: 0 }]);
  });

  it("upstream_connections: a family makes room among its own, not at those who hold no more", async () => {
    const [one, two] = [open.use(await serveToy("stateful")), open.use(await serveToy("stateful"))];
    const servers = [one, two].map(({ url }, at) => ({ name: `toy${at + 1}`, url, headers: async () => nothingGiven }));
    const rootOf = (session: string) => (session === "session-1" ? session : "session-2");
    const gateway = open.use(await stand({ servers, limits: { upstream_connections: 4 }, rootOf }));
    const echo = async (session: string, server: string) => textOf(await call(await agentAt(gateway, "2026-07-28", session), `${server}__echo`, { text: server }));
    for (const server of ["toy1", "toy2"]) expect(await echo("session-1", server)).toBe(server);
    for (const session of ["session-2", "session-3", "session-4", "session-5"]) expect(await echo(session, "toy1")).toBe("toy1");
    const greeted = () => [one, two].flatMap(({ journal }) => journal.filter((line) => line === "notifications/initialized")).length;
    const before = greeted();
    for (const server of ["toy1", "toy2"]) expect(await echo("session-1", server)).toBe(server);
    expect(greeted()).toBe(before);
  });

  it("upstream_idle_ms: an unused connection is let go and opened again, a watched one is kept", async () => {
    const clock = stillClock();
    const gateway = await gatewayTo({ upstream_idle_ms: 100_000 }, "stateful", { clock });
    const [idle, watching] = [await agentAt(gateway, "2025-11-25", "session-1"), await agentAt(gateway, "2025-11-25", "session-2")];
    await call(idle, "echo");
    await watching.watch("toy://a");
    expect(gateway.upstreams.state()).toMatchObject([{ connections: 2 }]);
    await clock.advance(60_000);
    expect(gateway.upstreams.state()).toMatchObject([{ connections: 2 }]);
    await clock.advance(60_000);
    await expect.poll(() => gateway.upstreams.state()).toMatchObject([{ connections: 1, failures: 0 }]);
    expect(textOf(await call(idle, "echo", { text: "again" }))).toBe("again");
  });

  it("handshake_ms", async () => {
    const mute = { name: "mute", command: process.execPath, args: ["-e", "process.stdin.resume()"], env: async () => nothingGiven };
    const gateway = open.use(await stand({ servers: [mute], limits: { handshake_ms: 50 } }));
    const agent = open.use(new HttpAgent(gateway.url, { version: "2026-07-28", token: "session-1" }));
    expect(textOf(await call(agent, "echo"))).toMatch(/Not carried out.*\nWhy: the server did not complete the MCP handshake: no answer within the time limit \(50 ms\)/);
  });

  it("stderr_bytes, and what a careless program prints on stdout does no harm", async () => {
    const lines: string[] = [];
    const info = (event: string, fields?: Readonly<Record<string, unknown>>) => event === "server.stderr" && void lines.push(String(fields?.["line"]));
    const gateway = await gatewayTo({ stderr_bytes: 100 }, spawned, { log: { debug: () => {}, info, warn: () => {}, error: () => {} } });
    const agent = await agentAt(gateway);
    expect(textOf(await call(agent, "noise", { bytes: 5000 }))).toBe("noisy");
    expect(textOf(await call(agent, "noise", { bytes: 5000 }))).toBe("noisy");
    await expect.poll(() => lines.some((line) => line.includes("over the limit stderr_bytes of 100 bytes"))).toBe(true);
    expect(lines.join("").replaceAll(/[^x]/g, "").length).toBeLessThan(101);
  });
});

describe("what a server starts", () => {
  const alive = (pid: number): boolean => {
    try {
      process.kill(pid, 0);
      // In a container nobody may reap what has ended; it has ended nevertheless.
      return !existsSync("/proc/self/stat") || !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
    } catch {
      return false;
    }
  };

  it.each(["the session's end", "a crash"])("ends with it: %s", async (how) => {
    const gateway = await gatewayTo({}, spawned);
    const agent = await agentAt(gateway);
    const pid = Number(textOf(await call(agent, "child")));
    expect(alive(pid)).toBe(true);
    if (how === "a crash") await call(agent, "crash");
    else await gateway.gateway.ended("session-1");
    await expect.poll(() => alive(pid)).toBe(false);
  });
});

describe("a change that is Lanyard's own", () => {
  it.each<Version>(["2025-11-25", "2026-07-28"])("is announced to every client that listens (%s)", async (version) => {
    const gateway = await gatewayTo({});
    const agent = await agentAt(gateway, version);
    await agent.watch("toy://a");
    gateway.gateway.toolsChanged("elsewhere");
    gateway.gateway.toolsChanged("toy");
    await agent.hears("notifications/tools/list_changed");
  });
});
