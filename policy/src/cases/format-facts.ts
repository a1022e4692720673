import { argumentRoles, askedParts, callEffects, codeClasses, pathKinds, plainClasses, shellClasses, shellReaches, sqlClasses, urlClasses, valueOrigins, type ArgumentFacts, type DecisionInput } from "@lanyard/contract";
import { z } from "zod";
import { pastShape } from "./past.ts";
import { factKindNames, fieldsOfKind, type FactKind } from "../schema/facts.ts";

// What a case says of the meaning of arguments: what the gateway would have found. Whatever is left out was not found.

const texts = z.array(z.string().max(4096)).max(1024);
/** One of several may stand alone. */
const oneOrMore = <T extends z.ZodType>(item: T) => z.union([item, z.array(item).max(64)]);
const listOf = <T>(given: T | readonly T[] | undefined): T[] => (given === undefined ? [] : Array.isArray(given) ? [...(given as readonly T[])] : [given as T]);
const count = z.int().min(0);

/** The class alone, or it with what was found beside it. */
const kindOf = <T extends z.ZodRawShape>(classes: readonly string[], shape: T) => {
  const known = z.enum(classes.filter((name) => name !== "none") as [string, ...string[]]);
  return z.union([known, z.strictObject({ class: known, ...shape })]).optional();
};

const kinds = {
  sql: kindOf(sqlClasses, { statements: count.optional(), tables: texts.optional(), writes: texts.optional(), functions: texts.optional(), unbounded: z.boolean().optional(), secrets: texts.optional() }),
  shell: kindOf(shellClasses, { programs: texts.optional(), paths: texts.optional(), hosts: texts.optional(), destructive: z.boolean().optional(), reaches: z.array(z.enum(shellReaches)).optional(), packages: texts.optional() }),
  url: kindOf(urlClasses, { hosts: texts.optional(), domains: texts.optional(), schemes: texts.optional(), ports: z.array(count).max(64).optional(), userinfo: z.boolean().optional() }),
  path: kindOf(plainClasses, { paths: texts.optional(), common: z.string().max(4096).optional(), folders: texts.optional(), names: texts.optional(), kinds: z.array(z.enum(pathKinds)).optional() }),
  email: kindOf(plainClasses, { addresses: texts.optional(), domains: texts.optional() }),
  money: kindOf(plainClasses, { minor: z.int().optional(), currencies: texts.optional() }),
  code: kindOf(codeClasses, { languages: texts.optional(), imports: texts.optional() }),
} satisfies Record<FactKind, z.ZodType>;

const ofArgument = z
  .strictObject({
    role: z.enum(argumentRoles).optional().describe("default other"),
    labels: oneOrMore(z.string().min(1).max(256)).optional().describe("data classes that its values carry"),
    origins: oneOrMore(z.enum(valueOrigins)).optional().describe("where its values came from"),
    links: oneOrMore(z.enum(valueOrigins)).optional().describe("where the addresses of pages and the accounts in it came from"),
    payees: oneOrMore(z.enum(valueOrigins)).optional().describe("where whoever gets money by it came from, if its role is another"),
    encodings: oneOrMore(z.string().min(1).max(64)).optional(),
    ...kinds,
  })
  .describe("what is known of one argument; a kind may be given by its class alone: `sql: read`");

/** Keys of a case that say what was found in its arguments and is counted beside them. */
export const knownOfCall = {
  facts: z.record(z.string().min(1).max(256), ofArgument).optional().describe("what the arguments mean, by the argument's name"),
  effects: z.array(z.enum(callEffects)).max(callEffects.length).optional().describe("what the call does, as `context.facts.effects`"),
  asked: z.array(z.enum(askedParts)).max(askedParts.length).optional().describe("what the task asks for, as `context.facts.asked`"),
  budget: z.strictObject({ warn: oneOrMore(z.string()).optional(), ask: oneOrMore(z.string()).optional(), over: oneOrMore(z.string()).optional() }).optional().describe("budgets that the call would take past a threshold"),
  history: pastShape,
};

type Known = z.infer<z.ZodObject<typeof knownOfCall>>;

/** The part of a decision's input that a case states in `facts`, `effects`, `asked` and `budget`. */
export const knownIn = ({ facts, effects, asked, budget }: Omit<Known, "history">): Pick<DecisionInput, "facts" | "effects" | "asked" | "budget"> => ({
  ...(facts && { facts: Object.fromEntries(Object.entries(facts).map(([name, one]) => [name, argumentFacts(one)])) }),
  ...(effects && { effects: effects.toSorted() }),
  ...(asked && { asked: asked.toSorted() }),
  ...(budget && { budget: { warn: listOf(budget.warn).sort(), ask: listOf(budget.ask).sort(), over: listOf(budget.over).sort() } }),
});

const argumentFacts = (given: z.infer<typeof ofArgument>): ArgumentFacts => ({
  role: given.role ?? "other",
  ...Object.fromEntries(factKindNames.flatMap((kind) => (given[kind] === undefined ? [] : [[kind, wholeKind(kind, given[kind])]]))),
  ...(given.encodings !== undefined && { encodings: listOf(given.encodings).sort() }),
  ...(given.links !== undefined && { links: listOf(given.links).sort() }),
  ...(given.payees !== undefined && { payees: listOf(given.payees).sort() }),
  labels: listOf(given.labels).sort(),
  origins: listOf(given.origins),
});

/** With every field: what the case does not say is empty, and of statements there is one. */
const wholeKind = (kind: FactKind, given: string | object): object => {
  const said: Readonly<Record<string, unknown>> = typeof given === "string" ? { class: given } : { ...given };
  const empty = { class: "unknown", texts: [], longs: [], sum: kind === "sql" ? 1 : 0, flag: false, folder: "" };
  return Object.fromEntries(Object.entries(fieldsOfKind(kind)).map(([name, field]) => [name, said[name] ?? empty[field.kind]]));
};
