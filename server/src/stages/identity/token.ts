import { createHash, timingSafeEqual } from "node:crypto";
import type { Clock } from "../../base/clock.ts";

/** Whom a secret speaks for. An agent's and a user's is a credential and lives until revoked; a session's is a token and lives for a task. */
export type TokenKind = "agent" | "user" | "session";

const pattern = /^lyd_(agent|user|session)_[A-Za-z0-9_-]{43}$/;

/** `lyd_<kind>_` and 256 random bits as 43 base64url characters: recognisable in a leak, and not to be guessed. */
export const newToken = (clock: Clock, kind: TokenKind): string => `lyd_${kind}_${clock.random(32).toString("base64url")}`;

/** The kind a well-formed token claims to be; null for anything else. */
export const tokenKind = (text: string): TokenKind | null => (pattern.exec(text)?.[1] as TokenKind | undefined) ?? null;

const digest = (token: string): Buffer => createHash("sha256").update(token).digest();

/** What is kept of a token: its base64url SHA-256. With 256 random bits below it, a salt or a slow hash would add nothing. */
export const fingerprint = (token: string): string => digest(token).toString("base64url");

/** Things by their token, without the tokens. */
export class TokenTable<T> {
  readonly #entries = new Map<string, { readonly digest: Buffer; readonly value: T }>();

  set(print: string, value: T): void {
    this.#entries.set(print, { digest: Buffer.from(print, "base64url"), value });
  }

  delete(print: string): void {
    this.#entries.delete(print);
  }

  find(token: string): T | null {
    const presented = digest(token);
    const entry = this.#entries.get(presented.toString("base64url"));
    return entry && timingSafeEqual(entry.digest, presented) ? entry.value : null;
  }
}
