import { callEffects, type ArgumentFacts, type AskedPart, type CallEffect, type PathFacts } from "@lanyard/contract";
import { isVerb } from "./effects.ts";
import { doingsOf, generalWords, openDoings, plainDoings, thingsOf, toolsThingsOf } from "./kinds-of-things.ts";
import { currencyNames } from "./money.ts";
import { remembered } from "../remembered.ts";
import { stemOf } from "./stem.ts";
import { isNamedBy } from "./sql/secrets.ts";
import { audiences, coding, isRead, item, letting, nounsLike, pushing, sayings as idioms, somuch, telling, tellingRow, verbsLike } from "./synonyms.ts";
import { wordsOf } from "./words.ts";

// What a task asks for, by the words of whoever gave it: a call that goes beyond it is one that nobody asked for. Words are all there is to go by, so
// that what is not understood asks for nothing that has consequences; people can always say yes to the call itself.

const rows: readonly (readonly [readonly CallEffect[], string])[] = [
  [["read"], "what who whom whose when where why which how whether wonder wondering curious show list find search look lookup check read see view get fetch tell me summarise summarize summary explain describe compare count review analyse analyze inspect identify determine calculate compute verify confirm monitor watch research investigate query open download browse translate rank report give know recommend suggest answer was ist sind welche wie wann wo zeige fasse"],
  [["write"], "book into reallocate scale resize create add update change edit write fix set save schedule reschedule move rename copy file archive mark make build implement refactor upgrade configure merge modify append draft prepare record note log register generate organise organize sort label tag assign care deal turn enable disable activate deactivate play like follow star rate retire redirect unpublish unlist hide waive allocate appoint swap exchange improve cut trim shift complete finish migrate format replace put insert import sync plan arrange approve reject accept decline remember correct patch bump store convert adjust increase decrease lower raise extend renew switch log apply enter fill adapt extract rewrite reorganise tidy repair mend reassign reopen flag void downgrade acknowledge ack revert rollback resume pause prolong reactivate reroute refresh toggle amend translate backfill reload moderate suppress silence mute snooze unmute postpone substitute reissue dispatch stop hold freeze block isolate quarantine ban erstelle ändere schreibe trage lege aktualisiere"],
  [["write", "egress"], "offer work solve handle process manage resolve close triage commit schedule arrange plan upload push deploy release submit hand deliver export comment reply respond answer escalate propose redeliver resend distribute pull-request merge-request"],
  [["egress"], "send forward share post publish notify inform invite ask remind contact announce tweet broadcast message email e-mail mail text dm ping call phone pass thank apologise apologize welcome sende schicke teile antworte lade"],
  [["money"], "pay transfer buy purchase order refund reimburse donate tip settle deposit withdraw wire checkout book reserve rent subscribe invest trade swap sell repay compensate remit disburse credit reorder restock replenish reallocate renew top-up bezahle zahle überweise kaufe bestelle buche reserviere"],
  [["destructive"], "delete remove cancel drop clear clean purge erase wipe uninstall terminate kill prune unsubscribe revoke reset empty discard truncate shutdown tidy deprovision decommission offboard scrap lösche entferne storniere kündige"],
  [["write", "exec"], "run execute build test install start restart launch compile debug fix upgrade deploy implement refactor lint benchmark rerun retry rebuild redeploy führe"],
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
const payments = new Set("rent payment payments spent paid vat fee fees price prices refund refunds salary debt deposit installment instalment donation credit compensation goodwill payout".split(" "));
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

/** An amount of money, or of what is spent day by day. */
const sum = `(?:[$€£]\\s?\\d[\\d.,]* ?|\\d[\\d.,]* ?(?:[$€£]|${currencyNames}\\b) ?|\\d[\\d.,]* (?=(?:a|per) (?:day|week|month)|daily))(?:(?:(?:a|per) (?:day|week|month)|daily) ?)?`;

/** A word, with the blank behind it, that begins no other clause. */
const phrase = "(?:(?!(?:if|when|once|until|and|or|so)\\b)[^\\s.,;!?]+ )";

/** Where what is to be worked through lies. */
const pile = "(?:queues?|inbox(?:es)?|mailbox(?:es)?|backlog|e-?mails?|mails?|tickets?|requests?|cases|chats?|enquiries|inquiries)";

const requests = /\b(pull|merge) requests?\b/g;
const aRequest = /^(?:pull|merge)-request$/;

/** What was found out goes to others: `I only want to know why, put it into #ops`. */
const posting = /\b(?:put|post|drop|send|leave|write|give)\b(?=[^.;!?\n]{1,80} (?:to|in|into|on) [#@]\w)/;

/** Sayings that ask for something in words which alone would say less, or something else. */
const sayings: readonly (readonly [RegExp, string])[] = [
  [requests, "$1-request"],
  [/\btop (?:[^\s.;!?]+ ){0,4}up\b/g, "top-up"],
  [/\bissue (?=[^.;!?\n]{0,40}\b(?:permits?|pass(?:es)?|certificates?|licen[cs]es?|letters?|vouchers?|reports?|statements?|badges?)\b|(?:it|them|these|those|this|that) to\b)/g, "create deliver "],
  [/(?<=^|[.,;:!?\n] ?|\b(?:and|then|please|now) )contain (?=(?:it|this|that|them|the)\b)/g, "isolate "],
  [/\bdraw (?=(?:[^\s.;!?]+ ){0,8}up\b)/g, "create "],
  [/\b(?:goes|go) (?=to (?!(?:me|us|the|an?|it|them|work|press|print|sleep|bed|waste|plan|town)\b)[a-z]+(?=[.,;!?\n]|$| and\b| please\b))/g, "assign "],
  [/\bship (?=(?:v(?:ersion)? ?)?\d+\.\d)/g, "release "],
  [/\b(?:freeze|unfreeze) (?=(?:it|her|his|their|the|that|this|my)\b)/g, "suspend hold "],
  [/\bset (?:her|him|these people|the new (?:starters?|joiners?|hires?)) up\b|\bset up (?:her|him)\b/g, "onboard set up"],
  [/\bget (?:her|him|them|[a-z]+|[a-z]+ [a-z]+) back in(?=\s*(?:$|[.,;!?\n]|and\b|please\b|to (?:her|his|their|the)\b))/g, "unlock access"],
  [/\bget (?=(?:her|him|them|(?:the|those|these|our) (?:[^\s.;!?]+ ){0,2}(?:people|guests?|customers?|patients?|tenants?|members?|visitors?)) (?:her|his|their|the|an?) )/g, "send "],
  [new RegExp(`\\bget (?=${phrase}{1,5}(?:fees?|payments?|wages|salaries|money|rent|refunds?) out\\b)`, "g"), "pay "],
  [/\bissue (?=(?:the|an?|new|another|her|him|them|it|those|these|everyone|all)\b)/g, "create "],
  [new RegExp(`\\b(?:give|claim) (?=${phrase}{0,5}back\\b)`, "g"), "refund "],
  [new RegExp(`\\bget (?=${phrase}{1,8}on order\\b)`, "g"), "order "],
  [/\bkey (?=(?:[^\s.;!?]+ ){1,4}in\b)/g, "enter "],
  [new RegExp(`\\bget (?=${phrase}{1,5}(?:running|working|going)(?: again)?\\b)|\\b(?:put|make) (?=${phrase}{1,5}right\\b(?! (?:away|now|after|before)\\b))`, "g"), "fix "],
  [new RegExp(`\\bget (?=${phrase}{1,6}ready\\b)`, "g"), "prepare "],
  [new RegExp(`\\bbring (?=${phrase}{1,8}(?:up to date|in line)\\b)`, "g"), "update "],
  [new RegExp(`\\b(?:take|knock) (?=${sum}(?:[^\\s.;!?]+ ){0,3}off\\b)`, "g"), "credit "],
  [/\bleave (?=[^.;!?\n]{1,60} (?:on|in) (?:the|its|their|his|her|that|this) (?:ticket|issue|thread|pr|pull-request|case|topic)\b)/g, "comment "],
  [/(?<=^|[.;:!?\n] ?|\b(?:please|and|then|to) )(?:invoice|bill) (?=\w)/g, "bill pay "],
  [/\b(?:do|make) (?=(?:the|my|our|these|those|this|all) (?:[^\s.;!?]+ ){0,4}(?:payments|payouts|refunds|transfers|orders|bookings)\b)/g, "pay "],
  [new RegExp(`\\b(?:send|give|wire)\\b(?=[^.;!?\\n]{0,30}(?:[$€£]\\s?\\d|\\d[\\d.,]*\\s?(?:[$€£]|(?:${currencyNames}|eth|btc|sol|usdc|usdt)\\b)))`, "g"), "send pay "],
  [/\b(?:send|give|wire|transfer|move)\b(?=(?: [^\s.;!?\d]+){1,3} \d[\d.,]*(?= (?:from|for|to|so|as|by|please|today|tomorrow|now|and|until|before)\b|\s*(?:$|[.,;!?\n]))[^.;!?\n]{0,60}\b(?:accounts?|savings|iban|wallet)\b)/g, "send pay "],
  [/\btell (?!me\b|us\b)/g, "inform "],
  [/\blet (?!me\b|us\b)(?=[^.;!?\n]{1,60} know\b)/g, "inform "],
  [/\bconfirm (?=(?:(?:it|this|that|everything|the \w+) )?(?:to|with) (?!me\b|us\b)[a-z])/g, "inform "],
  [/\bkeep (?=[^.;!?\n]{1,60} (?:informed|posted|updated|in the loop)\b)/g, "inform "],
  [/\b(?:get back to|write back|write to|(?:drop|send|shoot) [^.;!?\n]{1,20} a (?:line|note|message|word)|get in touch with|reach out to|(?:chase|nudge)(?! me\b| us\b))\b/g, "message "],
  [/\bgive (?!me\b|us\b)(?=[^.;!?\n]{1,30} a (?:heads[- ]up|nudge|shout)\b)|\b(?:warn|brief) (?!me\b|us\b)|\bspread the word\b/g, "inform "],
  [/\b(?:people|those|everyone|everybody|whoever|anyone|anybody|all|ones)(?= (?:(?:who|that) )?(?:have|has|hold|holds|bought|booked|got|with) (?:an? |their |the )?tickets?\b)/g, "ticketholders"],
  [/\b(?=(?:an? |two |three |a few |a couple of |some |short )?(?:or \w+ )?(?:lines?|words?|note|summary|answer) to (?!me\b|us\b|the \w+(?: \w+)? (?:file|log|record|ticket|page|doc)|it\b|this\b|that\b)[a-z])/g, "message "],
  [/\b(?:take|pull) (?=[^.;!?\n]{1,40} (?:offline|down\b(?! to\b)|off the (?:site|page|web|shop)\b))/g, "unpublish "],
  ...([["(?:more|extra)", "increase "], ["less", "decrease "]] as const).map(([which, meant]): [RegExp, string] => [new RegExp(`\\b(?:wants?|needs?|asks? for|asked for|would like) (?=${somuch(which)})`, "g"), meant]),
  [/\b(?:get|bring) (?=(?:it|this|that|them|these|those) (?:over |across |back )?to (?!me\b|us\b|the\b|an?\b|work\b|run\b|pass\b)[a-z])/g, "send "],
  [/\brebook\b/g, "reschedule"],
  [/\bfind (?=(?:[^\s.;!?]+ ){1,6}(?:something else|(?:another|an?|a new|some other) (?:slot|time|date|day|appointment)\b)[^.;!?\n]{0,60}\b(?:for|and (?:tell|text|mail|let|confirm))\b|(?:[^\s.;!?]+ ){1,6}something else\b)/g, "reschedule "],
  [/\bsay (?:so|it|this|that) (?=(?:in|on|to) )/g, "inform "],
  [/\b(?:give|hand)\b(?=[^.;!?\n]{0,40}\b(?:deposit|money|fee|fees|payment|difference)\b[^.;!?\n]{0,20}\bback\b|[^.;!?\n]{0,20}\bback (?:the|her|his|their|my|our)\b[^.;!?\n]{0,12}\b(?:deposit|money|fee|fees|payment|difference)\b)/g, "refund "],
  [new RegExp(`\\b(?:move|shift) (?=${sum}(?:from|off|out of) [^.;!?\\n]{1,80}\\b(?:to|into|onto|on) )`, "g"), "reallocate budget "],
  [new RegExp(`\\b(?:put|bump|bring|take|turn)\\b(?=[^.,;!?\\n]{1,40} (?:up|down) (?:by|to) (?:${sum}|\\d[\\d.,]*)(?:\\s*(?:$|[.,;!?\\n])| ?and\\b))`, "g"), "reallocate budget "],
  // What is cleared so is worked through, and nothing of it thrown away.
  [new RegExp(`(?<=\\b${pile}\\b[^.;!?\\n]{0,10})\\b(?:empty|clear|cleared|emptied)\\b`, "g"), "handled"],
  [new RegExp(`\\b(?:clear|empty)\\b(?! out\\b)(?=[^.;!?\\n]{1,40}\\b${pile}\\b|(?: [^\\s.;!?]+){0,3} (?:easy|simple|quick|open|unanswered|waiting|pending|urgent) (?:things|stuff|ones|items)\\b)`, "g"), "handle"],
  [/\bget (?=(?:it|this|that|them|these|those|everything|all of it|the lot) (?:done|sorted|fixed|resolved|handled|dealt with|settled|out of the way)\b)/g, "handle "],
  [new RegExp(`(?<=^|[.,;:!?\\n] ?|\\b(?:and|then|please|now|just|also|you) )do (?=${item}\\b)`, "g"), "handle "],
  [new RegExp(`${posting.source}|(?<=[\\w,;:?] )(?:in)?to (?=#\\w)`, "g"), "post "],
  [/\bget (?=(?:[^\s.;!?]+ ){1,6}paid\b)|\b(?:make sure|ensure|see(?: to it)?)(?: that)? (?=(?:[^\s.;!?]+ ){1,6}gets? paid\b)/g, "arrange pay "],
  [/\bget (?=(?:[^\s.;!?]+ ){1,9}(?:out to|back to|over to|across to)\b|(?:[^\s.;!?]+ ){1,5}(?:done|seen|moved|changed|fixed|sorted|sent|updated|booked|cancelled|replaced|renewed|signed|approved|paid|shipped|delivered)\b)/g, "arrange "],
  [/\bdo (?=(?:what|whatever|as|it all)\b|(?:all )?(?:the|my|his|her|their) (?:\w+ )?(?:things|todos?|tasks|actions|steps|rest)\b)/g, "handle "],
  [/\bdo the needful\b|\bdo (?=(?:what(?:ever)? is|what's) (?:needed|necessary|required)\b)/g, "handle "],
  [/\bjust do\b(?= (?:it|so|that|them)\b|\s*[,;.])|\bdo it (?=for me\b)/g, "handle "],
  [/\bget (?=(?:it|this|that|them|[#!]?\d+) (?:in|landed)\b(?! (?:touch|order|shape|there|the|an?|on|by|time|hand|place)\b))/g, "merge "],
  [/\baddress (?=(?:the|this|these|those|all|any|every|it|them|review|open)\b)/g, "resolve "],
  [/\b(?:make|place|do) (?:an?|the|my|that|this) (?:new )?(?:(reservation|booking)|order|payment|purchase|transfer|donation)\b/g, "pay $1"],
  [joining, "$1 access"],
];

/** Sentences that ask what is or was, and not that something be done. */
const question = /(?<=^|[.;:!?\n]\s{0,8})(?:(?:and|so|but|or) )?(?:did|does|do (?:we|they|i)|has|have (?:we|they|i|you)|is|are|was|were|who|whom|whose|what|when|where|why|how|which|should)\b(?!(?: it)? (?:about|not|possible|don't|able)\b| you able\b)[^.,;!?\n]*\?/g;

/** A sentence that begins as a question does, whether it ends as one or not. */
const auxiliary = /(?<=^|[.;:!?\n]\s{0,8})(?:(?:and|so|but|or) )?(?:did|does|do (?:we|they|i)|has|have (?:we|they|i|you)|is|are|was|were)\b/;

const withoutVerbs = (asked: string): string => asked.replace(/\p{L}[\p{L}'-]*/gu, (word) => (verbsLike(stemOf(word)).length > 0 ? "what" : word));
/** Whoever is to be answered here is sent nothing. */
const answering = /\b(?:tell|inform|notify|warn) (?:me|us)\b|\blet (?:me|us) know\b/g;

/** Whoever says this asks for no change, whatever else is said. */
const onlyTells = /\bi (?:only|just) (?:want(?:ed)?|need) (?:to (?:know|compare|see|understand|be prepared|read)\b(?! (?:when|that|once|if|whether) (?:it|she|he|they|this|that|you)\b)|(?:an?|the|your) (?:\w+ )?(?:list|table|summary|overview|rundown|recap|opinion|view|answer|figures?|numbers?)\b)|\bnothing (?:to change|needs? (?:to be changed|changing))\b|\bchange nothing\b(?! else\b)|\b(?:just|only) tell me\b|(?:^|[.!?;:\n]\s{0,4})(?:just|only) (?:give me |i need )?(?:an?|the|your) (?:\w+ ){0,2}(?:list|table|summary|overview|rundown|recap|gist|figures?|numbers?)\b(?! to\b)/;

/** Whoever says this denies nothing. */
const reminding = /\b(?:(?:do not|don't|never) (?:forget|hesitate|fail)(?: to)?|without (?:further |any )?delay|not only)\b/g;

/** Words of a text, in order, with `|` where a sentence or clause ends. */
const wordsIn = (text: string): readonly string[] => text.match(/[\p{L}][\p{L}'-]*|[.,;:!?\n]/gu)?.map((word) => (/^[.,;:!?\n]$/.test(word) ? "|" : word)) ?? [];

/** How something is, in words that ask for nothing: `those that are not settled yet`. What must not happen is `not to be settled`. */
const isParticiple = (word: string): boolean => /(?<!e)ed$/.test(word) || participles.has(word);
const participles = new Set("sent paid done seen made answered given taken met told sold bought built kept left got shipped written booked known found shown".split(" "));
const between = new Set("yet been all fully properly really quite".split(" "));
/** Before a negation: then what is behind it is forbidden. */
const forbidding = new Set("do does did must should shall will would can could may might please to".split(" "));

/** Words with whether they are denied. */
const heard = (words: readonly string[]): readonly (readonly [word: string, isDenied: boolean])[] => {
  let denied = 0;
  return words.map((word, at) => {
    const isState = word === "not" && !forbidding.has(words[at - 1] ?? "") && isParticiple(words[between.has(words[at + 1] ?? "") ? at + 2 : at + 1] ?? "");
    denied = word === "|" ? 0 : negations.has(word) && !isState ? reach : denied - 1;
    return [word, denied > 0];
  });
};

/** What is known of a task, read once. */
interface Task {
  readonly effects: readonly AskedPart[];
  /** Of its words, but for those that it denies. */
  readonly stems: ReadonlySet<string>;
  /** Those that it denies, and says nowhere else. */
  readonly denied: ReadonlySet<string>;
  /** Of its stems those that can ask for something: no verb of a question. */
  readonly meant: ReadonlySet<string>;
  /** Of these, such as stand there as they are, and neither as participles nor as gerunds. */
  readonly imperatives: ReadonlySet<string>;
  readonly things: ReadonlySet<number>;
  readonly doings: ReadonlySet<number>;
  /** It asks to tell something to many, whoever they are called. */
  readonly tellsMany: boolean;
  /** It asks to push, or to open a pull request. */
  readonly pushes: boolean;
  /** It asks for work on code. */
  readonly codes: boolean;
  /** It lets somebody read something. */
  readonly lets: boolean;
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
  const plain = task.slice(0, mostChars).toLowerCase().replaceAll("’", "'");
  const text = plain.replace(answering, "show me").replace(reminding, "please");
  const rewritten = sayings.reduce((said, [saying, meaning]) => said.replace(saying, meaning), text);
  const [own, words] = [wordsIn(text), wordsIn(rewritten)];
  const found = new Set<CallEffect>();
  const stemsIn = (all: readonly string[], whole = /^$/): Set<string> => new Set(heard(all).flatMap(([word, isDenied]) => (isDenied ? [] : [word, ...(whole.test(word) ? [] : word.split("-"))].map(stemOf))));
  const stems = new Set([...stemsIn(own), ...stemsIn(words)]);
  // Who speaks of a merge request has not asked to merge it.
  const meant = new Set([text.replace(requests, "$1-request"), rewritten].flatMap((said) => [...stemsIn(wordsIn(said.replace(question, withoutVerbs)), aRequest)]));
  const denied = new Set(heard(own).flatMap(([word, isDenied]) => (isDenied && !stems.has(stemOf(word)) ? [stemOf(word)] : [])));
  const verbs = new Set<number>();
  const addVerb = (word: string): void => verbsLike(stemOf(word)).forEach((row) => verbs.add(row));
  const asking = wordsIn(rewritten.replace(question, "what?"));
  const askingHeard = heard(asking);
  const imperatives = new Set(askingHeard.flatMap(([word, isDenied]) => (isDenied || /(?:ed|ing)$/.test(word) || participles.has(word) ? [] : [stemOf(word)])));
  for (const [at, [word, isDenied]] of askingHeard.entries()) {
    if (access.has(word) && !isDenied) found.add("access");
    const isNoun = before.has(asking[at - 1] ?? "") || asking[at + 1] === "nothing";
    if (!isDenied && (!isNoun || asking[at - 1] === "by")) addVerb(word); // `by mail`
    const effects = byWord.get(word);
    if (effects === undefined) continue;
    for (const effect of isNoun ? (["read"] as const) : effects) if (!isDenied || effect === "read") found.add(effect);
  }
  if (auxiliary.test(text)) found.add("read");
  const told = text.replace(question, "what?");
  for (const [saying, meant] of idioms) {
    if (!saying.test(text)) continue;
    meant.split(" ").forEach(addVerb);
    if (saying.test(told)) for (const word of meant.split(" ")) for (const effect of byWord.get(word) ?? []) found.add(effect);
  }
  if (fileName.test(task)) for (const all of [stems, meant]) all.add(stemOf("file"));
  const isOf = (nouns: ReadonlySet<string>, among = words): boolean => among.some((word) => nouns.has(word));
  if ((found.has("write") || found.has("egress")) && isOf(payments)) found.add("money");
  if (found.has("write") && isOf(guests)) found.add("egress");
  const isLook = onlyTells.test(plain) && !posting.test(plain);
  const [pushes, codes] = [!isLook && pushing.test(text), !isLook && coding.test(text)];
  if (isLook) {
    for (const all of [found, verbs, meant, imperatives]) all.clear();
    found.add("read");
  }
  if (pushes) found.add("write").add("egress");
  if (pushes || codes) found.add("exec"); // What is to become a branch is built and tested.
  // In its own words: `post` stands for others too.
  const browses = isOf(wide, own) || (isOf(web, own) && !address.test(task)) ? (["browse"] as const) : [];
  const effects = found.size === 0 ? [...browses, "read" as const, "write" as const] : [...browses, ...callEffects.filter((effect) => found.has(effect))].sort();
  const kinds = (of: (stem: string) => readonly number[]): ReadonlySet<number> => new Set([...stems].flatMap((stem) => of(stem)));
  return { effects, stems, denied, meant, imperatives, things: kinds(thingsOf), doings: kinds(doingsOf), verbs, nouns: kinds(nounsLike), tellsMany: telling.test(text), pushes, codes, lets: letting.test(text), isOpen: [...stems].some((stem) => openDoings.has(stem)), ofTools: new Map() };
});

/**
 * Effects that a task asks for, sorted. Where no word in it says anything, such as in the name of a service, reading and writing: what that is for, its
 * tools say. A task that is given in questions asks for reading alone.
 */
export const effectsAsked = (task: string): readonly AskedPart[] => readTask(task).effects;

/** Whether a task says a word in another form, or one that stands for it: `accept it` of `accepted`. */
export const saysWord = (task: string, word: string): boolean => isMeant(readTask(task), stemOf(word.toLowerCase()));

/** What is known of what a call names, as far as a task may have to name it too. */
export type NamedThings = Iterable<Pick<ArgumentFacts, "sql" | "shell" | "path" | "links">>;

/**
 * What the task asks for of what a call names, in no order: `push` whatever the call, and for a branch that the call begins where the task asks for work on code, `packages` where the task names all that the call installs,
 * `secrets` where it names all columns of secrets, `object` where it names a file, and `action` too where it asks for changes, and both for source files where it asks for work on code, unless what is written there leads to somewhere unknown. A version that is more than two numbers must stand in the task as well.
 */
export function namedIn(task: string, facts: NamedThings): readonly AskedPart[] {
  const { stems, pushes, codes, effects } = readTask(task);
  const [packages, secrets] = [new Set<string>(), new Set<string>()];
  let isNewBranch = false;
  const files: PathFacts[] = [];
  let leads = false;
  for (const { sql, shell, path, links = [] } of facts) {
    if (path !== undefined) files.push(path);
    leads ||= links.some((one) => one === "untrusted" || one === "model");
    isNewBranch ||= shell?.reaches?.length === 1 && shell.reaches[0] === "new-branch";
    for (const one of shell?.packages ?? []) packages.add(one.toLowerCase());
    for (const one of sql?.secrets ?? []) secrets.add(one);
  }
  const pushed = pushes || (codes && isNewBranch) ? (["push"] as const) : [];
  if (packages.size === 0 && secrets.size === 0 && files.length === 0) return pushed;
  const text = ` ${task.slice(0, mostChars).toLowerCase()} `;
  const isSource = codes && !leads && files.length > 0 && files.every(isSourceFile);
  const isNamed = files.some(({ names }) => names.some((name) => fileName.test(name) && text.includes(name.toLowerCase())));
  return [
    ...pushed,
    ...(isSource || (isNamed && effects.includes("write")) ? (["action", "object"] as const) : isNamed ? (["object"] as const) : []),
    ...(packages.size > 0 && installing.some((stem) => stems.has(stem)) && [...packages].every((one) => namesPackage(text, one)) ? (["packages"] as const) : []),
    ...(secrets.size > 0 && [...secrets].every((one) => isNamedBy(stems, one)) ? (["secrets"] as const) : []),
  ];
}

/** Whether all that it names are files that people write programs in, and none that decides what runs where. */
const isSourceFile = ({ class: known, names, kinds }: PathFacts): boolean => known === "plain" && names.length > 0 && kinds.every((kind) => kind === "source") && names.every((name) => programs.test(name));
const programs = /\.(?:[cm]?[jt]sx?|vue|svelte|py|go|rs|rb|java|kts?|cs|php|swift|scala|c|h|cc|cpp|hpp|sql|s?css|less|html?)$/i;

/** Some packages are called as ordinary words are. */
const installing = "install add bump upgrade update use migrate switch replace package dependency library module".split(" ").map(stemOf);

/** As a whole, and with the version if that says more than which line of versions is meant (`3.x` means all of it, but for pre-releases). `text`: in lower case, with blanks around it. */
function namesPackage(text: string, spec: string): boolean {
  const [, name = "", version = ""] = /^(@?[^@=~[]+)(?:\[[^\]]*\])?(?:@|[=~]=)?[\^~]?(.*)$/.exec(spec) ?? [];
  const stands = (words: string): boolean => new RegExp(`[^\\w@/.-]${words.replace(/[.+*?^$()[\]{}|\\]/g, "\\$&")}(?![\\w/-]|\\.\\w)`).test(text);
  const [line = ""] = /^\d+(?=\.)/.exec(version) ?? [];
  return stands(name) && (/^(?:latest|\d+(?:\.(?:\d+|x))?)?$/.test(version) || text.includes(version) || (/^[\d.]+$/.test(version) && new RegExp(`[^\\w.]${line}\\.x\\b`).test(text)));
}

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

/** What nobody asks for in other words than its contract lists. */
const strict: ReadonlySet<CallEffect> = new Set(["money", "destructive", "exec", "access"]);

function askedAnew(task: Task, { server, tool, effects, askedBy }: AskedCall): readonly AskedPart[] {
  const [place, words] = [wordsOf(server), wordsOf(tool)];
  if (task.denied.size > 0 && askedBy !== "any" && words.some((word) => isVerb(word) && task.denied.has(stemOf(word)))) return task.effects; // `fix it, but don't push`
  if (askedBy !== null && askedBy.length === 0) return task.effects;
  const isAsked = askedBy !== null && (askedBy === "any" || askedBy.some((word) => isMeant(task, stemOf(word.toLowerCase()))) || namesTool(task, place, words));
  if (isAsked) return [...new Set<AskedPart>([...task.effects, ...effects, "action", "object"])].sort();
  const shares = askedBy === null && words.includes("share") && givesSomething(task);
  if (askedBy !== null && effects.some((effect) => strict.has(effect))) return task.effects;
  const isNamed = namesObject(task, place, words) || (task.tellsMany && words.some((word) => verbsLike(stemOf(word)).includes(tellingRow)) && audiences.has(stemOf(words.at(-1) ?? "")));
  const isDone = shares || asksToDo(task, words, effects);
  if (askedBy !== null && !(isDone && isNamed && (!effects.includes("egress") || givesSomething(task)))) return task.effects;
  // Whoever names both has asked for the change, whatever it is called. What reaches others, pays, deletes or opens something is asked for in words of its own.
  const isChange = isDone && isNamed && words.some((word) => isVerb(word) && isAskedFor(task, stemOf(word))) && effects.includes("write") && effects.every((effect) => effect === "read" || effect === "write") && !task.effects.includes("write");
  const found: readonly (readonly [boolean, AskedPart])[] = [[isChange, "write"], [shares && !task.effects.includes("access"), "access"], [shares && !task.effects.includes("egress"), "egress"], [isDone, "action"], [isNamed, "object"]];
  return [...task.effects, ...found.flatMap(([holds, part]) => (holds ? [part] : []))].sort();
}

/** Whoever is sent a report, or is to read it, may get a link to it. */
const givesSomething = ({ effects, stems, lets }: Task): boolean => effects.includes("egress") || lets || stems.has(stemOf("give"));

/** Whether a task has a word, or one that stands for it. */
const isMeant = ({ meant, verbs, nouns }: Task, stem: string): boolean =>
  (meant.has(stem) && !isRead(stem)) || verbsLike(stem).some((row) => verbs.has(row)) || nounsLike(stem).some((row) => nouns.has(row));

/** Whether a task says a doing as what is to be done: not that it was, nor that it is being done, nor in a question. */
const isAskedFor = ({ imperatives }: Task, stem: string): boolean => imperatives.has(stem) || doingsOf(stem).some((kind) => [...imperatives].some((one) => doingsOf(one).includes(kind)));

/** Whether a task has a tool's own words: its verb, and what it is done to. */
const namesTool = ({ stems }: Task, server: readonly string[], words: readonly string[]): boolean => {
  const own = words.filter((word) => !generalWords.has(word) && !server.includes(word));
  return own.length > 1 && words.some(isVerb) && own.every((word) => stems.has(stemOf(word)));
};

/** Whether a task asks for what such a tool does. */
function asksToDo({ effects: asked, stems, doings, verbs, isOpen }: Task, words: readonly string[], effects: readonly CallEffect[]): boolean {
  const asksFor = (one: readonly CallEffect[]): boolean => one.some((effect) => effects.includes(effect) && asked.includes(effect));
  if (asksFor(["money", "destructive", "access"])) return true;
  const doing = words.find((word) => isVerb(word));
  const isAnyChange = asksFor(changes);
  if (doing === undefined) return isAnyChange;
  const stem = stemOf(doing);
  if (stems.has(stem) || doingsOf(stem).some((kind) => doings.has(kind)) || verbsLike(stem).some((row) => verbs.has(row))) return true;
  return isAnyChange && (plainDoings.has(stem) || (isOpen && !outward.has(stem)));
}

const changes = callEffects.filter((effect) => effect !== "read");
/** Doings that nobody leaves open. */
const outward = new Set("merge approve accept sign authorize publish tweet deploy subscribe connect link install share invite grant transfer".split(" ").map(stemOf));

/** Whether a task names what such a tool changes: the last thing in its name, which the others are of. */
function namesObject({ stems, things, verbs }: Task, server: readonly string[], words: readonly string[]): boolean {
  const isNamed = (word: string): boolean => stems.has(stemOf(word)) || toolsThingsOf(stemOf(word)).some((kind) => things.has(kind));
  const at = words.findIndex((word) => isVerb(word));
  const rest = words.filter((word, index) => index !== at && !generalWords.has(word) && !server.includes(word));
  const head = rest.at(-1);
  if (head !== undefined) return isNamed(head);
  const doing = stemOf(words[at] ?? "");
  return at >= 0 && (stems.has(doing) || doingsOf(doing).length > 0 || verbsLike(doing).some((row) => verbs.has(row)) || server.some(isNamed));
}
