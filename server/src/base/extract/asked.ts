import { callEffects, type CallEffect } from "@lanyard/contract";
import { remembered } from "../remembered.ts";

// What a task asks for, by the words of whoever gave it: a call that goes beyond it is one that nobody asked for. Words are all there is to go by, so
// that what is not understood asks for nothing that has consequences; people can always say yes to the call itself.

const rows: readonly (readonly [readonly CallEffect[], string])[] = [
  [["read"], "what who whom whose when where why which how is are was were does did do i show list find search look lookup check read see view get fetch tell me summarise summarize summary explain describe compare count review analyse analyze inspect identify determine calculate compute verify confirm monitor watch research investigate query open download browse translate rank report give know recommend suggest answer was ist sind welche wie wann wo zeige fasse"],
  [["write"], "into scale resize create add update change edit write fix set save schedule reschedule move rename copy file archive mark make build implement refactor upgrade configure merge modify append draft prepare record note log register generate organise organize sort label tag assign care deal turn enable disable activate deactivate play like follow star rate improve complete finish migrate format replace put insert import sync plan arrange approve reject accept decline remember correct patch bump store convert adjust increase decrease lower raise extend renew switch log apply enter fill adapt extract rewrite reorganise tidy erstelle ändere schreibe trage lege aktualisiere"],
  [["write", "egress"], "work solve handle process manage resolve close triage commit schedule arrange plan upload push deploy release submit hand deliver export comment reply respond answer pull-request merge-request"],
  [["egress"], "send forward share post publish notify inform invite ask remind contact announce tweet broadcast message email mail text dm ping call pass sende schicke teile antworte lade"],
  [["money"], "pay transfer buy purchase order refund reimburse donate tip settle deposit withdraw wire checkout book reserve rent subscribe invest trade swap sell repay renew top-up bezahle zahle überweise kaufe bestelle buche reserviere"],
  [["destructive"], "delete remove cancel drop clear clean purge erase wipe uninstall terminate kill prune unsubscribe revoke reset empty discard truncate shutdown tidy deprovision decommission lösche entferne storniere kündige"],
  [["write", "exec"], "run execute build test install start restart launch compile debug fix upgrade deploy implement refactor lint benchmark führe"],
];
/** Of access it is asked by its nouns too, wherever they stand. */
const access = new Set("grant share invite unlock authorize authorise delegate whitelist allowlist promote disable deactivate disarm unprotect unblock suspend expose access permission permissions role roles collaborator collaborators admin admins administrator owner owners ownership visibility public protection firewall alarm alarms camera cameras lock locks door doors gate gates garage safe password passwords passcode pin mfa two-factor guest guests credential credentials key keys onboard spender allowance trust".split(" "));
/** Whoever is added to a group gets in. */
const joining = /\b(add|put|create|register|set up|make|let|give)\b(?=[^.;:!?\n]{0,80}\b(?:users?|members?|accounts?|guests?|participants?|teams?|groups?|channels?|slack|workspace|organi[sz]ation|repo|repository|tokens?)\b)/g;
const byWord: ReadonlyMap<string, ReadonlySet<CallEffect>> = rows.reduce((map, [effects, words]) => {
  for (const word of words.split(" ")) map.set(word, new Set([...(map.get(word) ?? []), ...effects]));
  return map;
}, new Map<string, ReadonlySet<CallEffect>>());

/** What makes the word behind it a noun. */
const before = new Set("the a an this that these those my your our their his her its last latest new recent first next each every all any some no open from in of by per about for with on is are was were by-id more other which what whose unread incoming price weekly daily monthly old current existing unit integration".split(" "));
/** Nouns that say what a change or a message is of: whoever asks to adjust the rent or to send the difference asks for a payment. */
const payments = new Set("rent payment payments spent paid vat fee fees price prices refund refunds salary debt deposit installment instalment donation".split(" "));
const guests = new Set("participant participants attendee attendees invitee invitees guest guests".split(" "));
/** What addresses that are found are followed for; those of the second kind also where the task names an address itself. */
const web = new Set("article web website site page webpage link url blog online internet browse google search news docs documentation compare paper reference source wiki post".split(" "));
const wide = new Set("articles websites sites pages webpages links urls blogs research sources references papers posts".split(" "));
const address = /:\/\/|\bwww\./i;
const negations = new Set("not don't dont never without no cannot can't avoid nor nicht kein keine ohne".split(" "));
/** Words between a negation and what it denies. */
const reach = 4;
const mostChars = 20_000;

/** Words of a task, in order, with `|` where a sentence or clause ends. */
const wordsIn = (text: string): readonly string[] => text.slice(0, mostChars).toLowerCase().replaceAll("’", "'").replace(/\b(pull|merge) requests?\b/g, "$1-request").replace(/\btop up\b/g, "top-up").replace(/\baddress (?=(?:the|this|these|those|all|any|every|it|them|review|open)\b)/g, "resolve ").replace(/\b(?:make|place|do) (?:an?|the|my|that|this) (?:new )?(?:(reservation|booking)|order|payment|purchase|transfer|donation)\b/g, (_all, seat) => (seat ? "book" : "pay")).replace(joining, "$1 access").match(/[\p{L}][\p{L}'-]*|[.,;:!?\n]/gu)?.map((word) => (/^[.,;:!?\n]$/.test(word) ? "|" : word)) ?? [];

type Asked = CallEffect | "browse";

/**
 * Effects that a task asks for, sorted. Where no word in it says anything, such as in the name of a service, reading and writing: what that is for, its
 * tools say. A task that is given in questions asks for reading alone.
 */
export const effectsAsked: (task: string) => readonly Asked[] = remembered({ most: 256, longest: mostChars }, (task) => {
  const words = wordsIn(task);
  const found = new Set<CallEffect>();
  let denied = 0;
  for (const [at, word] of words.entries()) {
    denied = word === "|" ? 0 : negations.has(word) ? reach : denied - 1;
    if (access.has(word) && denied <= 0) found.add("access");
    const effects = byWord.get(word);
    if (effects === undefined) continue;
    const isNoun = before.has(words[at - 1] ?? "") || words[at + 1] === "nothing";
    for (const effect of isNoun ? (["read"] as const) : effects) if (denied <= 0 || effect === "read") found.add(effect);
  }
  const isOf = (nouns: ReadonlySet<string>): boolean => words.some((word) => nouns.has(word));
  if ((found.has("write") || found.has("egress")) && isOf(payments)) found.add("money");
  if (found.has("write") && isOf(guests)) found.add("egress");
  const browses = isOf(wide) || (isOf(web) && !address.test(task)) ? (["browse"] as const) : [];
  if (found.size === 0) return [...browses, "read", "write"];
  return [...browses, ...callEffects.filter((effect) => found.has(effect))].sort();
});
