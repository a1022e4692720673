import { expect, test } from "vitest";
import { DaemonProcess, World } from "../daemon.ts";

const yaml = "teams: { eng: {} }\nusers: { ana: {} }\nagents: { coder: { team: eng } }\n";
const open = { on_behalf_of: "ana", purpose: "test" };

interface Row {
  readonly session: string;
  readonly isolation: string;
}

test("nobody but the operator says what a session runs in, and a child has its parent's", async () => {
  using world = new World({ yaml, policies: {} });
  const operator = world.operator();
  await using daemon = await DaemonProcess.start(world);
  const { secret } = await operator.call<{ secret: string }>("credential_issue", { body: { kind: "agent", name: "coder" } });
  const agent = world.operator(secret);
  await expect(agent.call("session_open", { body: { ...open, isolation: "namespace" } })).rejects.toMatchObject({ code: "forbidden" });
  const own = await agent.call<{ session: string; token: string }>("session_open", { body: open });
  await expect(world.operator(own.token).call("session_open", { body: { isolation: "hardware-vm" } })).rejects.toMatchObject({ code: "forbidden" });
  const caged = await operator.call<{ session: string; token: string }>("session_open", { body: { ...open, agent: "coder", isolation: "namespace" } });
  const child = await world.operator(caged.token).call<{ session: string }>("session_open", { body: {} });
  const tiers = async () => Object.fromEntries((await operator.call<{ sessions: Row[] }>("session_list")).sessions.map(({ session, isolation }) => [session, isolation]));
  const expected = { [own.session]: "none", [caged.session]: "namespace", [child.session]: "namespace" };
  expect(await tiers()).toEqual(expected);
  await daemon.kill();
  await using _again = await DaemonProcess.start(world);
  expect(await tiers()).toEqual(expected);
});
