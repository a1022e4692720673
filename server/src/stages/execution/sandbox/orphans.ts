import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isObject, parseJson } from "@lanyard/contract";
import { processState, treeOf } from "./usage.ts";

/** A process by a name that is never given twice: its number and when it began. */
interface ProcessName {
  readonly pid: number;
  readonly begun: string;
}

/** Writes down which process a session's folder belongs to, and who holds it, so that it can be cleared away after a crash of that one. */
export function enrol(folder: string, sandbox: number): void {
  const name = (pid: number): ProcessName => ({ pid, begun: processState(pid)?.begun ?? "" });
  writeFileSync(join(folder, "session.json"), JSON.stringify({ sandbox: name(sandbox), holder: name(process.pid) }), { mode: 0o600 });
}

/** A folder for one session below `folder`. */
export function openFolder(folder: string, id: string): string {
  const own = join(folder, id);
  mkdirSync(own, { recursive: true, mode: 0o700 });
  return own;
}

/** Kills everything below a process, itself last. */
export function killTree(root: number): void {
  for (const { pid } of treeOf(root).reverse()) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It has ended meanwhile.
    }
  }
}

/** Ends what sessions of a holder that is gone left behind; returns their ids. */
export function reapOrphans(folder: string): string[] {
  let ids: string[] = [];
  try {
    ids = readdirSync(folder);
  } catch {
    return [];
  }
  return ids.filter((id) => {
    const own = join(folder, id);
    const { sandbox, holder } = read(join(own, "session.json"));
    if (!holder || isAlive(holder)) return false; // One without a name is being made right now, or was never started.
    if (sandbox && isAlive(sandbox)) killTree(sandbox.pid);
    rmSync(own, { recursive: true, force: true });
    return true;
  });
}

const isAlive = ({ pid, begun }: ProcessName): boolean => processState(pid)?.begun === begun;

function read(path: string): { sandbox: ProcessName | null; holder: ProcessName | null } {
  const named = (value: unknown): ProcessName | null =>
    isObject(value) && Number.isSafeInteger(value["pid"]) && Number(value["pid"]) > 1 && typeof value["begun"] === "string" ? { pid: Number(value["pid"]), begun: value["begun"] } : null;
  try {
    const value = parseJson(readFileSync(path, "utf8"));
    return isObject(value) ? { sandbox: named(value["sandbox"]), holder: named(value["holder"]) } : { sandbox: null, holder: null };
  } catch {
    return { sandbox: null, holder: null };
  }
}
