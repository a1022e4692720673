import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ambient, DaemonProcess, program, World } from "../daemon.ts";
import { Outside } from "../kits/egress.ts";
import { SandboxGround, textOf } from "../kits/sandbox.ts";

// Programs as they are, in a sandbox, against servers of this test. None of them is told of Lanyard but by its environment.
const host = "127.0.0.2"; // of this machine, and not one of those that programs reach past a proxy
const folder = mkdtempSync(join(tmpdir(), "lanyard-clients-"));
const lacking = await (async () => {
  using ground = new SandboxGround();
  return await ground.drivers.process.probe(); // before the ground is taken away
})();

const run = (command: string, args: readonly string[], cwd = folder): string => {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd, encoding: "utf8", env: { PATH: process.env["PATH"], HOME: folder, GIT_AUTHOR_NAME: "a", GIT_AUTHOR_EMAIL: "a@b", GIT_COMMITTER_NAME: "a", GIT_COMMITTER_EMAIL: "a@b" } });
  if (status !== 0) throw new Error(`${command} ${args.join(" ")}: ${stderr}`);
  return stdout;
};

/** git's own server side, as a CGI program. */
function git(incoming: IncomingMessage, outgoing: ServerResponse, body: Buffer): void {
  const [path = "", query = ""] = (incoming.url ?? "").slice("/git".length).split("?");
  const child = spawn("git", ["http-backend"], {
    env: { PATH: process.env["PATH"], GIT_PROJECT_ROOT: join(folder, "repos"), GIT_HTTP_EXPORT_ALL: "1", REMOTE_USER: "agent", REQUEST_METHOD: incoming.method, PATH_INFO: path, QUERY_STRING: query, CONTENT_TYPE: incoming.headers["content-type"] ?? "", CONTENT_LENGTH: String(body.length), HTTP_CONTENT_ENCODING: incoming.headers["content-encoding"] ?? "", GIT_PROTOCOL: String(incoming.headers["git-protocol"] ?? "") },
  });
  child.stdin.on("error", () => {}).end(body); // It may be done before it has read all: what it says then counts.
  const chunks: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
  child.on("close", () => {
    const all = Buffer.concat(chunks);
    const cut = all.indexOf("\r\n\r\n");
    const headers = all.toString("latin1", 0, cut).split("\r\n").map((line) => line.split(": ") as [string, string]);
    const status = headers.find(([name]) => name === "Status")?.[1] ?? "200";
    outgoing.writeHead(Number.parseInt(status, 10), Object.fromEntries(headers.filter(([name]) => name !== "Status"))).end(all.subarray(cut + 4));
  });
}

function answer(incoming: IncomingMessage, outgoing: ServerResponse, body: Buffer): void {
  const { url = "" } = incoming;
  if (url.startsWith("/git/")) return git(incoming, outgoing, body);
  if (url === "/npm/thing") {
    const tarball = readFileSync(join(folder, "thing.tgz"));
    const dist = { tarball: `http://${host}:${registry.port}/npm/thing/-/thing-1.0.0.tgz`, shasum: createHash("sha1").update(tarball).digest("hex") };
    return void outgoing.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ name: "thing", "dist-tags": { latest: "1.0.0" }, versions: { "1.0.0": { name: "thing", version: "1.0.0", dist } } }));
  }
  if (url.endsWith(".tgz")) return void outgoing.writeHead(200, { "content-type": "application/octet-stream" }).end(readFileSync(join(folder, "thing.tgz")));
  if (url === "/simple/thing/") return void outgoing.writeHead(200, { "content-type": "text/html" }).end('<a href="/files/thing-1.0-py3-none-any.whl">thing-1.0-py3-none-any.whl</a>');
  if (url.endsWith(".whl")) return void outgoing.writeHead(200).end(readFileSync(join(folder, "thing-1.0-py3-none-any.whl")));
  outgoing.writeHead(200, { "content-type": "text/plain" }).end(`outside: ${incoming.method} ${url} ${body.length}\n`);
}

let server: Outside;
/** Without TLS, for npm: its way through a proxy checks the certificate of a server named by an address against `localhost`. */
let registry: Outside;
let world: World;
let daemon: DaemonProcess;

