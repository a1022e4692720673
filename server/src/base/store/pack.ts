import { canonicalize } from "@lanyard/ledger";

/**
 * The compact form in which a record's bytes lie on disk, about a quarter of their JSON. It is lossless: unpacking gives the canonical
 * text that was hashed. Key lists and strings that repeat (names of agents, actions, policies) are stored once as words.
 */
export interface Words {
  /** Number of a word, given to it now if it has none. */
  idOf(text: string): number;
  /** The word as a JSON string. Throws RangeError when no word has this number. */
  quoted(id: number): string;
  /** The word taken as a list of keys, the first as `"key":`, the others as `,"key":`. Throws RangeError likewise. */
  keys(id: number): readonly string[];
}

// First byte of a value. What is not here is a small integer or a word of a small number, in one byte.
const tag = { null: 0, true: 1, false: 2, plus: 3, minus: 4, text: 5, hash: 6, id: 7, word: 8, array: 9, object: 10, number: 11, smallInt: 16, smallWord: 80 } as const;
const smallInts = tag.smallWord - tag.smallInt;
const smallWords = 256 - tag.smallWord;

// Keys whose strings repeat from record to record. Only the packing depends on this list: it may change at any time.
const repeating = new Set([
  "action", "agent", "bundle", "by", "code", "decision", "door", "effect", "kind", "policies", "reversibility", "server", "session",
  "status", "tool", "type", "user", "version", "what", "why", "groups", "parent",
]);

const hashText = /^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/; // 32 bytes in base64url, with the two spare bits zero
const idText = /^[a-z]{1,12}_[A-Za-z0-9_-]{16}$/; // 12 bytes behind a prefix, as the clock makes ids
const numberText = /^[a-z](0|[1-9][0-9]{0,14})$/;

const sortedKeys = (value: object): string[] => {
  const keys = Object.keys(value);
  for (let at = 1; at < keys.length; at++) if ((keys[at - 1] as string) > (keys[at] as string)) return keys.sort();
  return keys;
};

/** A list of keys as one word. Throws RangeError for a key that is empty or has a comma: no record has one. */
const keyList = (keys: readonly string[]): string => {
  for (const key of keys) if (key === "" || key.includes(",")) throw new RangeError(`a key to pack is empty or holds a comma: \`${key}\``);
  return keys.join(",");
};

/** Bytes of the leaf hash kept behind a packed record: they tell a verifier which record of a block was changed. The tree proves it. */
export const markSize = 8;

/** The canonical text of a row. Throws RangeError. */
export const unpackRow = (body: Uint8Array, words: Words): string => unpack(body.subarray(0, -markSize), words);

/** Where the next byte goes to, or comes from. */
interface Cursor {
  bytes: Buffer;
  at: number;
  readonly words: Words;
}

const room = (to: Cursor, size: number): void => {
  if (to.at + size <= to.bytes.length) return;
  const larger = Buffer.allocUnsafe(Math.max(to.bytes.length * 2, to.at + size));
  to.bytes.copy(larger, 0, 0, to.at);
  to.bytes = larger;
};

const put = (to: Cursor, byte: number): void => {
  to.bytes[to.at++] = byte;
};

const putVarint = (to: Cursor, value: number): void => {
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) put(to, (rest % 128) + 128);
  put(to, rest);
};

const putWord = (to: Cursor, text: string): void => {
  const id = to.words.idOf(text);
  if (id < smallWords) return put(to, tag.smallWord + id);
  put(to, tag.word);
  putVarint(to, id);
};

const putInteger = (to: Cursor, value: number): void => {
  if (value >= 0 && value < smallInts) return put(to, tag.smallInt + value);
  put(to, value < 0 ? tag.minus : tag.plus);
  putVarint(to, Math.abs(value));
};

const putString = (to: Cursor, text: string, repeats: boolean): void => {
  if (repeats && text.length <= 256) return putWord(to, text);
  if (text.length === 43 && hashText.test(text)) {
    put(to, tag.hash);
    to.at += to.bytes.write(text, to.at, 32, "base64url");
  } else if (text.length < 30 && idText.test(text)) {
    const split = text.length - 17;
    put(to, tag.id);
    putWord(to, text.slice(0, split));
    to.at += to.bytes.write(text.slice(split + 1), to.at, 12, "base64url");
  } else if (text.length < 17 && numberText.test(text)) {
    put(to, tag.number);
    put(to, text.charCodeAt(0));
    putVarint(to, Number(text.slice(1)));
  } else {
    const size = Buffer.byteLength(text);
    room(to, size + 16);
    put(to, tag.text);
    putVarint(to, size);
    to.at += to.bytes.write(text, to.at, size, "utf8");
  }
};

