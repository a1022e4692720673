import type { JsonObject, ValueSource } from "@lanyard/contract";
import { AskedAbout } from "./asked-about.ts";
import { Delegation } from "./delegation.ts";
import type { PastEvent } from "./past.ts";
import { MetDomains } from "./lookalikes.ts";
import { NamedSources } from "./named-source.ts";
import { Subjects } from "./subjects.ts";
import { PrintTable } from "./table.ts";
import { isShared, labelsOf, origin, originOf, packed, placeOf, ReadValues, type OriginCode } from "./values.ts";

/**
 * What one session knows, its children and their children included: the task in its people's words, what results said and what the model said. All
 * of them share it, for what a child learns reaches its parent by ways that nobody sees.
 */
export class SessionMemory {
  readonly purpose: string;
  readonly read: ReadValues;
  /** Whose the records are that results were made of. */
  readonly subjects: Subjects;
  /** Values of calls that have not been answered, by call; of those that are not there anything may have been said. */
  readonly #asking = new Map<number, Set<number>>();
  /** Of such calls those that look up what is known. */
  readonly #known = new Set<number>();
  /** It has read words that somebody is told to say: what it says is looked through for them. */
  isTold = false;
  /** Words of people: the purpose and what was added to it. */
  readonly task: PrintTable;
  /** What people added to the purpose, which children share. */
  readonly added: string[] = [];
  /** What the purpose leaves to somebody to say. */
  readonly delegation: Delegation;
  readonly sources: NamedSources;
  readonly met = new MetDomains();
  /** Values that somebody has vouched for. */
  readonly vouched = new PrintTable(10_000);
  /** Addresses and accounts that calls have named. */
  readonly said = new PrintTable(10_000);
  /** All that calls have named: what a stranger speaks of afterwards, the agent had come to by itself. */
  readonly named = new PrintTable(10_000);
  /** Branches that calls have begun, by name. */
  readonly begun = new Set<string>();
  /** Calls that changed something and have not been answered, and the answers of those that have. */
  readonly changing = new Set<number>();
  readonly made = new Set<number>();
  readonly askedAbout = new AskedAbout();
  /** Values that do not carry a label any more: their fingerprint, as `low:high`, to the labels. */
  readonly unlabelled = new Map<string, Set<string>>();
  /** Labels of what was read, sticky. */
  readonly labels = new Set<string>();
  /** What is on record of it and not taken in yet; null when all is. */
  past: Iterator<PastEvent> | null = null;
  /** Resolves when it is. */
  recalling: Promise<void> | null = null;
  /** The labels and those beside them, sorted, as they were asked for last. */
  #sorted: { readonly count: number; readonly beside: readonly string[]; readonly all: readonly string[] } = { count: 0, beside: [], all: [] };
  /** What it is for, as it was asked for last. */
  #wording = { purpose: "", added: -1, delegated: "", own: "", text: "" };
  /** When it was used last, in turns. */
  turn = 0;

  constructor(purpose: string, { values, taskValues, subjects }: { values: number; taskValues: number; subjects: number }) {
    this.purpose = purpose;
    this.delegation = new Delegation(purpose);
    this.sources = new NamedSources(purpose);
    this.subjects = new Subjects(subjects);
    this.read = new ReadValues(values);
    this.task = new PrintTable(taskValues);
  }

  /** Something in it gives orders to programs, or says what others are to be told. */
  saysTold(label: string): void {
    if (label === "instructions") this.labels.add(label);
    this.isTold = true;
  }

  /** Whether it has read no stranger's word, so that nobody has told the agent what to say: a record that knows what it says now vouches for it. */
  get isFree(): boolean {
    return !this.labels.has("untrusted") && !this.read.isPartial;
  }

  /**
   * A purpose in it, what people added, and what is left to somebody to say, each in lines of its own: the same texts until one changes, for much is remembered by
   * them. `own`: without the last.
   */
  wordingOf(purpose: string): { readonly own: string; readonly text: string } {
    const [added, delegated] = [this.added.length, this.delegation.text];
    const { purpose: before, added: count, delegated: left } = this.#wording;
    if (purpose === before && added === count && delegated === left) return this.#wording;
    const own = [purpose, ...this.added].join("\n");
    this.#wording = { purpose, added, delegated, own, text: delegated === "" ? own : `${own}\n${delegated}` };
    return this.#wording;
  }

