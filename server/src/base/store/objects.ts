import { createHash, hash } from "node:crypto";
import { setImmediate } from "node:timers/promises";
import { promisify } from "node:util";
import { gunzipSync, gzip } from "node:zlib";
import { Fault } from "@lanyard/contract";
import { limits } from "../limits.ts";
import type { Medium } from "./medium.ts";

const sliceBytes = 1 << 18;
/** Smaller ones are not worth it. */
const packedFrom = 1 << 14;
const gzipped = promisify(gzip);

/** An object as it is to be written, and its address. */
interface Packed {
  readonly address: Buffer;
  readonly stored: Uint8Array;
}

/**
 * Packs a large object while others go on: hashed in slices, compressed in the system's pool. Text such as a bundle of policies comes down to
 * a tenth, and what is not written need not be waited for. Throws Fault `limit_exceeded`.
 */
export const packObject = async (bytes: Uint8Array, most: number = limits.object_bytes.value): Promise<Packed> => {
  if (bytes.length > most) throw new Fault("limit_exceeded", `keeping an object of ${bytes.length} bytes: that is more than object_bytes, ${most}`);
  const sum = createHash("sha256");
  for (let at = 0; at < bytes.length; at += sliceBytes) {
    sum.update(bytes.subarray(at, at + sliceBytes));
    await setImmediate();
  }
  const address = sum.digest();
  return { address, stored: bytes.length < packedFrom ? bytes : await gzipped(bytes, { level: 1 }) };
};

/** What was put at an address, of what lies there; null when that is not it. An object that is itself a gzip file is found as it is. */
export const unpackObject = (stored: Uint8Array, address: string): Uint8Array | null => {
  if (hash("sha256", stored, "base64url") === address) return stored;
  if (stored[0] !== 0x1f || stored[1] !== 0x8b) return null;
  try {
    const bytes = gunzipSync(stored, { maxOutputLength: limits.object_bytes.value });
    return hash("sha256", bytes, "base64url") === address ? bytes : null;
  } catch {
    return null; // changed, and no gzip any more
  }
};

/** The objects of a store. */
export class Objects {
  readonly #medium: Pick<Medium, "putObject" | "object">;
  readonly #alarm: (event: string, fields: { readonly object: string }) => void;

  constructor(medium: Pick<Medium, "putObject" | "object">, alarm: (event: string, fields: { readonly object: string }) => void) {
    this.#medium = medium;
    this.#alarm = alarm;
  }

  put(bytes: Uint8Array): string {
    return this.#write({ address: hash("sha256", bytes, "buffer"), stored: bytes }, false);
  }

  async keep(bytes: Uint8Array): Promise<string> {
    return this.#write(await packObject(bytes), true);
  }

  get(address: string): Uint8Array | null {
    const stored = this.#medium.object(Buffer.from(address, "base64url"));
    const bytes = stored && unpackObject(stored, address);
    if (stored !== null && bytes === null) this.#alarm("ledger object changed", { object: address });
    return bytes;
  }

  #write({ address, stored }: Packed, lazily: boolean): string {
    try {
      this.#medium.putObject(address, stored, lazily);
    } catch (cause) {
      throw new Fault("ledger_unavailable", "storing an object: the disk refused", { cause });
    }
    return address.toString("base64url");
  }
}
