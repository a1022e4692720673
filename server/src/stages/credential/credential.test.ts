import { chmodSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Action, Principal } from "@lanyard/contract";
import { newSigner } from "@lanyard/ledger";
import { afterAll, describe, expect, test } from "vitest";
import { stillClock } from "../../../../test/kits/clock.ts";
import { parseConfig } from "../../base/config/read.ts";
import { limits } from "../../base/limits.ts";
import { logger } from "../../base/log.ts";
import type { Outgoing } from "../../base/path.ts";
import { MemoryMedium, openMemory } from "../../base/store/memory.ts";
import { CredentialStage } from "./credential.ts";

const folder = mkdtempSync(join(tmpdir(), "lanyard-credentials-"));
afterAll(() => rmSync(folder, { recursive: true }));
const value = "s3cr3t+value/of=github";
const secretFile = (name: string, text: string, mode = 0o600): string => {
  const path = join(folder, name);
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
};
const file = secretFile("github", `${value}\n`);

const principal: Principal = { session: "ses_1", agent: "coder", user: "ana", purpose: "p", chain: [], tools: null, labels: [], isolation: "none", expiresAtMs: 9e15 };
const other: Principal = { ...principal, session: "ses_2" };
const intent = { seq: 0, id: "d_0" };
const action = (over: Partial<Action> = {}): Action => ({ protocol: "mcp", server: "files", method: "tools/call", tool: "write", name: "files/write", args: {}, params: {}, digest: "", ...over });
const request = (over: Partial<Outgoing> = {}): Outgoing => ({ tool: "GET", scheme: "https", host: "api.github.com", port: 443, path: "/user", query: "", headers: [], body: Buffer.alloc(0), ...over });

const github = (more = "") => `
  github:
    from: { file: ${file} }
    serves: { hosts: [api.github.com] ${more} }
    inject: { header: { name: Authorization, prefix: "token " } }
    as: GITHUB_TOKEN
    shape: ghp_`;

async function world(credentials: string, { environment = {}, servers = "servers: {}" }: { environment?: Record<string, string>; servers?: string } = {}) {
  const clock = stillClock();
  const disk = { medium: new MemoryMedium(), signer: newSigner("lanyard.local/test"), tenant: clock.random(32) };
  const lines: string[] = [];
  const log = logger({ clock, write: (line) => lines.push(line) });
  const config = parseConfig(new TextEncoder().encode(`version: 1\nteams: { eng: {} }\nagents: { coder: { team: eng }, other: { team: eng } }\n${servers}\ncredentials:${credentials}\n`), join(folder, "lanyard.yaml"));
  const start = async () => {
    const store = await openMemory({ clock, ...disk });
    return { store, stage: new CredentialStage({ store, clock, log, config: () => config, environment }) };
  };
  return { clock, lines, start, ...(await start()) };
}
const headerOf = (sent: Outgoing, name: string) => sent.headers.find(([one]) => one === name)?.[1];
const fault = async (promise: Promise<unknown>) => {
  try {
    await promise;
    return "no fault";
  } catch (error) {
    return (error as Error).message;
  }
};

