import { ServerResponse, STATUS_CODES, type IncomingMessage } from "node:http";
import { constants, type ServerHttp2Stream } from "node:http2";
import type { Duplex, Readable, Writable } from "node:stream";
import { finished, pipeline } from "node:stream/promises";
import { errors, Fault, type ErrorCode } from "@lanyard/contract";
import type { Answer, Delivered } from "../../../base/exchange.ts";
import type { WebHeaders, WebResponse } from "../../../base/web.ts";

/** The way back to whoever asked, in the protocol that was asked in. */
export interface WayBack {
  /** Writes the head; the body goes into what it returns, if the answer has one. */
  head(status: number, headers: WebHeaders): Writable | null;
  /** Where the client's own bytes come from, once a websocket or a TCP connection is open. */
  readonly raw?: Duplex;
  /** Aborts when the client goes away. */
  readonly signal: AbortSignal;
  /** Breaks off, so that nobody takes what came for the whole. */
  abort(): void;
}

const bodiless: ReadonlySet<number> = new Set([204, 205, 304]);

/** Over HTTP/1.1. */
export function overHttp(incoming: IncomingMessage, outgoing: ServerResponse): WayBack {
  const gone = new AbortController();
  outgoing.once("close", () => gone.abort());
  outgoing.on("error", () => {}); // told by `close`; without a listener it would end the daemon
  outgoing.sendDate = false;
  return {
    signal: gone.signal,
    abort: () => void outgoing.destroy(),
    head: (status, headers) => {
      if (outgoing.destroyed) return null;
      if (!incoming.complete) outgoing.shouldKeepAlive = false; // What is left of the request is not waited for.
      outgoing.writeHead(status, headers.flat());
      if (incoming.method !== "HEAD" && !bodiless.has(status)) {
        outgoing.flushHeaders();
        return outgoing;
      }
      outgoing.end();
      return null;
    },
  };
}

/** Over a socket that node:http has handed over: for an upgrade, or a tunnel that is not opened. */
export function overSocket(incoming: IncomingMessage, socket: Duplex, opened: string): WayBack {
  const gone = new AbortController();
  socket.once("close", () => gone.abort());
  const refused = () => {
    const outgoing = new ServerResponse(incoming);
    outgoing.shouldKeepAlive = false;
    outgoing.assignSocket(socket as Parameters<ServerResponse["assignSocket"]>[0]);
    outgoing.once("finish", () => socket.end());
    return outgoing;
  };
  return {
    signal: gone.signal,
    abort: () => void socket.destroy(),
    raw: socket,
    head: (status, headers) => {
      if (status !== 101 && opened === "") return overHttp(incoming, refused()).head(status, headers);
      if (status !== 101 && status !== 200) return overHttp(incoming, refused()).head(status, headers);
      const lines = status === 101 ? [["connection", "Upgrade"], ["upgrade", "websocket"], ...headers] : [];
      socket.write(`HTTP/1.1 ${status} ${status === 101 ? (STATUS_CODES[101] ?? "") : opened}\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`, "latin1");
      return socket;
    },
  };
}

/** Over HTTP/2. */
export function overStream(stream: ServerHttp2Stream, isHead: boolean): WayBack {
  const gone = new AbortController();
  stream.once("close", () => gone.abort());
  return {
    signal: gone.signal,
    abort: () => stream.close(constants.NGHTTP2_INTERNAL_ERROR),
    head: (status, headers) => {
      if (stream.destroyed) return null;
      const endStream = isHead || bodiless.has(status);
      if (!stream.readableEnded) stream.once("finish", () => stream.close(constants.NGHTTP2_NO_ERROR)); // What is left of the request is not waited for.
      const grouped = Object.fromEntries(Map.groupBy(headers, ([name]) => name).entries().map(([name, lines]) => [name, lines.length > 1 ? lines.map(([, value]) => value) : (lines[0]?.[1] ?? "")]));
      stream.respond({ ":status": status, ...grouped }, { endStream });
      return endStream ? null : stream;
    },
  };
}

/** Passes an answer on as it comes, after inspection; what ends it early is said in the record, and to the client by a body that breaks off. */
export async function deliver(back: WayBack, answer: Answer): Promise<Delivered> {
  const web = "result" in answer ? answer.web : undefined;
  if (!web || "error" in answer) return { answer, code: "internal" };
  web.body.on("error", () => {}); // what ends it is seen where it is read; here only that it does not end the daemon
  const code = await passOn(back, web);
  const sum = web.sum?.();
  web.body.destroy();
  return { answer: { result: { ...answer.result, ...(sum && { bytes: sum.bytes, sha256: sum.sha256, ...(sum.tokens !== undefined && { tokens: sum.tokens }) }) }, ...(sum?.labels && { labels: sum.labels }) }, code };
}

async function passOn(back: WayBack, web: WebResponse): Promise<ErrorCode | ""> {
  try {
    const into = back.head(web.status, web.headers);
    if (into === null) return "";
    const { input } = web;
    const { raw } = back;
    if (input && raw && into === raw) {
      const closed = Promise.race([finished(raw, { cleanup: true }), finished(input as unknown as Readable, { cleanup: true })]);
      raw.pipe(input);
      web.body.pipe(raw);
      await closed.catch(() => {}); // either end may hang up as it likes
      input.destroy();
      raw.destroy();
    } else await pipeline(web.body, into);
    return "";
  } catch (error) {
    back.abort();
    return error instanceof Fault ? error.code : "uncertain";
  }
}

/** The body of a refusal is what the makers of models answer with, so that clients show its text. */
export function refuse(back: WayBack, code: ErrorCode, text: string, decision?: string): void {
  const { status } = errors[code];
  const body = Buffer.from(JSON.stringify({ type: "error", error: { type: code, code, message: text, ...(decision !== undefined && { decision }) } }));
  const retry = code === "approval_pending" ? "10" : code === "too_many_calls" ? "1" : null;
  back
    .head(status === 401 ? 403 : status, [
      ["content-type", "application/json"],
      ["content-length", String(body.length)],
      ["cache-control", "no-store"],
      ...(decision === undefined ? [] : [["lanyard-decision", decision] as const]),
      ...(retry === null ? [] : [["retry-after", retry] as const]),
    ])
    ?.end(body);
}
