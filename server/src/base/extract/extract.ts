import { isObject, parseJson, webServer, type ArgumentFacts, type ArgumentRole, type CallEffect, type CodeFacts, type Json, type JsonObject, type ShellFacts, type SqlFacts } from "@lanyard/contract";
import { defaultLimits } from "../limits.ts";
import { hostText } from "../host.ts";
import { names, remembered } from "../remembered.ts";
import { givesAccess, isLetIn, lowersProtection } from "./access.ts";
import { codeFacts } from "./code/code.ts";
import type { ArgumentKind, DeclaredArgument, DeclaredArguments, ToolShape } from "./declared.ts";
import { hintsOf, kindsOfText, readName, type ArgumentName, type ToolHints } from "./detect.ts";
import { effectsOfAnnotations, effectsOfFacts, effectsOfName, sortedEffects } from "./effects.ts";
import { emailFacts } from "./email.ts";
import { joinCode, joinShell, joinSql } from "./join.ts";
import { moneyFacts, type Amount } from "./money.ts";
import { pathFacts, urlPathFacts } from "./path.ts";
import { accountsIn, isPayer, payeesIn } from "./payees.ts";
import { weightier } from "./roles.ts";
import { shellFacts } from "./shell/shell.ts";
import { sqlFacts } from "./sql/sql.ts";
import { unfold } from "./unfold.ts";
import { urlFacts } from "./url.ts";
import { wordsOf } from "./words.ts";

/** A call, as far as it says what its arguments mean. */
export interface ExtractedCall {
  readonly server: string;
  /** Name of the tool at its server; a method of MCP where the call is of no tool. */
  readonly tool: string;
  readonly args: JsonObject;
  /** What the contract says of the arguments; empty where it says nothing. */
  readonly declared: DeclaredArguments;
  /** What the contract says that the tool does; null where there is no contract. */
  readonly effects: readonly CallEffect[] | null;
  /** Null where the call is of no tool. */
  readonly shape: ToolShape | null;
}

export interface Extracted {
  /** By top-level argument; labels and origins still empty, those of payees too. */
  readonly facts: Readonly<Record<string, ArgumentFacts>>;
  /** Sorted. */
  readonly effects: readonly CallEffect[];
  /** Those that a word for the tool asks for: all but access that an argument gives by switching off what protects. */
  readonly plain: readonly CallEffect[];
}

/** What the arguments of a call mean and what it does: synchronous, without I/O, linear in the arguments. */
export function extract({ server, tool, args, declared, effects, shape }: ExtractedCall): Extracted {
  if (server === webServer) {
    const all = sortedEffects(effects ?? []);
    return { facts: webFacts(tool, args), effects: all, plain: all };
  }
  const known = effects === null ? guessed(tool, args, shape) : effects.some((effect) => changing.has(effect)) ? [...effects, "write" as const] : effects;
  const isLowering = known.some((effect) => effect !== "read") && lowersProtection(args);
  const told = isLowering ? [...known, "access" as const, "write" as const] : known;
  const reading: Reading = { args, declared, hints: hintsOf(server, tool), choices: choicesOf(shape), isAddressed: told.length === 0 || told.some((effect) => addressing.has(effect)) || isOfAddressedThings(tool) };
  const facts = Object.fromEntries(Object.keys(args).map((name) => [name, addressed(name, factsOf(name, args[name] ?? null, reading), declared.get(name), told, isOfAddressedThings(tool), args)]));
  const found = sortedEffects([...told, ...effectsOfFacts(Object.values(facts), told)]);
  const all = invitesNobody(args, facts) ? found.filter((effect) => effect !== "egress") : found;
  const isByAccount = all.includes("money") && Object.keys(facts).some((name) => facts[name]?.role === "recipient" && payeesAccount.test(name) && accountsIn(String(args[name]), name).length > 0);
  const paidTo = all.includes("money") ? Object.fromEntries(Object.entries(facts).map(([name, own]) => [name, isByAccount && !declared.get(name)?.role && isPayeesName(name, own, args[name]) ? { ...own, role: "other" as const } : paid(name, args[name] ?? null, own, declared.get(name))])) : facts;
  return { facts: paidTo, effects: all, plain: isLowering && !known.includes("access") ? all.filter((effect) => effect !== "access") : all };
}

