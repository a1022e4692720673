// An agent that makes one tool call with the session `lanyard run` gave it: node call.mjs TOOL '{"json": "arguments"}'
const [name, args = "{}"] = process.argv.slice(2);
const response = await fetch(process.env.LANYARD_MCP_URL, {
  method: "POST",
  headers: {
    authorization: `Bearer ${process.env.LANYARD_TOKEN}`,
    "content-type": "application/json",
    accept: "application/json, text/event-stream",
    "mcp-protocol-version": "2026-07-28",
    "mcp-method": name === "list" ? "tools/list" : "tools/call",
    ...(name !== "list" && { "mcp-name": name }),
  },
  body: JSON.stringify({
    jsonrpc: "2.0",
    id: 1,
    method: name === "list" ? "tools/list" : "tools/call",
    params: {
      ...(name !== "list" && { name, arguments: JSON.parse(args) }),
      _meta: {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": { name: "call", version: "1" },
        "io.modelcontextprotocol/clientCapabilities": {},
      },
    },
  }),
});
const body = await response.text();
const messages = body.startsWith("{") ? [JSON.parse(body)] : [...body.matchAll(/^data: ?(.*)$/gm)].map(([, data]) => JSON.parse(data));
const answer = messages.find((message) => message.id === 1) ?? messages.at(-1);
if (answer.result?.tools) console.log(answer.result.tools.map((tool) => tool.name).join(" "));
else if (answer.result) console.log(`${answer.result.isError ? "refused: " : ""}${answer.result.content.map((part) => part.text).join("\n")}`);
else console.log(`error ${answer.error.code}: ${answer.error.message}`);
