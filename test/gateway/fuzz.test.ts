import { mkdtempSync, rmSync } from "node:fs";
import { request } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { stand, type Stand } from "./stand.ts";
import { serveToy, type ServedToy } from "./toy.ts";
import { nothingGiven } from "../../server/src/base/path.ts";

// Whatever bytes arrive at a face, the answer is a clear error or none, and the next honest caller is served. FUZZ_SEED=n repeats a run.

const seed = Number(process.env["FUZZ_SEED"]) || Date.now() % 2 ** 31;
const rounds = Number(process.env["FUZZ_ROUNDS"]) || 300;

/** A small generator with a seed (mulberry32). */
function generator(from: number): (below: number) => number {
  let state = from;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

const version = "io.modelcontextprotocol/protocolVersion";
const capabilities = "io.modelcontextprotocol/clientCapabilities";
const modern = { [version]: "2026-07-28", [capabilities]: {} };
const message = (method: string, params: object) => JSON.stringify({ jsonrpc: "2.0", id: 1, method, params });
const honest = [
  message("initialize", { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "f", version: "1" } }),
  message("tools/call", { name: "echo", arguments: { text: "hi" }, _meta: modern }),
  message("tools/list", { _meta: modern }),
  message("server/discover", { _meta: modern }),
  message("subscriptions/listen", { notifications: { resourceSubscriptions: "no list" }, _meta: modern }),
  message("resources/read", { uri: "toy://a", _meta: modern }),
  message("completion/complete", { ref: { type: "ref/prompt", name: "greet" }, argument: {}, _meta: modern }),
  message("tools/call", { name: "echo", requestState: "lanyard.x", inputResponses: {}, _meta: modern }),
  '{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}',
  '{"jsonrpc":"2.0","id":"lanyard_1","result":{}}',
];
const hostile = [
  '"__proto__":{"a":1},', '"constructor":{"prototype":{"a":1}},', "[".repeat(200), '{"a":'.repeat(200), "\\ud800", "\0", "\u{feff}", "1e999", "-0", "9007199254740993",
  '"id":null,', '"id":{},', '"jsonrpc":"1.0",', '"method":"rpc.discover",', '"params":[],', '"params":"x",', '"_meta":null,', '"name":{},', '"arguments":[],', "\n", "\r\n", "}{", "null", '"uri":7,', "NaN",
];

function mutate(text: string, next: (below: number) => number): Buffer {
  const bytes = [...Buffer.from(text)];
  for (let turns = 1 + next(4); turns > 0; turns--) {
    const at = next(bytes.length + 1);
    const choice = next(6);
    if (choice === 0) bytes.splice(at, 1 + next(8));
    else if (choice === 1) bytes.splice(at, 0, next(256));
    else if (choice === 2) bytes.splice(at, 1, next(256));
    else if (choice === 3) bytes.splice(at, 0, ...bytes.slice(next(bytes.length + 1)).slice(0, 1 + next(40)));
    else {
      const quotes = bytes.flatMap((byte, index) => (byte === 0x22 || byte === 0x7b ? [index + (byte === 0x7b ? 1 : 0)] : []));
      bytes.splice(choice === 4 ? (quotes[next(quotes.length || 1)] ?? at) : at, 0, ...Buffer.from(hostile[next(hostile.length)] ?? ""));
    }
  }
  return Buffer.from(bytes);
}

