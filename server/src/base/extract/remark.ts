import type { ArgumentFacts, AskedPart, CallEffect } from "@lanyard/contract";
import { readName } from "./detect.ts";
import { isVerb } from "./effects.ts";
import { vouched } from "./vouched.ts";
import { wordsOf } from "./words.ts";

// A word that nobody has to ask for: it only tells something, to those who are known already, and nothing in it is of others or leads anywhere.

/** What is known of the arguments that matters here. */
type Said = Pick<ArgumentFacts, "role" | "origins" | "labels" | "links" | "payees" | "path" | "email">;

/** Effects of calls that do more than tell. */
const doing: ReadonlySet<CallEffect> = new Set(["money", "destructive", "access", "exec"]);
/** What is in it must not be told, or is told because a stranger would have it told. */
const withheld: ReadonlySet<string> = new Set(["confidential", "internal", "others", "secret", "credential", "dictated", "instructions"]);
/** What the organisation's own people may be told all the same. */
const own: ReadonlySet<string> = new Set(["internal"]);
/** After that, whoever wrote it may be who acts. */
const ordered: ReadonlySet<string> = new Set(["instructions", "impostor"]);
/** A task that asks for one of these is work on something, of which those concerned are told. */
const changes: ReadonlySet<AskedPart> = new Set(["write", "egress", "money", "destructive", "access"]);
/** Arguments with which more goes out than words. */
const enclosures: ReadonlySet<string> = new Set("attachment attachments file files document documents media image images".split(" "));
/** Where many read along. */
const audiences: ReadonlySet<string> = new Set("channel channels audience group groups list lists segment topic room team everyone".split(" "));
const mostTold = 3;
/** Verbs of tools that do no more than tell: a decision of which somebody is informed is no remark. */
const telling: ReadonlySet<string> = new Set("send reply respond answer mail email message notify inform tell text sms dm comment chat".split(" "));

export interface Remark {
  readonly tool: string;
  readonly effects: readonly CallEffect[];
  readonly facts: Readonly<Record<string, Said>>;
  /** What the session carries. */
  readonly labels: readonly string[];
  /** What the task asks for. */
  readonly asked: readonly AskedPart[];
}

/**
 * Whether a call is a word to the organisation's own, or, in a task that is there to change or to send something, to people whom the task or the
 * organisation's own records name, about what they name, by a tool that only tells. Such a word needs not be asked for: a confirmation, a note of what was done.
 */
export function isRemark({ tool, effects, facts, labels, asked }: Remark): boolean {
  if (!effects.includes("egress") || effects.some((effect) => doing.has(effect)) || labels.some((label) => ordered.has(label))) return false;
  const parts = Object.entries(facts);
  const recipients = parts.flatMap(([, { role, origins, payees = [] }]) => [...(role === "recipient" ? origins : []), ...payees]);
  if (recipients.length === 0) return false;
  const isAtHome = recipients.every((one) => one === "directory");
  if (parts.some(([, part]) => part.labels.some((label) => withheld.has(label) && !(isAtHome && own.has(label))) || part.links?.some((one) => !vouched.has(one)))) return false;
  const isTold = telling.has(wordsOf(tool).find(isVerb) ?? "");
  if (isAtHome) return isTold || parts.some(([, { role }]) => role === "content");
  return isTold && asked.some((one) => changes.has(one)) && recipients.every((one) => vouched.has(one)) && parts.every(([name, part]) => concerns(readName(name).words, part));
}

/** Whether an argument tells no more than words, to a few, and of nothing but what is known. */
function concerns(words: readonly string[], { role, origins, path, email }: Said): boolean {
  if (path !== undefined || (email?.addresses.length ?? 0) > mostTold) return false;
  if (role === "recipient") return !words.some((word) => audiences.has(word)) || origins.every((one) => one !== "trusted");
  return (role !== "target" && !words.some((word) => enclosures.has(word))) || origins.every((one) => vouched.has(one));
}
