// A small MCP server over stdio for journeys: notes in memory that can be read, written and deleted.
import { createInterface } from "node:readline";

const notes = new Map([["plan", "ship it"]]);
const text = (value) => ({ content: [{ type: "text", text: value }] });
const tool = (name, description, properties) => ({ name, description, inputSchema: { type: "object", properties, required: Object.keys(properties) } });
const tools = [
  tool("read_note", "Reads a note", { name: { type: "string" } }),
  tool("write_note", "Writes a note", { name: { type: "string" }, text: { type: "string" } }),
  tool("delete_note", "Deletes a note", { name: { type: "string" } }),
];
const calls = {
  read_note: ({ name }) => text(notes.get(name) ?? `no note ${name}`),
  write_note: ({ name, text: body }) => (notes.set(name, body), text(`wrote ${name}`)),
  delete_note: ({ name }) => text(notes.delete(name) ? `deleted ${name}` : `no note ${name}`),
};
const methods = {
  initialize: ({ protocolVersion }) => ({ protocolVersion, capabilities: { tools: {} }, serverInfo: { name: "notes", version: "1" } }),
  ping: () => ({}),
  "tools/list": () => ({ tools }),
  "tools/call": ({ name, arguments: args }) => calls[name](args),
};

for await (const line of createInterface({ input: process.stdin })) {
  const { id, method, params } = JSON.parse(line);
  if (id === undefined) continue;
  const answer = methods[method] ? { result: methods[method](params ?? {}) } : { error: { code: -32601, message: `no method ${method}` } };
  process.stdout.write(`${JSON.stringify({ jsonrpc: "2.0", id, ...answer })}\n`);
}
