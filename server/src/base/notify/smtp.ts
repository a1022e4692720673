import { readFile } from "node:fs/promises";
import { shortened, visible, visibleLines } from "../visible.ts";
import { Undelivered, type Deliver } from "./channel.ts";
import type { Notice } from "./notice.ts";

interface SmtpWay {
  readonly host: string;
  readonly port: number;
  readonly security: "tls" | "starttls" | "none";
  /** Null: the server asks for none. */
  readonly login: { readonly user: string; readonly pass: string } | null;
  readonly from: string;
  readonly to: readonly string[];
  readonly ca: string | null;
}

const silenceMs = 10_000;
const subjectChars = 200;

/**
 * E-mail by SMTP, as plain text: there is no markup that foreign words could be. The message id is the notice's, so that a mail program shows one that
 * was sent twice once. Without TLS nothing is said, not even a name. Tried again after a 4yz answer and after none.
 */
export const smtpChannel = ({ host, port, security, login, from, to, ca }: SmtpWay): Deliver => {
  return async ({ notice, signal }) => {
    const receivers = notice.to ?? to;
    if (receivers.length === 0) throw new Undelivered("no_receiver", { passing: false });
    const { createTransport } = await import("nodemailer"); // Few daemons send mail; all others start without it.
    const transport = createTransport({
      ...{ host, port, secure: security === "tls", requireTLS: security === "starttls", ignoreTLS: security === "none" },
      ...{ connectionTimeout: silenceMs, greetingTimeout: silenceMs, socketTimeout: silenceMs, dnsTimeout: silenceMs, name: "lanyard" },
      ...{ disableFileAccess: true, disableUrlAccess: true },
      ...(login && { auth: login }),
      tls: { minVersion: "TLSv1.2", ...(ca !== null && { ca: await readRoots(ca) }) },
    });
    try {
      const { id, title, dedup } = notice;
      const named = (address: string) => ({ name: "", address });
      await orAborted(
        signal,
        transport.sendMail({
          ...{ from: { name: "Lanyard", address: from }, to: receivers.map(named), envelope: { from, to: [...receivers] } },
          ...{ subject: shortened(visible(title), subjectChars), text: mailText(notice), messageId: messageId(id, from), references: messageId(dedup, from) },
          headers: { "auto-submitted": "auto-generated", "x-auto-response-suppress": "All" },
        }),
      );
      return null;
    } catch (error) {
      throw error instanceof Undelivered ? error : failed(error);
    } finally {
      transport.close();
    }
  };
};

async function readRoots(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    throw new Undelivered("no_ca", { passing: true, cause });
  }
}

/** Ids may have characters that an address cannot: those become their hex. */
const messageId = (id: string, from: string): string => `<${id.replace(/[^A-Za-z0-9._-]/g, (c) => `=${c.codePointAt(0)?.toString(16) ?? ""}`)}@${from.slice(from.indexOf("@") + 1)}>`;

function orAborted<T>(signal: AbortSignal, sending: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = () => reject(new Undelivered("timeout", { passing: true }));
    signal.addEventListener("abort", stop, { once: true });
    sending.then(resolve, reject).finally(() => signal.removeEventListener("abort", stop)); // Heard in any case: nobody else would hear it fail.
    if (signal.aborted) stop();
  });
}

/** Only the kind of the failure and the server's number: its text may repeat what it was sent. */
function failed(error: unknown): Undelivered {
  const { code, responseCode } = error as { code?: unknown; responseCode?: unknown };
  if (code === "ETLS") return new Undelivered("tls", { passing: true }); // Perhaps somebody in between only says that there is none.
  if (typeof responseCode === "number" && responseCode >= 400) return new Undelivered(`smtp_${responseCode}`, { passing: responseCode < 500 });
  if (code === "EAUTH" || code === "ENOAUTH") return new Undelivered("login", { passing: false });
  return new Undelivered("unreachable", { passing: true });
}

/** What Lanyard itself says comes first, and foreign words stand behind a bar, so that they cannot pass for Lanyard's. */
export function mailText({ kind, title, lines, fields, commands, link }: Notice): string {
  const barred = (text: string) => visibleLines(text).split("\n").map((line) => `  | ${line}`);
  return [
    ...barred(title),
    ...lines.flatMap(barred),
    "",
    ...(link === null ? [] : [kind === "approval" ? "Answer here, after signing in with your own credential:" : "More:", link, ""]),
    ...fields.flatMap(([name, value]) => [`${visible(name)}:`, ...barred(value)]),
    ...(commands.length > 0 ? ["", "At a terminal:", ...commands.map((command) => `  ${visible(command)}`)] : []),
    "",
    "Lanyard never asks for a credential by mail, and never for one on another address than its own.",
    "",
  ].join("\r\n");
}
