import { createRequire } from "node:module";
import type * as PhoneNumbers from "libphonenumber-js";
import { isIban, luhn } from "./checksums.ts";
import { nationalIds } from "./national-ids.ts";
import { around, noSpans, type Span } from "./span.ts";

// Personal data by form: each finder looks for a candidate, then at its check digits, then at what stands around it.

const localPart = /[\p{L}\p{N}.!#$%&'*+/=?^_`{|}~-]/u;
const domain = /[\p{L}\p{N}](?:[\p{L}\p{N}-]{0,62}\.)+(?:xn--[a-z0-9-]{2,59}|\p{L}{2,24})(?![\p{L}\p{N}_-])/uy;
/** Last labels that are no domain of anybody's where an `@` stands before them: `logo@2x.png`, `react@18.min.js`. */
const fileEndings = /\.(?:png|jpe?g|gif|svg|webp|avif|ico|css|scss|mjs|cjs|js|tsx?|jsx|json|ya?ml|toml|html?|zip|gz|tgz|jar|service|socket|timer|target|mount)$/i;
const longestLocal = 64;

/** E-mail addresses, without display names. Not what only looks so: `git@host:path`, `user:password@host`, packages with a version. */
export function emailsIn(text: string): Span[] {
  const found: Span[] = [];
  let floor = 0;
  for (let at = text.indexOf("@"); at >= 0; at = text.indexOf("@", at + 1)) {
    let start = at;
    while (start > floor && at - start < longestLocal && localPart.test(text[start - 1] ?? "")) start--;
    while (start < at && /[^\p{L}\p{N}_+]/u.test(text[start] ?? "")) start++;
    // What is put before it by a query or an assignment is no part of it: `?to=ana@example.com`.
    const assigned = text.slice(start, at).lastIndexOf("=");
    if (assigned >= 0) start += assigned + 1;
    const slash = text.slice(start, at).lastIndexOf("/");
    if (slash >= 0) start += slash + 1;
    domain.lastIndex = at + 1;
    const host = domain.exec(text)?.[0];
    if (start === at || host === undefined || fileEndings.test(host) || text[at - 1] === ".") continue;
    const end = at + 1 + host.length;
    const isRemote = /^:[^\s/]/.test(text.slice(end, end + 2)) && !/^:\d{1,5}\b/.test(text.slice(end, end + 6)) && /^(?:git|hg|svn|ssh)$/.test(text.slice(start, at));
    const isUserinfo = text[start - 1] === ":" && /:\/\/[^\s/]{0,128}$/.test(text.slice(Math.max(0, start - 140), start));
    const isLogin = text.slice(Math.max(0, start - 3), start) === "://";
    if (isRemote || isUserinfo || isLogin) continue;
    found.push({ label: "personal.email", start, end });
    floor = end;
  }
  return found;
}

const phone = /(?<![\w.,:/=#-])(?:\+|00(?=[1-9]))?\(?\d(?:[ .()/-]{0,2}\d){6,14}(?![\w-]|[.,:/]\d)/g;
const phoneWords = /\b(?:tel|tél|telefon|telefono|teléfono|telephone|phone|mobile|mobil|cell|handy|fax|call|ring|sms|text|whatsapp|dial|ph|hotline|contact|anruf|appel)\b|☎|📞/u;
const notPhone = /\b(?:order|invoice|ticket|case|ref|reference|id|sku|isbn|issn|serial|version|build|timestamp|epoch|account|iban|card|vat|tax|po|tracking|bestell\w*|rechnung\w*|port|line|size|bytes|sha|commit|uuid|part|batch|lot|ean|upc|imei|amount|total|price|usd|eur|order_no|row|pid)\b[\w .:#-]{0,12}$/;
const regions = ["US", "GB", "DE", "FR", "ES", "IT", "NL", "PL", "SE", "BR", "IN", "AU", "CH", "AT", "JP"] as const;

let loaded: typeof PhoneNumbers | null = null;

/** The world's numbering plans, loaded with the first candidate: whoever has none to judge starts without them. */
const numbers = (): typeof PhoneNumbers => (loaded ??= createRequire(import.meta.url)("libphonenumber-js") as typeof PhoneNumbers);

const isValid = (written: string, region?: PhoneNumbers.CountryCode): boolean => numbers().parsePhoneNumberFromString(written, region)?.isValid() === true;

/** Telephone numbers: international ones by their form, national ones beside a word that says so or written as in North America. */
export function phonesIn(text: string, context: string): readonly Span[] {
  const found: Span[] = [];
  phone.lastIndex = 0;
  for (let hit = phone.exec(text); hit; hit = phone.exec(text)) {
    const { 0: written, index } = hit;
    const digits = written.replace(/\D/g, "");
    if (digits.length < 7 || digits.length > 15 || /^(.)\1+$/.test(digits)) continue;
    const words = around(text, context, index, index);
    const [before] = [`${context} ${text.slice(Math.max(0, index - 40), index)}`.toLowerCase()];
    const isInternational = written.startsWith("+") ? isValid(written) : /^00[1-9]/.test(written) && isValid(`+${digits.slice(2)}`);
    const isAmerican = /^(?:\(\d{3}\) ?|\d{3}[-.])\d{3}[-.]\d{4}$/.test(written) && !notPhone.test(before) && isValid(written, "US");
    const isSaid = phoneWords.test(words) && !notPhone.test(before) && regions.some((region) => isValid(written, region));
    if (isInternational || isAmerican || isSaid) found.push({ label: "personal.phone", start: index, end: index + written.length });
  }
  return found;
}

const ibanLengths = new Map(
  "AD24AE23AL28AT20AZ28BA20BE16BG22BH22BR29BY28CH21CR22CY28CZ24DE22DK18DO28EE20EG29ES24FI18FO18FR27GB22GE22GI23GL18GR27GT28HR21HU28IE22IL23IQ23IS26IT27JO30KW30KZ20LB28LC32LI21LT20LU20LV21LY25MC27MD24ME22MK19MR27MT31MU30NL18NO15PK24PL28PS29PT25QA29RO24RS22SA24SC31SD18SE24SI19SK24SM27ST25SV28TL23TN24TR26UA29VA22VG24XK20"
    .match(/.{4}/g)
    ?.map((entry): [string, number] => [entry.slice(0, 2), Number(entry.slice(2))]),
);
const iban = /(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]){11,30}(?![a-z])/gi;

/** Country and check digits. */
const headChars = 4;

/** Account numbers by their country's length and check digits, together or in groups. */
export const ibansIn = (text: string): readonly Span[] => ibanFormsIn(text).filter(({ plain }) => isIban(plain)).map(({ plain: _plain, ...span }) => span);

/** What has the form and the length of a country's account numbers, whether or not its check digits are right. `plain`: without blanks, in capitals. */
export function ibanFormsIn(text: string): readonly (Span & { readonly plain: string })[] {
  const found: (Span & { readonly plain: string })[] = [];
  iban.lastIndex = 0;
  for (let hit = iban.exec(text); hit; hit = iban.exec(text)) {
    const { 0: written, index } = hit;
    const wanted = ibanLengths.get(written.slice(0, 2).toUpperCase()) ?? 0;
    let end = 0;
    let plain = "";
    while (end < written.length && plain.length < wanted) {
      const letter = written[end] ?? "";
      if (letter !== " " && letter !== "-") plain += letter.toUpperCase();
      end++;
    }
    const isOne = wanted > 0 && plain.length === wanted && !/[A-Za-z0-9]/.test(text[index + end] ?? "");
    iban.lastIndex = index + (isOne ? end : headChars); // what was taken for the rest of it may be another
    if (isOne) found.push({ label: "personal.iban", start: index, end: index + end, plain });
  }
  return found;
}

const card = /(?<![\w.+/-])\d(?:[ -]?\d){11,18}(?![\w/-]|\.\d)/g;
/** Issuers by ISO/IEC 7812 ranges, with the lengths they give out. */
const issuers: readonly (readonly [RegExp, readonly number[]])[] = [
  [/^4/, [13, 16, 19]],
  [/^(?:5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720)/, [16]],
  [/^3[47]/, [15]],
  [/^(?:6011|64[4-9]|65)/, [16, 19]],
  [/^35(?:2[89]|[3-8])/, [16, 17, 18, 19]],
  [/^3(?:0[0-5]|[689])/, [14, 16, 19]],
  [/^62/, [16, 17, 18, 19]],
  [/^(?:50|5[6-8]|6(?:304|759|76[1-3]))/, [12, 13, 14, 15, 16, 17, 18, 19]],
  [/^220[0-4]/, [16]],
];
const cardWords = /\b(?:card|karte|carte|tarjeta|carta|visa|mastercard|amex|american express|maestro|discover|pan|credit|debit|kredit\w*|payment|cc)\b/;
const cardGroups = /^(?:\d{4}([ -])\d{4}\1\d{4}\1\d{1,7}|\d{4}([ -])\d{6}\2\d{4,5}|\d{12,19})$/;

/** Card numbers by issuer, length and check digit; a bare run of digits that is not 15 or 16 long needs a word beside it. */
export function cardsIn(text: string, context: string): readonly Span[] {
  const found: Span[] = [];
  card.lastIndex = 0;
  for (let hit = card.exec(text); hit; hit = card.exec(text)) {
    const { 0: written, index } = hit;
    const digits = written.replace(/\D/g, "");
    if (!cardGroups.test(written) || !luhn(digits) || /^(.)\1+$/.test(digits)) continue;
    if (!issuers.some(([range, lengths]) => range.test(digits) && lengths.includes(digits.length))) continue;
    const usual = digits.length === 16 || (digits.length === 15 && digits.startsWith("3")) || written.length > digits.length;
    const words = around(text, context, index, index + written.length);
    const isOther = notPhone.test(`${context} ${text.slice(Math.max(0, index - 40), index)}`.toLowerCase()) && !cardWords.test(words);
    if ((usual && !isOther) || cardWords.test(words)) found.push({ label: "personal.card", start: index, end: index + written.length });
  }
  return found;
}

const [otherKind, digitKind, capitalKind, markKind] = [0, 1, 2, 3] as const;
const kinds = Uint8Array.from({ length: 128 }, (_, code) => {
  const char = String.fromCharCode(code);
  return /\d/.test(char) ? digitKind : /[A-Z]/.test(char) ? capitalKind : /[ .+-]/.test(char) ? markKind : otherKind;
});
const kindAt = (text: string, at: number): number => kinds[text.charCodeAt(at)] ?? otherKind;

/** Every number of a state's has so many digits or so many capitals at least. */
const fewest = 6;

/**
 * Numbers that states give to people, by form and check digits, and where these say little beside a word that says what they are. All of one lies
 * between two places where there is more than one mark, or something else than a digit, a capital or a mark: forms are tried on such stretches alone.
 */
export function nationalIdsIn(text: string, context: string): readonly Span[] {
  let found: Span[] | null = null;
  for (let from = 0, to = 0; from + fewest < text.length; from = to + 1) {
    let [digits, capitals] = [0, 0];
    for (to = from; to < text.length; to++) {
      const kind = kindAt(text, to);
      if (kind === digitKind) digits++;
      else if (kind === capitalKind) capitals++;
      else if (kind === otherKind || to === from || kindAt(text, to - 1) === markKind) break;
    }
    if (digits >= fewest || capitals >= fewest) statesNumbers(text, context, from, to, (found ??= []));
  }
  return found ?? noSpans;
}

/** In one stretch; forms look at one character before it and at two behind. */
function statesNumbers(text: string, context: string, from: number, to: number, found: Span[]): void {
  const before = Math.max(0, from - 1);
  const stretch = text.slice(before, to + 2);
  for (const { form, holds, words, alone } of nationalIds) {
    form.lastIndex = 0;
    for (let hit = form.exec(stretch); hit; hit = form.exec(stretch)) {
      const [written, index] = [hit[0], hit.index + before];
      const id = written.replace(/[ .\-+/]/g, "").toUpperCase();
      if (!holds(id, written)) continue;
      const near = around(text, context, index, index + written.length);
      const isOther = notPhone.test(`${context} ${text.slice(Math.max(0, index - 40), index)}`.toLowerCase());
      if ((alone(id, written) && !isOther) || words.test(near)) found.push({ label: "personal.national-id", start: index, end: index + written.length });
    }
  }
}
