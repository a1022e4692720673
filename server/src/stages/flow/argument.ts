import { isObject, type ArgumentFacts, type Json, type ValueOrigin, type ValueSource } from "@lanyard/contract";
import { saysWord } from "../../base/extract/asked.ts";
import { accountsIn, payeesIn } from "../../base/extract/payees.ts";
import { linkCodes, payeeCodes } from "./links.ts";
import type { SessionMemory } from "./memory.ts";
import type { Mentions } from "./mentions.ts";
import { namesSite } from "./named-sites.ts";
import type { PrintTable } from "./table.ts";
import { isAccount } from "./reading.ts";
import { isConstant, isNumeral, isTyped, type TracedLeaf, type Tracing } from "./tracing.ts";
import { isPointed, labelsOf, origin, originName, originOf, packed } from "./values.ts";

const channel = /^#[\w.-]{1,80}$/;
/** A choice, such as of a state. */
const singleWord = /^[a-z]{3,24}$/i;
/** Of an argument with as many, more may have been left out. */
export const mostSources = 16;
const none: ReadonlySet<string> = new Set();
/** What a stranger's word about it can lead an agent to. */
const pointed: ReadonlySet<ArgumentFacts["role"]> = new Set(["target", "recipient", "amount"]);

/** What arguments are held against. */
export interface Known {
  readonly memory: SessionMemory;
  readonly directory: PrintTable;
  /** What the session is for, in the words of its people. */
  readonly task: string;
  /** Of whom the call speaks; null where nobody knows whose records are. */
  readonly mentions: Mentions | null;
  /** Labels that a text does not carry any more. */
  liftedOf(text: string): ReadonlySet<string>;
}

/** One argument, as far as its values are known. */
interface Argument {
  readonly name: string;
  readonly value: Json;
  readonly own: ArgumentFacts;
  /** What its schema lists. */
  readonly constants: ReadonlySet<string>;
}

/** Traces one argument after another: what is found of each lies in the same fields. */
export class ArgumentTracing implements TracedLeaf {
  readonly #tracing: Tracing;
  readonly #told = new Set<number>();
  #known: Known | null = null;
  #name = "";
  #role: ArgumentFacts["role"] = "other";
  #constants = none;
  #isMoney = false;
  #at = "";
  /** By code, one bit each. */
  #origins = 0;
  #brought: Set<string> | null = null;
  #sources: Map<string, ValueSource> | null = null;
  /** Of links and accounts, by code. */
  #links = 0;
  #payees = 0;
  #isPaid = false;
  /** A text that nobody vouches for has spoken of one of its values. */
  #isPointed = false;
  /** What is looked at is the number of an account: bills have those that your records have. */
  #isAccount = false;
  #lifted = none;
  /** By all leaves; null before the first. */
  #liftedByAll: ReadonlySet<string> | null = null;

  constructor(tracing: Tracing) {
    this.#tracing = tracing;
  }

