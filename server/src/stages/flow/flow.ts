import { isObject, type Action, type ArgumentFacts, type Json, type Principal, type ValueOrigin, type ValueSource } from "@lanyard/contract";
import type { Config } from "../../base/config/config.ts";
import type { Answer } from "../../base/exchange.ts";
import type { Span } from "../../base/labels/span.ts";
import { Atoms, type Sink } from "./atoms.ts";
import { directoryOf } from "./directory.ts";
import { Lexer } from "./lexemes.ts";
import { SessionMemory } from "./memory.ts";
import { Printer, tags } from "./print.ts";
import { ValueReader, walk } from "./reading.ts";
import type { PrintTable } from "./table.ts";
import { isConstant, isTyped, Tracing, type TracedLeaf } from "./tracing.ts";
import { origin, originName, originOf } from "./values.ts";

/** What a result says of its values, by the contract of the tool and what detectors found in it. */
export interface ResultYields {
  readonly trust: "trusted" | "untrusted";
  /** That all its values carry. */
  readonly labels: readonly string[];
  /** That the session carries from now on. */
  readonly all: readonly string[];
  /** Values in a text of it that carry labels of their own. */
  spans(text: string, field: string): readonly Span[];
}

/** What is known of the arguments of one call. */
export interface Traced {
  readonly facts: Readonly<Record<string, ArgumentFacts>>;
  /** What the session has read so far carries these, sorted. */
  readonly labels: readonly string[];
}

/** What came back from a call. */
export interface Learned {
  readonly principal: Principal;
  /** Of its intent. */
  readonly seq: number;
  readonly answer: Answer;
  readonly yields: ResultYields;
}

const mostSources = 16;

/** Where values came from: what sessions have read, and what is known by it of the arguments they send. */
export class Flow {
  readonly #config: () => Config;
  readonly #reading: ValueReader;
  readonly #tracing: Tracing;
  readonly #atoms: Atoms;
  readonly #lexer = new Lexer();
  readonly #sessions = new Map<string, SessionMemory>();
  readonly #directories = new WeakMap<Config, PrintTable>();

  /** `key`: 8 bytes or more that nobody knows; the same after a restart. */
  constructor({ key, config }: { key: Buffer; config: () => Config }) {
    this.#config = config;
    this.#atoms = new Atoms(new Printer(key), this.#lexer);
    this.#reading = new ValueReader(this.#atoms, this.#lexer);
    this.#tracing = new Tracing(this.#atoms, this.#lexer);
  }

