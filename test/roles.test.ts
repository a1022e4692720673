import { afterAll, beforeAll, expect, test } from "vitest";
import { routes, type Role, type RouteName } from "@lanyard/contract";
import { requests } from "@lanyard/contract/requests";
import { loadConfig } from "../server/src/base/config/read.ts";
import { silent } from "../server/src/base/log.ts";
import { composeOffline, type Offline } from "../server/src/compose.ts";
import { World } from "./daemon.ts";

// Who may do what, as a text that diffs: every route of the table is asked as every role, and what the API really answers is drawn.

const world = new World({ yaml: "teams: { t: {} }\nusers: { ben: {} }\nagents: { bot: { team: t } }\n", policies: {} });
let offline: Offline;
const tokens: Partial<Record<Role, string>> = {};

const ask = (method: string, path: string, as: Role, body?: object): Promise<Response> => {
  const token = tokens[as];
  const init = { method, headers: { ...(token && { authorization: `Bearer ${token}` }) }, ...(body && { body: JSON.stringify(body) }) };
  return offline.api(new Request(`http://lanyard.local${path}`, init), { operator: as === "operator" });
};

beforeAll(async () => {
  offline = await composeOffline({ config: loadConfig(world.config), environment: {}, log: silent });
  const made = async (path: string, body: object): Promise<Record<string, string>> => (await ask("POST", path, "operator", body)).json() as Promise<Record<string, string>>;
  tokens.agent = (await made("/v1/credentials", { kind: "agent", name: "bot" }))["secret"] ?? "";
  tokens.user = (await made("/v1/credentials", { kind: "user", name: "ben" }))["secret"] ?? "";
  tokens.session = (await made("/v1/sessions", { agent: "bot", on_behalf_of: "ben", purpose: "matrix" }))["token"] ?? "";
});
afterAll(async () => {
  await offline[Symbol.asyncDispose]();
  world[Symbol.dispose]();
});

const roles: readonly Role[] = ["anyone", "operator", "agent", "session", "user"];

async function mayPass(name: RouteName, role: Role): Promise<boolean> {
  const route = routes[name];
  const response = await ask(route.method, route.path.replace(/:\w+/g, "0"), role, requests[name]?.body ? { not: "valid" } : undefined);
  const isStream = response.headers.get("content-type") === "text/event-stream"; // has no end
  const text = isStream ? "" : await response.text();
  if (isStream) await response.body?.cancel();
  expect(text, `${route.method} ${route.path} as ${role}`).not.toMatch(/internal/);
  return !((response.status === 401 || response.status === 403) && text.includes(" is for "));
}

test("the role matrix is the one on file", async () => {
  const lines = [`${"route".padEnd(36)}${roles.map((role) => role.padEnd(10)).join("")}`.trimEnd()];
  for (const name of Object.keys(routes) as RouteName[]) {
    const { method, path } = routes[name];
    const cells = await Promise.all(roles.map((role) => mayPass(name, role)));
    lines.push(`${`${method} ${path}`.padEnd(36)}${cells.map((yes) => (yes ? "yes" : "-").padEnd(10)).join("")}`.trimEnd());
  }
  await expect(`${lines.join("\n")}\n`).toMatchFileSnapshot("golden/roles.txt");
});
