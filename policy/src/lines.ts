/** What waits, in a line for each who asks. Taken in turn: whoever asks much waits behind oneself, not in front of others. */
export class Lines<T> {
  readonly #lines = new Map<string, T[]>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** At the end of a line, or before all that wait in it. */
  add(line: string, item: T, place: "last" | "first" = "last"): void {
    const items = this.#lines.get(line) ?? [];
    if (place === "last") items.push(item);
    else items.unshift(item);
    this.#lines.set(line, items);
    this.#size += 1;
  }

  /** The next ones, one of each line in turn, as long as `fits`; always one at least, when there is any. */
  take(fits: (item: T) => boolean): T[] {
    const taken: T[] = [];
    for (const [line, items] of this.#lines) {
      const [item] = items;
      if (item === undefined || (!fits(item) && taken.length > 0)) break;
      items.shift();
      taken.push(item);
      this.#size -= 1;
      this.#lines.delete(line);
      if (items.length > 0) this.#lines.set(line, items); // Behind all others, where this loop comes by again.
    }
    return taken;
  }
}
