import { setImmediate } from "node:timers/promises";
import { type Action, type ArgumentFacts, type CallEffect, type Effect, type JsonObject, type Json, type Principal, type ResourceFact } from "@lanyard/contract";
import { readName } from "../../base/extract/detect.ts";
import type { Config } from "../../base/config/config.ts";
import type { Answer } from "../../base/exchange.ts";
import { instructionsIn } from "../../base/labels/instructions.ts";
import type { StateChange } from "../../base/store/port.ts";
import { ArgumentTracing } from "./argument.ts";
import { Atoms, type Sink } from "./atoms.ts";
import { Organisations } from "./directory.ts";
import { folded, Lexer } from "./lexemes.ts";
import { madeIn } from "./made.ts";
import { SessionMemory } from "./memory.ts";
import { Mentions } from "./mentions.ts";
import type { PastEvent } from "./past.ts";
import { isHundredths, Printer, tags, type Tag } from "./print.ts";
import { SubjectReader } from "./subjects.ts";
import { kindOfPart, Parts, whole } from "./parts.ts";
import { isAccount, taskAsRead, ValueReader, walk } from "./reading.ts";
import type { ResultYields } from "./result-yields.ts";
import { Tracing } from "./tracing.ts";
import { origin, originOf } from "./values.ts";
import { Writing, type WrittenValues } from "./written.ts";

/** What is known of the arguments of one call. */
export interface Traced {
  readonly facts: Readonly<Record<string, ArgumentFacts>>;
  /** What the session has read so far carries these, sorted. */
  readonly labels: readonly string[];
  /** What the session is for: its purpose, what people added to it, and what it leaves to somebody to say, each in lines of its own. */
  readonly task: string;
  /** The same without the last. */
  readonly own: string;
  /** Branches that its calls have begun. */
  readonly begun: ReadonlySet<string>;
  /** Arguments with nothing in them that the task does not name and that did not come to be by a call of the session's own. */
  readonly made: ReadonlySet<string>;
}

/** A call that was answered. */
export interface Learned {
  readonly principal: Pick<Principal, "session" | "chain" | "purpose" | "labels">;
  /** Of its intent. */
  readonly seq: number;
  /** What it was said with; `seq` by default. */
  readonly said?: number;
  /** Cedar action id. */
  readonly action: string;
  readonly touched: readonly ResourceFact[];
  /** Null when what came back is not known any more. */
  readonly answer: Answer | null;
}

export interface FlowOptions {
  /** 8 bytes or more that nobody knows; the same after a restart. */
  readonly key: Buffer;
  readonly config: () => Config;
  readonly yieldsOf: (action: string, touched: readonly ResourceFact[], answer: Answer) => ResultYields;
  readonly written: WrittenValues;
  /** What is on record of a root session; null when that is too much to read. */
  readonly past: (root: string) => Iterable<PastEvent> | null;
}

const isPart = (tag: Tag): boolean => tag === tags.piece || tag === tags.domain;
const mostBegun = 256;
/** More than an id, a name or an address by itself: a text that says something of what it names. */
const saysMore = /(?<![\p{L}\d])(?:[\p{L}\d]+[^\p{L}\d]+){5}[\p{L}\d]|\p{Lo}{6}/u;
const tellingLexemes = 3; // Shorter phrases are too common to say that a line repeats what was said before.

/** Where values came from: what sessions have read, and what is known by it of the arguments they send. */
export class Flow {
  readonly #options: FlowOptions;
  readonly #reader: ValueReader;
  readonly #tracing: ArgumentTracing;
  readonly #subjects: SubjectReader;
  readonly #atoms: Atoms;
  readonly #lexer = new Lexer();
  readonly #sessions = new Map<string, SessionMemory>();
  readonly #organisations: Organisations;
  readonly #owed = new Map<number, readonly StateChange[]>();
  #turn = 0;