describe("placeholders", () => {
  test("one for each credential the agent may use, of its shape, the same after a restart, another in another session", async () => {
    const w = await world(github(", agents: [coder]"));
    const { GITHUB_TOKEN: mine = "" } = w.stage.placeholders(principal);
    expect(mine).toMatch(/^ghp_lanyard-[a-z2-7]{26}$/);
    expect(w.stage.placeholders({ ...principal, agent: "other" })).toEqual({});
    expect(w.stage.placeholders(other)["GITHUB_TOKEN"]).not.toBe(mine);
    expect((await w.start()).stage.placeholders(principal)["GITHUB_TOKEN"]).toBe(mine);
  });

  test("in its place at its host it becomes the value, for that request alone; what comes back has the placeholder in every form of the value", async () => {
    const w = await world(github());
    const { GITHUB_TOKEN: placeholder = "" } = w.stage.placeholders(principal);
    const asked = request({ headers: [["authorization", `token ${placeholder}`], ["accept-encoding", "gzip"]] });
    expect(w.stage.wanted(principal, asked)).toEqual(["github"]);
    expect(w.stage.vet(action(), principal, asked)).toBeNull();
    const lease = await w.stage.lease(action(), principal, intent, asked);
    const sent = lease.dress(asked);
    expect(headerOf(sent, "authorization")).toBe(`token ${value}`);
    expect(headerOf(sent, "accept-encoding")).toBe("identity");
    expect(headerOf(asked, "authorization")).toBe(`token ${placeholder}`);
    for (const form of [value, encodeURIComponent(value), encodeURIComponent(value).toLowerCase(), Buffer.from(value).toString("hex"), JSON.stringify({ a: value }).slice(6, -2)]) expect(lease.scrubText(`<${form}>`)).toBe(`<${placeholder}>`);
    for (const before of ["", "x", "xx", "user:"]) expect(lease.scrubText(Buffer.from(`${before}${value}`).toString("base64"))).toContain(placeholder);
    lease[Symbol.dispose]();
    expect(() => lease.dress(asked)).toThrow("has ended");
    expect(lease.scrubText(value)).toBe(placeholder);
    expect(w.store.entries({ types: ["credential.lend"] })).toMatchObject([{ names: ["github"], agent: "coder", session: "ses_1" }]);
  });

  test("a request without one is lent nothing", async () => {
    const w = await world(github());
    const lease = await w.stage.lease(action(), principal, intent, request());
    expect(lease.credentials).toEqual([]);
    expect(w.store.entries({ types: ["credential.lend"] })).toEqual([]);
  });

  test("a lease does not dress another request than the one it was made for", async () => {
    const w = await world(github());
    const { GITHUB_TOKEN: placeholder = "" } = w.stage.placeholders(principal);
    const lease = await w.stage.lease(action(), principal, intent, request({ headers: [["authorization", `token ${placeholder}`]] }));
    expect(() => lease.dress(request({ host: "evil.example", headers: [["authorization", `token ${placeholder}`]] }))).toThrow("not the one that was decided on");
  });

  test.each([
    ["query", "{ query: key }", (p: string) => request({ query: `a=1&key=${p}&b` }), (s: Outgoing) => s.query, `a=1&key=${encodeURIComponent(value)}&b`],
    ["basic", "{ basic: { user: bot } }", (p: string) => request({ headers: [["authorization", `Basic ${Buffer.from(`bot:${p}`).toString("base64")}`]] }), (s: Outgoing) => headerOf(s, "authorization"), `Basic ${Buffer.from(`bot:${value}`).toString("base64")}`],
    ["askpass", "{ askpass: { user: x-access-token } }", (p: string) => request({ headers: [["authorization", `Basic ${Buffer.from(`x-access-token:${p}`).toString("base64")}`]] }), (s: Outgoing) => headerOf(s, "authorization"), `Basic ${Buffer.from(`x-access-token:${value}`).toString("base64")}`],
  ])("in a %s", async (_kind, inject, ask, look, expected) => {
    const w = await world(`\n  c: { from: { file: ${file} }, serves: { hosts: [api.github.com] }, inject: ${inject}, as: KEY }`);
    const asked = ask(w.stage.placeholders(principal)["KEY"] ?? "");
    expect(w.stage.vet(action(), principal, asked)).toBeNull();
    expect(look((await w.stage.lease(action(), principal, intent, asked)).dress(asked))).toBe(expected);
  });

  test("git gets its placeholder through a helper in its own configuration, for the hosts that it is for", async () => {
    const w = await world(`\n  c: { from: { file: ${file} }, serves: { hosts: ["git.example:8443"] }, inject: { askpass: { user: bot } } }`);
    expect(w.stage.placeholders(principal)).toMatchObject({ GIT_CONFIG_COUNT: "1", GIT_CONFIG_KEY_0: "credential.https://git.example:8443.helper", GIT_CONFIG_VALUE_0: expect.stringMatching(/^!f\(\) .*lanyard-[a-z2-7]{26}/) });
  });
});

