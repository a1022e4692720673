import { expect, test } from "vitest";
import { approveCatalog, callTool, DaemonProcess, until, World } from "../daemon.ts";
import { HttpReceiver, MailReceiver } from "../kits/receivers.ts";
import { rogue } from "./rogue.ts";

// The daemon is killed while a call waits for people and the message about it cannot be delivered. Nothing may be lost, and nothing granted.

const yaml = (hook: string, mail: number, server: string) => `
teams: { t: {} }
groups: { leads: {} }
users: { ben: {}, lea: { groups: [leads], email: lea@example.com } }
agents: { bot: { team: t } }
servers: { a: { url: "${server}" } }
channels:
  ops: { kind: webhook, url: "${hook}", secret: "\${env:HOOK_KEY}" }
  mail: { kind: smtp, host: 127.0.0.1, port: ${mail}, security: none, from: lanyard@example.com }
approvals: { notify: [ops, mail] }
`;

test("killed while a message waits: it arrives after the restart, with the same id; the link that was mailed before still leads to its request", async () => {
  await using server = await rogue({ label: "a", tools: [{ name: "pay", inputSchema: { type: "object" } }] });
  await using hook = await HttpReceiver.start();
  await using mail = await MailReceiver.start("none");
  using world = new World({
    yaml: yaml(hook.url, mail.port, server.url),
    policies: { "p.cedar": `@id("pay") permit (principal, action == Action::"a/pay", resource);\n@id("ask") @reason("Money needs a lead.") @remedy("approval:leads") forbid (principal, action == Action::"a/pay", resource) unless { context.approvals.contains(Group::"leads") };` },
  });
  const environment = { HOOK_KEY: "a key of the receiver" };
  hook.usual = { status: 503 };
  await using first = await DaemonProcess.start(world, environment);
  await approveCatalog(world.operator(), "a");
  const { token } = await world.operator().call<{ token: string }>("session_open", { body: { agent: "bot", on_behalf_of: "ben", purpose: "pay" } });
  const { secret } = await world.operator().call<{ secret: string }>("credential_issue", { body: { kind: "user", name: "lea" } });
  void callTool(first.url, token, "pay", {}).catch(() => {});
  await until(() => hook.received.length > 1 && mail.received.length === 1, "the message was tried and the mail is there");
  await first.kill();

  hook.usual = { status: 200 };
  const before = hook.received.length;
  await using second = await DaemonProcess.start(world, environment);
  await until(() => hook.received.length > before, "the message arrives");
  expect(new Set(hook.received.map(({ headers }) => headers["webhook-id"])).size).toBe(1);
  const path = /\/approve\/[\w-]+/.exec((mail.received[0]?.raw ?? "").replace(/=\r\n/g, "").replace(/=3D/g, "="))?.[0] ?? "";
  const page = await fetch(`${second.url}${path}`);
  expect([page.status, page.headers.get("content-security-policy")]).toEqual([200, expect.stringContaining("default-src 'none'")]);
  const key = /name="form" value="([\w-]+)"/.exec(await page.text())?.[1] ?? "";
  const signIn = await fetch(`${second.url}${path}/sign-in`, { method: "POST", redirect: "manual", headers: { origin: second.url }, body: new URLSearchParams({ form: key, credential: secret }) });
  expect(signIn.status).toBe(303);
  expect(server.calls()).toEqual([]);
  expect(new Set(mail.received.map(({ raw }) => /^Message-ID: .*$/im.exec(raw)?.[0])).size).toBe(1);
  expect(second.log).not.toContain("a key of the receiver");
});
