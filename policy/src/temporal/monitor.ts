import type { AnswerSet, HistoryFacts } from "@lanyard/contract";
import { AggregateTable } from "./aggregate.ts";
import { NowTable, PreviousTable, PromiseTable, TogetherTable } from "./alone.ts";
import { AnswerSheet, isMarked, mark, type Questions } from "./answers.ts";
import { Buckets } from "./buckets.ts";
import type { HistoryEvent } from "./event.ts";
import { familyKey } from "./family.ts";
import { reachOf, type FieldPath, type HistoryLeaf } from "./leaf.ts";
import { FormerlyTable } from "./marks.ts";
import { currentKey, scopeKey } from "./match.ts";
import { SinceTable } from "./since.ts";
import type { HistoryScope } from "./syntax.ts";
import type { Current, Listener, Owner, Table } from "./table.ts";

/** A question being answered: its table, and from when on all events are known to it. */
interface Asked {
  readonly number: number;
  readonly table: Table;
  readonly knownFromMs: number;
  readonly reachMs: number;
}

/** What siblings share, so that tables can go from one to another. */
interface Common {
  /** What of the current call events are looked up by, each once; its place in `places`. */
  readonly slots: Map<string, number>;
  readonly places: { readonly across: HistoryScope; readonly paths: readonly FieldPath[] }[];
  /** How many events have been noted. */
  events: number;
  /** How many questions have been added. */
  questions: number;
}

/** Questions that are asked together, with where each is answered. */
class Round implements Listener {
  readonly sheet: AnswerSheet;
  readonly tables: readonly Table[];
  /** By the number of a question; -1 for what is not asked. */
  readonly #places: Int32Array;
  readonly #waiting: readonly { readonly place: number; readonly wholeFromMs: number }[];
  readonly #wholeFromMs: number;

  /** `places`: of each question, how many there are in all; `asked` has none for a question that nobody answers. */
  constructor(leaves: readonly { readonly place: number; readonly asked: Asked | undefined }[], places: number, questions: number) {
    this.sheet = new AnswerSheet(places);
    this.tables = [...new Set(leaves.flatMap(({ asked }) => (asked === undefined ? [] : [asked.table])))];
    this.#places = new Int32Array(questions).fill(-1);
    for (const { place, asked } of leaves) if (asked !== undefined) this.#places[asked.number] = place;
    this.#waiting = leaves.map(({ place, asked }) => ({ place, wholeFromMs: asked === undefined ? Number.POSITIVE_INFINITY : asked.knownFromMs + asked.reachMs })).filter(({ wholeFromMs }) => wholeFromMs > Number.NEGATIVE_INFINITY);
    this.#wholeFromMs = this.#waiting.reduce((latest, { wholeFromMs }) => Math.max(latest, wholeFromMs), Number.NEGATIVE_INFINITY);
  }

  ask(current: Current): AnswerSheet {
    this.sheet.clear();
    for (const table of this.tables) table.tell(current, this);
    const nowMs = current.event.atMs;
    if (nowMs < this.#wholeFromMs) for (const { place, wholeFromMs } of this.#waiting) if (wholeFromMs > nowMs) this.sheet.lack(place); // Not all of its window is known.
    return this.sheet;
  }

  holds(question: number): void {
    const place = this.#places[question] ?? -1;
    if (place >= 0) mark(this.sheet.yes, place);
  }

  comesTo(question: number, amount: number): void {
    const place = this.#places[question] ?? -1;
    if (place >= 0) this.sheet.amounts[place] = amount;
  }

  lacks(question: number): void {
    const place = this.#places[question] ?? -1;
    if (place >= 0) this.sheet.lack(place);
  }
}

/** Questions of one bundle that matter for a call. */
interface Wanted {
  readonly questions: Questions;
  readonly leaves: readonly HistoryLeaf[];
}

/**
 * Answers questions to history as it happens: each event is noted by those tables alone that may want it, each answer is looked up. Pure but for what
 * it keeps; time comes with the events and never goes back.
 */
export class HistoryMonitor {
  readonly #asked = new Map<string, Asked>();
  #buckets = new Buckets();
  /** Tables that questions of the same family may still join: those to which nothing has been noted. */
  readonly #open = new Map<string, Table>();
  /** By list of questions: a call of one kind asks the same each time. */
  #rounds = new WeakMap<readonly HistoryLeaf[], Round>();
  readonly #common: Common;

  constructor(common: Common = { slots: new Map(), places: [], events: 0, questions: 0 }) {
    this.#common = common;
  }

