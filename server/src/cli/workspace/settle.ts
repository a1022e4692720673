import { Fault } from "@lanyard/contract";
import type { Config } from "../../base/config/config.ts";
import type { SandboxDriver } from "../../stages/execution/sandbox/driver.ts";
import { Anchor } from "../../base/anchor.ts";
import { apply, recover, type Application } from "../../stages/execution/workspace/apply.ts";
import type { GateResult, Proposal, WorkspaceFolder, WorkspaceOrigin } from "../../stages/execution/workspace/folder.ts";
import { judge, needsOf } from "../../stages/execution/workspace/gates.ts";
import { expectSameGit } from "../../stages/execution/workspace/git.ts";
import { entryAt } from "../../stages/execution/workspace/moves.ts";
import { sameEntry, type TreeChange } from "../../stages/execution/workspace/tree.ts";
import { gatesWord } from "../../stages/proposal/proposals.ts";
import type { Client } from "../client.ts";
import { isolationLimits } from "../../stages/execution/sandbox/isolation-limits.ts";
import { sizeOf } from "./report.ts";

/** The daemon's word on a workspace. */
export interface WorkspaceRow {
  readonly session: string;
  readonly agent: string;
  readonly user: string;
  readonly state: "open" | "proposed" | "applying" | "applied" | "reverting" | "reverted";
  readonly proposal: string | null;
  readonly changes: number;
  readonly gates: readonly { readonly gate: string; readonly passed: boolean }[];
  readonly approvals: readonly string[];
  readonly lacking: readonly (readonly string[])[];
}

export interface SettleOptions {
  readonly api: Client;
  readonly config: Config;
  readonly driver: () => SandboxDriver | Promise<SandboxDriver>;
  readonly say: (line: string) => void;
  /** Told of every step on the disk; tests end the process there. */
  readonly step?: (name: string) => void;
}

export const rowsOf = async (api: Client): Promise<readonly WorkspaceRow[]> => (await api.call<{ workspaces: WorkspaceRow[] }>("workspace_list")).workspaces;

/** Throws Fault `not_found`. */
export async function rowOf(api: Client, session: string): Promise<WorkspaceRow> {
  const row = (await rowsOf(api)).find((one) => one.session === session);
  if (!row) throw new Fault("not_found", `session \`${session}\` has no workspace that waits; \`lanyard session proposals\` lists them`);
  return row;
}

/** Paths told with a proposal, sealed; of more there are only the numbers. */
const maxPaths = 1000;
const maxPathsChars = 32 * 1024;

/** Has a proposal recorded: its hash and numbers, and, sealed, where it is from and what it touches. */
export async function tellProposal(api: Client, { session, folder }: WorkspaceOrigin, proposal: Proposal): Promise<void> {
  const paths: string[] = [];
  let chars = 0;
  for (const { path } of proposal.changes) if (paths.length < maxPaths && (chars += path.length) < maxPathsChars) paths.push(path);
  await api.call("workspace_propose", { at: { id: session }, body: { proposal: proposal.digest, ...sizeOf(proposal), folder, paths } });
}

/** The gates' word on a proposal, once; recorded. */
export async function judged({ api, config, driver, say }: SettleOptions, folder: WorkspaceFolder, proposal: Proposal): Promise<{ readonly results: readonly GateResult[]; readonly row: WorkspaceRow }> {
  const known = folder.results(proposal);
  const { gates: word } = await api.call<{ gates: string }>("workspace_list");
  // Whoever stands in a folder that has a lanyard.yaml of its own would judge by that: it may be the very thing to be judged.
  if (word !== gatesWord(config.gates)) throw new Fault("conflict", `\`${config.file}\` has other gates than the daemon, whose word counts; name its lanyard.yaml with --config, or, if that changed, have the daemon read it`);
  const before = await rowOf(api, folder.session);
  if (known && before.gates.length > 0) return { results: known, row: before };
  const origin = folder.origin();
  if (before.proposal !== proposal.digest) await tellProposal(api, origin, proposal); // The daemon was not there when it was made.
  const judging = { origin, base: folder.base(), proposal, contents: folder.contents(), gates: config.gates, own: ownPatterns(config, origin.folder), limits: config.limits };
  const results = await judge({
    ...judging,
    sandbox: async () => (await driver()).create({ workspace: origin.folder, readable: origin.shown, doors: new Map(), limits: isolationLimits(config.limits, config.limits.sandbox_cpu_ms) }),
    running: (command) => say(`gate: ${command}`),
  });
  folder.keepResults(proposal, results);
  const gates = results.map(({ gate, passed, findings }) => ({ gate, passed, findings: findings.length }));
  const row = await api.call<WorkspaceRow>("workspace_gates", { at: { id: folder.session }, body: { proposal: proposal.digest, gates, needs: needsOf(judging) } });
  return { results, row };
}

