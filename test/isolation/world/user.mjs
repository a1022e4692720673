// What runs in the sandbox: uses every credential that it has a placeholder of, in right and wrong ways, and writes all it gets and all it can read to stdout.
// Arguments: the upstream `host:port`, another one, an upstream with TLS.
import { execFileSync } from "node:child_process";
import { lstatSync, readdirSync, readFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { createGunzip } from "node:zlib";

const [upstream, other, secure] = process.argv.slice(2);
const { KEY_FILE, KEY_ENV, KEY_SYSTEMD, KEY_VAULT, KEY_APPROLE, KEY_EXCHANGE, KEY_TLS, KEY_BAD, KEY_OPEN, KEY_LOCAL, KEY_REFUSED, KEY_UNEXCHANGED, KEY_REVOKED } = process.env;

/** A request through the door. Resolves with everything that came back, or what went wrong, and writes it down. */
function ask(what, { path = "/", headers = {}, method = "GET", body = "", host = upstream }) {
  return new Promise((done) => {
    const end = (text) => {
      process.stdout.write(`\n== ${what}: ${text}\n`);
      done(text);
    };
    const asked = request({ host: "127.0.0.1", port: 3128, method, path: `http://${host}${path}`, headers: { host, connection: "close", ...headers } }, (answer) => {
      let text = `${answer.statusCode} ${answer.statusMessage}\n${answer.rawHeaders.join("\n")}\n\n`;
      const body = answer.headers["content-encoding"] === "gzip" ? answer.pipe(createGunzip()) : answer;
      body.on("data", (chunk) => (text += chunk.toString("latin1"))).once("end", () => end(text));
      for (const each of [answer, body]) each.once("error", (error) => end(`${text}(${error.message})`));
    });
    asked.once("error", (error) => end(`(${error.message})`));
    asked.end(body);
  });
}

/** An MCP call through the other door. */
async function call(name, args = {}) {
  const meta = { "io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientInfo": { name: "user", version: "1" }, "io.modelcontextprotocol/clientCapabilities": {}, progressToken: 7, "io.modelcontextprotocol/logLevel": "debug" };
  const headers = { "content-type": "application/json", accept: "application/json, text/event-stream", "mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call", "mcp-name": name };
  const text = await fetch(process.env.LANYARD_MCP_URL, { method: "POST", headers, body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name, arguments: args, _meta: meta } }) }).then((answer) => answer.text(), String);
  process.stdout.write(`\n== call ${name}: ${text}\n`);
}

/** Stays in memory to the end, where it can be found. */
const own = readdirSync(".").map((name) => readFileSync(name));

const basic = (password, user = "user") => `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
const [, forGit] = /password=%s\\n' '[^']*' '([^']*)'/.exec(process.env.GIT_CONFIG_VALUE_0) ?? [];
const uses = {
  file: { headers: { authorization: `Bearer ${KEY_FILE}` } },
  env: { headers: { "x-env": KEY_ENV } },
  systemd: { query: `key=${KEY_SYSTEMD}` },
  vault: { headers: { authorization: basic(KEY_VAULT) } },
  approle: { headers: { "x-approle": KEY_APPROLE } },
  askpass: { headers: { authorization: basic(forGit, "git") } },
  exchange: { headers: { "x-exchange": KEY_EXCHANGE } },
};
for (const [name, { headers = {}, query = "" }] of Object.entries(uses)) {
  for (const way of ["echo", "fail", "moved"]) await ask(`${name} ${way}`, { path: `/${way}?${query}`, headers });
}
const lent = uses.file.headers;
await ask("gzip", { path: "/gzip", headers: { ...lent, "accept-encoding": "gzip" } });
await ask("type", { path: "/type", headers: lent });
for (const range of ["bytes=0-24", "bytes=20-60"]) await ask(`range ${range}`, { path: "/range", headers: { ...lent, range } });
await ask("remembered", { path: "/remembered" });
await ask("head", { path: "/echo", headers: lent, method: "HEAD" });
await ask("broken off", { path: "/broken", headers: lent });

// Where a placeholder does not belong; what policy denies; what cannot be had.
await ask("other host", { host: other, headers: lent });
await ask("in the path", { path: `/echo/${KEY_FILE}` });
await ask("in the body", { path: "/echo", method: "POST", body: `text=${KEY_FILE}` });
await ask("denied", { path: "/denied", headers: lent });
await ask("bad", { path: "/echo", headers: { "x-bad": KEY_BAD } });
await ask("open", { path: "/echo", headers: { "x-open": KEY_OPEN } });
await ask("refused by its keeper", { path: "/echo", headers: { "x-refused": KEY_REFUSED } });
await ask("refused by the token endpoint", { path: "/echo", headers: { "x-unexchanged": KEY_UNEXCHANGED } });
await ask("local", { path: "/echo", headers: { "x-local": KEY_LOCAL } });
await call("tell", { text: KEY_FILE });
try {
  const curl = ["-sS", "-i", "--max-time", "20", "--noproxy", "", "-x", "http://127.0.0.1:3128", "-H", `x-tls: ${KEY_TLS}`, `https://${secure}/echo`];
  process.stdout.write(`\n== tls: ${execFileSync("curl", curl, { encoding: "latin1", stdio: ["ignore", "pipe", "pipe"] })}\n`);
} catch (error) {
  process.stdout.write(`\n== tls: ${error.stderr}\n`);
}

for (const name of ["tell", "fail", "error", "progress", "stderr", "noise", "garble", "crash", "web_tell", "web_error", "web_page", "web_stream", "plain_tell", "plain_stderr"]) await call(name);

// What can be read inside, but for the system's programs.
process.stdout.write(`\n== core limit: ${execFileSync("sh", ["-c", "ulimit -H -c"], { encoding: "latin1" })}`);
try {
  execFileSync("sh", ["-c", "ulimit -c unlimited; kill -SEGV $$"], { stdio: "ignore" });
} catch {
  // It died, as it should, and left no core.
}
const skipped = new Set(["/usr", "/bin", "/sbin", "/lib", "/lib64", "/proc", "/sys", "/dev"]);
const read = (path) => {
  try {
    process.stdout.write(`\n== file ${path}\n`);
    process.stdout.write(readFileSync(path));
  } catch {
    // It may not be read, or is gone.
  }
};
const walk = (folder) => {
  let names = [];
  try {
    names = readdirSync(folder);
  } catch {
    return;
  }
  for (const name of names) {
    const path = join(folder, name);
    if (skipped.has(path)) continue;
    const stat = lstatSync(path, { throwIfNoEntry: false });
    if (stat?.isDirectory()) walk(path);
    else if (stat?.isFile()) read(path);
    else process.stdout.write(`\n== other ${path}\n`);
  }
};
walk("/");
for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) for (const what of ["environ", "cmdline", "status", "limits", "mountinfo", "maps"]) read(`/proc/${pid}/${what}`);

await ask("held", { path: "/hold", headers: lent });
await ask("revoked", { path: "/revoke", headers: { "x-revoked": KEY_REVOKED } });
await ask("killed", { path: "/kill", headers: lent });
process.exitCode = own.length > 0 ? 0 : 1;
