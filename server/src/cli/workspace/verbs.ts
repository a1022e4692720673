import { Fault } from "@lanyard/contract";
import type { Command } from "commander";
import { systemClock } from "../../base/clock.ts";
import { settings, systemEnvironment } from "../../base/config/environment.ts";
import { loadConfig } from "../../base/config/read.ts";
import { chooseDriver } from "../../stages/execution/sandbox/choice.ts";
import { WorkspaceFolder, type Proposal } from "../../stages/execution/workspace/folder.ts";
import type { Context } from "../context.ts";
import { choiceOptions } from "../run-in-sandbox.ts";
import { exit, json, table } from "../terminal.ts";
import { askToLook } from "./held.ts";
import { changeLines, gateLines, patchLines, proposalJson, sumUp } from "./report.ts";
import { applyProposal, judged, reconcile, revertProposal, rowOf, rowsOf, takeBackInterrupted, type SettleOptions, type WorkspaceRow } from "./settle.ts";

/** What a session's copy of a folder has become: looked at, approved, applied, taken back, discarded. */
export function workspaceVerbs(sessions: Command, context: Context): void {
  proposalsVerb(sessions, context);
  diffVerb(sessions, context);
  sessions
    .command("approve <session>")
    .description("approves what a session wants to change, as yourself")
    .action(async (session: string) => {
      const token = context.variable("LANYARD_CREDENTIAL");
      if (!token) throw new Fault("unauthenticated", "to approve, set LANYARD_CREDENTIAL to your own credential (`lanyard credential issue user <name>` makes one)");
      const api = await context.reach({ daemonOnly: true, token });
      const { proposal } = await rowOf(api, session);
      if (proposal === null) throw new Fault("conflict", `session \`${session}\` has proposed nothing yet`);
      new WorkspaceFolder(settings(systemEnvironment()).home, session, systemClock).expectShown(proposal);
      const { lacking } = await api.call<WorkspaceRow>("workspace_approve", { at: { id: session }, body: { proposal } });
      context.out(`approved ${session}${lacking.length > 0 ? `; it still needs ${lacking.map((names) => names.join(" or ")).join(", and ")}` : ""}`);
    });
  sessions
    .command("apply <session>")
    .description("makes a session's changes in the folder they were made from: all of them, or none")
    .addHelpText("after", "\nRefused when a gate failed, an approval lacks, or what is to change has changed since.\n\nExample:\n  lanyard session apply s_x7Qp0LrT2kVn8sWz")
    .action(async (session: string) => {
      const { options, folder } = await settle(context, session);
      if (await askToLook(folder)) throw new Fault("conflict", `session \`${session}\` is still running; let it end first`);
      const proposal = proposed(folder);
      folder.expectShown(proposal.digest);
      const { results, row } = await judged(options, folder, proposal);
      for (const line of gateLines(results.filter(({ passed }) => !passed), row.lacking, context.colour)) context.err(line);
      await applyProposal(options, folder, proposal);
      context.out(`applied ${sumUp(proposal)} to ${folder.origin().folder}; \`lanyard session revert ${session}\` takes it back`);
    });
  sessions
    .command("revert <session>")
    .description("takes applied changes back; refused when they were changed since")
    .action(async (session: string) => {
      const { options, folder } = await settle(context, session);
      await revertProposal(options, folder, proposed(folder));
      context.out(`took back ${sumUp(proposed(folder))} from ${folder.origin().folder}`);
    });
  sessions
    .command("discard <session>")
    .description("forgets what a session changed, and the way back from it")
    .action(async (session: string) => {
      const { options, folder } = await settle(context, session);
      await options.api.call("workspace_discard", { at: { id: session } });
      folder.remove();
      context.out(`discarded ${session}`);
    });
}

function proposalsVerb(sessions: Command, context: Context): void {
  sessions
    .command("proposals")
    .description("what sessions want to change, and where that stands")
    .option("--json", "as one JSON object")
    .action(async (options: { json?: boolean }) => {
      takeBackInterrupted(WorkspaceFolder.all(settings(systemEnvironment()).home, systemClock), context.err);
      const rows = await rowsOf(await context.reach());
      if (options.json) return context.out(json({ workspaces: rows }));
      if (rows.length === 0) return context.out("no session has changed anything that waits");
      const cells = rows.map(({ session, agent, user, state, changes, gates, lacking }) => [
        ...[session, agent, user, state, String(changes)],
        gates.length === 0 ? "not run" : gates.every(({ passed }) => passed) ? "passed" : "failed",
        lacking.map((names) => names.join(" or ")).join(", "),
      ]);
      for (const line of table(["session", "agent", "for", "state", "changes", "gates", "needs"], cells, context.colour)) context.out(line);
    });
}

function diffVerb(sessions: Command, context: Context): void {
  sessions
    .command("diff <session>")
    .description("what a session wants to change: renames, modes, texts, what the gates say; while it runs, as it is now")
    .option("--stat", "without the texts")
    .option("--json", "as one JSON object")
    .addHelpText("after", "\nExit code 1 when a gate failed.\n\nExample:\n  lanyard session diff s_x7Qp0LrT2kVn8sWz --stat")
    .action(async (session: string, { stat, json: asJson }: { stat?: boolean; json?: boolean }) => {
      const { options, folder, row: before } = await settle(context, session);
      const runs = await askToLook(folder);
      const proposal = proposed(folder);
      // Of a session that still works the gates would judge what is gone in a moment.
      const { results, row } = runs || before.state !== "proposed" ? { results: folder.results(proposal) ?? [], row: before } : await judged(options, folder, proposal);
      if (results.some(({ passed }) => !passed)) process.exitCode = exit.failed;
      folder.keepShown(proposal);
      if (asJson) return context.out(json(proposalJson(session, proposal, results, row.lacking)));
      context.out(sumUp(proposal) || "nothing changed");
      for (const line of changeLines(proposal, context.colour)) context.out(line);
      if (!stat) for (const line of patchLines(folder, proposal, context.colour)) context.out(line);
      for (const line of gateLines(results, row.lacking, context.colour)) context.out(line);
    });
}

/** Where a session's workspace lies, after what a crash may have interrupted is finished. */
async function settle(context: Context, session: string): Promise<{ options: SettleOptions; folder: WorkspaceFolder; row: WorkspaceRow }> {
  const environment = systemEnvironment();
  const api = await context.reach({ daemonOnly: true });
  const folder = new WorkspaceFolder(settings(environment).home, session, systemClock);
  folder.origin(); // Or there is none.
  const row = await reconcile(api, folder, await rowOf(api, session), context.err);
  return { options: { api, config: loadConfig(context.configPath()), driver: () => chooseDriver(choiceOptions(environment)), say: context.err }, folder, row };
}

function proposed(folder: WorkspaceFolder): Proposal {
  const proposal = folder.proposal();
  if (!proposal) throw new Fault("conflict", `session \`${folder.session}\` has proposed nothing: nobody looked before it ended; \`lanyard session discard\` clears it away`);
  return proposal;
}
