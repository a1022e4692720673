import { Fault, isObject } from "@lanyard/contract";
import type { Dispatcher, Pool } from "undici";
import type { Clock } from "../../base/clock.ts";
import type { Limits } from "../../base/limits.ts";
import { statelessVersion } from "../../base/mcp.ts";
import type { Given } from "../../base/path.ts";
import { isRequest, isResponse, readMessage, scrubbed, type RpcId, type RpcMessage } from "../../base/rpc.ts";
import { eventReader, type SseEvent } from "../../base/sse.ts";
import { mirroredHeaders, type HeaderMap } from "../../base/headers.ts";
import type { Link, LinkEvents } from "./link.ts";

/** A server behind a URL. `pool` is shared by all links to it; `headers` are the operator's and may hold secrets. */
export interface HttpTarget {
  readonly name: string;
  readonly path: string;
  readonly pool: Pool;
  /** Asked for each request, so that a token may change. */
  headers(): Promise<Given>;
  /** Which arguments of which tool are mirrored into headers (2026-07-28, `x-mcp-header`). */
  readonly headerMap: HeaderMap;
}

/** The response stream of one request: what is needed to end it, and to come back for it. */
interface Flight {
  readonly about: RpcId | null;
  controller: Dispatcher.DispatchController | null;
  /** Once bytes may have left, a failure is no longer certain to be one. */
  started: boolean;
  answered: boolean;
  cancelled: boolean;
  lastEvent: string | null;
  retryMs: number;
  scrub: ((text: string) => string) | null;
}

interface BodyReader {
  take(chunk: Buffer): void;
  /** Throws what the whole body makes of the exchange. */
  end(): void;
}

/** What a server may ask for as the time until the next attempt; less would be a loop that it drives. */
const minRetryMs = 100;
const maxRetryMs = 10_000;

const accept = { accept: "application/json, text/event-stream" };

/** MCP Streamable HTTP, client side, in both lifecycles. */
export class HttpLink implements Link {
  readonly #clock: Clock;
  readonly #limits: Limits;
  readonly #target: HttpTarget;
  readonly #events: LinkEvents;
  readonly #flights = new Map<RpcId | "listen", Flight>();
  #version: string | null = null;
  #session: string | null = null;
  #gone: Error | null = null;

  constructor({ clock, limits }: { clock: Clock; limits: Limits }, target: HttpTarget, events: LinkEvents) {
    this.#clock = clock;
    this.#limits = limits;
    this.#target = target;
    this.#events = events;
  }

  async send(message: RpcMessage): Promise<void> {
    if (this.#gone) throw new Fault("upstream_unavailable", this.#gone.message);
    const about = isRequest(message) ? message.id : null;
    const flight: Flight = { about, controller: null, started: false, answered: about === null, cancelled: false, lastEvent: null, retryMs: 1000, scrub: null };
    if (about !== null) this.#flights.set(about, flight);
    try {
      await this.#exchange(flight, "POST", this.#headersOf(message), JSON.stringify(message));
      while (!flight.answered && flight.lastEvent !== null && !flight.cancelled) await this.#comeBack(flight);
      if (!flight.answered && !flight.cancelled) throw new Fault("uncertain", `server \`${this.#target.name}\` ended its answer early`);
    } finally {
      if (about !== null) this.#flights.delete(about);
    }
    if ("method" in message && message.method === "notifications/initialized") void this.#listen();
  }

  /** Stateless: closing the stream is the cancellation. Stateful: a notification is (2025-11-25, basic/transports). */
  cancel(id: RpcId, reason: string): void {
    const flight = this.#flights.get(id);
    if (!flight) return;
    flight.cancelled = true;
    if (this.#version !== statelessVersion) {
      this.send({ jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: id, reason } }).catch(() => {});
    }
    flight.controller?.abort(new Error(reason));
  }

