import { isObject, type JsonObject } from "@lanyard/contract";
import type { Command } from "commander";
import type { Context } from "./context.ts";
import { exit, json, printable, table } from "./terminal.ts";

export function channelVerbs(program: Command, context: Context): void {
  const channels = program
    .command("channels")
    .description("ways to reach people: what waits for each, and how the last message ended")
    .option("--json", "as one JSON object")
    .addHelpText("after", "\nExample:\n  lanyard channels\n  lanyard channels test pager")
    .action(async (options: { json?: boolean }) => {
      const list = await (await context.reach()).call<{ channels: JsonObject[] }>("channel_list");
      if (options.json) return context.out(json(list));
      if (list.channels.length === 0) return context.out("no channel is configured; `channels:` in lanyard.yaml names them");
      for (const line of table(["channel", "kind", "waiting", "last"], list.channels.map(cellsOf), context.colour)) context.out(line);
    });

  channels
    .command("test <channel>")
    .description("sends a message that says it is a test, and tells how that went")
    .option("--json", "as one JSON object")
    .addHelpText("after", "\nExit code 1 when it did not arrive.\n\nExample:\n  lanyard channels test pager")
    .action(async (channel: string, _: unknown, command: Command) => {
      const result = await (await context.reach({ daemonOnly: true })).call("channel_test", { at: { id: channel } });
      if (result["delivered"] !== true) process.exitCode = exit.failed;
      if (command.optsWithGlobals<{ json?: boolean }>().json) return context.out(json(result));
      if (result["delivered"] === true) context.out(`${channel} took it`);
      else context.err(`${channel} did not take it: ${printable(String(result["code"]))} (${adviceOn(String(result["code"]))})`);
    });
}

const cellsOf = ({ name, kind, waiting, last }: JsonObject): string[] => {
  const ended = !isObject(last) ? "nothing was sent yet" : last["state"] === "delivered" ? "delivered" : `given up: ${String(last["code"])}`;
  return [String(name), String(kind), String(waiting), ended];
};

/** What to do about a failure. */
function adviceOn(code: string): string {
  if (code === "no_credential") return "the daemon's log names the secret that could not be had";
  if (code === "no_receiver") return "nobody is named: add `to: [...]` to the channel";
  if (code === "address") return "its address must be https, or http to this machine";
  if (code === "unreachable" || code === "timeout") return "check the address, and that this machine reaches it";
  if (code === "tls" || code === "no_ca") return "the mail server must offer TLS with a certificate that is trusted here; `ca:` names further roots";
  return "the receiver refused it; check its secret and its address";
}
