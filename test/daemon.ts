import { spawn, type ChildProcess } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { client, daemonTransport, type Client } from "../server/src/cli/client.ts";

export const program = resolve(import.meta.dirname, "../server/src/cli/main.ts");

const { PATH, NODE_COMPILE_CACHE } = process.env;
/** What of the environment the program gets in every test. Without what Node compiled before, it takes half as long again to start. */
export const ambient: Readonly<Record<string, string | undefined>> = { PATH, ...(NODE_COMPILE_CACHE && { NODE_COMPILE_CACHE }) };

/** A folder of its own with lanyard.yaml and policies, removed at the end. `yaml` is everything but version, listen, data and policies. */
export class World implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), "lanyard-test-"));
  readonly config = join(this.folder, "lanyard.yaml");
  readonly data = join(this.folder, "data");

  constructor({ yaml, policies, data }: { yaml: string; policies: Readonly<Record<string, string>>; data?: string }) {
    if (data) this.data = data;
    mkdirSync(this.data, { recursive: true, mode: 0o700 });
    writeFileSync(this.config, `version: 1\nlisten: 127.0.0.1:0\ndata: ${this.data}\npolicies: policies\n${yaml}`);
    mkdirSync(join(this.folder, "policies"));
    for (const [name, text] of Object.entries(policies)) this.policy(name, text);
  }

  policy(name: string, text: string): void {
    writeFileSync(join(this.folder, "policies", name), text);
  }

  operator(token?: string): Client {
    return client(daemonTransport(join(this.data, "operator.sock")), token);
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** The real daemon in a process of its own. */
export class DaemonProcess implements AsyncDisposable {
  readonly url: string;
  readonly #child: ChildProcess;
  readonly #ended: Promise<number | null>;
  readonly #stderr: string[];

  private constructor(child: ChildProcess, url: string, ended: Promise<number | null>, stderr: string[]) {
    this.#child = child;
    this.url = url;
    this.#ended = ended;
    this.#stderr = stderr;
  }

  /** `through`: a command that starts the daemon as its last words say, for instance in another network namespace. */
  static async start(world: World, environment: Readonly<Record<string, string>> = {}, through: readonly string[] = []): Promise<DaemonProcess> {
    const [command = "", ...args] = [...through, process.execPath, program];
    const child = spawn(command, [...args, "--config", world.config, "serve", "--json"], {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...ambient, HOME: world.folder, ...environment },
    });
    const stderr: string[] = [];
    child.stderr.on("data", (chunk: Buffer) => stderr.push(chunk.toString()));
    const ended = new Promise<number | null>((done) => child.on("close", done));
    const line = await new Promise<string>((done, fail) => {
      let text = "";
      child.stdout.on("data", (chunk: Buffer) => {
        text += chunk.toString();
        if (text.includes("\n")) done(text);
      });
      void ended.then((code) => fail(new Error(`the daemon ended with ${code} before it listened:\n${stderr.join("")}`)));
    });
    return new DaemonProcess(child, (JSON.parse(line) as { url: string }).url, ended, stderr);
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get log(): string {
    return this.#stderr.join("");
  }

  /** SIGKILL, or what a crash inside is: no chance to write anything. */
  async kill(signal: "SIGKILL" | "SIGABRT" = "SIGKILL"): Promise<void> {
    this.#child.kill(signal);
    await this.#ended;
  }

  /** SIGTERM and the exit code. */
  async stop(): Promise<number | null> {
    if (this.#child.exitCode === null) this.#child.kill("SIGTERM");
    return this.#ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

/** Waits until `condition` holds; the bound is for a broken program, not a measurement. */
export async function until(condition: () => boolean | Promise<boolean>, what: string, boundMs = 90_000): Promise<void> {
  const end = Date.now() + boundMs;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`waited ${boundMs} ms in vain until ${what}`);
    await new Promise((resume) => setTimeout(resume, 25));
  }
}

/** Approves everything the server's catalog holds, once its tools have been seen. */
export async function approveCatalog(operator: Client, server: string): Promise<void> {
  const tools = async (): Promise<{ server: string }[]> => (await operator.call<{ tools: { server: string }[] }>("catalog_list")).tools.filter((tool) => tool.server === server);
  await until(async () => (await tools()).length > 0, `the tools of \`${server}\` were seen`);
  await operator.call("catalog_approve", { body: { server } });
}

export interface ToolAnswer {
  readonly status: number;
  readonly body: { readonly result?: { readonly isError?: boolean; readonly content?: { readonly text?: string }[] }; readonly error?: { readonly code: number; readonly message: string; readonly data?: unknown } };
}

let nextId = 1;

/** One stateless (2026-07-28) JSON-RPC request over plain HTTP. Answers in JSON and in one SSE event look the same to the caller. */
export async function post(url: string, token: string | null, method: string, params: Record<string, unknown>, signal?: AbortSignal): Promise<ToolAnswer> {
  const meta = { "io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientInfo": { name: "test", version: "1.0.0" }, "io.modelcontextprotocol/clientCapabilities": {} };
  const name = typeof params["name"] === "string" ? params["name"] : typeof params["uri"] === "string" ? params["uri"] : undefined;
  const response = await fetch(url, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      "mcp-protocol-version": "2026-07-28",
      "mcp-method": method,
      ...(name !== undefined && { "mcp-name": name }),
      ...(token !== null && { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify({ jsonrpc: "2.0", id: nextId++, method, params: { ...params, _meta: meta } }),
    ...(signal && { signal }),
  });
  const text = await response.text();
  const last = text.startsWith("event:") || text.startsWith("data:") || text.startsWith(":") ? text.split("\n").findLast((line) => line.startsWith("data:"))?.slice(5) : text;
  return { status: response.status, body: JSON.parse(last || "{}") as ToolAnswer["body"] };
}

export const callTool = (url: string, token: string | null, name: string, args: Record<string, unknown>, signal?: AbortSignal): Promise<ToolAnswer> =>
  post(`${url}/mcp`, token, "tools/call", { name, arguments: args }, signal);
