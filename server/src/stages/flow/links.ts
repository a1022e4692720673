const mostLinks = 16;
/** Addresses of pages in a text: with a scheme, with `www.`, or a host and a path. */
const address = /(?:\b[a-z][a-z0-9+.-]*:\/\/|\bwww\.|(?<![\w@./-])(?:[a-z0-9-]+\.)+[a-z]{2,}\/)[^\s<>"'`|\\^{})\]]*/gi;

/**
 * Where the pages come from that a text leads to, one bit for each origin: one known as a whole is of where it stood, of any other the host says who
 * is behind it. `codesIn`: the same of a text.
 */
export function linkCodes(text: string, codesIn: (value: string) => number): number {
  if (!text.includes("/") && !text.includes("www.")) return 0;
  let codes = 0;
  for (const [link] of [...text.matchAll(address)].slice(0, mostLinks)) {
    const page = link.replace(/[.,;:!?]+$/, "");
    const whole = codesIn(page);
    const host = /^(?:[a-z][a-z0-9+.-]*:\/\/)?(?:[^/@]*@)?([^/:?#]*)/i.exec(page)?.[1] ?? "";
    codes |= (whole & (whole - 1)) === 0 ? whole : codesIn(host);
  }
  return codes;
}
