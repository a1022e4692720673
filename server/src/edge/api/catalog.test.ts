import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { rogue } from "../../../../test/attacks/rogue.ts";
import { DaemonProcess, World } from "../../../../test/daemon.ts";

test("whoever asks for the catalog while servers are still being looked at waits for them", async () => {
  await using server = await rogue({ label: "slow", tools: [{ name: "read", inputSchema: { type: "object" } }] });
  const to = new URL(server.url);
  const slow = createServer((incoming, answer) => {
    setTimeout(() => incoming.pipe(request({ host: to.hostname, port: to.port, path: incoming.url, method: incoming.method, headers: incoming.headers }, (back) => back.pipe(answer.writeHead(back.statusCode ?? 500, back.headers))).on("error", () => answer.destroy())), 300);
  });
  await new Promise<void>((resolve) => slow.listen(0, "127.0.0.1", resolve));
  try {
    using world = new World({ yaml: `teams: {}\nservers: { slow: { url: "http://127.0.0.1:${(slow.address() as AddressInfo).port}${to.pathname}" } }\n`, policies: {} });
    const daemon = await DaemonProcess.start(world);
    try {
      expect((await world.operator().call<{ tools: { tool: string; state: string }[] }>("catalog_list")).tools).toMatchObject([{ tool: "read", state: "quarantined" }]);
    } finally {
      await daemon.stop();
    }
  } finally {
    slow.closeAllConnections();
    slow.close();
  }
});
