import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Fault, isObject, parseJson } from "@lanyard/contract";
import { ControlGroups, groupsThere } from "./cgroup.ts";
import { processState, treeOf } from "./usage.ts";

/** A process by a name that is never given twice: its number and when it began. */
interface ProcessName {
  readonly pid: number;
  readonly begun: string;
}

/** What a session takes of the machine beside its folder. */
interface Belongings {
  readonly sandbox?: ProcessName;
  readonly groups?: readonly string[];
}

/** The name of something of a session that says who holds it: this process. */
export const heldName = (id: string): string => [id, process.pid, processState(process.pid)?.begun ?? ""].join(".");

/** Whether whoever holds something of this name is there still. */
function isHeld(name: string): boolean {
  const [, pid = "", begun = ""] = /^[^.]+\.(\d+)\.(\d*)$/.exec(name) ?? [];
  return isAlive({ pid: Number(pid), begun });
}

/**
 * A folder for one session below `folder`, with these files. Its name says who holds it, so that at no moment there is one which cannot be
 * cleared away after a crash of that one. Throws Fault `isolation_unavailable`, and leaves nothing then.
 */
export function openFolder(folder: string, id: string, files: Readonly<Record<string, string | Uint8Array>> = {}): string {
  const own = join(folder, heldName(id));
  try {
    mkdirSync(own, { recursive: true, mode: 0o700 });
    for (const [name, content] of Object.entries(files)) writeFileSync(join(own, name), content, { mode: 0o600 });
    return own;
  } catch (cause) {
    rmSync(own, { recursive: true, force: true });
    throw new Fault("isolation_unavailable", `\`${folder}\` cannot take a session: ${(cause as Error).message}`, { cause });
  }
}

/** Writes down what belongs to a session's folder, for whoever clears it away. */
export function enrol(folder: string, { sandbox, groups }: { readonly sandbox?: number; readonly groups?: readonly string[] }): void {
  const path = join(folder, "session.json");
  const more: Belongings = { ...(sandbox !== undefined && { sandbox: { pid: sandbox, begun: processState(sandbox)?.begun ?? "" } }), ...(groups && { groups }) };
  writeFileSync(`${path}.new`, JSON.stringify({ ...read(path), ...more }), { mode: 0o600 });
  renameSync(`${path}.new`, path);
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

/** Ends what sessions of a holder that is gone left behind; returns the names of their folders. */
export function reapOrphans(folder: string): string[] {
  // Groups whose folder went with a scratch home, or lies in another one.
  for (const group of groupsThere()) if (!isHeld(group.name)) new ControlGroups([group.folder]).remove();
  let names: string[] = [];
  try {
    names = readdirSync(folder);
  } catch {
    return [];
  }
  return names.filter((name) => {
    const own = join(folder, name);
    if (isHeld(name)) return false;
    const { sandbox, groups } = read(join(own, "session.json"));
    if (sandbox && isAlive(sandbox)) killTree(sandbox.pid);
    if (groups && !new ControlGroups(groups).remove()) return false; // Who was killed just now is still ending; the next time then.
    rmSync(own, { recursive: true, force: true });
    return true;
  });
}

const isAlive = ({ pid, begun }: ProcessName): boolean => pid > 1 && processState(pid)?.begun === begun;

function read(path: string): Belongings {
  try {
    const value = parseJson(readFileSync(path, "utf8"));
    if (!isObject(value)) return {};
    const { sandbox, groups } = value;
    return {
      ...(isObject(sandbox) && Number.isSafeInteger(sandbox["pid"]) && typeof sandbox["begun"] === "string" && { sandbox: { pid: Number(sandbox["pid"]), begun: sandbox["begun"] } }),
      ...(Array.isArray(groups) && { groups: groups.filter((one) => typeof one === "string") }),
    };
  } catch {
    return {};
  }
}
