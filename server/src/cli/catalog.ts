import type { JsonObject } from "@lanyard/contract";
import type { Command } from "commander";
import type { Context } from "./context.ts";
import { exit, json, printable, table } from "./terminal.ts";

export function catalogVerbs(program: Command, context: Context): void {
  const catalog = program
    .command("catalog")
    .description("pinned tool definitions: what agents may be shown and call")
    .option("--json", "as one JSON object")
    .addHelpText("after", "\nExample:\n  lanyard catalog\n  lanyard catalog diff files\n  lanyard catalog approve files")
    .action(async (options: { json?: boolean }) => {
      const { tools } = await (await context.reach()).call<{ tools: JsonObject[] }>("catalog_list");
      if (options.json) return context.out(json({ tools }));
      const cells = tools.map((tool) => [`${tool["server"]}/${tool["tool"]}`, String(tool["state"]), String(tool["why"]), String(tool["seen"])]);
      for (const line of table(["tool", "state", "why", "definition"], cells, context.colour)) context.out(line);
    });

  catalog
    .command("diff <server> [tool]")
    .description("what each quarantined definition changes against the approved one")
    .option("--json", "as one JSON object")
    .action(async (server: string, tool: string | undefined, options: { json?: boolean }) => {
      const diffs = await showDiffs(context, server, tool, options.json === true);
      if (!options.json && diffs.length === 0) context.out(`nothing of \`${server}\` is quarantined`);
    });

  catalog
    .command("approve <server> [tool]")
    .description("shows the diff, then pins the definitions shown; agents see them at once")
    .option("--json", "as one JSON object")
    .action(async (server: string, tool: string | undefined, options: { json?: boolean }) => {
      const diffs = await showDiffs(context, server, tool, false);
      const api = await context.reach({ daemonOnly: true });
      // Each definition is approved by its hash: what changed after it was shown stays in quarantine.
      const definitions = Object.fromEntries(diffs.map(({ tool: name, seen }) => [name, seen]));
      const { approved } = await api.call<{ approved: unknown[] }>("catalog_approve", { body: { server, definitions } });
      context.out(options.json ? json({ approved }) : `${approved.length} definition${approved.length === 1 ? "" : "s"} of ${server} approved`);
      if (diffs.length === 0) process.exitCode = exit.failed;
    });
}

interface Diff {
  readonly tool: string;
  readonly seen: string;
  readonly why: string;
  readonly diff: string;
}

async function showDiffs(context: Context, server: string, tool: string | undefined, asJson: boolean): Promise<Diff[]> {
  const { diffs } = await (await context.reach()).call<{ diffs: Diff[] }>("catalog_diff", { query: { server, tool } });
  if (asJson) context.out(json({ diffs }));
  const { colour } = context;
  for (const { tool: name, why, diff } of asJson ? [] : diffs) {
    context.out(colour.bold(printable(`${server}/${name}: ${why}`)));
    for (const line of diff.split("\n")) context.out(line.startsWith("+") ? colour.green(line) : line.startsWith("-") ? colour.red(line) : line);
  }
  return diffs;
}
