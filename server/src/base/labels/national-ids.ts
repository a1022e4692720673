import { isDate, luhn, mod11and10, numberAt, verhoeff, weighted } from "./checksums.ts";

/** A number that a state gives to a person. `form`: as it is written; `holds`: of its letters and digits alone, upper case. */
interface NationalId {
  readonly form: RegExp;
  readonly holds: (id: string, written: string) => boolean;
  /** Words beside it that say what it is. */
  readonly words: RegExp;
  /** Whether the form and check digits say enough; else one of the words must stand beside it. */
  readonly alone: (id: string, written: string) => boolean;
}

const always = (): boolean => true;
const never = (): boolean => false;
const repeats = (id: string): boolean => /^(.)\1+$/.test(id);
const separated = (_id: string, written: string): boolean => /[ .\-/]/.test(written);

const dniLetters = "TRWAGMYFPDXBNJZSQVHLCKE";
const cfOdd: Readonly<Record<string, number>> = Object.fromEntries([..."0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"].map((letter) => {
  const odd = [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23];
  return [letter, odd[letter < "A" ? Number(letter) : letter.charCodeAt(0) - 65] ?? 0];
}));

const codiceFiscale = (id: string): boolean => {
  let sum = 0;
  for (let place = 0; place < 15; place++) {
    const letter = id[place] ?? "";
    sum += place % 2 === 0 ? (cfOdd[letter] ?? 0) : letter < "A" ? Number(letter) : letter.charCodeAt(0) - 65;
  }
  return id[15] === String.fromCharCode(65 + (sum % 26));
};

/** DD or DDMM may carry 40 (women, Italy) or 60 (coordination numbers, Sweden), months 20 to 80 (centuries, Poland). */
const pesel = (id: string): boolean => isDate(numberAt(id, 0, 2), numberAt(id, 2, 4) % 20, numberAt(id, 4, 6)) && weighted(id, [1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1]) % 10 === 0;
const personnummer = (id: string): boolean => {
  const short = id.slice(-10);
  return isDate(numberAt(short, 0, 2), numberAt(short, 2, 4), numberAt(short, 4, 6) % 60) && luhn(short) && (id.length === 10 || /^(?:18|19|20)/.test(id));
};

const steuerId = (id: string): boolean => {
  const counts = new Map<string, number>();
  for (const digit of id.slice(0, 10)) counts.set(digit, (counts.get(digit) ?? 0) + 1);
  const most = Math.max(...counts.values());
  return !id.startsWith("0") && mod11and10(id) && (most === 2 || most === 3) && [...counts.values()].filter((count) => count > 1).length === 1;
};

const nir = (id: string): boolean => {
  const digits = id.replace("2A", "19").replace("2B", "18");
  const month = numberAt(id, 3, 5);
  return ((month >= 1 && month <= 12) || (month >= 20 && month <= 42) || month >= 50) && 97 - Number(BigInt(digits.slice(0, 13)) % 97n) === numberAt(digits, 13, 15);
};

const cpf = (id: string): boolean => {
  const check = (count: number): number => {
    let sum = 0;
    for (let place = 0; place < count; place++) sum += Number(id[place]) * (count + 1 - place);
    return ((sum * 10) % 11) % 10;
  };
  return !repeats(id) && check(9) === Number(id[9]) && check(10) === Number(id[10]);
};

const tckn = (id: string): boolean => {
  const digit = [...id].map(Number);
  const odd = [0, 2, 4, 6, 8].reduce((sum, place) => sum + (digit[place] ?? 0), 0);
  const even = [1, 3, 5, 7].reduce((sum, place) => sum + (digit[place] ?? 0), 0);
  return !id.startsWith("0") && (odd * 7 + 90 - even) % 10 === digit[9] && digit.slice(0, 10).reduce((sum, one) => sum + one, 0) % 10 === digit[10];
};

const belgian = (id: string): boolean => {
  const [stem, check] = [Number(id.slice(0, 9)), 0 + numberAt(id, 9, 11)];
  return isDate(numberAt(id, 0, 2), numberAt(id, 2, 4) % 20 || 1, numberAt(id, 4, 6) || 1) && (97 - (stem % 97) === check || 97 - ((2_000_000_000 + stem) % 97) === check);
};

