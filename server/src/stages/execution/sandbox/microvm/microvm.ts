import { chmodSync, copyFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { Fault } from "@lanyard/contract";
import type { SandboxDriver, SandboxLimits, SandboxSpec, SandboxSnapshot } from "../driver.ts";
import { encodeFrame } from "../frame.ts";
import { LiveSandbox, type Guest, type LiveOptions } from "../live.ts";
import { openFolder } from "../orphans.ts";
import { agentArguments, type DriverOptions } from "../process.ts";
import { firecracker } from "./firecracker.ts";
import type { Hypervisor } from "./hypervisor.ts";
import { whatImageLacks } from "./image.ts";
import { Machines, type Around, type HeldMachine } from "./machines.ts";
import { qemu, type Acceleration } from "./qemu.ts";
import { readableDisk } from "./readable.ts";
import { reseed } from "./rehearsal.ts";

export interface MicrovmOptions extends DriverOptions {
  /** Folder of the guest image, `guestImagePath(cache)`. */
  readonly image: string;
  /** Where templates are kept from one process to the next. */
  readonly templates: string;
  /** `kvm`, `tcg`: QEMU, by the processor or emulated. Probe it, for a device or a program alone prove nothing. */
  readonly acceleration: Acceleration | "firecracker";
  /** `boot`: each machine by itself; `restore` (default): as a copy of a template. */
  readonly start?: "boot" | "restore";
  /** Machines kept ready by a process that lives long; default none. */
  readonly warm?: number;
}

/** Disposing of it ends the machines that wait; those given away are their sessions'. */
export interface MicrovmDriver extends SandboxDriver, AsyncDisposable {
  /** Resolves when as many machines wait as shall, for sessions with such limits. Throws Fault `isolation_unavailable`. */
  warmUp(limits: SandboxLimits): Promise<void>;
}

const mib = 1024 * 1024;
const smallestMib = 512;
/** Memory of a machine that is its kernel's. */
const reservedMib = 64;
/** What the emulator needs beside the guest's memory. */
const overheadBytes = 320 * mib;

/**
 * Driver `microvm`: a machine of its own for each session, with its own kernel, and without a network card: its one wire is the agent's channel.
 *
 *     microvmDriver({ clock, folder, agent: guestAgentPath(cache), image: guestImagePath(cache), templates: join(cache, "lanyard", "templates"), acceleration: "tcg" })
 */
export function microvmDriver(options: MicrovmOptions): MicrovmDriver {
  const { image, start = "restore", warm = 0 } = options;
  const hypervisor = options.acceleration === "firecracker" ? firecracker(options.clock) : qemu(options.acceleration);
  const machines = new Machines({ ...options, hypervisor, start, warm });
  const create = async (spec: SandboxSpec): Promise<LiveSandbox> => {
    const lacking = whatImageLacks(image);
    if (lacking) throw new Fault("isolation_unavailable", lacking);
    const memoryMib = machineMib(spec.limits);
    const take: Parts["take"] = async (around) => machines.take(memoryMib, await readableOf(options, spec), around);
    return sandboxOf({ options, hypervisor, machines, spec, take, told: [...limitArguments(spec.limits), ...placeArguments(spec)] });
  };
  return {
    name: "microvm",
    tier: hypervisor.tier,
    lacks: hypervisor.copies ? [] : ["snapshot"],
    create,
    probe: () => probeBy(create),
    warmUp: (limits) => machines.fill(machineMib(limits)),
    [Symbol.asyncDispose]: () => machines[Symbol.asyncDispose](),
  };
}

interface Parts {
  readonly options: MicrovmOptions;
  readonly hypervisor: Hypervisor;
  readonly machines: Machines;
  readonly spec: SandboxSpec;
  take(around: Around): Promise<HeldMachine>;
  /** What its agent is told. */
  readonly told: readonly string[];
}

function sandboxOf(parts: Parts): LiveSandbox {
  const { options, hypervisor, spec, take, told } = parts;
  const { clock } = options;
  const holding = Promise.withResolvers<HeldMachine>();
  holding.promise.catch(() => {}); // Whoever starts it hears of it.
  const id = clock.id("sbx");
  const folder = openFolder(options.folder, id);
  const launch: LiveOptions["launch"] = async (around, adopt): Promise<Guest> => {
    const held = await take(around);
    holding.resolve(held);
    const { process, channel } = held.machine;
    const preface = Buffer.concat([reseed(options.clock), encodeFrame("start", 0, Buffer.from(told.map((word) => `${word}\0`).join("")))]);
    return { process, incoming: channel, outgoing: channel, preface, held: adopt(held.waited), release: held.release };
  };
  const verbs = {
    pause: async () => (await holding.promise).machine.pause(),
    resume: async () => (await holding.promise).machine.resume(),
    ...(hypervisor.copies && { snapshot: async () => snapshotOf(parts, await holding.promise) }),
  };
  return new LiveSandbox({ id, tier: hypervisor.tier, spec, clock, folder, kernel: { overheadBytes }, verbs, launch });
}

async function snapshotOf(parts: Parts, { machine, saved }: HeldMachine): Promise<SandboxSnapshot> {
  const { options, machines, spec } = parts;
  const memoryMib = machineMib(spec.limits);
  const folder = openFolder(options.folder, options.clock.id("snp"));
  const state = join(folder, "state");
  const remove = () => rmSync(folder, { recursive: true, force: true });
  try {
    await machine.save();
    copyFileSync(saved, state);
    chmodSync(state, 0o444); // The folder is ours alone; the emulator, which is somebody else, gets the open file.
    await machine.resume();
  } catch (error) {
    remove();
    throw error;
  }
  const create = async (doors: SandboxSpec["doors"]) => {
    for (const port of doors.keys()) if (!spec.doors.has(port)) throw new Fault("invalid_request", `a copy has the doors of the first sandbox; port ${port} was none`);
    const take: Parts["take"] = async (around) => machines.launch(memoryMib, await machines.copyOf(memoryMib, state), await readableOf(options, spec), around);
    return sandboxOf({ ...parts, spec: { ...spec, doors }, take, told: limitArguments(spec.limits) });
  };
  return { create, [Symbol.dispose]: remove };
}

const readableOf = async ({ templates, clock }: MicrovmOptions, { readable }: SandboxSpec): Promise<string | null> => (readable.length === 0 ? null : readableDisk(readable, templates, clock));

/** The machine's memory: a power of two, so that few sizes need a template; what a session may use of it is a limit inside. */
function machineMib({ memoryBytes }: SandboxLimits): number {
  let size = smallestMib;
  while (size * mib < memoryBytes) size *= 2;
  return size;
}

const limitArguments = (limits: SandboxLimits): string[] => ["--memory", String(Math.min(limits.memoryBytes, (machineMib(limits) - reservedMib) * mib)), "--disk", String(limits.diskBytes)];

const placeArguments = (spec: SandboxSpec): string[] => ["--workspace", spec.workspace, ...spec.readable.flatMap((path) => ["--readable", path]), ...agentArguments(spec)];

/** Null when a machine starts and answers. */
async function probeBy(create: SandboxDriver["create"]): Promise<string | null> {
  const limits = { cpuMs: 60_000, memoryBytes: smallestMib * mib, processes: 16, diskBytes: mib, fileBytes: mib, files: 64, wallMs: 60_000 };
  try {
    await using sandbox = await create({ workspace: "/home/agent/workspace", readable: [], doors: new Map(), limits });
    await sandbox.start();
    return null;
  } catch (error) {
    if (error instanceof Fault) return error.message;
    throw error;
  }
}
