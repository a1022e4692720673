import { createPrivateKey, generateKeyPairSync, sign, type KeyObject } from "node:crypto";
import { cosignedBytes, fromBase64, keyId, toBase64, VerifyError } from "./verify.ts";

/** A key that signs notes. `type` 1 signs the note, 4 cosigns it with a time (C2SP tlog-cosignature). */
export interface Signer {
  readonly name: string;
  readonly type: 1 | 4;
  /** `<name>+<hex key id>+<base64>`, what verifiers are given. */
  readonly vkey: string;
  /** `PRIVATE+KEY+<name>+<hex key id>+<base64>`, the form other note tools read. Secret. */
  readonly skey: string;
  readonly id: Uint8Array;
  readonly key: KeyObject;
}

const hex = (bytes: Uint8Array): string => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
const typed = (type: number, bytes: Uint8Array): string => toBase64(Uint8Array.of(type, ...bytes));
const raw = (text: string | undefined): Uint8Array => fromBase64(`${(text ?? "").replaceAll("-", "+").replaceAll("_", "/")}=`) as Uint8Array;

const signerOf = (name: string, type: 1 | 4, key: KeyObject): Signer => {
  const jwk = key.export({ format: "jwk" });
  const id = keyId(name, type, raw(jwk.x));
  return {
    name, type, id, key,
    vkey: `${name}+${hex(id)}+${typed(type, raw(jwk.x))}`,
    skey: `PRIVATE+KEY+${name}+${hex(id)}+${typed(type, raw(jwk.d))}`,
  };
};

/** Makes a new Ed25519 key for notes. `name` may hold neither spaces nor `+`. */
export const newSigner = (name: string, type: 1 | 4 = 1): Signer => {
  if (!/^[^\s+]+$/u.test(name)) throw new VerifyError(`\`${name}\` is no key name`);
  return signerOf(name, type, generateKeyPairSync("ed25519").privateKey);
};

// PKCS #8 of an Ed25519 key is this prefix and the 32 byte seed (RFC 8410 section 7).
const pkcs8 = Uint8Array.of(0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20);

/** Reads a signer's secret form. Throws {@link VerifyError}, without repeating the secret. */
export const parseSigner = (skey: string): Signer => {
  const [, name = "", id = "", material = ""] = /^PRIVATE\+KEY\+([^+]+)\+([0-9a-f]{8})\+(.+)$/.exec(skey.trim()) ?? [];
  const bytes = fromBase64(material);
  const type = bytes?.[0];
  if (bytes?.length !== 33 || (type !== 1 && type !== 4)) throw new VerifyError("this is no Ed25519 signing key");
  const key = createPrivateKey({ key: Buffer.from([...pkcs8, ...bytes.subarray(1)]), format: "der", type: "pkcs8" });
  const signer = signerOf(name, type, key);
  if (hex(signer.id) !== id) throw new VerifyError(`signing key \`${name}\` does not have the id ${id}`);
  return signer;
};

const signatureLine = ({ name, id }: Signer, signature: Uint8Array): string => `\u2014 ${name} ${toBase64(Uint8Array.of(...id, ...signature))}\n`;

/** Signs `text` (which ends in a newline) as a C2SP signed note. */
export const signNote = (text: string, signer: Signer): string => {
  if (!text.endsWith("\n")) throw new VerifyError("a note ends in a newline");
  return `${text}\n${signatureLine(signer, sign(null, Buffer.from(text), signer.key))}`;
};

/** The text of a checkpoint (C2SP tlog-checkpoint) of a tree. `extensions` are lines, none of them empty. */
export const checkpointText = (origin: string, size: number, root: Uint8Array, extensions: readonly string[] = []): string =>
  [origin, size, toBase64(root), ...extensions, ""].join("\n");

/** A signature line for a checkpoint's text, cosigned at `seconds` since the epoch. The caller has checked consistency. */
export const cosignatureLine = (text: string, signer: Signer, seconds: number): string => {
  const stamped = Buffer.alloc(72);
  stamped.writeBigUInt64BE(BigInt(seconds));
  stamped.set(sign(null, cosignedBytes(text, BigInt(seconds)), signer.key), 8);
  return signatureLine(signer, stamped);
};
