import { Fault, isObject, type Json, type JsonObject } from "@lanyard/contract";
import type { Command } from "commander";
import type { AskingRule } from "../mediation/approval-stats.ts";
import type { Client } from "./client.ts";
import type { Context } from "./context.ts";
import { giveGrant, type GrantOptions } from "./grants.ts";
import { sinceMs } from "./log.ts";
import { asOneself, credentialHelp } from "./policy/oneself.ts";
import { brief, json, printable, table, time } from "./terminal.ts";

export function approvalVerbs(program: Command, context: Context): void {
  const approvals = program
    .command("approvals")
    .description("calls that wait for a person")
    .option("--json", "as one JSON object")
    .addHelpText("after", "\nExample:\n  lanyard approvals\n  lanyard approvals show apr_x7Qp0LrT2kVn8sWz")
    .action(async (options: { json?: boolean }) => {
      const cards = await cardsFrom(await context.reach());
      if (options.json) return context.out(json({ approvals: cards }));
      if (cards.length === 0) context.out("nothing waits for approval");
      for (const card of cards) for (const line of cardLines(card)) context.out(line);
    });
  approvals
    .command("show <approval>")
    .description("one card, whole")
    .option("--json", "as one JSON object")
    .addHelpText("after", "\nExample:\n  lanyard approvals show apr_x7Qp0LrT2kVn8sWz")
    .action(async (id: string, options: { json?: boolean }) => {
      const card = cardOf(await cardsFrom(await context.reach()), id);
      if (options.json) context.out(json(card));
      else for (const line of cardLines(card, Number.POSITIVE_INFINITY)) context.out(line);
    });
  approvals
    .command("stats")
    .description("rules that ask people: how often, what came of it, and the change of the rule that suggests")
    .option("--since <when>", "what was asked since then: 90s, 15m, 2h, 7d, or an ISO time", "30d")
    .option("--json", "as one JSON object")
    .addHelpText("after", "\nA suggestion is a policy as text, to be put in place of the rule and tried with `lanyard policy diff`.\n\nExample:\n  lanyard approvals stats --since 7d")
    .action(async (options: { since: string; json?: boolean }) => {
      const { rules } = await (await context.reach()).call<{ rules: AskingRule[] }>("approval_stats", { query: { since_ms: sinceMs(options.since) } });
      if (options.json) context.out(json({ rules }));
      else for (const line of statsLines(rules, context)) context.out(line);
    });
  verdictVerb(program, context, "approve", "lets a held call through, once, as yourself; the comment reaches the agent");
  verdictVerb(program, context, "deny", "refuses a held call and all identical ones, as yourself; the comment reaches the agent");
}

const cardsFrom = async (api: Client): Promise<JsonObject[]> => (await api.call<{ approvals: JsonObject[] }>("approval_list")).approvals;

/** The card that a request is on. Throws Fault `not_found`. */
function cardOf(cards: readonly JsonObject[], id: string): JsonObject {
  const card = cards.find((one) => objects(one["requests"]).some((request) => request["id"] === id));
  if (!card) throw new Fault("not_found", `no approval \`${id}\` is open; \`lanyard approvals\` lists those that are`);
  return card;
}

function statsLines(rules: readonly AskingRule[], { colour }: Context): string[] {
  if (rules.length === 0) return ["no rule asked anybody in this time"];
  const percent = (share: number | null): string => (share === null ? "-" : `${Math.round(share * 100)} %`);
  const seconds = (ms: number | null): string => (ms === null ? "-" : `${(ms / 1000).toFixed(1)} s`);
  const rows = rules.map((rule) => [rule.policy, String(rule.asked), percent(rule.approved_share), String(rule.denied), String(rule.unanswered), String(rule.granted), seconds(rule.median_wait_ms)]);
  const proposals = rules.flatMap(({ policy, file, line, proposal }) =>
    proposal === null ? [] : ["", `${printable(policy)} (${printable(file)}:${line}): ${proposal.why}. In its place:`, ...proposal.text.split("\n").map((text) => `  ${printable(text)}`)],
  );
  return [...table(["rule", "asked", "approved", "denied", "unanswered", "by grants", "median wait"], rows, colour), ...proposals];
}

/** At most this many lines of what a call would do in a list, and characters of its arguments; all of it with `approvals show`. */
const listed = { lines: 12, chars: 1000 } as const;

