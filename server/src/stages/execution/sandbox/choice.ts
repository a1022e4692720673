import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { release } from "node:os";
import { dirname, join } from "node:path";
import { Fault, isObject, parseJson } from "@lanyard/contract";
import type { Clock } from "../../../base/clock.ts";
import { bareDriver } from "./bare.ts";
import { systemProgram } from "./bubblewrap.ts";
import type { SandboxDriver } from "./driver.ts";
import { gvisorDriver } from "./gvisor.ts";
import { guestAgentPath } from "./guest.ts";
import { guestImagePath } from "./microvm/image.ts";
import { microvmDriver } from "./microvm/microvm.ts";
import { reapOrphans } from "./orphans.ts";
import { processDriver } from "./process.ts";

export interface ChoiceOptions {
  readonly clock: Clock;
  /** Where Lanyard keeps what is this user's; sessions have their folders below it. */
  readonly home: string;
  /** The user's folder for caches: agent, image and templates are there, and what was found out about this machine. */
  readonly cache: string;
  /** The guest agent, when it is not the one in the cache. */
  readonly agent?: string;
  /** Told before a look that may take seconds. */
  readonly looking?: (label: string) => void;
  /** The ways to try, strongest first; default: all that there are. */
  readonly ways?: readonly Way[];
}

/** A way to have a driver; the label tells two of the same driver apart. */
interface Way {
  readonly label: string;
  readonly driver: SandboxDriver;
}

/** A driver that was tried on this machine. */
export interface Candidate extends Way {
  /** Null when it works; else why not, and what to type. */
  readonly lacking: string | null;
}

/** A driver by name, `none` included; they are told apart nowhere else. */
export type DriverName = SandboxDriver["name"];
export const driverNames = ["microvm", "gvisor", "process", "none"] as const satisfies readonly DriverName[];

const keptMs = 24 * 3_600_000;

/**
 * The strongest driver that works here, or the strongest of the one name that is wanted. What was found out holds until the machine starts
 * again or a program changes, so that a start does not pay for it. Throws Fault `isolation_unavailable`: nothing weaker than what is named here
 * is ever taken in its place, and `none` only by name.
 */
