import type { Command } from "commander";
import { limits } from "../base/limits.ts";
import type { Context } from "./context.ts";
import { json, table } from "./terminal.ts";

export function limitsVerb(program: Command, context: Context): void {
  program
    .command("limits")
    .description("every limit of the product, with its reason; `limits:` in lanyard.yaml lowers them")
    .option("--json", "as one JSON object")
    .addHelpText("after", "\nExample:\n  lanyard limits")
    .action((options: { json?: boolean }) => {
      if (options.json) return context.out(json(limits));
      const cells = Object.entries(limits).map(([name, { value, unit, why }]) => [name, String(value), unit, why]);
      for (const line of table(["limit", "value", "unit", "why"], cells, context.colour)) context.out(line);
    });
}
