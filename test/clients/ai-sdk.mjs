// An agent on the AI SDK, as its manual has it: MCP tools over HTTP, a model, a loop. Run by `lanyard run`.
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const { resolve } = createRequire(join(process.env.AI_SDK_FOLDER, "package.json"));
const load = (name) => import(pathToFileURL(resolve(name)).href);
const { generateText, stepCountIs } = await load("ai");
const { createMCPClient } = await load("@ai-sdk/mcp");
const { createOpenAI } = await load("@ai-sdk/openai");

const client = await createMCPClient({
  transport: { type: "http", url: process.env.LANYARD_MCP_URL, headers: { Authorization: `Bearer ${process.env.LANYARD_TOKEN}` } },
});
const openai = createOpenAI({ baseURL: `${process.env.MODEL_URL}/v1`, apiKey: "none" });
const { text } = await generateText({ model: openai.responses("mock"), prompt: "go", tools: await client.tools(), stopWhen: stepCountIs(5) });
process.stdout.write(`${text}\n`);
await client.close();