/** lanyard.yaml and the policies, where they lie in the folder. */
function ownPatterns({ file, policies }: Config, folder: string): string[] {
  return [file, `${policies}/`].flatMap((path) => (path.startsWith(`${folder}/`) ? [path.slice(folder.length)] : []));
}

/** Applies a proposal: the intent first, then all of it or nothing, then the outcome. Throws Fault `denied`, `conflict`. */
export async function applyProposal(options: SettleOptions, folder: WorkspaceFolder, proposal: Proposal): Promise<void> {
  const { api } = options;
  const base = folder.base();
  const root = folder.origin().folder;
  await api.call("workspace_apply", { at: { id: folder.session }, body: { proposal: proposal.digest } });
  const check = (): void => {
    using anchor = new Anchor(root);
    expectSameGit(anchor, proposal.changes, base);
  };
  await carryOut(options, folder, { root, changes: proposal.changes, contents: folder.contents(), kept: folder.kept(), journal: folder.journal, check });
}

/** Takes an applied proposal back. Throws Fault `conflict` when what it changed has changed since. */
export async function revertProposal(options: SettleOptions, folder: WorkspaceFolder, proposal: Proposal): Promise<void> {
  await options.api.call("workspace_revert", { at: { id: folder.session }, body: { proposal: proposal.digest } });
  const changes = backwards(proposal.changes);
  await carryOut(options, folder, { root: folder.origin().folder, changes, contents: folder.kept(), kept: folder.contents(), journal: folder.journal });
}

const backwards = (changes: readonly TreeChange[]): TreeChange[] => changes.map(({ path, before, after }) => ({ path, before: after, after: before }));

async function carryOut({ api, step }: SettleOptions, folder: WorkspaceFolder, application: Application): Promise<void> {
  try {
    apply({ ...application, ...(step && { step }) });
  } catch (error) {
    await conclude(api, folder, "refused", error instanceof Fault ? error.code : "internal");
    throw error;
  }
  step?.("applied");
  await conclude(api, folder, "done", "");
}

const conclude = (api: Client, { session }: WorkspaceFolder, status: "done" | "refused", code: string): Promise<WorkspaceRow> =>
  api.call<WorkspaceRow>("workspace_outcome", { at: { id: session }, body: { status, code } });

/**
 * Finishes what a crash interrupted: the folder is as it was or wholly changed, and an intent without an outcome gets the one the folder shows.
 * Throws Fault `conflict` while another process is at it.
 */
export async function reconcile(api: Client, folder: WorkspaceFolder, row: WorkspaceRow, say: (line: string) => void): Promise<WorkspaceRow> {
  const had = recover(folder.journal);
  if (had === "taken back") say(`an interrupted change of \`${folder.origin().folder}\` was taken back`);
  if (row.state !== "applying" && row.state !== "reverting") return row;
  const proposal = folder.proposal();
  const changes = row.state === "applying" ? (proposal?.changes ?? []) : backwards(proposal?.changes ?? []);
  return conclude(api, folder, had === "done" || (had === null && isDone(folder.origin().folder, changes)) ? "done" : "refused", "");
}

/**
 * Takes back every change that a crash interrupted, so that nobody works on with half of it; the daemon hears of it when somebody asks about
 * the session. What another process is at, and what is not there any more, is left alone.
 */
export function takeBackInterrupted(folders: readonly WorkspaceFolder[], say: (line: string) => void): void {
  for (const folder of folders) {
    try {
      if (recover(folder.journal) === "taken back") say(`an interrupted change of \`${folder.origin().folder}\` was taken back`);
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
    }
  }
}

/** As changes come all or none, one that is there tells of the others; people may have gone on working on those since. */
function isDone(root: string, changes: readonly TreeChange[]): boolean {
  using anchor = new Anchor(root);
  return changes.some(({ path, after }) => {
    try {
      return sameEntry(entryAt(anchor, path), after);
    } catch (error) {
      if (error instanceof Fault) return after === null; // Its folder is gone.
      throw error;
    }
  });
}
