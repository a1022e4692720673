import { createHash, createHmac } from "node:crypto";
import type { Clock } from "../../base/clock.ts";
import type { Limits } from "../../base/limits.ts";

/** Somebody who proved with their own credential who they are, on the page of one link. */
export interface SignIn {
  readonly user: string;
  /** Public id of the credential. */
  readonly credential: string;
  /** What a form of this sign-in must bring along. */
  readonly formKey: string;
}

interface Kept extends SignIn {
  readonly link: string;
  readonly untilMs: number;
}

const hashOf = (text: string): string => createHash("sha256").update(text).digest("base64url");

/** Open sign-ins, in memory alone: after a restart people sign in again. Known by a hash, so that nothing can be learned by trying. */
export class SignIns {
  readonly #clock: Clock;
  readonly #limits: () => Pick<Limits, "sign_ins" | "sign_in_ms">;
  readonly #key: Buffer;
  readonly #open = new Map<string, Kept>();

  constructor({ clock, limits }: { readonly clock: Clock; readonly limits: () => Pick<Limits, "sign_ins" | "sign_in_ms"> }) {
    this.#clock = clock;
    this.#limits = limits;
    this.#key = clock.random(32);
  }

  /** The value of the cookie. `link`: the only one it is good for. */
  begin(link: string, user: string, credential: string): string {
    const secret = this.#clock.random(32).toString("base64url");
    const { sign_ins: most, sign_in_ms: life } = this.#limits();
    for (const [hash, { untilMs }] of this.#open) if (untilMs <= this.#clock.nowMs() || this.#open.size >= most) this.#open.delete(hash);
    this.#open.set(hashOf(secret), { user, credential, link, untilMs: this.#clock.nowMs() + life, formKey: this.#formKey(link, secret) });
    return secret;
  }

  find(link: string, secret: string): SignIn | null {
    const kept = this.#open.get(hashOf(secret));
    return kept && kept.link === link && kept.untilMs > this.#clock.nowMs() ? kept : null;
  }

  end(secret: string): void {
    this.#open.delete(hashOf(secret));
  }

  /** What the form for signing in must bring along: it was shown by this daemon, for this link. */
  entryKey(link: string): string {
    return this.#formKey(link, "entry");
  }

  #formKey(link: string, secret: string): string {
    return createHmac("sha256", this.#key).update(`${link}\n${secret}`).digest("base64url");
  }
}
