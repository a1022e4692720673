import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { Fault, type JsonObject } from "@lanyard/contract";
import type { Command } from "commander";
import { systemClock } from "../base/clock.ts";
import { systemEnvironment, type Environment } from "../base/config/environment.ts";
import { loadConfig } from "../base/config/read.ts";
import { logger } from "../base/log.ts";
import { compose, type Daemon } from "../compose.ts";
import { cardLines } from "./approvals.ts";
import { verifyLines } from "./audit.ts";
import { client, localTransport, type Client } from "./client.ts";
import type { Context } from "./context.ts";
import { run } from "./run.ts";
import { runApi } from "./run-session.ts";
import { exit } from "./terminal.ts";
import { timelineLine, type LogLine } from "./timeline.ts";

const source = resolve(import.meta.dirname, "../../..");

export function demoVerb(program: Command, context: Context): void {
  program
    .command("demo")
    .description("the whole path on a scratch world: three real MCP servers, one agent, one call allowed, one denied, one held")
    .option("--once", "end after the show instead of serving on")
    .option("--port <port>", "port on loopback; 0 picks a free one", "7420")
    .addHelpText("after", "\nExample:\n  npm start -- --once")
    .action(async (options: { once?: boolean; port: string }) => {
      const environment = systemEnvironment();
      const folder = resolve(source, ".lanyard/demo");
      const step = heading(context);

      step("A scratch world", "a folder, a git repository, a database, and a configuration with three MCP servers over them");
      await prepare(folder, environment, options.port);
      mkdirSync(join(folder, "data"), { recursive: true, mode: 0o700 });
      const logFile = join(folder, "daemon.log");
      const log = logger({ clock: systemClock, write: (line) => writeFileSync(logFile, line, { flag: "a", mode: 0o600 }) });
      await using daemon = await compose({ config: loadConfig(join(folder, "lanyard.yaml")), environment, log });
      context.out(`  the daemon listens at ${daemon.url}/mcp; ledger and keys in ${join(folder, "data")}; its log in ${logFile}`);

      const show = new Show(context, daemon, environment);
      await show.catalog(step);
      const passed = await show.session(step, join(folder, "world"));
      await show.undo(step);
      const intact = await show.verify(step, join(folder, "data"));
      show.connect(step, folder);
      if (!passed || !intact) process.exitCode = exit.failed;
      if (options.once) return;
      context.out("\nThe daemon serves on; Ctrl-C ends it. New entries appear here as they happen.");
      await show.serveOn();
    });
}

const heading = (context: Context) => {
  let number = 0;
  return (title: string, what: string): void => context.out(`\n${context.colour.bold(`${++number}. ${title}`)}: ${what}`);
};
type Step = ReturnType<typeof heading>;

async function prepare(folder: string, environment: Environment, port: string): Promise<void> {
  const servers = environment["LANYARD_DEMO_SERVERS"];
  if (!servers) throw new Fault("invalid_request", "the demo's MCP servers are installed by `npm start`; use that instead of `lanyard demo`");
  const { makeWorld } = (await import(pathToFileURL(join(source, "demo/world.mjs")).href)) as { makeWorld(folder: string): void };
  makeWorld(join(folder, "world"));
  if (!existsSync(join(folder, "policies"))) cpSync(join(source, "demo/policies"), join(folder, "policies"), { recursive: true });
  const places: Record<string, string> = { NODE: process.execPath, SERVERS: servers, WORLD: join(folder, "world"), PORT: port };
  const template = readFileSync(join(source, "demo/lanyard.yaml"), "utf8");
  writeFileSync(join(folder, "lanyard.yaml"), template.replace(/@([A-Z]+)@/g, (all, name: string) => places[name] ?? all));
}

class Show {
  readonly #context: Context;
  readonly #daemon: Daemon;
  readonly #environment: Environment;
  readonly #operator: Client;
  #session = "";

  constructor(context: Context, daemon: Daemon, environment: Environment) {
    this.#context = context;
    this.#daemon = daemon;
    this.#environment = environment;
    this.#operator = this.#as(undefined);
  }

