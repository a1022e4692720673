import { Client, StreamableHTTPClientTransport, type ClientOptions } from "@modelcontextprotocol/client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { serveReference, type Eras, type ServedReference } from "../conformance/serve.ts";
import { stand, type Stand } from "./stand.ts";
import { nothingGiven } from "../../server/src/base/path.ts";

// Clients and servers written by others: the official SDK at both ends.

const eras: Eras[] = ["stateful", "stateless"];
describe.each(eras)("the SDK's client and its %s server", (era) => {
  let reference: ServedReference;
  let gateway: Stand;
  beforeAll(async () => {
    reference = await serveReference(era);
    gateway = await stand({ servers: [{ name: "reference", url: reference.url, headers: async () => nothingGiven }], deny: ({ params }) => params["name"] === "test_error_handling" });
  });
  afterAll(async () => {
    await gateway?.[Symbol.asyncDispose]();
    await reference?.[Symbol.asyncDispose]();
  });

  const modes: { title: string; options: ClientOptions }[] = [
    { title: "stateful client", options: { versionNegotiation: { mode: "legacy" } } },
    { title: "stateless client", options: { versionNegotiation: { mode: { pin: "2026-07-28" } } } },
  ];
  it.each(modes)("understand each other through the gateway: $title", async ({ options }) => {
    const client = new Client({ name: "sdk", version: "1.0.0" }, { ...options, capabilities: { elicitation: { form: {} }, sampling: {} } });
    client.setRequestHandler("elicitation/create", async () => ({ action: "accept", content: { response: "yes" } }));
    const headers = { authorization: "Bearer session-1" };
    await client.connect(new StreamableHTTPClientTransport(new URL(`${gateway.url}/mcp`), { requestInit: { headers } }));
    try {
      const { tools } = await client.listTools();
      expect(tools.map(({ name }) => name)).toContain("test_simple_text");
      const progress: number[] = [];
      await client.callTool({ name: "test_tool_with_progress", arguments: {} }, { onprogress: (update) => progress.push(update.progress) });
      expect(progress).toEqual([0, 50, 100]);
      const asked = await client.callTool({ name: "test_elicitation", arguments: { message: "Sure?" } });
      expect(asked.content).toMatchObject([{ text: expect.stringContaining('content={"response":"yes"}') as string }]);
      const denied = await client.callTool({ name: "test_error_handling", arguments: {} });
      expect(denied).toMatchObject({ isError: true, content: [{ text: expect.stringContaining("not on a Sunday") as string }] });
      expect((await client.readResource({ uri: "test://static-text" })).contents).toHaveLength(1);
      expect((await client.getPrompt({ name: "test_simple_prompt" })).messages).toHaveLength(1);
    } finally {
      await client.close();
    }
  });
});
