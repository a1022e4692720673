import { spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { SandboxDriver, SandboxSpec } from "./driver.ts";
import { LiveSandbox, overStdio, type LiveOptions } from "./live.ts";
import { openFolder } from "./orphans.ts";
import type { DriverOptions } from "./process.ts";

/**
 * Driver `none`: the guest agent as a plain child. It holds nothing back; it is there for machines without any other, for measuring what a
 * sandbox costs, and so that every check of the escape suite can be seen to fail.
 */
export const bareDriver = ({ clock, folder, agent }: DriverOptions): SandboxDriver => ({
  name: "none",
  tier: "none",
  lacks: ["snapshot", "pause", "resume"],
  probe: async () => null,
  create: async (spec: SandboxSpec) => {
    const id = clock.id("sbx");
    const doors = [...spec.doors.keys()].flatMap((port) => ["--listen", String(port)]);
    const own = openFolder(folder, id);
    const workspace = join(own, "workspace"); // There is nothing that could put it where it is asked for.
    mkdirSync(workspace);
    const launch: LiveOptions["launch"] = (around) => {
      const [command = "", ...args] = around([agent, ...doors]);
      return overStdio(spawn(command, args, { stdio: ["pipe", "pipe", "pipe"], env: {}, cwd: workspace, detached: true }));
    };
    return new LiveSandbox({ id, tier: "none", spec: { ...spec, workspace }, clock, folder: own, launch });
  },
});
