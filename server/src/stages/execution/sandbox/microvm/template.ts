import { createHash } from "node:crypto";
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseJson } from "@lanyard/contract";
import type { Clock } from "../../../../base/clock.ts";
import { killTree } from "../orphans.ts";
import { readableBytes, type Hypervisor, type Machine, type MachinePlan } from "./hypervisor.ts";
import { imageFiles } from "./image.ts";
import { initrd } from "./initrd.ts";
import { jailedId, sharedForReading } from "./jail.ts";
import { answers, rehearse } from "./rehearsal.ts";
import { checkSeal, seal } from "./seal.ts";

export interface TemplateOptions {
  readonly clock: Clock;
  readonly hypervisor: Hypervisor;
  /** Where templates are kept, for as long as what they are made of stays the same. */
  readonly folder: string;
  /** Folder of the guest image. */
  readonly image: string;
  readonly agent: string;
}

const keptTemplates = 8;
/** The second runs on what the first left behind, as each later one does. */
const rehearsals = 2;

/** What a machine is started from. */
export interface Origin {
  readonly system: string;
  /** An empty disk, where a session has nothing to read. */
  readonly nothing: string;
  readonly begin: MachinePlan["begin"];
}

/**
 * A machine that was booted once and stands still right after, so that others wake as its copies: they share its memory until they write, and
 * start in a tenth of the time. Kept in a folder named after all that it depends on.
 */
export class Templates {
  readonly #options: TemplateOptions;
  readonly #making = new Map<string, Promise<string>>();

  constructor(options: TemplateOptions) {
    this.#options = options;
  }

  /** For a machine that boots. */
  async booted(memoryMib: number): Promise<Origin> {
    const { system, kernel } = imageFiles(this.#options.image);
    const folder = this.#folderOf(memoryMib);
    const base = join(this.#options.folder, `${folder}.boot`);
    if (!existsSync(join(base, "nothing"))) this.#prepare(base);
    return { system, nothing: join(base, "nothing"), begin: { kind: "boot", kernel, initrd: join(base, "initrd"), memory: null } };
  }

  /** For a copy of the template, which is made when there is none. Throws Fault `isolation_unavailable`. */
  async restored(memoryMib: number): Promise<Origin> {
    const name = this.#folderOf(memoryMib);
    const folder = join(this.#options.folder, name);
    if (!existsSync(folder)) {
      const making = this.#making.get(name) ?? this.#make(folder, memoryMib).finally(() => this.#making.delete(name));
      this.#making.set(name, making);
      await making;
    }
    checkSeal(parseJson(readFileSync(join(folder, "seal.json"), "utf8")), this.#sealed(folder), folder);
    return { system: imageFiles(this.#options.image).system, nothing: join(folder, "nothing"), begin: { kind: "restore", memory: join(folder, "memory"), state: join(folder, "state") } };
  }

  /** Of what earlier versions left, the newest stay. A machine that was woken from another keeps its files open. */
  #prune(): void {
    const { folder } = this.#options;
    const all = readdirSync(folder).filter((name) => /^template-[0-9a-f]+(\.boot)?$/.test(name)).map((name) => join(folder, name));
    const made = new Map(all.map((path) => [path, statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0]));
    for (const path of all.sort((a, b) => (made.get(b) ?? 0) - (made.get(a) ?? 0)).slice(keptTemplates)) rmSync(path, { recursive: true, force: true });
  }

  #folderOf(memoryMib: number): string {
    const { hypervisor, image, agent } = this.#options;
    const hash = createHash("sha256").update(JSON.stringify([hypervisor.identity(memoryMib), image, "rehearsed", rehearsals])).update(readFileSync(agent));
    return `template-${hash.digest("hex").slice(0, 16)}`;
  }

  #sealed(folder: string): Record<string, string> {
    const { kernel, system } = imageFiles(this.#options.image);
    return { kernel, system, initrd: join(folder, "initrd"), memory: join(folder, "memory"), state: join(folder, "state") };
  }

  #prepare(folder: string): void {
    mkdirSync(folder, { recursive: true, mode: 0o755 });
    writeFileSync(join(folder, "initrd"), initrd(this.#options.agent, imageFiles(this.#options.image).modules));
    writeFileSync(join(folder, "nothing"), "");
    truncateSync(join(folder, "nothing"), readableBytes);
    const { kernel, system } = imageFiles(this.#options.image);
    for (const path of [kernel, system, join(folder, "initrd"), join(folder, "nothing")]) sharedForReading(path);
  }

  async #make(folder: string, memoryMib: number): Promise<string> {
    const { hypervisor, clock, image } = this.#options;
    const fresh = `${folder}.${clock.id("new")}`;
    try {
      this.#prepare(fresh);
      const memory = join(fresh, "memory");
      writeFileSync(memory, "");
      truncateSync(memory, memoryMib * 1024 * 1024);
      if (process.geteuid?.() === 0) chownSync(memory, jailedId, jailedId);
      const { kernel, system } = imageFiles(image);
      const machine = await hypervisor.launch({ memoryMib, system, readable: join(fresh, "nothing"), saved: join(fresh, "state"), begin: { kind: "boot", kernel, initrd: join(fresh, "initrd"), memory } });
      try {
        await answers(machine, clock, hypervisor.bootMs);
        for (let n = 0; n < rehearsals; n++) await rehearse(machine, clock, hypervisor.bootMs);
        await machine.save();
      } finally {
        await endMachine(machine);
      }
      if (process.geteuid?.() === 0) for (const name of ["memory", "state"]) chownSync(join(fresh, name), 0, 0);
      for (const name of ["memory", "state", "initrd", "nothing"]) chmodSync(join(fresh, name), 0o444);
      writeFileSync(join(fresh, "seal.json"), JSON.stringify(seal(this.#sealed(fresh))));
      if (!existsSync(folder)) renameSync(fresh, folder); // Another process may have been faster.
      this.#prune();
    } finally {
      rmSync(fresh, { recursive: true, force: true });
    }
    return folder;
  }
}

export async function endMachine({ process }: Machine): Promise<void> {
  if (process.pid === undefined || process.exitCode !== null || process.signalCode !== null) return;
  const ended = new Promise((resolve) => process.once("close", resolve));
  killTree(process.pid);
  await ended;
}