  /** Another one whose questions can be taken over when it has caught up. */
  sibling(): HistoryMonitor {
    return new HistoryMonitor(this.#common);
  }

  /** Takes over all questions of a sibling that has noted the same events. */
  adopt(sibling: HistoryMonitor): void {
    this.#rounds = new WeakMap();
    for (const [id, asked] of sibling.#asked) if (!this.#asked.has(id)) this.#asked.set(id, asked);
    this.#fileAll();
  }

  /** Forgets every question but these, with all that is kept for them. */
  keep(ids: ReadonlySet<string>): void {
    const kept = [...this.#asked].filter(([id]) => ids.has(id));
    if (kept.length === this.#asked.size) return;
    const numbers = new Set(kept.map(([, { number }]) => number));
    for (const table of this.#tables()) if (!table.keep(numbers)) table.sweep(Number.POSITIVE_INFINITY);
    for (const id of this.#asked.keys()) if (!ids.has(id)) this.#asked.delete(id);
    this.#rounds = new WeakMap();
    this.#open.clear();
    this.#fileAll();
  }

  #tables(): Set<Table> {
    return new Set(Array.from(this.#asked.values(), ({ table }) => table));
  }

  #fileAll(): void {
    this.#buckets = new Buckets();
    for (const table of this.#tables()) this.#buckets.file(table);
  }

  /** Whether some question may want events of an action. */
  wants(action: string, groups: readonly string[]): boolean {
    return this.#buckets.wants(action, groups);
  }

  /** Whether nothing is asked. */
  get idle(): boolean {
    return this.#asked.size === 0;
  }

  /** Begins to answer a question; events before `knownFromMs` are not known to it: until its window has passed, it has no answer. */
  add(leaf: HistoryLeaf, knownFromMs: number): void {
    if (this.#asked.has(leaf.id)) return;
    const number = this.#common.questions++;
    const family = familyKey(leaf);
    const known = family === null ? undefined : this.#open.get(family);
    const table = known ?? this.#tableOf(leaf);
    if (known === undefined) {
      this.#buckets.file(table);
      if (family !== null) this.#open.set(family, table);
    }
    table.join(leaf, number);
    this.#asked.set(leaf.id, { number, table, knownFromMs, reachMs: reachOf(leaf) });
    this.#rounds = new WeakMap();
  }

  has(id: string): boolean {
    return this.#asked.has(id);
  }

  /** Notes an event. `owner` is charged with what is kept of it. */
  note(event: HistoryEvent, owner: Owner): void {
    if (this.#open.size > 0) this.#open.clear();
    const number = (this.#common.events += 1);
    for (const table of this.#buckets.of(event)) table.add(event, number, owner);
  }

  /** Answers for a call that comes now, itself included, as they are recorded. What has no answer: an argument that is compared with events is missing, or not all of the window is known. */
  answers(wanted: readonly Wanted[], event: HistoryEvent): HistoryFacts {
    const current = this.#currentOf(event);
    const sheets = new Map<string, AnswerSheet>();
    for (const { questions, leaves } of wanted) {
      const round = this.#rounds.get(leaves) ?? this.#roundOf(leaves, questions.places);
      this.#rounds.set(leaves, round);
      const [before, sheet] = [sheets.get(questions.name), round.ask(current)];
      if (before === undefined) sheets.set(questions.name, sheet);
      else before.join(sheet); // Bundles with the same questions may ask different ones of them about this call.
    }
    const found: Record<string, AnswerSet> = {};
    for (const [name, sheet] of sheets) found[name] = sheet.written();
    return found;
  }

  /** The same by the names of the questions: what has no answer is left out. */
  named(leaves: readonly HistoryLeaf[], event: HistoryEvent): Readonly<Record<string, boolean | number>> {
    const { yes, none, amounts } = this.#roundOf(leaves, new Map(leaves.map(({ id }, place) => [id, place]))).ask(this.#currentOf(event));
    return Object.fromEntries(leaves.flatMap(({ id, type }, place) => (isMarked(none, place) ? [] : [[id, type === "Bool" ? isMarked(yes, place) : (amounts[place] ?? 0)]])));
  }

  #roundOf(leaves: readonly HistoryLeaf[], places: ReadonlyMap<string, number>): Round {
    return new Round(leaves.map(({ id }) => ({ place: places.get(id) ?? -1, asked: this.#asked.get(id) })), places.size, this.#common.questions);
  }

  #currentOf(event: HistoryEvent): Current {
    const keys = new Array<string | null | undefined>(this.#common.places.length).fill(undefined);
    return {
      event,
      key: (slot) => {
        const known = keys[slot];
        if (known !== undefined) return known;
        const { across, paths } = this.#common.places[slot] ?? { across: "all", paths: [] };
        return (keys[slot] = currentKey(event, paths, scopeKey(event, across)));
      },
    };
  }

  /** Drops what no question can ask for any more. */
  sweep(nowMs: number): void {
    for (const table of this.#tables()) table.sweep(nowMs);
  }

  #tableOf(leaf: HistoryLeaf): Table {
    const slot = this.#slot(leaf.across, leaf.current);
    switch (leaf.op) {
      case "now":
        return new NowTable(leaf, slot);
      case "formerly":
        return new FormerlyTable(leaf, slot);
      case "previous":
        return new PreviousTable(leaf, slot);
      case "since":
        return new SinceTable(leaf, slot, this.#slot(leaf.across, leaf.left?.current ?? []));
      case "together":
        return new TogetherTable(leaf, slot);
      case "eventually":
        return new PromiseTable(leaf);
      default:
        return new AggregateTable(leaf, slot);
    }
  }

  #slot(across: HistoryScope, paths: readonly FieldPath[]): number {
    const key = JSON.stringify([across, paths]);
    const { slots, places } = this.#common;
    const slot = slots.get(key) ?? places.length;
    if (slot < places.length) return slot;
    slots.set(key, slot);
    places.push({ across, paths });
    return slot;
  }
}
