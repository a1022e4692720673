import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { someInput, someTool } from "../kits/decision.ts";
import { UpdateStand } from "../kits/updates.ts";

it("no call is dropped or decided by a mixture while 20 editions a second come into force", async () => {
  const folder = mkdtempSync(join(tmpdir(), "lanyard-updates-"));
  try {
    const policies = [{ file: "a.cedar", text: Array.from({ length: 100 }, (_, at) => `@id("p${at}") permit (principal, action == Action::"files/read", resource) when { context.input has size && context.input.size < ${at} };`).join("\n") }];
    const calls = Array.from({ length: 200 }, (_, at) => ({ ...someInput("s", { args: { size: at } }), definition: someTool("read").definition }));
    const ground = { servers: ["files"], tools: [someTool("read")], registry: { agents: {}, users: {}, teams: {}, groups: {}, owners: [], resources: {} } };
    await using stand = await UpdateStand.open({ folder, ground, policies, calls });
    const { calls: made, dropped, updates, overtaken } = await stand.run({ callers: 16, ms: 3000, perSecond: 20 });
    const { decisions, bundles, mixed } = await stand.verify();
    expect({ dropped, mixed, unmade: made - decisions }).toEqual({ dropped: 0, mixed: 0, unmade: 0 });
    expect(updates + overtaken).toBeGreaterThan(30);
    expect(bundles).toBeGreaterThan(10);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
