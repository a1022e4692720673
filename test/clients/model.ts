import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Json, JsonObject } from "@lanyard/contract";

/** A tool call the model makes; its n-th one once the conversation holds n results. */
export interface PlannedCall {
  /** Matched against the names the agent offers. */
  readonly tool: RegExp;
  readonly args: JsonObject;
}

/** One request of an agent for the next turn of its conversation. */
export interface Turn {
  readonly tools: readonly string[];
  /** Texts of the tool results so far: what the model gets to read. */
  readonly results: readonly string[];
}

export interface Model extends AsyncDisposable {
  /** `http://<host>:<port>` */
  readonly url: string;
  readonly turns: readonly Turn[];
  /** Keys that requests came with, each once. */
  readonly keys: ReadonlySet<string>;
}

type Say = { readonly text: string } | { readonly tool: string; readonly args: JsonObject };

/** How one provider writes requests and answers on the wire. */
interface Dialect {
  readonly path: RegExp;
  read(body: JsonObject): Turn;
  /** The answer whole, and as the events of a stream. */
  write(say: Say, id: string, body: JsonObject): { readonly whole: JsonObject; readonly events: readonly JsonObject[] };
}

const list = (value: Json | undefined): JsonObject[] => (Array.isArray(value) ? (value as JsonObject[]) : []);
const textOf = (value: Json | undefined): string => {
  if (typeof value === "string") return value;
  if (Array.isArray(value)) return value.map(textOf).join("\n");
  return value && typeof value === "object" ? textOf(value["text"] ?? value["output"] ?? value["content"] ?? JSON.stringify(value)) : "";
};

/** Anthropic Messages: claude-code. */
const messages: Dialect = {
  path: /\/v1\/messages$/,
  read: (body) => ({
    tools: list(body["tools"]).map((tool) => String(tool["name"])),
    results: list(body["messages"]).flatMap((message) =>
      list(message["content"]).filter((part) => part["type"] === "tool_result").map((part) => textOf(part["content"])),
    ),
  }),
  write: (say, id, body) => {
    const isCall = "tool" in say;
    const block: JsonObject = isCall ? { type: "tool_use", id: `toolu_${id}`, name: say.tool, input: say.args } : { type: "text", text: say.text };
    const stop = isCall ? "tool_use" : "end_turn";
    const usage = { input_tokens: 1, output_tokens: 1 };
    const whole: JsonObject = { id: `msg_${id}`, type: "message", role: "assistant", model: body["model"] ?? "", content: [block], stop_reason: stop, stop_sequence: null, usage };
    const start: JsonObject = isCall ? { ...block, input: {} } : { type: "text", text: "" };
    const delta: JsonObject = isCall ? { type: "input_json_delta", partial_json: JSON.stringify(say.args) } : { type: "text_delta", text: say.text };
    return {
      whole,
      events: [
        { type: "message_start", message: { ...whole, content: [], stop_reason: null } },
        { type: "content_block_start", index: 0, content_block: start },
        { type: "content_block_delta", index: 0, delta },
        { type: "content_block_stop", index: 0 },
        { type: "message_delta", delta: { stop_reason: stop, stop_sequence: null }, usage },
        { type: "message_stop" },
      ],
    };
  },
};

/** OpenAI Responses: codex and the AI SDK. Codex groups an MCP server's tools in a namespace; it is written `namespace::name` here. */
const responses: Dialect = {
  path: /\/responses$/,
  read: (body) => ({
    tools: list(body["tools"]).flatMap((tool) => (tool["type"] === "namespace" ? list(tool["tools"]).map((inner) => `${tool["name"]}::${inner["name"]}`) : [String(tool["name"] ?? tool["type"])])),
    results: list(body["input"]).filter((item) => String(item["type"]).endsWith("_call_output")).map((item) => textOf(item["output"])),
  }),
  write: (say, id, body) => {
    const item = "tool" in say ? callItem(say, id) : { type: "message", id: `msg_${id}`, role: "assistant", status: "completed", content: [{ type: "output_text", text: say.text, annotations: [] }] };
    const usage = { input_tokens: 1, output_tokens: 1, total_tokens: 2, input_tokens_details: { cached_tokens: 0 }, output_tokens_details: { reasoning_tokens: 0 } };
    const whole: JsonObject = { id: `resp_${id}`, object: "response", created_at: 1, model: body["model"] ?? "", status: "completed", output: [item], usage };
    const steps: JsonObject[] = [
      { type: "response.created", response: { ...whole, status: "in_progress", output: [] } },
      { type: "response.output_item.added", output_index: 0, item: { ...item, status: "in_progress" } },
      { type: "response.output_item.done", output_index: 0, item },
      { type: "response.completed", response: whole },
    ];
    return { whole, events: steps.map((event, sequence_number) => ({ ...event, sequence_number })) };
  },
};

