import type { JsonObject } from "@lanyard/contract";
import type { Command } from "commander";
import type { Client } from "./client.ts";
import type { Context } from "./context.ts";
import { json, printable, table, time } from "./terminal.ts";
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
  vouchingVerbs(sessions, context);
  workspaceVerbs(sessions, context);
}

const about = "\nYou are the operator, or with LANYARD_CREDENTIAL (lyd_user_...) yourself; an agent says nothing here.";

/** What people add to what a session knows. */
function vouchingVerbs(sessions: Command, context: Context): void {
  sessions
    .command("mark <session> <labels...>")
    .description("says that a session has seen data of these classes; that stays with it and its children")
    .addHelpText("after", `${about}\n\nExample:\n  lanyard session mark ses_x7Qp0LrT2kVn8sWz customer`)
    .action(async (id: string, labels: string[]) => {
      await (await reachAs(context)).call("session_mark", { at: { id }, body: { labels } });
      context.out(`${id} is marked: ${labels.join(", ")}`);
    });
  sessions
    .command("task <session> <text>")
    .description("adds to what a session is for: values in the text count as the task's from now on")
    .addHelpText("after", `${about}\n\nExample:\n  lanyard session task ses_x7Qp0LrT2kVn8sWz "and send a copy to finance@acme.example"`)
    .action(async (id: string, text: string) => {
      await (await reachAs(context)).call("session_task", { at: { id }, body: { text } });
      context.out(`added to the task of ${id}`);
    });
  sessions
    .command("declassify <session>")
    .description("vouches for exactly one value until the session ends: it counts as the organisation's own, or with --label no longer carries that label")
    .requiredOption("--value <value>", "the value, as it will be sent")
    .option("--label <label>", "lift this label instead")
    .addHelpText("after", `${about}\n\nExample:\n  lanyard session declassify ses_x7Qp0LrT2kVn8sWz --value DE89370400440532013000\n  lanyard session declassify ses_x7Qp0LrT2kVn8sWz --value maria@customer.example --label personal`)
    .action(async (id: string, { value, label }: { value: string; label?: string }) => {
      await (await reachAs(context)).call("session_declassify", { at: { id }, body: { value, ...(label !== undefined && { label }) } });
      context.out(label === undefined ? `the value counts as the organisation's own in ${id}` : `the value no longer carries \`${printable(label)}\` in ${id}`);
    });
}

const reachAs = (context: Context): Promise<Client> => {
  const token = context.variable("LANYARD_CREDENTIAL");
  return context.reach({ daemonOnly: true, ...(token !== undefined && { token }) });
};
