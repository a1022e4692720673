import { rmSync } from "node:fs";
import { join } from "node:path";
import { Fault } from "@lanyard/contract";
import { enrol, openFolder } from "../orphans.ts";
import { treeOf } from "../usage.ts";
import type { Machine } from "./hypervisor.ts";
import { answers, rehearse } from "./rehearsal.ts";
import { endMachine, Templates, type Origin, type TemplateOptions } from "./template.ts";

export interface MachinesOptions extends Omit<TemplateOptions, "folder"> {
  /** Where each machine has a folder while it lives. */
  readonly folder: string;
  readonly templates: string;
  readonly start: "boot" | "restore";
  /** Machines kept ready. */
  readonly warm: number;
}

/** A machine and the folder it has. */
export interface HeldMachine {
  readonly machine: Machine;
  /** Its processes, when it was started before its session was; it never has others. */
  readonly waited: readonly number[];
  /** Its state, once saved. */
  readonly saved: string;
  /** Removes what it had; for when its process has ended. */
  release(): void;
}

/** Puts a command into a session's control groups. */
export type Around = (command: readonly string[]) => string[];

const wakeMs = 30_000;

/**
 * Starts machines, and keeps some ready: woken, and waiting for the session that they will be. One is given away once and never comes back.
 */
export class Machines implements AsyncDisposable {
  readonly #options: MachinesOptions;
  readonly #templates: Templates;
  readonly #ready: { readonly memoryMib: number; readonly held: HeldMachine }[] = [];
  #filling: Promise<void> = Promise.resolve();
  #wanted: number | null = null;
  #isOver = false;

  constructor(options: MachinesOptions) {
    this.#options = options;
    this.#templates = new Templates({ ...options, folder: options.templates });
  }

  /** A machine with this much memory; `readable`: the disk it has beside the system's. Throws Fault `isolation_unavailable`. */
  async take(memoryMib: number, readable: string | null, around: Around): Promise<HeldMachine> {
    const at = readable === null ? this.#ready.findIndex((one) => one.memoryMib === memoryMib && one.held.machine.process.exitCode === null) : -1;
    const [found] = at === -1 ? [] : this.#ready.splice(at, 1);
    this.#wanted = memoryMib;
    if (found) {
      void this.fill(memoryMib).catch(() => {}); // Whoever takes the next one hears of it.
      return found.held;
    }
    const held = await this.launch(memoryMib, await this.#origin(memoryMib), readable, around);
    return this.#options.start === "boot" ? this.#hearing(held, answers(held.machine, this.#options.clock, this.#options.hypervisor.bootMs)) : held;
  }

  async launch(memoryMib: number, { system, nothing, begin }: Origin, readable: string | null, around: Around | null): Promise<HeldMachine> {
    const { hypervisor, clock } = this.#options;
    const folder = openFolder(this.#options.folder, clock.id("vm"));
    const release = () => rmSync(folder, { recursive: true, force: true });
    const saved = join(folder, "saved");
    try {
      const machine = await hypervisor.launch({ memoryMib, system, readable: readable ?? nothing, saved, begin, ...(around && { around }) });
      if (machine.process.pid !== undefined) enrol(folder, { sandbox: machine.process.pid });
      return { machine, saved, waited: [], release };
    } catch (error) {
      release();
      throw error;
    }
  }

  /** What a copy of a saved machine is started from. */
  async copyOf(memoryMib: number, state: string): Promise<Origin> {
    const origin = await this.#origin(memoryMib);
    return { ...origin, begin: { kind: "restore", memory: origin.begin.kind === "restore" ? origin.begin.memory : null, state } };
  }

  /** Resolves when as many machines of this size wait as shall. Throws Fault `isolation_unavailable`. */
  fill(memoryMib: number): Promise<void> {
    const next = this.#filling.then(async () => {
      while (!this.#isOver && this.#wanted !== null && this.#ready.length < this.#options.warm) this.#ready.push({ memoryMib, held: await this.#warm(memoryMib) });
    });
    this.#wanted = memoryMib;
    this.#filling = next.catch(() => {});
    return next;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true;
    await this.#filling;
    await Promise.all(this.#ready.splice(0).map(({ held }) => end(held)));
  }

  async #warm(memoryMib: number): Promise<HeldMachine> {
    const held = await this.launch(memoryMib, await this.#origin(memoryMib), null, null);
    await this.#hearing(held, rehearse(held.machine, this.#options.clock, wakeMs));
    return { ...held, waited: treeOf(held.machine.process.pid ?? -1).map(({ pid }) => pid) };
  }

  /** One whose agent answered; else it is ended. */
  async #hearing(held: HeldMachine, answered: Promise<void>): Promise<HeldMachine> {
    try {
      await answered;
      return held;
    } catch (error) {
      await end(held);
      throw error;
    }
  }

  #origin(memoryMib: number): Promise<Origin> {
    if (this.#isOver) throw new Fault("isolation_unavailable", "the driver was disposed of");
    return this.#options.start === "boot" ? this.#templates.booted(memoryMib) : this.#templates.restored(memoryMib);
  }
}

async function end(held: HeldMachine): Promise<void> {
  await endMachine(held.machine);
  held.release();
}