  speak(version: string): void {
    this.#version = version;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#gone) return;
    const session = this.#session;
    this.#close(new Error("closed by Lanyard"));
    if (session === null) return;
    const flight: Flight = { about: null, controller: null, started: false, answered: true, cancelled: false, lastEvent: null, retryMs: 0, scrub: null };
    await new Promise<void>((resolve) => {
      const giveUp = this.#clock.after(1000, () => {
        flight.controller?.abort(new Error("too slow"));
        resolve(); // It may not even have been sent: the pool is the server's to fill.
      });
      // A courtesy; servers may refuse it.
      void this.#exchange(flight, "DELETE", this.#common(session), null).catch(() => {}).finally(() => {
        giveUp.cancel();
        resolve();
      });
    });
  }

  #close(why: Error, but: RpcId | null = null): void {
    if (this.#gone) return;
    this.#gone = why;
    for (const flight of this.#flights.values()) {
      flight.cancelled = true;
      if (flight.about === null || flight.about !== but) flight.controller?.abort(why);
    }
    this.#events.closed(why, but);
  }

  #common(session: string | null = this.#session): Record<string, string> {
    return {
      ...(this.#version !== null && { "mcp-protocol-version": this.#version }),
      ...(session !== null && { "mcp-session-id": session }),
    };
  }

  #headersOf(message: RpcMessage): Record<string, string> {
    const stateless = this.#version === statelessVersion && "method" in message;
    const common = this.#common();
    if ("method" in message && message.method === "initialize") delete common["mcp-protocol-version"]; // Not settled yet.
    const mirrored = stateless ? mirroredHeaders(message.method, message.params ?? {}, this.#target.headerMap) : {};
    return { ...common, ...accept, "content-type": "application/json", ...mirrored };
  }

  /** The stream on which a stateful server says what belongs to no request. Servers that have none answer 405. */
  async #listen(): Promise<void> {
    const flight: Flight = { about: null, controller: null, started: false, answered: true, cancelled: false, lastEvent: null, retryMs: 1000, scrub: null };
    this.#flights.set("listen", flight);
    for (let failures = 0; failures < 5 && !this.#gone && !flight.cancelled; ) {
      try {
        const opened = this.#clock.monotonicUs();
        await this.#exchange(flight, "GET", { ...this.#common(), accept: "text/event-stream", ...resume(flight) }, null);
        failures = this.#clock.monotonicUs() - opened > 5_000_000 ? 0 : failures + 1;
      } catch (error) {
        if (error instanceof Fault && error.code === "upstream_unavailable") return; // No such stream, or the session is gone.
        failures++;
      }
      await this.#pause(flight.retryMs);
    }
  }

  /** SEP-1699: the server let go of the stream; the answer is fetched with the id of its last event. */
  async #comeBack(flight: Flight): Promise<void> {
    if (flight.about !== null) this.#events.released(flight.about);
    await this.#pause(flight.retryMs);
    if (this.#gone || flight.cancelled) return;
    const before = flight.lastEvent;
    try {
      await this.#exchange(flight, "GET", { ...this.#common(), accept: "text/event-stream", ...resume(flight) }, null);
    } catch (cause) {
      throw new Fault("uncertain", `server \`${this.#target.name}\` did not give the rest of its answer`, { cause }); // Not certain any more, whatever it says now.
    }
    if (flight.lastEvent === before && !flight.answered) flight.retryMs *= 2;
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => void this.#clock.after(Math.min(Math.max(ms, minRetryMs), maxRetryMs), resolve));
  }

  /** One HTTP exchange: resolves when the response has been read to its end, all its messages handed up. */
  async #exchange(flight: Flight, method: "POST" | "GET" | "DELETE", own: Record<string, string>, body: string | null): Promise<void> {
    const { pool, path, name } = this.#target;
    const { values, scrub } = await this.#target.headers();
    if (flight.cancelled) return;
    flight.scrub = scrub;
    const headers = { ...values, ...own };
    await new Promise<void>((resolve, reject) => {
      let take: (chunk: Buffer) => void = () => {};
      let end: () => void = () => {};
      pool.dispatch({ method, path, headers, body }, {
        onRequestStart: (controller) => {
          flight.controller = controller;
          if (flight.cancelled) return controller.abort(new Error("cancelled")); // While it waited for a connection: nothing of it has left.
          flight.started = true;
        },
        onResponseStart: (controller, status, responseHeaders) => {
          const session = responseHeaders["mcp-session-id"];
          if (method === "POST" && typeof session === "string" && this.#version !== statelessVersion) this.#session ??= session;
          ({ take, end } = this.#reader(flight, method, status, String(responseHeaders["content-type"] ?? ""), controller));
        },
        onResponseData: (_controller, chunk) => take(chunk),
        onResponseEnd: () => {
          try {
            end();
            resolve();
          } catch (error) {
            reject(error);
          }
        },
        onResponseError: (_controller, cause) => {
          if (flight.cancelled) resolve();
          else if (!flight.started) reject(new Fault("upstream_unavailable", `server \`${name}\` could not be reached: ${causeCode(cause)}`, { cause }));
          else if (flight.lastEvent !== null && flight.about !== null) resolve(); // Broken, not refused: come back for the rest.
          else reject(new Fault("uncertain", `the connection to server \`${name}\` broke: ${causeCode(cause)}`, { cause }));
        },
      });
    });
  }

  #reader(flight: Flight, method: string, status: number, type: string, controller: Dispatcher.DispatchController): BodyReader {
    const overflow = () => {
      const why = new Error(`a message of the server is over the limit result_bytes (${this.#limits.result_bytes} bytes)`);
      if (flight.about !== null) this.#events.garbled(why, flight.about);
      flight.answered = true;
      controller.abort(new Error("over the limit result_bytes"));
    };
    if (status === 200 && type.startsWith("text/event-stream")) {
      // To what is no request there is nothing to say (2026-07-28, basic/transports/streamable-http), least of all to other requests.
      if (method !== "GET" && flight.about === null) return { take: () => {}, end: () => {} };
      const read = eventReader(this.#limits.result_bytes, (event) => this.#event(flight, event));
      return {
        end: () => {},
        take: (chunk) => {
          try {
            read(chunk);
          } catch {
            overflow();
          }
        },
      };
    }
    let chunks: Buffer[] = [];
    let held = 0;
    return {
      take: (chunk) => {
        held += chunk.length;
        if (held > this.#limits.result_bytes) {
          chunks = [];
          overflow();
        } else chunks.push(chunk);
      },
      end: () => this.#whole(flight, method, status, Buffer.concat(chunks)),
    };
  }

  /** A response that is no stream. A refusal by status is certain to have had no effect, unless it is the server's own failure. */
  #whole(flight: Flight, method: string, status: number, body: Buffer): void {
    const { name } = this.#target;
    if (status === 404 && this.#session !== null) {
      this.#close(new Error(`server \`${name}\` no longer knows its session`), flight.about);
      throw new Fault("upstream_unavailable", `server \`${name}\` no longer knows its session`);
    }
    const reading = body.length > 0 && flight.about !== null ? readMessage(body, this.#limits.json_depth) : null;
    if (status >= 200 && status < 300) {
      if (method === "GET") throw new Fault("upstream_unavailable", `server \`${name}\` has no event stream`);
      if (!reading) return;
      if ("fault" in reading) this.#events.garbled(reading.fault, flight.about);
      else this.#hand(flight, reading.message);
      if (!flight.answered) this.#events.garbled(new Error("the response is not the answer to the request"), flight.about);
      flight.answered = true;
      return;
    }
    if (reading && "message" in reading && isResponse(reading.message) && flight.about !== null) {
      this.#hand(flight, { ...reading.message, id: flight.about }); // An error about an unread id comes without one.
      return;
    }
    if (status < 500) throw new Fault("upstream_unavailable", `server \`${name}\` refused with HTTP ${status}`);
    throw new Fault("uncertain", `server \`${name}\` failed with HTTP ${status}`);
  }

  #event(flight: Flight, { id, data, retryMs }: SseEvent): void {
    if (id !== undefined) flight.lastEvent = id;
    if (retryMs !== undefined) flight.retryMs = Math.max(retryMs, minRetryMs); // Not 0: it is doubled, too.
    if (data === null || data === "") return;
    const reading = readMessage(Buffer.from(data, "utf8"), this.#limits.json_depth);
    if ("message" in reading) this.#hand(flight, reading.message);
    else if (flight.about !== null && !reading.isCall) this.#events.garbled(reading.fault, flight.about); // a call of the server's own is no answer to ours
  }

  #hand(flight: Flight, message: RpcMessage): void {
    if (isResponse(message) && message.id === flight.about) flight.answered = true;
    this.#events.message(flight.scrub ? scrubbed(message, flight.scrub) : message, flight.about);
  }
}

const causeCode = (cause: Error): string => (cause as NodeJS.ErrnoException).code ?? "unknown error";
const resume = ({ lastEvent }: Flight): Record<string, string> => (lastEvent === null ? {} : { "last-event-id": lastEvent });

/** True when a JSON-RPC error says that the server speaks the stateless lifecycle, whatever it did not like. */
export const isModernError = (error: { code: number; data?: unknown }): boolean =>
  error.code === -32022 || error.code === -32020 || error.code === -32021 || (isObject(error.data) && Array.isArray(error.data["supported"]));
