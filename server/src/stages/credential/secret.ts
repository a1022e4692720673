import { inspect } from "node:util";
import { Fault } from "@lanyard/contract";
import { limits } from "../../base/limits.ts";

/**
 * A value that somebody could use. Invariant: I10, it is text only where `reveal` is called: in JSON, in a log, in a template and in an error it
 * is two words.
 */
export class Secret {
  readonly #text: string;

  private constructor(text: string) {
    this.#text = text;
  }

  /**
   * Takes what a source gave: less the one line end that editors put at the end of a file. Throws Fault `no_credential` for what could not travel
   * in a header (which would let it end the line and begin another), or is so short that taking it out of what comes back would destroy that.
   */
  static of(name: string, given: string): Secret {
    const text = given.replace(/\r?\n$/, "");
    const wrong = (why: string) => new Fault("no_credential", `the credential \`${name}\` cannot be used: its value ${why}`);
    if (text.length < shortest) throw wrong(`has fewer than ${shortest} characters`);
    if (text.length > limits.credential_bytes.value) throw wrong(`is over the limit credential_bytes (${limits.credential_bytes.value})`);
    if (!/^[\x20-\x7e]*$/.test(text)) throw wrong("has characters that are not printable ASCII");
    return new Secret(text);
  }

  reveal(): string {
    return this.#text;
  }

  toString(): string {
    return hidden;
  }

  toJSON(): string {
    return hidden;
  }

  [inspect.custom](): string {
    return hidden;
  }
}

/** Characters. */
export const shortest = 8;
const hidden = "[a secret]";
