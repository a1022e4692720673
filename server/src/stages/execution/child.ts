import { spawn } from "node:child_process";
import { Fault } from "@lanyard/contract";
import type { ServerProcess } from "./stdio.ts";

/** How a server is started. `environment` is all it gets: nothing is inherited. */
export interface ServerCommand {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd?: string | undefined;
  readonly environment: Readonly<Record<string, string>>;
}

/** Starts a server on this machine, without a shell and in a process group of its own, so that whatever it starts ends with it. */
export function startChild({ name, command, args, cwd, environment }: ServerCommand): ServerProcess {
  const options = { env: environment, detached: true, shell: false, ...(cwd !== undefined && { cwd }) };
  const child = spawn(command, [...args], { ...options, stdio: ["pipe", "pipe", "pipe"] });
  const kill = (signal: NodeJS.Signals): void => {
    if (child.pid === undefined) return;
    try {
      process.kill(-child.pid, signal); // The group outlives its leader as long as it has a member, so its id cannot belong to others.
    } catch {
      // ESRCH: nobody is left.
    }
  };
  const exited = new Promise<Error>((resolve) => {
    child.once("exit", (code, signal) => {
      kill("SIGKILL");
      resolve(new Error(`server \`${name}\` exited (${signal ?? `code ${code}`})`));
    });
    child.once("error", (cause) => {
      const { code = "unknown error" } = cause as NodeJS.ErrnoException;
      resolve(new Fault("upstream_unavailable", `server \`${name}\` could not be started: ${code}`, { cause }));
    });
  });
  const closed = new Promise<void>((resolve) => void child.once("close", () => resolve()));
  return { stdin: child.stdin, stdout: child.stdout, stderr: child.stderr, exited, closed, kill };
}