  #as(token: string | undefined): Client {
    return client(localTransport((request) => this.#daemon.api(request, { operator: token === undefined })), token);
  }

  async catalog(step: Step): Promise<void> {
    step("The catalog", "a server's tools are quarantined until an operator has looked at them, and again whenever they change");
    await this.#daemon.ready();
    const { tools } = await this.#operator.call<{ tools: { server: string; state: string }[] }>("catalog_list");
    for (const server of new Set(tools.map((tool) => tool.server))) {
      const held = tools.filter((tool) => tool.server === server && tool.state === "quarantined").length;
      if (held > 0) await this.#operator.call("catalog_approve", { body: { server } });
      const all = tools.filter((tool) => tool.server === server).length;
      this.#context.out(`  ${server}: ${all} tools, ${held > 0 ? `${held} quarantined, now approved (\`lanyard catalog approve ${server}\`)` : "approved before"}`);
    }
    await this.#daemon.settled();
  }

  /** True when the agent's program ended well and the show had an allow, a deny and an approved ask in it. */
  async session(step: Step, world: string): Promise<boolean> {
    step("A session", "agent `clerk` works for user `ben`; the timeline is the ledger as it is written (seq, time, decision, who, what, why)");
    const { secret } = await this.#operator.call<{ secret: string }>("credential_issue", { body: { kind: "user", name: "ana" } });
    const ended = new AbortController();
    const seen: LogLine[] = [];
    const timeline = this.#timeline(ended.signal, (line) => {
      seen.push(line);
      if (line.type === "session.open") this.#session = line.session;
      if (line.type === "approval.request") void this.#approve(line.id, secret).catch((error: unknown) => this.#context.err(String(error)));
    });
    const options = { agent: "clerk", onBehalfOf: "ben", purpose: "the demo" };
    const api = runApi(this.#operator, async (token) => this.#as(token), options);
    const say = (line: string): void => this.#context.out(line);
    const code = await run({ api, environment: this.#environment, say, command: process.execPath, args: [join(source, "demo/agent.mjs"), world] });
    ended.abort();
    await timeline;
    const effects = seen.flatMap((line) => (line.type === "decision" ? [line.approval ? "approved" : line.effect] : []));
    return code === 0 && ["allow", "deny", "ask", "approved"].every((effect) => effects.includes(effect as "allow"));
  }

  async #timeline(signal: AbortSignal, each: (line: LogLine) => void): Promise<void> {
    const subscription = this.#daemon.store.follow((record) => {
      if (record.type.startsWith("access.")) return;
      const line = { ...record, ...this.#daemon.why(record) } as LogLine;
      this.#context.out(timelineLine(line, this.#context.colour));
      each(line);
    });
    await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
    subscription.stop();
  }

  /** Ana's part: she looks at the card for a moment, then approves it with her own credential. */
  async #approve(id: string, credential: string): Promise<void> {
    const { out, colour } = this.#context;
    const ana = this.#as(credential);
    await new Promise((resolve) => setTimeout(resolve, 1500));
    const { approvals } = await ana.call<{ approvals: JsonObject[] }>("approval_list");
    out(colour.magenta("        ana sees (`lanyard approvals`):"));
    for (const card of approvals.filter((one) => one["id"] === id)) for (const line of cardLines(card)) out(colour.magenta(`          ${line}`));
    await new Promise((resolve) => setTimeout(resolve, 1500));
    await ana.call("approval_decide", { at: { id }, body: { verdict: "approve", comment: "the report is fine" } });
    out(colour.magenta(`        ana: yes (\`lanyard approve ${id}\`)`));
  }

  async undo(step: Step): Promise<void> {
    step("The way back", `\`lanyard undo ${this.#session}\` takes back what the session changed, and reads it again: restored is what is as it was before`);
    for await (const line of this.#operator.lines<JsonObject>("undo", { at: { id: this.#session }, body: {} })) {
      if (line["kind"] === "step") this.#context.out(`  ${String(line["seq"])}  ${String(line["action"])}  ${String(line["verdict"])}: ${String(line["says"])}`);
    }
  }

  async verify(step: Step, data: string): Promise<boolean> {
    step("The proof", "`lanyard audit verify` recomputes every leaf, the tree and every signature");
    const { lines, intact } = await verifyLines(data, {}, this.#context);
    for (const line of lines) this.#context.out(`  ${line}`);
    return intact;
  }

  connect(step: Step, folder: string): void {
    step("Your own agent", "put it on the leash");
    const config = `--config ${join(folder, "lanyard.yaml")}`;
    for (const line of [
      `  npm run lanyard -- ${config} run --agent clerk --on-behalf-of ben --purpose "try it" -- <your command>`,
      "      gives it LANYARD_MCP_URL, LANYARD_TOKEN and an .mcp.json-style file at LANYARD_MCP_CONFIG",
      `  npm run lanyard -- ${config} connect claude --agent clerk     (or codex, gemini)`,
      `  npm run lanyard -- ${config} log -f                           who did what, as it happens`,
      `  edit ${join(folder, "policies")}: a change is live within a second`,
    ]) {
      this.#context.out(line);
    }
  }

  async serveOn(): Promise<void> {
    const ended = new AbortController();
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => ended.abort());
    await this.#timeline(ended.signal, () => {});
  }
}
