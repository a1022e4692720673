/** Who works on a state keeps others off it: from before it is read until it is read again. In the order of coming, and without deadlock. */
export class Locks {
  readonly #last = new Map<string, Promise<void>>();

  /** Resolves once all of them are free and taken. Rejects with the signal's reason when it aborts before. */
  async take(keys: readonly string[], signal?: AbortSignal): Promise<Disposable> {
    const taken = new DisposableStack();
    try {
      for (const key of [...new Set(keys)].sort()) taken.use(await this.#one(key, signal));
      return taken;
    } catch (error) {
      taken.dispose();
      throw error;
    }
  }

  async #one(key: string, signal?: AbortSignal): Promise<Disposable> {
    const before = this.#last.get(key);
    const { promise, resolve } = Promise.withResolvers<void>();
    const mine = (before ?? Promise.resolve()).then(() => promise);
    this.#last.set(key, mine);
    const free = () => {
      resolve();
      void mine.then(() => void (this.#last.get(key) === mine && this.#last.delete(key)));
    };
    try {
      await (before && signal ? Promise.race([before, aborted(signal)]) : before);
    } catch (error) {
      free();
      throw error;
    }
    return { [Symbol.dispose]: free };
  }
}

const aborted = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => {
    const stop = () => reject(signal.reason as Error);
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop, { once: true });
  });
