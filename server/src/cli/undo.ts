import { Fault, type JsonObject } from "@lanyard/contract";
import type { Command } from "commander";
import type { Context } from "./context.ts";
import { progressLine } from "./progress.ts";
import { exit, json, printable, time } from "./terminal.ts";

export function undoVerb(program: Command, context: Context): void {
  program
    .command("undo <session>")
    .description("takes back what a session and its children did, newest first, and says of each action whether its state is what it was before")
    .option("--to <entry>", "only what came after this entry, which stays")
    .option("--dry-run", "only says what would be taken back, and what cannot be")
    .option("--json", "one JSON object a line")
    .addHelpText(
      "after",
      "\nWhat takes back is decided by the policies of the agent that lanyard.yaml names under `undo:`, and recorded like any call. What somebody else\nhas changed since is not overwritten. Doing it twice does no harm; after a crash, do it again.\n\nExits 1 when something was not taken back.\n\nExample:\n  lanyard undo ses_x7Qp0LrT2kVn8sWz --dry-run\n  lanyard undo ses_x7Qp0LrT2kVn8sWz --to 41",
    )
    .action(async (session: string, options: { to?: string; dryRun?: boolean; json?: boolean }) => {
      const to = options.to === undefined ? null : Number(options.to);
      if (to !== null && !(Number.isSafeInteger(to) && to >= 0)) throw new Fault("invalid_request", `\`${options.to}\` is no number of an entry`);
      const token = context.variable("LANYARD_CREDENTIAL");
      const api = await context.reach({ daemonOnly: true, ...(token !== undefined && { token }) });
      const shown = new Report(context, options.dryRun === true);
      for await (const line of api.lines<JsonObject>("undo", { at: { id: session }, body: { ...(to !== null && { to }), dry_run: options.dryRun === true } })) {
        if (options.json) context.out(json(line));
        else shown.line(line);
        if (line["kind"] === "end" && Number(line["refused"]) + Number(line["failed"]) > 0) process.exitCode = exit.failed;
      }
    });
}

/** The lines of an undo as people read them. */
class Report {
  readonly #context: Context;
  readonly #dry: boolean;
  readonly #progress = progressLine("took back", "actions");
  #all = 0;
  #done = 0;

  constructor(context: Context, dry: boolean) {
    this.#context = context;
    this.#dry = dry;
  }

  line(line: JsonObject): void {
    this.#progress.clear();
    if (line["kind"] === "begin") this.#begin(line);
    if (line["kind"] === "step") this.#step(line);
    if (line["kind"] === "end") this.#end(line);
    else this.#progress.show(this.#done, this.#all);
  }

  #begin({ actions, session, withdrawn, applied }: JsonObject): void {
    for (const id of Array.isArray(applied) ? applied : []) this.#context.out(`what was applied to its folder is taken back by \`lanyard session revert ${String(id)}\``);
    this.#all = Number(actions);
    if (Number(withdrawn) > 0) this.#context.out(`withdrew ${Number(withdrawn)} staged calls`);
    if (this.#all === 0) this.#context.out(`session ${String(session)} changed nothing`);
  }

  #step(line: JsonObject): void {
    this.#done += 1;
    const { colour, out } = this.#context;
    const verdict = String(line["verdict"]);
    const word = this.#dry && verdict === "restored" ? "would restore" : this.#dry && verdict === "residue" ? "would make good" : verdict;
    const paint = verdict === "restored" ? colour.green : verdict === "residue" ? colour.yellow : colour.red;
    const says = printable(String(line["says"] ?? ""));
    out(`${String(line["seq"]).padStart(6)}  ${time(Number(line["at_ms"]))}  ${printable(String(line["action"]))}  ${paint(word)}${says === "" ? "" : `: ${says}`}`);
  }

  #end(line: JsonObject): void {
    if (this.#all === 0) return;
    const number = (key: string) => Number(line[key]);
    const [restored, residue] = [number("restored"), number("residue")];
    this.#context.out(`${this.#dry ? "would be restored" : "restored"} ${restored}, with residue ${residue}, refused ${number("refused")}, failed ${number("failed")}`);
  }
}
