interface Holder {
  readonly keys: readonly string[];
  readonly over: Promise<void>;
}

/**
 * Who works on a state keeps others off it: from before it is read until it is read again. In the order of coming, and without deadlock, for
 * whoever waits waits only for those that came before. A key that begins with `/` is a path, and stands for all below it.
 */
export class Locks {
  readonly #holders = new Set<Holder>();

  /** Resolves once all of them are free and taken. Rejects with the signal's reason when it aborts before. */
  async take(keys: readonly string[], signal?: AbortSignal): Promise<Disposable> {
    const before = [...this.#holders].filter((other) => other.keys.some((one) => keys.some((key) => within(one, key) || within(key, one))));
    const { promise, resolve } = Promise.withResolvers<void>();
    const mine: Holder = { keys, over: promise };
    this.#holders.add(mine);
    const free = () => {
      this.#holders.delete(mine);
      resolve();
    };
    try {
      const turn = Promise.all(before.map(({ over }) => over));
      if (before.length > 0) await (signal ? Promise.race([turn, aborted(signal)]) : turn);
    } catch (error) {
      free();
      throw error;
    }
    return { [Symbol.dispose]: free };
  }
}

const within = (key: string, of: string): boolean => key === of || (of.startsWith("/") && key.startsWith(of.endsWith("/") ? of : `${of}/`));

const aborted = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => {
    const stop = () => reject(signal.reason as Error);
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop, { once: true });
  });
