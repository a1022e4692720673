import { expect, test } from "vitest";
import { needsRestart, registryOf } from "./config.ts";
import { settings, unsealTemplate } from "./environment.ts";
import { loadConfig, parseConfig } from "./read.ts";
import { limits } from "../limits.ts";

const file = "/srv/lanyard.yaml";
const parse = (text: string) => parseConfig(new TextEncoder().encode(text), file);
const problems = (text: string): string[] => {
  try {
    parse(text);
  } catch (error) {
    return (error as Error).message.split("\n").map((line) => line.replace(`${file}:`, ""));
  }
  return [];
};

const whole = `
version: 1
listen: 127.0.0.1:0
teams: { eng: {} }
groups: { leads: {} }
users: { ana: { groups: [leads] }, ben: {} }
agents:
  coder: { team: eng, classes: [demo, demo], servers: [files], session_minutes: 30, on_behalf_of: [ana] }
  free: { team: eng }
servers:
  files: { command: node, args: [x.js, ./scratch], cwd: sub, env: { KEY: "\${env:UPSTREAM_KEY}" } }
  docs: { url: "http://127.0.0.1:9000/mcp", headers: { Authorization: "Bearer \${env:DOCS}" } }
tools:
  files/write_file: { effects: [write], reversibility: reversible }
  files/look: { effects: [read] }
limits: { body_bytes: 1000 }
`;

test("a whole file becomes a Config with defaults, absolute paths and sorted names", () => {
  const config = parse(whole);
  expect(config).toMatchObject({ listen: { host: "127.0.0.1", port: 0 }, data: "/srv/.lanyard", policies: "/srv/policies", allowRemote: false });
  expect(config.hash).toMatch(/^[\w-]{43}$/);
  expect(config.users.get("ben")).toEqual({ groups: [] });
  expect(config.agents.get("coder")).toEqual({ team: "eng", classes: ["demo"], servers: ["files"], onBehalfOf: ["ana"], runBy: [], sessionMinutes: 30 });
  expect(config.agents.get("free")).toEqual({ team: "eng", classes: [], servers: null, onBehalfOf: null, runBy: [], sessionMinutes: null });
  expect(config.servers.get("files")).toMatchObject({ kind: "stdio", cwd: "/srv/sub", env: { KEY: "${env:UPSTREAM_KEY}" } });
  expect(config.tools.get("files/look")).toEqual({ effects: ["read"], reversibility: "unknown" });
  expect(config.limits.body_bytes).toBe(1000);
  expect(config.limits.result_bytes).toBe(limits.result_bytes.value);
});

test("gates have their defaults, minutes become milliseconds, and owners must be known", () => {
  const gates = 'gates: { commands: ["npm test", { run: make, minutes: 2 }], protected: ["/deploy/"], owners: ["/pay/ @leads ben", "*.md"], max_files: 5 }';
  expect(parse(`${whole}${gates}\n`).gates).toEqual({
    commands: [{ run: "npm test", ms: 600_000 }, { run: "make", ms: 120_000 }],
    protected: ["/deploy/"],
    owners: [{ pattern: "/pay/", names: ["@leads", "ben"] }, { pattern: "*.md", names: [] }],
    maxBytes: 64 * 1024 * 1024,
    maxFiles: 5,
  });
  expect(parse("version: 1").gates).toMatchObject({ commands: [], owners: [], protected: [] });
  expect(problems(`version: 1\ngates: { owners: ["/pay/ @leads", "/x eve"] }`)).toEqual([
    "2:19: no group `leads` is registered under `groups`",
    "2:35: no user `eve` is registered under `users`",
  ]);
});

test("the smallest file is `version: 1`", () => {
  expect(parse("version: 1").listen).toEqual({ host: "127.0.0.1", port: 7420 });
});

