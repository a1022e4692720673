import { Fault } from "@lanyard/contract";
import { ApiError } from "../client.ts";
import type { HeldWorkspace } from "./held.ts";
import { sumUp } from "./report.ts";
import { judged, type SettleOptions } from "./settle.ts";

/**
 * The end of a run: what the session changed, what the gates say, and what to do with it. Where nothing changed, nothing is kept. Only the
 * operator's word about gates counts; where somebody else ran it, `lanyard session diff` judges later.
 */
export async function tellOfChanges(held: HeldWorkspace, options: SettleOptions, isOperator: boolean): Promise<void> {
  const folder = held.kept();
  const proposal = folder?.proposal();
  if (!folder) return;
  const { session } = folder;
  const { say, api } = options;
  if (!proposal) say("what the session changed is lost with its sandbox");
  try {
    if (!proposal || (proposal.changes.length === 0 && proposal.refused.length === 0)) {
      if (isOperator) await api.call("workspace_discard", { at: { id: session } });
      if (isOperator) folder.remove();
      return;
    }
    const failed = isOperator ? (await judged(options, folder, proposal)).results.filter(({ passed }) => !passed).map(({ gate }) => gate) : [];
    say(`changed: ${sumUp(proposal)}; nothing of it is in ${folder.origin().folder} yet${failed.length > 0 ? `; did not pass: ${failed.join(", ")}` : ""}`);
    say(`  lanyard session diff ${session}`);
    say(`  lanyard session apply ${session}`);
    say(`  lanyard session discard ${session}`);
  } catch (error) {
    if (!(error instanceof Fault || error instanceof ApiError)) throw error;
    say(`what the session changed is kept, and was not judged: ${error.message}; \`lanyard session diff ${session}\` tries again`);
  }
}
