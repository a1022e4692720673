// A small agent with a fixed plan, as any agent would be written: it knows an MCP endpoint and a token, and nothing of Lanyard.
// Usage: lanyard run --isolation none --agent ... -- node demo/agent.mjs <world folder>   (LANYARD_MCP_URL and LANYARD_TOKEN come from `lanyard run`)
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const client = "node_modules/@modelcontextprotocol/client/dist/index.mjs";
const { Client, StreamableHTTPClientTransport } = await import(pathToFileURL(join(process.env.LANYARD_DEMO_SERVERS, client)).href);

const world = process.argv[2];
const repo = join(world, "repo");
const say = (line) => process.stdout.write(`agent: ${line}\n`);

const mcp = new Client({ name: "demo-agent", version: "1.0.0" });
await mcp.connect(
  new StreamableHTTPClientTransport(new URL(process.env.LANYARD_MCP_URL), {
    requestInit: { headers: { authorization: `Bearer ${process.env.LANYARD_TOKEN}` } },
  }),
);

const call = async (name, args, why) => {
  say(`${why}: ${name} ${JSON.stringify(args)}`);
  const result = await mcp.callTool({ name, arguments: args }, { timeout: 60_000, onprogress: ({ message }) => message && say(`  … ${message}`) });
  const text = result.content.map((part) => part.text ?? `[${part.type}]`).join("\n");
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  for (const line of lines.slice(0, result.isError ? 12 : 3)) say(`  ${result.isError ? "✗" : "✓"} ${line.slice(0, 160)}`);
  return result;
};

const { tools } = await mcp.listTools();
say(`I was given ${tools.length} tools`);
await call("list_directory", { path: join(world, "files") }, "look around");
await call("execute_sql", { sql: "SELECT status, count(*) AS orders FROM orders GROUP BY status" }, "how are we doing");
await call("git_log", { path: repo, maxCount: 3 }, "what was done last");
await call("git_push", { path: repo, remote: "origin", branch: "main", force: true }, "ship it, quickly");
await call("write_file", { path: join(world, "files", "report.md"), content: "# Orders\n\nTwo open, one paid.\n" }, "write the report");
say("done");
await mcp.close();
