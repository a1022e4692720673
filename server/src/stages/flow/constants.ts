import { isObject, type ArgumentFacts, type CallEffect, type Json, type JsonObject, type ToolDefinition } from "@lanyard/contract";
import { givingBack } from "../../base/extract/effects.ts";
import { wordsOf } from "../../base/extract/words.ts";

const known = new WeakMap<ToolDefinition, Readonly<Record<string, ReadonlySet<string>>>>();

/** By top-level argument, the words that a tool's definition lists for it (`enum`, `const`), wherever in it: choosing one of them steers nothing else. */
export function constantsOf(definition: ToolDefinition | null): Readonly<Record<string, ReadonlySet<string>>> {
  if (!definition) return {};
  let constants = known.get(definition);
  if (!constants) {
    const { properties } = definition.inputSchema;
    const listed = Object.entries(isObject(properties) ? properties : {}).map(([name, schema]) => [name, new Set(listedIn(schema))] as const);
    constants = Object.fromEntries(listed.filter(([, words]) => words.size > 0));
    known.set(definition, constants);
  }
  return constants;
}

function listedIn(schema: Json, depth = 0): string[] {
  if (depth > 16) return [];
  if (Array.isArray(schema)) return schema.flatMap((one) => listedIn(one, depth + 1));
  if (!isObject(schema)) return [];
  const own = [...(Array.isArray(schema["enum"]) ? schema["enum"] : []), schema["const"]].filter((word) => typeof word === "string");
  return [...own, ...Object.entries(schema).flatMap(([key, below]) => (key === "enum" || key === "const" || key === "examples" || key === "default" ? [] : listedIn(below, depth + 1)))];
}

/** A call, as far as words of it may name somebody without choosing anybody. */
interface PayingCall {
  readonly tool: string;
  readonly args: JsonObject;
  readonly facts: Readonly<Record<string, ArgumentFacts>>;
  readonly effects: readonly CallEffect[];
}

/** Tools that give money back: whoever paid gets it, if nobody else is named. */
const givesBack = new Set([...givingBack, ..."return void reverse reversal back".split(" ")]);
/** Where the money came from. Nothing that somebody sets (`default`, `primary`) and nothing that could be whoever calls (`self`), for these need not be it. */
const payer = /^(?:original|origin|originating|source|payer|sender|same|unchanged)$/;
/** No account and nobody is called so. */
const phrase =
  /^(?:(?:the )?(?:original|same|used|initial) (?:(?:form|method|means) of payment|payment(?: (?:method|source|card|account))?|method|source|card|account|payer|sender|bank account|instrument)|(?:the )?(?:card|account|payment method|bank account|method|details) (?:on file|used(?: (?:for|at) (?:the )?(?:payment|order|purchase|checkout))?|it came from)|on file)$/;

/**
 * Words of this very call that name whoever it was before, such as `original` in a refund: as constant as those that the definition lists. Only in
 * calls that move money and arguments that say who gets it or from where; a single word only where the tool gives money back.
 */
export function withFormer(constants: ReturnType<typeof constantsOf>, { tool, args, facts, effects }: PayingCall): ReturnType<typeof constantsOf> {
  if (!effects.includes("money")) return constants;
  const isBack = wordsOf(tool).some((word) => givesBack.has(word));
  const found = Object.entries(args).filter(([name, value]) => {
    const role = facts[name]?.role;
    if (typeof value !== "string" || value.length > longestPhrase || (role !== "recipient" && role !== "target")) return false;
    const said = value.toLowerCase().replace(/[_-]/g, " ").trim();
    return phrase.test(said) || (isBack && payer.test(said));
  });
  return found.length === 0 ? constants : { ...constants, ...Object.fromEntries(found.map(([name, value]) => [name, new Set([...(constants[name] ?? []), String(value)])])) };
}

const longestPhrase = 64;
