import { createHmac } from "node:crypto";
import { finder } from "../../base/patterns/encodings.ts";

/** What every placeholder has in it: this word, and 128 bits as base32. Whatever looks so is one, be it another session's or one that is long gone. */
const looks = /lanyard-[a-z2-7]{26}/i;
const alphabet = "abcdefghijklmnopqrstuvwxyz234567";

/**
 * What stands for a credential inside one session: as good as random to whoever lacks the key, and nothing that has to be kept. `shape` is what
 * programs want a key to begin with.
 */
export const placeholderOf = (key: Buffer, session: string, name: string, shape: string): string =>
  `${shape}lanyard-${base32(createHmac("sha256", key).update(`${session}\n${name}`).digest().subarray(0, 16))}`;

/** Where there is a placeholder in a text, anybody's, in whatever form tools give it: its decoded surroundings; null when there is none. */
export const findPlaceholder = finder("lanyard-", (text) => looks.test(text));

function base32(bytes: Buffer): string {
  let text = "";
  let bits = 0;
  let held = 0;
  for (const byte of bytes) {
    held = ((held << 8) | byte) & 0xffff;
    for (bits += 8; bits >= 5; bits -= 5) text += alphabet[(held >> (bits - 5)) & 31];
  }
  return bits > 0 ? text + alphabet[(held << (5 - bits)) & 31] : text;
}
