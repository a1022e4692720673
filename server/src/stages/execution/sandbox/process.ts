import { spawn } from "node:child_process";
import { accessSync, closeSync, constants, openSync } from "node:fs";
import { join } from "node:path";
import { Fault } from "@lanyard/contract";
import type { Clock } from "../../../base/clock.ts";
import { agentInside, bubblewrapArguments, dataFds, dataFiles, homeInside, shownPaths, systemProgram } from "./bubblewrap.ts";
import type { SandboxDriver, SandboxSpec } from "./driver.ts";
import { LiveSandbox, overStdio, type LiveOptions } from "./live.ts";
import { openFolder } from "./orphans.ts";
import { asOtherUser } from "./other-user.ts";
import { seccompProgram } from "./seccomp.ts";

export interface DriverOptions {
  readonly clock: Clock;
  /** Where each session has a folder while it lives. */
  readonly folder: string;
  /** Path of the built guest agent. */
  readonly agent: string;
}

/**
 * Driver `process`: namespaces and a system call filter by bubblewrap. The kernel is the machine's own, so its tier is `namespace`. Started
 * by root, it becomes another user first: bubblewrap as root leaves /proc/sys/kernel to the guest.
 */
export const processDriver = ({ clock, folder, agent }: DriverOptions): SandboxDriver => {
  const create = async (spec: SandboxSpec): Promise<LiveSandbox> => {
    const lacking = whatIsMissing("process", agent);
    if (lacking) throw new Fault("isolation_unavailable", lacking);
    const filter = seccompProgram(process.arch);
    const shown = shownPaths(spec);
    const id = clock.id("sbx");
    const own = openFolder(folder, id, { seccomp: filter, ...dataFiles });
    const { before, source } = asOtherUser(shown, own);
    const inside = [...bubblewrapArguments(spec, source), "--", agentInside, ...agentArguments(spec)];
    const launch: LiveOptions["launch"] = (around) => {
      const fds = Object.keys(dataFds).map((name) => openSync(name === "agent" ? agent : join(own, name), "r"));
      try {
        const [command = "", ...args] = around([...before, systemProgram("bwrap") ?? "", ...inside]);
        return overStdio(spawn(command, args, { stdio: ["pipe", "pipe", "pipe", ...fds], env: {}, cwd: "/", detached: true })); // A Ctrl-C at the terminal is for the command, not for its cage.
      } finally {
        for (const fd of fds) closeSync(fd);
      }
    };
    return new LiveSandbox({ id, tier: "namespace", spec, clock, folder: own, launch });
  };
  return { name: "process", tier: "namespace", lacks: ["snapshot", "pause", "resume"], create, probe: () => probeBy(create) };
};

/** Null when a sandbox starts and answers. */
export async function probeBy(create: SandboxDriver["create"]): Promise<string | null> {
  const limits = { cpuMs: 10_000, memoryBytes: 256 * 1024 * 1024, processes: 16, diskBytes: 1024 * 1024, fileBytes: 1024 * 1024, files: 64, wallMs: 10_000 };
  try {
    await using sandbox = await create({ workspace: "/workspace", readable: [], doors: new Map(), limits });
    await sandbox.start();
    return null;
  } catch (error) {
    if (error instanceof Fault) return error.message;
    throw error;
  }
}

/** What is not installed, and what to type. */
export function whatIsMissing(name: SandboxDriver["name"], agent: string): string | null {
  if (process.platform !== "linux") return `the driver \`${name}\` needs Linux`;
  if (!systemProgram("bwrap")) return "bubblewrap is not installed; `npm run isolation` installs it, or `apt install bubblewrap`";
  if (process.geteuid?.() === 0 && !systemProgram("setpriv")) return "setpriv, which root needs to become another user first, is not installed; `apt install util-linux`";
  try {
    accessSync(agent, constants.R_OK);
    return null;
  } catch {
    return "the guest agent is not built; `npm run isolation` builds it";
  }
}

/** What the guest agent is told of a session. */
export const agentArguments = ({ workspace, doors, limits }: SandboxSpec): string[] => [
  ...[...doors.keys()].flatMap((port) => ["--listen", String(port)]),
  ...["--processes", String(limits.processes), "--files", String(limits.files), "--file-bytes", String(limits.fileBytes), "--core-bytes", "0"],
  ...["--watch", "/tmp", "--watch", homeInside, "--watch", workspace],
];
