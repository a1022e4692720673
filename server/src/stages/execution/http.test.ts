import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, it } from "vitest";
import { Pool } from "undici";
import { systemClock } from "../../base/clock.ts";
import { defaultLimits } from "../../base/limits.ts";
import type { RpcMessage } from "../../base/rpc.ts";
import { HttpLink } from "./http.ts";
import { nothingGiven } from "../../base/path.ts";

it.each(["0", "1", "250"])("comes back for an answer no sooner than after 100 ms, whatever the server asks for (retry: %s)", async (retry) => {
  let visits = 0;
  const server = createServer((_request, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    if (++visits < 5) response.end(`id: ${visits}\nretry: ${retry}\n\n`);
    else response.end('data: {"jsonrpc":"2.0","id":1,"result":{}}\n\n');
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const pool = new Pool(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const delays: number[] = [];
  const clock = { ...systemClock, after: (ms: number, task: () => void) => (delays.push(ms), systemClock.after(0, task)) };
  const heard: RpcMessage[] = [];
  const events = { message: (message: RpcMessage) => void heard.push(message), garbled: () => {}, released: () => {}, closed: () => {} };
  await using link = new HttpLink({ clock, limits: defaultLimits }, { name: "s", path: "/", pool, headers: async () => nothingGiven, headerMap: new Map() }, events);
  await link.send({ jsonrpc: "2.0", id: 1, method: "ping" });
  expect(heard).toEqual([{ jsonrpc: "2.0", id: 1, result: {} }]);
  expect(delays).toEqual(Array.from({ length: 4 }, () => Math.max(100, Number(retry))));
  await pool.destroy();
  await new Promise((resolve) => server.close(resolve));
});
