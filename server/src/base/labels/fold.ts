/** A text as detectors read it, and where each of its characters stood. */
export interface Folded {
  /** Digits of every script as 0-9, letters that look like Latin ones as these, dashes and spaces of one kind each, and nothing that does not show. */
  readonly text: string;
  /** The original's offsets (UTF-16) that a range of `text` covers. */
  original(start: number, end: number): { readonly start: number; readonly end: number };
}

const isPlain = /^[\x00-\x7f]*$/;
const ignored = /[\p{Default_Ignorable_Code_Point}\u2800\u180e]|(?![\t\n\r])\p{Cc}/u;
const digit = /\p{Nd}/u;

/** Letters of other scripts that read as Latin ones, such as a key that was typed with them. */
const lookalikes = new Map(
  [..."аaеeоoрpсcуyхxіiјjѕsһhԁdԛqԝwАAВBЕEКKМMНHОOРPСCТTУYХXІIЈJЅSΑAΒBΕEΖZΗHΙIΚKΜMΝNΟOΡPΤTΥYΧXοoνvιi"].reduce<[string, string][]>((pairs, letter, at, all) => (at % 2 === 1 ? [...pairs, [all[at - 1] ?? "", letter]] : pairs), []),
);

const foldedLetter = (letter: string): string => {
  if (ignored.test(letter)) return "";
  if (digit.test(letter)) return String(digitOf(letter.codePointAt(0) ?? 0));
  const alike = lookalikes.get(letter);
  if (alike !== undefined) return alike;
  if (/\p{Zs}/u.test(letter)) return " ";
  if (/[\p{Pd}\u2212]/u.test(letter)) return "-";
  return letter.normalize("NFKC");
};

/** Decimal digits stand in runs of ten, the first of which is the zero. */
const digitOf = (code: number): number => {
  let zero = code;
  while (zero > code - 9 && digit.test(String.fromCodePoint(zero - 1))) zero--;
  // Runs that touch (the mathematical digits) are fifty long: their zero lies a multiple of ten below.
  if (code >= 0x1d7ce && code <= 0x1d7ff) return (code - 0x1d7ce) % 10;
  return (code - zero) % 10;
};

const known = new Map<string, string>();
const mostKnown = 4096;

const folded = (letter: string): string => {
  let now = known.get(letter);
  if (now === undefined) {
    now = foldedLetter(letter);
    if (known.size < mostKnown) known.set(letter, now);
  }
  return now;
};

/** Linear in the text; the very same text where it is ASCII. */
export function fold(text: string): Folded {
  if (isPlain.test(text)) return { text, original: (start, end) => ({ start, end }) };
  const places: number[] = [];
  let out = "";
  let at = 0;
  for (const letter of text) {
    const now = letter.length === 1 && letter < "\x80" ? letter : folded(letter);
    for (let one = 0; one < now.length; one++) places.push(at);
    out += now;
    at += letter.length;
  }
  places.push(text.length);
  const after = (end: number): number => {
    const last = places[end - 1] ?? 0;
    return last + (String.fromCodePoint(text.codePointAt(last) ?? 0).length || 1);
  };
  return { text: out, original: (start, end) => ({ start: places[start] ?? 0, end: end === 0 ? 0 : Math.min(text.length, after(end)) }) };
}
