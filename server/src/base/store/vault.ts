import { createCipheriv, createDecipheriv, createSecretKey, hash, type KeyObject } from "node:crypto";
import { Fault, type Json } from "@lanyard/contract";
import { canonicalize } from "@lanyard/ledger";
import type { Clock } from "../clock.ts";
import { isSame } from "../same.ts";
import type { Sealed } from "./port.ts";

// Lengths in bytes. A box is nonce, ciphertext of (salt, plaintext), tag; a wrapped key is nonce, ciphertext of the key, tag.
const nonceSize = 12;
const tagSize = 16;
const saltSize = 16;
const keySize = 32;

/** A data subject: its name only as a keyed hash, its key only under the tenant's key. */
export interface Subject {
  /** HMAC-SHA256 of the subject's name under the tenant key. */
  readonly tag: Buffer;
  readonly wrapped: Uint8Array;
  readonly key: KeyObject;
  /** True once its row is on disk. */
  stored: boolean;
  /** Number of erasures before it was read or made. */
  readonly born: number;
}

/** {@link Sealed} with what has to be written. */
export interface Box extends Sealed {
  readonly number: number;
  readonly subject: Subject;
  readonly bytes: Buffer;
}

const inner = Buffer.alloc(64 + 4096);
const outer = Buffer.alloc(96);

/**
 * HMAC-SHA256 (RFC 2104) with a key of at most 64 bytes, from two one-shot hashes: a fifth of the time of `createHmac`, which makes a key
 * object and a stream each time.
 */
export const hmac = <E extends "buffer" | "base64url">(key: Uint8Array, message: Uint8Array, encoding: E): E extends "buffer" ? Buffer : string => {
  const padded = message.length <= inner.length - 64 ? inner.subarray(0, 64 + message.length) : Buffer.alloc(64 + message.length);
  padded.fill(0x36, 0, 64).set(message, 64);
  outer.fill(0x5c, 0, 64);
  for (let at = 0; at < key.length; at++) {
    padded[at] = (key[at] as number) ^ 0x36;
    outer[at] = (key[at] as number) ^ 0x5c;
  }
  outer.set(hash("sha256", padded, "buffer"), 64);
  return hash("sha256", outer, encoding) as E extends "buffer" ? Buffer : string;
};

/** The commitment to a value's canonical bytes: HMAC-SHA256 under its salt, base64url. */
export const commitmentOf = (salt: Uint8Array, plain: Uint8Array): string => hmac(salt, plain, "base64url");

const lock = (key: KeyObject, nonce: Buffer, about: Buffer, plain: Uint8Array): Buffer => {
  const cipher = createCipheriv("aes-256-gcm", key, nonce).setAAD(about);
  const sealed = cipher.update(plain);
  cipher.final(); // GCM is a stream: nothing is left
  return Buffer.concat([nonce, sealed, cipher.getAuthTag()], nonceSize + plain.length + tagSize);
};

const unlock = (key: KeyObject, box: Uint8Array, about: Buffer): Buffer => {
  const bytes = Buffer.from(box.buffer, box.byteOffset, box.length);
  const decipher = createDecipheriv("aes-256-gcm", key, bytes.subarray(0, nonceSize), { authTagLength: tagSize }).setAAD(about);
  decipher.setAuthTag(bytes.subarray(-tagSize));
  return Buffer.concat([decipher.update(bytes.subarray(nonceSize, -tagSize)), decipher.final()]);
};

/** A payload as it lies on disk, with its subject's tag and wrapped key. */
interface ShelvedBox {
  readonly box: Uint8Array;
  readonly tag: Uint8Array;
  readonly wrapped: Uint8Array;
}

/** Where the vault finds what is on disk. */
export interface Shelf {
  /** The wrapped key of a subject, or null. */
  subject(tag: Uint8Array): Uint8Array | null;
  /** A payload's box and its subject's wrapped key and tag; null when unknown or erased. */
  payload(number: number): ShelvedBox | null;
  /** As {@link Shelf.payload} for many at once, in any order, without those that are unknown or erased. */
  payloads(numbers: readonly number[]): readonly (ShelvedBox & { readonly id: number })[];
}

