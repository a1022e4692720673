import { isUtf8 } from "node:buffer";
import { gunzipSync, inflateSync } from "node:zlib";
import { isObject, parseJson, type Json } from "@lanyard/contract";
import { isIban } from "../labels/checksums.ts";
import { defaultLimits, type Limits } from "../limits.ts";

/** What a text says once encodings are taken off. */
export interface Unfolded {
  readonly text: string;
  /** Taken off to get here, outermost first; empty for the text as it came. `deep` at the end: there is more in it than was looked through. */
  readonly encodings: readonly string[];
}

/** What is left to spend on one text. */
interface Purse {
  chars: number;
  views: number;
  inflations: number;
  /** Something was left out because the purse was empty. */
  isShort: boolean;
}

type Found = readonly [encoding: string, text: string];

/**
 * The text itself, then what lies in it behind encodings, one in the other as far as the limits unfold_layers, unfold_views and unfold_chars go: percent
 * signs, character references of HTML, escapes of programs, JSON in a string, `data:` URLs, quoted-printable, base64 (also as URLs and mails have it, and
 * of UTF-16), hexadecimal, gzip and zlib, and letters with blanks between them. Of base64 and hexadecimal only what decodes to text counts. Linear in the text and what it unfolds to.
 */
export function unfold(text: string, limits: Pick<Limits, "unfold_layers" | "unfold_views" | "unfold_chars"> = defaultLimits): readonly Unfolded[] {
  if (hints(text) === 0) return [{ text, encodings: [] }];
  if (limits !== defaultLimits) return unfolded(text, limits);
  for (const views of recent) if (views[0]?.text === text) return views;
  const views = unfolded(text, limits);
  if (text.length <= 4096) {
    recent[turn] = views;
    turn = (turn + 1) % recent.length;
  }
  return views;
}

/** Of one call the same texts are asked about several times: what they mean, what labels they carry, where they came from. */
const recent: (readonly Unfolded[])[] = Array.from({ length: 16 }, () => []);
let turn = 0;

function unfolded(text: string, limits: Pick<Limits, "unfold_layers" | "unfold_views" | "unfold_chars">): readonly Unfolded[] {
  const first: Unfolded = { text, encodings: [] };
  const purse: Purse = { chars: Math.max(limits.unfold_chars, 2 * text.length), views: limits.unfold_views, inflations: 16, isShort: false };
  const seen = new Set([text]);
  const views: Unfolded[] = [first];
  let layer: readonly Unfolded[] = views.slice();
  for (let depth = 0; layer.length > 0; depth++) {
    const next: Unfolded[] = [];
    for (const view of layer) {
      const found = decodedOf(view.text, purse).filter(([, inner]) => inner !== "" && !seen.has(inner));
      if (found.length > 0 && depth >= limits.unfold_layers) purse.isShort = true;
      for (const [encoding, inner] of depth >= limits.unfold_layers ? [] : found) {
        if (seen.has(inner)) continue;
        if (purse.views === 0 || purse.chars < inner.length) {
          purse.isShort = true;
          break;
        }
        seen.add(inner);
        purse.views -= 1;
        purse.chars -= inner.length;
        next.push({ text: inner, encodings: [...view.encodings, ...encoding.split(" ")] });
      }
    }
    views.push(...next);
    layer = next;
  }
  return purse.isShort ? [...views, { text: "", encodings: ["deep"] }] : views;
}

