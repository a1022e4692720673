import type { JsonObject } from "@lanyard/contract";
import type { Command } from "commander";
import type { Context } from "./context.ts";
import { json, table, time } from "./terminal.ts";
import { workspaceVerbs } from "./workspace/verbs.ts";

export function sessionVerbs(program: Command, context: Context): void {
  const sessions = program
    .command("sessions")
    .alias("session")
    .description("open sessions")
    .option("--json", "as one JSON object")
    .addHelpText("after", "\nExample:\n  lanyard sessions\n  lanyard sessions close s_x7Qp0LrT2kVn8sWz")
    .action(async (options: { json?: boolean }) => {
      const list = await (await context.reach()).call<{ sessions: JsonObject[] }>("session_list");
      if (options.json) return context.out(json(list));
      const cells = list.sessions.map((s) => [String(s["session"]), String(s["agent"]), String(s["user"]), time(Number(s["expires_at_ms"])), String(s["calls"] ?? ""), String(s["parent"] ?? "")]);
      for (const line of table(["session", "agent", "for", "until", "calls", "parent"], cells, context.colour)) context.out(line);
    });

  sessions
    .command("close <session>")
    .description("ends a session and its children at once")
    .action(async (id: string) => {
      await (await context.reach({ daemonOnly: true })).call("session_close", { at: { id } });
      context.out(`closed ${id}`);
    });
  workspaceVerbs(sessions, context);
}
