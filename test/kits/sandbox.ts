import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { systemClock } from "../../server/src/base/clock.ts";
import { bareDriver } from "../../server/src/stages/execution/sandbox/bare.ts";
import type { Ending, Sandbox, SandboxDriver, SandboxEvent, SandboxLimits, SandboxSpec } from "../../server/src/stages/execution/sandbox/driver.ts";
import { gvisorDriver } from "../../server/src/stages/execution/sandbox/gvisor.ts";
import { guestAgentPath } from "../../server/src/stages/execution/sandbox/guest.ts";
import { processDriver } from "../../server/src/stages/execution/sandbox/process.ts";

export const mib = 1024 * 1024;
export const smallLimits: SandboxLimits = { cpuMs: 60_000, memoryBytes: 256 * mib, processes: 64, diskBytes: 8 * mib, fileBytes: 16 * mib, files: 128, wallMs: 60_000 };

/** A state folder for sandboxes of a test, and the drivers over it. */
export class SandboxGround implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), "lanyard-sandboxes-"));
  readonly drivers: { readonly gvisor: SandboxDriver; readonly process: SandboxDriver; readonly none: SandboxDriver };

  constructor() {
    const options = { clock: systemClock, folder: this.folder, agent: process.env["LANYARD_GUEST_AGENT"] ?? guestAgentPath(process.env["XDG_CACHE_HOME"] ?? join(process.env["HOME"] ?? "", ".cache")) };
    this.drivers = { gvisor: gvisorDriver(options), process: processDriver(options), none: bareDriver(options) };
  }

  /** A started sandbox and the events it had. */
  async open(driver: SandboxDriver, more: Partial<SandboxSpec> = {}): Promise<{ sandbox: Sandbox; events: SandboxEvent[] }> {
    const sandbox = await driver.create({ workspace: "/workspace", readable: [], doors: new Map(), limits: smallLimits, ...more });
    const events: SandboxEvent[] = [];
    sandbox.onEvent((event) => events.push(event));
    await sandbox.start();
    return { sandbox, events };
  }

  /** Sessions that left something in the state folder. */
  leftovers(): string[] {
    return readdirSync(this.folder);
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export interface ShellAnswer {
  readonly ending: Ending;
  readonly out: string;
  readonly err: string;
}

/** Runs a line of shell inside and hears it out. */
export async function shell(sandbox: Sandbox, line: string, { input = "", timeoutMs = 20_000 } = {}): Promise<ShellAnswer> {
  const { stdin, stdout, stderr, ended } = sandbox.exec({ command: "sh", args: ["-c", line], environment: { PATH: "/usr/local/bin:/usr/bin:/bin" }, timeoutMs });
  stdin.end(input);
  const [out, err, ending] = await Promise.all([textOf(stdout), textOf(stderr), ended]);
  return { ending, out, err };
}

export async function textOf(stream: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}
