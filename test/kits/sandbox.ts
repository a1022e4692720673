import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { systemClock } from "../../server/src/base/clock.ts";
import { bareDriver } from "../../server/src/stages/execution/sandbox/bare.ts";
import type { Ending, Sandbox, SandboxDriver, SandboxEvent, SandboxLimits, SandboxSpec } from "../../server/src/stages/execution/sandbox/driver.ts";
import { gvisorDriver } from "../../server/src/stages/execution/sandbox/gvisor.ts";
import { guestAgentPath } from "../../server/src/stages/execution/sandbox/guest.ts";
import { guestImagePath } from "../../server/src/stages/execution/sandbox/microvm/image.ts";
import { microvmDriver, type MicrovmDriver, type MicrovmOptions } from "../../server/src/stages/execution/sandbox/microvm/microvm.ts";
import { processDriver, type DriverOptions } from "../../server/src/stages/execution/sandbox/process.ts";

const cache = process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache");
export const mib = 1024 * 1024;
/** Of time there is enough for an emulated machine on a busy host; tests of those limits set their own. */
export const smallLimits: SandboxLimits = { cpuMs: 240_000, memoryBytes: 256 * mib, processes: 64, diskBytes: 8 * mib, fileBytes: 16 * mib, files: 128, wallMs: 240_000 };

/** A state folder for sandboxes of a test, and the drivers over it. */
export class SandboxGround implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), "lanyard-sandboxes-"));
  readonly drivers: Readonly<Record<SandboxDriver["name"], SandboxDriver>>;

  readonly #options: DriverOptions;

  /** `agent`: another program in the guest agent's place. */
  constructor({ agent }: { readonly agent?: string } = {}) {
    const options = { clock: systemClock, folder: this.folder, agent: agent ?? process.env["LANYARD_GUEST_AGENT"] ?? guestAgentPath(cache) };
    this.#options = options;
    this.drivers = {
      microvm: this.machines(),
      gvisor: gvisorDriver(options),
      process: processDriver(options),
      none: bareDriver(options),
    };
  }

  /** Virtual machines that begin in another way than they usually do. */
  machines(more: Pick<MicrovmOptions, "start" | "warm"> = {}): MicrovmDriver {
    return microvmDriver({ ...this.#options, image: guestImagePath(cache), templates: join(cache, "lanyard", "templates"), acceleration: "tcg", ...more });
  }

  /**
   * Why a driver cannot be tried here, said aloud: a suite that quietly tests nothing would pass. Where root can install it, lacking it is a
   * failure and thrown.
   */
  async lacking(name: SandboxDriver["name"], suite: string): Promise<string | null> {
    const lacking = await this.drivers[name].probe();
    if (lacking === null) return null;
    process.stderr.write(`\n  SKIPPED: ${suite} did not run for the driver \`${name}\`: ${lacking}\n\n`);
    if (process.geteuid?.() === 0 && existsSync("/usr/bin/apt-get") && (name !== "microvm" || process.arch === "x64")) throw new Error(`the driver \`${name}\` cannot be had where it can be installed: ${lacking}`);
    return lacking;
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
export async function shell(sandbox: Sandbox, line: string, { input = "", timeoutMs = 60_000 } = {}): Promise<ShellAnswer> {
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
