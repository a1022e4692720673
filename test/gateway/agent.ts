import { connect } from "node:net";
import type { Duplex } from "node:stream";

// Clients on the bare wire, one a face, that speak whatever version they are told to.

type Json = Record<string, unknown>;
export interface Wire {
  readonly jsonrpc?: string;
  readonly id?: string | number | null;
  readonly method?: string;
  readonly params?: Json;
  readonly result?: Json;
  readonly error?: { readonly code: number; readonly message: string; readonly data?: Json };
}
export type Version = "2025-06-18" | "2025-11-25" | "2026-07-28";

export interface Hooks {
  /** Answers what the server asks meanwhile. */
  answer?(method: string, params: Json): Json;
  /** Called for each notification of this request. */
  heard?(message: Wire): void;
  readonly signal?: AbortSignal;
  readonly meta?: Json;
}

export interface Agent extends AsyncDisposable {
  /** Does the handshake, if the version has one, and opens the ear. */
  start(): Promise<Wire>;
  /** Sends a request; in the stateless lifecycle it answers `input_required` with `hooks.answer` and retries. */
  request(method: string, params?: Json, hooks?: Hooks): Promise<Wire>;
  /** Resolves once a notification that belongs to no request has come. */
  hears(method: string): Promise<Wire>;
  /** Makes the server announce changes of its tools, and of a resource. */
  watch(uri: string): Promise<void>;
}

export interface AgentOptions {
  readonly version: Version;
  readonly token: string;
  readonly path?: string;
  readonly capabilities?: Json;
}

export const stateless = (version: Version): boolean => version === "2026-07-28";

/** What both faces share: lifecycles, questions, and what was heard. */
abstract class Base {
  readonly options: Required<AgentOptions>;
  readonly #heard: Wire[] = [];
  readonly #waiting: { method: string; resolve: (message: Wire) => void }[] = [];
  ids = 0;

  constructor(options: AgentOptions) {
    this.options = { path: "/mcp", capabilities: { elicitation: {} }, ...options };
  }

  abstract exchange(method: string, params: Json, hooks: Hooks): Promise<Wire>;
  abstract tell(message: Wire): Promise<void>;
  abstract openEar(): Promise<void>;

  async start(): Promise<Wire> {
    const { version, capabilities } = this.options;
    if (stateless(version)) return this.request("server/discover");
    const answer = await this.exchange("initialize", { protocolVersion: version, capabilities, clientInfo: { name: "agent", version: "1" } }, {});
    await this.tell({ method: "notifications/initialized" });
    await this.openEar();
    return answer;
  }

  async request(method: string, params: Json = {}, hooks: Hooks = {}): Promise<Wire> {
    const { version, capabilities } = this.options;
    if (!stateless(version)) return this.exchange(method, hooks.meta ? { ...params, _meta: hooks.meta } : params, hooks);
    const own = { "io.modelcontextprotocol/protocolVersion": version, "io.modelcontextprotocol/clientInfo": { name: "agent", version: "1" }, "io.modelcontextprotocol/clientCapabilities": capabilities };
    let sent: Json = { ...params, _meta: { ...own, ...hooks.meta } };
    for (;;) {
      const answer = await this.exchange(method, sent, hooks);
      if (answer.result?.["resultType"] !== "input_required" || !hooks.answer) return answer;
      const asked = Object.entries((answer.result["inputRequests"] ?? {}) as Record<string, { method: string; params: Json }>);
      const inputResponses = Object.fromEntries(asked.map(([key, question]) => [key, hooks.answer?.(question.method, question.params)]));
      const { requestState } = answer.result;
      sent = { ...sent, inputResponses, ...(requestState !== undefined && { requestState }) };
    }
  }

