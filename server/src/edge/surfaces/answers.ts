import { createHmac, timingSafeEqual } from "node:crypto";
import type { Store } from "../../base/store/port.ts";

/** A question as it was shown: one request, and the digest of the call it is about. */
export interface ShownQuestion {
  readonly id: string;
  readonly digest: string;
}

export interface ButtonValue {
  readonly verdict: "approve" | "deny";
  readonly id: string;
}

export interface LinkValue {
  readonly id: string;
  readonly user: string;
  readonly channel: string;
}

/**
 * Values that travel through surfaces and come back: on a button, in a link. Each is made for one request, one digest and one channel, with a key of
 * this data folder, so that it outlives a restart and serves nothing else. None of them answers anything by itself: who answers is proven apart. Used
 * up they are with the request, and for a user with their answer.
 */
export class AnswerValues {
  readonly #key: Buffer;

  constructor(store: Pick<Store, "derive">) {
    this.#key = store.derive("answers on surfaces");
  }

  button(channel: string, question: ShownQuestion, verdict: ButtonValue["verdict"]): string {
    return `${verdict}.${question.id}.${this.#mac("button", channel, question, verdict)}`;
  }

  /** `asked`: looks a request up. Null when the value was not made here for this channel, and when the request is no more. */
  readButton(channel: string, value: string, asked: (id: string) => ShownQuestion | null): (ButtonValue & ShownQuestion) | null {
    const [, verdict, id = "", mac = ""] = /^(approve|deny)\.([\w-]{1,64})\.([\w-]{43})$/.exec(value) ?? [];
    const question = asked(id);
    if (!question || (verdict !== "approve" && verdict !== "deny")) return null;
    return same(mac, this.#mac("button", channel, question, verdict)) ? { verdict, ...question } : null;
  }

  /** One path segment. */
  link(channel: string, question: ShownQuestion, user: string): string {
    return Buffer.from(`${question.id} ${user} ${channel} ${this.#mac("link", channel, question, user)}`).toString("base64url");
  }

  /** As {@link readButton}. */
  readLink(segment: string, asked: (id: string) => ShownQuestion | null): (LinkValue & ShownQuestion) | null {
    if (!/^[\w-]{1,512}$/.test(segment)) return null;
    const [, id = "", user = "", channel = "", mac = ""] = /^([\w-]{1,64}) ([\w.-]{1,64}) ([\w.-]{1,64}) ([\w-]{43})$/.exec(Buffer.from(segment, "base64url").toString("latin1")) ?? [];
    const question = asked(id);
    return question && same(mac, this.#mac("link", channel, question, user)) ? { user, channel, ...question } : null;
  }

  #mac(...[use, channel, { id, digest }, what]: [use: string, channel: string, question: ShownQuestion, what: string]): string {
    return createHmac("sha256", this.#key).update([use, channel, id, digest, what].join("\n")).digest("base64url");
  }
}

/** In a time that does not depend on where two texts differ. */
export const same = (a: string, b: string): boolean => {
  const [one, other] = [Buffer.from(a), Buffer.from(b)];
  return one.length === other.length && timingSafeEqual(one, other);
};
