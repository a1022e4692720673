import type { ChildProcess } from "node:child_process";
import type { Duplex } from "node:stream";
import type { Isolation } from "@lanyard/contract";

/** A program that runs virtual machines. All run the same system with the same agent in it. */
export interface Hypervisor {
  /** How long a machine may take to boot before it is taken for one that never will. */
  readonly bootMs: number;
  readonly tier: Isolation;
  /** Whether a machine that is a copy can be saved too. */
  readonly copies: boolean;
  /** All that its snapshots depend on: version, processor, command line. Throws Fault `isolation_unavailable` when it is not installed. */
  identity(memoryMib: number): string;
  /** Starts a machine. It is ready when its agent answers on the channel. */
  launch(plan: MachinePlan): Machine | Promise<Machine>;
}

export interface MachinePlan {
  readonly memoryMib: number;
  /** Files by what they are for. */
  readonly system: string;
  /** What of the host can be read inside; of `readableBytes`, with or without a content. */
  readonly readable: string;
  /** File for the machine's state, whenever it is saved. */
  readonly saved: string;
  /** Puts its process into a session's control groups. */
  readonly around?: (command: readonly string[]) => string[];
  readonly begin:
    | { readonly kind: "boot"; readonly kernel: string; readonly initrd: string; /** File for the memory, so that it can be a template's. */ readonly memory: string | null }
    | { readonly kind: "restore"; /** A template's; null when all of it is in the state. */ readonly memory: string | null; readonly state: string };
}

/** A running virtual machine. */
export interface Machine {
  readonly process: ChildProcess;
  /** To the agent. */
  readonly channel: Duplex;
  pause(): Promise<void>;
  resume(): Promise<void>;
  /** Writes its state to the plan's file, without memory that lies in a template's file for all to share; it stands still afterwards. */
  save(): Promise<void>;
}

/** Size of the disk for what can be read: always the same, so that a machine can wake with another. The file has a hole for the rest. */
export const readableBytes = 8 * 1024 ** 3;
