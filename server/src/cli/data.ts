import type { JsonObject } from "@lanyard/contract";
import type { Command } from "commander";
import type { Context } from "./context.ts";
import { json, printable, table } from "./terminal.ts";

interface Data {
  readonly agent: string;
  readonly can: readonly { readonly label: string; readonly tools: readonly string[] }[];
  readonly did: readonly { readonly label: string; readonly how: string; readonly action: string; readonly times: number; readonly last: number }[];
}

const shownTools = 6;

export function dataVerbs(program: Command, context: Context): void {
  const data = program
    .command("data")
    .description("which data classes an agent can touch, and which it did")
    .option("--agent <agent>", "the agent")
    .option("--json", "as one JSON object")
    .addHelpText("after", "\nExample:\n  lanyard data --agent coder\n  lanyard data reveal tok_Zm9vYmFyYmF6cXV4MTIzNA")
    .action(async (options: { agent?: string; json?: boolean }) => {
      if (options.agent === undefined) throw new Error("say whose with `--agent NAME`; `lanyard data --help` shows an example");
      const found = await (await context.reach()).call<Data>("data_agent", { at: { agent: options.agent } });
      if (options.json) return context.out(json(found as unknown as JsonObject));
      context.out(found.can.length === 0 ? `no tool that ${found.agent} may call yields a label, by its contract` : `${found.agent} can touch, by contracts and policies:`);
      for (const line of table(["label", "tools"], found.can.map(({ label, tools }) => [label, `${tools.slice(0, shownTools).join(", ")}${tools.length > shownTools ? `, and ${tools.length - shownTools} more` : ""}`]), context.colour)) if (found.can.length > 0) context.out(line);
      context.out(found.did.length === 0 ? `${found.agent} has touched nothing that carries a label` : `${found.agent} did, on record (the last is a decision for \`lanyard explain\`):`);
      for (const line of table(["label", "how", "action", "times", "last"], found.did.map(({ label, how, action, times, last }) => [label, how, printable(action), String(times), String(last)]), context.colour)) if (found.did.length > 0) context.out(line);
    });
  data
    .command("reveal <token>")
    .description("what a token stands for; that you asked is on record. You are the operator, or with LANYARD_CREDENTIAL yourself")
    .option("--json", "as one JSON object")
    .addHelpText("after", "\nExample:\n  lanyard data reveal tok_Zm9vYmFyYmF6cXV4MTIzNA")
    .action(async (token: string, options: { json?: boolean }) => {
      const credential = context.variable("LANYARD_CREDENTIAL");
      const told = await (await context.reach({ daemonOnly: true, ...(credential !== undefined && { token: credential }) })).call<JsonObject>("data_reveal", { body: { token } });
      context.out(options.json ? json(told) : printable(String(told["value"])));
    });
}
