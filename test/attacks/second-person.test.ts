import { afterAll, beforeAll, expect, test } from "vitest";
import { loadConfig } from "../../server/src/base/config/read.ts";
import { silent } from "../../server/src/base/log.ts";
import { compose, type Daemon } from "../../server/src/compose.ts";
import { World } from "../daemon.ts";

// An owner of the organisation's policies who wants to loosen them alone. What looks harmless today must not open tomorrow. Asked of the real
// solver, through the API.

const world = new World({
  yaml: "release: reviewed\nresources: { Repo: { 'acme/x': { labels: [x] } } }\nowners: [policy]\nteams: { t: { owners: [leads] }, u: {} }\ngroups: { policy: {}, leads: { team: t }, finance: {} }\nusers: { ana: { groups: [policy] }, ben: { groups: [policy] } }\nagents: { bot: { team: t } }\nservers: { shop: { command: none } }\n",
  policies: {},
});
const base = [
  '@id("org.reading") @reason("Reading is fine.") permit (principal, action in Action::"read", resource);',
  '@id("org.no-shell") @reason("No shells.") forbid (principal, action in Action::"exec", resource);',
  '@id("org.list") @reason("May list.") permit (principal, action == Action::"shop/mcp:resources/list", resource);',
  '@id("org.by-day") @reason("Ask finance.") @remedy("approval:finance") forbid (principal, action == Action::"shop/mcp:resources/list", resource) unless { context.approvals.contains(Group::"finance") };',
];
const team = '@id("t.reading") @reason("Reading is fine.") permit (principal in Team::"t", action == Action::"shop/mcp:resources/read", resource);';
const edited = (from: string, to: string): string[] => base.map((text) => text.replace(from, to));

let daemon: Daemon;
const secrets: Record<string, string> = {};
const ask = async (user: string | null, path: string, body: object): Promise<{ status: number; body: { [key: string]: unknown } }> => {
  const headers = user === null ? {} : { authorization: `Bearer ${secrets[user]}` };
  const response = await daemon.api(new Request(`http://lanyard.local${path}`, { method: "POST", headers, body: JSON.stringify(body) }), { operator: user === null });
  return { status: response.status, body: (await response.json()) as { [key: string]: unknown } };
};
let newest = 0;
const publish = async (policies: readonly string[], files: Readonly<Record<string, string>> = {}): Promise<{ [key: string]: unknown }> => {
  const all = { "org.cedar": policies.join("\n"), ...files };
  const { body } = await ask("ana", "/v1/policy/versions", { policies: Object.entries(all).map(([file, text]) => ({ file, text })), tests: [] });
  newest += 1;
  expect(body).toMatchObject({ ok: true, version: newest });
  return body;
};

beforeAll(async () => {
  daemon = await compose({ config: loadConfig(world.config), environment: {}, log: silent });
  for (const name of ["ana", "ben"]) secrets[name] = String((await ask(null, "/v1/credentials", { kind: "user", name })).body["secret"]);
  expect(await publish(base)).toMatchObject({ waits: true });
  expect((await ask("ben", "/v1/policy/approve/1", {})).status).toBe(200);
  expect((await ask("ana", "/v1/policy/activate", { version: 1 })).body).toMatchObject({ ok: true });
}, 60_000);
afterAll(async () => {
  await daemon[Symbol.asyncDispose]();
  world[Symbol.dispose]();
});

test.each<[string, readonly string[], Readonly<Record<string, string>>?]>([
  ["a permit", [...base, '@id("x") @reason("x") permit (principal, action == Action::"shop/mcp:prompts/get", resource);']],
  ["a permit of a tool that nobody has yet", [...base, '@id("x") @reason("x") permit (principal, action == Action::"shop/transfer", resource);']],
  ["a permit of a group that no tool is in yet", [...base, '@id("x") @reason("x") permit (principal, action in Action::"money", resource);']],
  ["a permit of arguments that no tool has yet", [...base, '@id("x") @reason("x") permit (principal, action in Action::"money", resource) when { context.input has amount && context.input.amount < 10 };']],
  ["a permit of resources that no tool touches yet", [...base, '@id("x") @reason("x") permit (principal, action in Action::"money", resource is Repo) when { resource.labels.contains("x") };']],
  ["a permit of what no tool is at once yet", [...base, '@id("x") @reason("x") permit (principal, action in Action::"money", resource) when { action in Action::"egress" };']],
  ["a permit for a team", [...base, '@id("x") @reason("x") permit (principal in Team::"u", action == Action::"shop/mcp:prompts/get", resource);']],
  ["a forbid that is gone, of tools that there are none of", base.filter((text) => !text.includes("no-shell"))],
  ["a forbid that is gone under another's name", [...base.filter((text) => !text.includes("no-shell")), '@id("org.no-shell") @reason("No shells.") forbid (principal, action == Action::"shop/sh", resource);']],
  ["a forbid that moved into a team's folder that nobody owns", base.filter((text) => !text.includes("no-shell")), { "teams/u/a.cedar": '@id("u.no-shell") @reason("No shells.") forbid (principal in Team::"u", action in Action::"exec", resource);' }],
  ["a condition on a forbid", edited('"exec", resource);', '"exec", resource) when { context.session.depth > 3 };')],
  ["an approval by others", [...edited('approval:finance', 'approval:policy').map((text) => text.replace('Group::"finance"', 'Group::"policy"'))]],
  ["an approval instead of a denial", edited('@reason("No shells.") forbid (principal, action in Action::"exec", resource);', '@reason("No shells.") @remedy("approval:finance") forbid (principal, action in Action::"exec", resource) unless { context.approvals.contains(Group::"finance") };')],
])("waits for a second person: %s", async (_what, policies, files) => {
  expect(await publish(policies, files)).toMatchObject({ waits: true, why: expect.arrayContaining([expect.any(String)]) as string[] });
});

test("and until then neither its author nor another owner can let it decide", async () => {
  await publish([...base, '@id("x") @reason("x") permit (principal, action, resource);']);
  for (const [path, more] of [["activate", {}], ["canary", { share: 0.01 }]] as const) {
    for (const user of ["ana", "ben"]) expect(await ask(user, `/v1/policy/${path}`, { version: newest, ...more })).toMatchObject({ status: 403, body: { error: { code: "approval_pending" } } });
  }
  expect(await ask("ana", `/v1/policy/approve/${newest}`, {})).toMatchObject({ status: 403, body: { error: { code: "forbidden" } } });
});

test.each<[string, readonly string[], Readonly<Record<string, string>>?]>([
  ["one forbid more", [...base, '@id("x") @reason("x") forbid (principal, action in Action::"egress", resource);']],
  ["one permit less", base.filter((text) => !text.includes("org.reading"))],
  ["another comment and order", ["// as before", ...base.toReversed()]],
  ["a forbid without its condition", edited(' unless { context.approvals.contains(Group::"finance") };', ";").map((text) => text.replace('@remedy("approval:finance") ', ""))],
])("needs none: %s", async (_what, policies, files) => {
  expect(await publish(policies, files)).toMatchObject({ waits: false, why: [] });
});

test("a team's own rules are the team's", async () => {
  expect(await ask("ana", "/v1/policy/versions", { policies: [{ file: "org.cedar", text: base.join("\n") }, { file: "teams/t/a.cedar", text: team }], tests: [] })).toMatchObject({ status: 403, body: { error: { message: expect.stringContaining("`teams/t/a.cedar`") as string } } });
});
