import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { Fault } from "@lanyard/contract";
import { importServers } from "./imported.ts";

const folder = mkdtempSync(join(tmpdir(), "clients-"));
afterAll(() => rmSync(folder, { recursive: true }));

const imported = (name: string, text: string | Uint8Array): ReturnType<typeof importServers> => {
  const file = join(folder, name);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  return importServers(file, folder);
};
const failure = (name: string, text: string | Uint8Array): string => {
  try {
    imported(name, text);
  } catch (error) {
    return (error as Error).message.replaceAll(folder, "");
  }
  return "nothing was wrong";
};
const servers = (entries: object): string => JSON.stringify({ mcpServers: entries });

const token = "ghp_16C7e42F292c6912E7710c838347Ae178B4a";

describe("servers of a client", () => {
  it.each([
    ["claude_desktop_config.json", servers({ files: { command: "npx", args: ["-y", "files", "/work"] } })],
    [".mcp.json", servers({ files: { type: "stdio", command: "npx", args: ["-y", "files", "/work"], env: {} } })],
    [".cursor/mcp.json", servers({ files: { command: "npx", args: ["-y", "files", "/work"], disabled: false } })],
    [".vscode/mcp.json", JSON.stringify({ inputs: [], servers: { files: { type: "stdio", command: "npx", args: ["-y", "files", "/work"] } } })],
    ["settings.json", JSON.stringify({ mcp: { servers: { files: { command: "npx", args: ["-y", "files", "/work"] } } } })],
    [".gemini/settings.json", `{\n  // hand-written, "with quotes"\n  "theme": "dark", /* and */\n  "mcpServers": {"files": {"command": "npx", "args": ["-y", "files", "/work",], "trust": true,},},\n}`],
    ["config.toml", `model = "o4"\n[mcp_servers.files]\ncommand = "npx"\nargs = ["-y", "files", "/work"]\nstartup_timeout_sec = 30\n`],
  ])("are read from %s", (name, text) => {
    expect(imported(name, text)).toEqual({ servers: { files: { command: "npx", args: ["-y", "files", "/work"] } }, variables: [], leftOut: [] });
  });

  it("over HTTP, by each client's word for it", () => {
    const entries = { a: { type: "http", url: "https://a.test/mcp" }, b: { httpUrl: "https://b.test/mcp" }, c: { serverUrl: "https://c.test/mcp" } };
    expect(imported("mcp.json", servers(entries)).servers).toEqual({ a: { url: "https://a.test/mcp" }, b: { url: "https://b.test/mcp" }, c: { url: "https://c.test/mcp" } });
  });

  it("start in their project's folder", () => {
    expect(imported("other/.cursor/mcp.json", servers({ files: { command: "./run" } })).servers["files"]).toEqual({ command: "./run", cwd: join(folder, "other") });
  });

  it("keep arguments that only say where a secret is, or pass one on", () => {
    const args = ["run", "-e", "API_KEY", "--token-file", "/run/token", "--auth-mode=oauth", "https://a.test/mcp"];
    expect(imported(".mcp.json", servers({ a: { command: "docker", args } })).servers).toEqual({ a: { command: "docker", args } });
  });

  it("get names that lanyard.yaml can hold", () => {
    const { servers: taken, leftOut } = imported(".mcp.json", servers({ "My Files!": { command: "a" }, a__b: { command: "b" }, "a_b": { command: "c" }, web: { command: "d" }, "": { command: "e" }, lanyard: { command: "f" } }));
    expect(Object.keys(taken)).toEqual(["My-Files", "a_b"]);
    expect(leftOut.map(({ server }) => server)).toEqual(["a_b", "web", "", "lanyard"]);
  });
});

