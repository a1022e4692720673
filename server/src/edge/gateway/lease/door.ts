import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { errors, Fault, isObject, parseJson, type Principal } from "@lanyard/contract";
import type { Limits } from "../../../base/limits.ts";
import { readLines } from "../../../base/lines.ts";
import type { Caller } from "../../../stages/identity/opening.ts";
import { bearerOf } from "../http-request.ts";

/** What is said on the line, one JSON object each. `renewed`: the number that was asked with, and how long the authority lasts from when it was asked for. */
export type AuthorityNews = { readonly renewed: number; readonly term_ms: number } | { readonly stopped: string } | { readonly ended: string };

export interface AuthorityOptions {
  /** Who speaks. Throws Fault `unauthenticated`, `session_expired`. */
  authenticate(token: string | null): Caller;
  /** The stop that meets a session as a whole; null when none does. */
  stopOf(principal: Principal): Fault | null;
  /** Holds a session for as long as the line of whoever opened it is there. */
  hold(session: string): Disposable;
  termMs(): number;
  readonly limits: Limits;
}

const lineBytes = 256;

interface Line {
  readonly socket: Duplex;
  readonly token: string | null;
  readonly principal: Principal;
}

/**
 * Where enforcement points outside the daemon (the stdio shim, the doors of sandboxes) hear that they may go on. Authority is a lease: it is given for
 * a term, each time anew, and only while nothing speaks against it. What does speak against it is told at once, without being asked.
 */
export class AuthorityDoor implements Disposable {
  readonly #options: AuthorityOptions;
  readonly #lines = new Map<string, Set<Line>>();

  constructor(options: AuthorityOptions) {
    this.#options = options;
  }

  /** Takes over a connection that asked for it with `Upgrade: lanyard-authority`. */
  accept(incoming: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on("error", () => socket.destroy());
    const token = bearerOf(incoming);
    try {
      const principal = this.#principal(token);
      const lines = this.#lines.get(principal.session) ?? new Set();
      const { streams } = this.#options.limits;
      if (lines.size >= streams) throw new Fault("limit_exceeded", `over the limit streams (${streams})`);
      const line = { socket, token, principal };
      this.#lines.set(principal.session, lines.add(line));
      const holding = incoming.headers["lanyard-holds"] === "session" ? this.#options.hold(principal.session) : null;
      socket.once("close", () => {
        holding?.[Symbol.dispose]();
        lines.delete(line);
        if (lines.size === 0 && this.#lines.get(principal.session) === lines) this.#lines.delete(principal.session);
      });
      socket.write("HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: lanyard-authority\r\n\r\n");
      if (head.length > 0) socket.unshift(head);
      readLines(socket, lineBytes, (asked) => this.#renew(line, asked), () => socket.destroy());
      socket.once("end", () => socket.end());
    } catch (error) {
      const { code, message } = error instanceof Fault ? error : new Fault("internal", "the line could not be opened");
      socket.end(`HTTP/1.1 ${errors[code].status} ${code}\r\ncontent-type: text/plain\r\nconnection: close\r\n\r\n${message}\n`);
    }
  }

  /** Tells whoever acts for a session that it is stopped: what is held for it is ended now and not at the end of a term. */
  tell(session: string): void {
    for (const { socket, principal } of this.#lines.get(session) ?? []) {
      const stopped = this.#options.stopOf(principal);
      if (stopped) say(socket, { stopped: stopped.message });
    }
  }

  /** A session has ended. */
  ended(session: string): void {
    for (const { socket } of this.#lines.get(session) ?? []) {
      say(socket, { ended: `session \`${session}\` has ended` });
      socket.end();
    }
  }

  [Symbol.dispose](): void {
    for (const lines of this.#lines.values()) for (const { socket } of lines) socket.destroy();
  }

  #principal(token: string | null): Principal {
    const caller = this.#options.authenticate(token);
    if (caller.kind !== "session") throw new Fault("wrong_audience", "a credential acts for nobody here; a session's token does");
    return caller.principal;
  }

  #renew({ socket, token }: Line, asked: Buffer): void {
    try {
      const question = parseJson(asked.toString("utf8"));
      const number = isObject(question) ? question["renew"] : null;
      if (typeof number !== "number") return void socket.destroy();
      const stopped = this.#options.stopOf(this.#principal(token));
      say(socket, stopped ? { stopped: stopped.message } : { renewed: number, term_ms: this.#options.termMs() });
    } catch (error) {
      if (error instanceof Fault) say(socket, { ended: error.message });
      socket.end();
    }
  }
}

const say = (socket: Duplex, news: AuthorityNews): void => void (socket.writable && socket.write(`${JSON.stringify(news)}\n`));