const callItem = ({ tool, args }: Extract<Say, { tool: string }>, id: string): JsonObject => {
  const [name, namespace] = tool.split("::").reverse();
  return { type: "function_call", id: `fc_${id}`, call_id: `call_${id}`, name: name ?? "", ...(namespace && { namespace }), arguments: JSON.stringify(args), status: "completed" };
};

/** Gemini generateContent: gemini-cli. */
const gemini: Dialect = {
  path: /:(stream)?generateContent$/i,
  read: (body) => ({
    tools: list(body["tools"]).flatMap((tool) => list(tool["functionDeclarations"]).map((entry) => String(entry["name"]))),
    results: list(body["contents"]).flatMap((content) => list(content["parts"]).flatMap((part) => (part["functionResponse"] ? [JSON.stringify((part["functionResponse"] as JsonObject)["response"])] : []))),
  }),
  write: (say) => {
    const part: JsonObject = "tool" in say ? { functionCall: { name: say.tool, args: say.args } } : { text: say.text };
    const whole: JsonObject = {
      candidates: [{ content: { role: "model", parts: [part] }, finishReason: "STOP", index: 0 }],
      usageMetadata: { promptTokenCount: 1, candidatesTokenCount: 1, totalTokenCount: 2 },
      modelVersion: "mock",
    };
    return { whole, events: [whole] };
  },
};

const dialects = [messages, responses, gemini];

const next = (plan: readonly PlannedCall[], { tools, results }: Turn): Say => {
  const call = plan[results.length];
  if (tools.length === 0) return { text: "ok" }; // side errands of an agent: a title, a summary
  if (!call) return { text: `DONE ${results.at(-1) ?? ""}` };
  const tool = tools.find((name) => call.tool.test(name));
  return tool ? { tool, args: call.args } : { text: `NO TOOL ${call.tool} among ${tools.join(", ")}` };
};

const stream = (response: ServerResponse, events: readonly JsonObject[]): void => {
  response.writeHead(200, { "content-type": "text/event-stream" });
  for (const event of events) response.write(`${event["type"] ? `event: ${event["type"]}\n` : ""}data: ${JSON.stringify(event)}\n\n`);
  response.end();
};

const json = (response: ServerResponse, status: number, body: JsonObject): void => {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
};

/** A model server on loopback that speaks for several providers and follows `plan` instead of thinking. */
export async function startModel(plan: readonly PlannedCall[], host = "127.0.0.1"): Promise<Model> {
  const turns: Turn[] = [];
  const keys = new Set<string>();
  let count = 0;
  const server = createServer(async (request, response) => {
    const path = (request.url ?? "/").split("?")[0] ?? "/";
    const { "x-api-key": anthropic, "x-goog-api-key": google, authorization } = request.headers;
    for (const key of [anthropic, google, authorization?.replace("Bearer ", "")]) if (typeof key === "string") keys.add(key);
    let text = "";
    for await (const chunk of request.setEncoding("utf8")) text += chunk;
    const dialect = dialects.find((candidate) => candidate.path.test(path));
    if (path.endsWith("/count_tokens")) return json(response, 200, { input_tokens: 1 });
    if (path.endsWith("/models")) return json(response, 200, { object: "list", data: [], models: [] });
    if (!dialect) return json(response, request.method === "HEAD" ? 200 : 404, { error: { type: "not_found_error", message: path } });
    const body = JSON.parse(text) as JsonObject;
    const turn = dialect.read(body);
    if (turn.tools.length > 0) turns.push(turn);
    count += 1;
    const { whole, events } = dialect.write(next(plan, turn), `t${count}`, body);
    if (body["stream"] === true || /streamGenerateContent/i.test(path)) return stream(response, events);
    json(response, 200, whole);
  });
  await new Promise<void>((done) => server.listen(0, host, done));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://${host}:${port}`,
    turns,
    keys,
    [Symbol.asyncDispose]: () =>
      new Promise((done) => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  };
}
