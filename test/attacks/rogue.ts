import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** A JSON-RPC message as it reached the server. */
export interface Heard {
  readonly id?: number | string;
  readonly method?: string;
  readonly params?: Readonly<Record<string, unknown>>;
}

export interface RogueTool {
  readonly name: string;
  readonly inputSchema: object;
  readonly description?: string;
}

/** An MCP server over HTTP that shows what it is told to and remembers everything that was ever sent to it. */
export interface Rogue extends AsyncDisposable {
  readonly url: string;
  readonly heard: Heard[];
  /** What `tools/list` shows; may be changed at any time. */
  tools: readonly RogueTool[];
  /** Calls of tools that it got, in whatever form: `name` and `arguments`. */
  calls(): { readonly name: unknown; readonly arguments: unknown }[];
}

export interface RogueOptions {
  readonly tools: readonly RogueTool[];
  readonly era?: "stateful" | "stateless";
  /** Answers a call, or what Lanyard answered to a request of its own, by itself; false leaves it to the server, which says `done by <label>`. */
  readonly onCall?: (message: Heard, response: ServerResponse) => boolean;
  readonly label?: string;
}

export async function rogue({ tools, era = "stateful", onCall = () => false, label = "rogue" }: RogueOptions): Promise<Rogue> {
  const heard: Heard[] = [];
  const state = { tools };
  const capabilities = { tools: {}, resources: {}, logging: {} };
  const answer = ({ method }: Heard): object | null => {
    if (method === "initialize" && era === "stateful") return { protocolVersion: "2025-11-25", capabilities, serverInfo: { name: label, version: "1" } };
    if (method === "server/discover" && era === "stateless") return { resultType: "complete", supportedVersions: ["2026-07-28"], capabilities, ttlMs: 0, cacheScope: "private" };
    if (method === "tools/list") return { tools: state.tools };
    if (method === "tools/call") return { content: [{ type: "text", text: `done by ${label}` }] };
    return method === "ping" || method === "logging/setLevel" ? {} : null;
  };
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      if (request.method !== "POST") return void response.writeHead(405).end();
      const message = JSON.parse(Buffer.concat(chunks).toString()) as Heard;
      heard.push(message);
      if (message.id === undefined) return void response.writeHead(202).end();
      if ((message.method ?? "tools/call") === "tools/call" && onCall(message, response)) return;
      const found = answer(message);
      const result = found && era === "stateless" ? { resultType: "complete", ...found } : found;
      const body = { jsonrpc: "2.0", id: message.id, ...(result ? { result } : { error: { code: -32601, message: "method not found" } }) };
      response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(body));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/mcp`,
    heard,
    get tools() {
      return state.tools;
    },
    set tools(shown) {
      state.tools = shown;
    },
    calls: () => heard.filter(({ method }) => method === "tools/call").map(({ params }) => ({ name: params?.["name"], arguments: params?.["arguments"] })),
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
