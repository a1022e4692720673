import { callEffects, type ArgumentFacts, type CallEffect, type JsonObject } from "@lanyard/contract";
import { names, remembered } from "../remembered.ts";
import { wordsOf } from "./words.ts";

const verbs: readonly (readonly [effects: readonly CallEffect[], words: string])[] = [
  [["read"], "get list read search find fetch query show describe view lookup look check count status info stat diff log browse download retrieve inspect summarize summarise analyze analyse validate verify preview explain compare calculate compute convert history whoami ls cat grep glob scan estimate suggest head tail navigate visit goto crawl scrape load"],
  [["write"], "create add update set edit write append save insert upsert put patch move rename copy schedule reschedule adjust assign mark archive label star merge commit modify change configure enable disable start stop restart apply import pair connect link mount install pause resume mute snooze reboot escalate acknowledge ack dismiss follow unfollow rotate provision rollback revert restore sign decide decline confirm generate make open close register approve reject accept subscribe unsubscribe replace submit toggle store remember complete resolve reopen pin upload checkout switch init scale clone pull rebase stash tag turn play lock unlock silence unmute rollout moderate issue grant authorize authorise join leave follow like"],
  [["egress", "write"], "send reply respond forward email mail notify message tweet post publish push share invite comment broadcast dial call sms dm respond export sync webhook emit expose tunnel deploy release stream"],
  [["destructive", "write"], "delete remove drop purge truncate destroy wipe kill terminate reset revoke uninstall clear cancel erase unlink rm rmdir prune format shutdown clean overwrite deprovision force"],
  [["money", "write"], "transfer pay payment refund book reserve order rent bid invest trade swap stake charge purchase buy withdraw deposit donate payout wire remit checkout tip reimburse settle"],
  [["exec"], "run execute exec eval shell bash sh terminal command script spawn python node powershell invoke evaluate sandbox repl"],
];

const byVerb: ReadonlyMap<string, readonly CallEffect[]> = new Map(verbs.flatMap(([effects, words]) => words.split(" ").map((word) => [word, effects] as const)));

/** Whether a word in a tool's name says what it does. */
export const isVerb = (word: string): boolean => byVerb.has(word);

/** Verbs that name the whole of what a tool does only when they come first: `list_scheduled_payments` reads, `list` is its verb. */
const reading = new Set((verbs[0]?.[1] ?? "").split(" "));

/** What is made to be read by others. */
const making = new Set("create add submit write open make".split(" "));
/** What is opened to be looked at. */
const looking = new Set("link url page tab website site browser document doc file folder email mail message".split(" "));
const outward = new Set("message email mail post tweet comment reply issue gist release invitation discussion announcement request pr".split(" "));

/**
 * What a tool's name suggests that it does. The first verb counts, a name that begins with a reading one reads; where none is first, every verb
 * in it counts. Empty where there is none: nobody knows.
 */
export const effectsOfName = remembered(names, (tool): readonly CallEffect[] => {
  const words = wordsOf(tool);
  if (words.includes("sql") || words.includes("cypher")) return []; // `execute_sql`: the statement says what it does.
  const at = words.findIndex((word) => byVerb.has(word));
  const first = words[at];
  if (first === undefined) return [];
  if (at === 0 && first === "open" && words.some((word) => looking.has(word))) return ["read"];
  if (at === 0 && making.has(first) && words.some((word) => outward.has(word))) return ["egress", "write"];
  if (at === 0 && !reading.has(first)) return byVerb.get(first) ?? [];
  // A prefix that is no verb is the name of a product: `gmail_send_email`, `github-list-issues`.
  return reading.has(first) ? ["read"] : (byVerb.get(first) ?? []);
});

/** What a server admits of its tool; it can only add (invariant I12). */
export function effectsOfAnnotations(annotations: JsonObject | undefined): readonly CallEffect[] {
  if (annotations === undefined) return [];
  return [
    ...(annotations["destructiveHint"] === true ? (["destructive", "write"] as const) : []),
    ...(annotations["readOnlyHint"] === false ? (["write"] as const) : []),
    ...(annotations["openWorldHint"] === true ? (["egress"] as const) : []),
  ];
}

/** What the arguments of a call show that it does, whatever it is called. `otherwise`: what is known of it besides. */
export function effectsOfFacts(facts: Iterable<ArgumentFacts>, otherwise: readonly CallEffect[]): readonly CallEffect[] {
  const found = new Set<CallEffect>();
  const isReading = otherwise.every((effect) => effect === "read") && otherwise.length > 0;
  for (const { role, sql, shell, url, email, money, code } of facts) {
    if (sql) {
      found.add(sql.class === "read" ? "read" : "write");
      if (sql.class === "schema" || sql.class === "admin" || sql.unbounded) found.add("destructive");
    }
    if (shell) {
      found.add("exec");
      const isAll = (...ways: readonly string[]): boolean => shell.class === "network" && shell.reaches?.every((one) => ways.includes(one)) === true;
      const onlyLooks = isAll("look");
      if (shell.class !== "read" && shell.class !== "build" && !isAll("look", "get")) found.add("write");
      if ((shell.class === "network" || shell.hosts.length > 0) && !onlyLooks) found.add("egress");
      if (shell.destructive) found.add("destructive");
    }
    if (code) found.add("exec");
    if (code?.class === "network") found.add("egress");
    if (url && !url.schemes.every((scheme) => scheme === "file" || scheme === "data")) found.add("egress");
    if (email && role === "recipient" && !isReading) found.add("egress").add("write");
    if (money && role === "amount" && !isReading) found.add("money").add("write");
  }
  return [...found];
}

const inOrder: readonly CallEffect[] = callEffects.toSorted();

export const sortedEffects = (effects: Iterable<CallEffect>): readonly CallEffect[] => {
  const all = new Set(effects);
  return inOrder.filter((effect) => all.has(effect));
};

/** Words of tools that give money back. */
export const givingBack: readonly string[] = "refund refunds reimburse repay rebate chargeback".split(" ");
