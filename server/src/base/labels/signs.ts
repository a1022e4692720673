/** What a text shows of what detectors look for, as bits: what does not show it need not be looked through. */
export const sign = {
  /** Something that is not ASCII. */
  foreign: 1,
  /** Digits enough for a number that somebody could be known by: six with at most two marks between any two, or two behind six letters. */
  number: 2,
  /** What may give a value to a name: `:`, `=`, `is`, a dash with a blank before it. */
  assignment: 4,
  /** Letters of keys without a break, enough for a value behind `Bearer`. */
  credential: 8,
  /** Enough for a key that is known by its format. */
  key: 16,
} as const;

/** The shortest value that is looked for behind `Bearer`, and the shortest key of any known format. */
export const shortestRun = { credential: 16, key: 20 } as const;

const kinds = { digit: 1, letter: 2, keyed: 4, gap: 8, gives: 16, blank: 32, dash: 64 } as const;
const kindOf = (char: string): number =>
  (/\d/.test(char) ? kinds.digit : 0) |
  (/[A-Za-z]/.test(char) ? kinds.letter : 0) |
  (/[A-Za-z0-9_.~/=+-]/.test(char) ? kinds.keyed : 0) |
  (/[ .()/-]/.test(char) ? kinds.gap : 0) |
  (/[:=]/.test(char) ? kinds.gives : 0) |
  (/\s/.test(char) ? kinds.blank : 0) |
  (char === "-" ? kinds.dash : 0);
const table = Uint8Array.from({ length: 128 }, (_, code) => kindOf(String.fromCharCode(code)));
const mostGap = 2;

/** One look at each character. What is not ASCII may be a blank or a dash, and so may give a value to a name. */
export function signsOf(text: string): number {
  let signs = 0;
  let [keyed, letters, run, digits, gap, before] = [0, 0, 0, 0, 0, 0];
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code > 127) {
      signs |= sign.foreign | sign.assignment;
      keyed = letters = run = digits = before = 0;
      continue;
    }
    const kind = table[code] as number;
    if (kind & kinds.keyed) {
      keyed++;
      if (keyed === shortestRun.credential) signs |= sign.credential;
      else if (keyed === shortestRun.key) signs |= sign.key;
    } else keyed = 0;
    if (kind & kinds.letter) {
      letters = run > 0 ? 1 : letters + 1;
      run = digits = 0;
    } else if (kind & kinds.digit) {
      run++;
      digits = gap <= mostGap ? digits + 1 : 1;
      gap = 0;
      if (digits === 6 || (run === 2 && letters >= 6)) signs |= sign.number;
    } else {
      letters = run = 0;
      if (kind & kinds.gap) gap++;
      else digits = 0;
      if (kind & kinds.gives || (kind & kinds.dash && before & kinds.blank) || (kind & kinds.blank && endsInIs(text, at))) signs |= sign.assignment;
    }
    before = kind;
  }
  return signs;
}

const endsInIs = (text: string, end: number): boolean => end >= 2 && (text.charCodeAt(end - 1) | 32) === 0x73 && (text.charCodeAt(end - 2) | 32) === 0x69;
