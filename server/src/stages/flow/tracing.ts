import { isAscii } from "../../base/compatible.ts";
import { unfold } from "../../base/extract/unfold.ts";
import { copyChars, phraseLexemes, type Atoms, type Sink } from "./atoms.ts";
import { folded, has, looselyFolded, type Lexer } from "./lexemes.ts";
import { isHundredths, tags, type Printer } from "./print.ts";
import { hasDots, isJoint, loginIn, Spellings } from "./spellings.ts";
import { PrintTable } from "./table.ts";
import { origin, originOf, packed } from "./values.ts";

/** What a tracing asks, and tells, of one leaf. */
export interface TracedLeaf {
  /** Words that it may have been told to say are looked for in it. */
  readonly isTold: boolean;
  /** Packed knowledge of a fingerprint; 0 when nobody knows it. */
  look(low: number, high: number): number;
  /** The leaf, or a part of it, is known as this. */
  found(value: number): void;
  /** It brings along what this value carries, whatever it is known as. */
  brings(value: number): void;
}

/** Longer texts are looked through up to here; what is behind counts as the model's. */
const longestText = 262_144;
const stopWords = "a about all also am an and any are as at be been but by can com did do does each for from had has have he her his how http https i if in into is it its just me more my net no not now of on one or org our out please send she so some than that the their them then there these they this to up us was we were what when which who will with would www you your";
const unknown = packed(origin.model);
const [dot, slash] = [0x2e, 0x2f];
const componentEnds: ReadonlySet<number> = new Set([..."/\\?&=#;:%@"].map((char) => char.charCodeAt(0)));
/** So many words in a row are said as they were told. */
const toldLexemes = 4;
/** Fewer digits are no value that labels stick to: too many numbers are equal. */
const labelledChars = 5;
const longestCompound = 16;
const hyphen = 0x2d;
/** Longer addresses are put together. */
const longestPage = 256;

/** Finds what a leaf of a call's arguments is known as: several things, if it is made of several. */
export class Tracing {
  readonly #atoms: Atoms;
  readonly #lexer: Lexer;
  readonly #printer: Printer;
  readonly #stops = new PrintTable(1024);
  #leaf: TracedLeaf = { isTold: false, look: () => 0, found: () => {}, brings: () => {} };
  #isAmount = false;
  #value = 0;
  /** Of what is read now only the taint counts. */
  #isLoose = false;
  #told = false;
  /** The lexemes that were last found to be known to nobody as a whole: a phrase of one is asked about twice. */
  #missed = { first: -1, last: -1 };
  #host = 0;
  #hasMore = false;
  readonly #spellings = new Spellings();

