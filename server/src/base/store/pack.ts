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
  /** The word taken as a list of keys, each as `"key":`. Throws RangeError likewise. */
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

/** A list of keys as one word. Throws RangeError for a key with a comma: no record has one. */
const keyList = (keys: readonly string[]): string => {
  const list = keys.join(",");
  let commas = 0;
  for (let at = list.indexOf(","); at >= 0; at = list.indexOf(",", at + 1)) commas++;
  if (commas !== Math.max(0, keys.length - 1)) throw new RangeError("a key to pack holds a comma");
  return list;
};

/** Bytes of the leaf hash kept behind a packed record: they tell a verifier which record of a block was changed. The tree proves it. */
export const markSize = 8;

/** A record as its row has it: packed, then the beginning of its leaf hash. */
export const packRow = (record: unknown, leaf: Uint8Array, words: Words): Buffer => Buffer.concat([pack(record, words), leaf.subarray(0, markSize)]);

/** The canonical text of a row. Throws RangeError. */
export const unpackRow = (body: Uint8Array, words: Words): string => unpack(body.subarray(0, -markSize), words);

/** Packs plain JSON without floats: what a record is. The buffer is fresh. */
export const pack = (value: unknown, words: Words): Buffer => {
  let out = Buffer.allocUnsafe(512);
  let at = 0;
  const room = (size: number): void => {
    if (at + size <= out.length) return;
    const larger = Buffer.allocUnsafe(Math.max(out.length * 2, at + size));
    out.copy(larger, 0, 0, at);
    out = larger;
  };
  const varint = (value: number): void => {
    let rest = value;
    for (; rest > 127; rest = Math.floor(rest / 128)) out[at++] = (rest % 128) + 128;
    out[at++] = rest;
  };
  const word = (text: string): void => {
    const id = words.idOf(text);
    if (id < smallWords) out[at++] = tag.smallWord + id;
    else {
      out[at++] = tag.word;
      varint(id);
    }
  };
  const integer = (value: number): void => {
    if (value >= 0 && value < smallInts) out[at++] = tag.smallInt + value;
    else {
      out[at++] = value < 0 ? tag.minus : tag.plus;
      varint(Math.abs(value));
    }
  };
  const string = (text: string, repeats: boolean): void => {
    if (repeats && text.length <= 256) word(text);
    else if (text.length === 43 && hashText.test(text)) {
      out[at++] = tag.hash;
      at += out.write(text, at, 32, "base64url");
    } else if (text.length < 30 && idText.test(text)) {
      out[at++] = tag.id;
      const split = text.length - 17;
      word(text.slice(0, split));
      at += out.write(text.slice(split + 1), at, 12, "base64url");
    } else if (text.length < 17 && numberText.test(text)) {
      out[at++] = tag.number;
      out[at++] = text.charCodeAt(0);
      varint(Number(text.slice(1)));
    } else {
      const size = Buffer.byteLength(text);
      room(size + 16);
      out[at++] = tag.text;
      varint(size);
      at += out.write(text, at, size, "utf8");
    }
  };
  const any = (value: unknown, repeats: boolean): void => {
    room(64);
    if (typeof value === "string") string(value, repeats);
    else if (typeof value === "number") integer(value);
    else if (value === null) out[at++] = tag.null;
    else if (typeof value === "boolean") out[at++] = value ? tag.true : tag.false;
    else if (Array.isArray(value)) {
      out[at++] = tag.array;
      varint(value.length);
      for (const item of value) any(item, repeats);
    } else object(value as Record<string, unknown>);
  };
  const object = (value: Record<string, unknown>): void => {
    const keys = sortedKeys(value);
    out[at++] = tag.object;
    word(keyList(keys));
    for (const key of keys) any(value[key], repeating.has(key));
  };
  any(value, false);
  return out.subarray(0, at);
};

/** The canonical JSON text that was packed. Throws RangeError when the bytes are no packed value. */
export const unpack = (bytes: Uint8Array, words: Words): string => {
  const from = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  let at = 0;
  const byte = (): number => {
    if (at >= from.length) throw new RangeError("a packed record ends early");
    return from[at++] as number;
  };
  const varint = (): number => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const next = byte();
      value += (next & 127) * scale;
      if (next < 128) return value;
      if (scale > 2 ** 49) throw new RangeError("a packed number is too long");
    }
  };
  const slice = (size: number, encoding: "utf8" | "base64url"): string => {
    if (at + size > from.length) throw new RangeError("a packed record ends early");
    at += size;
    return from.toString(encoding, at - size, at);
  };
  const wordId = (): number => {
    const first = byte();
    if (first >= tag.smallWord) return first - tag.smallWord;
    return first === tag.word ? varint() : fail(first);
  };
  const fail = (first: number): never => {
    throw new RangeError(`no packed value begins with ${first}`);
  };
  const items = (count: number): string => {
    let text = "";
    for (let item = 0; item < count; item++) text += item > 0 ? `,${any()}` : any();
    return text;
  };
  const object = (): string => {
    let text = "{";
    const keys = words.keys(wordId());
    for (let key = 0; key < keys.length; key++) text += key > 0 ? `,${keys[key]}${any()}` : `${keys[key]}${any()}`;
    return `${text}}`;
  };
  const any = (): string => {
    const first = byte();
    if (first >= tag.smallWord) return words.quoted(first - tag.smallWord);
    if (first >= tag.smallInt) return String(first - tag.smallInt);
    switch (first) {
      case tag.null: return "null";
      case tag.true: return "true";
      case tag.false: return "false";
      case tag.plus: return String(varint());
      case tag.minus: return canonicalize(-varint());
      case tag.text: return canonicalize(slice(varint(), "utf8"));
      case tag.hash: return `"${slice(32, "base64url")}"`;
      case tag.id: return `${words.quoted(wordId()).slice(0, -1)}_${slice(12, "base64url")}"`;
      case tag.word: return words.quoted(varint());
      case tag.array: return `[${items(varint())}]`;
      case tag.object: return object();
      case tag.number: return `"${String.fromCharCode(byte())}${varint()}"`;
      default: return fail(first);
    }
  };
  const text = any();
  if (at !== from.length) throw new RangeError("bytes follow a packed record");
  return text;
};
