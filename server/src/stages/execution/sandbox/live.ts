import type { ChildProcess } from "node:child_process";
import { rmSync } from "node:fs";
import { PassThrough, type Readable, type Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { Fault, type Isolation } from "@lanyard/contract";
import type { Clock } from "../../../base/clock.ts";
import { sharedMemoryBytes } from "./bubblewrap.ts";
import { ControlGroups, groupFolders } from "./cgroup.ts";
import { Channel } from "./channel.ts";
import type { ExecRequest, Execution, Sandbox, SandboxEvent, SandboxLimit, SandboxSpec, SandboxSnapshot } from "./driver.ts";
import { enrol, heldName, killTree } from "./orphans.ts";
import { processState, treeOf, usageOf } from "./usage.ts";

export interface LiveOptions {
  readonly id: string;
  readonly tier: Isolation;
  readonly spec: SandboxSpec;
  readonly clock: Clock;
  /** The session's own folder, removed at its end; null when the guest brings its own. */
  readonly folder: string | null;
  /** Present when the guest has a kernel of its own, which takes this much memory beside what the session may. */
  readonly kernel?: { readonly overheadBytes: number };
  /** What this kind of sandbox can do beyond; called while it lives. */
  readonly verbs?: { pause(): Promise<void>; resume(): Promise<void>; readonly snapshot?: () => Promise<SandboxSnapshot> };
  /**
   * Starts what the agent runs in. `around` puts a command into the control groups of the session, and so whatever comes of it; `adopt` does so
   * with processes that were started before.
   */
  launch(around: (command: readonly string[]) => string[], adopt: (pids: readonly number[]) => Promise<void>): Guest | Promise<Guest>;
}

/** A guest that was started: the process that holds it, and its agent's channel. */
export interface Guest {
  readonly process: ChildProcess;
  readonly incoming: Readable;
  readonly outgoing: Writable;
  /** What the agent is told before it greets. */
  readonly preface?: Uint8Array;
  /** Resolves when it is held to the session's caps, if it was not from its first moment. */
  readonly held?: Promise<void>;
  /** Called once the process has ended. */
  readonly release?: () => void;
}

/** A process whose stdin and stdout are the agent's channel. */
export const overStdio = (process: ChildProcess): Guest => ({ process, incoming: process.stdout as Readable, outgoing: process.stdin as Writable });

const lookMs = 200;
/** Looks without an answer of the guest agent, after which it counts as gone: 20 s. Counted, not timed, since we may have slept ourselves. */
const silentLooks = 100;
const slackBytes = 32 * 1024 * 1024;
const startMs = 20_000;
const graceMs = 2000;
const stderrBytes = 4096;
/** tar's exit code when files changed while it read them. */
const changedMeanwhile = 1;

/** A sandbox whose agent is reached over one channel. */
export class LiveSandbox implements Sandbox {
  readonly id: string;
  readonly tier: Isolation;
  readonly workspace: string;
  readonly pause?: () => Promise<void>;
  readonly resume?: () => Promise<void>;
  readonly snapshot?: () => Promise<SandboxSnapshot>;
  readonly #options: LiveOptions;
  readonly #listeners = new Set<(event: SandboxEvent) => void>();
  readonly #told = new Set<SandboxLimit>();
  readonly #running = new Set<Execution>();
  readonly #timers: { cancel(): void }[] = [];
  readonly #folders: readonly string[];
  readonly #groups: ControlGroups;
  #guest: Guest | null = null;
  #channel: Channel | null = null;
  #closed: Promise<void> = Promise.resolve();
  #stderr = "";
  /** Looks since the guest agent answered. */
  #silent = 0;
  #isPaused = false;
  #state: "created" | "started" | "ended" = "created";

  constructor(options: LiveOptions) {
    this.id = options.id;
    this.tier = options.tier;
    this.workspace = options.spec.workspace;
    this.#options = options;
    this.#folders = groupFolders(heldName(options.id));
    this.#groups = new ControlGroups(this.#folders);
    const { verbs } = options;
    if (!verbs) return;
    this.pause = async () => {
      this.#open();
      await verbs.pause();
      this.#isPaused = true;
    };
    this.resume = async () => {
      this.#open();
      await verbs.resume();
      this.#isPaused = false;
    };
    const { snapshot } = verbs;
    if (!snapshot) return;
    this.snapshot = async () => {
      const channel = this.#open();
      if (!channel.isIdle()) throw new Fault("invalid_request", `sandbox \`${this.id}\` cannot be copied while a command runs in it; wait until it has ended`);
      await channel.ping(); // Nothing is under way then, of which a copy would get one half.
      return snapshot();
    };
  }

  async start(): Promise<void> {
    if (this.#state !== "created") throw new Fault("sandbox_ended", "a sandbox is started once");
    this.#state = "started";
    const { clock, spec } = this.#options;
    const channel = this.#adopt(await this.#launch());
    const late = clock.after(startMs, () => channel.end(new Fault("sandbox_ended", `the guest did not answer within ${startMs} ms`)));
    try {
      await Promise.all([channel.ready(), this.#guest?.held]);
    } catch (cause) {
      await this.#end("it could not be started");
      throw unstarted(this.#stderr.trim().split("\n").at(-1) || (cause as Error).message, cause);
    } finally {
      late.cancel();
    }
    this.#emit({ kind: "started" });
    this.#timers.push(clock.after(spec.limits.wallMs, () => this.#over("wall")));
    this.#lookLater();
  }

  exec(request: ExecRequest): Execution {
    const execution = this.#open().exec(request, this.#options.spec.workspace);
    this.#running.add(execution);
    const forget = () => void this.#running.delete(execution);
    execution.ended.then(forget, forget);
    return execution;
  }

  async put(folder: string, tar: Readable): Promise<void> {
    const { stdin, stdout, stderr, ended } = this.#tar(["-x", "-p", "--no-same-owner", "-f", "-", "-C", folder]);
    stdout.resume();
    const said = textOf(stderr);
    await pipeline(tar, stdin).catch(() => {}); // How tar ended tells more than the broken pipe does.
    await check(ended, said, 0);
  }

  get(folder: string): Readable {
    const { stdin, stdout, stderr, ended } = this.#tar(["-c", "--hard-dereference", "--one-file-system", "-f", "-", "-C", folder, "."]);
    stdin.end();
    const said = textOf(stderr);
    const bytes = new PassThrough();
    stdout.pipe(bytes, { end: false });
    check(ended, said, changedMeanwhile).then(() => bytes.end(), (error: Error) => bytes.destroy(error));
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

  async #launch(): Promise<Guest> {
    try {
      const { spec: { limits }, kernel, folder } = this.#options;
      if (folder !== null) enrol(folder, { groups: this.#folders });
      const heldBytes = kernel?.overheadBytes ?? 2 * limits.diskBytes + sharedMemoryBytes; // Folders in memory count for a group.
      this.#groups.create({ memoryBytes: Math.round(1.1 * (limits.memoryBytes + heldBytes)) + slackBytes, processes: kernel ? 4 * limits.processes + 512 : limits.processes + 64 });
      return await this.#options.launch((command) => this.#groups.around(command), (pids) => this.#groups.adopt(pids));
    } catch (cause) {
      await this.#end("it could not be started");
      throw unstarted((cause as Error).message, cause);
    }
  }

  #adopt(guest: Guest): Channel {
    const { clock, spec, folder } = this.#options;
    const { process: child, incoming, outgoing, preface } = guest;
    this.#guest = guest;
    this.#closed = new Promise<void>((resolve) => {
      if (child.exitCode !== null || child.signalCode !== null) resolve(); // One that was ready before may have ended before.
      child.once("close", () => resolve()).once("error", () => resolve());
    }).then(() => guest.release?.());
    child.stderr?.on("data", (chunk: Buffer) => (this.#stderr = `${this.#stderr}${chunk.toString()}`.slice(-stderrBytes)));
    if (preface) outgoing.write(preface);
    const channel = new Channel({ incoming, outgoing, clock, doors: spec.doors, limit: (limit) => this.#met(limit), whyLost: () => (this.#groups.hits().memory ? overLimit("memory") : null), ended: (why) => void this.#end(why.message) });
    this.#channel = channel;
    if (child.pid !== undefined && folder !== null) enrol(folder, { sandbox: child.pid });
    if (this.#hasEnded()) this.#kill(); // It was destroyed meanwhile.
    return channel;
  }

  #hasEnded(): boolean {
    return this.#state === "ended";
  }

  #kill(why = ""): void {
    this.#channel?.end(new Fault("sandbox_ended", why || `sandbox \`${this.id}\` was ended`)); // closes the agent's stdin, which ends it too
    const child = this.#guest?.process;
    if (child?.pid !== undefined && child.exitCode === null && this.tier !== "none") killTree(child.pid);
  }

  #open(): Channel {
    if (this.#channel && this.#state === "started") return this.#channel;
    throw new Fault("sandbox_ended", `sandbox \`${this.id}\` ${this.#state === "created" ? "was not started" : "has ended"}`);
  }

  #tar(args: readonly string[]): Execution {
    return this.exec({ command: "tar", args, environment: { PATH: "/usr/local/bin:/usr/bin:/bin" } });
  }

  /** Invariant: on return no process of the sandbox runs, and its folder and groups are gone. */
  async #end(why: string): Promise<void> {
    const first = this.#state !== "ended";
    this.#state = "ended";
    const { folder, clock } = this.#options;
    if (first) {
      for (const timer of this.#timers.splice(0)) timer.cancel();
      if (why === overLimit("memory")) this.#tell("memory"); // It may be the guest agent whom the kernel chose to kill.
      this.#kill(why);
    }
    await this.#closed;
    for (let round = 0; !this.#groups.remove() && round < 200; round++) await clock.pause(10);
    if (folder !== null) rmSync(folder, { recursive: true, force: true });
    if (first) this.#emit({ kind: "ended", why });
  }

  #watch(): void {
    const { spec: { limits }, kernel } = this.#options;
    const pid = this.#guest?.process.pid;
    if (pid === undefined || this.#state !== "started") return;
    const held = this.#groups.members(); // Its groups know who is in them; without, all of the machine's processes have to be looked through.
    const { cpuMs, memoryBytes } = usageOf(held.length > 0 ? held.flatMap((one) => processState(one) ?? []) : treeOf(pid));
    const hits = this.#groups.hits();
    if (hits.memory || memoryBytes > limits.memoryBytes + (kernel?.overheadBytes ?? 0)) return this.#over("memory");
    if (cpuMs > limits.cpuMs) return this.#over("cpu");
    if (hits.processes) this.#tell("processes");
    if (this.#silent === 0) this.#channel?.ping().then(() => (this.#silent = 0), () => {});
    if (!this.#isPaused && ++this.#silent > silentLooks) return void this.#end("its guest agent does not answer any more");
    this.#lookLater();
  }

  #lookLater(): void {
    this.#timers[1] = this.#options.clock.after(lookMs, () => this.#watch());
  }

  /** The guest says that it met a limit. */
  #met(limit: SandboxLimit): void {
    if (limit === "memory") this.#over(limit);
    else this.#tell(limit);
  }

  /** Past a limit that ends the session. */
  #over(limit: SandboxLimit): void {
    this.#tell(limit);
    void this.#end(overLimit(limit));
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

const overLimit = (limit: SandboxLimit): string => `it is over its limit of ${limit}`;

const unstarted = (why: string, cause: unknown): Fault => new Fault("isolation_unavailable", `the sandbox could not be started: ${why}`, { cause });

async function textOf(stream: Readable): Promise<string> {
  let text = "";
  for await (const chunk of stream) if (text.length < stderrBytes) text += String(chunk);
  return text;
}

async function check(ended: Execution["ended"], said: Promise<string>, forgiven: number): Promise<void> {
  const { kind, value } = await ended;
  if (kind !== "exited" || (value !== 0 && value !== forgiven)) throw new Fault("invalid_request", `tar ${kind} with ${value}: ${(await said).trim().slice(0, 500)}`);
}