/** A subject's key out of its wrapping; null when either was changed. */
export const unwrap = (tenant: KeyObject, tag: Uint8Array, wrapped: Uint8Array): KeyObject | null => {
  try {
    return createSecretKey(unlock(tenant, wrapped, Buffer.from(tag)));
  } catch {
    return null; // GCM says no more than that
  }
};

/** What is in a box; null when its bytes were changed. */
export const openBox = (key: KeyObject, payload: string, box: Uint8Array): { plain: Buffer; salt: Buffer } | null => {
  try {
    const opened = unlock(key, box, Buffer.from(payload));
    return { salt: opened.subarray(0, saltSize), plain: opened.subarray(saltSize) };
  } catch {
    return null;
  }
};

const maxCached = 4096;
const payloadId = /^p(0|[1-9][0-9]{0,14})$/;

/** Number of a payload by its id, or null when it is no payload's id. */
export const payloadNumber = (id: string): number | null => (payloadId.test(id) ? Number(id.slice(1)) : null);

/** Seals and unseals values: AES-256-GCM under a key per data subject, which lies wrapped under the tenant key. */
export class Vault {
  readonly #clock: Clock;
  readonly #shelf: Shelf;
  readonly #tenant: KeyObject;
  readonly #tenantBytes: Buffer;
  readonly #subjects = new Map<string, Subject>();
  /** Keys that were unwrapped to read, by tag; forgotten with their subject. */
  readonly #keys = new Map<string, { readonly wrapped: Uint8Array; readonly key: KeyObject }>();
  /** Boxes made here and not appended yet. */
  readonly #loose = new WeakSet<Sealed>();
  /** When each subject was erased in this run, counted in erasures. */
  readonly #erased = new Map<string, number>();
  #next: number;
  #erasures = 0;

  /** `tenant` is 32 secret bytes, `next` the first payload number never used. */
  constructor({ clock, shelf, tenant, next }: { clock: Clock; shelf: Shelf; tenant: Buffer; next: number }) {
    this.#clock = clock;
    this.#shelf = shelf;
    this.#tenantBytes = tenant;
    this.#tenant = createSecretKey(tenant);
    this.#next = next;
  }

  /** Never goes back: a number may be skipped, not used twice. */
  advance(next: number): void {
    this.#next = Math.max(this.#next, next);
  }

  seal(subjectName: string, value: Json): Box {
    const subject = this.subject(subjectName);
    const text = canonicalize(value, "doubles");
    const number = this.#next++;
    const payload = `p${number}`;
    const random = this.#clock.random(saltSize + nonceSize);
    const salted = Buffer.allocUnsafe(saltSize + Buffer.byteLength(text));
    salted.set(random.subarray(0, saltSize));
    salted.write(text, saltSize);
    const bytes = lock(subject.key, random.subarray(saltSize), Buffer.from(payload), salted);
    const commitment = commitmentOf(random.subarray(0, saltSize), salted.subarray(saltSize));
    const box: Box = { payload, commitment, number, subject, bytes };
    this.#loose.add(box);
    return box;
  }

