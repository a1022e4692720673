import { DatabaseSync } from "node:sqlite";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { Fault, type JsonObject } from "@lanyard/contract";
import { DaemonProcess, until, World } from "../daemon.ts";
import { HttpReceiver } from "../kits/receivers.ts";

// The real daemon, killed and started again, over a ledger that somebody changed, with a real receiver.

interface Told {
  readonly type: string;
  readonly data: { readonly id: string; readonly title: string; readonly lines: readonly string[]; readonly commands: readonly string[] };
}

const worldOf = (url: string): World =>
  new World({
    yaml: `
teams: { t: {} }
groups: { sre: {} }
users: { ana: { groups: [sre] }, ben: {} }
agents: { bot: { team: t } }
stop: { may_stop: [sre], may_resume: [sre] }
channels: { pager: { kind: webhook, url: "${url}", secret: "\${env:HOOK}" } }
alerts:
  contacts: { ana: [pager] }
  routes: { page: { levels: [{ users: [ana] }] } }
  conditions: { quarantine: { route: page }, verify_failed: { route: page }, budget: { route: page } }
`,
    policies: { "p.cedar": `@id("all") permit (principal, action, resource);` },
  });
const environment = { HOOK: "whsec_YSBzaWduaW5nIGtleSBvZiBzb21lIGxlbmd0aA==" };
const told = (pager: HttpReceiver): Told[] => pager.received.map((_, index) => pager.json(index) as unknown as Told);
const titles = (pager: HttpReceiver): string[] => told(pager).map(({ type, data }) => `${type.replace("lanyard.", "")}: ${data.title}`);

test("a quarantine pages; kill -9 and a new start page nobody twice; who can be paged acknowledges, nobody else; resume ends it", async () => {
  await using pager = await HttpReceiver.start();
  using world = worldOf(pager.url);
  const operator = world.operator();
  const first = await DaemonProcess.start(world, environment);
  const credential = async (name: string): Promise<string> => String((await operator.call("credential_issue", { body: { kind: "user", name } }))["secret"] ?? "");
  const [ana, ben] = [await credential("ana"), await credential("ben")];
  await operator.call("session_open", { body: { agent: "bot", on_behalf_of: "ben", purpose: "p", max_calls: 0 } });
  await operator.call("stop_order", { body: { kind: "quarantine", subject: "agent", name: "bot", why: "odd\u202e things" } });
  await until(() => pager.received.length === 1, "the page came");
  expect(told(pager)[0]?.data.lines[0]).toBe("Why: odd\\u{202E} things");
  expect(told(pager)[0]?.data.commands).toContain("lanyard resume agent bot");
  const delivered = async (): Promise<boolean> => {
    for await (const _ of operator.lines("log", { query: { type: "notice.deliver" } })) return true;
    return false;
  };
  await until(delivered, "its delivery is on record"); // one that a crash meets before that is sent again, under the same id
  await first.kill();

  await using second = await DaemonProcess.start(world, environment);
  expect(second.url).toMatch(/^http/);
  const list = async (): Promise<JsonObject[]> => (await operator.call<{ alerts: JsonObject[] }>("alert_list")).alerts;
  expect(await list()).toMatchObject([{ condition: "quarantine", subject: "agent bot", state: "open", times: 1 }]);
  const id = String((await list())[0]?.["id"]);
  await expect(world.operator(ben).call("alert_acknowledge", { at: { id } })).rejects.toMatchObject({ code: "forbidden" });
  await expect(operator.call("alert_acknowledge", { at: { id } })).rejects.toMatchObject({ code: "forbidden" });
  expect(await world.operator(ana).call("alert_acknowledge", { at: { id } })).toMatchObject({ acknowledged_by: "user:ana" });
  await world.operator(ana).call("stop_lift", { body: { subject: "agent", name: "bot" } });
  await until(() => pager.received.length >= 3, "the end was told");
  expect(titles(pager)).toEqual(["alert: agent bot was quarantined by operator", "acknowledged: user:ana has it: agent bot was quarantined by operator", "resolved: Resolved: agent bot was quarantined by operator"]);
  expect(await list()).toEqual([]);
});

test("a ledger that somebody changed while no daemon ran is paged at the start, with what was found", async () => {
  await using pager = await HttpReceiver.start();
  using world = worldOf(pager.url);
  {
    await using daemon = await DaemonProcess.start(world, environment);
    await world.operator().call("session_open", { body: { agent: "bot", on_behalf_of: "ben", purpose: "p" } });
    expect(await daemon.stop()).toBe(0);
  }
  const file = readdirSync(world.data).find((name) => name.endsWith(".db") || name.endsWith(".sqlite"));
  if (file === undefined) throw new Fault("not_found", `no database in ${readdirSync(world.data).join(" ")}`);
  const database = new DatabaseSync(join(world.data, file));
  database.exec("CREATE TABLE not_ours (x)");
  database.close();
  await using daemon = await DaemonProcess.start(world, environment);
  await until(() => pager.received.length === 1, `the page came; ${daemon.log}`);
  expect(told(pager)[0]?.data).toMatchObject({ title: "The ledger is not as it was written", commands: ["lanyard audit verify", "lanyard audit checkpoint", expect.stringMatching(/^lanyard alerts ack al_/)] });
  expect(told(pager)[0]?.data.lines[0]).toMatch(/table, index or trigger/);
});
