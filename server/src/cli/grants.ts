import { Fault, type JsonObject } from "@lanyard/contract";
import { createInterface } from "node:readline/promises";
import type { Command } from "commander";
import type { Context } from "./context.ts";
import { untilMs } from "./log.ts";
import { asOneself, credentialHelp } from "./policy/oneself.ts";
import { json, printable, time } from "./terminal.ts";

export interface GrantOptions {
  readonly until?: string;
  readonly times?: string;
  readonly like?: readonly string[];
  readonly any?: readonly string[];
  readonly yes?: boolean;
  readonly json?: boolean;
}

export function grantVerbs(program: Command, context: Context): void {
  const grants = program
    .command("grants")
    .description("approvals given beforehand, as policy text")
    .option("--json", "as one JSON object")
    .addHelpText("after", "\n`lanyard approve <approval> --grant` gives one.\n\nExample:\n  lanyard grants\n  lanyard grants revoke gr_x7Qp0LrT2kVn8sWz")
    .action(async (options: { json?: boolean }) => {
      const { grants: cards } = await (await context.reach()).call<{ grants: JsonObject[] }>("grant_list");
      if (options.json) return context.out(json({ grants: cards }));
      if (cards.length === 0) context.out("no grant is in force");
      for (const card of cards) for (const line of grantLines(card)) context.out(line);
    });
  grants
    .command("join <grant>")
    .description("says yes, as yourself, to a grant that several must give; shows its text first")
    .option("--yes", "without asking")
    .option("--json", "as one JSON object")
    .addHelpText("after", `${credentialHelp}\nExample:\n  lanyard grants join gr_x7Qp0LrT2kVn8sWz`)
    .action(async (id: string, options: GrantOptions) => {
      const api = await asOneself(context, "join a grant");
      const { grants: cards } = await api.call<{ grants: JsonObject[] }>("grant_list");
      const card = cards.find((one) => one["id"] === id);
      if (!card) throw new Fault("not_found", `no grant \`${id}\` is in force or proposed; \`lanyard grants\` lists those that are`);
      await confirm(context, String(card["text"]), options);
      given(context, await api.call("grant_join", { at: { id }, body: { shown: String(card["shown"]) } }), options);
    });
  grants
    .command("revoke <grant>")
    .description("takes a grant back at once: as yourself, or as the operator without LANYARD_CREDENTIAL")
    .option("--json", "as one JSON object")
    .addHelpText("after", "\nExample:\n  lanyard grants revoke gr_x7Qp0LrT2kVn8sWz")
    .action(async (id: string, options: { json?: boolean }) => {
      const token = context.variable("LANYARD_CREDENTIAL");
      const answer = await (await context.reach({ daemonOnly: true, ...(token && { token }) })).call("grant_revoke", { at: { id } });
      context.out(options.json ? json(answer) : `revoked ${id}`);
    });
}

/** `lanyard approve <approval> --grant`: shows the text, asks, gives. Throws Fault `unauthenticated`, `invalid_request`, and what the daemon answers. */
export async function giveGrant(context: Context, approval: string, options: GrantOptions): Promise<void> {
  const api = await asOneself(context, "give a grant");
  const wish = {
    approval,
    times: Number(options.times ?? 10),
    until_ms: untilMs(options.until ?? "1h"),
    like: Object.fromEntries((options.like ?? []).map(pairOf)),
    any: [...(options.any ?? [])],
  };
  const { text, shown } = await api.call<{ text: string; shown: string }>("grant_draft", { body: wish });
  await confirm(context, text, options);
  given(context, await api.call("grant_give", { body: { ...wish, shown } }), options);
}

async function confirm(context: Context, text: string, { yes, json: asJson }: GrantOptions): Promise<void> {
  if (!asJson) for (const line of text.split("\n")) context.out(printable(line));
  if (yes) return;
  if (!process.stdin.isTTY) throw new Fault("invalid_request", "nobody is there to agree; add `--yes` after reading the text");
  using prompt = createInterface({ input: process.stdin, output: process.stderr });
  if (!/^y(es)?$/i.test((await prompt.question("give this? [y/N] ")).trim())) throw new Fault("invalid_request", "not given: the answer was no", { remedy: "" });
}

function given(context: Context, card: JsonObject, { json: asJson }: GrantOptions): void {
  if (asJson) return context.out(json(card));
  const missing = Array.isArray(card["missing"]) ? card["missing"].map(String) : [];
  context.out(missing.length === 0 ? `given ${printable(String(card["id"]))}` : `proposed ${printable(String(card["id"]))}; it still waits for ${printable(missing.join(", "))}: lanyard grants join ${printable(String(card["id"]))}`);
}

function grantLines(card: JsonObject): string[] {
  const given = Array.isArray(card["given"]) ? card["given"].map(String) : [];
  return [
    `${printable(String(card["id"]))}  ${printable(String(card["state"]))}, ${Number(card["left"])} of ${Number(card["times"])} uses left, until ${time(Number(card["until_ms"]))}, by ${printable(given.join(", "))}`,
    ...String(card["text"]).split("\n").map((line) => `  ${printable(line)}`),
  ];
}

function pairOf(text: string): [string, string] {
  const at = text.indexOf("=");
  if (at < 1) throw new Fault("invalid_request", `\`--like ${text}\` is no \`<argument>=<pattern>\``);
  return [text.slice(0, at), text.slice(at + 1)];
}