const putValue = (to: Cursor, value: unknown, repeats: boolean): void => {
  room(to, 64);
  if (typeof value === "string") putString(to, value, repeats);
  else if (typeof value === "number") putInteger(to, value);
  else if (value === null) put(to, tag.null);
  else if (typeof value === "boolean") put(to, value ? tag.true : tag.false);
  else if (Array.isArray(value)) {
    put(to, tag.array);
    putVarint(to, value.length);
    for (const item of value) putValue(to, item, repeats);
  } else {
    const keys = sortedKeys(value as object);
    put(to, tag.object);
    putWord(to, keyList(keys));
    for (const key of keys) putValue(to, (value as Record<string, unknown>)[key], repeating.has(key));
  }
};

/** Packs plain JSON without floats, what a record is, with `tail` behind it. */
export const pack = (value: unknown, words: Words, tail: Uint8Array = new Uint8Array()): Buffer => {
  const cursor: Cursor = { bytes: Buffer.allocUnsafe(256), at: 0, words };
  putValue(cursor, value, false);
  room(cursor, tail.length);
  cursor.bytes.set(tail, cursor.at);
  return cursor.bytes.subarray(0, cursor.at + tail.length);
};

/** A record as its row has it: packed, then the beginning of its leaf hash. */
export const packRow = (record: unknown, leaf: Uint8Array, words: Words): Buffer => pack(record, words, leaf.subarray(0, markSize));

const byte = (from: Cursor): number => {
  if (from.at >= from.bytes.length) throw new RangeError("a packed record ends early");
  return from.bytes[from.at++] as number;
};

const varint = (from: Cursor): number => {
  let value = 0;
  for (let scale = 1; ; scale *= 128) {
    const next = byte(from);
    value += (next & 127) * scale;
    if (next < 128) return value;
    if (scale > 2 ** 49) throw new RangeError("a packed number is too long");
  }
};

const slice = (from: Cursor, size: number, encoding: "utf8" | "base64url"): string => {
  from.at += size;
  if (from.at > from.bytes.length) throw new RangeError("a packed record ends early");
  return from.bytes.toString(encoding, from.at - size, from.at);
};

const wordId = (from: Cursor): number => {
  const first = byte(from);
  if (first >= tag.smallWord) return first - tag.smallWord;
  if (first === tag.word) return varint(from);
  throw new RangeError(`no packed word begins with ${first}`);
};

const arrayText = (from: Cursor): string => {
  const count = varint(from);
  let text = "[";
  for (let item = 0; item < count; item++) text += item > 0 ? `,${valueText(from)}` : valueText(from);
  return `${text}]`;
};

const objectText = (from: Cursor): string => {
  let text = "{";
  for (const key of from.words.keys(wordId(from))) text += key + valueText(from);
  return `${text}}`;
};

const valueText = (from: Cursor): string => {
  const first = byte(from);
  if (first >= tag.smallWord) return from.words.quoted(first - tag.smallWord);
  if (first >= tag.smallInt) return String(first - tag.smallInt);
  switch (first) {
    case tag.null: return "null";
    case tag.true: return "true";
    case tag.false: return "false";
    case tag.plus: return canonicalize(varint(from));
    case tag.minus: return canonicalize(-varint(from));
    case tag.text: return canonicalize(slice(from, varint(from), "utf8"));
    case tag.hash: return `"${slice(from, 32, "base64url")}"`;
    case tag.id: return `${from.words.quoted(wordId(from)).slice(0, -1)}_${slice(from, 12, "base64url")}"`;
    case tag.word: return from.words.quoted(varint(from));
    case tag.array: return arrayText(from);
    case tag.object: return objectText(from);
    case tag.number: return canonicalize(String.fromCharCode(byte(from)) + varint(from));
    default: throw new RangeError(`no packed value begins with ${first}`);
  }
};

/** The canonical JSON text that was packed. Throws RangeError when the bytes are no packed value. */
export const unpack = (bytes: Uint8Array, words: Words): string => {
  const cursor: Cursor = { bytes: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length), at: 0, words };
  const text = valueText(cursor);
  if (cursor.at !== bytes.length) throw new RangeError("bytes follow a packed record");
  return text;
};
