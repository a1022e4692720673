import type { JsonObject } from "@lanyard/contract";
import { Fault } from "@lanyard/contract";
import type { Command } from "commander";
import type { Context } from "./context.ts";
import { exit, json } from "./terminal.ts";

export function replayVerb(program: Command, context: Context): void {
  program
    .command("replay [entry]")
    .description("decides recorded calls again from the record alone and compares the bytes")
    .option("--all", "every decision in the ledger")
    .option("--json", "one JSON object a decision")
    .addHelpText("after", "\nExits 1 when any decision comes out different.\n\nExample:\n  lanyard replay 42\n  lanyard replay --all")
    .action(async (entry: string | undefined, options: { all?: boolean; json?: boolean }) => {
      if ((entry === undefined) === !options.all) throw new Fault("invalid_request", "say which: `lanyard replay 42`, or `lanyard replay --all`");
      const api = await context.reach();
      const body: JsonObject = entry === undefined ? { from: 0 } : { from: Number(entry), to: Number(entry) };
      const counts: Record<string, number> = { same: 0, differs: 0, "not replayable": 0 };
      for await (const result of api.lines<JsonObject>("replay", { body })) {
        const kind = String(result["kind"]);
        counts[kind] = (counts[kind] ?? 0) + 1;
        if (options.json) context.out(json(result));
        else if (kind !== "same" || entry !== undefined) context.out(`${String(result["seq"]).padStart(6)}  ${kind}${result["why"] ? `: ${String(result["why"])}` : ""}`);
        if (!options.json && kind === "differs") context.out(`        recorded ${json(result["recorded"])}\n        now      ${json(result["now"])}`);
      }
      if (!options.json) context.out(`${counts["same"]} same, ${counts["differs"]} different, ${counts["not replayable"]} not replayable`);
      if ((counts["differs"] ?? 0) > 0) process.exitCode = exit.failed;
    });
}