let folder: string;
let toy: ServedToy;
let gateway: Stand;
const logged: string[] = [];
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "lanyard-fuzz-"));
  toy = await serveToy("stateful");
  const note = (event: string, fields?: object) => void logged.push(`${event} ${String((fields as { error?: Error } | undefined)?.error?.stack)}`);
  gateway = await stand({ servers: [{ name: "toy", url: toy.url, headers: async () => nothingGiven }], folder, log: { debug: () => {}, info: () => {}, warn: () => {}, error: note } });
});
afterAll(async () => {
  await gateway?.[Symbol.asyncDispose]();
  await toy?.[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

const post = (body: Buffer, headers: Record<string, string>): Promise<{ status: number; text: string }> =>
  new Promise((resolve, reject) => {
    const outgoing = request(`${gateway.url}/mcp`, { method: "POST", headers: { "content-type": "application/json", authorization: "Bearer session-1", ...headers } }, (response) => {
      let text = "";
      response.on("data", (chunk: Buffer) => (text += chunk.toString())).on("end", () => resolve({ status: response.statusCode ?? 0, text }));
    });
    outgoing.on("error", reject).end(body);
  });

const healthy = async () => {
  const { text } = await post(Buffer.from(honest[1] ?? ""), { "mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call", "mcp-name": "echo" });
  expect(text, `seed ${seed}`).toContain('"text":"hi"');
};

describe(`bytes of all kinds (seed ${seed})`, () => {
  it("at the HTTP face end in an answer that is no failure of ours", async () => {
    const next = generator(seed);
    for (let round = 0; round < rounds; round++) {
      const chosen = honest[next(honest.length)] ?? "";
      const body = mutate(chosen, next);
      const { method = "", params } = JSON.parse(chosen) as { method?: string; params?: { name?: string; uri?: string } };
      const name = params?.name ?? params?.uri;
      const headers = next(4) === 0 ? {} : { "mcp-protocol-version": "2026-07-28", "mcp-method": method, ...(name && { "mcp-name": name }), accept: "application/json" };
      const { status, text } = await post(body, headers);
      const about = `seed ${seed}, round ${round}: ${body.toString("latin1")}`;
      expect(status, about).toBeLessThan(500);
      if (text !== "") expect(JSON.parse(text), about).toMatchObject({ jsonrpc: "2.0" });
    }
    await healthy();
    expect(logged, `seed ${seed}`).toEqual([]);
  });

  it("at the stdio face do not keep an honest request from being answered", async () => {
    const next = generator(seed + 1);
    const socket = connect(gateway.socket);
    let heard = "";
    socket.on("data", (chunk: Buffer) => (heard += chunk.toString()));
    socket.write('{"token":"session-1","path":"/mcp"}\n');
    for (let round = 0; round < rounds; round++) {
      const bytes = mutate(honest[next(honest.length)] ?? "", next);
      socket.write(Buffer.concat([bytes.subarray(0, bytes.includes(10) ? bytes.indexOf(10) : bytes.length), Buffer.from("\n")]));
    }
    socket.write(`${JSON.stringify({ jsonrpc: "2.0", id: "last", method: "tools/call", params: { name: "echo", arguments: { text: "still here" }, _meta: modern } })}\n`);
    await expect.poll(() => heard, { message: `seed ${seed}` }).toContain("still here");
    for (const line of heard.trim().split("\n")) expect(JSON.parse(line), `seed ${seed}`).toMatchObject({ jsonrpc: "2.0" });
    socket.destroy();
    await healthy();
    expect(logged, `seed ${seed}`).toEqual([]);
  });
});

describe("bodies too large", () => {
  /** Sends until the server has had enough; resolves with its status and how much of `total` it took. */
  const flood = (total: number, headers: Record<string, string>): Promise<{ status: number; sent: number; text: string }> =>
    new Promise((resolve) => {
      const chunk = Buffer.alloc(64 * 1024, 0x20);
      let sent = 0;
      let seen: { status: number; text: string } | null = null;
      const outgoing = request(`${gateway.url}/mcp`, { method: "POST", headers: { "content-type": "application/json", authorization: "Bearer session-1", ...headers } }, (response) => {
        let text = "";
        response.on("data", (part: Buffer) => (text += part.toString())).on("end", () => (seen = { status: response.statusCode ?? 0, text }));
      });
      outgoing.on("error", () => {}).on("close", () => resolve({ sent, ...(seen ?? { status: 0, text: "" }) }));
      const pump = () => {
        while (sent < total && !outgoing.destroyed) {
          sent += chunk.length;
          if (!outgoing.write(chunk)) return void outgoing.once("drain", pump);
        }
        if (!outgoing.destroyed) outgoing.end();
      };
      pump();
    });

  it.each([["with their length", { "content-length": String(100 * 1024 * 1024) }], ["in chunks", {}]])("are cut off early: 100 MB %s", async (_how, headers) => {
    const before = process.memoryUsage.rss();
    const { status, text } = await flood(100 * 1024 * 1024, headers);
    expect(status).toBe(413);
    expect(JSON.parse(text)).toMatchObject({ error: { code: -32001, message: expect.stringContaining("body_bytes (4194304 bytes)") as string } });
    expect(process.memoryUsage.rss() - before).toBeLessThan(64 * 1024 * 1024);
    await healthy();
  });

  it("are those one byte over the limit, not those at it", async () => {
    const padded = (size: number) => Buffer.from(`{"jsonrpc":"2.0","id":1,"method":"ping"}`.padEnd(size, " "));
    const limit = 4 * 1024 * 1024;
    expect((await post(padded(limit), {})).status).toBe(400); // read, and told to initialize
    expect((await post(padded(limit + 1), {})).status).toBe(413);
  });
});
