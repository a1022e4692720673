import type { ServerResponse } from "node:http";
import { writeEvent } from "../../base/sse.ts";

const retryMs = 500;

/** The events of one response stream, kept so that the client can come back for what it missed (2025-11-25, resumability). */
export class KeptStream {
  readonly id: string;
  readonly #onGrow: () => void;
  #events: string[] = [];
  #res: ServerResponse | null = null;
  bytes = 0;
  finished = false;

  constructor(id: string, onGrow: () => void) {
    this.id = id;
    this.#onGrow = onGrow;
  }

  /** Starts a stream with an empty event, which gives the client an id to come back with before anything has happened. */
  attach(res: ServerResponse): void {
    this.#res = res;
    res.write(writeEvent({ id: `${this.id}-0`, data: null, retryMs }));
    res.once("close", () => {
      if (this.#res === res) this.#res = null;
    });
  }

  push(data: string): void {
    this.#events.push(data);
    this.bytes += data.length;
    this.#res?.write(writeEvent({ id: `${this.id}-${this.#events.length}`, data }));
    this.#onGrow();
  }

  detach(): void {
    this.#res?.end();
    this.#res = null;
  }

  finish(): void {
    this.finished = true;
    this.detach();
  }

  /** Sends everything after event `seen`, and what follows as it comes. */
  resume(res: ServerResponse, seen: number): void {
    this.detach();
    this.#res = res;
    for (const [at, data] of this.#events.entries()) if (at >= seen) res.write(writeEvent({ id: `${this.id}-${at + 1}`, data }));
    res.once("close", () => {
      if (this.#res === res) this.#res = null;
    });
    if (this.finished) this.detach();
  }

  forget(): void {
    this.#events = [];
    this.bytes = 0;
  }
}

/** The kept streams of one client, at most `limitBytes` together: the oldest go first, finished ones before open ones. */
export class Replay {
  readonly #limitBytes: number;
  readonly #streams = new Map<string, KeptStream>();
  #made = 0;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  open(): KeptStream {
    const stream = new KeptStream(`s${++this.#made}`, () => this.#trim());
    this.#streams.set(stream.id, stream);
    return stream;
  }

  /** The stream an event id belongs to and how many of its events the client has; null when it is unknown or dropped. */
  find(lastEventId: string): { stream: KeptStream; seen: number } | null {
    const [, id = "", seen = ""] = /^(s\d{1,9})-(\d{1,9})$/.exec(lastEventId) ?? [];
    const stream = this.#streams.get(id);
    return stream ? { stream, seen: Number(seen) } : null;
  }

  #trim(): void {
    const ordered = [...this.#streams.values()].toSorted((a, b) => Number(b.finished) - Number(a.finished));
    let held = ordered.reduce((sum, { bytes }) => sum + bytes, 0);
    for (const stream of ordered) {
      if (held <= this.#limitBytes && this.#streams.size <= 256) return;
      held -= stream.bytes;
      stream.forget();
      this.#streams.delete(stream.id);
    }
  }
}
