/** Changes one at a time, in the order they came. */
export class Turns {
  #working: Promise<unknown> = Promise.resolve();

  take<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#working.then(work);
    this.#working = turn.catch(() => {});
    return turn;
  }

  /** Resolves once everything taken so far is done. */
  async idle(): Promise<void> {
    await this.#working;
  }
}