const percent = /%[0-9a-f]{2}/i;
const reference = /&(?:#\d|#x[0-9a-f]|[a-z]{2,8};)/i;
const escape = /\\(?:u[0-9a-f{]|U[0-9a-f]|x[0-9a-f]{2}|[0-3][0-7]{2})/i;

/** What a text shows of encodings, as bits. */
const hint = { percent: 1, reference: 2, escape: 4, quoted: 8, data: 16, json: 32, run: 64, hex: 128, spaced: 2048 } as const;

/** The shortest run of digits that says something in base64, and in hexadecimal. */
const shortestRun = { base64: 12, hex: 16 } as const;

/** Digits of base64, of which some are hexadecimal, and what begins an encoding. */
const [base64Digit, hexDigit] = [256, 512] as const;
const marks = Uint16Array.from({ length: 128 }, (_, code) => {
  const char = String.fromCharCode(code);
  const begins = { "%": hint.percent, "&": hint.reference, "\\": hint.escape, "=": hint.quoted }[char] ?? 0;
  return /[A-Za-z0-9+/_-]/.test(char) ? base64Digit | (/[0-9a-fA-F]/.test(char) ? hexDigit : 0) : begins;
});

/** Which encodings can be in a text at all: in most there is none. One look at each character. */
function hints(text: string): number {
  let [found, digits, hexDigits, gap, lone] = [mayBeJson(text) ? hint.json : 0, 0, 0, -1, 0] as [number, number, number, number, number];
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    const mark = code < 128 ? (marks[code] as number) : 0;
    if (mark >= base64Digit) {
      digits++;
      hexDigits = mark & hexDigit ? hexDigits + 1 : 0;
      if (digits === shortestRun.base64) found |= hint.run;
      if (hexDigits === shortestRun.hex) found |= hint.hex;
      continue;
    }
    digits = hexDigits = 0;
    found |= mark;
    if (code === 0x20 || code === 0x2e) {
      lone = at - gap === 2 ? lone + 1 : 0;
      if (lone === mostLone) found |= hint.spaced;
      gap = at;
    }
    if (code === 0x3a && text.slice(Math.max(0, at - 4), at).toLowerCase() === "data") found |= hint.data;
  }
  return found;
}

/** Letters each by itself, as no language writes them: so many in a row. */
const mostLone = 5;

const begins = /^\s*[[{"]/;
const ends = /[\]}"]\s*$/;
const mayBeJson = (text: string): boolean => begins.test(text) && ends.test(text.slice(-64));

/** Each finds what one encoding hides, and pays for what it makes; each is asked only where the text shows something of it. */
const decoders: readonly (readonly [hint: number, decode: (text: string, purse: Purse) => readonly Found[]])[] = [
  [hint.percent, (text) => (percent.test(text) ? [["percent", text.replace(/(?:%[0-9a-f]{2})+/gi, (bytes) => Buffer.from(bytes.replaceAll("%", ""), "hex").toString("utf8"))]] : [])],
  [hint.reference, (text) => (reference.test(text) ? [["html", text.replace(/&(?:#(\d{1,7})|#x([0-9a-f]{1,6})|([a-z]{2,8}))(?:;|(?![a-z0-9]))/gi, named)]] : [])],
  [hint.escape, (text) => (escape.test(text) ? [["escape", text.replace(/\\(?:u\{([0-9a-f]{1,6})\}|u([0-9a-f]{4})|U([0-9a-f]{8})|x([0-9a-f]{2})|([0-3][0-7]{2}))/gi, (_, braced, four, eight, two, octal) => letter(octal === undefined ? Number.parseInt(String(braced ?? four ?? eight ?? two), 16) : Number.parseInt(String(octal), 8)))]] : [])],
  [hint.json, (text) => stringsIn(text).map((inner) => ["json", inner])],
  [hint.quoted, (text) => ((text.match(/=[0-9A-F]{2}/g)?.length ?? 0) >= 3 ? [["quoted-printable", Buffer.from(text.replace(/=\r?\n/g, "").replace(/=([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))), "latin1").toString("utf8")]] : [])],
  [hint.data, (text) => Array.from(text.matchAll(/\bdata:([a-z0-9.+/;=-]{0,128}),([^\s"'<>`]{1,65536})/gi), ([, head = "", body = ""]): Found => (/;base64$/i.test(head) ? ["data-url", body] : ["data-url percent", percentDecoded(body)]))],
  [hint.run, (text, purse) => inRuns(text, /[A-Za-z0-9+/_-]{8,}(?:\r?\n[A-Za-z0-9+/_-]{2,})*/g, purse, base64)],
  [hint.spaced, (text) => [["spaced", text.replace(/(?<!\S)\S(?:[ .]\S(?!\w)){2,}/g, (letters) => letters.replace(/[ .](?=\S)/g, ""))]]],
  [hint.hex, (text, purse) => inRuns(text, /[0-9a-f]{16,}/gi, purse, hexadecimal)],
];

function decodedOf(text: string, purse: Purse): Found[] {
  const shown = hints(text);
  const found: Found[] = [];
  for (const [hint, decode] of decoders) if (shown & hint) found.push(...decode(text, purse));
  return found;
}

/** What each run of digits hides, each run once, and no more than can be shown. */
function inRuns(text: string, runs: RegExp, purse: Purse, decode: (digits: string, purse: Purse) => readonly Found[]): readonly Found[] {
  const seen = new Set<string>();
  const found: Found[] = [];
  runs.lastIndex = 0;
  for (let hit = runs.exec(text); hit; hit = runs.exec(text)) {
    const [digits] = hit;
    if (digits.length < shortestRun.base64 - 1 || seen.has(digits)) continue;
    seen.add(digits);
    found.push(...decode(digits, purse));
    if (found.length > purse.views) break;
  }
  return found;
}

const percentDecoded = (text: string): string => text.replace(/(?:%[0-9a-f]{2})+/gi, (bytes) => Buffer.from(bytes.replaceAll("%", ""), "hex").toString("utf8"));

const entities: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'", nbsp: " ", sol: "/", bsol: "\\", colon: ":", semi: ";", period: ".", comma: ",", commat: "@", num: "#", percnt: "%", lpar: "(", rpar: ")", equals: "=", dollar: "$", grave: "`", lowbar: "_", hyphen: "-", plus: "+", excl: "!", quest: "?", vert: "|", verbar: "|", newline: "\n", tab: "\t", ast: "*" };

const named = (whole: string, decimal?: string, hex?: string, name?: string): string => (name === undefined ? letter(Number.parseInt(decimal ?? hex ?? "", decimal === undefined ? 16 : 10)) : (entities[name.toLowerCase()] ?? whole));

const letter = (code: number): string => (code > 0x10_ffff || (code >= 0xd800 && code <= 0xdfff) ? "\ufffd" : String.fromCodePoint(code));

/** Of a JSON document that is a text here; none when it is none. */
function stringsIn(text: string): readonly string[] {
  let value: Json;
  try {
    value = parseJson(text) as Json;
  } catch {
    return [];
  }
  const found: string[] = [];
  const open: Json[] = [value];
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    if (typeof at === "string") found.push(at);
    else if (Array.isArray(at)) for (const item of at) open.push(item);
    else if (isObject(at)) for (const item of Object.values(at)) open.push(item);
  }
  return found.reverse();
}

/** An IBAN in one word, of the many countries where it is of digits alone: a Belgian one is hexadecimal, too. */
const isAccount = (digits: string): boolean => /^[A-Z]{2}\d{13,32}$/.test(digits) && isIban(digits);

/** A run can begin before the encoded text does, since `/` and `-` are digits too: then it is one, two or three digits off. */
function base64(digits: string, purse: Purse): readonly Found[] {
  const close = digits.replace(/[\r\n]+/g, "");
  if (close.length < 11 || isAccount(close)) return [];
  for (const skipped of close.length < 24 ? [0] : [0, 1, 2, 3]) {
    const bytes = Buffer.from(skipped === 0 ? close : close.slice(skipped), "base64");
    const packed = inflated(bytes, purse);
    if (packed) return [[`base64 ${packed[0]}`, packed[1]]];
    const text = textOf(bytes);
    if (text !== null) return [["base64", text]];
  }
  return [];
}

function hexadecimal(digits: string): readonly Found[] {
  if (isAccount(digits)) return [];
  for (const skipped of [0, 1]) {
    const text = textOf(Buffer.from(digits.slice(skipped), "hex"));
    if (text !== null) return [["hex", text]];
  }
  return [];
}

/** What bytes say that are text, in UTF-8 or UTF-16; null when they are none. */
function textOf(bytes: Buffer): string | null {
  if (bytes.length >= 8 && bytes.length % 2 === 0 && bytes[1] === 0 && bytes[3] === 0 && bytes[5] === 0) return printable(bytes.toString("utf16le"));
  return isUtf8(bytes) ? printable(bytes.toString("utf8")) : null;
}

const printable = (text: string): string | null => (/[^\P{C}\t\n\r\u200b-\u200f\u2060\ufeff]/u.test(text) ? null : text);

/** Bytes that are packed, unpacked within what the purse has left; null when they are not. */
function inflated(bytes: Buffer, purse: Purse): Found | null {
  const isGzip = bytes[0] === 0x1f && bytes[1] === 0x8b;
  const isZlib = bytes[0] === 0x78 && (((bytes[0] << 8) | (bytes[1] ?? 0)) % 31 === 0) && bytes.length > 8;
  if (!isGzip && !isZlib) return null;
  if (purse.inflations === 0 || purse.chars <= 0) {
    purse.isShort = true;
    return null;
  }
  purse.inflations -= 1;
  try {
    const plain = (isGzip ? gunzipSync : inflateSync)(bytes, { maxOutputLength: purse.chars, finishFlush: 2 });
    return plain.length === 0 ? null : [isGzip ? "gzip" : "zlib", plain.toString("utf8")];
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE") purse.isShort = true;
    return null;
  }
}
