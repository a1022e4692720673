import { isObject, type Json, type JsonObject } from "@lanyard/contract";
import { names, remembered } from "../../base/remembered.ts";
import { wordSet, wordsOf } from "../../base/extract/words.ts";
import type { Atoms, Sink } from "./atoms.ts";
import { address } from "./authors.ts";
import { folded, type Lexer } from "./lexemes.ts";
import { date } from "./named-source.ts";
import type { PrintTable } from "./table.ts";
import type { ReadingPlaces } from "./values.ts";

/** Those outside whom records are of; whoever works on them (an assignee, a doctor, a driver) has records of many. */
const people = wordSet("customer client account member user patient guest resident tenant applicant candidate student pupil donor supporter player traveller traveler passenger subscriber contact lead buyer shopper payer claimant policyholder insured cardholder caller visitor holder requester requestor reporter sender submitter complainant citizen household supplier vendor merchant employee person from school company organisation organization business partner agency reseller artist bidder consignor family speaker sponsor exhibitor volunteer investor party");
const keys = wordSet("id no nr num number key ref uid uuid code email mail phone mobile telephone address");
const alone = wordSet("email mail phone mobile telephone msisdn from sender");

/** Whether a field of this name says whose a record is: `customer_id`, `accountNo`, `from`, `email`. */
const saysSubject = remembered(names, (field) => {
  const words = wordsOf(field);
  const last = words.at(-1) ?? "";
  return words.length === 1 ? alone.has(last) || people.has(last) : words.length <= 3 && ((people.has(words.at(-2) ?? "") && keys.has(last)) || (people.has(last) && !isPlace.test(words[0] ?? "")));
});
/** `to_account` is whom something is sent to, `our_account` is nobody's outside. */
const isPlace = /^(?:to|our|own|by|via|at)$/;

const [shortest, longest] = [3, 128];
const clock = /^\d{1,2}[:.]\d{2}(?::\d{2})?$/;

/** What a field says of whose a record is, as it can be told from others: an id with digits, a telephone number, or the address in `Jo <jo@shop.example>`; null where it is no more than a name. */
function subjectIn(value: unknown): string | null {
  const text = typeof value === "number" ? String(value) : typeof value === "string" ? value.trim() : "";
  if (text.length < shortest || text.length > longest || date.test(text) || clock.test(text)) return null; // `from` a day, or an hour
  const [found] = text.match(address) ?? [];
  return found ?? (/\d/.test(text) && /^(?:\S+|[+\d][\d\s()/.-]+)$/.test(text) ? text : null);
}

/** Whether a record of this name within another tells more of the one whose that is: `owner`, `billing_contact`; in a list, one of its `contacts`. */
const tellsMore = remembered(names, (field) => {
  const words = wordsOf(field);
  const last = words.at(-1) ?? "";
  return parts.has(last) || (people.has(last) && (words.length === 1 || last !== "from")); // `paid_from` is an account
});
const ofList = remembered(names, (field) => several.has(wordsOf(field).at(-1) ?? ""));
const parts = wordSet("owner billing shipping invoicing delivery details profile");
const several = wordSet("contacts owners admins emails phones");

/** The fields of a record, and those of a part that tells more of the one whose it is: `customer: { id, email }`, where `id` is the customer's. */
function* fieldsOf(record: JsonObject, isVouched: (field: string) => boolean): Generator<readonly [field: string, value: Json | undefined]> {
  for (const field of Object.keys(record)) {
    const value = record[field];
    if (!isObject(value)) yield [field, value];
    else if (tellsMore(field) && isVouched(field)) for (const inner of Object.keys(value).slice(0, mostOfPart)) if (isVouched(inner)) yield [keys.has(inner) ? `${field}_${inner}` : inner, value[inner]];
  }
}
const mostOfPart = 32;

const mostOfOne = 8;

/** Reads off records whose they are: somebody outside, for those of the directory have records of everybody. */
export class SubjectReader {
  readonly #atoms: Atoms;
  readonly #lexer: Lexer;

  constructor(atoms: Atoms, lexer: Lexer) {
    this.#atoms = atoms;
    this.#lexer = lexer;
  }