  /** Adds to each argument's facts where its values came from and which labels they bring along. `constants`: by argument, what its schema lists. */
  trace(principal: Principal, args: Action["args"], facts: Readonly<Record<string, ArgumentFacts>>, constants: Readonly<Record<string, ReadonlySet<string>>>): Traced {
    const memory = this.#memoryOf(principal);
    const directory = this.#directory();
    const traced = Object.entries(facts).map(([name, own]) => [name, this.#argument(memory, directory, { name, value: args[name] ?? null, own, constants: constants[name] ?? none })]);
    return { facts: Object.fromEntries(traced) as Record<string, ArgumentFacts>, labels: [...new Set([...principal.labels, ...memory.labels])].sort() };
  }

  /** Takes note of what a call says, as it is carried out: a tool that repeats it lends it no trust. */
  say(principal: Principal, { args }: Pick<Action, "args">): void {
    const { read } = this.#memoryOf(principal);
    const { printer } = this.#atoms;
    const said: Sink = () => read.add(printer.low, printer.high, origin.model, 0, 1);
    walk(args, 1, { child: () => 1, text: (text) => this.#reading.text(text, said) });
  }

  /** Takes note of what came back, before the agent gets it. */
  learn({ principal, seq, answer, yields }: Learned): void {
    const memory = this.#memoryOf(principal);
    const { read } = memory;
    const { printer } = this.#atoms;
    const code = yields.trust === "trusted" ? origin.trusted : origin.untrusted;
    let [place, labels] = [0, 0];
    const came: Sink = () => read.add(printer.low, printer.high, code, labels, place);
    const own = read.labels.number(yields.labels);
    const hasMore = yields.all.length > yields.labels.length;
    walk("result" in answer ? answer.result : (answer.error as unknown as Json), read.places.root(seq), {
      child: (parent, key) => read.places.child(parent, key),
      text: (text, at, field) => {
        [place, labels] = [at, own];
        this.#reading.text(text, came);
        for (const { label, start, end } of hasMore ? yields.spans(text, field) : []) {
          labels = read.labels.number([...yields.labels, label]);
          this.#reading.text(text.slice(start, end), came);
        }
      },
    });
    for (const label of yields.all) memory.labels.add(label);
    if (code === origin.untrusted) memory.labels.add("untrusted");
  }

  /** The session is over. */
  ended(session: string): void {
    this.#sessions.delete(session);
  }

  #argument(memory: SessionMemory, directory: PrintTable, { name, value, own, constants }: { name: string; value: Json; own: ArgumentFacts; constants: ReadonlySet<string> }): ArgumentFacts {
    const origins = new Set<ValueOrigin>();
    const labels = new Set(own.labels);
    const sources = new Map<string, ValueSource>();
    let at = "";
    const told = new Set<number>();
    const leaf: TracedLeaf = {
      look: (low, high) => memory.look(low, high, directory),
      brings: (set) => {
        if (set !== 0) for (const label of memory.read.labels.names(set)) labels.add(label);
      },
      found: (known) => {
        if (told.has(known)) return;
        told.add(known);
        const code = originOf(known) === origin.model && memory.read.isPartial ? origin.untrusted : originOf(known);
        origins.add(originName(code));
        if (code === origin.model || sources.size >= mostSources) return;
        const from = memory.sourceOf(known);
        const source = { at, origin: originName(code), seq: from?.seq ?? null, field: from?.field ?? "" };
        sources.set(`${at} ${source.origin} ${source.seq} ${source.field}`, source);
      },
    };
    const visit = (item: Json, pointer: string): void => {
      at = pointer;
      told.clear();
      if (typeof item === "string") {
        if (!isConstant(item) && !constants.has(item)) this.#tracing.trace(item, leaf, own.role === "amount");
      } else if (typeof item === "number") {
        const text = String(item);
        if (!isConstant(text)) this.#tracing.trace(text, leaf, own.role === "amount");
      } else if (Array.isArray(item)) for (const [index, one] of item.entries()) visit(one, `${pointer}/${index}`);
      else if (isObject(item)) {
        for (const [key, one] of Object.entries(item)) {
          const below = `${pointer}/${key.replaceAll("~", "~0").replaceAll("/", "~1")}`;
          at = below;
          if (isTyped(key)) this.#tracing.trace(key, leaf);
          visit(one, below);
        }
      }
    };
    visit(value, `/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`);
    const listed = [...sources.values()].sort((a, b) => Number(b.seq !== null) - Number(a.seq !== null)).slice(0, mostSources);
    return { ...own, labels: [...labels].sort(), origins: [...origins].sort(), ...(listed.length > 0 && { sources: listed }) };
  }

  #directory(): PrintTable {
    const config = this.#config();
    let table = this.#directories.get(config);
    if (!table) {
      table = directoryOf(config, this.#atoms, this.#lexer);
      this.#directories.set(config, table);
    }
    return table;
  }

  #memoryOf({ chain, session, purpose }: Principal): SessionMemory {
    const root = chain[0] ?? session;
    let memory = this.#sessions.get(root);
    if (!memory) {
      const { limits } = this.#config();
      memory = new SessionMemory({ values: limits.flow_values, taskValues: limits.flow_task_values });
      this.#sessions.set(root, memory);
      this.#addTask(memory, purpose);
    }
    return memory;
  }

  #addTask(memory: SessionMemory, text: string): void {
    const { printer } = this.#atoms;
    this.#reading.text(
      text,
      (tag) => {
        if (tag !== tags.piece && tag !== tags.domain) memory.task.set(printer.low, printer.high, 1);
      },
      true,
    );
  }
}

const none: ReadonlySet<string> = new Set();
