import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { DaemonProcess, World } from "../daemon.ts";

// An operator approves right after the start, when a server may still be starting: he is shown what it has, never that it has nothing.

const unhurried = `
import { createInterface } from "node:readline";
const tools = [{ name: "add", inputSchema: { type: "object" } }];
const send = (message) => process.stdout.write(JSON.stringify({ jsonrpc: "2.0", ...message }) + "\\n");
for await (const line of createInterface({ input: process.stdin })) {
  const { id, method, params } = JSON.parse(line);
  if (method === "initialize") send({ id, result: { protocolVersion: params.protocolVersion, capabilities: { tools: {} }, serverInfo: { name: "s", version: "1" } } });
  else if (method === "tools/list") setTimeout(() => send({ id, result: { tools } }), 1500);
}
`;

test("the tools of a server that starts slowly, of one that does not start, and of one that is not there", async () => {
  using world = new World({
    yaml: `teams: { t: {} }\nservers: { slow: { command: "${process.execPath}", args: [server.mjs] }, broken: { command: "${process.execPath}", args: [none.mjs] } }\n`,
    policies: { "all.cedar": '@id("all") @reason("All.") permit (principal, action, resource);\n' },
  });
  writeFileSync(join(world.folder, "server.mjs"), unhurried);
  await using _daemon = await DaemonProcess.start(world);
  const diff = (server: string) => world.operator().call<{ diffs: { tool: string }[] }>("catalog_diff", { query: { server } });
  expect((await diff("slow")).diffs).toMatchObject([{ tool: "add", state: "quarantined" }]);
  await expect(diff("broken")).rejects.toMatchObject({ code: "upstream_unavailable" });
  await expect(diff("none")).rejects.toMatchObject({ code: "not_found" });
});