  /** Fingerprints of the subjects that fields of a record name. `isVouched`: the field is the organisation's own word. */
  read(record: JsonObject, isVouched: (field: string) => boolean, directory: PrintTable, put: Sink): void {
    let count = 0;
    for (const [field, value] of fieldsOf(record, isVouched)) {
      const subject = saysSubject(field) && isVouched(field) ? subjectIn(value) : null;
      if (subject !== null && this.#isOutside(subject, directory)) {
        const last = this.#lexer.count - 1;
        this.#atoms.phrase(0, last, put);
        this.#atoms.account(0, last, put);
        if (++count === mostOfOne) return;
      }
    }
  }

  #isOutside(subject: string, directory: PrintTable): boolean {
    const { printer } = this.#atoms;
    this.#lexer.read(folded(subject));
    const last = this.#lexer.count - 1;
    if (last < 0) return false;
    let isOurs = false;
    const known: Sink = () => void (isOurs ||= directory.get(printer.low, printer.high) !== 0);
    this.#atoms.phrase(0, last, known);
    if (last === 0) this.#atoms.halves(0, known);
    return !isOurs;
  }
}

/**
 * Whose the records are that a session has read: of each, by its place, fingerprints of its subjects, 10 bytes each, in the order of places. Bounded; of
 * records past its end nobody knows whose they are.
 */
export class Subjects {
  readonly #most: number;
  #nodes = new Uint32Array(64);
  #low = new Uint32Array(64);
  #high = new Uint16Array(64);
  #count = 0;

  constructor(most: number) {
    this.#most = most;
  }

  get size(): number {
    return this.#count;
  }

  get bytes(): number {
    return this.#nodes.length * 10;
  }

  /** The record at this place is theirs. Places come in ascending order. */
  note(node: number, low: number, high: number): void {
    if (this.#count >= this.#most || (this.#count > 0 && node < (this.#nodes[this.#count - 1] ?? 0))) return;
    if (this.#count === this.#nodes.length) this.#grow();
    this.#nodes[this.#count] = node;
    this.#low[this.#count] = low;
    this.#high[this.#count++] = high;
  }

  /** A record within another is of the same as that, where its name says so. After its own subjects. */
  inherit(node: number, places: ReadingPlaces): void {
    if (this.#first(node) < 0) return;
    const [name, above] = [places.name(node), places.above(node)];
    const outer = this.#first(name === "" ? places.above(above) : above);
    if (outer < 0 || !(name === "" ? ofList(places.name(above)) : tellsMore(name))) return;
    for (let at = outer; this.#nodes[at] === this.#nodes[outer] && at < this.#count; at++) this.note(node, this.#low[at] ?? 0, this.#high[at] ?? 0);
  }

  /** Whether the nearest records that hold two places are of one subject at least, whom `counts` lets count. */
  areOfOne(one: number, other: number, places: ReadingPlaces, counts: (low: number, high: number) => boolean): boolean {
    const [first, second] = [this.nearest(one, places), this.nearest(other, places)];
    return first >= 0 && second >= 0 && this.haveOne(first, second, counts);
  }

  /** Whether two records, by where their subjects begin, have one in common. */
  haveOne(first: number, second: number, counts: (low: number, high: number) => boolean = everyone): boolean {
    for (let a = first; this.#nodes[a] === this.#nodes[first] && a < this.#count; a++) {
      const [low, high] = [this.#low[a] ?? 0, this.#high[a] ?? 0];
      for (let b = second; this.#nodes[b] === this.#nodes[second] && b < this.#count; b++) if (low === this.#low[b] && high === this.#high[b] && counts(low, high)) return true;
    }
    return false;
  }

  /** Where the subjects begin of the nearest record that holds a place; -1 where none says. */
  nearest(place: number, places: ReadingPlaces): number {
    for (let node = place; node > 1; node = places.above(node)) {
      const at = this.#first(node);
      if (at >= 0) return at;
    }
    return -1;
  }

  #first(node: number): number {
    let [from, to] = [0, this.#count];
    while (from < to) {
      const middle = (from + to) >> 1;
      if ((this.#nodes[middle] ?? 0) < node) from = middle + 1;
      else to = middle;
    }
    return from < this.#count && this.#nodes[from] === node ? from : -1;
  }

  #grow(): void {
    const wider = <T extends Uint32Array | Uint16Array>(array: T, fresh: T): T => {
      fresh.set(array);
      return fresh;
    };
    const length = Math.min(this.#most, Math.ceil(this.#nodes.length * 1.5));
    this.#nodes = wider(this.#nodes, new Uint32Array(length));
    this.#low = wider(this.#low, new Uint32Array(length));
    this.#high = wider(this.#high, new Uint16Array(length));
  }
}

const everyone = (): boolean => true;
