import { Fault } from "@lanyard/contract";
import type { Clock } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import type { Deliver } from "../../base/notify/channel.ts";
import type { Notice, Outbox } from "../../base/notify/notice.ts";

const againMs = 5000;

interface Letter {
  readonly channel: string;
  readonly notice: Notice;
  readonly delivered: () => void;
  /** Monotonic. */
  notBeforeUs: number;
  busy: boolean;
}

interface PostRooms {
  readonly clock: Clock;
  readonly log: Log;
  readonly outbox: Pick<Outbox, "post">;
  /** The way to a channel without the ledger in between; null when there is none of this name. */
  readonly channel: (name: string) => Deliver | null;
  /** How long one attempt without the outbox may take, and how many notices may wait. */
  readonly limits: () => { readonly channel_ms: number; readonly notices: number };
}

/**
 * Hands pages to the outbox, which does not lose them. While the ledger refuses, the outbox cannot take any: then they are delivered from here, from
 * memory, again and again until they are; a page that says so must not wait for what it tells of.
 */
export class Postman implements AsyncDisposable {
  readonly #rooms: PostRooms;
  readonly #letters = new Set<Letter>();
  readonly #running = new Set<Promise<void>>();
  readonly #ending = new AbortController();

  constructor(rooms: PostRooms) {
    this.#rooms = rooms;
  }

  /** Never throws and does not wait. `delivered`: called when the notice went past the outbox, which so does not know of it. */
  post(channel: string, notice: Notice, delivered: () => void = () => {}): void {
    if (this.#letters.size >= this.#rooms.limits().notices) return this.#rooms.log.error("alert.unposted", { id: notice.id, channel, limit: "notices" });
    this.#letters.add({ channel, notice, delivered, notBeforeUs: 0, busy: false });
    this.go();
  }

  /** Tries what waits and is due. */
  go(): void {
    const us = this.#rooms.clock.monotonicUs();
    for (const letter of this.#letters) {
      if (letter.busy || letter.notBeforeUs > us) continue;
      letter.busy = true;
      const run = this.#send(letter).finally(() => {
        letter.busy = false;
        this.#running.delete(run);
      });
      this.#running.add(run);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort();
    await Promise.all(this.#running);
  }

  async #send(letter: Letter): Promise<void> {
    const { outbox, clock, log } = this.#rooms;
    const { channel, notice } = letter;
    try {
      await outbox.post(channel, notice);
      this.#letters.delete(letter);
    } catch (error) {
      if (!(error instanceof Fault && error.code === "ledger_unavailable")) {
        log.error("alert.unposted", { id: notice.id, channel, error }); // No such channel any more, or too many: another attempt changes nothing.
        this.#letters.delete(letter);
        return;
      }
      if (await this.#deliver(letter)) this.#letters.delete(letter);
      else letter.notBeforeUs = clock.monotonicUs() + againMs * 1000;
    }
  }

  async #deliver({ channel, notice, delivered }: Letter): Promise<boolean> {
    const { clock, log, limits } = this.#rooms;
    const late = new AbortController();
    const timer = clock.after(limits().channel_ms, () => late.abort());
    try {
      await this.#rooms.channel(channel)?.({ notice, earlier: null, signal: AbortSignal.any([late.signal, this.#ending.signal]) });
      delivered();
      return true;
    } catch (error) {
      log.warn("alert.undelivered", { id: notice.id, channel, error });
      return false;
    } finally {
      timer.cancel();
    }
  }
}
