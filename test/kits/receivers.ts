import { createServer as createHttpServer, type IncomingHttpHeaders, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { SMTPServer, type SMTPServerOptions } from "smtp-server";
import { systemClock } from "../../server/src/base/clock.ts";
import { SessionAuthority } from "../../server/src/edge/gateway/egress/authority.ts";

export interface ReceivedRequest {
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

interface Reply {
  readonly status?: number;
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Never answers. */
  readonly hang?: true;
}

/** A receiver of HTTP requests on this machine that answers as it is told: first what is queued, then `usual`. */
export class HttpReceiver implements AsyncDisposable {
  readonly received: ReceivedRequest[] = [];
  readonly queued: Reply[] = [];
  usual: Reply = { status: 200, body: "ok" };
  readonly url: string;
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  static async start(): Promise<HttpReceiver> {
    let self: HttpReceiver | null = null;
    const server = createHttpServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => {
        if (!self) return;
        self.received.push({ url: request.url ?? "", headers: request.headers, body: Buffer.concat(chunks).toString("utf8") });
        const { status = 200, body = "", headers = {}, hang } = self.queued.shift() ?? self.usual;
        if (!hang) response.writeHead(status, headers).end(body);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    self = new HttpReceiver(server);
    return self;
  }

  json(index: number): Record<string, unknown> {
    return JSON.parse(this.received.at(index)?.body ?? "null") as Record<string, unknown>;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    await closed;
  }
}

export interface ReceivedMail {
  readonly from: string;
  readonly to: readonly string[];
  /** Headers and body as they came. */
  readonly raw: string;
  readonly secure: boolean;
  readonly user: string | null;
}

/** A real SMTP server on this machine. `mode`: how it does TLS; its name is `localhost`, and `ca` the root to trust, in PEM. */
export class MailReceiver implements AsyncDisposable {
  readonly received: ReceivedMail[] = [];
  /** Answers instead of taking a mail, first come first. */
  readonly refusals: { readonly code: number; readonly text: string }[] = [];
  readonly ca: string;
  readonly #server: SMTPServer;

  private constructor(options: SMTPServerOptions, ca: string, login: { readonly user: string; readonly password: string } | null) {
    this.ca = ca;
    this.#server = new SMTPServer({
      ...options,
      logger: false,
      disableReverseLookup: true,
      ...(login === null && { authOptional: true }),
      onAuth: ({ username, password }, _session, done) => (username === login?.user && password === login?.password ? done(null, { user: username }) : done(new Error("no such login"))),
      onData: (stream, session, done) => {
        const chunks: Buffer[] = [];
        stream.on("data", (chunk: Buffer) => chunks.push(chunk));
        stream.on("end", () => {
          const refusal = this.refusals.shift();
          if (refusal) return done(Object.assign(new Error(refusal.text), { responseCode: refusal.code }));
          const { mailFrom, rcptTo } = session.envelope;
          const raw = Buffer.concat(chunks).toString("utf8");
          this.received.push({ from: mailFrom === false ? "" : mailFrom.address, to: rcptTo.map(({ address }) => address), raw, secure: session.secure, user: typeof session.user === "string" ? session.user : null });
          done();
        });
      },
    });
    this.#server.on("error", () => {}); // of single connections, which the tests provoke
  }

  static async start(mode: "tls" | "starttls" | "none", { login = null }: { login?: { readonly user: string; readonly password: string } | null } = {}): Promise<MailReceiver> {
    const authority = mode === "none" ? null : await SessionAuthority.create({ clock: systemClock, session: "mail", secret: systemClock.random(32), untilMs: Date.now() + 3_600_000, hosts: 1 });
    const tls = authority ? { ...(await authority.materialFor("localhost")), secure: mode === "tls" } : { disabledCommands: ["STARTTLS"] };
    const receiver = new MailReceiver(tls, authority?.pem ?? "", login);
    await new Promise<void>((resolve) => receiver.#server.listen(0, "127.0.0.1", resolve));
    return receiver;
  }

  get port(): number {
    return (this.#server.server.address() as AddressInfo).port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}