test("all problems are reported at once, each at its line and column, with the nearest known name", () => {
  const text = `version: 1
agnets: {}
teams: { eng: {} }
agents:
  coder: { team: egn, sessionminutes: 5 }
  bad name: { team: eng }
servers:
  files: { command: node, url: "http://x" }
  my__server: { command: node }
  my_: { command: node }
limits: { body_bytes: 99999999, bodybytes: 1 }
`;
  expect(problems(text)).toMatchInlineSnapshot(`
    [
      "2:1: unknown key \`agnets\`; did you mean \`agents\`?",
      "5:23: unknown key \`sessionminutes\`; did you mean \`session_minutes\`?",
      "6:3: \`bad name\`: a name is 1 to 64 letters, digits, \`.\`, \`_\` or \`-\`, and starts with a letter or digit",
      "8:10: \`servers.files\`: a server has either \`command\` or \`url\`, not both",
      "9:3: \`my__server\`: the name of a server must not contain \`__\`",
      "10:3: \`my_\`: the name of a server must not end with \`_\`: \`a___x\` could be \`_x\` of \`a\` or \`x\` of \`a_\`",
      "11:23: \`limits.body_bytes\`: \`body_bytes\` may be lowered, not raised: at most 4194304 bytes",
      "11:33: unknown key \`bodybytes\`; did you mean \`body_bytes\`?",
    ]
  `);
});

test("references to what is not registered are refused where they are written", () => {
  const text = `version: 1
groups: { leads: {} }
teams: { eng: {} }
users:
  ana: { groups: [leads, lead] }
agents:
  coder: { team: ops, servers: [flies], on_behalf_of: [anna] }
servers: { files: { command: node } }
tools:
  file/read: { effects: [read] }
`;
  expect(problems(text)).toMatchInlineSnapshot(`
    [
      "5:26: no group \`lead\` is registered under \`groups\`; did you mean \`leads\`?",
      "7:18: no team \`ops\` is registered under \`teams\`; known here: eng",
      "7:33: no server \`flies\` is registered under \`servers\`; did you mean \`files\`?",
      "7:56: no user \`anna\` is registered under \`users\`; did you mean \`ana\`?",
      "10:3: no server \`file\` is registered under \`servers\`; did you mean \`files\`?",
    ]
  `);
});

test("what policies may speak about: owners, teams' groups, resources and what calls touch", () => {
  const config = parse(`version: 1
release: reviewed
owners: [sec, sec]
recheck: { share: 0.5, on_difference: deny }
teams: { eng: { owners: [eng-leads] } }
groups: { sec: {}, eng-leads: { team: eng } }
servers: { git: { command: node } }
resources: { Repo: { acme/site: { labels: [public, live], owner: eng }, "*": {} } }
tools: { git/push: { effects: [egress], resource: { type: Repo, argument: target.repo } } }
`);
  expect(config).toMatchObject({ release: "reviewed", owners: ["sec"], recheck: { share: 0.5, onDifference: "deny" } });
  expect(registryOf(config)).toEqual({
    agents: {},
    users: {},
    teams: { eng: { owners: ["eng-leads"] } },
    groups: { sec: { team: null }, "eng-leads": { team: "eng" } },
    owners: ["sec"],
    resources: { Repo: { "acme/site": { labels: ["live", "public"], owner: "eng" }, "*": { labels: [], owner: null } } },
  });
  expect(config.tools.get("git/push")).toEqual({ effects: ["egress"], reversibility: "unknown", resource: { type: "Repo", argument: ["target", "repo"] } });
  expect(parse("version: 1")).toMatchObject({ release: "live", owners: [], recheck: { share: 0.01, onDifference: "alarm" } });
  const wrong = `version: 1
owners: [se]
teams: { eng: { owners: [x] } }
groups: { sec: { team: egn } }
servers: { git: { command: node } }
resources: { repo: {}, Server: {}, Repo: { a: { owner: nobody } } }
tools: { git/push: { effects: [], resource: { type: Agent, argument: "a..b" } } }
release: later
recheck: { share: 2 }
`;
  expect(problems(wrong).map((line) => line.replace(/;.*/, ""))).toMatchInlineSnapshot(`
    [
      "6:14: \`repo\`: the type of a resource begins with a capital letter, and has letters and digits",
      "6:24: \`Server\`: this type is Lanyard's or Cedar's own",
      "7:53: \`tools.git/push.resource.type\`: this type is Lanyard's or Cedar's own",
      "7:70: \`tools.git/push.resource.argument\`: write the argument's name, or a path of names with dots between them",
      "8:10: \`release\`: invalid option: expected one of "live"|"reviewed"",
      "9:19: \`recheck.share\`: too big: expected number to be <=1",
    ]
  `);
  expect(problems(wrong.split("\n").slice(0, 5).join("\n")).map((line) => line.replace(/;.*/, ""))).toMatchInlineSnapshot(`
    [
      "2:10: no group \`se\` is registered under \`groups\`",
      "3:26: no group \`x\` is registered under \`groups\`",
      "4:24: no team \`egn\` is registered under \`teams\`",
    ]
  `);
});

