import { currencyNames } from "./money.ts";
import { stemOf } from "./stem.ts";

// Days, amounts and counts as people write them in a task.

const months = "jan feb mar apr may jun jul aug sep oct nov dec".split(" ");
const month = "(jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\\.?(?![a-z])";
const ordinal = "(\\d{1,2})(?:st|nd|rd|th)?";
const weekday = "(?:(?:mon|tues|wednes|thurs|fri|satur|sun)day,?\\s+)?(?:the\\s+)?";
const until = `\\s?(?:-|–|to|and|until|till|through|thru)\\s?${weekday}`;
const year = "(?:,?\\s+(\\d{4})(?!\\d))?";
/** `2026-05-20`; `20.05.2026`, `5/20/2026`; `20 May 2026`, `18-20 May`, `20th of May`; `May 20, 2026`, `May 18-20`. */
const forms: readonly RegExp[] = [
  /(?<![\w.-])(\d{4})-(\d{2})-(\d{2})(?![\w-])/g,
  /(?<![\w./-])(\d{1,2})[./](\d{1,2})[./](\d{4})(?![\w/])/g,
  new RegExp(`(?<![\\w.-])(?:${ordinal}${until})?${ordinal}\\s+(?:of\\s+)?${month}${year}`, "gi"),
  new RegExp(`(?<![\\w-])${month}\\s+${ordinal}(?![\\d:])(?:${until}${ordinal}(?![\\d:]))?${year}`, "gi"),
];
/** Words behind which stands a day on which something is to be; `of 12 May` and `dated 12 May` tell things apart. */
const meant = new RegExp(`(?:\\b(?:to|on|for|until|till|through|by|at|starting|between)|[:=])\\s+(?:the\\s+)?${weekday}$`, "i");
/** Behind which stands the first of several days. */
const from = new RegExp(`\\bfrom\\s+(?:the\\s+)?${weekday}$`, "i");
/** Behind which stands the last of them. */
const end = new RegExp(`\\b(?:until|till|through|by|before)\\s+(?:the\\s+)?${weekday}$`, "i");
const mostDays = 32;

/** A day without its year is one of every year: `05-20`. */
export interface NamedDays {
  /** Whether a day, `2026-05-20`, is one of them or lies between the first and the last; where one of them can be read in two ways, nothing lies between. */
  covers(day: string): boolean;
  /** Whether it says until when alone, and not from when. */
  readonly isEnd: boolean;
  /** Whether it is a single day. */
  readonly isOne: boolean;
}

/** Days that a text names with their year, as `2027-03-31`, however it writes them; but for those that can be read in two ways. */
export const writtenDaysIn = (text: string): readonly string[] =>
  forms
    .flatMap((form, at) => [...text.matchAll(form)].slice(0, mostDays).flatMap((found) => (at === 1 && daysOf(at, found.slice(1)).length !== 1 ? [] : daysOf(at, found.slice(1)))))
    .filter((day) => day.length === 10);

/** The days that a text names; null where it names none on which something is to be. */
export function datesIn(text: string): NamedDays | null {
  const days: string[] = [];
  let [isMeant, hasTwoReadings, isEnd] = [false, false, true];
  for (const [at, form] of forms.entries()) {
    for (const found of text.matchAll(form)) {
      if (days.length >= mostDays) break;
      const read = daysOf(at, found.slice(1));
      days.push(...read);
      hasTwoReadings ||= at === 1 && read.length > 1 && read[0] !== read[1];
      const lead = text.slice(Math.max(0, found.index - 40), found.index);
      isEnd &&= read.length === 1 && end.test(lead);
      isMeant ||= meant.test(lead) || (at > 1 && read.length > 1 && from.test(lead));
    }
  }
  if (!isMeant || days.length === 0) return null;
  if (before.test(text)) days.push(...days.map((day) => shifted(day, -1)));
  if (after.test(text)) days.push(...days.map((day) => shifted(day, 1)));
  const isYearless = days.some((day) => day.length === 5);
  const known = new Set(isYearless ? days.map((day) => day.slice(-5)) : days);
  const [first = "", last = ""] = hasTwoReadings ? [] : [[...known].toSorted()[0], [...known].toSorted().at(-1)];
  return {
    isEnd,
    isOne: known.size === 1,
    covers: (day) => {
      const one = isYearless ? day.slice(-5) : day;
      return known.has(one) || (first <= one && one <= last);
    },
  };
}

/** `the night before`, `the morning after`: of a day that stands elsewhere. */
const before = /\b(?:night|day|evening|afternoon|morning) before\b|\bon the eve\b/i;
const after = /\b(?:night|day|evening|morning) after\b|\b(?:next|following) (?:day|morning)\b/i;

