// A small MCP server over stdio for journeys: a desk of files that outlives it, and an outbox. Nothing it writes is kept from others.
import { appendFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { createInterface } from "node:readline";

mkdirSync("desk", { recursive: true });
const fileOf = (name) => join("desk", basename(name));
const answer = (value) => ({ content: [{ type: "text", text: JSON.stringify(value) }], structuredContent: value });
const tool = (name, properties) => ({ name, description: name, inputSchema: { type: "object", properties, required: Object.keys(properties) } });
const text = { type: "string" };
const tools = [tool("read", { name: text }), tool("write", { name: text, text }), tool("remove", { name: text }), tool("mail", { to: text, text })];
const calls = {
  read: ({ name }) => answer(existsSync(fileOf(name)) ? { there: true, text: readFileSync(fileOf(name), "utf8") } : { there: false }),
  write: ({ name, text: body }) => (writeFileSync(fileOf(name), body), answer({ wrote: name })),
  remove: ({ name }) => (rmSync(fileOf(name), { force: true }), answer({ removed: name })),
  mail: ({ to, text: body }) => (appendFileSync("outbox.txt", `${to}: ${body}\n`), answer({ sent: to })),
};
const methods = {
  initialize: ({ protocolVersion }) => ({ protocolVersion, capabilities: { tools: {} }, serverInfo: { name: "desk", version: "1" } }),
  ping: () => ({}),
  "tools/list": () => ({ tools }),
  "tools/call": ({ name, arguments: args }) => calls[name](args),
};

for await (const line of createInterface({ input: process.stdin })) {
  const { id, method, params } = JSON.parse(line);
  if (id === undefined) continue;
  const reply = methods[method] ? { result: methods[method](params ?? {}) } : { error: { code: -32601, message: `no method ${method}` } };
  process.stdout.write(`${JSON.stringify({ jsonrpc: "2.0", id, ...reply })}\n`);
}
