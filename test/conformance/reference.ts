import { CLIENT_CAPABILITIES_META_KEY, createRequestStateCodec, fromJsonSchema, inputRequired, inputResponse, McpServer, ResourceTemplate, type CallToolResult, type ClientCapabilities, type ServerContext, type ServerNotifier } from "@modelcontextprotocol/server";
import { z } from "zod";
import { defaultsForm, enumForm, fullSchema, question } from "./forms.ts";

/** What the reference server needs from whoever serves it. */
export interface ReferenceHost {
  readonly era: "legacy" | "modern";
  /** Publishes list changes on the `subscriptions/listen` streams of the modern era. */
  readonly notify?: ServerNotifier;
}

const pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==";
const silence = "UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAAB9AAACABAAZGF0YQIAAAA=";
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const say = (text: string): CallToolResult => ({ content: [{ type: "text", text }] });
const states = createRequestStateCodec({ key: "lanyard reference server, state signing key" });
const capabilities = {
  tools: { listChanged: true },
  resources: { subscribe: true, listChanged: true },
  prompts: { listChanged: true },
  logging: {},
  completions: {},
};

/** An MCP server that answers everything the conformance suite asks of a server, for one connection or one request. */
export function referenceServer(host: ReferenceHost): McpServer {
  const server = new McpServer(
    { name: "reference", version: "1.0.0" },
    { capabilities, ...(host.era === "modern" && { requestState: { verify: states.verify } }) },
  );
  content(server);
  streaming(server);
  if (host.era === "legacy") {
    legacyQuestions(server);
    polling(server);
  } else {
    modernQuestions(server);
    modernDiagnostics(server, host);
  }
  resources(server, host);
  prompts(server, host);
  return server;
}

function content(server: McpServer): void {
  const tool = (name: string, description: string, result: () => CallToolResult) => server.registerTool(name, { description }, async () => result());
  const resource = { uri: "test://embedded-resource", mimeType: "text/plain", text: "This is an embedded resource content." };
  tool("test_simple_text", "Answers with text", () => say("This is a simple text response for testing."));
  tool("test_image_content", "Answers with an image", () => ({ content: [{ type: "image", data: pixel, mimeType: "image/png" }] }));
  tool("test_audio_content", "Answers with audio", () => ({ content: [{ type: "audio", data: silence, mimeType: "audio/wav" }] }));
  tool("test_embedded_resource", "Answers with an embedded resource", () => ({ content: [{ type: "resource", resource }] }));
  tool("test_multiple_content_types", "Answers with text, image and resource", () => ({
    content: [
      { type: "text", text: "Multiple content types test:" },
      { type: "image", data: pixel, mimeType: "image/png" },
      { type: "resource", resource: { uri: "test://mixed-content-resource", mimeType: "application/json", text: '{"test":"data","value":123}' } },
    ],
  }));
  server.registerTool("json_schema_2020_12_tool", { description: "Has a demanding schema", inputSchema: fromJsonSchema(fullSchema) }, async () => say("called"));
  tool("test_error_handling", "Always fails", () => {
    throw new Error("This tool intentionally returns an error for testing");
  });
}

function streaming(server: McpServer): void {
  server.registerTool("test_tool_with_logging", { description: "Logs while it works", inputSchema: z.object({}) }, async (_args, ctx) => {
    for (const step of ["Tool execution started", "Tool processing data", "Tool execution completed"]) {
      await ctx.mcpReq.log("info", step);
      await sleep(20);
    }
    return say("Tool with logging executed successfully");
  });
  server.registerTool("test_tool_with_progress", { description: "Reports progress while it works", inputSchema: z.object({}) }, async (_args, ctx) => {
    const progressToken = ctx.mcpReq._meta?.progressToken;
    for (const progress of [0, 50, 100]) {
      if (progressToken !== undefined) {
        await ctx.mcpReq.notify({ method: "notifications/progress", params: { progressToken, progress, total: 100 } });
      }
      await sleep(20);
    }
    return say("Tool with progress executed successfully");
  });
}

