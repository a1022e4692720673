/**
 * Fingerprints of 48 bits, each with a value of 32 bits that is not 0: open addressing in three typed arrays, 10 bytes a place. It grows by half until
 * `most` fingerprints are in it, then takes no more.
 */
export class PrintTable {
  readonly #most: number;
  #low: Uint32Array;
  #high: Uint16Array;
  #values: Uint32Array;
  #count = 0;

  constructor(most: number) {
    this.#most = most;
    const places = Math.min(1024, placesFor(most));
    [this.#low, this.#high, this.#values] = [new Uint32Array(places), new Uint16Array(places), new Uint32Array(places)];
  }

  get size(): number {
    return this.#count;
  }

  get isFull(): boolean {
    return this.#count >= this.#most;
  }

  /** Of its arrays. */
  get bytes(): number {
    return this.#values.length * 10;
  }

  /** 0 when it is not there. */
  get(low: number, high: number): number {
    return this.#count === 0 ? 0 : (this.#values[this.#place(low, high)] ?? 0);
  }

  /** False when there is no room for one more. */
  set(low: number, high: number, value: number): boolean {
    let place = this.#place(low, high);
    if (this.#values[place] === 0) {
      if (this.#count >= this.#most) return false;
      if (this.#count + 1 > this.#values.length * load) {
        this.#grow();
        place = this.#place(low, high);
      }
      this.#low[place] = low;
      this.#high[place] = high;
      this.#count++;
    }
    this.#values[place] = value;
    return true;
  }

  *entries(): IterableIterator<readonly [low: number, high: number, value: number]> {
    for (let place = 0; place < this.#values.length; place++) {
      const value = this.#values[place] ?? 0;
      if (value !== 0) yield [this.#low[place] ?? 0, this.#high[place] ?? 0, value];
    }
  }

  /** Where it is, or would be. */
  #place(low: number, high: number): number {
    const places = this.#values.length;
    let place = Math.floor((low / 0x1_0000_0000) * places);
    while (this.#values[place] !== 0 && (this.#low[place] !== low || this.#high[place] !== high)) if (++place === places) place = 0;
    return place;
  }

  #grow(): void {
    const [low, high, values] = [this.#low, this.#high, this.#values];
    const places = Math.min(Math.ceil(values.length * 1.5), placesFor(this.#most));
    [this.#low, this.#high, this.#values] = [new Uint32Array(places), new Uint16Array(places), new Uint32Array(places)];
    for (let at = 0; at < values.length; at++) {
      const value = values[at] ?? 0;
      if (value === 0) continue;
      const place = this.#place(low[at] ?? 0, high[at] ?? 0);
      this.#low[place] = low[at] ?? 0;
      this.#high[place] = high[at] ?? 0;
      this.#values[place] = value;
    }
  }
}

const load = 0.8;
const placesFor = (most: number): number => Math.ceil(most / load) + 1;
