import { callEffects, type CallEffect } from "@lanyard/contract";

// What a task asks for, by the words of whoever gave it: a call that goes beyond it is one that nobody asked for. Words are all there is to go by, so
// that what is not understood asks for nothing that has consequences; people can always say yes to the call itself.

const rows: readonly (readonly [readonly CallEffect[], string])[] = [
  [["read"], "what who whom whose when where why which how is are was were does did do i show list find search look lookup check read see view get fetch tell me summarise summarize summary explain describe compare count review analyse analyze inspect identify determine calculate compute verify confirm monitor watch research investigate query open download browse translate rank report give know recommend suggest answer was ist sind welche wie wann wo zeige fasse"],
  [["write"], "into create add update change edit write fix set save schedule reschedule move rename copy file archive mark make build implement refactor upgrade configure merge modify append draft prepare record note log register generate organise organize sort label tag assign care deal turn enable disable activate deactivate play like follow star rate improve complete finish migrate format replace put insert import sync plan arrange approve reject accept decline remember correct patch bump store convert adjust increase decrease lower raise extend renew switch log apply enter fill adapt extract rewrite reorganise tidy help erstelle ändere schreibe trage lege aktualisiere"],
  [["write", "egress"], "address work solve handle process manage resolve close triage send commit forward share reply respond answer post publish notify inform invite ask remind contact announce comment tweet push upload deploy release submit broadcast message email mail text dm ping call schedule arrange plan pr pull-request merge-request hand deliver export pass sende schicke teile antworte lade"],
  [["write", "money"], "pay transfer buy purchase order refund reimburse donate tip settle deposit withdraw wire checkout book reserve rent subscribe invest trade swap sell repay renew top-up bezahle zahle überweise kaufe bestelle buche reserviere"],
  [["write", "destructive"], "delete remove cancel drop clear clean purge erase wipe uninstall terminate kill prune unsubscribe revoke reset empty discard truncate shutdown tidy deprovision decommission lösche entferne storniere kündige"],
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
const negations = new Set("not don't dont never without no cannot can't avoid nor nicht kein keine ohne".split(" "));
/** Words between a negation and what it denies. */
const reach = 4;
const mostChars = 20_000;

/** Words of a task, in order, with `|` where a sentence or clause ends. */
const wordsIn = (text: string): readonly string[] => text.slice(0, mostChars).toLowerCase().replaceAll("’", "'").replace(/\b(pull|merge) requests?\b/g, "$1-request").replace(/\btop up\b/g, "top-up").replace(joining, "$1 access").match(/[\p{L}][\p{L}'-]*|[.,;:!?\n]/gu)?.map((word) => (/^[.,;:!?\n]$/.test(word) ? "|" : word)) ?? [];

/**
 * Effects that a task asks for, sorted. Where no word in it says anything, such as in the name of a service, reading and writing: what that is for, its
 * tools say. A task that is given in questions asks for reading alone.
 */
export function effectsAsked(task: string): readonly CallEffect[] {
  let effects = known.get(task);
  if (effects === undefined) {
    if (known.size >= mostKnown) known.clear();
    known.set(task, (effects = readIn(task)));
  }
  return effects;
}

/** A session has one task and many calls. */
const known = new Map<string, readonly CallEffect[]>();
const mostKnown = 256;

function readIn(task: string): readonly CallEffect[] {
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
  if (found.size === 0) return ["read", "write"];
  return callEffects.filter((effect) => found.has(effect)).sort();
}
