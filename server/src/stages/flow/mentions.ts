import type { ArgumentFacts } from "@lanyard/contract";
import type { Subjects } from "./subjects.ts";
import { isShared, origin, originOf, placeOf, type ReadingPlaces } from "./values.ts";

/** So many records are looked at of one call. */
const mostRecords = 64;

/** Of whom one call speaks, and to whom it goes, by the records that its values stand in. */
export class Mentions {
  readonly #subjects: Subjects;
  readonly #places: ReadingPlaces;
  readonly #spoken = new Map<number, string>();
  readonly #addressed = new Set<number>();

  constructor(subjects: Subjects, places: ReadingPlaces) {
    this.#subjects = subjects;
    this.#places = places;
  }

  /** An argument has a value of somebody's trusted record in it. */
  says(argument: string, value: number): void {
    if ((originOf(value) !== origin.trusted && originOf(value) !== origin.untrusted) || isShared(value)) return;
    const record = this.#subjects.nearest(placeOf(value), this.#places);
    if (record >= 0 && this.#spoken.size < mostRecords) this.#spoken.set(record, argument);
  }

  /** A recipient is known by a record. */
  goesTo(value: number): void {
    const record = this.#subjects.nearest(placeOf(value), this.#places);
    if (record >= 0 && this.#addressed.size < mostRecords) this.#addressed.add(record);
  }

  /** With the label `others` where an argument tells of somebody else than whom the call goes to, or of two who have nothing in common. */
  marked(facts: Readonly<Record<string, ArgumentFacts>>): Readonly<Record<string, ArgumentFacts>> {
    if (this.#spoken.size === 0) return facts;
    const [spoken, addressed] = [[...this.#spoken], [...this.#addressed]];
    const strange = ([record]: readonly [number, string]): boolean =>
      (addressed.length > 0 && !addressed.some((one) => this.#subjects.haveOne(one, record))) || spoken.some(([one]) => !this.#subjects.haveOne(one, record));
    const marked = new Set(spoken.filter(strange).map(([, argument]) => argument));
    return marked.size === 0 ? facts : Object.fromEntries(Object.entries(facts).map(([name, own]) => [name, marked.has(name) ? { ...own, labels: [...own.labels, "others"].sort() } : own]));
  }
}