  constructor(options: FlowOptions) {
    this.#options = options;
    this.#atoms = new Atoms(new Printer(options.key), this.#lexer);
    this.#reader = new ValueReader(this.#atoms, this.#lexer);
    this.#subjects = new SubjectReader(this.#atoms, this.#lexer);
    this.#organisations = new Organisations(this.#atoms, this.#lexer);
    this.#tracing = new ArgumentTracing(new Tracing(this.#atoms, this.#lexer));
  }

  /**
   * Takes in what a session did before the daemon was started anew, or its memory was needed for others, in slices between which other calls go first.
   * Null when all of it is known. Rejects with what reading the ledger throws; then nothing is known, and whoever asks next begins anew.
   */
  recall(principal: Learned["principal"]): Promise<void> | null {
    const memory = this.#begun(principal);
    if (memory.past === null) return null;
    memory.recalling ??= this.#recallAll(memory, rootOf(principal));
    return memory.recalling;
  }

  /** Adds to each argument's facts where its values came from and which labels they bring along. `constants`: by argument, what its schema lists. */
  trace(principal: Principal, args: Action["args"], facts: Readonly<Record<string, ArgumentFacts>>, constants: Readonly<Record<string, ReadonlySet<string>>>): Traced {
    const memory = this.#memoryOf(principal);
    const { own, text: task } = memory.wordingOf(principal.purpose);
    const mentions = memory.subjects.size === 0 ? null : new Mentions(memory.subjects, memory.read.places);
    const known = { memory, task, directory: this.#organisations.of(this.#options.config()).directory, mentions, liftedOf: (text: string) => this.#liftedOf(memory, text) };
    const traced = Object.fromEntries(Object.keys(facts).map((name) => [name, this.#tracing.factsOf(known, { name, value: args[name] ?? null, own: facts[name] as ArgumentFacts, constants: constants[name] ?? none })]));
    return { facts: mentions?.marked(traced) ?? traced, labels: memory.labelsBeside(principal.labels), task, own, begun: memory.begun, made: madeIn(memory.made, traced) };
  }

  /**
   * Takes note of what a call says, as it is carried out: a tool that repeats it lends it no trust, not in this session nor, when the call may have
   * written it down, in any other.
   */
  say(principal: Learned["principal"], { args }: Pick<Action, "args">, { seq, effects, begins = [], isKnown = false }: { readonly seq: number; readonly effects: readonly CallEffect[]; /** Branches. */ readonly begins?: readonly string[]; /** See {@link isKnownLookup}. */ readonly isKnown?: boolean }): void {
    const memory = this.#memoryOf(principal);
    for (const branch of begins) if (memory.begun.size < mostBegun) memory.begun.add(branch);
    const writing = effects.length > 0 && effects.every((effect) => effect === "read" || effect === "egress") ? null : new Writing();
    if (writing !== null && memory.changing.size < mostBegun) memory.changing.add(seq);
    this.#said(memory, args, { seq, writing, isKnown });
    const owed = writing ? this.#options.written.keep(seq, writing) : [];
    if (owed.length > 0) this.#owed.set(seq, owed);
  }

  /** What is to be stored with the outcome of a call; once. */
  owed(seq: number): readonly StateChange[] {
    const owed = this.#owed.get(seq) ?? [];
    this.#owed.delete(seq);
    return owed;
  }

  /** Takes note of what came back, or of a part of it, before the agent gets it. Null: something came back that nobody can read. */
  learn(learned: Learned): void {
    this.#learned(this.#memoryOf(learned.principal), learned);
  }

  /** A person says more of what a session is for. */
  addTask(principal: Learned["principal"], text: string): void {
    this.#addedTask(this.#memoryOf(principal), text);
  }

  /** Exactly this value counts as the organisation's own, or with a label, no longer carries it. */
  vouch(principal: Learned["principal"], value: string, label: string | null): void {
    this.#vouched(this.#memoryOf(principal), value, label);
  }

  /** Somebody says that the session has seen data of these classes. */
  mark(principal: Principal, labels: readonly string[]): void {
    const memory = this.#memoryOf(principal);
    for (const label of labels) memory.labels.add(label);
  }

  /** Takes note of what policy decided about a call, before any other is decided. */
  decided(principal: Learned["principal"], digest: string, effect: Effect): void {
    this.#memoryOf(principal).askedAbout.decided(digest, effect);
  }

  /** Whether people were asked about another call of the session before this one, which has not gone through since. */
  isHeld(principal: Learned["principal"], digest: string): boolean {
    return this.#memoryOf(principal).askedAbout.before(digest) !== null;
  }

  /** The session is over. */
  ended(session: string): void {
    this.#sessions.delete(session);
  }

  #said(memory: SessionMemory, args: JsonObject, { seq, writing, isKnown }: { readonly seq: number; readonly writing: Writing | null; readonly isKnown: boolean }): void {
    const { printer } = this.#atoms;
    const { directory } = this.#organisations.of(this.#options.config());
    const asks = memory.asks(seq, args, isKnown);
    const { isFree } = memory;
    const said: Sink = (tag) => {
      if (isPart(tag) || tag === tags.inner) return;
      const { low, high } = printer;
      writing?.say(low, high, memory.look(low, high, directory), memory);
      memory.named.set(low, high, 1);
      if (isFree) return asks(low, high);
      if (tag === tags.address) memory.said.set(low, high, 1);
      asks(low, high);
      memory.read.add(low, high, origin.model, 0, 1);
    };
    walk(args, 1, { child: () => 1, text: (text) => this.#reader.text(text, said) });
  }

  #learned(memory: SessionMemory, { seq, said = seq, action, touched, answer }: Learned): void {
    const { read } = memory;
    const { printer } = this.#atoms;
    const { directory, lookalikes } = this.#organisations.of(this.#options.config());
    const yields = this.#options.yieldsOf(action, touched, answer ?? unseen);
    const trusts = yields.trust === "trusted";
    const parts = new Parts(yields, read.places, (record, at, isVouched) => {
      this.#subjects.read(record, isVouched, directory, () => memory.owned(at, printer.low, printer.high));
      memory.subjects.inherit(at, read.places);
      memory.delegation.record(record, { place: at, places: read.places, action }, isVouched);
    });
    const isOfTeller = memory.answerTo(said);
    if (memory.changing.delete(said) && memory.made.size < mostBegun) memory.made.add(seq);
    for (const label of yields.all) memory.labels.add(label);
    let [place, labels, code, isUntrusted, isContact, isSaying]: [number, number, 3 | 4, boolean, boolean, boolean] = [0, 0, origin.untrusted, !trusts && !parts.differ, false, false];
    if (isUntrusted || (answer === null && parts.differ)) memory.labels.add("untrusted");
    if (answer === null) return void (read.isPartial = true);
    const came: Sink = (tag) => {
      const { low, high } = printer;
      const before = code === origin.trusted ? this.#options.written.get(low, high) : null;
      if (before) read.add(low, high, before.code, read.labels.union(labels, read.labels.number(before.labels)), place);
      else if (code === origin.trusted && (tag === tags.address ? isContact && !memory.hasSaid(low, high) : isOfTeller(low, high, place))) read.confirm(low, high, labels, place);
      else memory.told(low, high, code, labels, place);
      if (isSaying && !isPart(tag) && tag !== tags.inner && memory.named.get(low, high) === 0) read.point(low, high);
    };
    const own = read.labels.number(yields.labels);
    const hasMore = yields.all.length > yields.labels.length;
    const content = "result" in answer ? answer.result : (answer.error as unknown as Json);
    const root = read.places.root(seq);
    memory.delegation.answered(said, root);
    const meant = memory.sources.addressIn(said, content);
    if (meant !== null) this.#reader.text(meant, (tag) => void (isPart(tag) || tag === tags.host || read.add(printer.low, printer.high, origin.trusted, own, root)));
    /** What may be trusted comes first: what is known first stays known so, and people repeat in their words what a record says. */
    for (const isTurn of parts.differ ? [true, false] : [trusts]) {
      parts.begin();
      walk(content, root, {
        child: parts.child,
        enter: parts.enter,
        unfold: parts.unfold,
        text: (text, at, field) => {
          const isExcepted = at < 0 || (parts.differ && trusts && whole.test(read.places.at(at)?.field ?? "")); // A text without fields: nobody can tell which part is whose.
          if (isTurn !== (trusts !== isExcepted)) return;
          [place, labels, isContact, isSaying] = [Math.abs(at), own, readName(field).role === "recipient", !isTurn && saysMore.test(text)];
          if (memory.met.meets(text, isTurn && trusts) || lookalikes.areIn(text)) memory.labels.add("impostor");
          const isTrusted = isTurn && !this.#options.written.isFlooded;
          isUntrusted ||= !isTurn && text !== "" && field !== "" && !kindOfPart.test(read.places.at(place)?.field ?? "");
          for (const line of isTrusted ? text.split("\n") : [text]) {
            code = isTrusted && ((isContact && isAccount(line)) || !this.#repeats(memory, line, (low, high) => isOfTeller(low, high, place))) ? origin.trusted : origin.untrusted;
            this.#reader.text(line, came);
            if (code === origin.trusted) memory.delegation.line(line, { place, places: read.places, field, action });
          }
          if (isTrusted && text.includes("\n")) this.#reader.text(text, came);
          for (const { label, start, end } of hasMore ? yields.spans(text, field) : []) {
            labels = read.labels.number([...yields.labels, label]);
            this.#reader.text(text.slice(start, end), came);
          }
          if (!isTurn) {
            for (const { label, start, end } of instructionsIn(text)) {
              memory.saysTold(label);
              labels = read.labels.number([...yields.labels, label]);
              this.#reader.text(text.slice(start, end), came, true);
            }
          }
        },
      });
    }
    if (isUntrusted) memory.labels.add("untrusted");
  }

  /** Whether a line of a trusted result repeats what the model or something untrusted has said, here or where it was written down: then it vouches for none of it. */
  #repeats(memory: SessionMemory, line: string, isOfTeller: (low: number, high: number) => boolean): boolean {
    const { printer } = this.#atoms;
    const { directory } = this.#organisations.of(this.#options.config());
    let repeats = false;
    this.#reader.text(line, (tag) => {
      if (repeats || (tag !== tags.phrase && tag !== tags.shingle)) return;
      if (tag === tags.phrase && this.#atoms.spanned < tellingLexemes) return;
      const { low, high } = printer;
      repeats = (originOf(memory.look(low, high, directory)) >= origin.untrusted && !isOfTeller(low, high)) || this.#options.written.get(low, high)?.code === origin.untrusted;
    });
    return repeats;
  }

  #vouched(memory: SessionMemory, value: string, label: string | null): void {
    this.#lexer.read(folded(value));
    const last = this.#lexer.count - 1;
    if (last < 0) return;
    const { printer } = this.#atoms;
    const put: Sink = (tag) => {
      if (isPart(tag) || isHundredths(tag)) return;
      if (label === null) memory.vouched.set(printer.low, printer.high, 1);
      else {
        const key = `${printer.low}:${printer.high}`;
        memory.unlabelled.set(key, (memory.unlabelled.get(key) ?? new Set()).add(label));
      }
    };
    this.#atoms.phrase(0, last, put);
    this.#atoms.account(0, last, put);
    if (last === 0 && label === null) this.#atoms.forms(0, put);
  }

  /** Labels that a text does not carry any more, because somebody has said so of it. */
  #liftedOf(memory: SessionMemory, text: string): ReadonlySet<string> {
    if (memory.unlabelled.size === 0) return none;
    this.#lexer.read(folded(text));
    if (this.#lexer.count === 0) return none;
    const { printer } = this.#atoms;
    let lifted = none;
    const look: Sink = () => void (lifted = memory.unlabelled.get(`${printer.low}:${printer.high}`) ?? lifted);
    this.#atoms.phrase(0, this.#lexer.count - 1, look);
    if (lifted.size === 0) this.#atoms.account(0, this.#lexer.count - 1, look);
    return lifted;
  }

  #memoryOf(principal: Learned["principal"]): SessionMemory {
    const memory = this.#begun(principal);
    while (memory.past !== null) this.#recallSome(memory, rootOf(principal)); // It was let go of in the middle of a call.
    memory.turn = ++this.#turn;
    return memory;
  }

  #begun(principal: Learned["principal"]): SessionMemory {
    const root = rootOf(principal);
    const known = this.#sessions.get(root);
    if (known) return known;
    const { limits } = this.#options.config();
    this.#makeRoom(limits.flow_sessions_bytes);
    const memory = new SessionMemory(principal.purpose, { values: limits.flow_values, taskValues: limits.flow_task_values, subjects: limits.flow_subjects });
    const past = this.#options.past(root);
    memory.turn = this.#turn;
    if (principal.labels.includes("untrusted")) memory.labels.add("untrusted"); // Whoever began it had read it.
    this.#sessions.set(root, memory);
    this.#task(memory, principal.purpose);
    if (past === null) this.#happened(memory, root, { kind: "read", seq: 0, action: "", input: null, answer: null, labels: [] });
    memory.past = past?.[Symbol.iterator]() ?? null;
    this.#recallSome(memory, root);
    return memory;
  }