/** SEP-1699: the server ends the stream in mid-call; the client comes back with `Last-Event-ID` and gets the answer. */
function polling(server: McpServer): void {
  server.registerTool("test_reconnection", { description: "Makes the client reconnect" }, async (ctx) => {
    ctx.http?.closeSSE?.();
    await sleep(100);
    return say("Reconnection test completed successfully");
  });
}

/** Stateful era: the server asks the client with requests of its own while the call is open. */
function legacyQuestions(server: McpServer): void {
  server.registerTool("test_sampling", { description: "Asks the client's model", inputSchema: z.object({ prompt: z.string() }) }, async ({ prompt }, ctx) => {
    const answer = await ctx.mcpReq.requestSampling({ messages: [{ role: "user", content: { type: "text", text: prompt } }], maxTokens: 100 });
    return say(`LLM response: ${JSON.stringify(answer.content)}`);
  });
  const ask = async (ctx: ServerContext, message: string, requestedSchema: ReturnType<typeof question>) => {
    const answer = await ctx.mcpReq.elicitInput({ mode: "form", message, requestedSchema });
    return say(`User response: action=${answer.action}, content=${JSON.stringify(answer.content ?? {})}`);
  };
  server.registerTool("test_elicitation", { description: "Asks the user", inputSchema: z.object({ message: z.string() }) }, ({ message }, ctx) => ask(ctx, message, question("response")));
  server.registerTool("test_elicitation_sep1034_defaults", { description: "Asks the user, with defaults" }, (ctx) => ask(ctx, "Please review the defaults", defaultsForm));
  server.registerTool("test_elicitation_sep1330_enums", { description: "Asks the user to choose" }, (ctx) => ask(ctx, "Please choose", enumForm));
}

const elicit = (message: string, field: string, type: "string" | "boolean" = "string") => inputRequired.elicit({ message, requestedSchema: question(field, type) });
const sample = (text: string) => inputRequired.createMessage({ messages: [{ role: "user", content: { type: "text", text } }], maxTokens: 100 });

/** The accepted field of an elicitation in the retry, or undefined. */
function given(ctx: ServerContext, key: string, field: string): unknown {
  const view = inputResponse(ctx.mcpReq.inputResponses, key);
  return view.kind === "elicit" && view.action === "accept" ? view.content?.[field] : undefined;
}

/** What the client of this request says it can do. */
const declaredBy = (ctx: ServerContext): ClientCapabilities =>
  (ctx.mcpReq.envelope as Record<string, ClientCapabilities | undefined> | undefined)?.[CLIENT_CAPABILITIES_META_KEY] ?? {};

