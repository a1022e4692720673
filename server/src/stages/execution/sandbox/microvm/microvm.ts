import { join } from "node:path";
import { Fault } from "@lanyard/contract";
import type { Sandbox, SandboxDriver, SandboxLimits, SandboxSpec } from "../driver.ts";
import { encodeFrame } from "../frame.ts";
import { LiveSandbox, type Guest, type LiveOptions } from "../live.ts";
import { enrol, openFolder } from "../orphans.ts";
import { agentArguments, type DriverOptions } from "../process.ts";
import type { Machine } from "./hypervisor.ts";
import { whatImageLacks } from "./image.ts";
import { qemu, type Acceleration } from "./qemu.ts";
import { Templates } from "./template.ts";

export interface MicrovmOptions extends DriverOptions {
  /** Folder of the guest image, `guestImagePath(cache)`. */
  readonly image: string;
  /** Where templates are kept from one process to the next. */
  readonly templates: string;
  readonly acceleration: Acceleration;
  /** `boot`: each machine by itself; `restore` (default): as a copy of a template. */
  readonly start?: "boot" | "restore";
}

const mib = 1024 * 1024;
const smallestMib = 512;
/** What the emulator needs beside the guest's memory. */
const overheadBytes = 320 * mib;

/**
 * Driver `microvm`: a machine of its own for each session, with its own kernel, and without a network card: its one wire is the agent's channel.
 *
 *     microvmDriver({ clock, folder, agent: guestAgentPath(cache), image: guestImagePath(cache), templates: join(cache, "lanyard", "templates"), acceleration: "tcg" })
 */
export const microvmDriver = (options: MicrovmOptions): SandboxDriver => {
  const { clock, folder, agent, image, start = "restore" } = options;
  const hypervisor = qemu(options.acceleration);
  const templates = new Templates({ clock, hypervisor, folder: options.templates, image, agent });
  const create = async (spec: SandboxSpec): Promise<Sandbox> => {
    const lacking = whatImageLacks(image);
    if (lacking) throw new Fault("isolation_unavailable", lacking);
    const memoryMib = machineMib(spec.limits);
    const id = clock.id("sbx");
    const own = openFolder(folder, id);
    const launch: LiveOptions["launch"] = async (around) => {
      const { system, nothing, begin } = start === "boot" ? await templates.booted(memoryMib) : await templates.restored(memoryMib);
      const machine = await hypervisor.launch({ memoryMib, system, readable: nothing, saved: join(own, "saved"), begin, around });
      if (machine.process.pid !== undefined) enrol(own, { sandbox: machine.process.pid });
      return guestOf(machine, Buffer.concat([reseed(options), encodeFrame("start", 0, words(sessionArguments(spec, memoryMib)))]));
    };
    return new LiveSandbox({ id, tier: hypervisor.tier, spec, clock, folder: own, kernel: { overheadBytes }, launch });
  };
  return { name: "microvm", tier: hypervisor.tier, lacks: ["snapshot", "pause", "resume"], create, probe: () => probeBy(create, image) };
};

const guestOf = ({ process, channel }: Machine, preface: Buffer): Guest => ({ process, incoming: channel, outgoing: channel, preface });

/** The machine's memory: a power of two, so that few sizes need a template; what a session may use of it is a limit inside. */
function machineMib({ memoryBytes }: SandboxLimits): number {
  let size = smallestMib;
  while (size * mib < memoryBytes) size *= 2;
  return size;
}

/** Clock and randomness for a machine that wakes with a template's. */
function reseed({ clock }: MicrovmOptions): Buffer {
  const now = Buffer.alloc(8);
  now.writeBigUInt64BE(BigInt(clock.nowMs()) * 1_000_000n);
  return encodeFrame("reseed", 0, Buffer.concat([now, clock.random(64)]));
}

const words = (list: readonly string[]): Buffer => Buffer.from(list.map((word) => `${word}\0`).join(""));
const reservedMib = 64;

const sessionArguments = (spec: SandboxSpec, memoryMib: number): string[] => [
  ...["--memory", String(Math.min(spec.limits.memoryBytes, (memoryMib - reservedMib) * mib)), "--disk", String(spec.limits.diskBytes), "--workspace", spec.workspace],
  ...spec.readable.flatMap((path) => ["--readable", path]),
  ...agentArguments(spec),
];

/** Null when a machine starts and answers. */
async function probeBy(create: SandboxDriver["create"], image: string): Promise<string | null> {
  const limits = { cpuMs: 60_000, memoryBytes: 256 * mib, processes: 16, diskBytes: mib, fileBytes: mib, files: 64, wallMs: 60_000 };
  const lacking = whatImageLacks(image);
  if (lacking) return lacking;
  try {
    await using sandbox = await create({ workspace: "/home/agent/workspace", readable: [], doors: new Map(), limits });
    await sandbox.start();
    return null;
  } catch (error) {
    if (error instanceof Fault) return error.message;
    throw error;
  }
}
