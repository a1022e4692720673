import { spawn } from "node:child_process";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";

// An MCP server on the bare wire, in either lifecycle and over either transport: what the gateway is tried against. It understands just
// enough, says exactly what it is told to, and keeps a journal that its tool `journal` shows.

type Json = Record<string, unknown>;
interface Message {
  readonly id?: string | number;
  readonly method?: string;
  readonly params?: Json;
  readonly result?: Json;
  readonly error?: Json;
}
export type ToyEra = "stateful" | "stateless";

const capabilities = { tools: { listChanged: true }, resources: { subscribe: true, listChanged: true }, prompts: {}, completions: {}, logging: {} };
const names = ["echo", "progress", "ask", "slow", "journal", "touch", "crash", "big", "deep", "garble", "hidden", "insist", "child", "noise", "grow"];
const tools = names.map((name) => ({ name, description: `The toy's ${name}`, inputSchema: { type: "object" }, "x-toy": { kept: true } }));
const say = (text: string): Json => ({ content: [{ type: "text", text }] });
const meta = (params: Json | undefined): Json => (params?.["_meta"] ?? {}) as Json;
const version = "io.modelcontextprotocol/protocolVersion";
const subscription = "io.modelcontextprotocol/subscriptionId";

/** One toy: a process, or an HTTP session. */
class Toy {
  readonly #era: ToyEra;
  readonly journal: string[] = [];
  readonly #asked = new Map<string, (answer: Message) => void>();
  readonly #slow = new Map<string | number, () => void>();
  readonly #subscribed = new Set<string>();
  /** Open listens of the stateless era, by id. */
  readonly #listens = new Map<string | number, { filter: Json; send: (message: Message) => void }>();
  #asks = 0;
  #tools = tools;
  /** Where unrelated messages go. */
  announce: (message: Message) => void = () => {};

  constructor(era: ToyEra) {
    this.#era = era;
  }

