import { readdirSync, readFileSync } from "node:fs";

const sharedWorthDividing = 4 * 1024 * 1024;

/** What processes use now. */
export interface Usage {
  /** Memory that is theirs: anonymous and shared pages; pages of files are the machine's. */
  readonly memoryBytes: number;
  /** Since they began, that of their children which ended included. */
  readonly cpuMs: number;
}

interface ProcessState {
  readonly pid: number;
  readonly parent: number;
  /** Clock ticks of 10 ms, its ended children's included. */
  readonly ticks: number;
  /** When it began, in ticks since the machine did: with the pid, a name that is never given twice. */
  readonly begun: string;
}

/** Null when there is no such process. */
export function processState(pid: number): ProcessState | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "latin1");
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" "); // a name can hold anything, so the fields begin after the last bracket
    if (fields[0] === "Z") return null;
    return { pid, parent: Number(fields[1]), ticks: [11, 12, 13, 14].reduce((sum, at) => sum + Number(fields[at]), 0), begun: fields[19] ?? "" };
  } catch {
    return null;
  }
}

/** A process and all below it, itself first. */
export function treeOf(root: number): ProcessState[] {
  const all = readdirSync("/proc").filter((name) => /^\d+$/.test(name)).flatMap((name) => processState(Number(name)) ?? []);
  const below = new Map<number, ProcessState[]>();
  for (const process of all) below.set(process.parent, [...(below.get(process.parent) ?? []), process]);
  const tree = all.filter(({ pid }) => pid === root);
  for (const { pid } of tree) tree.push(...(below.get(pid) ?? []));
  return tree;
}

export const usageOf = (processes: readonly ProcessState[]): Usage => ({
  memoryBytes: processes.reduce((sum, { pid }) => sum + memoryOf(pid), 0),
  cpuMs: processes.reduce((sum, { ticks }) => sum + ticks * 10, 0),
});

/** Pages that many processes share count once, in parts; looking them all through takes long, so that is done only where there are some. */
function memoryOf(pid: number): number {
  const sum = (file: string, line: RegExp): number => [...readFileSync(`/proc/${pid}/${file}`, "latin1").matchAll(line)].reduce((bytes, [, kib]) => bytes + Number(kib) * 1024, 0);
  try {
    const shared = sum("status", /^RssShmem:\s+(\d+) kB$/gm);
    return sum("status", /^RssAnon:\s+(\d+) kB$/gm) + (shared < sharedWorthDividing ? shared : sum("smaps_rollup", /^Pss_Shmem:\s+(\d+) kB$/gm));
  } catch {
    return 0; // It has ended.
  }
}