test.each([
  ["a team's group that owns the organisation's policies", "version: 1\nowners: [l]\nteams: { t: {} }\ngroups: { l: { team: t } }\n", /^2:10: `l` is a group of the team `t`/],
  ["a contract that contradicts itself", "version: 1\nservers: { a: { command: x } }\ntools: { a/b: { effects: [destructive], reversibility: read } }\n", /^3:\d+: `read` is the reversibility/],
  ["a duplicate key", "version: 1\nteams: {}\nteams: {}\n", /^3:1: the key `teams` is there twice/],
  ["a wrong version", "version: 2\n", /^1:10: .*only version/],
  ["no version", "teams: {}\n", /^1:1: .*version: 1/],
  ["an empty file", "", /^1:1: .*object/],
  ["a list", "- 1\n", /^1:1: .*object/],
  ["broken YAML", "version: 1\nteams: {\n", /^3:1: /],
  ["a second document", "version: 1\n---\nversion: 1\n", /^2:1: .*multiple documents/],
  ["an anchor", "version: 1\nteams: &t {}\n", /^2:11: anchors/],
  ["an alias", "version: 1\nteams: &t {}\ngroups: *t\n", /aliases/],
  ["a tag", "version: 1\ndata: !!js/function x\n", /^2:7: /],
  ["__proto__ as a name", "version: 1\nusers: { __proto__: { groups: [] } }\n", /^2:10: `__proto__`/],
  ["__proto__ as a key", "version: 1\n__proto__: {}\n", /^2:1: `__proto__`/],
  ["an address of another machine", "version: 1\nlisten: 0.0.0.0:7420\n", /^2:9: .*allow_remote: true/],
  ["an IPv6 address of another machine", 'version: 1\nlisten: "[::]:7420"\n', /^2:9: .*allow_remote: true/],
  ["a port past the last", "version: 1\nlisten: 127.0.0.1:65536\n", /^2:9: .*no address/],
  ["an address that only begins like loopback", "version: 1\nlisten: 127.0.0.1.evil.example:80\n", /allow_remote/],
  ["an environment template in an argument", "version: 1\nservers: { a: { command: x, args: ['${env:K}'] } }\n", /^2:36: .*arguments are visible/],
  ["an environment template in a path", "version: 1\ndata: ${env:K}\n", /^2:7: .*only in the values/],
  ["a broken environment template", "version: 1\nservers: { a: { command: x, env: { K: '${env:}' } } }\n", /^2:39: .*NAME/],
  ["headers of a started server", "version: 1\nservers: { a: { command: x, headers: {} } }\n", /^2:38: .*does not go with `command`/],
  ["neither command nor url", "version: 1\nservers: { a: {} }\n", /^2:15: .*needs `command`/],
  ["a password in a URL", "version: 1\nservers: { a: { url: 'http://u:p@h/' } }\n", /^2:22: .*end up in logs/],
  ["a file URL", "version: 1\nservers: { a: { url: 'file:///etc' } }\n", /no http or https URL/],
  ["a line break in a header", 'version: 1\nservers: { a: { url: "http://h/", headers: { X: "a\\r\\nY: b" } } }\n', /control characters/],
  ["a limit of zero", "version: 1\nlimits: { body_bytes: 0 }\n", /^2:23: /],
  ["a fraction", "version: 1\nlimits: { body_bytes: 1.5 }\n", /^2:23: /],
])("refused: %s", (_, text, message) => {
  const found = problems(text);
  expect(found.some((line) => message.test(line)), found.join("\n")).toBe(true);
});

test("loopback in all its forms, and other addresses only with allow_remote", () => {
  expect(parse('version: 1\nlisten: "[::1]:1"').listen).toEqual({ host: "::1", port: 1 });
  expect(parse("version: 1\nlisten: 127.9.9.9:1").listen.host).toBe("127.9.9.9");
  expect(parse("version: 1\nlisten: 0.0.0.0:1\nallow_remote: true").listen.host).toBe("0.0.0.0");
});