  /** Takes a box to append it, once. Throws Fault `internal` for one that was not made here or is appended already. */
  take(sealed: Sealed): Box {
    if (!this.#loose.delete(sealed)) throw new Fault("internal", `appending the payload \`${sealed.payload}\`: it was not sealed by this store, or is appended already`);
    return sealed as Box;
  }

  /** For a box whose append was refused: it may be tried again. */
  giveBack(box: Box): void {
    this.#loose.add(box);
  }

  /** True when a box's key was destroyed after it was sealed: appending it would bring the key back. */
  stale({ subject }: Box): boolean {
    return (this.#erased.get(subject.tag.toString("latin1")) ?? 0) > subject.born;
  }

  /** Opens a payload; null when there is none or it was erased. Throws Fault `internal` when its bytes were changed. */
  open(payload: string): { plain: Buffer; salt: Buffer } | null {
    const number = payloadNumber(payload);
    const found = number === null ? null : this.#shelf.payload(number);
    if (found === null) return null;
    const opened = this.#unlock(payload, found);
    if (opened === null) throw new Fault("internal", `unsealing payload \`${payload}\`: its bytes or its key were changed`);
    return opened;
  }

  /** As {@link Vault.open} for each, in the order given, several times faster; `changed` where that throws. */
  openAll(payloads: readonly string[]): ({ readonly plain: Buffer; readonly salt: Buffer } | "changed" | null)[] {
    const numbers = payloads.map(payloadNumber);
    const found = new Map(this.#shelf.payloads(numbers.filter((number) => number !== null)).map((box) => [box.id, box]));
    return numbers.map((number, at) => {
      const box = number === null ? undefined : found.get(number);
      return box === undefined ? null : (this.#unlock(payloads[at] as string, box) ?? "changed");
    });
  }

  #unlock(payload: string, { box, tag, wrapped }: ShelvedBox): { plain: Buffer; salt: Buffer } | null {
    const key = this.#keyOf(tag, wrapped);
    return key && openBox(key, payload, box);
  }

  /** The key in a wrapping; unwrapping costs more than opening a box, so the last few thousand are remembered. */
  #keyOf(tag: Uint8Array, wrapped: Uint8Array): KeyObject | null {
    const name = Buffer.from(tag.buffer, tag.byteOffset, tag.length).toString("latin1");
    const known = this.#keys.get(name);
    if (known && Buffer.compare(known.wrapped, wrapped) === 0) return known.key;
    const key = unwrap(this.#tenant, tag, wrapped);
    if (key === null) return null;
    if (this.#keys.size >= maxCached) this.#keys.clear();
    this.#keys.set(name, { wrapped, key });
    return key;
  }

  tag(subjectName: string): Buffer {
    return hmac(this.#tenantBytes, Buffer.from(subjectName), "buffer");
  }

  /** Forgets a subject whose key was destroyed; the next value sealed for it gets a new key. */
  forget(subjectName: string): void {
    const tag = this.tag(subjectName).toString("latin1");
    this.#erased.set(tag, ++this.#erasures);
    this.#keys.delete(tag);
    this.#subjects.delete(subjectName);
  }

  subject(name: string): Subject {
    const known = this.#subjects.get(name);
    if (known) return known;
    if (this.#subjects.size >= maxCached) this.#evict();
    const tag = this.tag(name);
    const wrapped = this.#shelf.subject(tag);
    const subject = wrapped ? this.#read(tag, wrapped) : this.#create(tag);
    this.#subjects.set(name, subject);
    return subject;
  }

  #read(tag: Buffer, wrapped: Uint8Array): Subject {
    const key = unwrap(this.#tenant, tag, wrapped);
    if (key === null) throw new Fault("internal", "reading the key of a data subject: it or the tenant key was changed");
    return { tag, wrapped, key, stored: true, born: this.#erasures };
  }

  #create(tag: Buffer): Subject {
    const key = this.#clock.random(keySize);
    return { tag, wrapped: lock(this.#tenant, this.#clock.random(nonceSize), tag, key), key: createSecretKey(key), stored: false, born: this.#erasures };
  }

  // A key that is not on disk yet lives only here and in boxes that wait: it must stay, or its subject would get a second one.
  #evict(): void {
    for (const [name, subject] of this.#subjects) if (subject.stored) this.#subjects.delete(name);
  }
}

/** True when `value` and `salt` (base64url) open `commitment`. Constant time in the commitment. */
export const opens = (commitment: string, salt: string, value: Json): boolean => {
  const made = commitmentOf(Buffer.from(salt, "base64url"), Buffer.from(canonicalize(value, "doubles")));
  return isSame(made, commitment);
};
