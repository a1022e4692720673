import type { ArgumentFacts, Json, JsonObject } from "@lanyard/contract";
import { names, remembered } from "../remembered.ts";
import { saysWord } from "./asked.ts";
import { readName } from "./detect.ts";
import { givingBack } from "./effects.ts";
import { amountsIn, countsIn, datesIn, dayOf, numberedIn, type NamedDays } from "./named-values.ts";
import { stemOf } from "./stem.ts";
import { vouched } from "./vouched.ts";
import { wordsOf } from "./words.ts";

// Whoever names one thing has not asked for another of its kind.

/** An id as systems give them, its kind before the last hyphen: `INV-2291`, `FN-O-9912`. */
const id = /(?<![\w-])([a-z][a-z0-9]{0,7}(?:-[a-z0-9]{1,8}){0,2})-(\d{1,12})(?![\w-]|[.,]\d)/gi;
/** An id without a kind before it: a number of five digits or more, with letters or without; its kind is where its letters stand. */
const bare = /(?<![\w.,-])(?=(?:[a-z]*\d){5})[a-z0-9]{5,24}(?![\w-]|[.,]\d)/gi;
const wholeBare = new RegExp(`^\\s*${bare.source}\\s*$`, "i");
const plain = (text: string): string => text.trim().toLowerCase();
const shapeOf = (text: string): string => plain(text).replace(/\d/g, "#");
const mostIds = 64;
const mostChars = 20_000;

/** What a task names of kinds of which a call may name another. */
interface Named {
  /** By kind, the ids of it. */
  readonly ids: ReadonlyMap<string, ReadonlySet<string>>;
  /** Of ids that name no kind, where their letters stand. */
  readonly shapes: ReadonlySet<string>;
  /** All of them as they stand, of whatever kind. */
  readonly all: ReadonlySet<string>;
  /** Null where it says no day on which something is to be. */
  readonly days: NamedDays | null;
  /** In 1/100; null where it names no amount. */
  readonly most: number | null;
  readonly counts: ReturnType<typeof countsIn>;
  /** Whether it names something by the number that it has in its list: `PR 412`, `issue #7`. */
  readonly isNumbered: boolean;
  /** All numbers in it. */
  readonly numbers: ReadonlySet<string>;
  /** Versions of three numbers or more, as they stand, without the `v` before them. */
  readonly versions: ReadonlySet<string>;
  /** Whether it leaves a decision open. */
  readonly leavesOpen: boolean;
}

/** `v2.8.0`, `7.4.2-1`, `3.0.0-rc.1`; no address. */
const version = /(?<![\w.-])v?(\d{1,5}(?:\.\d{1,6}){2,3}(?:[-+][0-9a-z.-]*[0-9a-z])?)(?![\w-]|\.\d)/gi;
const wholeVersion = new RegExp(`^\\s*${version.source}\\s*$`, "i");
/** Arguments that say which version of a thing is meant. */
const versionNames: ReadonlySet<string> = new Set("version tag ref release revision build".split(" "));

/** Arguments that hold such a number. */
const numberNames: ReadonlySet<string> = new Set("number iid pr pull issue mr ticket bug".split(" "));

const namesOf = remembered({ most: 64, longest: mostChars }, (task): Named => {
  const text = task.slice(0, mostChars);
  const ids = new Map<string, Set<string>>();
  for (const [whole, kind = ""] of [...text.matchAll(id)].slice(0, mostIds)) ids.set(kind.toLowerCase(), (ids.get(kind.toLowerCase()) ?? new Set()).add(whole.toLowerCase()));
  const amounts = amountsIn(text);
  const bares = (text.match(bare) ?? []).slice(0, mostIds).map((one) => one.toLowerCase());
  return { ids, shapes: new Set(bares.map(shapeOf)), all: new Set([...bares, ...[...ids.values()].flatMap((ofKind) => [...ofKind])]), days: datesIn(text), most: amounts.length === 0 || deducted.test(text) ? null : amounts.reduce((sum, one) => sum + one, 0), counts: countsIn(text), isNumbered: numberedIn(text).size > 0, numbers: new Set(text.match(/(?<!\d)\d{1,6}(?!\d)/g) ?? []), versions: new Set([...text.matchAll(version)].slice(0, mostIds).map(([, one = ""]) => one.toLowerCase())), leavesOpen: deciding.test(text) };
});

