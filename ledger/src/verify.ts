/**
 * The ledger's verifier in one file without dependencies: an auditor copies it away and runs it with plain Node, offline.
 *
 *     node verify.ts <export file | proof file | incident report> --key <vkey> [--from <checkpoint file>]
 *
 * It holds every primitive that both sides must agree on: RFC 8785 canonical JSON, RFC 6962 hashes and proofs, C2SP signed-note,
 * tlog-checkpoint and tlog-proof. It asks of `node:crypto` only `hash`, `createPublicKey` and `verify`, so that an import map with
 * these three makes it run in a browser.
 */
import { createPublicKey, hash, verify, type KeyObject } from "node:crypto";

/** A refusal of this file: what was read, and why it is not what it claims to be. */
export class VerifyError extends Error {
  override readonly name = "VerifyError";
}

const fail = (message: string): never => {
  throw new VerifyError(message);
};

// --- RFC 8785, JSON Canonicalization Scheme ---

const escaped = /["\\\u0000-\u001f\ud800-\udfff]/;

const canonicalString = (text: string): string => {
  if (!escaped.test(text)) return `"${text}"`;
  if (!text.isWellFormed()) return fail("a string holds a lone surrogate");
  return JSON.stringify(text); // ECMAScript's escapes are those of RFC 8785 section 3.2.2.2
};

const canonicalNumber = (value: number, doubles: boolean): string => {
  if (Number.isSafeInteger(value)) return value === 0 ? "0" : String(value);
  if (!doubles) return fail(`\`${value}\` is not an integer of at most 2^53-1`);
  return Number.isFinite(value) ? String(value) : fail(`\`${value}\` is not a JSON number`);
};

const canonicalObject = (value: object, doubles: boolean, depth: number): string => {
  const proto: unknown = Object.getPrototypeOf(value);
  if (proto !== Object.prototype && proto !== null) return fail("an object is no plain JSON object");
  const keys = Object.keys(value);
  // Section 3.2.3 sorts by UTF-16 code units, which is how ECMAScript compares strings. Most objects arrive sorted.
  for (let at = 1; at < keys.length; at++) if ((keys[at - 1] as string) > (keys[at] as string)) keys.sort();
  let text = "{";
  for (const key of keys) text += `${text === "{" ? "" : ","}${canonicalString(key)}:${canonicalValue((value as Record<string, unknown>)[key], doubles, depth)}`;
  return `${text}}`;
};

const canonicalArray = (value: readonly unknown[], doubles: boolean, depth: number): string => {
  let text = "[";
  for (let at = 0; at < value.length; at++) text += (at > 0 ? "," : "") + canonicalValue(value[at], doubles, depth);
  return `${text}]`;
};

const canonicalValue = (value: unknown, doubles: boolean, depth: number): string => {
  if (typeof value === "string") return canonicalString(value);
  if (typeof value === "number") return canonicalNumber(value, doubles);
  if (value === null || typeof value === "boolean") return String(value);
  if (typeof value !== "object") return fail(`a value of type \`${typeof value}\` is not JSON`);
  if (depth === 0) return fail(`a value is nested deeper than ${canonicalDepth} levels`);
  return Array.isArray(value) ? canonicalArray(value, doubles, depth - 1) : canonicalObject(value, doubles, depth - 1);
};

const canonicalDepth = 128; // levels of nesting; the gateway's own limit is lower, this one only saves the stack

/**
 * RFC 8785 text of a plain JSON value. Own keys only. Throws {@link VerifyError} on lone surrogates, `undefined`, class instances, too
 * deep nesting, and, unless `numbers` is `doubles`, on numbers that are not integers of at most 2^53-1.
 */
export const canonicalize = (value: unknown, numbers: "integers" | "doubles" = "integers"): string =>
  canonicalValue(value, numbers === "doubles", canonicalDepth);

const utf8 = new TextEncoder();

/** The UTF-8 bytes of {@link canonicalize}: what is hashed, committed to and signed. */
export const canonicalBytes = (value: unknown, numbers: "integers" | "doubles" = "integers"): Uint8Array =>
  utf8.encode(canonicalize(value, numbers));

// --- Base 64, RFC 4648 section 4, strictly: what is decoded encodes to the same text ---

/** Standard Base 64 with padding, as every C2SP format has it. */
export const toBase64 = (bytes: Uint8Array): string => {
  let raw = "";
  for (const byte of bytes) raw += String.fromCharCode(byte);
  return btoa(raw);
};

/** Bytes of strict Base 64, or null. */
export const fromBase64 = (text: string): Uint8Array | null => {
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(text) || text.length % 4 !== 0) return null;
  const raw = atob(text);
  return btoa(raw) === text ? Uint8Array.from(raw, (char) => char.charCodeAt(0)) : null;
};