/** Stateless era: the server answers `input_required` and the client retries (2026-07-28, basic/patterns/mrtr). */
function modernQuestions(server: McpServer): void {
  const tool = (name: string, description: string, run: (ctx: ServerContext) => Promise<CallToolResult | ReturnType<typeof inputRequired>>) =>
    server.registerTool(name, { description }, run);
  const kindOf = (ctx: ServerContext, key: string) => inputResponse(ctx.mcpReq.inputResponses, key).kind;

  // The questions of the stateful suite, in the words of this era: what a stateful client behind a gateway gets to hear.
  server.registerTool("test_sampling", { description: "Asks the client's model", inputSchema: z.object({ prompt: z.string() }) }, async ({ prompt }, ctx) => {
    const answer = inputResponse(ctx.mcpReq.inputResponses, "model");
    return answer.kind === "sampling" ? say(`LLM response: ${JSON.stringify(answer.result.content)}`) : inputRequired({ inputRequests: { model: sample(prompt) } });
  });
  const ask = (ctx: ServerContext, message: string, requestedSchema: ReturnType<typeof question>) => {
    const answer = inputResponse(ctx.mcpReq.inputResponses, "user");
    if (answer.kind === "elicit") return say(`User response: action=${answer.action}, content=${JSON.stringify(answer.content ?? {})}`);
    return inputRequired({ inputRequests: { user: inputRequired.elicit({ message, requestedSchema }) } });
  };
  server.registerTool("test_elicitation", { description: "Asks the user", inputSchema: z.object({ message: z.string() }) }, async ({ message }, ctx) => ask(ctx, message, question("response")));
  tool("test_elicitation_sep1034_defaults", "Asks the user, with defaults", async (ctx) => ask(ctx, "Please review the defaults", defaultsForm));
  tool("test_elicitation_sep1330_enums", "Asks the user to choose", async (ctx) => ask(ctx, "Please choose", enumForm));

  tool("test_input_required_result_elicitation", "Asks for a name", async (ctx) => {
    const name = given(ctx, "user_name", "name");
    return name === undefined ? inputRequired({ inputRequests: { user_name: elicit("What is your name?", "name") } }) : say(`Hello, ${name}!`);
  });
  tool("test_streaming_elicitation", "Asks for a name while it could stream", async (ctx) =>
    given(ctx, "user_name", "name") === undefined ? inputRequired({ inputRequests: { user_name: elicit("What is your name?", "name") } }) : say("done"));
  tool("test_input_required_result_sampling", "Asks the client's model", async (ctx) =>
    kindOf(ctx, "capital_question") === "sampling" ? say("The model answered.") : inputRequired({ inputRequests: { capital_question: sample("What is the capital of France?") } }));
  tool("test_input_required_result_list_roots", "Asks for the client's roots", async (ctx) =>
    kindOf(ctx, "client_roots") === "roots" ? say("Roots received.") : inputRequired({ inputRequests: { client_roots: inputRequired.listRoots() } }));
  tool("test_input_required_result_request_state", "Keeps state in the client", async (ctx) => {
    if (given(ctx, "confirm", "ok") !== undefined && ctx.mcpReq.requestState() === "confirming") return say("state-ok");
    return inputRequired({ inputRequests: { confirm: elicit("Please confirm", "ok", "boolean") }, requestState: await states.mint("confirming") });
  });
  tool("test_input_required_result_tampered_state", "Refuses forged state", async (ctx) =>
    ctx.mcpReq.requestState() === "sealed"
      ? say("state-ok")
      : inputRequired({ inputRequests: { confirm: elicit("Please confirm", "ok", "boolean") }, requestState: await states.mint("sealed") }));
  tool("test_input_required_result_multiple_inputs", "Asks three things at once", async (ctx) => {
    if (ctx.mcpReq.requestState() === "three" && kindOf(ctx, "client_roots") === "roots") return say("All inputs received.");
    return inputRequired({
      inputRequests: { user_name: elicit("What is your name?", "name"), greeting: sample("Generate a greeting"), client_roots: inputRequired.listRoots() },
      requestState: await states.mint("three"),
    });
  });
  tool("test_input_required_result_multi_round", "Asks in two rounds", async (ctx) => {
    const round = ctx.mcpReq.requestState();
    if (round === "two" && given(ctx, "step2", "color") !== undefined) return say("Two rounds done.");
    const next = round === "one" && given(ctx, "step1", "name") !== undefined ? "two" : "one";
    const inputRequests = next === "two" ? { step2: elicit("Step 2: What is your favorite color?", "color") } : { step1: elicit("Step 1: What is your name?", "name") };
    return inputRequired({ inputRequests, requestState: await states.mint(next) });
  });
}

