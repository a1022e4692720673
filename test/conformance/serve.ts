import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { NodeStreamableHTTPServerTransport, localhostHostValidation, localhostOriginValidation, toNodeHandler } from "@modelcontextprotocol/node";
import { createMcpHandler, type EventStore, type JSONRPCMessage } from "@modelcontextprotocol/server";
import { referenceServer } from "./reference.ts";

/** The SDK's type lacks `undefined` in its optional fields. */
type NodeRequest = Parameters<ReturnType<typeof toNodeHandler>>[0];

export interface ServedReference extends AsyncDisposable {
  readonly url: string;
}

export type Eras = "both" | "stateful" | "stateless";

/** Serves the reference server over Streamable HTTP on a free loopback port. */
export async function serveReference(eras: Eras = "both"): Promise<ServedReference> {
  const sessions = new Map<string, NodeStreamableHTTPServerTransport>();
  const modern = createMcpHandler(() => referenceServer({ era: "modern", notify: modern.notify }), { legacy: "reject" });
  const modernHandler = toNodeHandler(modern);
  const hostIsLocal = localhostHostValidation();
  const originIsLocal = localhostOriginValidation();

  const handle = async (req: IncomingMessage, res: ServerResponse) => {
    if (!hostIsLocal(req, res) || !originIsLocal(req, res)) return;
    const body: unknown = req.method === "POST" ? JSON.parse(await text(req)) : undefined;
    if (eras === "stateless" || (eras === "both" && isModern(req, body))) return modernHandler(req as NodeRequest, res, body);
    const id = req.headers["mcp-session-id"];
    const open = typeof id === "string" ? sessions.get(id) : await openSession(sessions);
    if (!open) return void res.writeHead(404).end('{"jsonrpc":"2.0","id":null,"error":{"code":-32001,"message":"Session not found"}}');
    await open.handleRequest(req, res, body);
  };
  const http = createServer((req, res) => void handle(req, res).catch(() => res.headersSent ? res.destroy() : res.writeHead(400).end()));
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}/mcp`,
    [Symbol.asyncDispose]: async () => {
      http.closeAllConnections();
      await Promise.all([modern.close(), ...[...sessions.values()].map((session) => session.close())]);
      await new Promise((resolve) => http.close(resolve));
    },
  };
}

function isModern(req: IncomingMessage, body: unknown): boolean {
  const meta = (body as { params?: { _meta?: Record<string, unknown> } } | undefined)?.params?._meta;
  const version = req.headers["mcp-protocol-version"];
  return meta?.["io.modelcontextprotocol/protocolVersion"] !== undefined || (typeof version === "string" && !["2025-03-26", "2025-06-18", "2025-11-25"].includes(version));
}

async function openSession(sessions: Map<string, NodeStreamableHTTPServerTransport>): Promise<NodeStreamableHTTPServerTransport> {
  const transport = new NodeStreamableHTTPServerTransport({
    sessionIdGenerator: randomUUID,
    eventStore: rememberedEvents(),
    retryInterval: 50,
    onsessioninitialized: (id) => void sessions.set(id, transport),
    onsessionclosed: (id) => void sessions.delete(id),
  });
  await referenceServer({ era: "legacy" }).connect(transport);
  return transport;
}

/** Events of one session, so that a client can resume a broken stream. */
function rememberedEvents(): EventStore {
  const events: { id: string; stream: string; message: JSONRPCMessage }[] = [];
  return {
    storeEvent: async (stream, message) => {
      const id = `${stream}_${events.length}`;
      events.push({ id, stream, message });
      return id;
    },
    replayEventsAfter: async (last, { send }) => {
      const from = events.findIndex(({ id }) => id === last);
      const stream = events[from]?.stream ?? "";
      for (const event of events.slice(from + 1)) if (event.stream === stream && "jsonrpc" in event.message) await send(event.id, event.message);
      return stream;
    },
  };
}

if (import.meta.main) {
  const served = await serveReference(process.argv[2] as Eras | undefined);
  process.stdout.write(`${served.url}\n`);
  process.stdin.resume().on("end", () => process.exit(0));
}
