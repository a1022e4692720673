import { isObject, type JsonObject } from "@lanyard/contract";
import type { Command } from "commander";
import type { Context } from "./context.ts";
import { json, printable, table, time } from "./terminal.ts";

const about = "\nWhat is not listed is not used yet: all of it is left. The limits stand in lanyard.yaml under `budgets:`; raising one is a change of the file.";

export function budgetVerb(program: Command, context: Context): void {
  program
    .command("budgets")
    .description("what is spent, reserved and left of budgets, and when some of it is free again")
    .option("--agent <agent>", "only what this agent's calls are counted in")
    .option("--session <session>", "only what this session's calls are counted in")
    .option("--json", "as one JSON object, amounts in the smallest unit")
    .addHelpText("after", `${about}\n\nExample:\n  lanyard budgets --agent clerk`)
    .action(async (options: { agent?: string; session?: string; json?: boolean }) => {
      const { agent, session } = options;
      const { budgets } = await (await context.reach()).call<{ budgets: JsonObject[] }>("budget_list", { query: { ...(agent !== undefined && { agent }), ...(session !== undefined && { session }) } });
      if (options.json) return context.out(json({ budgets }));
      if (budgets.length === 0) return context.out("nothing of any budget is used");
      const cells = budgets.map((row) => {
        const shown = isObject(row["shown"]) ? row["shown"] : {};
        const frees = row["frees_at_ms"];
        return [String(row["budget"]), printable(String(row["about"])), String(row["window"]), String(shown["spent"]), String(shown["reserved"]), String(shown["left"]), String(shown["limit"]), typeof frees === "number" ? time(frees) : "", row["near"] === true ? "near" : ""];
      });
      for (const line of table(["budget", "of", "window", "spent", "reserved", "left", "limit", "frees at", ""], cells, context.colour)) context.out(line);
    });
}