/** An amount that is taken off another, of which nothing is said. */
const deducted = /\b(?:less|minus|deduct(?:ing)?|keep(?:ing)?|apart from|except)\b[^.;!?\n]{0,20}?\d/i;

const whole = new RegExp(`^\\s*${id.source}\\s*$`, "i");
const naming: ReadonlySet<ArgumentFacts["role"]> = new Set(["target", "recipient", "other"]);
/** Arguments that say what becomes of a thing, by the last word of their names. */
const outcomes: ReadonlySet<string> = new Set("status state stage action decision outcome resolution verdict disposition phase".split(" "));
/** What nobody decides by the way. */
const decisive: ReadonlySet<string> = new Set("approved accepted published released refunded cancelled canceled rejected declined denied refused terminated deleted suspended blocked disabled banned lost".split(" "));
/** Whoever says this leaves a decision open. */
const deciding = /\b(?:decide|judge|determine|rule) (?:on|about|over|whether|if|which|what|it|them|this|that|these|[a-z]{1,6}-?\d)|\bmake (?:a|the|your) decisions?\b/i;
/** Arguments that say from when on: whoever says until when alone leaves that open. */
const beginnings: ReadonlySet<string> = new Set("from start starts begin begins since arrival checkin".split(" "));
/** Arguments that say until when: whoever says one day, on which it begins, leaves that open. */
const endings: ReadonlySet<string> = new Set("to until till end ends departure checkout out".split(" "));
const isOf = (words: ReadonlySet<string>, name: string): boolean => readName(name).words.some((word) => words.has(word));
const deepest = 3;

/** Tools that give money back, or say what is owed: how much that is, own records say, or whoever asks for it. A bill that is paid says so itself. */
const givesBack: ReadonlySet<string> = new Set([...givingBack, ..."reimbursement credit credits compensate compensation goodwill".split(" ")]);
const bills: ReadonlySet<string> = new Set("invoice invoices bill bills quote quotes".split(" "));
const makes: ReadonlySet<string> = new Set("create send issue raise make add draft".split(" "));
const isOwed = remembered(names, (tool) => {
  const words = wordsOf(tool);
  return words.some((word) => givesBack.has(word)) || (words.some((word) => bills.has(word)) && words.some((word) => makes.has(word)));
});
/** In 1/100: smaller ones stand in too many texts to say whose they are. */
const leastStrange = 10_000;

/** Whether something is decided in an argument, or in a field of it, of which the task says no word. */
function decidesUnsaid(task: string, name: string, value: Json | undefined, depth = 0): boolean {
  if (typeof value === "string") return value.length <= 40 && outcomes.has(readName(name).words.at(-1) ?? "") && wordsOf(value).some((word) => decisive.has(word) && !saysWord(task, word));
  if (depth === deepest || typeof value !== "object" || value === null) return false;
  return Object.entries(value).slice(0, mostIds).some(([key, one]) => decidesUnsaid(task, Array.isArray(value) ? name : key, one, depth + 1));
}

/** Whether the task counts what the argument is called, and the number stands nowhere in it. */
function isAnotherCount(value: Json | undefined, words: readonly string[], { things, numbers }: ReturnType<typeof countsIn>): boolean {
  const count = typeof value === "number" ? value : typeof value === "string" && /^\s*\d{1,6}\s*$/.test(value) ? Number(value) : null;
  return count !== null && !words.includes("per") && !numbers.has(count) && words.some((word) => things.has(stemOf(word)));
}