describe("secrets of a client's configuration", () => {
  it("are not written down", () => {
    const { servers: taken, variables } = imported(".mcp.json", servers({
      git: { command: "git-mcp", env: { GITHUB_TOKEN: token, LOG_LEVEL: "debug", PORT: "8080", ROOT: "/work", WHO: "swordfish", PATTERN: `x-${token}` } },
      other: { command: "git-mcp", env: { GITHUB_TOKEN: "another one", KEPT: "${OWN_NAME}", INPUT: "${input:api-key}" } },
      api: { url: "https://a.test/mcp", headers: { Authorization: `Bearer ${token}`, Accept: "application/json", "X-Api-Key": "${env:API_KEY}" } },
    }));
    expect(JSON.stringify(taken)).not.toMatch(/ghp_|swordfish|another/);
    expect(taken).toEqual({
      git: { command: "git-mcp", env: { GITHUB_TOKEN: "${env:GITHUB_TOKEN}", LOG_LEVEL: "debug", PORT: "8080", ROOT: "/work", WHO: "${env:WHO}", PATTERN: "${env:PATTERN}" } },
      other: { command: "git-mcp", env: { GITHUB_TOKEN: "${env:OTHER_GITHUB_TOKEN}", KEPT: "${env:OWN_NAME}", INPUT: "${env:API_KEY}" } },
      api: { url: "https://a.test/mcp", headers: { Authorization: "Bearer ${env:API_AUTHORIZATION}", Accept: "application/json", "X-Api-Key": "${env:API_KEY}" } },
    });
    expect(variables).toEqual(["API_AUTHORIZATION", "API_KEY", "GITHUB_TOKEN", "OTHER_GITHUB_TOKEN", "OWN_NAME", "PATTERN", "WHO"]);
  });

  it("are named by Codex's own keys", () => {
    const { servers: taken } = imported("config.toml", `[mcp_servers.a]\nurl = "https://a.test/mcp"\nbearer_token_env_var = "A_TOKEN"\nhttp_headers = { "X-Region" = "info" }\nenv_http_headers = { "X-Key" = "A_KEY" }\n[mcp_servers.b]\ncommand = "b"\nenv_vars = ["B_KEY"]\n`);
    expect(taken).toEqual({ a: { url: "https://a.test/mcp", headers: { "X-Region": "info", "X-Key": "${env:A_KEY}", Authorization: "Bearer ${env:A_TOKEN}" } }, b: { command: "b", env: { B_KEY: "${env:B_KEY}" } } });
  });

  it.each([
    ["an argument", { command: "x", args: [token] }],
    ["the value of an option", { command: "x", args: ["--api-key", "swordfish"] }],
    ["an option with its value", { command: "x", args: ["--password=swordfish"] }],
    ["a variable that an argument sets", { command: "docker", args: ["run", "-e", "API_KEY=swordfish", "image"] }],
    ["a header", { command: "x", args: ["-H", "X-Api-Key: swordfish"] }],
    ["a connection string", { command: "x", args: ["postgresql://app:swordfish1@db/app"] }],
    ["a URL's user", { url: "https://user:swordfish@a.test/mcp" }],
    ["a URL's query", { url: "https://a.test/mcp?api_key=swordfish" }],
    ["a path of a URL", { url: `https://a.test/${token}/mcp` }],
  ])("leave the server out where they stand in %s", (_where, entry) => {
    const { servers: taken, leftOut } = imported(".mcp.json", servers({ bad: entry, good: { command: "y" } }));
    expect(Object.keys(taken)).toEqual(["good"]);
    expect(leftOut.map(({ server }) => server)).toEqual(["bad"]);
    expect(JSON.stringify(leftOut)).not.toMatch(/swordfish|ghp_/);
  });
});

