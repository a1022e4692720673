import type { AnswerSet, HistoryFacts } from "@lanyard/contract";
import { nameOfAll, type HistoryLeaf } from "./leaf.ts";

/** All that a bundle's policies ask of history. */
export interface Questions {
  /** What their answers stand under in a decision's input. */
  readonly name: string;
  /** Of each question its place among all of them. */
  readonly places: ReadonlyMap<string, number>;
  /** By place. */
  readonly types: readonly HistoryLeaf["type"][];
}

export const questionsOf = (leaves: readonly Pick<HistoryLeaf, "id" | "type">[]): Questions => ({
  name: nameOfAll(leaves),
  places: new Map(leaves.map(({ id }, place) => [id, place])),
  types: leaves.map(({ type }) => type),
});

/** What has been answered, place by place, until it is written down. */
export class AnswerSheet {
  /** A bit for each place. */
  readonly yes: Uint8Array;
  readonly none: Uint8Array;
  readonly amounts: Float64Array;
  #lacks = false;

  constructor(places: number) {
    this.yes = new Uint8Array(Math.ceil(places / 8));
    this.none = new Uint8Array(this.yes.length);
    this.amounts = new Float64Array(places);
  }

  clear(): void {
    this.yes.fill(0);
    if (this.#lacks) this.none.fill(0);
    this.#lacks = false;
    this.amounts.fill(0);
  }

  lack(place: number): void {
    this.#lacks = true;
    mark(this.none, place);
  }

  /** Takes in what has been answered of the same questions. */
  join(other: AnswerSheet): void {
    for (let at = 0; at < this.yes.length; at += 1) {
      this.yes[at] = (this.yes[at] as number) | (other.yes[at] as number);
      this.none[at] = (this.none[at] as number) | (other.none[at] as number);
    }
    this.#lacks ||= other.#lacks;
    for (const [place, amount] of other.amounts.entries()) if (amount !== 0) this.amounts[place] = amount;
  }

  /** As it is recorded. */
  written(): AnswerSet {
    const amounts: number[] = [];
    for (let place = 0; place < this.amounts.length; place += 1) {
      const amount = this.amounts[place] as number;
      if (amount !== 0 && !isMarked(this.none, place)) amounts.push(place, amount);
    }
    if (this.#lacks) for (let at = 0; at < this.none.length; at += 1) this.yes[at] = (this.yes[at] as number) & ~(this.none[at] as number);
    return { ...(amounts.length > 0 && { amounts }), ...(this.#lacks && { none: textOf(this.none) }), yes: textOf(this.yes) };
  }
}

export const mark = (bits: Uint8Array, place: number): void => void (bits[place >> 3] = (bits[place >> 3] as number) | (1 << (place & 7)));

export const isMarked = (bits: Uint8Array, place: number): boolean => (((bits[place >> 3] ?? 0) >> (place & 7)) & 1) === 1;

const textOf = (bits: Uint8Array): string => {
  let end = bits.length;
  while (end > 0 && bits[end - 1] === 0) end -= 1;
  return Buffer.from(bits.buffer, bits.byteOffset, end).toString("base64url");
};

/** Answers as a decision's input has them, made ready to be looked at. */
export class ReadAnswers {
  readonly #named: HistoryFacts;
  readonly #questions: Questions;
  /** Null where the answers stand by their names, or are not for these questions. */
  readonly #set: { readonly yes: Uint8Array; readonly none: Uint8Array | null; readonly amounts: ReadonlyMap<number, number> } | null;
  /** Whether what is not named is false, or 0. */
  readonly #least: boolean;

  constructor(history: HistoryFacts = {}, questions: Questions) {
    this.#named = history;
    this.#questions = questions;
    const set = Object.hasOwn(history, questions.name) ? history[questions.name] : undefined;
    this.#least = set === true;
    this.#set = typeof set === "object" ? { yes: Buffer.from(set.yes, "base64url"), none: set.none === undefined ? null : Buffer.from(set.none, "base64url"), amounts: pairsOf(set.amounts ?? []) } : null;
  }

  /** The answer to one of the questions; undefined when there is none, and then whoever asks is in error. */
  get(id: string): boolean | number | undefined {
    const place = this.#questions.places.get(id);
    if (place === undefined) return undefined;
    if (Object.hasOwn(this.#named, id)) {
      const named = this.#named[id];
      return typeof named === "object" ? undefined : named;
    }
    const isBool = this.#questions.types[place] === "Bool";
    if (this.#set === null) return this.#least ? (isBool ? false : 0) : undefined;
    const { yes, none, amounts } = this.#set;
    if (none !== null && isMarked(none, place)) return undefined;
    return isBool ? isMarked(yes, place) : (amounts.get(place) ?? 0);
  }

  /** Visits the places of all questions whose answer is not false or 0; false where that cannot be said of each: one has no answer, or answers stand by names. */
  eachTold(visit: (place: number) => void): boolean {
    if (this.#set === null || this.#set.none !== null) return false;
    for (const name in this.#named) if (this.#questions.places.has(name)) return false;
    const { yes, amounts } = this.#set;
    for (let at = 0; at < yes.length; at += 1) {
      for (let byte = yes[at] as number, place = at * 8; byte !== 0; byte >>= 1, place += 1) if ((byte & 1) === 1) visit(place);
    }
    for (const place of amounts.keys()) visit(place);
    return true;
  }
}

const pairsOf = (flat: readonly number[]): Map<number, number> => {
  const pairs = new Map<number, number>();
  for (let at = 0; at + 1 < flat.length; at += 2) pairs.set(flat[at] as number, flat[at + 1] as number);
  return pairs;
};