  async #recallAll(memory: SessionMemory, root: string): Promise<void> {
    while (memory.past !== null) {
      await setImmediate();
      this.#recallSome(memory, root);
    }
  }

  /** A slice of what is on record: up to the next result. Invariant: a memory of which a part could not be read is none. */
  #recallSome(memory: SessionMemory, root: string): void {
    try {
      for (let next = memory.past?.next(); next !== undefined; next = memory.past?.next()) {
        if (next.done) {
          memory.past = null;
          return;
        }
        this.#happened(memory, root, next.value);
        if (next.value.kind === "read") return;
      }
    } catch (error) {
      this.#sessions.delete(root);
      throw error;
    }
  }

  #happened(memory: SessionMemory, root: string, event: PastEvent): void {
    if (event.kind === "task") this.#addedTask(memory, event.text);
    else if (event.kind === "vouch") this.#vouched(memory, event.value, event.label);
    else if (event.kind === "mark") event.labels.forEach((label) => memory.labels.add(label));
    else if (event.kind === "decided") memory.askedAbout.decided(event.digest, event.effect);
    else if (event.kind === "said") this.#said(memory, event.args, { seq: event.seq, writing: null, isKnown: event.isKnown });
    else {
      this.#learned(memory, { principal: { session: root, chain: [], purpose: "", labels: [] }, seq: event.seq, action: event.action, touched: event.input?.resources ?? [], answer: event.answer });
      for (const label of event.labels) memory.labels.add(label);
    }
  }

  /** Lets go of what was not used for longest; it is on record, and read again when it is needed. */
  #makeRoom(most: number): void {
    let bytes = 0;
    const byAge = [...this.#sessions].sort(([, a], [, b]) => b.turn - a.turn);
    for (const [root, memory] of byAge) {
      bytes += memory.bytes;
      if (bytes > most) this.#sessions.delete(root);
    }
  }

  #addedTask(memory: SessionMemory, text: string): void {
    this.#task(memory, text);
    if (memory.added.length < mostAdditions) memory.added.push(text);
  }

  #task(memory: SessionMemory, text: string): void {
    const { printer } = this.#atoms;
    const put: Sink = (tag) => void (isPart(tag) || memory.task.set(printer.low, printer.high, 1));
    this.#reader.text(taskAsRead(text), put, true);
  }
}

/** Texts that people add to a session's task and that are looked through for what they ask for; of further ones only the values count. */
const mostAdditions = 16;

const rootOf = ({ chain, session }: Pick<Principal, "chain" | "session">): string => chain[0] ?? session;

const none: ReadonlySet<string> = new Set();
/** Stands for what came back and nobody has read. */
const unseen: Answer = { result: {} };
