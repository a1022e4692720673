import type { ChildProcess } from "node:child_process";
import { rmSync } from "node:fs";
import { PassThrough, type Readable, type Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { Fault, type Isolation } from "@lanyard/contract";
import type { Clock } from "../../../base/clock.ts";
import { Channel } from "./channel.ts";
import type { ExecRequest, Execution, Sandbox, SandboxEvent, SandboxLimit, SandboxSpec } from "./driver.ts";
import { enrol, killTree } from "./orphans.ts";
import { usageOf } from "./usage.ts";

export interface LiveOptions {
  readonly id: string;
  readonly tier: Isolation;
  readonly spec: SandboxSpec;
  readonly clock: Clock;
  /** The session's own folder, removed at its end. */
  readonly folder: string;
  /** Starts the process whose stdin and stdout are the agent's channel. */
  launch(): ChildProcess;
}

const lookMs = 200;
const startMs = 10_000;
const graceMs = 2000;
const stderrBytes = 4096;

/** A sandbox whose agent is reached over the stdin and stdout of a child process. */
export class LiveSandbox implements Sandbox {
  readonly id: string;
  readonly tier: Isolation;
  readonly #options: LiveOptions;
  readonly #listeners = new Set<(event: SandboxEvent) => void>();
  readonly #told = new Set<SandboxLimit>();
  readonly #running = new Set<Execution>();
  readonly #timers: { cancel(): void }[] = [];
  #child: ChildProcess | null = null;
  #channel: Channel | null = null;
  #closed: Promise<void> = Promise.resolve();
  #stderr = "";
  #state: "created" | "started" | "ended" = "created";

  constructor(options: LiveOptions) {
    this.id = options.id;
    this.tier = options.tier;
    this.#options = options;
  }

  async start(): Promise<void> {
    if (this.#state !== "created") throw new Fault("sandbox_ended", "a sandbox is started once");
    this.#state = "started";
    const { clock, spec, folder } = this.#options;
    const child = this.#options.launch();
    this.#child = child;
    this.#closed = new Promise((resolve) => child.once("close", () => resolve()).once("error", () => resolve()));
    child.stderr?.on("data", (chunk: Buffer) => (this.#stderr = `${this.#stderr}${chunk.toString()}`.slice(-stderrBytes)));
    const channel = new Channel({
      incoming: child.stdout as Readable,
      outgoing: child.stdin as Writable,
      clock,
      doors: spec.doors,
      limit: (limit) => this.#tell(limit),
      ended: (why) => void this.#end(why.message),
    });
    this.#channel = channel;
    if (child.pid !== undefined) enrol(folder, child.pid);
    const late = clock.after(startMs, () => channel.end(new Fault("sandbox_ended", `the guest did not answer within ${startMs} ms`)));
    try {
      await channel.ready();
    } catch (cause) {
      await this.#end("it could not be started");
      throw new Fault("isolation_unavailable", `the sandbox could not be started: ${this.#stderr.trim().split("\n").at(-1) || (cause as Error).message}`, { cause });
    } finally {
      late.cancel();
    }
    this.#emit({ kind: "started" });
    this.#timers.push(clock.after(spec.limits.wallMs, () => this.#over("wall")));
    this.#watch();
  }

  exec(request: ExecRequest): Execution {
    const execution = this.#open().exec(request, this.#options.spec.workspace);
    this.#running.add(execution);
    const forget = () => void this.#running.delete(execution);
    execution.ended.then(forget, forget);
    return execution;
  }

  async put(folder: string, tar: Readable): Promise<void> {
    const { stdin, stdout, stderr, ended } = this.#tar(["-x", "-f", "-", "-C", folder]);
    stdout.resume();
    const said = textOf(stderr);
    await pipeline(tar, stdin).catch(() => {}); // How tar ended tells more than the broken pipe does.
    await check(ended, said);
  }

  get(folder: string): Readable {
    const { stdin, stdout, stderr, ended } = this.#tar(["-c", "-f", "-", "-C", folder, "."]);
    stdin.end();
    const said = textOf(stderr);
    const bytes = new PassThrough();
    stdout.pipe(bytes, { end: false });
    check(ended, said).then(() => bytes.end(), (error: Error) => bytes.destroy(error));
    return bytes;
  }

  ping(): Promise<void> {
    return this.#open().ping();
  }

  async stop(): Promise<void> {
    const running = [...this.#running];
    for (const { signal } of running) signal(15);
    if (running.length > 0) await Promise.race([Promise.allSettled(running.map(({ ended }) => ended)), this.#options.clock.pause(graceMs)]);
    await this.destroy();
  }

  destroy(): Promise<void> {
    return this.#end("");
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.destroy();
  }

  onEvent(listener: (event: SandboxEvent) => void): { stop(): void } {
    this.#listeners.add(listener);
    return { stop: () => void this.#listeners.delete(listener) };
  }

  #open(): Channel {
    if (this.#channel && this.#state === "started") return this.#channel;
    throw new Fault("sandbox_ended", `sandbox \`${this.id}\` ${this.#state === "created" ? "was not started" : "has ended"}`);
  }

  #tar(args: readonly string[]): Execution {
    return this.exec({ command: "tar", args, environment: { PATH: "/usr/local/bin:/usr/bin:/bin" } });
  }

  /** Invariant: on return no process of the sandbox runs, and its folder is gone. */
  async #end(why: string): Promise<void> {
    const first = this.#state !== "ended";
    this.#state = "ended";
    if (first) {
      for (const timer of this.#timers.splice(0)) timer.cancel();
      this.#channel?.end(new Fault("sandbox_ended", why || `sandbox \`${this.id}\` was ended`)); // closes the agent's stdin, which ends it too
      const pid = this.#child?.pid;
      if (pid !== undefined && this.#child?.exitCode === null && this.tier !== "none") killTree(pid);
    }
    await this.#closed;
    rmSync(this.#options.folder, { recursive: true, force: true });
    if (first) this.#emit({ kind: "ended", why });
  }

  #watch(): void {
    const { limits } = this.#options.spec;
    const pid = this.#child?.pid;
    if (pid === undefined || this.#state !== "started") return;
    const { cpuMs, memoryBytes, processes, files } = usageOf(pid);
    if (memoryBytes > limits.memoryBytes) return this.#over("memory");
    if (cpuMs > limits.cpuMs) return this.#over("cpu");
    if (processes >= limits.processes) this.#tell("processes");
    if (files >= limits.files) this.#tell("files");
    this.#timers[1] = this.#options.clock.after(lookMs, () => this.#watch());
  }

  /** Past a limit that ends the session. */
  #over(limit: SandboxLimit): void {
    this.#tell(limit);
    void this.#end(`it is over its limit of ${limit}`);
  }

  #tell(limit: SandboxLimit): void {
    if (this.#told.has(limit)) return;
    this.#told.add(limit);
    this.#emit({ kind: "limit", limit });
  }

  #emit(event: SandboxEvent): void {
    for (const listener of this.#listeners) listener(event);
  }
}

async function textOf(stream: Readable): Promise<string> {
  let text = "";
  for await (const chunk of stream) if (text.length < stderrBytes) text += String(chunk);
  return text;
}

async function check(ended: Execution["ended"], said: Promise<string>): Promise<void> {
  const { kind, value } = await ended;
  if (kind !== "exited" || value !== 0) throw new Fault("invalid_request", `tar ${kind} with ${value}: ${(await said).trim().slice(0, 500)}`);
}
