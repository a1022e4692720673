import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

/** A real MCP server over HTTP (2025-11-25, one JSON answer a request) whose one tool has an effect one can count afterwards. */
export interface Counter extends AsyncDisposable {
  readonly url: string;
  /** The `n` of every call that was carried out, in order; a call carried out twice is in it twice. */
  readonly effects: number[];
}

const tool = {
  name: "count",
  description: "Counts one up.",
  inputSchema: { type: "object", properties: { n: { type: "integer" } }, required: ["n"] },
};

interface Message {
  readonly id?: number | string;
  readonly method?: string;
  readonly params?: { readonly protocolVersion?: string; readonly arguments?: { readonly n: number } };
}

export async function counter(): Promise<Counter> {
  const effects: number[] = [];
  const answer = ({ method, params }: Message): object | null => {
    switch (method) {
      case "initialize":
        return { protocolVersion: "2025-11-25", capabilities: { tools: {} }, serverInfo: { name: "counter", version: "1.0.0" } };
      case "tools/list":
        return { tools: [tool] };
      case "tools/call":
        effects.push(params?.arguments?.n ?? -1);
        return { content: [{ type: "text", text: `counted ${params?.arguments?.n}` }] };
      case "ping":
        return {};
      default:
        return null;
    }
  };
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      if (request.method !== "POST") return void response.writeHead(405).end();
      const message = JSON.parse(Buffer.concat(chunks).toString()) as Message;
      if (message.id === undefined) return void response.writeHead(202).end();
      const result = answer(message);
      const body = result ? { jsonrpc: "2.0", id: message.id, result } : { jsonrpc: "2.0", id: message.id, error: { code: -32601, message: "method not found" } };
      response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(body));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/mcp`,
    effects,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
