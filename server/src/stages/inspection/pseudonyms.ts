import { createHmac } from "node:crypto";
import { Fault, isObject, type JsonObject, type Principal } from "@lanyard/contract";
import type { Limits } from "../../base/limits.ts";
import type { Store } from "../../base/store/port.ts";

/** What stands for a value that an agent must not see: `tok_` and 132 bits, the same for the same value of the same user. */
export const pseudonym = /^tok_[A-Za-z0-9_-]{22}$/;

/** A value behind a pseudonym. */
export interface Hidden {
  readonly token: string;
  readonly label: string;
  readonly value: string;
}

export const pseudonymOf = (key: Buffer, user: string, label: string, value: string): string =>
  `tok_${createHmac("sha256", key).update(JSON.stringify([user, label, value])).digest("base64url").slice(0, 22)}`;

const mostInOneRecord = 128;

/**
 * Values that were put out of an agent's sight, by what it was given in their place. Each lies sealed under the key of the user on whose behalf the
 * session was: erasing them erases it. A pseudonym is a keyed hash, so that nobody can try values out, and equal values can be told to be equal.
 */
export class Pseudonyms {
  readonly #store: Store;
  readonly #limits: Pick<Limits, "pseudonyms">;
  readonly #key: Buffer;
  /** Counted high when an append fails half-way, never low. */
  #count: number;

  constructor({ store, limits }: { store: Store; limits: Pick<Limits, "pseudonyms"> }) {
    this.#store = store;
    this.#limits = limits;
    this.#key = store.derive("pseudonyms");
    this.#count = store.list("pseudonym").length;
  }

  /** Of a value, for one user; nothing is kept of it until {@link keep}. */
  tokenOf({ user }: Pick<Principal, "user">, label: string, value: string): string {
    return pseudonymOf(this.#key, user, label, value);
  }

  /** Makes pseudonyms that can be revealed; durable on return. Throws Fault `ledger_unavailable`, `limit_exceeded`. */
  async keep({ user, session }: Pick<Principal, "user" | "session">, hidden: readonly Hidden[]): Promise<void> {
    const fresh = [...new Map(hidden.map((one) => [one.token, one])).values()].filter(({ token }) => this.#store.get("pseudonym", token) === null);
    if (fresh.length === 0) return;
    if (this.#count + fresh.length > this.#limits.pseudonyms) throw new Fault("limit_exceeded", `there are ${this.#limits.pseudonyms} values behind tokens, the limit pseudonyms`);
    this.#count += fresh.length;
    for (let at = 0; at < fresh.length; at += mostInOneRecord) {
      const some = fresh.slice(at, at + mostInOneRecord);
      const sealed = this.#store.seal(`user:${user}`, Object.fromEntries(some.map(({ token, value }) => [token, value])));
      const labels = [...new Set(some.map(({ label }) => label))].sort();
      const state = some.map(({ token, label }) => ({ kind: "pseudonym" as const, key: token, value: { payload: sealed.payload, user, session, label } }));
      await this.#store.append({ type: "data.tokenise", session, labels, values: some.length, hidden: sealed.commitment, payload: sealed.payload }, { sealed, state });
    }
  }

  /** Whose it is and what it stands for; recorded as `access.reveal` before. Null when it is nobody's or was erased. Throws Fault `ledger_unavailable`. */
  async reveal(token: string, by: string, mayUser: string | null): Promise<(JsonObject & { value: string }) | null> {
    const known = pseudonym.test(token) ? this.#store.get("pseudonym", token) : null;
    if (known === null || (mayUser !== null && known["user"] !== mayUser)) return null;
    const { user, session, label } = known;
    await this.#store.append({ type: "access.reveal", by, session: String(session), label: String(label), token });
    const values = this.#store.unseal(String(known["payload"]))?.value;
    const value = isObject(values) ? values[token] : undefined;
    return typeof value === "string" ? { token, value, label: String(label), user: String(user), session: String(session) } : null;
  }
}