// --- RFC 6962 section 2.1, Merkle Tree Hash over SHA-256 ---

/** Hash of a leaf, `SHA-256(0x00 || entry)`. A string is taken as its UTF-8 bytes. */
export const leafHash = (entry: string | Uint8Array): Uint8Array => {
  if (typeof entry === "string") return hash("sha256", `\0${entry}`, "buffer"); // U+0000 is the byte 0x00
  const prefixed = new Uint8Array(entry.length + 1);
  prefixed.set(entry, 1);
  return hash("sha256", prefixed, "buffer");
};

const pair = new Uint8Array(65).fill(1, 0, 1);

/** Hash of an inner node, `SHA-256(0x01 || left || right)`. */
export const nodeHash = (left: Uint8Array, right: Uint8Array): Uint8Array => {
  pair.set(left, 1);
  pair.set(right, 33);
  return hash("sha256", pair, "buffer");
};

const emptyRoot = (): Uint8Array => hash("sha256", "", "buffer");

/** True when two byte strings are equal; nothing here is secret. */
export const sameBytes = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && a.every((byte, at) => byte === b[at]);

/** A tree as far as it can be told from its right edge: its size and the roots of its whole subtrees, largest (leftmost) first. */
export interface Frontier {
  readonly size: number;
  readonly peaks: readonly Uint8Array[];
}

export const emptyFrontier: Frontier = { size: 0, peaks: [] };

/** The frontier after one more leaf. `whole` hears of each inner node that this leaf completes: `index`-th of the nodes 2^`level` wide. */
export const grow = (
  { size, peaks }: Frontier, leaf: Uint8Array, whole?: (level: number, index: number, hash: Uint8Array) => void,
): Frontier => {
  const rest = [...peaks];
  let node = leaf;
  let level = 0;
  for (let index = size; odd(index); whole?.(level, index, node)) {
    node = nodeHash(rest.pop() as Uint8Array, node);
    index = half(index);
    level++;
  }
  return { size: size + 1, peaks: [...rest, node] };
};

/** Root of a tree: its peaks folded from the right. */
export const rootOf = ({ peaks }: Frontier): Uint8Array => (peaks.length === 0 ? emptyRoot() : peaks.reduceRight((right, left) => nodeHash(left, right)));

const half = (value: number): number => Math.floor(value / 2); // `>> 1` would stop at 2^31
const odd = (value: number): boolean => value % 2 === 1;

/** The root that an inclusion proof leads to (RFC 9162 section 2.1.3.2), or null when it has the wrong length. */
export const rootFromInclusion = (leaf: Uint8Array, index: number, size: number, proof: readonly Uint8Array[]): Uint8Array | null => {
  if (index < 0 || index >= size) return null;
  let at = index;
  let last = size - 1;
  let root = leaf;
  for (const sibling of proof) {
    if (last === 0) return null;
    if (odd(at) || at === last) {
      root = nodeHash(sibling, root);
      while (!odd(at) && at !== 0) [at, last] = [half(at), half(last)];
    } else root = nodeHash(root, sibling);
    [at, last] = [half(at), half(last)];
  }
  return last === 0 ? root : null;
};

/** True when the tree of `size` and `root` begins with the tree of `fromSize` and `fromRoot` (RFC 9162 section 2.1.4.2). */
export const verifyConsistency = (
  fromSize: number, fromRoot: Uint8Array, size: number, root: Uint8Array, proof: readonly Uint8Array[],
): boolean => {
  if (fromSize > size || fromSize < 0) return false;
  if (fromSize === size) return proof.length === 0 && sameBytes(fromRoot, root);
  if (fromSize === 0) return proof.length === 0 && sameBytes(fromRoot, emptyRoot());
  let at = fromSize - 1;
  let last = size - 1;
  while (odd(at)) [at, last] = [half(at), half(last)];
  const path = at === 0 ? [fromRoot, ...proof] : [...proof]; // the old tree is a whole subtree of the new one: its root is the seed
  const seed = path.shift();
  if (seed === undefined) return false;
  let [older, newer] = [seed, seed];
  for (const sibling of path) {
    if (last === 0) return false;
    if (odd(at) || at === last) {
      [older, newer] = [nodeHash(sibling, older), nodeHash(sibling, newer)];
      while (!odd(at) && at !== 0) [at, last] = [half(at), half(last)];
    } else newer = nodeHash(newer, sibling);
    [at, last] = [half(at), half(last)];
  }
  return last === 0 && sameBytes(older, fromRoot) && sameBytes(newer, root);
};

