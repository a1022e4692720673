import type { ArgumentFacts, JsonObject, PathFacts } from "@lanyard/contract";
import { vouched } from "../extract/vouched.ts";
import { remembered } from "../remembered.ts";
import { textsOf } from "./classifier.ts";

// A text that says that somebody need not look: a check was waived, an approval given on the telephone, nobody is to be asked. Whoever has taken an agent over
// leaves it where the next one acts by it, and seldom has such words from anybody who may say them.

const look = "(?:(?:re-?|double-)?checks?|approvals?|reviews?|confirmations?|verifications?|call-?backs?|sign-?offs?|authori[sz]ations?|permissions?|clearances?|inspections?|signatures?|vetting|validation)";
const looking = "(?:ask|asking|(?:re-?|double-?)?check(?:ing)?|verify(?:ing)?|review(?:ing)?|approv(?:e|ing)|confirm(?:ing)? with|consult(?:ing)?|question(?:ing)?)";
/** Of these, what no program does. */
const word = "(?:approvals?|reviews?|confirmations?|verifications?|call-?backs?|sign-?offs?|authori[sz]ations?|clearances?|vetting)";
const few = "(?:[\\w'-]{1,20} ){0,4}";
const sayings: readonly string[] = [
  `no (?:[\\w-]{1,16} ){0,2}(?:${look}|reports?) ${few}(?:needed|required|necessary)`,
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
const waiver = new RegExp(`(?<![\\p{L}\\d])(?:${sayings.join("|")})(?![\\p{L}\\d])`, "iu");
/** Longer texts are documents, in which such words stand for many reasons. */
const longest = 20_000;

/** Whether a text says that no check, approval or question is needed. Linear in the text. */
const waives = (text: string): boolean => text.length <= longest && waiver.test(text.replaceAll("’", "'").replace(/\s+/g, " "));
const taskWaives = remembered({ most: 256, longest }, waives);

const ofPrograms: ReadonlySet<PathFacts["kinds"][number]> = new Set(["source", "settings", "manifest"]);

/**
 * The facts of a call with the label `waiver` where an argument says that no check is needed, unless the task says so or all of it is the word of somebody who is
 * trusted. Programs and their settings speak of checks for other reasons.
 */
export function markWaivers(task: string, args: JsonObject, facts: Readonly<Record<string, ArgumentFacts>>): Readonly<Record<string, ArgumentFacts>> {
  if (Object.values(facts).some(({ path }) => path?.kinds.some((kind) => ofPrograms.has(kind)))) return facts;
  const waiving = Object.entries(facts).filter(([name, { origins }]) => origins.some((one) => !vouched.has(one)) && textsOf(args[name] ?? null, name).some(({ text }) => waives(text)));
  if (waiving.length === 0 || taskWaives(task)) return facts;
  return { ...facts, ...Object.fromEntries(waiving.map(([name, own]) => [name, { ...own, labels: [...new Set([...own.labels, "waiver"])].sort() }])) };
}
