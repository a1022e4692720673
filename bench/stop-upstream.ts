import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

// Both upstreams of `npm run bench -- stop`, in a process of their own: an MCP server over HTTP with the tool `count`, and a web server at `/effect`.
// Each effect takes a moment of work and is then noted with its number and the machine's monotonic time; work that is cancelled has no effect.

const workMs = 10;
const tool = { name: "count", description: "Counts one up.", inputSchema: { type: "object", properties: { n: { type: "integer" } }, required: ["n"] } };

interface Message {
  readonly id?: number | string;
  readonly method?: string;
  readonly params?: { readonly requestId?: number | string; readonly arguments?: { readonly n: number } };
}

let effects: [n: number, atMs: number][] = [];
const working = new Map<string, () => void>();

/** Works, unless whoever asked goes away or says so; then nothing is answered. */
function work(n: number, key: string, response: ServerResponse, done: () => void): void {
  const timer = setTimeout(() => {
    working.delete(key);
    effects.push([n, Number(process.hrtime.bigint()) / 1e6]);
    done();
  }, workMs);
  const stop = () => {
    working.delete(key);
    clearTimeout(timer);
  };
  working.set(key, stop);
  response.once("close", stop);
}

function serveMcp(session: string, { id, method, params }: Message, response: ServerResponse): void {
  const answer = (result: object, headers: Record<string, string> = {}) => void response.writeHead(200, { "content-type": "application/json", ...headers }).end(JSON.stringify({ jsonrpc: "2.0", id, result }));
  if (method === "notifications/cancelled") working.get(`${session} ${String(params?.requestId)}`)?.();
  if (id === undefined) return void response.writeHead(202).end();
  if (method === "initialize") return answer({ protocolVersion: "2025-11-25", capabilities: { tools: {} }, serverInfo: { name: "counter", version: "1.0.0" } }, { "mcp-session-id": `s${Math.random()}` });
  if (method === "tools/list") return answer({ tools: [tool] });
  if (method !== "tools/call") return answer({});
  const n = params?.arguments?.n ?? -1;
  work(n, `${session} ${id}`, response, () => answer({ content: [{ type: "text", text: `counted ${n}` }] }));
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

const server = createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url ?? "", "http://upstream");
  if (pathname === "/effects") {
    const taken = effects;
    effects = [];
    return void response.end(JSON.stringify(taken));
  }
  if (pathname === "/effect") return work(Number(searchParams.get("n")), `web ${searchParams.get("n")}`, response, () => response.end("counted"));
  if (request.method !== "POST") return void response.writeHead(request.method === "DELETE" ? 204 : 405).end();
  bodyOf(request).then((body) => serveMcp(String(request.headers["mcp-session-id"]), JSON.parse(body) as Message, response), () => response.destroy());
});
server.listen(0, "127.0.0.1", () => process.stdout.write(`${(server.address() as AddressInfo).port}\n`));
process.stdin.resume().once("end", () => process.exit());
