import type { Config } from "../../base/config/config.ts";

/** No handle: `@little.larder.louise`. */
const address = /(?<=[\w.+-])@((?:[a-z0-9-]{1,63}\.){1,8}[a-z]{2,24})\b/gi;
/** Shorter names are a part of too many others, or one letter away from them. */
const [shortestPart, shortestNear] = [6, 7] as const;
const mostAddresses = 256;
/** Of the addresses in a text. */
const domainsIn = (text: string): IteratorObject<string> => text.matchAll(address).take(mostAddresses).map(([, domain = ""]) => domain.toLowerCase());

/** Domains of addresses that are meant to be taken for those of the directory: `acme-mail.com`, `acrne.com`, `acme.co` where it has `acme.com`. */
export class Lookalikes {
  readonly #own: ReadonlySet<string>;
  /** The name that each of them is known by, as it looks. */
  readonly #names: readonly string[];
  readonly #judged = new Map<string, boolean>();

  constructor({ users, origins }: Pick<Config, "users" | "origins">) {
    const values = [...[...users.values()].map(({ email }) => email ?? ""), ...origins.directory].map((value) => value.toLowerCase());
    this.#own = new Set(values.map((value) => value.slice(value.lastIndexOf("@") + 1)).filter((domain) => /^(?:[a-z0-9-]+\.)+[a-z]{2,}$/.test(domain)));
    this.#names = [...new Set([...this.#own].filter((domain) => !everybody.has(domain)).map((domain) => looks(nameOf(domain))))];
  }

  /** Whether an address of such a domain stands in a text. */
  areIn(text: string): boolean {
    return this.#names.length > 0 && text.includes("@") && domainsIn(text).some((domain) => this.#is(domain));
  }

  #is(domain: string): boolean {
    const known = this.#judged.get(domain);
    if (known !== undefined) return known;
    if (this.#judged.size >= mostAddresses) this.#judged.clear();
    const isOwn = this.#own.has(domain) || everybody.has(domain) || [...this.#own].some((own) => domain.endsWith(`.${own}`));
    const whole = looks(domain);
    const name = looks(nameOf(domain));
    const is = !isOwn && this.#names.some((own) => (own.length >= shortestPart && whole.includes(own)) || (own.length >= shortestNear && isNear(own, name)));
    this.#judged.set(domain, is);
    return is;
  }
}

/** Domains of addresses that a session has met: of two that are meant to be taken for one, one is an impostor's, whoever is known to the organisation. */
export class MetDomains {
  readonly #met = new Map<string, { readonly site: Site; isOurs: boolean }>();

  /** Takes note of those in a text. True when one is like another one, and not both stand in what the organisation vouches for. */
  meets(text: string, isOurs: boolean): boolean {
    return text.includes("@") && domainsIn(text).some((domain) => this.#meets(domain, isOurs));
  }

  #meets(domain: string, isOurs: boolean): boolean {
    const known = this.#met.get(domain);
    if (known !== undefined) {
      known.isOurs ||= isOurs;
      return false;
    }
    if (everybody.has(domain) || this.#met.size >= mostAddresses) return false;
    const site = siteOf(domain);
    const isLike = [...this.#met.values()].some((other) => !(isOurs && other.isOurs) && areAlike(site, other.site));
    this.#met.set(domain, { site, isOurs });
    return isLike;
  }
}

/** A domain by its name and what is behind it: `brouwer-staal` and `.example`; and the name as it looks. */
interface Site {
  readonly name: string;
  readonly rest: string;
  readonly look: string;
}

function siteOf(domain: string): Site {
  const name = nameOf(domain);
  return { name, rest: domain.slice(domain.lastIndexOf(name) + name.length), look: looks(name) };
}

/** `brouwer-staal.nl` and `brouwerstaal.nl`; but not `store-12` and `store-13`, nor `region-a` and `region-b`: such names are told apart by what differs. */
function areAlike(one: Site, other: Site): boolean {
  if (one.name === other.name || one.rest !== other.rest || one.look.length < shortestPart) return false;
  if (one.look === other.look) return true;
  const parts = one.name.split("-");
  const others = other.name.split("-");
  const areNumbered = one.name.replace(/\d+/g, "") === other.name.replace(/\d+/g, "") || (parts.length === others.length && parts.some((part, at) => part.length === 1 && part !== others[at]));
  return !areNumbered && one.look.length >= shortestNear && isNear(one.look, other.look);
}

/** Providers whose addresses are anybody's. */
const everybody: ReadonlySet<string> = new Set("gmail.com googlemail.com outlook.com hotmail.com live.com yahoo.com icloud.com gmx.de gmx.net web.de proton.me protonmail.com aol.com".split(" "));

/** The longest of its labels but the last. */
const nameOf = (domain: string): string => domain.split(".").slice(0, -1).reduce((longest, label) => (label.length > longest.length ? label : longest), "");
/** What the eye does not tell apart is one. */
const looks = (name: string): string => name.replaceAll("rn", "m").replaceAll("vv", "w").replaceAll("0", "o").replace(/[1i|]/g, "l").replace(/[-.]/g, "");

/** One letter is another, too many, missing, or two have changed places. */
function isNear(one: string, other: string): boolean {
  if (Math.abs(one.length - other.length) > 1) return false;
  let at = 0;
  while (at < one.length && one[at] === other[at]) at++;
  const rest = (text: string, from: number): string => text.slice(from);
  if (one.length !== other.length) return one.length > other.length ? rest(one, at + 1) === rest(other, at) : rest(one, at) === rest(other, at + 1);
  return rest(one, at + 1) === rest(other, at + 1) || (one[at] === other[at + 1] && one[at + 1] === other[at] && rest(one, at + 2) === rest(other, at + 2));
}