/** Who gets money is a recipient, whatever the argument is called in which they stand: where they came from is found later. */
const paid = (name: string, value: Json, facts: ArgumentFacts, said: DeclaredArgument | undefined): ArgumentFacts =>
  !said?.role && facts.role !== "recipient" && !isPayer(name) && textsIn(value).some((text) => payeesIn(text, name).length > 0) ? { ...facts, payees: [] } : facts;

/** A name beside the account that is paid: what the account's holder is called moves no money elsewhere. An `account` alone may be the one that pays. */
const isPayeesName = (name: string, { role, email }: ArgumentFacts, value: Json | undefined): boolean => role === "recipient" && /^(?:payee|beneficiary|creditor|(?:\w+_)?holder|(?:payee|beneficiary|recipient|creditor)_?name)$/i.test(name) && email === undefined && typeof value === "string" && /^[\p{L}\p{M}][\p{L}\p{M} .,&'()-]*$/u.test(value) && /\p{L}{2}/u.test(value);

const payeesAccount = /^(?:iban|(?:to|payee|beneficiary|recipient|creditor)_?(?:iban|account|account_?number))$/i;

/** Effects that are kinds of write, whether or not a contract says so. */
const changing: ReadonlySet<CallEffect> = new Set(["destructive", "money", "access"]);
/** Effects for which it matters who is meant. */
const addressing: ReadonlySet<CallEffect> = new Set(["egress", "money", "exec", "access"]);
/** Things that go to somebody, now or later. */
const addressedThings: ReadonlySet<string> = new Set("draft drafts mail email message messages event invitation transaction payment order".split(" "));

const isOfAddressedThings = remembered(names, (tool) => wordsOf(tool).some((word) => addressedThings.has(word)));

/** What is known of a tool that nobody has said anything of. */
function guessed(tool: string, args: JsonObject, shape: ToolShape | null): readonly CallEffect[] {
  const told = [...effectsOfName(tool), ...effectsOfAnnotations(shape?.annotations)];
  return told.every((effect) => effect === "read") && told.length > 0 ? told : givesAccess(tool, args) ? [...told, "access", "write"] : told;
}

/** The URL that something is sent to is who gets it, and so is an address, whatever its argument is called, and whoever is let in. */
function addressed(name: string, facts: ArgumentFacts, said: DeclaredArgument | undefined, told: readonly CallEffect[], isOfAddressed: boolean, args: JsonObject): ArgumentFacts {
  if (said?.role) return facts;
  if (name === "to" && facts.role === "recipient" && isSpan(args, told, isOfAddressed)) return { ...facts, role: facts.path ? "target" : "other" };
  const { isAddressee, words } = readName(name);
  const isSent = told.includes("egress") && told.includes("write");
  const isSentTo = isSent && ((facts.url !== undefined && facts.role === "target") || (facts.email !== undefined && (facts.role === "target" || facts.role === "other")) || isAddressee);
  return isSentTo || (told.includes("access") && isLetIn(words)) ? { ...facts, role: "recipient" } : facts;
}

/** An appointment without guests goes to nobody: of those who may be asked to come there is a list, it is empty, and there is nobody else whom the call goes to. */
function invitesNobody(args: JsonObject, facts: Readonly<Record<string, ArgumentFacts>>): boolean {
  const isEmpty = (name: string): boolean => args[name] === null || args[name] === "" || (Array.isArray(args[name]) && args[name].length === 0);
  const all = Object.entries(facts);
  return all.some(([name]) => readName(name).words.some((word) => guests.has(word)) && Array.isArray(args[name]) && isEmpty(name)) && all.every(([name, { role, url, shell }]) => url === undefined && shell === undefined && (role !== "recipient" || isEmpty(name)));
}
const guests: ReadonlySet<string> = new Set("participants attendees invitees guests".split(" "));

/** Whether `to` is where something ends that has a beginning: a day or an hour, or of what goes to nobody the other side of `from`. An order or a payment goes to somebody. */
function isSpan({ from, to }: JsonObject, told: readonly CallEffect[], isOfAddressed: boolean): boolean {
  if (typeof to === "string" && /^\d{4}-\d\d(?:-\d\d)?(?:[T ]\d.*)?$|^\d{1,2}:\d\d(?::\d\d)?$|^(?!$)(?:now|today|yesterday|tomorrow|latest)?\s?(?:[+-]\s?\d{1,4}\s?(?:ms|[smhdwMy]|min|mins|hours?|days?|weeks?))?$/.test(to)) return true;
  return !isOfAddressed && typeof from === "string" && typeof to === "string" && told.length > 0 && !told.some((effect) => addressing.has(effect)) && !to.includes("@");
}

/** What leaves a sandbox: its URL lies in several arguments, all else is what is said. */
function webFacts(tool: string, args: JsonObject): Record<string, ArgumentFacts> {
  const asks = tool === "GET" || tool === "HEAD" || tool === "OPTIONS";
  const roles: Readonly<Record<string, ArgumentRole>> = { host: asks ? "target" : "recipient", path: "target", query: "content", headers: "content", body: "content" };
  const { host = "", scheme = "tcp", port, path } = args;
  return Object.fromEntries(
    Object.entries(args).map(([name, value]): [string, ArgumentFacts] => {
      const encodings = new Set(textsIn(value).flatMap((text) => unfold(text).flatMap((view) => view.encodings)));
      return [
        name,
        {
          role: roles[name] ?? "other",
          ...(name === "host" && typeof host === "string" && { url: urlFacts([`${String(scheme)}://${hostText(host)}:${String(port)}/`]) }),
          ...(name === "path" && typeof path === "string" && { path: urlPathFacts(path) }),
          ...(encodings.size > 0 && { encodings: [...encodings].sort() }),
          labels: [],
          origins: [],
        },
      ];
    }),
  );
}

const textsIn = (value: Json): readonly string[] => (typeof value === "string" ? [value] : isObject(value) || Array.isArray(value) ? Object.values(value).flatMap(textsIn) : []);

interface Reading {
  readonly args: JsonObject;
  readonly declared: DeclaredArguments;
  readonly hints: ToolHints;
  /** Arguments whose values the tool's schema names all. */
  readonly choices: ReadonlySet<string>;
  /** Something goes to somebody: who it is may stand in a text, as a line of a header or in JSON. */
  readonly isAddressed: boolean;
}

/** What one argument holds, by kind; null where it holds nothing of a kind, as most do. */
interface Found {
  role: ArgumentRole;
  sql: SqlFacts[] | null;
  shell: ShellFacts[] | null;
  code: CodeFacts[] | null;
  url: string[] | null;
  email: string[] | null;
  money: Amount[] | null;
  path: string[] | null;
  encodings: Set<string> | null;
  root: string | null;
}

/** A value on the way down: the names that lead to it, the last of them, and what the contract says of the nearest of them that it speaks of. */
interface Place {
  readonly names: readonly string[];
  readonly name: ArgumentName;
  readonly said: DeclaredArgument | null;
}

/** Names of what is no file. */
const streams = /^\/dev\/(?:null|zero|stdin|stdout|stderr|tty|fd\/\d+)$/;

const fieldNames = ["field", "setting", "attribute", "property", "column", "key"] as const;
const settable: ReadonlySet<string> = new Set(["value", "new_value", "newValue", "val"]);

/** What is set where one argument says so and another to what, if it says who gets something, or how much: `{ field: "email", value: "..." }`. */
function fieldSet(name: string, args: JsonObject): string | null {
  if (!settable.has(name)) return null;
  const fields = fieldNames.map((one) => args[one]).filter((one) => typeof one === "string" && /^[\w.[\]-]{1,64}$/.test(one)) as string[];
  return fields.map((field) => field.slice(field.lastIndexOf(".") + 1)).find((field) => /^(?:recipient|amount)$/.test(readName(field).role)) ?? null;
}

function factsOf(name: string, value: Json, reading: Reading): ArgumentFacts {
  const found: Found = { role: "other", sql: null, shell: null, code: null, url: null, email: null, money: null, path: null, encodings: null, root: null };
  look(value, { names: [name], name: readName(fieldSet(name, reading.args) ?? name), said: reading.declared.get(name) ?? null }, reading, found);
  const { sql, shell, code, url, email, money, encodings, root } = found;
  const paths = shell === null ? found.path : [...(found.path ?? []), ...shell.flatMap((command) => command.paths.filter((one) => !streams.test(one)))]; // what a command names is a file all the same
  return {
    role: reading.declared.get(name)?.role ?? found.role,
    ...(sql && { sql: joinSql(sql) }),
    ...(shell && { shell: joinShell(shell) }),
    ...(code && { code: joinCode(code) }),
    ...(url && { url: urlFacts(url) }),
    ...(paths && paths.length > 0 && { path: pathFacts(paths, root) }),
    ...(email && { email: emailFacts(email) }),
    ...(money && { money: moneyFacts(money) }),
    ...(encodings && { encodings: [...encodings].sort() }),
    labels: [],
    origins: [],
  };
}

/** Takes note of a value and of all that is in it. */
function look(value: Json, place: Place, reading: Reading, found: Found): void {
  if (place.said?.role) found.role = weightier(found.role, place.said.role);
  else if (!Array.isArray(value)) found.role = weightier(found.role, place.name.role);
  const argv = argvOf(value, place, reading);
  if (argv) (found.shell ??= []).push(shellFacts(argv));
  if (Array.isArray(value)) for (const item of value) look(item, place, reading, found);
  else if (isObject(value)) {
    for (const key of Object.keys(value)) {
      const names = [...place.names, key];
      look(value[key] ?? null, { names, name: readName(key), said: reading.declared.get(names.join(".")) ?? place.said }, reading, found);
    }
  } else if (typeof value === "string") {
    lookAtText(value, place, reading, found);
    const inner = reading.isAddressed && !place.said ? jsonIn(value) : null;
    if (inner === "deep") found.role = weightier(found.role, "recipient"); // Nobody looks so far: it could name somebody.
    else if (inner !== null) look(inner, place, reading, found);
  } else if (typeof value === "number" && (place.said ? place.said.kind === "money" : place.name.isMoney)) (found.money ??= []).push(amountOf(value, place, reading));
}

/** Words that are run as they are, without a shell; null where the value is no such list. */
function argvOf(value: Json, { names, name, said }: Place, { args, hints }: Reading): readonly string[] | null {
  const isList = Array.isArray(value) && value.length > 0 && value.every((item) => typeof item === "string");
  if (isList) return (said ? said.kind === "shell" : kindsOfText(name, "-", hints, false).includes("shell")) ? value : null;
  if (typeof value !== "string" || names.length !== 1 || names[0] !== "command") return null;
  const more = args["args"] ?? args["arguments"];
  return Array.isArray(more) ? [value, ...more.map(String)] : null;
}

function lookAtText(text: string, place: Place, reading: Reading, found: Found): void {
  const { names, name, said } = place;
  const isChoice = names.length === 1 && reading.choices.has(names[0] ?? "");
  const views = unfold(text);
  if (views.length > 1) for (const { encodings } of views) for (const encoding of encodings) (found.encodings ??= new Set()).add(encoding);
  if (said?.kind) return note(said.kind, text, place, reading, found);
  if (name.namesRecipients?.test(text)) {
    found.role = weightier(found.role, "recipient");
    (found.email ??= []).push(text);
    return;
  }
  const kinds = kindsOfText(name, text, reading.hints, isChoice);
  for (const kind of kinds) note(kind, text, place, reading, found);
  if (kinds.length > 0) return; // The escapes of a URL are part of it: whoever takes the URL reads them.
  for (const view of views.slice(1)) {
    // A link in a file of JSON is fetched by nobody who writes it: it counts among the links alone.
    const isWritten = (said?.role ?? name.role) === "content" && view.encodings.every((one) => one === "json");
    for (const kind of kindsOfText(unnamed, view.text, reading.hints, false)) if (kind !== "url" || !isWritten) note(kind, view.text, place, reading, found);
  }
}

const unnamed = readName("");

/** An object or array that is handed over as a text; null for any other text. `deep`: nested deeper than is looked. */
function jsonIn(text: string): Json | "deep" | null {
  if (!/^\s*[[{]/.test(text) || !/[\]}]\s*$/.test(text.slice(-64))) return null;
  if (depthOf(text) > defaultLimits.json_depth) return "deep";
  try {
    return parseJson(text) as Json;
  } catch {
    return null;
  }
}

/** Of the brackets that stand in no string. */
function depthOf(text: string): number {
  let [depth, deepest, isString] = [0, 0, false];
  for (let at = 0; at < text.length; at++) {
    const char = text[at];
    if (char === '"') isString = !isString;
    else if (isString) at += char === "\\" ? 1 : 0;
    else if (char === "[" || char === "{") deepest = Math.max(deepest, (depth += 1));
    else if (char === "]" || char === "}") depth -= 1;
  }
  return deepest;
}

function note(kind: ArgumentKind, text: string, place: Place, reading: Reading, found: Found): void {
  if (kind === "sql") (found.sql ??= []).push(sqlFacts(text, place.said?.dialect ?? null));
  else if (kind === "shell") (found.shell ??= []).push(shellFacts(text));
  else if (kind === "code") (found.code ??= []).push(codeFacts(text, place.said?.language ?? null));
  else if (kind === "url" || kind === "email") (found[kind] ??= []).push(text);
  else if (kind === "money") (found.money ??= []).push(amountOf(text, place, reading));
  else if (kind === "path") {
    (found.path ??= []).push(text);
    found.root ??= place.said?.root ?? null;
  }
}

/** With what the contract, or else a neighbour called `currency`, says of its unit. */
function amountOf(value: number | string, { names, name, said }: Place, { args }: Reading): Amount {
  const currency = said?.currency ?? { argument: [...names.slice(0, -1), "currency"] };
  const code = typeof currency === "string" ? currency : textAt(args, currency.argument);
  return { value, currency: code, unit: said ? said.unit : name.isMinor ? "minor" : "major" };
}

function textAt(args: JsonObject, path: readonly string[]): string {
  let at: Json | undefined = args;
  for (const step of path) at = isObject(at) && Object.hasOwn(at, step) ? at[step] : undefined;
  return typeof at === "string" ? at : "";
}

const knownChoices = new WeakMap<ToolShape, ReadonlySet<string>>();
const noChoices: ReadonlySet<string> = new Set();

/** Top-level arguments that the tool's schema gives a list of values for. */
function choicesOf(shape: ToolShape | null): ReadonlySet<string> {
  if (shape === null) return noChoices;
  const known = knownChoices.get(shape);
  if (known) return known;
  const properties = shape.inputSchema["properties"];
  const choices = new Set(isObject(properties) ? Object.entries(properties).flatMap(([name, schema]) => (isObject(schema) && (Array.isArray(schema["enum"]) || Object.hasOwn(schema, "const")) ? [name] : [])) : []);
  knownChoices.set(shape, choices);
  return choices;
}