  /** The facts of one argument, with its origins, the labels its values bring along, and where they were read. */
  factsOf(known: Known, { name, value, own, constants }: Argument): ArgumentFacts {
    [this.#known, this.#name, this.#role, this.#constants] = [known, name, own.role, constants];
    [this.#links, this.#payees, this.#isPaid] = [0, 0, own.payees !== undefined];
    this.#isPointed = false;
    this.#isMoney = own.role === "amount" && own.money !== undefined;
    [this.#origins, this.#brought, this.#sources, this.#lifted, this.#liftedByAll] = [0, null, null, none, null];
    this.#visit(value, `/${escaped(name)}`);
    this.#origins |= this.#payees;
    const sources = this.#listed();
    // Somebody who is known gets what is sent, and is none of it: the record that names them lends the call no label. Nobody's name is written in code.
    if (own.role === "recipient" && (this.#origins & unknown) === 0 && own.encodings === undefined) this.#brought = null;
    const labels = this.#labels(this.#isPointed && pointed.has(own.role) ? [...own.labels, `pointed.${own.role}`].sort() : own.labels);
    // An address that is fetched as somebody gave it goes to whom it is of, with the key that is in it: nobody's secret leaves, but a person shall look.
    const isGiven = labels.includes("secret") && own.role === "target" && own.url !== undefined && typeof value === "string" && this.#tracing.knows(value, this.#silent);
    this.#known = null; // A session that is over is not held on to.
    return { ...own, labels: isGiven ? [...new Set(labels.map((label) => (label === "secret" ? "credential" : label)))].sort() : labels, origins: namesOf(this.#origins), ...(this.#links !== 0 && { links: namesOf(this.#links) }), ...(this.#payees !== 0 && { payees: namesOf(this.#payees) }), ...(sources.length > 0 && { sources }) };
  }

  look(low: number, high: number): number {
    const { memory, directory } = this.#known as Known;
    return memory.look(low, high, directory);
  }

  get isTold(): boolean {
    return (this.#known as Known).memory.isTold;
  }

  brings(value: number): void {
    const { memory, mentions } = this.#known as Known;
    if (this.#role === "content" || this.#role === "other") mentions?.says(this.#name, value);
    const set = labelsOf(value);
    if (set === 0) return;
    for (const label of memory.read.labels.names(set)) if (!isLifted(this.#lifted, label)) (this.#brought ??= new Set()).add(label);
  }

  found(value: number): void {
    if (this.#told.has(value)) return;
    this.#told.add(value);
    const { memory } = this.#known as Known;
    const code = this.#codeOf(value);
    if (code === origin.trusted && !this.#isAccount) this.#isPointed ||= isPointed(value);
    if (this.#role === "recipient") (this.#known as Known).mentions?.goesTo(value);
    this.#origins |= 1 << code;
    if (code === origin.model || (this.#sources !== null && this.#sources.size >= mostSources)) return;
    const from = memory.sourceOf(value);
    const source = { at: this.#at, origin: originName(code), seq: from?.seq ?? null, field: from?.field ?? "" };
    (this.#sources ??= new Map()).set(`${source.at} ${source.origin} ${source.seq} ${source.field}`, source);
  }

  #codeOf(value: number): number {
    return originOf(value) === origin.model && (this.#known as Known).memory.read.isPartial ? origin.untrusted : originOf(value);
  }

  /** A leaf that adds nothing to what is known of the argument. */
  readonly #silent: TracedLeaf = { isTold: false, look: (low, high) => this.look(low, high), brings: () => {}, found: () => {} };

  /** Codes of a text by itself, one bit each. */
  readonly #codesIn = (text: string): number => {
    let bits = 0;
    this.#tracing.trace(text, { ...this.#silent, found: (value) => void (bits |= 1 << this.#codeOf(value)) });
    return bits;
  };

  /** A channel of the directory is the organisation's own, also where it is the task's. */
  #isOwnChannel(text: string): boolean {
    const { directory } = this.#known as Known;
    if (!channel.test(text)) return false;
    let isOwn = false;
    this.#tracing.trace(text, { ...this.#silent, look: (low, high) => (directory.get(low, high) === 0 ? 0 : packed(origin.directory)), found: (value) => void (isOwn ||= originOf(value) === origin.directory) });
    return isOwn;
  }

  #visit(item: Json, pointer: string): void {
    if (typeof item === "string" || typeof item === "number") {
      const text = String(item); // A list of the tool's definition is its server's word: it names no one who gets something.
      if (this.#role === "other" && singleWord.test(text) && saysWord((this.#known as Known).task, text)) this.#origins |= 1 << origin.task;
      else if (!isConstant(text) && !(this.#constants.has(text) && !(this.#role === "recipient" && isTyped(text)))) {
        if (this.#role === "recipient" && this.#isOwnChannel(text)) this.#origins |= 1 << origin.directory;
        this.#trace(text, pointer);
        this.#links |= linkCodes(text, this.#codesIn, (host) => namesSite((this.#known as Known).task, host));
        if (this.#role !== "recipient") this.#links |= payeeCodes(accountsIn(text, this.#name), this.#codesIn);
        if (this.#isPaid) this.#payees |= payeeCodes(payeesIn(text, this.#name), this.#codesIn);
      } else if (this.#isMoney && isNumeral(text)) {
        this.#at = pointer;
        this.#told.clear();
        this.#tracing.amount(text, this);
      }
    } else if (Array.isArray(item)) for (const [index, one] of item.entries()) this.#visit(one, `${pointer}/${index}`);
    else if (isObject(item)) {
      for (const key of Object.keys(item)) {
        const below = `${pointer}/${escaped(key)}`;
        if (isTyped(key)) this.#trace(key, below);
        this.#visit(item[key] ?? null, below);
      }
    }
  }

  #trace(text: string, pointer: string): void {
    this.#at = pointer;
    this.#told.clear();
    this.#isAccount = isAccount(text);
    this.#lifted = (this.#known as Known).liftedOf(text);
    const before = this.#liftedByAll;
    this.#liftedByAll = before === null || this.#lifted.size === 0 ? this.#lifted : new Set([...this.#lifted].filter((label) => isLifted(before, label)));
    this.#tracing.trace(text, this, this.#role === "amount");
  }

  #labels(own: readonly string[]): readonly string[] {
    const lifted = this.#liftedByAll ?? none;
    if (this.#brought === null && lifted.size === 0) return own;
    return [...new Set([...own.filter((label) => !isLifted(lifted, label)), ...(this.#brought ?? none)])].sort();
  }

  /** What was read in results comes first. */
  #listed(): readonly ValueSource[] {
    return this.#sources === null ? [] : [...this.#sources.values()].sort((a, b) => Number(b.seq !== null) - Number(a.seq !== null));
  }
}

const codes = Object.values(origin);
const named: readonly (readonly ValueOrigin[])[] = Array.from({ length: 2 ** (codes.length + 1) }, (_, bits) => codes.filter((code) => bits & (1 << code)).map(originName).sort());
/** Nobody who is trusted has said it. */
const unknown = (1 << origin.untrusted) | (1 << origin.model);
/** Sorted. */
const namesOf = (bits: number): readonly ValueOrigin[] => named[bits] ?? [];

const escaped = (key: string): string => (/[~/]/.test(key) ? key.replaceAll("~", "~0").replaceAll("/", "~1") : key);
/** A label is lifted with those that it is one of: `personal` lifts `personal.email`. */
const isLifted = (lifted: ReadonlySet<string>, label: string): boolean => lifted.size > 0 && [...lifted].some((one) => label === one || label.startsWith(`${one}.`));
