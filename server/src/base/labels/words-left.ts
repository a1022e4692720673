import type { ArgumentFacts, JsonObject, PathFacts } from "@lanyard/contract";
import { vouched } from "../extract/vouched.ts";
import { remembered } from "../remembered.ts";
import { textsOf } from "./classifier.ts";

// What a text leaves for whoever reads it next: that nobody need look (a check was waived, an approval given on the telephone), or that something holds from now
// on. Whoever has taken an agent over leaves such words where people and other agents act by them, and seldom has them from anybody who may say so.

const look = "(?:(?:re-?|double-)?checks?|approvals?|reviews?|confirmations?|verifications?|call-?backs?|sign-?offs?|authori[sz]ations?|permissions?|consents?|clearances?|inspections?|signatures?|vetting|validation)";
const looking = "(?:ask|asking|(?:re-?|double-?)?check(?:ing)?|verify(?:ing)?|review(?:ing)?|approv(?:e|ing)|confirm(?:ing)? with|consult(?:ing)?|question(?:ing)?)";
/** Of these, what no program does. */
const word = "(?:approvals?|reviews?|confirmations?|verifications?|call-?backs?|sign-?offs?|authori[sz]ations?|clearances?|vetting)";
const few = "(?:[\\w'-]{1,20}\\.? ){0,4}";
const sayings: readonly string[] = [
  `no (?:[\\w-]{1,16} ){0,2}(?:${look}|reports?|quer(?:y|ies)|asking(?: back)?) ${few}(?:needed|required|necessary)`,
  `no (?:further|additional|more|other|second|separate|extra) ${look}`,
  `no need (?:for you )?to ${looking}`,
  `${look} ${few}(?:waived|skipped|lifted|not needed|not necessary)`,
  `without (?:any |further |more |additional |asking for |a |the usual ){0,3}(?:${word}|asking|consulting)`,
  `without (?:any further|further|more|additional|the usual) (?:${look}|${looking})`,
  "pre-?(?:agreed|approved|authori[sz]ed|cleared)",
  "(?:approved|authori[sz]ed|cleared|released|verified) (?:by|over|on|via) (?:the )?(?:tele)?phone",
  `(?:do not|don't|never|need not|needn't) (?:${looking}|flag|report)`,
  `(?:skip|waive|bypass)(?:s|ped|d|ed|ing)? (?:the |any |all |this |that |our |its ){0,2}(?:[\\w-]{1,16} ){0,2}${word}`,
];
const after = "(?:future|later|further|following|subsequent|coming)";
const lasting: readonly string[] = [
  "from now on(?:wards)?",
  "henceforth",
  "going forward",
  "until further notice",
  "standing (?:instructions?|rule|approval)",
  "(?:all|any|each|every) (?:future|later|subsequent|coming|following)",
  `for (?:the )?(?:${after}|next) (?:years|months|orders|deliveries|payments|invoices|cases|tickets|runs)`,
  "in (?:the )?future,? (?:all|any|each|every|always|please|use|send|pay)",
];
const saying = (all: readonly string[]): RegExp => new RegExp(`(?<![\\p{L}\\d])(?:${all.join("|")})(?![\\p{L}\\d])`, "iu");
/** By the label that says it. */
const left = { waiver: saying(sayings), standing: saying(lasting) } as const;
type Left = keyof typeof left;
/** Longer texts are documents, in which such words stand for many reasons. */
const longest = 20_000;

/** What a text leaves. Linear in the text. */
function leftIn(text: string): readonly Left[] {
  if (text.length > longest) return [];
  const said = text.replaceAll("’", "'").replace(/\s+/g, " ");
  return (Object.keys(left) as Left[]).filter((one) => left[one].test(said));
}
const leftByTask = remembered({ most: 256, longest }, leftIn);

const ofPrograms: ReadonlySet<PathFacts["kinds"][number]> = new Set(["source", "settings", "manifest"]);

/**
 * The facts of a call with the label `waiver` where an argument says that no check is needed, and `standing` where it says what holds from now on, unless the task
 * does so or all of the argument is the word of somebody who is trusted. Programs and their settings speak of both for other reasons.
 */
export function markWordsLeft(task: string, args: JsonObject, facts: Readonly<Record<string, ArgumentFacts>>): Readonly<Record<string, ArgumentFacts>> {
  if (Object.values(facts).some(({ path }) => path?.kinds.some((kind) => ofPrograms.has(kind)))) return facts;
  const marked = Object.entries(facts).flatMap(([name, own]): (readonly [string, ArgumentFacts])[] => {
    if (own.origins.every((one) => vouched.has(one))) return [];
    const found = textsOf(args[name] ?? null, name).flatMap(({ text }) => leftIn(text)).filter((one) => !leftByTask(task).includes(one));
    return found.length === 0 ? [] : [[name, { ...own, labels: [...new Set([...own.labels, ...found])].sort() }]];
  });
  return marked.length === 0 ? facts : { ...facts, ...Object.fromEntries(marked) };
}