// --- C2SP signed-note ---

/** A key that notes are checked with. `id` is four bytes; `type` 1 is Ed25519 over the note, 4 a cosignature with its time (C2SP tlog-cosignature). */
export type VerifierKey = { readonly name: string; readonly id: Uint8Array; readonly type: number; readonly key: KeyObject };

/** Key id of C2SP signed-note: `SHA-256(name || 0x0A || type || public key)[:4]`. */
export const keyId = (name: string, type: number, publicKey: Uint8Array): Uint8Array => {
  const label = utf8.encode(`${name}\n`);
  const bytes = new Uint8Array(label.length + 1 + publicKey.length);
  bytes.set(label);
  bytes[label.length] = type;
  bytes.set(publicKey, label.length + 1);
  return hash("sha256", bytes, "buffer").subarray(0, 4);
};

const keyName = /^[^\s+]+$/u;

/** Reads a C2SP verifier key. Throws {@link VerifyError} when it is malformed or its id does not belong to it. */
export const parseVerifierKey = (vkey: string): VerifierKey => {
  const [, name = "", hex = "", material = ""] = /^([^+]+)\+([0-9a-f]{8})\+(.+)$/.exec(vkey.trim()) ?? [];
  const bytes = fromBase64(material);
  if (!keyName.test(name) || bytes === null || bytes.length !== 33) return fail(`\`${vkey}\` is no Ed25519 verifier key`);
  const type = bytes[0] as number;
  const id = keyId(name, type, bytes.subarray(1));
  if (type !== 1 && type !== 4) return fail(`key \`${name}\` has the unknown type ${type}`);
  if (Array.from(id, (byte) => byte.toString(16).padStart(2, "0")).join("") !== hex) return fail(`key \`${name}\` does not have the id ${hex}`);
  const x = toBase64(bytes.subarray(1)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  return { name, id, type, key: createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" }) };
};

/** A note read but not yet believed. */
export interface SignedNote {
  /** With its final newline. */
  readonly text: string;
  readonly signatures: readonly { readonly name: string; readonly id: Uint8Array; readonly signature: Uint8Array }[];
}

/** Splits a note into text and signatures. Throws {@link VerifyError}. At most 64 signatures. */
export const parseNote = (note: string): SignedNote => {
  const split = note.lastIndexOf("\n\n");
  if (split < 0 || !note.endsWith("\n") || /[\u0000-\u0009\u000b-\u001f]/.test(note) || !note.isWellFormed()) return fail("this is no signed note");
  const lines = note.slice(split + 2, -1).split("\n");
  if (lines.length > 64) return fail("more than 64 signatures");
  const signatures = lines.map((line) => {
    const [, name = "", encoded = ""] = /^\u2014 (\S+) (\S+)$/u.exec(line) ?? [];
    const bytes = fromBase64(encoded);
    if (!keyName.test(name) || bytes === null || bytes.length < 5) return fail(`\`${line}\` is no signature line`);
    return { name, id: bytes.subarray(0, 4), signature: bytes.subarray(4) };
  });
  return { text: note.slice(0, split + 1), signatures };
};

/** What a cosignature signs (C2SP tlog-cosignature, Ed25519), `seconds` since the epoch. */
export const cosignedBytes = (text: string, seconds: bigint): Uint8Array => utf8.encode(`cosignature/v1\ntime ${seconds}\n${text}`);

const signs = (key: VerifierKey, text: string, signature: Uint8Array): boolean => {
  if (key.type === 1) return verify(null, utf8.encode(text), key.key, signature);
  if (signature.length !== 72) return false;
  const seconds = new DataView(signature.buffer, signature.byteOffset, 8).getBigUint64(0);
  return seconds < 1n << 63n && verify(null, cosignedBytes(text, seconds), key.key, signature.subarray(8));
};

/** Believes a note: returns its text when one of `keys` signed it. Throws {@link VerifyError}, also when a known key's signature is wrong. */
export const openNote = (note: string, keys: readonly VerifierKey[]): string => {
  const { text, signatures } = parseNote(note);
  const known = signatures.flatMap(({ name, id, signature }) => keys.filter((key) => key.name === name && sameBytes(key.id, id)).map((key) => ({ key, signature })));
  for (const { key, signature } of known) if (!signs(key, text, signature)) return fail(`the signature of \`${key.name}\` does not match`);
  return known.length > 0 ? text : fail("no trusted key signed this note"); // unknown keys must be ignored
};

// --- C2SP tlog-checkpoint and tlog-proof ---

/** `extensions` are the lines behind the root, opaque to this file. */
export type Checkpoint = { readonly origin: string; readonly size: number; readonly root: Uint8Array; readonly extensions: readonly string[] };

const decimal = (text: string): number | null =>
  /^(0|[1-9][0-9]{0,15})$/.test(text) && Number.isSafeInteger(Number(text)) ? Number(text) : null;

/** Reads the text of a checkpoint. Throws {@link VerifyError}. */
export const parseCheckpoint = (text: string): Checkpoint => {
  const [origin = "", lines1 = "", lines2 = "", ...extensions] = text.split("\n").slice(0, -1);
  const size = decimal(lines1);
  const root = fromBase64(lines2);
  if (origin === "" || size === null || root?.length !== 32 || extensions.includes("")) return fail("this is no checkpoint");
  return { origin, size, root, extensions };
};

/** Opens a signed checkpoint: one of `keys` signed it and the origin is that key's name. Throws {@link VerifyError}. */
export const openCheckpoint = (note: string, keys: readonly VerifierKey[]): Checkpoint => {
  const checkpoint = parseCheckpoint(openNote(note, keys));
  if (!keys.some(({ name }) => name === checkpoint.origin)) return fail(`checkpoint of \`${checkpoint.origin}\`, not of the key's ledger`);
  return checkpoint;
};

/** `extra` is opaque, in this ledger the record's bytes; `checkpoint` the signed note, verbatim. */
export type TlogProof = { readonly extra: Uint8Array | null; readonly index: number; readonly path: readonly Uint8Array[]; readonly checkpoint: string };

export const proofHeader = "c2sp.org/tlog-proof@v1";

/** Reads a tlog-proof file. Throws {@link VerifyError}. */
export const parseProof = (file: string): TlogProof => {
  const split = Math.max(file.indexOf("\n\n"), 0);
  const [header, ...lines] = file.slice(0, split).split("\n");
  if (header !== proofHeader) return fail("missing the header of a tlog-proof");
  const extraLine = lines[0]?.startsWith("extra ") ? lines.shift() : undefined;
  const extra = extraLine === undefined ? null : (fromBase64(extraLine.slice(6)) ?? fail("extra data is not base64"));
  const index = decimal(/^index (.*)$/.exec(lines.shift() ?? "")?.[1] ?? "") ?? fail("missing or malformed index");
  if (lines.length > 63) return fail("more than 63 hashes");
  const path = lines.map((line) => {
    const bytes = fromBase64(line);
    return bytes?.length === 32 ? bytes : fail(`\`${line}\` is no hash`);
  });
  return { extra, index, path, checkpoint: file.slice(split + 2) };
};

/** Checks a proof for an entry (by default the one it carries); returns the entry and its checkpoint. Throws {@link VerifyError}. */
export const verifyProof = (file: string, keys: readonly VerifierKey[], entry?: Uint8Array): { entry: Uint8Array; index: number; checkpoint: Checkpoint } => {
  const proof = parseProof(file);
  const checkpoint = openCheckpoint(proof.checkpoint, keys);
  const bytes = entry ?? proof.extra ?? fail("the proof carries no entry");
  const root = rootFromInclusion(leafHash(bytes), proof.index, checkpoint.size, proof.path);
  if (root === null || !sameBytes(root, checkpoint.root)) return fail(`entry ${proof.index} is not in the tree of size ${checkpoint.size}`);
  return { entry: bytes, index: proof.index, checkpoint };
};

// --- The export of a whole ledger: a header, one record a line, an empty line, the checkpoint ---

export const exportHeader = "lanyard-ledger-export/v1";

/**
 * Checks an export's lines after its header (10 GB need no memory). `from` is a checkpoint remembered from before, already opened. No
 * findings means that every record is as it was when the checkpoint was signed.
 */
export const verifyExport = async (
  lines: AsyncIterable<string> | Iterable<string>, keys: readonly VerifierKey[], from: Checkpoint | null = null,
): Promise<{ size: number; findings: readonly { seq: number | null; what: string }[] }> => {
  const findings: { seq: number | null; what: string }[] = [];
  const tail: string[] = [];
  let tree = emptyFrontier;
  let ended = false;
  for await (const line of lines) {
    if (ended) tail.push(line);
    else if (line === "") ended = true;
    else {
      const what = lineFault(line, tree.size);
      if (what !== null) findings.push({ seq: tree.size, what });
      tree = grow(tree, leafHash(line));
      if (from?.size === tree.size && !sameBytes(rootOf(tree), from.root)) findings.push({ seq: null, what: `the first ${from.size} records are not those of the remembered checkpoint` });
    }
  }
  const checkpoint = openCheckpoint(`${tail.join("\n")}\n`, keys);
  if (checkpoint.size !== tree.size) findings.push({ seq: null, what: `${tree.size} records, but the checkpoint covers ${checkpoint.size}` });
  else if (!sameBytes(checkpoint.root, rootOf(tree))) findings.push({ seq: null, what: "the records do not hash to the checkpoint's root" });
  if (from !== null && from.size > tree.size) findings.push({ seq: null, what: `${tree.size} records, but a remembered checkpoint covers ${from.size}` });
  return { size: tree.size, findings };
};

const lineFault = (line: string, seq: number): string | null => {
  try {
    const record: unknown = JSON.parse(line);
    if (canonicalize(record) !== line) return "the record is not canonical";
    return (record as { seq?: unknown }).seq === seq ? null : "the record carries another seq";
  } catch (cause) {
    return `the record cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`;
  }
};

/** Lines of a stream of text. Not `node:readline`, which also splits at U+2028. */
const linesOf = async function* (chunks: AsyncIterable<string>): AsyncGenerator<string> {
  let rest = "";
  for await (const chunk of chunks) {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
};

const main = async (argv: readonly string[]): Promise<string[]> => {
  const option = (name: string): string => (argv.includes(name) ? (argv[argv.indexOf(name) + 1] ?? "") : "");
  const [file = "", vkey, from] = [argv[0], option("--key"), option("--from")];
  if (file === "" || vkey === "") return fail("usage: verify.ts <export file | proof file | incident report> --key <vkey> [--from <checkpoint file>]");
  const { createReadStream, readFileSync } = process.getBuiltinModule("node:fs");
  const keys = [parseVerifierKey(vkey)];
  const stream = createReadStream(file, "utf8");
  const lines = linesOf(stream);
  const { value: header = "" } = (await lines.next()) as { value?: string };
  if (header.startsWith('{"format":"lanyard-incident/v1"')) {
    const { records, proofs } = JSON.parse(readFileSync(file, "utf8")) as { readonly records: readonly object[]; readonly proofs: readonly string[] };
    const entries = records.map((record, at) => verifyProof(proofs[at] ?? "", keys, canonicalBytes(record)).checkpoint);
    return [`ok: ${entries.length} records of the incident are in ${entries[0]?.origin} at size ${entries[0]?.size}; only \`records\` is proven`];
  }
  if (header === proofHeader) {
    stream.destroy();
    const { entry, index, checkpoint } = verifyProof(readFileSync(file, "utf8"), keys);
    return [`ok: entry ${index} is in ${checkpoint.origin} at size ${checkpoint.size}`, new TextDecoder().decode(entry)];
  }
  if (header !== exportHeader) return fail(`\`${file}\` is no export, proof or incident report`);
  const { size, findings } = await verifyExport(lines, keys, from === "" ? null : openCheckpoint(readFileSync(from, "utf8"), keys));
  if (findings.length === 0) return [`ok: ${size} records`];
  process.exitCode = 1;
  return findings.map(({ seq, what }) => `${seq === null ? "ledger" : `record ${seq}`}: ${what}`);
};

// Runs only as a program of its own: `import.meta.main` is new in Node 24.2, the comparison serves what is older.
if (globalThis.process !== undefined && (import.meta.main ?? import.meta.filename === process.argv[1]))
  main(process.argv.slice(2)).then(
    (lines) => process.stdout.write(`${lines.join("\n")}\n`),
    (cause: Error) => {
      process.stderr.write(`${cause.message}\n`);
      process.exitCode = 2;
    },
  );