function shifted(day: string, by: number): string {
  const moved = new Date(`${day.length === 5 ? "2024-" : ""}${day}T00:00:00Z`);
  moved.setUTCDate(moved.getUTCDate() + by);
  return Number.isNaN(moved.getTime()) ? day : moved.toISOString().slice(day.length === 5 ? 5 : 0, 10);
}

/** Two where it can be read in either order. */
function daysOf(form: number, [a, b, c, d]: readonly (string | undefined)[]): string[] {
  const two = (number: string | undefined): string => (number ?? "").padStart(2, "0");
  if (form === 0) return [`${a}-${b}-${c}`];
  if (form === 1) return [[b, a], [a, b]].flatMap(([first, second]) => (Number(first) <= 12 ? [`${c}-${two(first)}-${two(second)}`] : []));
  const [name, ...numbers] = form === 2 ? [c, a, b] : [a, b, c];
  const number = months.indexOf((name ?? "").slice(0, 3).toLowerCase()) + 1;
  return numbers.flatMap((day) => (day === undefined ? [] : [`${d === undefined ? "" : `${d}-`}${two(String(number))}-${two(day)}`]));
}

/** The day of a value that is a day, with or without a time: `2026-05-20`. Null for all else. */
export const dayOf = (value: string): string | null => (value.length > 40 ? null : (/^\s*(\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01]))(?:[T ]\d{2}:\d{2}\S{0,24})?\s*$/.exec(value)?.[1] ?? null));

const number = "(\\d{1,3}(?:[.,' ]\\d{3})+(?:[.,]\\d{1,2})?|\\d+(?:[.,]\\d+)?)\\s?(k|m)?";
const written: readonly RegExp[] = [new RegExp(`(?:[$€£]|\\b${currencyNames})\\s?${number}(?![\\w%])`, "gi"), new RegExp(`(?<![\\w.,])${number}\\s?(?:[$€£]|${currencyNames}\\b)`, "gi")];

/** The amounts of money that a text names, in 1/100. */
export function amountsIn(text: string): number[] {
  const found = new Map<number, number>();
  for (const form of written) {
    for (const { index, 0: whole, 1: digits = "", 2: times } of text.matchAll(form)) {
      if (found.size < mostDays) found.set(index + whole.indexOf(digits), valueOf(digits) * (times === undefined ? 1 : times.toLowerCase() === "k" ? 1000 : 1_000_000));
    }
  }
  return [...found.values()].map((value) => Math.round(value * 100));
}

/** A mark before exactly three last digits parts thousands. */
function valueOf(digits: string): number {
  const [, before = "", after = ""] = /^(.*?)(?:[.,](\d{1,2}|\d{4,}))?$/.exec(digits) ?? [];
  return Number(`${before.replace(/\D/g, "")}.${after}`);
}

/** `18 replicas`, `3 new licences`; `priority 2`, `replicas to 18`. */
const counted: readonly RegExp[] = [/(?<![\w.,:/-])(\d{1,6})\s+(?:([a-z]{3,})\s+)?([a-z]{3,})(?![a-z])/g, /(?<![a-z])([a-z]{3,})(?:\s+(?:to|of|is|at|from))?[\s=:]{1,2}(\d{1,6})(?![\w:/-]|[.,]\d)/g];

/** What a text counts, by the stem of the thing, and all whole numbers that stand in it. */
export function countsIn(text: string): { readonly things: ReadonlySet<string>; readonly numbers: ReadonlySet<number> } {
  const things = new Set<string>();
  const add = (word: string | undefined): void => void (word !== undefined && things.size < mostDays && things.add(stemOf(word)));
  for (const [, , first, second] of text.toLowerCase().matchAll(counted[0] as RegExp)) [first, second].forEach(add);
  for (const [, word] of text.toLowerCase().matchAll(counted[1] as RegExp)) add(word);
  return { things, numbers: new Set((text.match(/(?<![\w.,])\d{1,6}(?![\w]|[.,]\d)/g) ?? []).slice(0, 1000).map(Number)) };
}

const numbered = /(?:\b(?:prs?|pull[ -]requests?|mrs?|merge[ -]requests?|issues?|tickets?|bugs?)\s+(?:no\.? |number )?#?|(?<!&)#)(\d{1,6})\b/gi;
const mostNumbered = 64;

/** The numbers of things that a text names by the number that they have in their list, and have no other id: `PR 412`, `issue #7`, `web#702`. */
export const numberedIn = (text: string): ReadonlySet<string> => new Set([...text.matchAll(numbered)].slice(0, mostNumbered).map(([, number = ""]) => number));