/** What the suite looks at beside the rounds themselves: capabilities, logging, announced changes. */
function modernDiagnostics(server: McpServer, host: ReferenceHost): void {
  const tool = (name: string, description: string, run: (ctx: ServerContext) => Promise<CallToolResult | ReturnType<typeof inputRequired>>) =>
    server.registerTool(name, { description }, run);
  tool("test_input_required_result_capabilities", "Asks only what the client can answer", async (ctx) => {
    const declared = declaredBy(ctx);
    return inputRequired({
      inputRequests: { ...(declared.sampling && { model: sample("What is 2 + 2?") }), ...(declared.elicitation && { user_name: elicit("What is your name?", "name") }) },
      requestState: await states.mint("capabilities"),
    });
  });
  // The SDK refuses to ask what the client did not declare, with -32021.
  tool("test_missing_capability", "Needs sampling", async () => inputRequired({ inputRequests: { model: sample("What is 2 + 2?") } }));
  tool("test_logging_tool", "Logs when asked to", async (ctx) => {
    await ctx.mcpReq.log("info", "working");
    return say("logged if you asked for it");
  });
  tool("test_trigger_tool_change", "Announces a change of the tools", async () => {
    host.notify?.toolsChanged();
    return say("announced");
  });
  tool("test_trigger_prompt_change", "Announces a change of the prompts", async () => {
    host.notify?.promptsChanged();
    return say("announced");
  });
}

function resources(server: McpServer, host: ReferenceHost): void {
  const text = (uri: string, body: string, mimeType = "text/plain") => ({ contents: [{ uri, mimeType, text: body }] });
  server.registerResource("static-text", "test://static-text", { description: "Static text", mimeType: "text/plain" }, async ({ href }) =>
    text(href, "This is the content of the static text resource."));
  server.registerResource("static-binary", "test://static-binary", { description: "Static bytes", mimeType: "image/png" }, async ({ href }) => ({
    contents: [{ uri: href, mimeType: "image/png", blob: pixel }],
  }));
  server.registerResource("watched", "test://watched-resource", { description: "May be watched", mimeType: "text/plain" }, async ({ href }) =>
    text(href, "Watched resource content"));
  server.registerResource("template", new ResourceTemplate("test://template/{id}/data", { list: undefined }), { mimeType: "application/json" }, async ({ href }, { id }) =>
    text(href, JSON.stringify({ id, templateTest: true, data: `Data for ID: ${String(id)}` }), "application/json"));
  if (host.era === "modern") return;
  server.server.setRequestHandler("resources/subscribe", async () => ({}));
  server.server.setRequestHandler("resources/unsubscribe", async () => ({}));
  server.server.setRequestHandler("logging/setLevel", async () => ({}));
}

function prompts(server: McpServer, host: ReferenceHost): void {
  const user = (text: string) => ({ role: "user" as const, content: { type: "text" as const, text } });
  server.registerPrompt("test_simple_prompt", { description: "No arguments" }, async () => ({ messages: [user("This is a simple prompt for testing.")] }));
  server.registerPrompt(
    "test_prompt_with_arguments",
    { description: "Two arguments", argsSchema: z.object({ arg1: z.string(), arg2: z.string() }) },
    async ({ arg1, arg2 }) => ({ messages: [user(`Prompt with arguments: arg1='${arg1}', arg2='${arg2}'`)] }),
  );
  server.registerPrompt(
    "test_prompt_with_embedded_resource",
    { description: "Embeds a resource", argsSchema: z.object({ resourceUri: z.string() }) },
    async ({ resourceUri: uri }) => ({
      messages: [{ role: "user", content: { type: "resource", resource: { uri, mimeType: "text/plain", text: "Embedded." } } }, user("Please process the embedded resource above.")],
    }),
  );
  server.registerPrompt("test_prompt_with_image", { description: "Has an image" }, async () => ({
    messages: [{ role: "user", content: { type: "image", data: pixel, mimeType: "image/png" } }, user("Please analyze the image above.")],
  }));
  server.server.setRequestHandler("completion/complete", async () => ({ completion: { values: ["paris", "park", "party"], total: 3, hasMore: false } }));
  if (host.era === "legacy") return;
  server.registerPrompt("test_input_required_result_prompt", { description: "Asks for context" }, async (ctx: ServerContext) => {
    const context = given(ctx, "user_context", "context");
    if (context !== undefined) return { messages: [user(`Prompt with context: ${context}`)] };
    return inputRequired({ inputRequests: { user_context: elicit("What context should the prompt use?", "context") } });
  });
}