test("limit config_bytes: a file of the limit is read, one byte more is not", () => {
  const fill = (size: number) => `version: 1\n#${"x".repeat(size - 12)}`;
  expect(parse(fill(limits.config_bytes.value)).teams.size).toBe(0);
  expect(problems(fill(limits.config_bytes.value + 1))[0]).toMatch(/over the limit config_bytes \(1048576\)/);
});

test("hostile bytes are a problem, never a crash", () => {
  expect(problems("[".repeat(50_000)).length).toBeGreaterThan(0);
  expect(problems("- ".repeat(50_000)).length).toBeGreaterThan(0);
  expect(problems("x:\n".repeat(200_000))).toHaveLength(51); // 50 and how many more; comparing each key with each took minutes.
  expect(() => parseConfig(new Uint8Array([0x76, 0xff, 0xfe]), file)).toThrow(/not UTF-8/);
  expect(() => loadConfig("/no/such/lanyard.yaml")).toThrow("`/no/such/lanyard.yaml` could not be read (ENOENT)");
});

test("a message never repeats the value of a header or variable", () => {
  const found = problems('version: 1\nservers: { a: { url: "http://h/", headers: { X: "s3cret-\\u0007" }, env: { K: "s3cret" } } }\n').join();
  expect(found).toMatch(/headers/);
  expect(found).not.toMatch(/s3cret/);
});

test("templates are filled at use; a missing variable is named, no value is", () => {
  const environment = { A: "s3cret" };
  expect(unsealTemplate({ Authorization: "Bearer ${env:A}" }, environment)).toEqual({ Authorization: "Bearer s3cret" });
  expect(() => unsealTemplate({ X: "${env:A} ${env:B}" }, environment)).toThrow("`X` needs the environment variable `B`, which is not set");
});

test("a value that holds `$` or a template of its own is not expanded again", () => {
  expect(unsealTemplate({ X: "${env:A}" }, { A: "$& ${env:B}", B: "no" })).toEqual({ X: "$& ${env:B}" });
});

test("only what cannot change live asks for a restart", () => {
  const before = parse(whole);
  expect(needsRestart(before, parse(whole.replace("ben: {}", "cem: {}")))).toEqual([]);
  expect(needsRestart(before, parse(whole.replace("x.js", "y.js").replace("listen: 127.0.0.1:0", "listen: 127.0.0.1:1")))).toEqual(["listen", "servers.files"]);
});

test("settings come from the environment given, with defaults", () => {
  expect(settings({ LANYARD_TOKEN: "t", LANYARD_CONFIG: "" })).toMatchObject({ token: "t", config: "lanyard.yaml", credential: null, logLevel: "info" });
  expect(() => settings({ LANYARD_LOG: "loud" })).toThrow(/none of debug/);
});

test("egress: endpoints in their one form, roots by an absolute path; `web` is Lanyard's own name", () => {
  const { egress, agents } = parse('version: 1\nteams: { t: {} }\nagents: { a: { team: t, servers: [web] } }\negress: { tcp: ["DB.example:5432"], private: ["10.0.0.7:443", "[fd00::7]:443"], ca: roots.pem }\n');
  expect({ tcp: [...egress.tcp], private: [...egress.private], ca: egress.ca }).toEqual({ tcp: ["db.example:5432"], private: ["10.0.0.7:443", "[fd00::7]:443"], ca: "/srv/roots.pem" });
  expect(agents.get("a")?.servers).toEqual(["web"]);
  expect(parse("version: 1").egress).toEqual({ tcp: new Set(), private: new Set(), ca: null });
  for (const odd of ["db.example", "10.0.0.7:0", "0x7f.1:80", "db.example.:80", "https://db.example:1"]) expect(problems(`version: 1\negress: { private: ["${odd}"] }\n`)[0]).toContain("an endpoint is `host:port`");
  expect(problems("version: 1\nservers: { web: { command: x } }\n")[0]).toContain("is Lanyard's own name");
  expect(problems("version: 1\ntools: { web/GET: { effects: [read] } }\n")[0]).toContain("has a contract of Lanyard's own");
});
