import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, expect, test } from "vitest";
import { stillClock } from "../../../../../test/kits/clock.ts";
import type { CredentialSource } from "../../../base/config/credentials.ts";
import { Secret } from "../secret.ts";
import { fromExchange } from "./exchange.ts";
import { fromVault } from "./vault.ts";

// There is no Vault and no OpenBao here: a stand-in answers as their HTTP API is documented (kv versions 1 and 2, a dynamic secret, AppRole).

interface Asked {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}
type Respond = (asked: Asked) => { status?: number; json?: unknown; headers?: Record<string, string> };

const open: AsyncDisposable[] = [];
afterAll(async () => {
  for (const one of open) await one[Symbol.asyncDispose]();
});

async function serve(respond: Respond): Promise<{ url: string; asked: Asked[] }> {
  const asked: Asked[] = [];
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += String(chunk);
    const one = { method: request.method ?? "", url: request.url ?? "", headers: request.headers, body };
    asked.push(one);
    const { status = 200, json, headers = {} } = respond(one);
    response.writeHead(status, { "content-type": "application/json", ...headers }).end(json === undefined ? "" : JSON.stringify(json));
  });
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  open.push({ [Symbol.asyncDispose]: () => new Promise((resolve) => void server.close(() => resolve())) });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

const clock = stillClock();
const now = clock.nowMs();
const tools = { clock, environment: {}, other: async (name: string) => Secret.of(name, `value-of-${name}`) };
const fault = async (promise: Promise<unknown>) => promise.then(() => "no fault", (error: unknown) => (error as Error).message);

const standIn: Respond = ({ url, headers, method, body }) => {
  if (url === "/v1/auth/machines/login") return { json: { auth: { client_token: JSON.parse(body).secret_id === "value-of-sid" && JSON.parse(body).role_id === "role" ? "root-token" : "no" } } };
  if (headers["x-vault-token"] !== "value-of-token" && headers["x-vault-token"] !== "root-token") return { status: 403, json: { errors: ["permission denied for value-of-token"] } };
  if (method !== "GET") return { status: 405 };
  if (url === "/v1/kv/github") return { json: { lease_duration: 3600, data: { token: "kv-one-value", data: "x" } } };
  if (url === "/v1/secret/data/github") return { json: { lease_duration: 0, data: { data: { token: "kv-two-value" }, metadata: { version: 3 } } } };
  if (url === "/v1/moved") return { status: 307, headers: { location: "http://127.0.0.1:1/v1/stolen" } };
  return { status: 404, json: { errors: [] } };
};
const vault = (address: string, over: Partial<Extract<CredentialSource, { kind: "vault" }>> = {}) => ({ kind: "vault" as const, address, path: "kv/github", field: "token", namespace: null, auth: { token: "token" }, ...over });

test("Vault, OpenBao: both versions of kv, kept for their lease or half a minute; the namespace is lanyard.yaml's", async () => {
  const { url, asked } = await serve(standIn);
  expect(await fromVault(vault(url), "c", tools)).toEqual({ text: "kv-one-value", keepUntilMs: now + 3600 * 800 });
  expect(await fromVault(vault(url, { path: "secret/data/github", namespace: "team" }), "c", tools)).toEqual({ text: "kv-two-value", keepUntilMs: now + 30_000 });
  expect(asked.map(({ headers }) => headers["x-vault-namespace"])).toEqual([undefined, "team"]);
});

test("Vault: with an AppRole", async () => {
  const { url } = await serve(standIn);
  expect(await fromVault(vault(url, { auth: { roleId: "role", secretId: "sid", mount: "machines" } }), "c", tools)).toMatchObject({ text: "kv-one-value" });
});

test("Vault: what goes wrong is told without a word of what was sent or answered; no redirect is followed", async () => {
  const { url } = await serve(standIn);
  const messages = [
    await fault(fromVault(vault(url, { path: "nowhere" }), "c", tools)),
    await fault(fromVault(vault(url, { field: "other" }), "c", tools)),
    await fault(fromVault(vault(url, { path: "moved" }), "c", tools)),
    await fault(fromVault(vault(url), "c", { ...tools, other: async (name) => Secret.of(name, "wrong-token-here") })),
    await fault(fromVault(vault("http://127.0.0.1:1"), "c", tools)),
  ];
  expect(messages.map((text) => text.replaceAll(url, "URL"))).toEqual([
    "the credential `c` could not be read from `nowhere` at `URL`: it answered HTTP 404",
    "the credential `c` could not be read from `kv/github` at `URL`: there is no text in the field `other`",
    "the credential `c` could not be read from `moved` at `URL`: it answered HTTP 307",
    "the credential `c` could not be read from `kv/github` at `URL`: it answered HTTP 403",
    "`http://127.0.0.1:1` could not be asked (ECONNREFUSED)",
  ]);
});

const exchange = (tokenEndpoint: string, over: Partial<Extract<CredentialSource, { kind: "exchange" }>> = {}) => ({
  kind: "exchange" as const, tokenEndpoint, subject: "broad", subjectType: "urn:ietf:params:oauth:token-type:access_token", audience: null, resource: null, scope: null, client: null, ...over,
});

test("RFC 8693: the subject's token for a narrower one, kept for four fifths of its life", async () => {
  const { url, asked } = await serve(() => ({ json: { access_token: "narrow-token", issued_token_type: "urn:ietf:params:oauth:token-type:access_token", token_type: "Bearer", expires_in: 300 } }));
  const got = await fromExchange(exchange(`${url}/token`, { audience: "api", resource: "https://api.example/", scope: "read write", client: { id: "lanyard :", secret: "client" } }), "c", tools);
  expect(got).toEqual({ text: "narrow-token", keepUntilMs: now + 300 * 800 });
  expect(asked[0]?.headers.authorization).toBe(`Basic ${Buffer.from("lanyard+%3A:value-of-client").toString("base64")}`);
  expect(Object.fromEntries(new URLSearchParams(asked[0]?.body))).toEqual({
    grant_type: "urn:ietf:params:oauth:grant-type:token-exchange",
    subject_token: "value-of-broad",
    subject_token_type: "urn:ietf:params:oauth:token-type:access_token",
    audience: "api", resource: "https://api.example/", scope: "read write",
  });
});

test.each([
  ["an error of the standard", { status: 400, json: { error: "invalid_target", error_description: "value-of-broad" } }, "HTTP 400 (invalid_target)"],
  ["another error", { status: 401, json: { error: "value-of-broad" } }, "HTTP 401"],
  ["no token", { json: { token_type: "Bearer" } }, "without `access_token`"],
  ["a token that must be proved", { json: { access_token: "narrow-token", token_type: "DPoP" } }, "not simply presented"],
  ["no JSON", { json: undefined }, "without JSON"],
])("RFC 8693: %s", async (_what, response, why) => {
  const { url } = await serve(() => response);
  const said = await fault(fromExchange(exchange(url), "c", tools));
  expect(said).toContain(why);
  expect(said).not.toContain("value-of-broad");
});