  constructor(atoms: Atoms, lexer: Lexer) {
    this.#atoms = atoms;
    this.#lexer = lexer;
    this.#printer = atoms.printer;
    lexer.read(stopWords);
    for (let index = 0; index < lexer.count; index++) atoms.phrase(index, index, () => void this.#stops.set(this.#printer.low, this.#printer.high, 1));
  }

  /** Tells at least one thing. `isAmount`: hundredths of a known amount are that amount. */
  trace(text: string, leaf: TracedLeaf, isAmount = false): void {
    [this.#leaf, this.#isAmount, this.#told] = [leaf, isAmount, false];
    const isCut = text.length > longestText;
    const views = unfold(isCut ? text.slice(0, longestText) : text);
    const isWrapped = views.length > 1 && (/^\s*[\w+/=-]{8,}\s*$/.test(text) || (views[1]?.encodings[0] === "percent" && /^[^\s/]+$/.test(text))); // then it is what is in it; the wrapping is nobody's value
    for (const [index, view] of views.entries()) {
      if (index === 0 && isWrapped && !this.#isKnown(view.text)) continue;
      if (isAscii(view.text)) {
        this.#read(view.text.toLowerCase());
        continue;
      }
      this.#read(folded(view.text));
      const loose = looselyFolded(view.text);
      if (loose === null) continue;
      this.#isLoose = true;
      this.#read(loose);
      this.#isLoose = false;
    }
    if (isCut || !this.#told || views.at(-1)?.encodings.at(-1) === "deep") this.#tell(unknown);
  }

  /** A number that is too short to be known by itself: as the hundredths of an amount that somebody has named. Tells nothing where nobody has. */
  amount(text: string, leaf: TracedLeaf): void {
    this.#leaf = leaf;
    this.#lex(text);
    this.#value = 0;
    if (this.#lexer.count === 1) this.#atoms.minor(0, this.#better);
    if (this.#value !== 0) leaf.found(this.#value);
  }

  #tell(value: number): void {
    this.#told = true;
    this.#leaf.found(this.#isLoose ? tainted(value) : value);
  }

  /** Whether somebody has told this very value, as a whole. */
  knows(text: string, leaf: TracedLeaf): boolean {
    this.#leaf = leaf;
    return this.#isKnown(text);
  }

  #isKnown(text: string): boolean {
    this.#lex(folded(text));
    return this.#lexer.count > 0 && this.#whole(0, this.#lexer.count - 1) !== 0;
  }

  #lex(text: string): void {
    this.#lexer.read(text);
    this.#missed.first = -1;
  }

  #read(text: string): void {
    const lexer = this.#lexer;
    this.#lex(text);
    const last = lexer.count - 1;
    if (last < 0) return;
    const whole = this.#whole(0, last);
    if (isTold(whole)) return this.#tell(whole);
    if (lexer.solidCount >= copyChars) this.#atoms.shingles(this.#shingle);
    for (let first = 0, index = 1; index <= last + 1; index++) {
      if (index <= last && lexer.begins[index] === 0) continue;
      const phrase = (first === 0 && index > last) || index - first > phraseLexemes ? 0 : this.#whole(first, index - 1);
      if (isTold(phrase)) this.#tell(phrase);
      else this.#phrase(first, index - 1);
      first = index;
    }
  }

  readonly #shingle: Sink = () => {
    const value = this.#leaf.look(this.#printer.low, this.#printer.high);
    if (value === 0) return;
    this.#leaf.brings(value);
    this.#tell(value);
  };

  readonly #bringing: Sink = () => this.#leaf.brings(this.#leaf.look(this.#printer.low, this.#printer.high));

  /** A phrase that nobody knows as a whole: its values, each by itself. */
  #phrase(first: number, last: number): void {
    if (this.#leaf.isTold) for (let index = first; index + toldLexemes - 1 <= last; index++) this.#atoms.phrase(index, index + toldLexemes - 1, this.#bringing);
    const isShort = last - first < phraseLexemes;
    let isNew = false;
    let told = false;
    for (let index = first; index <= last; index++) {
      if (this.#isTyped(index)) {
        this.#lexeme(index);
        told = true;
        if (first < last && !((this.#lexer.flags[index] ?? 0) & has.joiner)) isNew = true; // groups of digits, which together are another number
        continue;
      }
      const value = isShort ? this.#word(index) : unknown;
      if (value === 0) continue;
      told = true;
      this.#tell(value);
      if (first < last && originOf(value) < origin.untrusted) isNew = true; // Known words in a new order are a new saying.
    }
    if (isNew || !told) this.#tell(unknown);
  }

  /** A word of two, such as `walk-through`: no value that labels stick to. */
  #isCompound(index: number): boolean {
    const { norm, from, to, flags } = this.#lexer;
    if (((flags[index] ?? 0) & ~has.capital) !== (has.letter | has.joiner)) return false;
    const [start, end] = [from[index] ?? 0, to[index] ?? 0];
    const joint = norm.subarray(start, end).indexOf(hyphen) + start;
    return joint > start && end - start <= longestCompound && !norm.subarray(joint + 1, end).some(isJoint);
  }

  #isTyped(index: number): boolean {
    return ((this.#lexer.flags[index] ?? 0) & (has.joiner | has.digit)) !== 0;
  }

  /** A plain word; 0 when it is nothing by itself. */
  #word(index: number): number {
    const { from, to } = this.#lexer;
    if ((to[index] ?? 0) - (from[index] ?? 0) < 2) return 0;
    this.#value = 0;
    this.#atoms.phrase(index, index, this.#better);
    return this.#isStop() ? 0 : this.#value === 0 ? unknown : this.#value;
  }

  readonly #isStop = (): boolean => this.#stops.get(this.#printer.low, this.#printer.high) !== 0;

  readonly #better: Sink = () => this.#prefer(this.#leaf.look(this.#printer.low, this.#printer.high));

  #prefer(value: number): void {
    if (value !== 0 && (this.#value === 0 || originOf(value) < originOf(this.#value))) this.#value = value;
  }

  /** What lexemes are known as together, as they stand or in another form; 0 when nobody knows them. */
  #whole(first: number, last: number): number {
    if (first === this.#missed.first && last === this.#missed.last) return 0;
    const { from, to } = this.#lexer;
    this.#value = 0;
    this.#atoms.phrase(first, last, this.#better);
    if (first === last && this.#isStop()) return 0;
    if (first < last) this.#atoms.account(first, last, this.#better);
    else if (this.#isTyped(first)) this.#forms(first);
    if (first === last && originOf(this.#value) > origin.directory) this.#atDirectory(first);
    if (first === last && (this.#value === 0 || originOf(this.#value) > origin.directory)) this.#spellings.each(this.#lexer, first, this.#spelt);
    if (first === last && (this.#value === 0 || originOf(this.#value) > origin.trusted)) this.#login(first);
    const isValue = first < last || (this.#isTyped(first) && (to[first] ?? 0) - (from[first] ?? 0) >= labelledChars && !this.#isCompound(first));
    if (this.#value === 0) [this.#missed.first, this.#missed.last] = [first, last];
    else if (isValue && originOf(this.#value) !== origin.directory) this.#leaf.brings(this.#value); // whom the directory names is nobody's secret
    return this.#value;
  }

  /** `j.whitcombe` and `@j.whitcombe` are of whose address `j.whitcombe@acme.example` a trusted result has. */
  #login(index: number): void {
    const [start, end] = loginIn(this.#lexer, index);
    if (start === end) return;
    this.#printer.print(this.#lexer.norm, start, end, tags.piece);
    const value = this.#leaf.look(this.#printer.low, this.#printer.high);
    if (value !== 0 && originOf(value) <= origin.trusted) this.#value = value;
  }

  /** Whether an address has nothing in it that its host could send on, or be told. */
  #isPlainPage(index: number): boolean {
    const { norm, from, to } = this.#lexer;
    return /^(?:https?:\/\/)?[\w.-]+(?::\d+)?(?:\/[\w.~/-]*(?:(?<=\w):[\w.-]+)?)?$/.test(String.fromCharCode(...norm.subarray(from[index] ?? 0, Math.min(to[index] ?? 0, (from[index] ?? 0) + longestPage + 1)))) && (to[index] ?? 0) - (from[index] ?? 0) <= longestPage;
  }

  /** Whether the host of an address vouches for its pages: one of the directory, or one that the task names by itself, and so the site as a whole. Who names one page has named no other. */
  #vouchesForPages(index: number): boolean {
    if (originOf(this.#host) !== origin.task) return originOf(this.#host) === origin.directory;
    const host = this.#atoms.hostOf(index);
    if (!host || host.hasUser) return false;
    return [this.#lexer.from[index] ?? 0, host.start, host.from].some((start) => {
      this.#printer.print(this.#lexer.norm, start, host.to, tags.word);
      return originOf(this.#leaf.look(this.#printer.low, this.#printer.high)) === origin.task;
    });
  }

  /** For a page that was told, the domain of the directory that its host lies in: what an organisation serves below its own name is its own. */
  #above(index: number): number {
    const host = this.#atoms.hostOf(index);
    if (!host || host.hasUser || !((this.#lexer.flags[index] ?? 0) & (has.scheme | has.slash)) || !this.#isPlainPage(index)) return 0;
    const { norm } = this.#lexer;
    for (let start = norm.indexOf(dot, host.from) + 1; start > 0 && start < host.to; start = norm.indexOf(dot, start) + 1) {
      this.#printer.print(norm, start, host.to, tags.domain);
      const value = this.#leaf.look(this.#printer.low, this.#printer.high);
      if (originOf(value) === origin.directory) return value;
    }
    return 0;
  }

  /** A host vouches for a lexeme that is nothing but a host; one of the directory, or that the task names by itself, also for a page that was told as it stands. */
  #forms(index: number): void {
    [this.#host, this.#hasMore] = [0, false];
    this.#atoms.forms(index, this.#form);
    if (this.#isAmount) this.#atoms.hundredths(index, this.#better);
    const isBetter = this.#value === 0 || originOf(this.#host) < originOf(this.#value);
    if (this.#host !== 0 && isBetter && (!this.#hasMore || (this.#value !== 0 && this.#vouchesForPages(index) && this.#isPlainPage(index)))) this.#value = this.#host;
    if (this.#value !== 0 && originOf(this.#value) > origin.trusted) this.#value = this.#above(index) || this.#below(index) || this.#value;
  }

  /** For a page that was told, the page that the task names and below which it lies. */
  #below(index: number): number {
    const [host, { norm, to }] = [this.#atoms.hostOf(index), this.#lexer];
    if (!host || host.hasUser || !this.#isPlainPage(index) || hasDots(norm, host.to, to[index] ?? 0)) return 0;
    for (let end = norm.lastIndexOf(slash, (to[index] ?? 0) - 1); end > host.to; end = norm.lastIndexOf(slash, end - 1)) {
      this.#printer.print(norm, host.from, end, tags.url);
      const value = this.#leaf.look(this.#printer.low, this.#printer.high);
      if (originOf(value) === origin.task) return value;
    }
    return 0;
  }

  readonly #form: Sink = (tag) => {
    if (isHundredths(tag)) return;
    if (tag === tags.host) this.#host = this.#leaf.look(this.#printer.low, this.#printer.high);
    else this.#better(tag);
    this.#hasMore ||= tag === tags.url;
  };

  /** An address of a domain that the directory names is the directory's, whoever wrote it down. */
  #atDirectory(index: number): void {
    const own = this.#lexer.flags[index] ?? 0;
    if (!(own & has.at) || own & (has.scheme | has.slash)) return;
    this.#atoms.halves(index, (tag) => {
      if (tag !== tags.domain) return;
      const domain = this.#leaf.look(this.#printer.low, this.#printer.high);
      if (originOf(domain) === origin.directory) this.#value = domain;
    });
  }

  /** As somebody who is trusted has written it in another way. */
  readonly #spelt = (chars: Uint16Array, from: number, to: number): void => {
    this.#printer.print(chars, from, to, tags.word);
    const value = this.#leaf.look(this.#printer.low, this.#printer.high);
    if (originOf(value) < origin.untrusted) this.#prefer(value);
  };

  /** A lexeme with joints or digits in it. */
  #lexeme(index: number): void {
    const value = this.#whole(index, index);
    if (value !== 0) return this.#tell(value);
    const { norm, from, to, flags } = this.#lexer;
    const own = flags[index] ?? 0;
    const [start, end] = [from[index] ?? 0, to[index] ?? 0];
    if (!(own & has.letter) && digitsIn(norm, start, end) < 3) return;
    if (isDate(norm, start, end)) return this.#tell(unknown); // Of another day of the same year nobody has told it.
    if (own & has.at && !(own & has.scheme) && this.#isInDirectory(index)) return;
    if (own & (has.scheme | has.slash)) return this.#components(index, start, end);
    this.#pieces(start, end);
  }

  /** An address of a domain that the directory names. */
  #isInDirectory(index: number): boolean {
    let domain = 0;
    this.#atoms.halves(index, (tag) => {
      if (tag !== tags.piece) domain ||= this.#leaf.look(this.#printer.low, this.#printer.high);
    });
    const found = originOf(domain);
    if (found === origin.directory || found === origin.untrusted) this.#tell(domain);
    return found === origin.directory;
  }

  /** A URL or a path, which is put together of parts: each counts, the host among them. */
  #components(index: number, from: number, to: number): void {
    const { norm } = this.#lexer;
    const host = this.#atoms.hostOf(index);
    let start = from;
    if (host) {
      start = host.to;
      this.#printer.print(norm, host.from, host.to, tags.host);
      const value = this.#leaf.look(this.#printer.low, this.#printer.high);
      if (value !== 0) this.#tell(value);
      else this.#pieces(host.from, host.to);
      if (host.hasUser) this.#tell(unknown);
    }
    for (let end = start; start < to; start = end + 1) {
      end = start;
      while (end < to && !componentEnds.has(norm[end] ?? 0)) end++;
      if (end - start === 2 && norm[start] === dot && norm[start + 1] === dot) this.#tell(unknown);
      if (end - start < 3) continue;
      this.#value = 0;
      this.#printer.print(norm, start, end, tags.word);
      if (this.#isStop()) continue;
      this.#better(tags.word);
      if (this.#value !== 0) this.#tell(this.#value);
      else this.#pieces(start, end);
    }
  }

  /** What nobody knows as it stands: of its runs of letters and digits only the taint counts, the rest is the model's. */
  #pieces(from: number, to: number): void {
    const { norm } = this.#lexer;
    let [hasOther, hasTaint] = [false, false];
    for (let start = from, end = from; start < to; start = end + 1) {
      end = start;
      while (end < to && !isJoint(norm[end] ?? 0)) end++;
      if (end - start < 3 || (end === to && start > from && norm[start - 1] === dot)) continue; // the last of a host's labels says nothing, nor does a file's
      this.#value = 0;
      this.#printer.print(norm, start, end, tags.word);
      if (this.#isStop()) continue;
      this.#better(tags.word);
      this.#printer.print(norm, start, end, tags.piece);
      this.#better(tags.piece);
      if (originOf(this.#value) === origin.untrusted) {
        this.#tell(this.#value);
        hasTaint = true;
      } else hasOther = true;
    }
    if (hasOther || !hasTaint) this.#tell(unknown);
  }
}

/** Whether somebody else than the model has told it: what that has put together is looked at in its parts, however often it says it. */
const isTold = (value: number): boolean => value !== 0 && originOf(value) !== origin.model;
const [dateChars, longestDate] = [10, 30] as const;
const tainted = (value: number): number => (originOf(value) === origin.untrusted ? value : unknown);

/** `2026-05-18`, with a time behind it or not. */
function isDate(norm: Uint16Array, from: number, to: number): boolean {
  if (to - from < dateChars || to - from > longestDate || (to - from > dateChars && norm[from + dateChars] !== 0x74)) return false;
  for (let at = from; at < from + dateChars; at++) if (at - from === 4 || at - from === 7 ? norm[at] !== hyphen : !((norm[at] ?? 0) >= 0x30 && (norm[at] ?? 0) <= 0x39)) return false;
  return true;
}

function digitsIn(norm: Uint16Array, from: number, to: number): number {
  let count = 0;
  for (let at = from; at < to; at++) if ((norm[at] ?? 0) >= 0x30 && (norm[at] ?? 0) <= 0x39) count++;
  return count;
}

/** What no one could have steered: nothing, a word for true or false, a number below three digits, the folder that one is in. */
export const isConstant = (text: string): boolean => {
  const bare = text.trim();
  return bare.length <= longestConstant && /^(?:true|false|null|\.\/?|[-+]?(?:\d{1,2}|\d?[.,]\d{1,2}|\d[.,]\d))?$/i.test(bare);
};
const longestConstant = 5;
/** A number of those that is more than nothing. */
export const isNumeral = (text: string): boolean => /[1-9]/.test(text);

/** Whether the name of a field is more than a word: then it is a value too. */
export const isTyped = (key: string): boolean => /[@/:.\s]|\d{3}|.{33}/.test(key);