  hears(method: string): Promise<Wire> {
    const at = this.#heard.findIndex((message) => message.method === method);
    if (at !== -1) return Promise.resolve(this.#heard.splice(at, 1)[0] as Wire);
    return new Promise((resolve) => this.#waiting.push({ method, resolve }));
  }

  hear(message: Wire): void {
    const at = this.#waiting.findIndex(({ method }) => method === message.method);
    if (at === -1) this.#heard.push(message);
    else this.#waiting.splice(at, 1)[0]?.resolve(message);
  }

  async watch(uri: string): Promise<void> {
    if (!stateless(this.options.version)) return void (await this.request("resources/subscribe", { uri }));
    const heard = (message: Wire) => this.hear(message);
    void this.request("subscriptions/listen", { notifications: { toolsListChanged: true, resourceSubscriptions: [uri] } }, { heard }).catch(() => {});
    await this.hears("notifications/subscriptions/acknowledged");
  }
}

export class HttpAgent extends Base implements Agent {
  readonly #url: string;
  readonly #end = new AbortController();
  #session: string | null = null;

  constructor(url: string, options: AgentOptions) {
    super(options);
    this.#url = url + this.options.path;
  }

  async #post(message: Wire, signal: AbortSignal): Promise<Response> {
    const { version, token } = this.options;
    const { method, params } = message;
    const name = params?.["name"] ?? params?.["uri"];
    return fetch(this.#url, {
      method: "POST",
      signal,
      headers: {
        "content-type": "application/json",
        accept: "application/json, text/event-stream",
        authorization: `Bearer ${token}`,
        ...((stateless(version) || this.#session) && { "mcp-protocol-version": version }),
        ...(this.#session && { "mcp-session-id": this.#session }),
        ...(stateless(version) && method && { "mcp-method": method, ...(typeof name === "string" && { "mcp-name": name }) }),
      },
      body: JSON.stringify({ jsonrpc: "2.0", ...message }),
    });
  }

  async tell(message: Wire): Promise<void> {
    await (await this.#post(message, this.#end.signal)).arrayBuffer();
  }

  async exchange(method: string, params: Json, hooks: Hooks): Promise<Wire> {
    const id = ++this.ids;
    const cancelled = hooks.signal ?? new AbortController().signal;
    const byClosing = stateless(this.options.version);
    if (!byClosing) cancelled.addEventListener("abort", () => void this.tell({ method: "notifications/cancelled", params: { requestId: id } }));
    const response = await this.#post({ id, method, params }, AbortSignal.any([this.#end.signal, ...(byClosing ? [cancelled] : [])]));
    if (method === "initialize") this.#session = response.headers.get("mcp-session-id");
    if (!response.headers.get("content-type")?.startsWith("text/event-stream")) {
      const body = await response.text();
      return body === "" ? { id: null } : (JSON.parse(body) as Wire);
    }
    for await (const message of events(response)) {
      if (message.method === undefined && message.id === id) return message;
      if (message.method !== undefined && message.id != null) {
        void this.tell({ id: message.id, ...(hooks.answer ? { result: hooks.answer(message.method, message.params ?? {}) } : { error: { code: -1, message: "no" } }) });
      } else hooks.heard?.(message);
    }
    return { id: null };
  }

  async openEar(): Promise<void> {
    const { token, version } = this.options;
    const response = await fetch(this.#url, {
      signal: this.#end.signal,
      headers: { accept: "text/event-stream", authorization: `Bearer ${token}`, "mcp-session-id": this.#session ?? "", "mcp-protocol-version": version },
    });
    void (async () => {
      for await (const message of events(response)) this.hear(message);
    })().catch(() => {});
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end.abort();
  }
}

async function* events(response: Response): AsyncGenerator<Wire> {
  let rest = "";
  for await (const chunk of response.body ?? []) {
    const blocks = (rest + Buffer.from(chunk as Uint8Array).toString()).split("\n\n");
    rest = blocks.pop() ?? "";
    for (const block of blocks) {
      const data = /^data: (.+)$/m.exec(block)?.[1];
      if (data) yield JSON.parse(data) as Wire;
    }
  }
}

export class StdioAgent extends Base implements Agent {
  readonly #socket: Duplex;
  readonly #open = new Map<string | number, { hooks: Hooks; resolve: (message: Wire) => void }>();

  /** Speaks over a Unix socket as the shim does, hello included; or over any stream, without. */
  constructor(socket: string | Duplex, options: AgentOptions) {
    super(options);
    this.#socket = typeof socket === "string" ? connect(socket) : socket;
    if (typeof socket === "string") this.#socket.write(`${JSON.stringify({ token: this.options.token, path: this.options.path })}\n`);
    let rest = "";
    this.#socket.on("data", (chunk: Buffer) => {
      const lines = (rest + chunk.toString()).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) this.#receive(JSON.parse(line) as Wire);
    });
    this.#socket.on("error", () => {});
    this.#socket.on("close", () => {
      for (const { resolve } of this.#open.values()) resolve({ id: null });
    });
  }

  #receive(message: Wire): void {
    const { id, method, params } = message;
    if (method === undefined) {
      const open = id == null ? undefined : this.#open.get(id);
      if (id != null) this.#open.delete(id);
      open?.resolve(message);
      return;
    }
    // On a line all requests share, what a notification belongs to is known by its token or its subscription alone.
    const [, newest] = [...this.#open].at(-1) ?? [];
    if (id != null) {
      const answer = newest?.hooks.answer;
      void this.tell({ id, ...(answer ? { result: answer(method, params ?? {}) } : { error: { code: -1, message: "no" } }) });
    } else if (/progress|message/.test(method)) newest?.hooks.heard?.(message);
    else this.hear(message);
  }

  async tell(message: Wire): Promise<void> {
    this.#socket.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`);
  }

  async exchange(method: string, params: Json, hooks: Hooks): Promise<Wire> {
    const id = ++this.ids;
    return new Promise((resolve) => {
      this.#open.set(id, { hooks, resolve });
      hooks.signal?.addEventListener("abort", () => {
        void this.tell({ method: "notifications/cancelled", params: { requestId: id } });
        this.#open.delete(id);
        resolve({ id: null });
      });
      void this.tell({ id, method, params });
    });
  }

  async openEar(): Promise<void> {}

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.destroy();
  }
}