const finnish = (id: string): boolean => isDate(numberAt(id, 4, 6), numberAt(id, 2, 4), numberAt(id, 0, 2)) && "0123456789ABCDEFHJKLMNPRSTUVWXY"[Number(id.slice(0, 6) + id.slice(-4, -1)) % 31] === id.at(-1);

const chinese = (id: string): boolean => isDate(numberAt(id, 6, 10), numberAt(id, 10, 12), numberAt(id, 12, 14)) && /^(?:19|20)/.test(id.slice(6)) && "10X98765432"[weighted(id.slice(0, 17), [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]) % 11] === id[17];

const ean13 = (id: string): boolean => weighted(id, [1, 3]) % 10 === 0;

const nric = (id: string): boolean => {
  const sum = weighted(id.slice(1, 8), [2, 7, 6, 5, 4, 3, 2]) + (/^[TG]/.test(id) ? 4 : 0);
  return (/^[ST]/.test(id) ? "JZIHGFEDCBA" : "XWUTRQPNMLK")[sum % 11] === id[8];
};

const bsn = (id: string): boolean => !repeats(id) && (weighted(id.slice(0, 8), [9, 8, 7, 6, 5, 4, 3, 2]) - Number(id[8])) % 11 === 0;
const nhs = (id: string): boolean => !repeats(id) && (11 - (weighted(id.slice(0, 9), [10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11)) % 11 === Number(id[9]);
const ssn = (id: string): boolean => !/^(?:000|666|9)|^...00|0000$/.test(id) && id !== "123456789" && id !== "078051120" && !repeats(id);

/** By their shapes no two of one length may be told apart but by check digits; each text is tried with every form. */
export const nationalIds: readonly NationalId[] = [
  // Without check digits: only as it is written on the card, or beside its name.
  { form: /(?<![\w.-])\d{3}-\d{2}-\d{4}(?![\w-]|\.\d)|(?<![\w.-])\d{3} \d{2} \d{4}(?![\w-]|\.\d)|(?<![\w.-])\d{9}(?![\w-]|\.\d)/g, holds: ssn, words: /\bssn\b|social.?sec|\bitin\b|tax.?payer/, alone: (_id, written) => written.includes("-") },
  { form: /(?<!\w)(?!BG|GB|NK|KN|TN|NT|ZZ)[ABCEGHJ-PRSTW-Z][ABCEGHJ-NPRSTW-Z] ?\d{2} ?\d{2} ?\d{2} ?[A-D](?!\w)/g, holds: always, words: /national insurance|\bnin?o\b/, alone: always },
  { form: /(?<![\w.+-])\d{3}[ -]?\d{3}[ -]?\d{4}(?![\w-]|\.\d)/g, holds: nhs, words: /\bnhs\b|health service/, alone: never },
  { form: /(?<![\w.+-])\d{2} ?\d{3} ?\d{3} ?\d{3}(?![\w-]|\.\d)/g, holds: steuerId, words: /steuer|\btin\b|tax.?id|idnr/, alone: separated },
  { form: /(?<![\w.-])[12] ?\d{2} ?\d{2} ?(?:\d{2}|2[AB]) ?\d{3} ?\d{3} ?\d{2}(?![\w-]|\.\d)/g, holds: nir, words: /\bnir\b|sécu|secu|\binsee\b/, alone: always },
  { form: /(?<![\w.-])\d{2}\.?\d{3}\.?\d{3}[- ]?[A-HJ-NP-TV-Z](?![\w-])/g, holds: (id) => dniLetters[Number(id.slice(0, 8)) % 23] === id[8], words: /\bdni\b|\bnif\b|identidad/, alone: always },
  { form: /(?<![\w.-])[XYZ][- ]?\d{7}[- ]?[A-HJ-NP-TV-Z](?![\w-])/g, holds: (id) => dniLetters[Number("XYZ".indexOf(id[0] ?? "") + id.slice(1, 8)) % 23] === id[8], words: /\bnie\b|extranjero/, alone: always },
  { form: /(?<!\w)[A-Z]{6}[0-9LMNP-V]{2}[A-EHLMPR-T][0-9LMNP-V]{2}[A-Z][0-9LMNP-V]{3}[A-Z](?!\w)/g, holds: codiceFiscale, words: /fiscale/, alone: always },
  { form: /(?<![\w.+-])\d{4}[. ]?\d{2}[. ]?\d{3}(?![\w-]|\.\d)/g, holds: bsn, words: /\bbsn\b|burgerservice|sofi/, alone: never },
  { form: /(?<![\w.+-])\d{11}(?![\w-]|\.\d)/g, holds: pesel, words: /pesel/, alone: always },
  { form: /(?<![\w.+-])(?:\d{2})?\d{6}[-+]\d{4}(?![\w-]|\.\d)|(?<![\w.+-])(?:19|20)\d{10}(?![\w-]|\.\d)|(?<![\w.+-])\d{10}(?![\w-]|\.\d)/g, holds: personnummer, words: /person(?:al)?.?n(?:umme)?r|samordning|swedish/, alone: separated },
  { form: /(?<![\w.+-])\d{3}\.?\d{3}\.?\d{3}-?\d{2}(?![\w-]|\.\d)/g, holds: cpf, words: /\bcpf\b|cadastro/, alone: separated },
  { form: /(?<![\w.+-])[2-9]\d{3}[ -]?\d{4}[ -]?\d{4}(?![\w-]|[ -]\d|\.\d)/g, holds: verhoeff, words: /aadha?ar|uidai|\buid\b/, alone: (_id, written) => written.includes(" ") },
  { form: /(?<![\w.-])[A-Z]{3}[ABCFGHLJPT][A-Z]\d{4}[A-Z](?!\w)/g, holds: always, words: /\bpan\b|permanent account|income.?tax/, alone: never },
  { form: /(?<![\w.-])756\.?\d{4}\.?\d{4}\.?\d{2}(?![\w-]|\.\d)/g, holds: ean13, words: /\bahv\b|\bavs\b|\boasi\b|versicherten/, alone: always },
  { form: /(?<![\w.-])\d{2}\.?\d{2}\.?\d{2}-?\d{3}\.?\d{2}(?![\w-]|\.\d)/g, holds: belgian, words: /rijksregister|registre national|\bnrn\b|belgi/, alone: separated },
  { form: /(?<![\w.-])\d{6}[-+A-FU-Y]\d{3}[0-9A-Y](?!\w)/g, holds: finnish, words: /hetu|henkilötunnus/, alone: always },
  { form: /(?<![\w.-])\d{6}-?\d{4}(?![\w-]|\.\d)/g, holds: (id) => isDate(numberAt(id, 4, 6), numberAt(id, 2, 4), numberAt(id, 0, 2)), words: /\bcpr\b/, alone: never },
  { form: /(?<![\w.-])\d{17}[\dX](?!\w)/g, holds: chinese, words: /身份证|resident id/, alone: always },
  { form: /(?<![\w.-])\d{11}(?![\w-]|\.\d)/g, holds: tckn, words: /t\.?c\.? ?kimlik|tckn|kimlik/, alone: never },
  { form: /(?<!\w)[STFG]\d{7}[A-Z](?!\w)/g, holds: nric, words: /nric|\bfin\b/, alone: always },
  { form: /(?<![\w.-])\d{13}(?![\w-]|\.\d)/g, holds: (id) => isDate(numberAt(id, 0, 2), numberAt(id, 2, 4), numberAt(id, 4, 6)) && /^.{10}[01]/.test(id) && luhn(id), words: /south africa|\brsa\b|\bsa id\b|id.?number/, alone: never },
  { form: /(?<![\w.-])\d{3}[ -]?\d{3}[ -]?\d{3}(?![\w-]|\.\d)/g, holds: (id) => !repeats(id) && luhn(id), words: /\bsin\b|social insurance/, alone: never },
];