describe("a placeholder where it does not belong is refused, recorded and an alarm", () => {
  const cases: [string, string, (p: string) => Outgoing][] = [
    ["another host", "", (p) => request({ host: "evil.example", headers: [["authorization", `token ${p}`]] })],
    ["a host that only ends alike", "", (p) => request({ host: "notapi.github.com", headers: [["authorization", `token ${p}`]] })],
    ["plain http", "", (p) => request({ scheme: "http", port: 80, headers: [["authorization", `token ${p}`]] })],
    ["another port", "", (p) => request({ port: 8443, headers: [["authorization", `token ${p}`]] })],
    ["another header", "", (p) => request({ headers: [["x-other", p]] })],
    ["its header with more in it", "", (p) => request({ headers: [["authorization", `token ${p} `]] })],
    ["the name of a header", "", (p) => request({ headers: [[p.toLowerCase(), "x"]] })],
    ["the query", "", (p) => request({ query: `q=${p}` })],
    ["the path", "", (p) => request({ path: `/${p}` })],
    ["the path, in percent signs", "", (p) => request({ path: `/${Array.from(Buffer.from(p), (byte) => `%${byte.toString(16)}`).join("")}` })],
    ["the query, in percent signs twice", "", (p) => request({ query: Array.from(Buffer.from(p), (byte) => `%25${byte.toString(16)}`).join("") })],
    ["the body", "", (p) => request({ body: Buffer.from(`{"a":"${p}"}`) })],
    ["the body, in JSON escapes", "", (p) => request({ body: Buffer.from(`"${Array.from(Buffer.from(p), (byte) => `\\u00${byte.toString(16)}`).join("")}"`) })],
    ["the body, as UTF-16", "", (p) => request({ body: Buffer.from(p, "utf16le") })],
    ["the body, in hexadecimal", "", (p) => request({ body: Buffer.from(Buffer.from(`x${p}`).toString("hex")) })],
    ["the body, in capitals", "", (p) => request({ body: Buffer.from(p.toUpperCase()) })],
    ["the name of the host", "", (p) => request({ host: `${p}.evil.example`, headers: [] })],
    ["Basic for another user", "", (p) => request({ headers: [["authorization", `Basic ${Buffer.from(`bot:${p}`).toString("base64")}`]] })],
    ["a path it does not serve", ", paths: [/user]", (p) => request({ path: "/admin", headers: [["authorization", `token ${p}`]] })],
    ["a path that is not what it looks like", ", paths: [/user/*]", (p) => request({ path: "/user/..%2fadmin", headers: [["authorization", `token ${p}`]] })],
    ["a method it does not serve", ", methods: [GET]", (p) => request({ tool: "POST", headers: [["authorization", `token ${p}`]] })],
    ["a method that a header changes", ", methods: [GET]", (p) => request({ headers: [["authorization", `token ${p}`], ["x-http-method-override", "DELETE"]] })],
    ...["", "x", "xx"].map((before): [string, string, (p: string) => Outgoing] => [`the body, in base64 after \`${before}\``, "", (p) => request({ body: Buffer.from(`{"d":"${Buffer.from(`${before}${p}`).toString("base64")}"}`) })]),
    ["the path, in base64url behind other digits", "", (p) => request({ path: `/upload/${Buffer.from(`k=${p}`).toString("base64url")}` })],
    ["the body, in base64 twice", "", (p) => request({ body: Buffer.from(Buffer.from(Buffer.from(`..${p}`).toString("base64")).toString("base64")) })],
  ];
  test.each(cases)("%s", async (_where, serves, ask) => {
    const w = await world(github(serves));
    const asked = ask(w.stage.placeholders(principal)["GITHUB_TOKEN"] ?? "");
    expect(w.stage.vet(action({ name: "web/GET" }), principal, asked)).toMatchObject({ code: "credential_misused", text: expect.stringContaining("`github`") });
    await w.store.settled();
    expect(w.store.entries({ types: ["credential.misuse"] })).toMatchObject([{ name: "github", action: "web/GET", session: "ses_1" }]);
    expect(w.lines.join()).toContain('"level":"error","event":"credential.misused"');
    expect((await w.stage.lease(action(), principal, intent, asked)).credentials).toEqual([]);
  });

  test("another session's, even in the right place", async () => {
    const w = await world(github());
    const stolen = w.stage.placeholders(other)["GITHUB_TOKEN"] ?? "";
    expect(w.stage.vet(action(), principal, request({ headers: [["authorization", `token ${stolen}`]] }))?.text).toContain("a placeholder of another session");
  });

  test("in the arguments of a tool", async () => {
    const w = await world(github());
    const placeholder = w.stage.placeholders(principal)["GITHUB_TOKEN"] ?? "";
    expect(w.stage.vet(action({ args: { text: `the key is ${placeholder}` } }), principal)?.code).toBe("credential_misused");
    expect(w.stage.vet(action({ args: { text: "lanyard-linux, a lanyard-like thing" } }), principal)).toBeNull();
  });
});