/** Whether an argument is the number of something in its list, and none that the task says. */
const isOtherNumber = (value: Json | undefined, words: readonly string[], numbers: ReadonlySet<string>): boolean =>
  words.some((word) => numberNames.has(word)) && words.every((word) => numberNames.has(word) || word === "request" || word === "id") && (typeof value === "number" ? !numbers.has(String(value)) : typeof value === "string" && /^\s*#?\d{1,6}\s*$/.test(value) && !numbers.has(value.replace(/\D/g, "")));

/** Whether a call is about a thing that the task names by its id, whatever the tool calls it: `release it` of VF-104611. */
export function namesThing(task: string, args: JsonObject, facts: Readonly<Record<string, Pick<ArgumentFacts, "role">>>): boolean {
  const { all } = namesOf(task);
  if (all.size === 0) return false;
  return Object.keys(args).some((name) => facts[name]?.role === "target" && typeof args[name] === "string" && all.has(plain(args[name])));
}

/** What is known of an argument, as far as it matters here. */
export type Comparable = Pick<ArgumentFacts, "role" | "money" | "origins">;

/**
 * Whether a call is about a thing of a kind of which the task names others, and not this one: an id; a day, where the task says one on which something is to be; an amount above all that the task names together, or one that a stranger alone says is to be given back or is owed; another number of what it counts (`18 replicas`); another version; and a decision
 * (`status: cancelled`) of which it says no word, whatever states records have. Of the days, amounts, counts and versions none that somebody who is trusted has said. Words of texts do not count. What those say to whom the task
 * leaves it may be added to what it names, and makes no kind one that it names: a record has ids in it by the way.
 */
export function namesAnother(tool: string, { own, task, made }: { readonly own: string; readonly task: string; readonly made: ReadonlySet<string> }, args: JsonObject, facts: Readonly<Record<string, Comparable>>): boolean {
  const { ids, shapes, days, counts, isNumbered, most, versions, leavesOpen } = namesOf(own);
  const more = namesOf(task);
  const { all, numbers } = more;
  const isAnotherId = (text: string): boolean => {
    const named = ids.get(whole.exec(text)?.[1]?.toLowerCase() ?? "");
    return named !== undefined && !all.has(plain(text));
  };
  const isAnotherVersion = (text: string): boolean => {
    const [, one] = wholeVersion.exec(text) ?? [];
    return one !== undefined && !more.versions.has(one.toLowerCase());
  };
  const stands = (shape: string): boolean => Object.values(args).some((value) => typeof value === "string" && shapeOf(value) === shape && all.has(plain(value)));
  const isAnotherBare = (text: string): boolean => wholeBare.test(text) && shapes.has(shapeOf(text)) && !all.has(plain(text)) && !stands(shapeOf(text));
  const isAnotherDay = (text: string): boolean => {
    const day = dayOf(text);
    return day !== null && days?.covers(day) === false && more.days?.covers(day) === false;
  };
  const isThen = (value: Json | undefined): boolean => typeof value === "string" && ((day) => day !== null && days?.covers(day) === true)(dayOf(value));
  const beginsThen = days?.isOne === true && Object.keys(args).some((name) => isOf(beginnings, name) && isThen(args[name]));
  const isOpenEnd = (name: string): boolean => (days?.isEnd === true && isOf(beginnings, name)) || (beginsThen && isOf(endings, name));
  const some = (value: Json | undefined, isAnother: (text: string) => boolean): boolean => (Array.isArray(value) ? value.slice(0, mostIds).some((one) => some(one, isAnother)) : typeof value === "string" && isAnother(value));
  return Object.keys(args).some((name) => {
    const { role = "other", money, origins = [] } = facts[name] ?? {};
    const isNaming = naming.has(role) && !made.has(name); // What the session's own call has made is what was asked for.
    if (isNaming && ids.size > 0 && some(args[name], isAnotherId)) return true;
    if (isNaming && shapes.size > 0 && some(args[name], isAnotherBare)) return true;
    if (isNumbered && role !== "content" && isOtherNumber(args[name], readName(name).words, numbers)) return true;
    if (counts.things.size > 0 && role !== "content" && !origins.some((origin) => vouched.has(origin)) && isAnotherCount(args[name], readName(name).words, { things: counts.things, numbers: more.counts.numbers })) return true; // Small numbers are of nobody.
    const isVouched = origins.every((origin) => vouched.has(origin));
    if (role !== "content" && !leavesOpen && !(isVouched && origins.includes("task")) && decidesUnsaid(task, name, args[name])) return true; // Any record has states in it.
    if (isVouched) return false;
    if (role !== "content" && versions.size > 0 && readName(name).words.some((word) => versionNames.has(word)) && some(args[name], isAnotherVersion)) return true;
    if (role !== "content" && days !== null && !isOpenEnd(name) && some(args[name], isAnotherDay)) return true;
    if (money?.class !== "plain") return false;
    if (role === "amount" && money.minor >= leastStrange && origins.every((origin) => origin === "untrusted") && isOwed(tool)) return true;
    return most !== null && money.minor > Math.max(most, more.most ?? 0);
  });
}