beforeAll(async () => {
  if (lacking) return;
  mkdirSync(join(folder, "work"));
  mkdirSync(join(folder, "repos"));
  mkdirSync(join(folder, "home"));
  mkdirSync(join(folder, "package"));
  writeFileSync(join(folder, "package/package.json"), '{"name":"thing","version":"1.0.0"}');
  run("tar", ["czf", "thing.tgz", "package"]);
  run("/usr/bin/python3", ["-c", `import zipfile
z = zipfile.ZipFile("thing-1.0-py3-none-any.whl", "w")
z.writestr("thing.py", "")
z.writestr("thing-1.0.dist-info/METADATA", "Metadata-Version: 2.1\\nName: thing\\nVersion: 1.0\\n")
z.writestr("thing-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\\nGenerator: x\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
z.writestr("thing-1.0.dist-info/RECORD", "")
z.close()`]);
  run("git", ["init", "-q", "--bare", "-b", "main", "repos/project"]);
  run("git", ["-C", "repos/project", "config", "http.receivepack", "true"]);
  run("git", ["init", "-q", "-b", "main", "seed"]);
  run("git", ["-C", "seed", "commit", "-q", "--allow-empty", "-m", "first"]);
  run("git", ["-C", "seed", "push", "-q", "../repos/project", "main"]);
  server = await Outside.open(answer, { name: host, host });
  registry = await Outside.open(answer, { host });
  world = new World({
    yaml: `teams: { build: {} }\nusers: { ana: {} }\nagents: { coder: { team: build } }\negress: { private: ["${host}:${server.port}", "${host}:${registry.port}"], ca: outside.pem }\n`,
    policies: { "web.cedar": `@id("org.build") @reason("The build's own server.") permit (principal, action in [Action::"web/GET", Action::"web/HEAD", Action::"web/POST"], resource == Host::"${host}");` },
  });
  writeFileSync(join(world.folder, "outside.pem"), server.ca);
  daemon = await DaemonProcess.start(world);
}, 60_000);

afterAll(async () => {
  await daemon?.[Symbol.asyncDispose]();
  world?.[Symbol.dispose]();
  await server?.[Symbol.asyncDispose]();
  await registry?.[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

describe("real programs work unchanged through the door", () => {
  it("curl over HTTP/1.1 and HTTP/2, python, git both ways, npm, pip; and what has no permit reads why", async ({ skip }) => {
    if (lacking) {
      process.stderr.write(`\n  SKIPPED: real programs behind the egress door: ${lacking}\n\n`);
      skip();
    }
    const base = `https://${host}:${server.port}`;
    const lines = [
      `curl -sS ${base}/curl`,
      `curl -sS --http2 -w '%{http_version}\\n' -d hello ${base}/curl2`,
      `/usr/bin/python3 -c "import urllib.request as u; print(u.urlopen('${base}/python').read().decode(), end='')"`,
      `git clone -q ${base}/git/project && cd project && git log --format=%s && git -c user.name=a -c user.email=a@b commit -q --allow-empty -m second && git push -q origin main && cd .. && echo pushed`,
      `mkdir n && cd n && echo '{}' > package.json && npm install --registry http://${host}:${registry.port}/npm/ --no-audit --no-fund --silent thing && ls node_modules && cd ..`,
      `/usr/bin/python3 -m pip download -q --no-cache-dir --disable-pip-version-check -i ${base}/simple thing && ls *.whl`,
      `curl -sS -o /dev/null -w '%{http_code}\\n' -X DELETE ${base}/gone`,
      `curl -sS https://elsewhere.example/`,
    ];
    const env = { ...ambient, HOME: process.env["HOME"], LANYARD_HOME: join(folder, "home"), LANYARD_LOG: "error" };
    const argv = [program, "--config", world.config, "run", "--isolation", "process", "--agent", "coder", "--on-behalf-of", "ana", "--purpose", "build", "--", "sh", "-c", `${lines.map((line) => `(${line}) 2>&1`).join("\n")}\n`];
    const child = spawn(process.execPath, argv, { cwd: join(folder, "work"), env, stdio: ["ignore", "pipe", "pipe"] });
    const [out, err] = await Promise.all([textOf(child.stdout), textOf(child.stderr)]);
    const [first, ...rest] = out.split("\n");
    expect([first, ...rest.slice(0, 9)], `${out}\n${err}\n${daemon.log}`).toEqual([
      ...["outside: GET /curl 0", "outside: POST /curl2 5", "2", "outside: GET /python 0", "first", "pushed", "thing", "thing-1.0-py3-none-any.whl", "403"],
      expect.stringContaining("no policy permits this call, and what is not permitted is denied"),
    ]);
    expect(run("git", ["-C", "repos/project", "log", "--format=%s", "main"])).toBe("second\nfirst\n");
  });
});