describe("revoked", () => {
  test("at once: the next use, the lease under way, the placeholders; also after a restart, until restored", async () => {
    const w = await world(github());
    const { GITHUB_TOKEN: placeholder = "" } = w.stage.placeholders(principal);
    const asked = request({ headers: [["authorization", `token ${placeholder}`]] });
    const lease = await w.stage.lease(action(), principal, intent, asked);
    await w.stage.revoke("github", "operator");
    expect(lease.signal.aborted).toBe(true);
    expect(() => lease.dress(asked)).toThrow("revoked");
    expect(w.stage.placeholders(principal)).toEqual({});
    expect(await fault(w.stage.lease(action(), principal, intent, asked))).toBe("the credential `github` was revoked");
    const again = await w.start();
    expect(again.stage.list()).toMatchObject([{ name: "github", revokedBy: "operator", uses: { coder: 1 } }]);
    expect(await fault(again.stage.lease(action(), principal, intent, asked))).toContain("was revoked");
    expect(w.stage.vet(action(), principal, request({ body: Buffer.from(placeholder) }))).not.toBeNull();
    await again.stage.restore("github", "operator");
    expect((await again.stage.lease(action(), principal, intent, asked)).credentials).toEqual(["github"]);
    expect(again.store.entries({ types: ["credential.withdraw", "credential.restore"] })).toHaveLength(2);
  });

  test("a name that is not configured is not found", async () => {
    const w = await world(github());
    expect(await fault(w.stage.revoke("gitlab", "operator"))).toContain("no credential `gitlab`");
  });

  test("what cannot be recorded is not lent", async () => {
    const w = await world(github());
    const asked = request({ headers: [["authorization", `token ${w.stage.placeholders(principal)["GITHUB_TOKEN"]}`]] });
    await w.store[Symbol.asyncDispose]();
    await expect(w.stage.lease(action(), principal, intent, asked)).rejects.toThrow();
    expect(w.stage.list()[0]?.uses).toEqual({ coder: 0 });
  });
});

