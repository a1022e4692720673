import { expect, test } from "vitest";
import { parseConfig } from "./read.ts";

const file = "/srv/lanyard.yaml";
const base = `version: 1
teams: { eng: {} }
agents: { coder: { team: eng } }
servers:
  files: { command: x, env: { KEPT: a } }
  docs: { url: "http://127.0.0.1:1/" }
credentials:
`;
const parse = (text: string) => parseConfig(new TextEncoder().encode(base + text), file);
const problems = (text: string): string[] => {
  try {
    parse(text);
    return [];
  } catch (error) {
    return (error as Error).message.split("\n").map((line) => line.replace(`${file}:`, ""));
  }
};

test("an entry with all it can have", () => {
  const { credentials } = parse(`  a:
    from: { file: keys/a }
    serves: { hosts: [API.example.com, "*.example.org:8443", "http://127.0.0.1:4010"], paths: [/v1/*], methods: [get, POST], agents: [coder] }
    inject: { header: { name: X-API-Key, prefix: "Key " } }
    as: API_KEY
    shape: sk-ant-
  b: { from: { vault: { address: "https://vault.example", path: secret/data/b, field: token, auth: { approle: { role_id: r, secret_id: c } } } } }
  c: { from: { exchange: { token_endpoint: "https://id.example/token", subject: d, audience: api, client: { id: me, secret: d } } }, serves: { tools: [docs/*] } }
  d: { from: { systemd: d } }
`);
  expect(credentials.get("a")).toEqual({
    from: { kind: "file", path: "/srv/keys/a" },
    serves: {
      hosts: [{ scheme: "https", host: "api.example.com", port: 443 }, { scheme: "https", host: "*.example.org", port: 8443 }, { scheme: "http", host: "127.0.0.1", port: 4010 }],
      paths: ["/v1/*"], methods: ["GET", "POST"], servers: [], agents: ["coder"], channels: [],
    },
    inject: { kind: "header", name: "x-api-key", prefix: "Key " }, as: "API_KEY", shape: "sk-ant-",
  });
  expect(credentials.get("b")?.from).toMatchObject({ kind: "vault", auth: { roleId: "r", secretId: "c", mount: "approle" }, namespace: null });
  expect(credentials.get("c")).toMatchObject({ from: { kind: "exchange", subject: "d", scope: null, client: { id: "me", secret: "d" } }, serves: { servers: ["docs"] }, inject: null });
});

test.each([
  ["from nowhere", "  a: { from: {} }", "8:14: `credentials.a.from`: exactly one of `file`, `env`, `systemd`, `vault` or `exchange`"],
  ["from two places", "  a: { from: { file: x, env: Y } }", "exactly one of `file`"],
  ["a mistyped key", "  a: { form: { file: x } }", "unknown key `form`; known here: from, serves, inject, as, shape"],
  ["the secret itself", "  a: { from: { value: s3cret } }", "unknown key `value`"],
  ["injected anywhere", "  a: { from: { file: x }, inject: { query: key }, as: K }", "needs `serves: {hosts: [...]}`, or it could go anywhere"],
  ["without a variable", "  a: { from: { file: x }, serves: { hosts: [h.example] }, inject: { query: key } }", "needs `as: VARIABLE`"],
  ["a variable with a meaning of its own", "  a: { from: { file: x }, serves: { hosts: [h.example] }, inject: { query: key }, as: LD_PRELOAD }", "this variable has a meaning of its own"],
  ["a variable twice", "  a: { from: { file: x }, serves: { hosts: [h.example] }, inject: { query: key }, as: K }\n  b: { from: { file: x }, serves: { hosts: [h.example] }, inject: { query: key }, as: K }", "`a` has the variable `K` already"],
  ["in a header about the way", "  a: { from: { file: x }, serves: { hosts: [h.example] }, inject: { header: { name: Host } }, as: K }", "this header says how the request travels"],
  ["one tool of a server", "  a: { from: { file: x }, serves: { tools: [files/read] }, inject: { env: K } }", "write `<server>/*`"],
  ["a server that is none", "  a: { from: { file: x }, serves: { tools: [fils/*] }, inject: { env: K } }", "no server `fils` is registered under `servers`; did you mean `files`?"],
  ["the environment of a server over HTTP", "  a: { from: { file: x }, serves: { tools: [docs/*] }, inject: { env: K } }", "is reached over HTTP and has no environment"],
  ["a variable that the server has", "  a: { from: { file: x }, serves: { tools: [files/*] }, inject: { env: KEPT } }", "`files` has `KEPT` in its `env` already"],
  ["an agent that is none", "  a: { from: { file: x }, serves: { hosts: [h.example], agents: [codr] }, inject: { query: key }, as: K }", "no agent `codr`"],
  ["made of what there is not", "  a: { from: { exchange: { token_endpoint: 'https://i.example', subject: b } } }", "no credential `b` is registered under `credentials`"],
  ["made of itself", "  a: { from: { exchange: { token_endpoint: 'https://i.example', subject: b } } }\n  b: { from: { exchange: { token_endpoint: 'https://i.example', subject: a } } }", "`a` would be made of itself"],
  ["asked for over plain HTTP", "  a: { from: { exchange: { token_endpoint: 'http://i.example', subject: a } } }", "an https URL without a user in it"],
])("%s is a problem at its place", (_what, text, message) => {
  const found = problems(text).join("\n");
  expect(found).toContain(message);
  expect(found).toMatch(/^(8|9):\d+: /);
  expect(found).not.toContain("s3cret");
});

test("a server may only name a credential that serves it", () => {
  const text = (servers: string) => `${base.replace("{ KEPT: a }", servers)}  a: { from: { file: x }, serves: { tools: [docs/*] } }\n`;
  expect(() => parseConfig(new TextEncoder().encode(text('{ A: "${credential:a}" }')), file)).toThrow("5:34: the credential `a` does not serve this server; write `files/*`");
  expect(() => parseConfig(new TextEncoder().encode(text('{ A: "${credential:b}" }')), file)).toThrow("no credential `b`");
  expect(() => parseConfig(new TextEncoder().encode(text('{ A: "${credential:}" }')), file)).toThrow("or `${credential:NAME}` with the name of a credential");
});