export async function chooseDriver(options: ChoiceOptions, wanted?: DriverName): Promise<SandboxDriver> {
  const folder = sessionFolder(options);
  if (wanted === "none") return bareDriver({ clock: options.clock, folder, agent: agentOf(options) });
  const refused: string[] = [];
  for await (const { label, driver, lacking } of tried(options, wanted)) {
    if (lacking === null) return driver;
    refused.push(`${label}: ${lacking}`);
  }
  throw new Fault("isolation_unavailable", `no sandbox${wanted ? ` of the driver \`${wanted}\`` : ""} can be had on this machine. ${refused.join(". ")}`);
}

/** All drivers in the order of their strength, as they were found. */
export async function* tried(options: ChoiceOptions, wanted?: DriverName): AsyncGenerator<Candidate> {
  const memory = new Memory(options);
  for (const { label, driver } of options.ways ?? waysOf(options)) {
    if (wanted && driver.name !== wanted) continue;
    const known = memory.recall(label);
    if (known === undefined) options.looking?.(label);
    const lacking = known === undefined ? await driver.probe() : known;
    if (known === undefined) memory.keep(label, lacking);
    yield { label, driver, lacking };
  }
}

/** What was found out is forgotten: a driver that was said to work did not. */
export const forgetChoice = (options: ChoiceOptions): void => rmSync(memoryPath(options), { force: true });

/** The order is a decision (0022): a processor's boundary first, then a kernel of its own, then an emulator, whose makers promise none, then namespaces. */
export function waysOf(options: ChoiceOptions): Way[] {
  const { clock, cache } = options;
  const common = { clock, folder: sessionFolder(options), agent: agentOf(options) };
  const machines = { ...common, image: guestImagePath(cache), templates: join(cache, "lanyard", "templates") };
  return [
    { label: "microvm (Firecracker)", driver: microvmDriver({ ...machines, acceleration: "firecracker" }) },
    { label: "microvm (KVM)", driver: microvmDriver({ ...machines, acceleration: "kvm" }) },
    { label: "gvisor", driver: gvisorDriver(common) },
    { label: "microvm (emulated)", driver: microvmDriver({ ...machines, acceleration: "tcg" }) },
    { label: "process", driver: processDriver(common) },
  ];
}

const agentOf = ({ agent, cache }: ChoiceOptions): string => agent ?? guestAgentPath(cache);

const sandboxesBelow = (home: string): string => join(home, "sandboxes");

/** After what earlier holders left behind is cleared away. */
function sessionFolder({ home }: ChoiceOptions): string {
  mkdirSync(sandboxesBelow(home), { recursive: true, mode: 0o700 });
  clearSandboxes(home);
  return sandboxesBelow(home);
}

/** Clears away what the sandboxes of holders that are gone left below a user's Lanyard folder. */
export const clearSandboxes = (home: string): void => void reapOrphans(sandboxesBelow(home));

const memoryPath = ({ cache }: ChoiceOptions): string => join(cache, "lanyard", "drivers.json");

/** What was found out, in a file that is good for one start of the machine, one set of programs and one user. */
class Memory {
  readonly #options: ChoiceOptions;
  readonly #key: string;
  readonly #found: Map<string, { readonly lacking: string | null; readonly atMs: number }>;

  constructor(options: ChoiceOptions) {
    this.#options = options;
    this.#key = keyOf(options);
    this.#found = readMemory(memoryPath(options), this.#key);
  }

  /** Undefined: not known, or not any more. */
  recall(label: string): string | null | undefined {
    const one = this.#found.get(label);
    return one && this.#options.clock.nowMs() - one.atMs < keptMs && one.atMs <= this.#options.clock.nowMs() ? one.lacking : undefined;
  }

  keep(label: string, lacking: string | null): void {
    this.#found.set(label, { lacking, atMs: this.#options.clock.nowMs() });
    const path = memoryPath(this.#options);
    try {
      mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
      writeFileSync(`${path}.${process.pid}`, JSON.stringify({ key: this.#key, found: Object.fromEntries(this.#found) }), { mode: 0o600 });
      renameSync(`${path}.${process.pid}`, path);
    } catch {
      // Then the next start looks again.
    }
  }
}

function readMemory(path: string, key: string): Map<string, { lacking: string | null; atMs: number }> {
  try {
    const value = parseJson(readFileSync(path, "utf8"));
    if (!isObject(value) || value["key"] !== key || !isObject(value["found"])) return new Map();
    return new Map(Object.entries(value["found"]).flatMap(([label, one]) => {
      if (!isObject(one) || typeof one["atMs"] !== "number") return [];
      const { lacking, atMs } = one;
      return lacking === null || typeof lacking === "string" ? [[label, { lacking, atMs }]] : [];
    }));
  } catch {
    return new Map();
  }
}

/** Whatever a sandbox depends on: the running kernel, the programs, our own parts, and who we are. */
function keyOf(options: ChoiceOptions): string {
  const files = [...["bwrap", "runsc", "setpriv", "qemu-system-x86_64", "firecracker"].map((name) => systemProgram(name)), "/dev/kvm", agentOf(options), guestImagePath(options.cache)];
  return createHash("sha256").update(JSON.stringify([bootId(), release(), process.geteuid?.(), import.meta.dirname, ...files.map((path) => [path, stamp(path)])])).digest("hex");
}

function stamp(path: string | null): string | null {
  try {
    const { mtimeMs, size, mode, uid } = statSync(path ?? "");
    return [mtimeMs, size, mode, uid].join(" ");
  } catch {
    return null;
  }
}

function bootId(): string {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim();
  } catch {
    return "";
  }
}
