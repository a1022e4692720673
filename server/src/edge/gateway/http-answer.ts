import type { ServerResponse } from "node:http";
import type { Clock } from "../../base/clock.ts";
import type { RpcMessage } from "../../base/rpc.ts";
import { writeEvent } from "../../base/sse.ts";
import type { KeptStream } from "./replay.ts";

const keepAliveMs = 15_000;
const stream = { "content-type": "text/event-stream", "cache-control": "no-cache, no-transform", "x-accel-buffering": "no" };

/** Begins an event stream and keeps it from looking dead to whatever lies between. */
export function beginStream(res: ServerResponse, clock: Clock, headers: Record<string, string> = {}): void {
  res.writeHead(200, { ...stream, ...headers });
  res.flushHeaders();
  const beat = () => {
    if (res.writableEnded || res.destroyed) return;
    res.write(": \n\n");
    clock.after(keepAliveMs, beat);
  };
  clock.after(keepAliveMs, beat);
}

/** Writes a whole JSON answer. */
export function writeJson(res: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): void {
  if (res.headersSent || res.destroyed) return;
  const text = JSON.stringify(body);
  // As a string it leaves together with the head in one write.
  res.writeHead(status, { "content-type": "application/json", "content-length": Buffer.byteLength(text), ...headers }).end(text);
}

export interface HttpAnswerOptions {
  readonly res: ServerResponse;
  readonly clock: Clock;
  /** False when the client's `Accept` has no event streams: then only the answer itself can be sent. */
  readonly streamable: boolean;
  /** True when it names event streams before JSON, which is read as a preference. */
  readonly preferStream?: boolean;
  /** What a client may hold unread, in bytes, before it is cut off. */
  readonly limitBytes: number;
  /** For a client that may come back for what it missed: where its events are kept. */
  keep?(): KeptStream;
}

/** The answer to one POST: plain JSON, unless something has to be said before the end, which makes it an event stream. */
export class HttpAnswer {
  readonly #options: HttpAnswerOptions;
  #streaming = false;
  #kept: KeptStream | null = null;
  #finished = false;

  constructor(options: HttpAnswerOptions) {
    this.#options = options;
  }

  get finished(): boolean {
    return this.#finished;
  }

  get streamable(): boolean {
    return this.#options.streamable;
  }

  /** Says something before the answer. Dropped when the client takes no streams. */
  send(message: RpcMessage): void {
    if (this.#finished || !this.#stream()) return;
    this.#write(message);
  }

  /** The answer. A status other than 200 holds only while nothing was streamed. */
  finish(message: RpcMessage, status: number): void {
    if (this.#finished) return;
    this.#finished = true;
    if (!this.#streaming && !(this.#options.preferStream && status === 200 && this.#stream())) return writeJson(this.#options.res, status, message);
    this.#write(message);
    if (this.#kept) this.#kept.finish();
    else this.#options.res.end();
  }

  /** Ends without an answer: the request was cancelled. */
  abandon(): void {
    this.#finished = true;
    this.#kept?.finish();
    if (this.#streaming) this.#options.res.end();
    else if (!this.#options.res.headersSent) this.#options.res.writeHead(202).end();
  }

  /** Lets the client go until it comes back for the answer (SEP-1699). Nothing happens when nothing is kept for it. */
  release(): void {
    if (!this.#finished && this.#stream()) this.#kept?.detach();
  }

  #stream(): boolean {
    if (this.#streaming) return true;
    const { res, clock, streamable, keep } = this.#options;
    if (!streamable || res.destroyed) return false;
    this.#streaming = true;
    beginStream(res, clock);
    this.#kept = keep?.() ?? null;
    this.#kept?.attach(res);
    return true;
  }

  #write(message: RpcMessage): void {
    const { res, limitBytes } = this.#options;
    const data = JSON.stringify(message);
    if (this.#kept) this.#kept.push(data);
    else if (!res.destroyed) res.write(writeEvent({ data }));
    if (res.writableLength > limitBytes) res.destroy();
  }
}
