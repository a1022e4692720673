/** What a fingerprint is of: the same characters as a host and as a word are two. `inner`, `phrase` and `address` are words or accounts too, and only told apart: one of a phrase that has more of them, the phrase, and who can be written to or paid, by e-mail address or IBAN. `minor` and `short` are hundredths: of what is said as an amount, and of what is too short for one. */
export const tags = { word: 1, piece: 2, number: 3, minor: 4, account: 5, host: 6, url: 7, shingle: 8, domain: 9, inner: 10, phrase: 11, address: 12, short: 13 } as const;
export type Tag = (typeof tags)[keyof typeof tags];

/** Whether a fingerprint is of a number as the hundredths of an amount, and not as it stands. */
export const isHundredths = (tag: Tag): boolean => tag === tags.minor || tag === tags.short;

/**
 * Keyed fingerprints of 48 bits over UTF-16 code units (HalfSipHash-1-3): nobody without the key can make two values that share one. The result lies
 * in `low` and `high` until the next call, for nothing may be allocated for each of a million values.
 */
export class Printer {
  /** 32 bits. */
  low = 0;
  /** 16 bits. */
  high = 0;
  readonly #k0: number;
  readonly #k1: number;

  /** `key`: 8 bytes or more, of which the first 8 count. */
  constructor(key: Buffer) {
    this.#k0 = key.readInt32LE(0);
    this.#k1 = key.readInt32LE(4);
  }

  print(chars: Uint16Array, from: number, to: number, tag: Tag): void {
    let [v0, v1, v2, v3] = [this.#k0, this.#k1 ^ 0xee, 0x6c796765 ^ this.#k0, 0x74656462 ^ this.#k1];
    // One more turn than there are pairs: the last takes what is odd, the length and the tag.
    for (let at = from, turn = (to - from) >> 1; turn >= 0; turn--, at += 2) {
      const word = turn > 0 ? (chars[at] ?? 0) | ((chars[at + 1] ?? 0) << 16) : ((to - from) & 1 ? (chars[at] ?? 0) : 0) | (((to - from) & 0xff) << 24) | (tag << 16);
      v3 ^= word;
      v0 = (v0 + v1) | 0; v1 = (v1 << 5) | (v1 >>> 27); v1 ^= v0; v0 = (v0 << 16) | (v0 >>> 16);
      v2 = (v2 + v3) | 0; v3 = (v3 << 8) | (v3 >>> 24); v3 ^= v2;
      v0 = (v0 + v3) | 0; v3 = (v3 << 7) | (v3 >>> 25); v3 ^= v0;
      v2 = (v2 + v1) | 0; v1 = (v1 << 13) | (v1 >>> 19); v1 ^= v2; v2 = (v2 << 16) | (v2 >>> 16);
      v0 ^= word;
    }
    v2 ^= 0xee;
    for (let turn = 0; turn < 4; turn++) {
      if (turn === 3) {
        this.low = (v1 ^ v3) >>> 0;
        v1 ^= 0xdd;
      }
      v0 = (v0 + v1) | 0; v1 = (v1 << 5) | (v1 >>> 27); v1 ^= v0; v0 = (v0 << 16) | (v0 >>> 16);
      v2 = (v2 + v3) | 0; v3 = (v3 << 8) | (v3 >>> 24); v3 ^= v2;
      v0 = (v0 + v3) | 0; v3 = (v3 << 7) | (v3 >>> 25); v3 ^= v0;
      v2 = (v2 + v1) | 0; v1 = (v1 << 13) | (v1 >>> 19); v1 ^= v2; v2 = (v2 << 16) | (v2 >>> 16);
    }
    this.high = (v1 ^ v3) & 0xffff;
  }
}
