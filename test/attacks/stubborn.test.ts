import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { approveCatalog, callTool, DaemonProcess, until, World } from "../daemon.ts";

// A server of ours that hears of no cancellation, will not end by itself, and has started something that would go on without it.

const server = `
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { writeFileSync } from "node:fs";
const [folder] = process.argv.slice(2);
process.on("SIGTERM", () => {});
setInterval(() => {}, 1000);
const say = (id, result) => process.stdout.write(JSON.stringify({ jsonrpc: "2.0", id, result }) + "\\n");
createInterface({ input: process.stdin }).on("line", (line) => {
  const { id, method, params } = JSON.parse(line);
  if (method === "initialize") say(id, { protocolVersion: "2025-11-25", capabilities: { tools: {} }, serverInfo: { name: "stubborn", version: "1" } });
  else if (method === "tools/list") say(id, { tools: [{ name: "work", inputSchema: { type: "object" } }] });
  else if (method === "tools/call") {
    const { n } = params.arguments;
    writeFileSync(folder + "/begun-" + n, String(process.pid));
    spawn("sh", ["-c", "sleep 1; touch " + folder + "/child-" + n], { stdio: "ignore" });
    setTimeout(() => writeFileSync(folder + "/effect-" + n, ""), 1000);
  } else if (id !== undefined) say(id, {});
});
`;
let world: World;
let daemon: DaemonProcess;

beforeAll(async () => {
  world = new World({ yaml: "", policies: { "all.cedar": '@id("all") @reason("All.") permit (principal, action, resource);' } });
  writeFileSync(join(world.folder, "server.mjs"), server);
  const yaml = `version: 1\nlisten: 127.0.0.1:0\ndata: ${world.data}\npolicies: policies\nteams: { t: {} }\nusers: { ben: {} }\nagents: { bot: { team: t } }\nservers: { s: { command: "${process.execPath}", args: ["${world.folder}/server.mjs", "${world.folder}"] } }\n`;
  writeFileSync(world.config, yaml);
  daemon = await DaemonProcess.start(world);
  await approveCatalog(world.operator(), "s");
});
afterAll(async () => {
  await daemon?.stop();
  world?.[Symbol.dispose]();
});

const isThere = (name: string): boolean => existsSync(join(world.folder, name));

test.each([["session", 1], ["server", 2], ["all", 3]] as const)("a stop of its %s ends its process with all it started, and the call has no effect", async (subject, n) => {
  const { session, token } = await world.operator().call<{ session: string; token: string }>("session_open", { body: { agent: "bot", on_behalf_of: "ben", purpose: "test" } });
  const answer = callTool(daemon.url, token, "work", { n });
  await until(() => isThere(`begun-${n}`), "the call is at the server");
  const name = { session, server: "s", all: undefined }[subject];
  expect(await world.operator().call("stop_order", { body: { kind: "stop", subject, why: "test", ...(name !== undefined && { name }) } })).toMatchObject({ cancelled: 1 });
  expect((await answer).body.result?.content?.[0]?.text).toMatch(/^Uncertain: .*is stopped/s);
  await new Promise((resolve) => setTimeout(resolve, 1500));
  expect([isThere(`effect-${n}`), isThere(`child-${n}`)]).toEqual([false, false]);
  if (subject === "all") return;
  await world.operator().call("stop_lift", { body: { subject, ...(name !== undefined && { name }) } });
  const again = callTool(daemon.url, token, "work", { n: 10 + n }).catch(() => null);
  await until(() => isThere(`effect-${10 + n}`), "it is started anew after the resume");
  await world.operator().call("session_close", { at: { id: session } });
  await again;
});
