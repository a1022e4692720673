import { createHmac } from "node:crypto";
import { isSame } from "../../base/same.ts";
import type { Store } from "../../base/store/port.ts";

/** A question as it was shown: one request, and the digest of the call it is about. */
export interface ShownQuestion {
  readonly id: string;
  readonly digest: string;
}

export interface ButtonValue extends ShownQuestion {
  readonly verdict: "approve" | "deny";
}

export interface LinkValue extends ShownQuestion {
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

  button(channel: string, { id, digest }: ShownQuestion, verdict: ButtonValue["verdict"]): string {
    return `${verdict}.${id}.${digest}.${this.#mac(["button", channel, verdict, id, digest])}`;
  }

  /** Null when the value was not made here for this channel. */
  readButton(channel: string, value: string): ButtonValue | null {
    const [, verdict, id = "", digest = "", mac = ""] = /^(approve|deny)\.([\w-]{1,64})\.([\w-]{43})\.([\w-]{43})$/.exec(value) ?? [];
    if (verdict !== "approve" && verdict !== "deny") return null;
    return isSame(mac, this.#mac(["button", channel, verdict, id, digest])) ? { verdict, id, digest } : null;
  }

  /** One path segment. */
  link(channel: string, { id, digest }: ShownQuestion, user: string): string {
    return Buffer.from(`${id} ${digest} ${user} ${channel} ${this.#mac(["link", channel, user, id, digest])}`).toString("base64url");
  }

  /** Null when the link was not made here. */
  readLink(segment: string): LinkValue | null {
    if (!/^[\w-]{1,512}$/.test(segment)) return null;
    const text = Buffer.from(segment, "base64url").toString("latin1");
    const [, id = "", digest = "", user = "", channel = "", mac = ""] = /^([\w-]{1,64}) ([\w-]{43}) ([\w.-]{1,64}) ([\w.-]{1,64}) ([\w-]{43})$/.exec(text) ?? [];
    return isSame(mac, this.#mac(["link", channel, user, id, digest])) ? { id, digest, user, channel } : null;
  }

  #mac(parts: readonly string[]): string {
    return createHmac("sha256", this.#key).update(parts.join("\n")).digest("base64url");
  }
}
