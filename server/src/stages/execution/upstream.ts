import { Fault } from "@lanyard/contract";
import type { Pool } from "undici";
import type { Clock } from "../../base/clock.ts";
import type { HeaderMap } from "../../base/headers.ts";
import type { Limits } from "../../base/limits.ts";
import type { Log } from "../../base/log.ts";
import type { Introduction } from "../../base/mcp.ts";
import type { Given } from "../../base/path.ts";
import { startChild } from "./child.ts";
import { Connection, type Dial, type ServerNotice } from "./connection.ts";
import { startEnclosed, type Enclosure } from "./enclosed.ts";
import { HttpLink } from "./http.ts";
import { StdioLink } from "./stdio.ts";

/**
 * A registered server. `env` (once for each process) and `headers` (for each request) are functions, so that secrets are resolved at use and kept
 * nowhere. Both reject with a Fault when one cannot be had.
 */
export type UpstreamSpec = { readonly name: string } & (
  | { readonly command: string; readonly args: readonly string[]; readonly cwd?: string; env(): Promise<Given>; /** Makes the sandbox it runs in; absent when it runs as a child of ours. */ enclose?(): Promise<Enclosure> }
  | { readonly url: string; headers(): Promise<Given> }
);

export interface UpstreamTools {
  readonly clock: Clock;
  readonly limits: Limits;
  readonly log: Log;
  /** All a child process inherits. */
  readonly environment: Readonly<Record<string, string>>;
  /** Takes one of the places for connections, for a session or for nobody. Rejects with Fault `upstream_unavailable` when there is none. */
  place(session: string | null): Promise<Disposable>;
  notice(session: string, server: string, ...notice: Parameters<ServerNotice>): void;
  /** Why nothing of a server is started now; null when nothing speaks against it. */
  stopOf?(server: string): Fault | null;
  /** Shows the catalog the tools that a connection has now. Rejects when the server does not list them. */
  show(server: string, connection: Connection): Promise<void>;
}

/** Key of the one connection that all sessions share: a stateless HTTP server knows nobody, so there is nothing to keep apart. */
const everybody = "";
const steadyMs = 30_000;
/**
 * Answers have time limits of their own, and event streams none, so the pool has none for them. Connections are let go of long before servers close them (Node
 * does after 5 s, and says so): of a call on one that is just being closed nobody can tell whether it was carried out, and on a busy machine timers run late.
 */
const pooling = { connections: 256, headersTimeout: 0, bodyTimeout: 0, connectTimeout: 5000, keepAliveTimeout: 4000, keepAliveTimeoutThreshold: 3000 };

/**
 * One server with all its connections: one a session, and a warm spare that the next session adopts. What crashes is started again with
 * a back-off that all connections share.
 */
export class Upstream implements AsyncDisposable {
  readonly spec: UpstreamSpec;
  readonly headerMap: HeaderMap = new Map();
  readonly #tools: UpstreamTools;
  #pool: Pool | null = null;
  readonly #held = new Map<string, Promise<Connection>>();
  readonly #places = new Map<Connection, { place: Disposable; sinceMs: number }>();
  #spare: Promise<Connection> | null = null;
  #introduction: Introduction | null = null;
  #failures = 0;
  #notBeforeMs = 0;
  #disposed = false;

  constructor(tools: UpstreamTools, spec: UpstreamSpec) {
    this.#tools = tools;
    this.spec = spec;
  }

  get failures(): number {
    return this.#failures;
  }

  get known(): Introduction | null {
    return this.#introduction;
  }

  get connections(): number {
    return this.#held.size + (this.#spare ? 1 : 0);
  }

  /** How the server introduced itself last; asks it when it never did. */
  async introduction(): Promise<Introduction> {
    return this.#introduction ?? (await this.spare()).introduction;
  }