describe("a client's configuration that cannot be taken over", () => {
  it.each([
    ["no JSON", ".mcp.json", `{\n  "mcpServers": {"a": {"env": {"K": "${token}" "x"}}}\n}`, "/.mcp.json:2:80: it is no JSON from here on"],
    ["an end too early", ".mcp.json", `{"mcpServers": {"a`, "/.mcp.json:1:19: it is no JSON from here on"],
    ["no TOML", "config.toml", `[mcp_servers.a]\nenv = { K = "${token}" x }\n`, "/config.toml:2:"],
    ["no UTF-8", ".mcp.json", new Uint8Array([0x7b, 0xff, 0x7d]), "/.mcp.json: it is no text in UTF-8"],
    ["no object", ".mcp.json", "[1, 2]", "/.mcp.json: it names no MCP servers"],
    ["no servers", ".mcp.json", `{"mcpServers": "x"}`, "`mcpServers` is no object of servers"],
    ["a server that is none", ".mcp.json", servers({ a: 7 }), "`mcpServers.a` should be a server with its `command` or `url`"],
    ["wrong types", ".mcp.json", servers({ a: { command: ["npx"], args: ["x", { secret: token }], env: [token] } }), "/.mcp.json: `mcpServers.a.command` should be a text; `mcpServers.a.args.1` should be a text; `mcpServers.a.env` should be names with a text each"],
    ["neither command nor URL", ".mcp.json", servers({ a: {} }), "no MCP server of it can be taken over (`a`: it has neither `command` nor `url`)"],
    ["the old transport", ".mcp.json", servers({ a: { type: "sse", url: "https://a.test/sse" } }), "it speaks the old HTTP+SSE transport"],
    ["a name no variable has", ".mcp.json", servers({ a: { command: "x", env: { "A B": "1" } } }), "not the name of an environment variable"],
    ["controls", ".mcp.json", servers({ a: { command: "x\u0000y" } }), "control characters are not allowed here"],
    ["too many", ".mcp.json", servers(Object.fromEntries(Array.from({ length: 300 }, (_, n) => [`s${n}`, { command: "x" }]))), "it names 300 MCP servers, more than 256"],
    ["names of Object's own", ".mcp.json", `{"mcpServers": {"__proto__": {"command": 1}}}`, "should be a text"],
  ])("is refused with its place: %s", (_what, name, text, message) => {
    expect(failure(name, text)).toContain(message);
    expect(failure(name, text)).not.toContain("ghp_");
  });

  it("is refused where it is too large or not there", () => {
    expect(failure(".mcp.json", `${servers({ a: { command: "x" } })}${" ".repeat(1024 * 1024)}`)).toContain("over the limit config_bytes");
    expect(() => importServers(join(folder, "none.json"), folder)).toThrow("could not be read (ENOENT)");
  });

  it.each(["/*", '"\\', '\\"', ",", ", ", "${a:-", "[", "{\"a\":", "//", '"'])("is read in no time where it repeats `%s`", (part) => {
    expect(failure(".mcp.json", part.repeat(Math.floor(1_000_000 / part.length)))).toContain("/.mcp.json");
    const long = servers({ a: { command: "x", args: [part.repeat(50_000)], env: { A: part.repeat(50_000) } } });
    expect(failure(".mcp.json", long)).toContain("is longer than 4096 characters");
  });

  const values = fc.oneof(fc.string({ unit: "binary" }), fc.constantFrom(token, "${x}", "https://a.test", "--token", "npx"), fc.double(), fc.boolean(), fc.constant(null), fc.array(fc.string(), { maxLength: 3 }), fc.dictionary(fc.string(), fc.oneof(fc.string(), fc.constant(token)), { maxKeys: 3 }));
  const keys = fc.constantFrom("command", "args", "env", "url", "httpUrl", "headers", "http_headers", "cwd", "type", "env_vars", "bearer_token_env_var", "other");

  it("is a Fault or servers without secrets, whatever it holds", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.dictionary(keys, values, { maxKeys: 4 }), { maxKeys: 4 }), (entries) => {
        try {
          expect(JSON.stringify(imported(".mcp.json", servers(entries)))).not.toContain(token);
        } catch (error) {
          if (!(error instanceof Fault)) throw error;
          expect(error.message).not.toContain(token);
        }
      }),
      { numRuns: 300 },
    );
  });

  it("is a Fault or servers, wherever it is cut or garbled", () => {
    const whole = `{"mcpServers": {"a": {"command": "npx", "args": ["x"], /* c */ "env": {"K": "v"},},},}`;
    fc.assert(
      fc.property(fc.nat(whole.length), fc.nat(4), fc.string(), (at, gone, put) => {
        try {
          imported(".mcp.json", whole.slice(0, at) + put + whole.slice(at + gone));
        } catch (error) {
          if (!(error instanceof Fault)) throw error;
        }
      }),
      { numRuns: 300 },
    );
  });
});
