import { origin } from "./values.ts";

const mostLinks = 16;
/** What is more than is looked at may be anybody's. */
const more = 1 << origin.model;
/** Addresses of pages in a text: with a scheme, with `www.`, or a host and a path. */
const address = /(?:\b[a-z][a-z0-9+.-]*:\/\/|\bwww\.|(?<![\w@./-])(?:[a-z0-9-]+\.)+[a-z]{2,}\/)[^\s<>"'`|\\^{})\]]*/gi;

/** This machine, or a name without a dot, which is of the reader's own network: no stranger's. Not a number, which any address can be written as. */
const nowhere = /^(?:localhost|127(?:\.\d{1,3}){3}|(?!0x)(?=[\d-]*[a-z])[a-z0-9-]+)$/i;

/**
 * Where the pages come from that a text leads to, one bit for each origin: one known as a whole is of where it stood, of any other the host says who
 * is behind it. `codesIn`: the same of a text; `isNamed`: whether the task names whoever is at a host.
 */
export function linkCodes(text: string, codesIn: (value: string) => number, isNamed: (host: string) => boolean): number {
  if (!text.includes("/") && !text.includes("www.")) return 0;
  const links = [...text.matchAll(address)];
  let codes = links.length > mostLinks ? more : 0;
  for (const [link] of links.slice(0, mostLinks)) {
    const page = link.replace(/[.,;:!?]+$/, "");
    const whole = codesIn(page);
    const host = /^(?:[a-z][a-z0-9+.-]*:\/\/)?(?:[^/@]*@)?([^/:?#]*)/i.exec(page)?.[1] ?? "";
    if (nowhere.test(host)) continue;
    const found = (whole & (whole - 1)) === 0 ? whole : codesIn(host);
    codes |= found > 1 << origin.directory && isNamed(host) ? 1 << origin.task : found;
  }
  return codes;
}

/** Where accounts and addresses that money would go to come from, one bit for each origin: each counts as it stands. */
export const payeeCodes = (payees: readonly string[], codesIn: (value: string) => number): number =>
  payees.slice(0, mostLinks).reduce((codes, one) => codes | codesIn(one), payees.length > mostLinks ? more : 0);
