import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Fault } from "@lanyard/contract";
import type { Gates } from "../../../base/config/config.ts";
import type { Sandbox } from "../sandbox/driver.ts";
import { copyInto } from "./base.ts";
import type { GateResult, WorkspaceOrigin, Proposal } from "./folder.ts";
import { commitFindings } from "./commits.ts";
import { movedGit } from "./git.ts";
import { fits } from "./patterns.ts";
import { protectedChanges } from "./protected.ts";
import { newSecrets } from "./secrets.ts";
import type { ObjectShelf } from "./shelf.ts";
import type { Manifest, TreeEntry } from "./tree.ts";

export interface Judging {
  readonly origin: WorkspaceOrigin;
  readonly base: Manifest;
  readonly proposal: Proposal;
  readonly contents: ObjectShelf;
  readonly gates: Gates;
  /** Patterns of what is Lanyard's own in the folder. */
  readonly own: readonly string[];
  readonly limits: { readonly workspace_files: number; readonly workspace_bytes: number };
  /** A fresh sandbox without any door, not started. Asked for only where there are commands to run or commits to read. */
  sandbox(): Promise<Sandbox>;
  /** Told before each command. */
  running(command: string): void;
}

/** Findings of a gate that are kept. */
const maxFindings = 100;
/** A file over this is not looked through for secrets, and so has not passed; it would not fit into a text. */
const maxTextBytes = 256 * 1024 * 1024;
/** Of what a command said, the end. */
const tailChars = 4000;

/** Every gate's word on a proposal. Invariant: what cannot be judged has not passed. */
export async function judge(judging: Judging): Promise<GateResult[]> {
  const { proposal, gates } = judging;
  const result = (gate: string, findings: readonly string[]): GateResult => ({ gate, passed: findings.length === 0, findings: findings.slice(0, maxFindings) });
  const first = [
    result("escapes", proposal.refused.map(({ path, why }) => `${path}: ${why}`)),
    result("size", sizeFindings(judging)),
    result("protected", protectedFindings(judging)),
    result("secrets", secretFindings(judging)),
  ];
  const repositories = movedGit(proposal.changes);
  if (gates.commands.length === 0 && repositories.length === 0) return first;
  if (proposal.refused.length > 0) return [...first, result(gates.commands.length > 0 ? "commands" : "commits", ["nothing is run on what may not come out"])];
  return [...first, ...(await resultsInside(judging, repositories, result))];
}

/** Whose approvals a proposal needs: of each list one. */
export function needsOf({ proposal, gates }: Pick<Judging, "proposal" | "gates">): string[][] {
  const owners = ownersBy(gates);
  const needs = new Set(proposal.changes.map(({ path }) => owners(path).join(" ")));
  return [...needs].filter((names) => names !== "").map((names) => names.split(" "));
}

const ownersBy = (gates: Gates): ((path: string) => readonly string[]) => {
  const rules = gates.owners.map(({ pattern, names }) => ({ fit: fits(pattern), names }));
  return (path) => rules.findLast(({ fit }) => fit(path))?.names ?? [];
};

function sizeFindings({ proposal: { changes }, gates }: Judging): string[] {
  const bytes = changes.reduce((sum, { after }) => sum + (after?.size ?? 0), 0);
  return [
    ...(changes.length > gates.maxFiles ? [`${changes.length} files change, over ${gates.maxFiles} (gates.max_files)`] : []),
    ...(bytes > gates.maxBytes ? [`${bytes} bytes come, over ${gates.maxBytes} (gates.max_bytes)`] : []),
  ];
}

/** What is protected may change only where somebody is named who must approve it. */
function protectedFindings(judging: Judging): string[] {
  const { proposal: { changes }, base, gates } = judging;
  const tree = new Map<string, TreeEntry>(base.entries);
  for (const { path, after } of changes) if (after) tree.set(path, after); else tree.delete(path);
  const owners = ownersBy(gates);
  return protectedChanges(changes, tree, keptBy(judging)).flatMap(({ path, why }) => (owners(path).length > 0 ? [] : [`${path}: ${why}`]));
}

/** What is protected beside what always is. */
const keptBy = ({ own, gates }: Judging): string[] => [...own, ...gates.protected];

function secretFindings({ proposal: { changes }, contents, origin }: Judging): string[] {
  return changes.flatMap(({ path, before, after }) => {
    if (after?.kind !== "file" || before?.hash === after.hash) return [];
    if (after.size > maxTextBytes) return [`${path}: too large to be looked through`];
    const text = readFileSync(contents.place(after.hash), "latin1");
    const old = before?.kind === "file" ? textOf(join(origin.folder, path)) : "";
    return newSecrets(text, old).slice(0, maxFindings).map(({ rule, line }) => `${path}:${line}: ${rule}`);
  });
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return "";
  }
}

/** What needs a sandbox: reading repositories, and the organisation's own commands. */
async function resultsInside(judging: Judging, repositories: readonly string[], result: (gate: string, findings: readonly string[]) => GateResult): Promise<GateResult[]> {
  const { origin, proposal, contents, gates, limits } = judging;
  const results: GateResult[] = [];
  const next = (): string => (repositories.length > 0 && results.length === 0 ? "commits" : `command ${results.length + (repositories.length > 0 ? 0 : 1)}`);
  try {
    await using sandbox = await judging.sandbox();
    await sandbox.start();
    await copyInto((tar) => sandbox.put(sandbox.workspace, tar), { folder: origin.folder, hidden: origin.hidden, shown: origin.shown, changes: proposal.changes, contents, limits });
    if (repositories.length > 0) results.push(result("commits", await commitsResult(judging, sandbox, repositories)));
    for (const { run, ms } of gates.commands) {
      judging.running(run);
      results.push({ gate: next(), ...(await commandResult(sandbox, run, ms)) });
    }
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    results.push(result(next(), [error.message]));
  }
  return results;
}

async function commitsResult(judging: Judging, sandbox: Sandbox, repositories: readonly string[]): Promise<string[]> {
  const { origin, proposal: { changes }, contents } = judging;
  judging.running("git log of the session's commits");
  const old = changes.flatMap(({ path, before }) => (before?.kind === "file" ? [textOf(join(origin.folder, path))] : [])).join("\n");
  const findings = [];
  for (const git of repositories) findings.push(...(await commitFindings({ sandbox, git, folder: origin.folder, changes, old, contents, kept: keptBy(judging) })));
  return findings;
}

async function commandResult(sandbox: Sandbox, run: string, ms: number): Promise<Pick<GateResult, "passed" | "findings">> {
  const environment = { PATH: "/usr/local/bin:/usr/bin:/bin", HOME: "/home/agent", TMPDIR: "/tmp", CI: "1" };
  const { stdin, stdout, stderr, ended } = sandbox.exec({ command: "sh", args: ["-c", run], environment, timeoutMs: ms });
  stdin.end();
  let tail = "";
  const hear = (chunk: Buffer): void => void (tail = (tail + chunk.toString()).slice(-tailChars));
  stdout.on("data", hear);
  stderr.on("data", hear);
  const { kind, value } = await ended;
  if (kind === "exited" && value === 0) return { passed: true, findings: [] };
  return { passed: false, findings: [`\`${run}\` ${kind} with ${value}`, ...tail.trim().split("\n").slice(-20)] };
}
