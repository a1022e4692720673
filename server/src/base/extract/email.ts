import type { EmailFacts } from "@lanyard/contract";
import { hidden, isOver, listed, mostChars } from "./bounded.ts";
import { domainOf } from "./url.ts";

/** An address as every program takes it: no quotes, no comments, no route, letters of ASCII. */
const ordinary = /^[a-z0-9][a-z0-9._+=-]{0,63}@((?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9]))$/i;

/** Whether a text is one address by itself, whatever its argument is called. */
export const looksLikeEmail = (text: string): boolean => text.length <= 320 && /^[^\s@<>"'(),:;/\\]+@[^\s@<>"'(),:;/\\]+\.[^\W\d_][^\s@<>"'(),:;/\\]*$/u.test(text);

/**
 * What addresses mean: one in a text, or several with `,` or `;` between them, each with or without a display name (RFC 5322). The class is `plain` only
 * when all of them are written as every program reads them; a display name that could itself be taken for an address, quotes, comments, routes, control
 * characters and letters beyond ASCII make it `unknown`, and what could be meant is listed nevertheless.
 */
export function emailFacts(texts: readonly string[]): EmailFacts {
  const [addresses, domains] = [new Set<string>(), new Set<string>()];
  let isPlain = true;
  for (const text of texts) {
    if (text.length > mostChars * 4 || hidden.test(text) || !text.isWellFormed()) isPlain = false;
    const parts = split(text.slice(0, mostChars * 4));
    if (parts.length === 0) isPlain = false;
    for (const part of new Set(parts)) {
      if (isOver(addresses)) break;
      const address = addressOf(part);
      if (address !== null) {
        addresses.add(address);
        domains.add(domainOf(address.slice(address.lastIndexOf("@") + 1)));
        continue;
      }
      isPlain = false;
      for (const guess of guessed(part)) {
        addresses.add(guess);
        domains.add(domainOf(guess.slice(guess.lastIndexOf("@") + 1)));
      }
    }
  }
  return { class: isPlain && !isOver(addresses) ? "plain" : "unknown", addresses: listed(addresses), domains: listed(domains) };
}

/** At the commas and semicolons that stand in no quotes. */
function split(text: string): string[] {
  const parts: string[] = [];
  let from = 0;
  let isQuoted = false;
  for (let at = 0; at < text.length; at++) {
    const letter = text[at];
    if (letter === "\\" && isQuoted) at++;
    else if (letter === '"') isQuoted = !isQuoted;
    else if ((letter === "," || letter === ";") && !isQuoted) {
      parts.push(text.slice(from, at));
      from = at + 1;
    }
  }
  parts.push(text.slice(from));
  return parts.map((part) => part.trim()).filter((part) => part !== "");
}

/** `a@b.c`, `<a@b.c>` or `Name <a@b.c>` where the name is no address; null for anything else. */
function addressOf(part: string): string | null {
  const [, name = "", inner] = /^([^<>]*)<([^<>]*)>$/.exec(part) ?? [];
  const address = (inner ?? part).toLowerCase();
  const isName = inner === undefined || /^(?:"[^"\\@<>]*"|[^"\\@<>()]*)\s*$/.test(name);
  return isName && ordinary.test(address) && !address.includes("..") && !address.includes(".@") ? address : null;
}

/** Whatever in it could be taken for an address. */
const guessed = (part: string): string[] =>
  Array.from(part.normalize("NFKC").slice(0, mostChars).matchAll(/[^\s@<>"'(),:;\\[\]]{1,64}@([^\s@<>"'(),:;\\[\]]{1,253})/gu), ([address]) => ascii(address.toLowerCase()));

/** The domain as mail is sent to it: `xn--` for letters beyond ASCII. */
function ascii(address: string): string {
  const at = address.lastIndexOf("@");
  return `${address.slice(0, at)}@${URL.parse(`http://${address.slice(at + 1)}`)?.hostname.replace(/\.$/, "") ?? address.slice(at + 1)}`;
}