  /** Its labels and these, sorted, each once. */
  labelsBeside(labels: readonly string[]): readonly string[] {
    const { count, beside, all } = this.#sorted;
    if (count === this.labels.size && beside === labels) return all;
    this.#sorted = { count: this.labels.size, beside: labels, all: [...new Set([...labels, ...this.labels])].sort() };
    return this.#sorted.all;
  }

  /** About what it takes, in bytes. */
  get bytes(): number {
    return this.read.bytes + this.task.bytes + this.vouched.bytes + this.said.bytes + this.named.bytes + this.subjects.bytes;
  }

  /** Whether a call has named this address or account, or may have. */
  hasSaid(low: number, high: number): boolean {
    return this.said.isFull || this.said.get(low, high) !== 0;
  }

  /** A call says values: told each as it is, up to so many. `isKnown`: it looks up what is known. */
  asks(seq: number, args: JsonObject, isKnown: boolean): (low: number, high: number) => void {
    this.delegation.asks(seq, args);
    this.sources.asks(seq, args);
    if (isKnown && this.#known.size < mostAsking) this.#known.add(seq);
    const values = new Set<number>();
    if (this.#asking.size >= mostAsking) this.#asking.delete(this.#asking.keys().next().value as number);
    this.#asking.set(seq, values);
    return (low, high) => {
      if (values.add(keyOf(low, high)).size > mostAsked) this.#asking.delete(seq);
    };
  }

  /**
   * What of the answer to a call is of the very people who have told it before: they say of a record of their own what it says. Then the record
   * vouches for it. A tool that repeats what it was asked says nothing.
   */
  answerTo(seq: number): (low: number, high: number, place: number) => boolean {
    const asked = this.#asking.get(seq);
    this.#asking.delete(seq);
    if (this.#known.delete(seq)) return (low, high) => originOf(this.read.get(low, high)) === origin.untrusted;
    const isAsked = (low: number, high: number): boolean => asked === undefined || asked.has(keyOf(low, high));
    return (low, high, place) => {
      const known = this.subjects.size === 0 ? 0 : this.read.get(low, high);
      if (originOf(known) !== origin.untrusted || this.read.places.isFull) return false;
      const says = !isAsked(low, high);
      return this.subjects.areOfOne(placeOf(known), place, this.read.places, (a, b) => says || !isAsked(a, b));
    };
  }

  /** Takes note of what a result tells. A value that records of two people have, or one that is nobody's, is of none of them. */
  told(low: number, high: number, code: OriginCode, labels: number, place: number): void {
    const known = this.subjects.size === 0 || code !== origin.trusted ? 0 : this.read.get(low, high);
    this.read.add(low, high, code, labels, place);
    if (originOf(known) !== origin.trusted || isShared(known)) return;
    const first = this.subjects.nearest(placeOf(known), this.read.places);
    const second = first < 0 ? -1 : this.subjects.nearest(place, this.read.places);
    if (first >= 0 && first !== second && (second < 0 || !this.subjects.haveOne(first, second))) this.read.share(low, high);
  }

  /** A record at this place is of one with this fingerprint. */
  owned(place: number, low: number, high: number): void {
    if (!this.read.places.isFull) this.subjects.note(place, low, high);
  }

  /** Packed knowledge, the best there is, with the labels and the place of what was read. */
  look(low: number, high: number, directory: PrintTable): number {
    const read = this.read.get(low, high);
    const better = this.task.get(low, high) !== 0 ? origin.task : directory.get(low, high) !== 0 || this.vouched.get(low, high) !== 0 ? origin.directory : 0;
    return better === 0 || (read !== 0 && originOf(read) < better) ? read : packed(better, labelsOf(read), placeOf(read) || 1);
  }

  /** Where a packed value was read; null when in no result. */
  sourceOf(value: number): Pick<ValueSource, "seq" | "field"> | null {
    const code = originOf(value);
    return code === origin.trusted || code === origin.untrusted ? this.read.places.at(placeOf(value)) : null;
  }
}

const keyOf = (low: number, high: number): number => high * 2 ** 32 + low;
/** Calls at once, and values of one. */
const [mostAsking, mostAsked] = [64, 4096] as const;