describe("where secrets lie", () => {
  const give = async (from: string, environment: Record<string, string> = {}) => {
    const w = await world(`\n  c: { from: ${from}, serves: { tools: ["files/*"] }, inject: { env: KEY } }`, { environment, servers: "servers: { files: { command: x } }" });
    return w.stage.give("files", {});
  };

  test("a file that is closed to all others", async () => {
    expect((await give(`{ file: ${file} }`)).values).toEqual({ KEY: value });
    expect(await fault(give(`{ file: ${secretFile("open", value, 0o640)} }`))).toMatch(/others can reach it \(mode 0640\); `chmod 600` it/);
    symlinkSync(file, join(folder, "link"));
    expect(await fault(give(`{ file: ${join(folder, "link")} }`))).toContain("it is a symbolic link");
    expect(await fault(give(`{ file: ${folder} }`))).toContain("it is no file");
    expect(await fault(give(`{ file: /nowhere }`))).toContain("ENOENT");
    if (process.getuid?.() === 0) expect(await fault(give(`{ file: /proc/1/environ }`))).not.toContain("no fault");
  });

  test("a variable of the daemon, a credential of its unit", async () => {
    expect((await give("{ env: FROM }", { FROM: value })).values).toEqual({ KEY: value });
    expect(await fault(give("{ env: FROM }"))).toContain("the environment variable `FROM` is not set");
    secretFile("unit", value, 0o440);
    expect((await give("{ systemd: unit }", { CREDENTIALS_DIRECTORY: folder })).values).toEqual({ KEY: value });
    expect(await fault(give("{ systemd: unit }"))).toContain("LoadCredential=unit");
  });

  test.each([
    ["too short", "1234567", "fewer than 8 characters"],
    ["with a line end in it", "abcdefgh\nX-Evil: 1", "not printable ASCII"],
    ["over the limit credential_bytes", "x".repeat(limits.credential_bytes.value + 1), "over the limit credential_bytes"],
  ])("a value %s is not used, and in no message", async (_what, text, why) => {
    const said = await fault(give("{ env: FROM }", { FROM: text }));
    expect(said).toContain(why);
    expect(said).not.toContain(text);
  });

  test("a value of the limit credential_bytes is used", async () => {
    const text = "x".repeat(limits.credential_bytes.value);
    expect((await give("{ env: FROM }", { FROM: text })).values).toEqual({ KEY: text });
  });
});

describe("servers of ours", () => {
  const servers = 'servers: { files: { command: x, env: { A: "a ${credential:c} b" } }, docs: { url: "http://127.0.0.1:1/", headers: { Authorization: "Bearer ${credential:c}" } }, free: { command: y } }';
  const credentials = '\n  c: { from: { env: FROM }, serves: { tools: ["files/*", "docs/*"] } }';

  test("those that it serves are given it where they say, and it is taken out of what they say", async () => {
    const w = await world(credentials, { servers, environment: { FROM: value } });
    const files = await w.stage.give("files", { A: "a ${credential:c} b" });
    expect(files.values).toEqual({ A: `a ${value} b` });
    expect(files.scrub?.(`it is ${value}`)).toBe("it is [credential c]");
    expect((await w.stage.give("docs", { Authorization: "Bearer ${credential:c}" })).values).toEqual({ Authorization: `Bearer ${value}` });
    expect((await w.stage.give("free", {})).scrub).toBeNull();
    await expect(w.stage.give("free", { A: "${credential:c}" })).rejects.toThrow("not lent to it");
  });

  test("a call of theirs counts as a use, and is refused once it is revoked", async () => {
    const w = await world(credentials, { servers, environment: { FROM: value } });
    const told: string[] = [];
    w.stage.onChange((names) => told.push(...names));
    expect((await w.stage.lease(action(), principal, intent)).credentials).toEqual(["c"]);
    expect((await w.stage.lease(action({ server: "free" }), principal, intent)).credentials).toEqual([]);
    await w.stage.revoke("c", "operator");
    expect(told).toEqual(["files", "docs"]);
    expect(await fault(w.stage.lease(action(), principal, intent))).toContain("was revoked");
  });
});

test("no value is in anything that is kept or told", async () => {
  const w = await world(github());
  const asked = request({ headers: [["authorization", `token ${w.stage.placeholders(principal)["GITHUB_TOKEN"]}`]] });
  const lease = await w.stage.lease(action(), principal, intent, asked);
  w.stage.vet(action(), principal, request({ body: Buffer.from(w.stage.placeholders(principal)["GITHUB_TOKEN"] ?? "") }));
  await w.store.settled();
  const { inspect } = await import("node:util");
  const said = [inspect(lease, { depth: 9, showHidden: true }), JSON.stringify(lease), JSON.stringify(w.stage.list()), JSON.stringify(w.store.entries({})), w.lines.join()].join("\n");
  expect(said).not.toContain(value);
});