  /** Connections that could be let go: each a session's own, or the spare. */
  get open(): readonly Connection[] {
    return [...this.#places.keys()].filter(({ session }) => session !== everybody);
  }

  /** A connection that belongs to no session. It serves probes until a session adopts it. `asker` is null when nobody waits for it. */
  async spare(asker: string | null = everybody): Promise<Connection> {
    if (this.#shared) return this.#hold(everybody);
    this.#spare ??= this.#start(asker, (connection) => {
      connection.onNotice = (method) => this.#heed(connection, method);
      connection.onClose = (why) => {
        this.#spare = null;
        this.#ended(connection, why);
        if (!this.#disposed) this.#tools.clock.after(Math.max(1000, this.#notBeforeMs - this.#tools.clock.nowMs()), () => this.warm());
      };
    });
    const spare = this.#spare;
    try {
      return await spare;
    } catch (error) {
      if (this.#spare === spare) this.#spare = null;
      throw error;
    }
  }

  /** Starts the spare if there is none; its failure is told to the log only. */
  warm(): void {
    if (!this.#disposed) this.spare(null).catch((error: unknown) => this.#tools.log.warn("server.unavailable", { server: this.spec.name, error }));
  }

  /**
   * The session's connection, opened if need be. Throws Fault `upstream_unavailable`.
   *
   * Invariant: the catalog has seen the tools of a connection before anything is called on it, and again after the server said that they
   * changed; a server cannot show one definition for approval and run another.
   */
  async connect(session: string): Promise<Connection> {
    if (!this.#introduction) await this.spare(session);
    const connection = await this.#hold(this.#shared ? everybody : session);
    await connection.shown;
    return connection;
  }

  /** Looks again at the tools of every connection in use: not every server says when they change. */
  async refresh(): Promise<void> {
    const sinceMs = this.#tools.clock.nowMs() - this.#tools.limits.catalog_refresh_ms;
    for (const held of this.#held.values()) {
      const connection = await held.catch(() => null);
      if (!connection || connection.closed || connection.lastUsedMs < sinceMs) continue;
      const { lastUsedMs } = connection;
      await this.#show(connection).catch(() => {});
      connection.lastUsedMs = lastUsedMs; // a look is no use
    }
  }

  /** The session's connection if it is open. */
  async opened(session: string): Promise<Connection | null> {
    const connection = await this.#held.get(this.#shared ? everybody : session)?.catch(() => null);
    return connection && !connection.closed ? connection : null;
  }

  /** Lets a session's connection go; `end`: at once, with the process behind it. */
  async release(session: string, end?: "kill"): Promise<void> {
    const held = this.#held.get(session);
    if (!held || session === everybody) return;
    this.#held.delete(session);
    await close(held, end);
  }

  /** Closes what nobody has used for the limit `upstream_idle_ms`, but for what somebody still watches. */
  async reap(): Promise<void> {
    const before = this.#tools.clock.nowMs() - this.#tools.limits.upstream_idle_ms;
    for (const [session, held] of this.#held) {
      const connection = await held.catch(() => null);
      const idle = connection?.idle && connection.lastUsedMs < before;
      if (idle && session !== everybody) await this.release(session);
    }
  }

  /** Ends all its connections: what they were given is no longer good. The next one is opened at once, whatever failed before. */
  async renew(end?: "kill"): Promise<void> {
    this.#failures = 0;
    this.#notBeforeMs = 0;
    const all = [...this.#held.values(), this.#spare];
    this.#held.clear();
    this.#spare = null;
    await Promise.all(all.map((held) => close(held, end)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true;
    await this.renew();
    await this.#pool?.destroy();
  }

  get #shared(): boolean {
    return "url" in this.spec && this.#introduction?.era === "stateless";
  }

  async #hold(session: string): Promise<Connection> {
    const held = await this.#held.get(session);
    if (held && !held.closed) return held;
    if (held) this.#held.delete(session);
    const opening = this.#held.get(session) ?? this.#own(session);
    this.#held.set(session, opening);
    try {
      return await opening;
    } catch (error) {
      if (this.#held.get(session) === opening) this.#held.delete(session);
      throw error;
    }
  }

  /** Gives the spare to the session, or opens a connection for it. */
  async #own(session: string): Promise<Connection> {
    const spare = this.#spare;
    this.#spare = null;
    const warm = await spare?.catch(() => null);
    const own = (connection: Connection) => {
      connection.session = session;
      connection.lastUsedMs = this.#tools.clock.nowMs();
      connection.onNotice = (...notice) => {
        this.#heed(connection, notice[0]);
        connection.shown.catch(() => {}).finally(() => this.#tools.notice(session, this.spec.name, ...notice));
      };
      connection.onClose = (why) => {
        if (!this.#disposed) this.#held.delete(session);
        this.#ended(connection, why);
      };
      return connection;
    };
    const connection = warm && !warm.closed ? own(warm) : await this.#start(session, own);
    if (session !== everybody && "command" in this.spec) queueMicrotask(() => this.warm());
    return connection;
  }

  async #start(session: string | null, prepare: (connection: Connection) => void): Promise<Connection> {
    const { clock, limits } = this.#tools;
    const stopped = this.#tools.stopOf?.(this.spec.name);
    if (stopped) throw new Fault("upstream_unavailable", stopped.message);
    const waitMs = this.#notBeforeMs - clock.nowMs();
    if (waitMs > 0) {
      const why = `server \`${this.spec.name}\` failed ${this.#failures} times in a row and is started again in ${waitMs} ms`;
      throw new Fault("upstream_unavailable", why);
    }
    const place = await this.#tools.place(session);
    try {
      const connection = await Connection.open(await this.#dial(), clock, limits.handshake_ms, this.#introduction?.era);
      this.#introduction = connection.introduction;
      try {
        await this.#show(connection);
      } catch (error) {
        await connection[Symbol.asyncDispose]();
        throw error;
      }
      this.#places.set(connection, { place, sinceMs: clock.nowMs() });
      prepare(connection);
      if (connection.closed) connection.onClose(connection.closed);
      if (this.#disposed || this.#tools.stopOf?.(this.spec.name)) await connection[Symbol.asyncDispose]();
      return connection;
    } catch (error) {
      place[Symbol.dispose]();
      this.#introduction = null; // The next attempt finds out anew what the server speaks.
      this.#failed();
      throw error;
    }
  }

  #show(connection: Connection): Promise<void> {
    connection.shown = this.#tools.show(this.spec.name, connection);
    return connection.shown;
  }

  #heed(connection: Connection, method: string): void {
    if (method !== "notifications/tools/list_changed") return;
    this.#show(connection).catch((error: unknown) => this.#tools.log.warn("server.unlisted", { server: this.spec.name, error }));
  }

  #ended(connection: Connection, why: Error): void {
    const kept = this.#places.get(connection);
    if (!kept) return;
    this.#places.delete(connection);
    kept.place[Symbol.dispose]();
    if (connection.released) return;
    if (this.#tools.clock.nowMs() - kept.sinceMs >= steadyMs) this.#failures = 0;
    this.#failed();
    this.#tools.log.warn("server.ended", { server: this.spec.name, why: why.message, failures: this.#failures });
  }

  /** The first failure after a steady time is made good at once, the next ones after 0.5 s, 1 s, 2 s and so on up to 30 s. */
  #failed(): void {
    this.#failures++;
    const delayMs = this.#failures === 1 ? 0 : Math.min(30_000, 250 * 2 ** (this.#failures - 1));
    this.#notBeforeMs = this.#tools.clock.nowMs() + delayMs;
  }

  async #dial(): Promise<Dial> {
    const { clock, limits, log, environment } = this.#tools;
    const { spec } = this;
    if ("url" in spec) {
      const { Pool } = await import("undici"); // A daemon whose servers are all its children starts without it.
      if (this.#disposed) throw new Fault("upstream_unavailable", `server \`${spec.name}\` is being let go`);
      const { origin, pathname, search } = new URL(spec.url);
      const pool = (this.#pool ??= new Pool(origin, pooling));
      const target = { name: spec.name, path: pathname + search, pool, headers: () => spec.headers(), headerMap: this.headerMap };
      return (events) => new HttpLink({ clock, limits }, target, events);
    }
    const { values, scrub } = await spec.env();
    const { name, command, args, cwd } = spec;
    // A guest gets nothing of this machine's environment, only what was meant for it.
    const process = spec.enclose ? await startEnclosed({ name, command, args, cwd, environment: values }, await spec.enclose(), limits) : startChild({ name, command, args, cwd, environment: { ...environment, ...values } });
    return (events) => new StdioLink({ clock, limits, log }, { name, process, scrub }, events);
  }
}

async function close(held: Promise<Connection> | null, end?: "kill"): Promise<void> {
  const connection = await held?.catch(() => null);
  await (end === "kill" ? connection?.kill() : connection?.[Symbol.asyncDispose]());
}
