import type { Json, JsonObject } from "@lanyard/contract";
import { numberedIn } from "../../base/extract/named-values.ts";
import { wordSet, wordsOf } from "../../base/extract/words.ts";
import { address } from "./authors.ts";
import { date, saysThing } from "./named-source.ts";
import { whole } from "./parts.ts";
import type { ReadingPlaces } from "./values.ts";

/** Words with which a task leaves what is to be done to what somebody wrote, */
const leaving = /\b(?:asks?|asked|wants?|wanted|writes?|wrote|written|says?|said|lists?|listed|left|requests?|requested|describes?|described|sent|tells?|told|mentions?|mentioned|names|named|gave|instructions?|according|per|see|as in|from (?:his|her|their))\b|(?:'s|’s|his|her|their) (?:e-?mail|mail|message|note|list|ticket|request|post|wishes)\b/iu;
/** or to a thing of this kind that says what is to be done, if it is to be followed or worked off. */
const following = /\b(?:as|per|according|follow|handle|clear|work (?:through|off)|go (?:through|over)|sort out|deal with|take care of|finish|complete|carry out|do)\b/iu;
/** or to a thing that is to be done itself: `do T-3412`, `T-3412 please`. */
const id = String.raw`\b(?=[\p{L}-]{0,16}\d)\p{L}[\p{L}\p{N}-]{3,32}`;
const taking = new RegExp(String.raw`\b(?:do|handle|take(?: care of| on)?|pick up|finish|settle|see to|carry out|complete|sort(?: out)?|deal with|process|fulfil|resolve|implement|work on|please)[,:]? (?:\p{L}+ ){0,2}${id}|${id},? please\b`, "iu");
const kinds = wordSet("note memo handover sheet checklist runbook playbook log todo instruction procedure minute queue brief briefing agenda step exception point item entry diary card");
/** Who wrote it, by the names of fields. */
const byWhom = wordSet("by author from sender writer user owner origin creator reporter requester assignee name");

/** Fields that hold the number of a thing in its list. */
const numbers = wordSet("number iid no pr issue");

const [mostChars, mostNamed] = [16_000, 4096] as const;
/** Three words and more: what is shorter is a choice that a system made, and not known again when a call has written it. */
const prose = /\S\s+\S+\s+\S/;

const singular = (word: string): string => word.replace(/s$/, "");

/**
 * What the records of an organisation's own people add to a task that leaves to them what is to be done: `do what Yaw asks in his mail`, `set her up as in
 * R-7802`, `clear the queue as the notes in it say`. Only words that the organisation vouches for, in records that the task names by their author, one of
 * their ids or their kind, or within such a record.
 */
export class Delegation {
  /** What they say. */
  text = "";
  readonly #lines = new Set<string>();
  #chars = 0;
  readonly #words: ReadonlySet<string>;
  readonly #kinds: ReadonlySet<string>;
  readonly #isLeft: boolean;
  /** Of what the task names by its number. */
  readonly #numbers: ReadonlySet<string>;
  readonly #named = new Set<number>();
  readonly #task: string;
  /** Calls that ask for something the task names. */
  readonly #asked = new Set<number>();

  constructor(task: string) {
    this.#task = task.toLowerCase();
    this.#words = new Set(task.toLowerCase().split(/[^\p{L}\p{N}_-]+/u).map((word) => word.replace(/^-+|-+$/g, "")));
    this.#kinds = following.test(task) ? new Set([...this.#words].map(singular).filter((word) => kinds.has(word))) : new Set();
    this.#numbers = numberedIn(task);
    this.#isLeft = this.#kinds.size > 0 || leaving.test(task) || taking.test(task);
  }

  /** A call asks for something: for a file or an id, perhaps, that the task names. */
  asks(seq: number, args: JsonObject): void {
    if (this.#isLeft && this.#asked.size < mostNamed && Object.values(args).some((value) => typeof value === "string" && saysThing(this.#task, value))) this.#asked.add(seq);
  }

  /** The answer to a call begins at a place. */
  answered(seq: number, place: number): void {
    if (this.#asked.delete(seq) && this.#named.size < mostNamed) this.#named.add(place);
  }

  /** A record of the answer to an action stands at a place. `isVouched`: the field is the organisation's own word. */
  record(record: JsonObject, { place, places, action }: { readonly place: number; readonly places: ReadingPlaces; readonly action: string }, isVouched: (field: string) => boolean): void {
    if (!this.#isLeft || this.#named.size >= mostNamed) return;
    if (this.#isIn(place, places) || this.#isOf(action) || Object.keys(record).some((field) => isVouched(field) && this.#isNamedBy(field, record[field]))) this.#named.add(place);
  }

  /** A line that the organisation vouches for stands at a place of the answer to an action, under the name of a field where there is one. */
  line(line: string, { place, places, field, action }: { readonly place: number; readonly places: ReadingPlaces; readonly field: string; readonly action: string }): void {
    if (!this.#isLeft || !prose.test(line) || byWhom.has(wordsOf(field).at(-1) ?? "")) return;
    if (this.#isIn(place, places)) return this.#add(line);
    if (!whole.test(places.at(place)?.field ?? "")) return;
    if (this.#isOf(action) || this.#idsIn(line)) this.#named.add(place);
    if (this.#named.has(place)) this.#add(line);
  }

  #add(line: string): void {
    if (this.#chars + line.length > mostChars || this.#lines.has(line)) return;
    this.#chars += line.length;
    this.#lines.add(line);
    this.text = [...this.#lines].join("\n");
  }

  #isIn(place: number, places: ReadingPlaces): boolean {
    for (let node = places.above(place); node > 1; node = places.above(node)) if (this.#named.has(node)) return true;
    return false;
  }

  #isOf(action: string): boolean {
    return this.#kinds.size > 0 && wordsOf(action).some((word) => this.#kinds.has(singular(word)));
  }

  #isNamedBy(field: string, value: Json | undefined): boolean {
    const words = wordsOf(field);
    if (words.some((word) => this.#kinds.has(singular(word)))) return true;
    if (numbers.has(words.at(-1) ?? "") && this.#numbers.has(String(value))) return true;
    const said = Array.isArray(value) ? value.slice(0, 16) : [value];
    const isPerson = byWhom.has(words.at(-1) ?? "");
    return said.some((item) => (typeof item === "string" || typeof item === "number") && (this.#isId(String(item)) || (isPerson && this.#isPerson(String(item)))));
  }

  #idsIn(text: string): boolean {
    return text.split(/[^\p{L}\p{N}_-]+/u).some((word) => this.#isId(word));
  }

  #isId(text: string): boolean {
    return text.length >= 4 && text.length <= 64 && /\d/.test(text) && !date.test(text) && this.#words.has(text.toLowerCase());
  }

  /** By the words of a name, or of what stands before the `@`. */
  #isPerson(text: string): boolean {
    return text.length <= 256 && text.replace(address, (one) => ` ${one.slice(0, one.lastIndexOf("@"))} `).toLowerCase().split(/[^\p{L}]+/u).some((word) => word.length > 2 && this.#words.has(word));
  }
}
