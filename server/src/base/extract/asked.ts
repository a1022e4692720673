import { callEffects, type AskedPart, type CallEffect } from "@lanyard/contract";
import { isVerb } from "./effects.ts";
import { doingsOf, generalWords, openDoings, plainDoings, thingsOf } from "./kinds-of-things.ts";
import { remembered } from "../remembered.ts";
import { stemOf } from "./stem.ts";
import { isRead, nounsLike, sayings as idioms, verbsLike } from "./synonyms.ts";
import { wordsOf } from "./words.ts";

// What a task asks for, by the words of whoever gave it: a call that goes beyond it is one that nobody asked for. Words are all there is to go by, so
// that what is not understood asks for nothing that has consequences; people can always say yes to the call itself.

const rows: readonly (readonly [readonly CallEffect[], string])[] = [
  [["read"], "what who whom whose when where why which how is are was were does did do i show list find search look lookup check read see view get fetch tell me summarise summarize summary explain describe compare count review analyse analyze inspect identify determine calculate compute verify confirm monitor watch research investigate query open download browse translate rank report give know recommend suggest answer was ist sind welche wie wann wo zeige fasse"],
  [["write"], "into scale resize create add update change edit write fix set save schedule reschedule move rename copy file archive mark make build implement refactor upgrade configure merge modify append draft prepare record note log register generate organise organize sort label tag assign care deal turn enable disable activate deactivate play like follow star rate improve complete finish migrate format replace put insert import sync plan arrange approve reject accept decline remember correct patch bump store convert adjust increase decrease lower raise extend renew switch log apply enter fill adapt extract rewrite reorganise tidy erstelle ändere schreibe trage lege aktualisiere"],
  [["write", "egress"], "work solve handle process manage resolve close triage commit schedule arrange plan upload push deploy release submit hand deliver export comment reply respond answer pull-request merge-request"],
  [["egress"], "send forward share post publish notify inform invite ask remind contact announce tweet broadcast message email e-mail mail text dm ping call pass sende schicke teile antworte lade"],
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
/** Whoever names a file asks for it. */
const fileName = /\b[\w-]+\.(?:md|txt|csv|tsv|json|ya?ml|toml|xml|html?|docx?|xlsx?|pptx?|pdf|[cm]?[jt]sx?|py|go|rs|rb|java|kt|cs|c|h|cpp|sh|sql|css|ini|conf|log)\b/i;
const negations = new Set("not don't dont never without no cannot can't avoid nor nicht kein keine ohne".split(" "));
/** Words between a negation and what it denies. */
const reach = 4;
const mostChars = 20_000;

/** Sayings that ask for something in words which alone would say less, or something else. */
const sayings: readonly (readonly [RegExp, string])[] = [
  [/\b(pull|merge) requests?\b/g, "$1-request"],
  [/\btop up\b/g, "top-up"],
  [/\b(?:send|give|wire)\b(?=[^.;!?\n]{0,30}(?:[$€£]\s?\d|\d[\d.,]*\s?(?:[$€£]|(?:eur|usd|gbp|chf|jpy|euros?|dollars?|pounds?|francs?|eth|btc|sol|usdc|usdt)\b)))/g, "send pay "],
  [/\btell (?!me\b|us\b)/g, "inform "],
  [/\blet (?!me\b|us\b)(?=[^.;!?\n]{1,60} know\b)/g, "inform "],
  [/\bkeep (?=[^.;!?\n]{1,60} (?:informed|posted|updated|in the loop)\b)/g, "inform "],
  [/\b(?:get back to|write back|write to|drop [^.;!?\n]{1,20} a line)\b/g, "message "],
  [/\b(?:write|put|give)\b(?=[^.;!?\n]{1,80} (?:to|in|into) [#@])|(?<=[\w,;:?] )(?:in)?to (?=#\w)/g, "post "],
  [/\bdo (?=(?:what|whatever|as|it all)\b|(?:all )?(?:the|my|his|her|their) (?:\w+ )?(?:things|todos?|tasks|actions|steps|rest)\b)/g, "handle "],
  [/\baddress (?=(?:the|this|these|those|all|any|every|it|them|review|open)\b)/g, "resolve "],
  [/\b(?:make|place|do) (?:an?|the|my|that|this) (?:new )?(?:(reservation|booking)|order|payment|purchase|transfer|donation)\b/g, "pay $1"],
  [joining, "$1 access"],
];

/** Words of a text, in order, with `|` where a sentence or clause ends. */
const wordsIn = (text: string): readonly string[] => text.match(/[\p{L}][\p{L}'-]*|[.,;:!?\n]/gu)?.map((word) => (/^[.,;:!?\n]$/.test(word) ? "|" : word)) ?? [];

/** Words with whether they are denied. */
const heard = (words: readonly string[]): readonly (readonly [word: string, isDenied: boolean])[] => {
  let denied = 0;
  return words.map((word) => {
    denied = word === "|" ? 0 : negations.has(word) ? reach : denied - 1;
    return [word, denied > 0];
  });
};

/** What is known of a task, read once. */
interface Task {
  readonly effects: readonly AskedPart[];
  /** Of its words, but for those that it denies. */
  readonly stems: ReadonlySet<string>;
  readonly things: ReadonlySet<number>;
  readonly doings: ReadonlySet<number>;
  /** It leaves open what is to be done. */
  readonly isOpen: boolean;
  /** Rows of words that stand for each other, of which it has one: a verb (`mail Ana the total`, and not `read my mail`) or a noun. */
  readonly verbs: ReadonlySet<number>;
  readonly nouns: ReadonlySet<number>;
  /** What it asks for of calls of a tool, by what is known of the tool. */
  readonly ofTools: Map<string, { readonly askedBy: AskedBy | null; readonly asked: readonly AskedPart[] }>;
}

const mostTools = 1000;

const readTask: (task: string) => Task = remembered({ most: 256, longest: mostChars }, (task) => {
  const text = task.slice(0, mostChars).toLowerCase().replaceAll("’", "'");
  const words = wordsIn(sayings.reduce((said, [saying, meaning]) => said.replace(saying, meaning), text));
  const found = new Set<CallEffect>();
  const stems = new Set<string>();
  for (const [word, isDenied] of [...heard(wordsIn(text)), ...heard(words)]) if (!isDenied) for (const part of [word, ...word.split("-")]) stems.add(stemOf(part));
  const verbs = new Set<number>();
  const addVerb = (word: string): void => verbsLike(stemOf(word)).forEach((row) => verbs.add(row));
  for (const [at, [word, isDenied]] of heard(words).entries()) {
    if (access.has(word) && !isDenied) found.add("access");
    const isNoun = before.has(words[at - 1] ?? "") || words[at + 1] === "nothing";
    if (!isDenied && (!isNoun || words[at - 1] === "by")) addVerb(word); // `by mail`
    const effects = byWord.get(word);
    if (effects === undefined) continue;
    for (const effect of isNoun ? (["read"] as const) : effects) if (!isDenied || effect === "read") found.add(effect);
  }
  for (const [saying, meant] of idioms) if (saying.test(text)) meant.split(" ").forEach(addVerb);
  if (fileName.test(task)) stems.add(stemOf("file"));
  const isOf = (nouns: ReadonlySet<string>): boolean => words.some((word) => nouns.has(word));
  if ((found.has("write") || found.has("egress")) && isOf(payments)) found.add("money");
  if (found.has("write") && isOf(guests)) found.add("egress");
  const browses = isOf(wide) || (isOf(web) && !address.test(task)) ? (["browse"] as const) : [];
  const effects = found.size === 0 ? [...browses, "read" as const, "write" as const] : [...browses, ...callEffects.filter((effect) => found.has(effect))].sort();
  const kinds = (of: (stem: string) => readonly number[]): ReadonlySet<number> => new Set([...stems].flatMap((stem) => of(stem)));
  return { effects, stems, things: kinds(thingsOf), doings: kinds(doingsOf), verbs, nouns: kinds(nounsLike), isOpen: [...stems].some((stem) => openDoings.has(stem)), ofTools: new Map() };
});

/**
 * Effects that a task asks for, sorted. Where no word in it says anything, such as in the name of a service, reading and writing: what that is for, its
 * tools say. A task that is given in questions asks for reading alone.
 */
export const effectsAsked = (task: string): readonly AskedPart[] => readTask(task).effects;

/** Whether a task says a word in another form, or one that stands for it: `accept it` of `accepted`. */
export const saysWord = (task: string, word: string): boolean => isMeant(readTask(task), stemOf(word.toLowerCase()));

/** Words of tasks that ask for a call, or `any`: every task does. */
export type AskedBy = readonly string[] | "any";

/** A call, as far as it matters whether a task asks for it. */
export interface AskedCall {
  readonly server: string;
  readonly tool: string;
  /** Sorted. */
  readonly effects: readonly CallEffect[];
  /** As its contract says; null where it says nothing. */
  readonly askedBy: AskedBy | null;
}

/** What the task asks for of a call, sorted: a look-up, but for the first call of a tool with these effects and this contract, which may change meanwhile. */
export function askedOf(task: string, call: AskedCall): readonly AskedPart[] {
  const known = readTask(task);
  const key = `${call.server}/${call.tool} ${call.effects.join(" ")}`;
  const before = known.ofTools.get(key);
  if (before && before.askedBy === call.askedBy) return before.asked;
  const asked = askedAnew(known, call);
  if (known.ofTools.size >= mostTools) known.ofTools.clear();
  known.ofTools.set(key, { askedBy: call.askedBy, asked });
  return asked;
}

function askedAnew(task: Task, { server, tool, effects, askedBy }: AskedCall): readonly AskedPart[] {
  if (askedBy === null) {
    const words = wordsOf(tool);
    return [...task.effects, ...(asksToDo(task, words, effects) ? (["action"] as const) : []), ...(namesObject(task, wordsOf(server), words) ? (["object"] as const) : [])].sort();
  }
  const isAsked = askedBy === "any" || askedBy.some((word) => isMeant(task, stemOf(word.toLowerCase()))) || namesTool(task, wordsOf(server), wordsOf(tool));
  return isAsked ? [...new Set<AskedPart>([...task.effects, ...effects, "action", "object"])].sort() : task.effects;
}

/** Whether a task has a word, or one that stands for it. */
const isMeant = ({ stems, verbs, nouns }: Task, stem: string): boolean =>
  (stems.has(stem) && !isRead(stem)) || verbsLike(stem).some((row) => verbs.has(row)) || nounsLike(stem).some((row) => nouns.has(row));

/** Whether a task has a tool's own words: its verb, and what it is done to. */
const namesTool = ({ stems }: Task, server: readonly string[], words: readonly string[]): boolean => {
  const own = words.filter((word) => !generalWords.has(word) && !server.includes(word));
  return own.length > 1 && words.some(isVerb) && own.every((word) => stems.has(stemOf(word)));
};

/** Whether a task asks for what such a tool does. */
function asksToDo({ effects: asked, stems, doings, isOpen }: Task, words: readonly string[], effects: readonly CallEffect[]): boolean {
  const asksFor = (one: readonly CallEffect[]): boolean => one.some((effect) => effects.includes(effect) && asked.includes(effect));
  if (asksFor(["money", "destructive", "access"])) return true;
  const doing = words.find((word) => isVerb(word));
  const isAnyChange = asksFor(changes);
  if (doing === undefined) return isAnyChange;
  const stem = stemOf(doing);
  if (stems.has(stem) || doingsOf(stem).some((kind) => doings.has(kind))) return true;
  return isAnyChange && (plainDoings.has(stem) || (isOpen && !outward.has(stem)));
}

const changes = callEffects.filter((effect) => effect !== "read");
/** Doings that nobody leaves open. */
const outward = new Set("merge approve accept sign authorize publish tweet deploy subscribe connect link install share invite grant transfer".split(" ").map(stemOf));

/** Whether a task names what such a tool changes: the last thing in its name, which the others are of. */
function namesObject({ stems, things }: Task, server: readonly string[], words: readonly string[]): boolean {
  const isNamed = (word: string): boolean => stems.has(stemOf(word)) || thingsOf(stemOf(word)).some((kind) => things.has(kind));
  const at = words.findIndex((word) => isVerb(word));
  const rest = words.filter((word, index) => index !== at && !generalWords.has(word) && !server.includes(word));
  const head = rest.at(-1);
  if (head !== undefined) return isNamed(head);
  return at >= 0 && (stems.has(stemOf(words[at] ?? "")) || doingsOf(stemOf(words[at] ?? "")).length > 0 || server.some(isNamed));
}