/** What a person must see before saying yes: who, for whom, what exactly, why they are asked, what the agent read before, who may lift it, until when. */
export function cardLines(card: JsonObject, lines: number = listed.lines): string[] {
  const field = (name: string): string => printable(String(card[name] ?? ""));
  const row = (name: string, text: string): string => `  ${name.padEnd(9)} ${text}`;
  const width = Number.isFinite(lines) ? listed.chars : Number.POSITIVE_INFINITY;
  const requests = objects(card["requests"]);
  const effect = texts(card["effect"]);
  const isTold = effect.some((line) => /^(?: {2}\| |[-+] )/.test(line)); // else the arguments say it as well
  const more = effect.length - lines;
  const resources = texts(card["resources"]);
  const [transforms, missing, mayAnswer] = [texts(card["transforms"]), texts(card["missing"]), texts(card["may_answer"])];
  const given = objects(card["given"]).map(({ by, groups }) => `${printable(String(by))} (${texts(groups).map(printable).join(", ")})`);
  return [
    `${field("id")}  ${field("state")}`,
    row("what", `${field("action")} ${brief(card["args"], width)}`),
    ...(isTold ? [...effect.slice(0, lines).map((line) => row("", printable(line))), ...(more > 0 ? [row("", `... ${more} lines more: lanyard approvals show ${field("id")}`)] : [])] : []),
    ...(transforms.length > 0 ? [row("changed", `${printable(transforms.join(", "))}, by policy; the agent sent ${brief(card["sent"], width)}`)] : []),
    ...(card["beside"] ? [row("with", brief(card["beside"], width))] : []),
    ...objects(card["untrusted"]).map(({ at, value, seq }) => row("untrusted", `${printable(String(at))} ${brief(value ?? "", width)}${seq === null ? "" : ` (lanyard explain ${Number(seq)})`}`)),
    row("touches", `${resources.length > 0 ? `${printable(resources.join(", "))}, ` : ""}${field("reversibility")}`),
    row("who", `agent ${field("agent")} for ${field("user")}, session ${field("session")}`),
    row("purpose", field("purpose")),
    ...objects(card["reasons"]).map(({ policy, text }) => row("why", `${printable(String(text)) || "the policy gives no reason"} (policy ${printable(String(policy))})`)),
    ...objects(card["read"]).map(({ seq, action, what }) => row("read", `${printable(String(action))} ${printable(String(what))} (lanyard explain ${Number(seq)})`)),
    row("waits for", `${printable(missing.join(", ")) || "its use"}${mayAnswer.length > 0 ? `; may answer: ${printable(mayAnswer.join(", "))}` : ""}`),
    ...(given.length > 0 ? [row("yes from", given.join(", "))] : []),
    row("until", time(Number(card["expires_at_ms"]))),
    ...requests.slice(1).map(({ id, session }) => row("the same", `${printable(String(id))} of session ${printable(String(session))}; each takes a yes of its own`)),
  ];
}

const objects = (list: Json | undefined): JsonObject[] => (Array.isArray(list) ? list.filter(isObject) : []);
const texts = (list: Json | undefined): string[] => (Array.isArray(list) ? list.map(String) : []);

function verdictVerb(program: Command, context: Context, verdict: "approve" | "deny", description: string): void {
  const verb = program
    .command(`${verdict} <approval...>`)
    .description(description)
    .option("--comment <text>", "why; recorded, and shown to the agent")
    .option("--json", "as one JSON object a line");
  if (verdict === "approve") {
    verb
      .option("--vouch", "also vouch for the values that the card calls untrusted, each exactly as it is, until the session ends")
      .option("--grant", "give a grant instead: yes to calls like this one, beforehand; its text is shown first")
      .option("--until <time>", "with --grant: 30m, 8h, 2d or a time; default 1h")
      .option("--times <n>", "with --grant: how many calls; default 10")
      .option("--like <argument=pattern...>", "with --grant: a text argument may be like this, `*` being any text")
      .option("--any <argument...>", "with --grant: an argument may be anything")
      .option("--yes", "with --grant: without asking");
  }
  const more = verdict === "approve" ? "\n  lanyard approve apr_x7Qp0LrT2kVn8sWz --vouch\n  lanyard approve apr_x7Qp0LrT2kVn8sWz --grant --until 8h --times 20 --like path=drafts/*" : "";
  verb
    .addHelpText("after", `${credentialHelp}\nExample:\n  lanyard ${verdict} apr_x7Qp0LrT2kVn8sWz --comment "checked with Ben"${more}`)
    .action(async (ids: string[], options: VerdictOptions) => {
      if (options.grant && options.vouch) throw new Fault("invalid_request", "a grant is for calls to come, whose values nobody has seen: `--vouch` does not go with `--grant`");
      if (options.grant) for (const id of ids) await giveGrant(context, id, options);
      else await answer(context, verdict, ids, options);
    });
}

interface VerdictOptions extends GrantOptions {
  readonly comment?: string;
  readonly grant?: boolean;
  readonly vouch?: boolean;
}

async function answer(context: Context, verdict: "approve" | "deny", ids: readonly string[], options: VerdictOptions): Promise<void> {
  const api = await asOneself(context, verdict);
  const cards = await cardsFrom(api);
  const denied = new Set<JsonObject>();
  for (const id of ids) {
    const card = cardOf(cards, id);
    if (denied.has(card)) continue; // with the one before, which was identical
    if (verdict === "deny") denied.add(card);
    const after = await api.call("approval_decide", { at: { id }, body: { verdict, digest: String(card["digest"]), ...(options.comment && { comment: options.comment }), ...(options.vouch && { vouch: true }) } });
    const missing = texts(after["missing"]);
    const still = verdict === "approve" && missing.length > 0 ? `; it still waits for ${printable(missing.join(", "))}` : "";
    const vouched = texts(after["vouched"]);
    const more = vouched.length > 0 ? `; vouched for ${printable(vouched.join(", "))}` : options.vouch ? "; it has no untrusted values to vouch for" : "";
    context.out(options.json ? json(after) : `${verdict === "approve" ? "approved" : "denied"} ${id}${still}${more}`);
  }
}
