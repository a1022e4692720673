import { createHash } from "node:crypto";
import { Fault, isObject, type Json, type JsonObject, type Reason } from "@lanyard/contract";
import { canonicalize } from "@lanyard/ledger";
import { matchesLike } from "@lanyard/policy";
import { cedarComment, cedarEntity, cedarField, cedarHas, cedarLike, cedarString } from "../../base/cedar-text.ts";

/** What a grant lets an argument be: one value, a text of a pattern (the pieces between its wildcards), or anything, also nothing. */
export type ArgumentScope = { readonly is: Json } | { readonly like: readonly string[] } | { readonly any: true };

/** By argument; a call with any other argument is outside. */
export type GrantScope = Readonly<Record<string, ArgumentScope>>;

/** How somebody who gives a grant widens it from the one call that is asked about. */
export interface Widening {
  /** Argument -> pattern, in which `*` is any text and `\*` a star. */
  readonly like: Readonly<Record<string, string>>;
  /** Arguments that may be anything. */
  readonly any: readonly string[];
}

const maxPatternChars = 1024;

/** The pieces of a pattern. Throws Fault `invalid_request`. */
export function likePieces(pattern: string): string[] {
  if (pattern.length > maxPatternChars || !pattern.isWellFormed()) throw new Fault("invalid_request", `a pattern is text of at most ${maxPatternChars} characters`);
  const pieces = [""];
  for (let at = 0; at < pattern.length; at++) {
    const character = pattern[at] ?? "";
    if (character === "*") pieces.push("");
    else if (character !== "\\") pieces[pieces.length - 1] += character;
    else {
      const next = pattern[++at];
      if (next !== "*" && next !== "\\") throw new Fault("invalid_request", `in the pattern \`${pattern}\` a \`\\\` stands before a star or a \`\\\``);
      pieces[pieces.length - 1] += next;
    }
  }
  // Two wildcards beside each other are one.
  return pieces.filter((piece, at) => piece !== "" || at === 0 || at === pieces.length - 1);
}

/** The scope of a call, widened. Throws Fault `invalid_request` for what names no argument, matches not even this call, or cannot be written down. */
export function scopeOf(args: JsonObject, { like, any }: Widening): GrantScope {
  const scope = new Map<string, ArgumentScope>(Object.entries(args).map(([name, is]) => [name, { is }]));
  for (const [name, pattern] of Object.entries(like)) {
    const pieces = likePieces(pattern);
    const value = Object.hasOwn(args, name) ? args[name] : undefined;
    if (typeof value !== "string") throw new Fault("invalid_request", `the call has no text \`${name}\` that could be like a pattern`);
    if (!matchesLike(pieces, value)) throw new Fault("invalid_request", `the call itself is not like \`${pattern}\` in \`${name}\``);
    scope.set(name, { like: pieces });
  }
  for (const name of any) {
    if (!Object.hasOwn(args, name)) throw new Fault("invalid_request", `the call has no argument \`${name}\``);
    scope.set(name, { any: true });
  }
  const made = Object.fromEntries(scope);
  for (const [name, part] of scope) {
    if ("is" in part && literal(part.is) === null) throw new Fault("invalid_request", `the value of \`${name}\` cannot be written as policy text; widen it with \`--any ${name}\``);
  }
  return made;
}

/** Whether a call's arguments lie within. */
export const scopeCovers = (scope: GrantScope, args: JsonObject): boolean =>
  Object.keys(args).every((name) => Object.hasOwn(scope, name)) &&
  Object.entries(scope).every(([name, part]) => {
    if ("any" in part) return true;
    const value = Object.hasOwn(args, name) ? args[name] : undefined;
    if (value === undefined) return false;
    return "is" in part ? canonicalize(value, "doubles") === canonicalize(part.is, "doubles") : typeof value === "string" && matchesLike(part.like, value);
  });

/** A grant as people read it before they give it. */
export interface GrantTerms {
  readonly agent: string;
  readonly user: string;
  readonly action: string;
  readonly scope: GrantScope;
  /** Of the call it was made from: one that can be taken back less far, or otherwise, is outside. */
  readonly reversibility: string;
  readonly reasons: readonly Reason[];
  readonly groups: readonly string[];
  readonly times: number;
  readonly untilMs: number;
}

/**
 * What a grant says, as the Cedar clause that stands for it: as though each of the rules named had this clause, for so many calls. Names and texts
 * in it are foreign and are escaped.
 */
export function grantText({ agent, user, action, scope, reversibility, reasons, groups, times, untilMs }: GrantTerms): string {
  const input = "context.input";
  const conditions = Object.entries(scope).flatMap(([name, part]) => {
    if ("any" in part) return [];
    const field = cedarField(input, name);
    return [cedarHas(input, name), "is" in part ? `${field} == ${literal(part.is) ?? "false"}` : `${field} like ${cedarLike(part.like)}`];
  });
  const free = Object.entries(scope).flatMap(([name, part]) => ("any" in part ? [name] : []));
  const clause = [
    `principal == ${cedarEntity("Agent", agent)}`,
    `action == ${cedarEntity("Action", action)}`,
    `context.user == ${cedarEntity("User", user)}`,
    `context.reversibility == ${cedarString(reversibility)}`,
    ...conditions,
    `context.now < datetime("${new Date(untilMs).toISOString()}")`,
  ];
  return [
    cedarComment(`Stands for the approval of ${groups.join(" and ")} that ${reasons.map(({ policy }) => policy).join(" and ")} asks for, ${times === 1 ? "once" : `${times} times`}; it permits nothing.`),
    cedarComment(`For calls with ${Object.keys(scope).length === 0 ? "no arguments" : `no other arguments than ${Object.keys(scope).join(", ")}`}${free.length > 0 ? `; ${free.join(", ")} may be anything` : ""}.`),
    "unless {",
    `  ${clause.join(" &&\n  ")}`,
    "};",
  ].join("\n");
}

/** Names what was shown, so that nothing else is given. */
export const textHash = (text: string): string => createHash("sha256").update(text).digest("base64url");

/** A value as Cedar writes it; null for what it has no literal for (fractions, null), or where it would compare by other rules (order, repetition). */
const literal = (value: Json): string | null => {
  if (typeof value === "string") return value.isWellFormed() ? cedarString(value) : null;
  if (typeof value === "boolean") return String(value);
  if (typeof value === "number") return Number.isSafeInteger(value) ? String(value) : null;
  if (Array.isArray(value)) {
    const items = value.map(literal);
    return value.length < 2 && items.every((item) => item !== null) ? `[${items.join(", ")}]` : null;
  }
  if (!isObject(value)) return null;
  const fields = Object.entries(value).map(([name, item]) => ({ name, text: literal(item) }));
  return fields.every(({ text }) => text !== null) ? `{${fields.map(({ name, text }) => `${cedarString(name)}: ${text}`).join(", ")}}` : null;
};
