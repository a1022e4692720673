import { Fault } from "@lanyard/contract";
import type { Sandbox } from "./driver.ts";

/** Writes a file that only commands inside can read. Throws Fault `isolation_unavailable`, `sandbox_ended`. */
export async function writeInside(sandbox: Sandbox, path: string, text: string): Promise<void> {
  const { stdin, stdout, stderr, ended } = sandbox.exec({ command: "sh", args: ["-c", 'umask 077; cat > "$0"', path], environment: { PATH: "/usr/bin:/bin" } });
  stdout.resume();
  stderr.resume();
  stdin.end(text);
  const { kind, value } = await ended;
  if (kind !== "exited" || value !== 0) throw new Fault("isolation_unavailable", "the sandbox could not write its own configuration");
}
