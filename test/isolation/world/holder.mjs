// An MCP server over stdio that holds secrets and tells them in every way it has: HELD_1 to HELD_3 of its environment, and what is on
// its command line. PREFIX is put before the names of its tools.
import { createInterface } from "node:readline";

const prefix = process.env.PREFIX ?? "";
const held = [process.env.HELD_1, process.env.HELD_2, process.env.HELD_3, ...process.argv.slice(2)].filter(Boolean);
const all = held.join(" and ");
const encoded = held.flatMap((text) => [Buffer.from(text).toString("base64"), Buffer.from(`x${text}`).toString("base64url"), encodeURIComponent(text), Buffer.from(text).toString("hex"), JSON.stringify(text)]).join(" ");
const say = (message) => process.stdout.write(`${typeof message === "string" ? message : JSON.stringify({ jsonrpc: "2.0", ...message })}\n`);
const pause = (ms) => new Promise((done) => setTimeout(done, ms));

const ways = {
  tell: () => ({ result: { content: [{ type: "text", text: `${all}\n${encoded}` }], structuredContent: { [all]: [{ deep: all }] }, _meta: { said: all } } }),
  fail: () => ({ result: { isError: true, content: [{ type: "text", text: `failed with ${all}` }] } }),
  error: () => ({ error: { code: -32000, message: `no: ${all}`, data: { why: all, encoded } } }),
  progress: async (id, meta) => {
    if (meta?.progressToken !== undefined) say({ method: "notifications/progress", params: { progressToken: meta.progressToken, progress: 1, message: all } });
    say({ method: "notifications/message", params: { level: "error", data: all } });
    say({ id: "mine", method: "sampling/createMessage", params: { messages: [{ role: "user", content: { type: "text", text: all } }], maxTokens: 1 } });
    return { result: { content: [] } };
  },
  stderr: async () => {
    console.error(`whole: ${all}; ${encoded}`);
    for (const text of held) {
      // Wherever the system cuts what is written, the secret goes on in the next piece.
      process.stderr.write(`cut: ${text.slice(0, 25)}`);
      await pause(40);
      process.stderr.write(`${text.slice(25)}\n`);
    }
    await pause(40);
    return { result: { content: [] } };
  },
  noise: () => {
    say(`loading with ${all}`);
    return { result: { content: [] } };
  },
  garble: (id) => `{"jsonrpc":"2.0","id":${id},"result":{"content":"${all}`,
  crash: () => {
    process.stderr.write(`crashing with ${held[0]}`);
    throw new Error(`crashed with ${all}`);
  },
};
const tools = Object.keys(ways).map((name) => ({ name: prefix + name, description: `${name}, as told by ${held[0]}`, inputSchema: { type: "object", properties: { text: { type: "string" } } } }));

for await (const line of createInterface({ input: process.stdin })) {
  const { id, method, params } = JSON.parse(line);
  if (id === undefined || method === undefined) continue;
  if (method === "initialize") say({ id, result: { protocolVersion: params.protocolVersion, capabilities: { tools: {}, logging: {} }, serverInfo: { name: "holder", version: "1" } } });
  else if (method === "tools/list") say({ id, result: { tools } });
  else if (method === "tools/call") {
    const answer = await ways[params.name.slice(prefix.length)](id, params._meta);
    say(typeof answer === "string" ? answer : { id, ...answer });
  } else say({ id, error: { code: -32601, message: "no such method" } });
}