  /** Handles one message; `send` writes to the stream of this request. Resolves with the answer, or null when there is none. */
  async handle(message: Message, send: (message: Message) => void): Promise<Message | null> {
    const { id, method, params = {} } = message;
    if (method === undefined) {
      this.#asked.get(String(id))?.(message);
      return null;
    }
    if (id === undefined) {
      this.journal.push(method);
      if (method === "notifications/cancelled") this.stop(params["requestId"] as string | number);
      return null;
    }
    if (this.#era === "stateless" && meta(params)[version] !== "2026-07-28") return { id, error: { code: -32600, message: "no version" } };
    try {
      const result = await this.#result(method, params, id, send);
      if (result === null) return null;
      return { id, result: this.#era === "stateless" ? { resultType: "complete", ...result } : result };
    } catch (error) {
      return { id, error: error as Json };
    }
  }

  /** The client is not interested in a request any more. */
  stop(id: string | number): void {
    this.#listens.delete(id);
    this.#slow.get(id)?.();
  }

  async #result(method: string, params: Json, id: string | number, send: (message: Message) => void): Promise<Json | null> {
    const page = (key: string, items: Json[]) => ({ [key]: items, ...(this.#era === "stateless" && { ttlMs: 5, cacheScope: "public" }) });
    const server = { name: "toy", version: "1" };
    switch (method) {
      case "initialize":
        if (this.#era === "stateless") break;
        return { protocolVersion: "2025-11-25", capabilities, serverInfo: server, instructions: "Play nicely." };
      case "server/discover":
        if (this.#era === "stateful") break;
        return { supportedVersions: ["2026-07-28"], capabilities, instructions: "Play nicely.", _meta: { "io.modelcontextprotocol/serverInfo": server } };
      case "tools/list":
        // Two pages, so that whoever reads one page only is found out.
        if (params["cursor"] === "two") return page("tools", this.#tools.slice(4));
        return { ...page("tools", this.#tools.slice(0, 4)), nextCursor: "two", "x-list": 1 };
      case "tools/call":
        return this.#call(params, id, send);
      case "resources/list":
        return page("resources", [{ uri: "toy://a", name: "a" }]);
      case "resources/templates/list":
        return page("resourceTemplates", [{ uriTemplate: "toy://item/{id}", name: "item" }]);
      case "resources/read":
        if (params["uri"] === "toy://none") throw { code: this.#era === "stateful" ? -32002 : -32602, message: "Resource not found", data: { uri: params["uri"] } };
        return { ...page("contents", [{ uri: params["uri"], text: `text of ${String(params["uri"])}` }]) };
      case "prompts/list":
        return page("prompts", [{ name: "greet" }]);
      case "prompts/get":
        return { messages: [{ role: "user", content: { type: "text", text: `Hello ${String((params["arguments"] as Json | undefined)?.["name"])}` } }] };
      case "completion/complete":
        return { completion: { values: ["one", "two"] } };
      case "logging/setLevel":
        this.journal.push(`level ${String(params["level"])}`);
        return {};
      case "resources/subscribe":
        if (this.#era === "stateless") break;
        this.#subscribed.add(String(params["uri"]));
        return {};
      case "resources/unsubscribe":
        if (this.#era === "stateless") break;
        this.#subscribed.delete(String(params["uri"]));
        return {};
      case "subscriptions/listen": {
        if (this.#era === "stateful") break;
        const filter = params["notifications"] as Json;
        this.#listens.set(id, { filter, send });
        send({ method: "notifications/subscriptions/acknowledged", params: { _meta: { [subscription]: id }, notifications: filter } });
        return null;
      }
      case "x-toy/mirror":
        return { mirrored: params, "x-extra": true };
    }
    throw { code: -32601, message: `no method ${method}` };
  }

  async #call(params: Json, id: string | number, send: (message: Message) => void): Promise<Json | null> {
    const args = (params["arguments"] ?? {}) as Json;
    switch (params["name"]) {
      case "echo":
        return { ...say(String(args["text"])), "x-result": { kept: true } };
      case "progress": {
        const { progressToken } = meta(params);
        for (const progress of [1, 2, 3]) if (progressToken !== undefined) send({ method: "notifications/progress", params: { progressToken, progress, total: 3 } });
        send({ method: "notifications/message", params: { level: "warning", data: "careful" } });
        send({ method: "notifications/message", params: { level: "debug", data: "details" } });
        return say("progressed");
      }
      case "ask":
        return this.#ask(params, send);
      case "slow":
        this.journal.push("slow began");
        send({ method: "notifications/progress", params: { progressToken: meta(params)["progressToken"], progress: 1 } });
        await new Promise<void>((resolve) => this.#slow.set(id, resolve));
        this.journal.push("slow cancelled");
        return null;
      case "journal":
        return say(JSON.stringify(this.journal));
      case "touch":
        this.#touch(String(args["uri"]));
        return say("touched");
      case "crash":
        process.exit(7);
      // eslint-disable-next-line no-fallthrough
      case "big":
        return say("x".repeat(Number(args["bytes"])));
      case "deep":
        return say(JSON.stringify(args)).constructor === Object ? { content: [], structuredContent: nested(Number(args["levels"])) } : {};
      case "insist":
        return { resultType: "input_required", inputRequests: { who: { method: "elicitation/create", params: { message: "Again?" } } } };
      case "grow":
        // A new tool, and not a word about it.
        this.#tools = [...this.#tools, { name: "grown", description: "New", inputSchema: { type: "object" }, "x-toy": { kept: true } }];
        return say("grown");
      case "child":
        // A grandchild of the gateway that ignores the end of its parent's input.
        return say(String(spawn("sleep", ["600"], { stdio: "ignore" }).pid));
      case "noise":
        process.stdout.write('plain words on stdout\n{"level":30,"msg":"a log line"}\n');
        process.stderr.write(`${"x".repeat(Number(args["bytes"]))}\n`);
        return say("noisy");
      case "garble":
        return { content: [{ type: "text", text: "\ud800" }] };
    }
    throw { code: -32602, message: `no tool ${String(params["name"])}` };
  }

  async #ask(params: Json, send: (message: Message) => void): Promise<Json> {
    const question = { message: "What is your name?", requestedSchema: { type: "object", properties: { name: { type: "string" } } } };
    if (this.#era === "stateless") {
      const answer = (params["inputResponses"] as Json | undefined)?.["who"] as Json | undefined;
      if (answer && params["requestState"] === "toy-state") return say(`answer ${JSON.stringify(answer["content"])}`);
      return { resultType: "input_required", inputRequests: { who: { method: "elicitation/create", params: question } }, requestState: "toy-state" };
    }
    const id = `toy-${++this.#asks}`;
    const answer = await new Promise<Message>((resolve) => {
      this.#asked.set(id, resolve);
      send({ id, method: "elicitation/create", params: question });
    });
    return say(answer.error ? `error ${String(answer.error["message"])}` : `answer ${JSON.stringify(answer.result?.["content"])}`);
  }

  #touch(uri: string): void {
    const updated = { method: "notifications/resources/updated", params: { uri } };
    const changed = { method: "notifications/tools/list_changed", params: {} };
    if (this.#era === "stateful") {
      if (this.#subscribed.has(uri)) this.announce(updated);
      this.announce(changed);
    }
    for (const [id, { filter, send }] of this.#listens) {
      const tagged = ({ method, params }: typeof updated | typeof changed) => send({ method, params: { ...params, _meta: { [subscription]: id } } });
      if ((filter["resourceSubscriptions"] as string[] | undefined)?.includes(uri)) tagged(updated);
      if (filter["toolsListChanged"]) tagged(changed);
    }
  }
}

const nested = (levels: number): unknown => (levels === 0 ? 1 : { in: nested(levels - 1) });
const write = (message: Message): string => JSON.stringify({ jsonrpc: "2.0", ...message });

function serveStdio(era: ToyEra): void {
  const toy = new Toy(era);
  const send = (message: Message) => void process.stdout.write(`${write(message)}\n`);
  toy.announce = send;
  process.stderr.write("toy is up\n");
  let rest = "";
  process.stdin.on("data", (chunk: Buffer) => {
    const lines = (rest + chunk.toString()).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) void toy.handle(JSON.parse(line) as Message, send).then((answer) => answer && send(answer));
  });
  process.stdin.on("end", () => process.exit(0));
}

export interface ServedToy extends AsyncDisposable {
  readonly url: string;
  readonly journal: readonly string[];
  /** Forgets all sessions, as a restart would. */
  forget(): void;
}

/** Serves toys over Streamable HTTP on a free loopback port: one a session in the stateful lifecycle, one for all in the other. */
export async function serveToy(era: ToyEra): Promise<ServedToy> {
  const journal: string[] = [];
  const sessions = new Map<string, Toy>();
  const make = () => Object.assign(new Toy(era), { journal });
  const everybody = make();
  let made = 0;

  const post = async (req: IncomingMessage, res: ServerResponse) => {
    const message = JSON.parse(await text(req)) as Message;
    let toy = everybody;
    if (era === "stateful") {
      const id = message.method === "initialize" ? `toy-session-${++made}` : String(req.headers["mcp-session-id"]);
      if (message.method === "initialize") sessions.set(id, make());
      const known = sessions.get(id);
      if (!known) return void res.writeHead(message.method === "server/discover" ? 400 : 404).end();
      toy = known;
      res.setHeader("mcp-session-id", id);
    }
    if (message.id === undefined || message.method === undefined) {
      await toy.handle(message, () => {});
      return void res.writeHead(202).end();
    }
    const { id } = message;
    res.once("close", () => res.writableFinished || toy.stop(id));
    const send = (out: Message) => {
      if (!res.headersSent) res.writeHead(200, { "content-type": "text/event-stream" });
      res.write(`data: ${write(out)}\n\n`);
    };
    const answer = await toy.handle(message, send);
    if (!answer) return;
    if (res.headersSent) return void res.end(`data: ${write(answer)}\n\n`);
    res.writeHead(200, { "content-type": "application/json" }).end(write(answer));
  };
  const http = createServer((req, res) => {
    if (req.method === "POST") return void post(req, res);
    const toy = sessions.get(String(req.headers["mcp-session-id"]));
    if (req.method !== "GET" || !toy) return void res.writeHead(405).end();
    res.writeHead(200, { "content-type": "text/event-stream" }).flushHeaders();
    toy.announce = (message) => void res.write(`data: ${write(message)}\n\n`);
  });
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}/mcp`,
    journal,
    forget: () => sessions.clear(),
    [Symbol.asyncDispose]: async () => {
      http.closeAllConnections();
      await new Promise((resolve) => http.close(resolve));
    },
  };
}

if (import.meta.main) serveStdio(process.argv[2] as ToyEra);
