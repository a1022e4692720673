import { isIP } from "node:net";
import { urlClasses, type UrlFacts } from "@lanyard/contract";
import { getDomain } from "tldts";
import { whyRefused } from "../address.ts";
import { hidden, isOver, listed, mostChars, worstClass } from "./bounded.ts";

/** Schemes that lead to a host, with their usual port. */
const ports: ReadonlyMap<string, number> = new Map(
  Object.entries({
    ...{ http: 80, https: 443, ws: 80, wss: 443, ftp: 21, ftps: 990, sftp: 22, ssh: 22, git: 9418, "git+ssh": 22, "git+https": 443, "git+http": 80, "ssh+git": 22, svn: 3690, "svn+ssh": 22, rsync: 873 },
    ...{ ldap: 389, ldaps: 636, gopher: 70, dict: 2628, telnet: 23, tftp: 69, smb: 445, cifs: 445, nfs: 2049, afp: 548, rtsp: 554, rtmp: 1935, smtp: 25, smtps: 465, imap: 143, imaps: 993, pop3: 110, pop3s: 995, irc: 6667, ircs: 6697 },
    ...{ redis: 6379, rediss: 6379, postgres: 5432, postgresql: 5432, mysql: 3306, mariadb: 3306, mongodb: 27_017, amqp: 5672, amqps: 5671, mqtt: 1883, mqtts: 8883, nats: 4222, clickhouse: 9000, memcached: 11_211, docker: 2375, tcp: 0, udp: 0 },
  }),
);
/** Schemes whose URLs do something without any host. */
const local: ReadonlySet<string> = new Set(["file", "data", "javascript", "vbscript", "blob", "about", "view-source", "jar", "chrome", "chrome-extension", "filesystem", "jdbc", "php", "phar", "zip", "expect", "netdoc", "unix", "mailto"]);

/** Of the same machine or network by their name alone, whatever they resolve to. */
const privateSuffixes = ["localhost", "local", "internal", "intranet", "lan", "home", "corp", "private", "localdomain", "home.arpa", "in-addr.arpa", "ip6.arpa", "svc"];
/** Public names that are there to resolve to addresses of one's own, or to the address that stands in them. */
const rebinding = ["nip.io", "sslip.io", "xip.io", "localtest.me", "lvh.me", "vcap.me", "lacolhost.com", "yoogle.com", "1u.ms", "rbndr.us", "rebind.network", "ip6.name", "traefik.me", "127-0-0-1.org.uk", "localho.st", "fbi.com.localhost"];

type UrlClass = UrlFacts["class"];

/** One URL, as far as it can be read; `host` empty where it names none. */
interface Read {
  readonly class: UrlClass;
  readonly scheme: string;
  readonly host: string;
  readonly port: number;
  readonly userinfo: boolean;
}

const schemeOf = (text: string): string => /^([a-z][a-z0-9+.-]*):/i.exec(text)?.[1]?.toLowerCase() ?? "";

/** Whether a text is a URL by itself, whatever its argument is called: one of a scheme that leads somewhere. */
export const looksLikeUrl = (text: string): boolean => {
  if (!/[:/\\]/.test(text.slice(0, 320))) return false;
  const start = text.slice(0, 64).trimStart(); // What strips blanks and controls first is led astray by none.
  const scheme = schemeOf(start.replace(/[\t\n\r]/g, ""));
  if (scheme === "") return /^(?:\/\/|\\\\)[^/\s\\]+\.[^/\s\\]/.test(start) || scp.test(text) ;
  if (local.has(scheme)) return scheme !== "mailto" && (scheme !== "about" && scheme !== "zip" && scheme !== "unix" && scheme !== "expect" && scheme !== "php" ? true : start.includes("://"));
  return ports.has(scheme) && /^[^:]*:\s*[/\\]/.test(start.replace(/[\t\n\r]/g, ""));
};

/** `git@host:path`, as SSH and git take it. */
const scp = /^[A-Za-z0-9._-]{1,64}@([A-Za-z0-9][A-Za-z0-9.-]*):(?!\/\/)[^\s@]+$/;
/** A host without a scheme: what takes URLs from people puts `https://` before it. Where there is another behind it (`good.com?https://evil.com`), readers differ in whether it has one. */
const bare = /^(?:[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?\.)+[a-z][a-z0-9-]*[a-z0-9](?::\d{1,5})?(?:[/?#]|$)/i;

/**
 * What URLs mean. The class is `public` only for what every reader takes for the same public host: written as WHATWG URL gives it back, without user,
 * controls, blanks or backslashes. Class `private`: this machine, private networks, metadata of clouds, in whatever spelling.
 */
export function urlFacts(texts: readonly string[]): UrlFacts {
  const all = texts.map(readUrl);
  const [hosts, domains, schemes, ports] = [new Set<string>(), new Set<string>(), new Set<string>(), new Set<number>()];
  for (const { host, scheme, port } of all) {
    if (scheme !== "") schemes.add(scheme);
    if (host === "") continue;
    hosts.add(host);
    domains.add(domainOf(host));
    if (port > 0) ports.add(port);
  }
  const over = [hosts, schemes, ports].some(isOver);
  return {
    class: over ? "unknown" : (worstClass<(typeof urlClasses)[number]>(urlClasses, all.map((one) => one.class)) as UrlClass),
    hosts: listed(hosts),
    domains: listed(domains),
    schemes: listed(schemes),
    ports: listed(ports),
    userinfo: all.some(({ userinfo }) => userinfo),
  };
}

/** Registrable domain of a host in its canonical form; the host itself where it has none. */
export const domainOf = (host: string): string => (isIP(host) ? host : (getDomain(host, { allowPrivateDomains: true, validateHostname: false }) ?? host));

const unknown = (more: Partial<Read> = {}): Read => ({ scheme: "", host: "", port: 0, userinfo: false, ...more, class: "unknown" });

function readUrl(text: string): Read {
  if (/^data:/i.test(text)) return dataUrl(text);
  if (text.length > mostChars) return unknown({ scheme: schemeOf(text.slice(0, 64)) });
  // What readers strip, each in its own way, is stripped to name the host; what was there to strip is not known.
  const clean = text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, "").trim();
  const isClean = clean === text && !/[\\\s\p{Zs}]/u.test(text) && !hidden.test(text) && text.isWellFormed();
  const read = withScheme(clean.replaceAll("\\", "/"));
  return isClean || (read.class === "private" && read.host !== "") ? read : { ...read, class: "unknown" };
}

function withScheme(text: string): Read {
  const scheme = schemeOf(text);
  if (bare.test(text) && !text.includes("//")) return ofHost("https", `https://${text}`, true);
  const [, host = ""] = scp.exec(text) ?? [];
  if (host !== "" && !ports.has(scheme)) return { ...ofHost("ssh", `ssh://${host}/`, true), userinfo: true };
  if (scheme === "") return text.startsWith("//") ? { ...ofHost("https", `https:${text}`, false), class: "unknown" } : unknown();
  if (scheme === "file") return { scheme, host: "", port: 0, userinfo: false, class: "private" };
  if (local.has(scheme)) return unknown({ scheme, ...inner(text.slice(scheme.length + 1)) });
  return ofHost(scheme, text, ports.has(scheme));
}

/** `view-source:http://x/`, `jar:http://x!/`, `jdbc:mysql://x/`: the host of what stands within. */
function inner(text: string): Partial<Read> {
  const scheme = schemeOf(text);
  if (!ports.has(scheme)) return {};
  const { host, port, userinfo } = ofHost(scheme, text, true);
  return { host, port, userinfo };
}

/** Media are shown and run nothing. */
const dataUrl = (text: string): Read => ({ scheme: "data", host: "", port: 0, userinfo: false, class: /^data:(?:image\/(?!svg)|audio\/|video\/|font\/|application\/pdf[;,])[\w.+-]*/i.test(text.slice(0, 128)) ? "public" : "unknown" });

/** A URL with an authority. `isKnown`: the scheme leads to a host on the network. */
function ofHost(scheme: string, text: string, isKnown: boolean): Read {
  const after = text.slice(text.indexOf(":") + 1);
  const [, slashes = "", authority = "", next = ""] = /^(\/*)([^/?#]*)([/?#]?)/.exec(after) ?? [];
  const at = authority.lastIndexOf("@");
  const userinfo = at !== -1;
  const isLogin = /^(?:git\+)?ssh$|^ssh\+git$|^sftp$/.test(scheme) && /^[A-Za-z0-9._-]+$/.test(authority.slice(0, Math.max(0, at))); // `ssh://git@host`: a name, no secret
  const url = URL.parse(`http:${slashes.length < 2 ? "//" : slashes}${after.slice(slashes.length)}`); // Of other schemes WHATWG leaves the host as it is written.
  if (!url || url.hostname === "") return unknown({ scheme, userinfo });
  const host = url.hostname.replace(/^\[|\]$/g, "").replace(/\.$/, "");
  const written = authority.slice(at + 1).replace(/:\d*$/, "");
  const port = Number(/:(\d+)$/.exec(authority.slice(at + 1))?.[1] ?? ports.get(scheme) ?? 0);
  const read = { scheme, host, port, userinfo };
  const where = classOfHost(host);
  if (where === "private" && isKnown) return { ...read, class: "private" };
  const isPlain = isKnown && slashes === "//" && (!userinfo || isLogin) && isSame(written, url.hostname) && !host.includes("..") && !(next !== "/" && /@/.test(after)) && port <= 65_535 && (port > 0 || !/:\d+$/.test(authority)) && !authority.endsWith(":");
  return isPlain ? { ...read, class: where } : { ...read, class: "unknown" };
}

/** Whether all readers take the host as WHATWG does: as it is written, but for its case, a dot at its end, and letters beyond ASCII that become `xn--`. */
function isSame(written: string, canonical: string): boolean {
  const lower = written.toLowerCase();
  if (lower === canonical || `${lower}.` === canonical) return true;
  return /[^\0-\x7f]/.test(written) && canonical.includes("xn--") && lower === lower.normalize("NFKC") && !/[。．｡]/.test(written);
}

function classOfHost(host: string): "public" | "private" | "unknown" {
  if (isIP(host)) return whyRefused(host) === null ? "public" : "private";
  if (!/^[a-z0-9_-]+(?:\.[a-z0-9_-]+)*$/.test(host)) return "unknown";
  if (!host.includes(".")) return "private"; // What search domains complete.
  return [...privateSuffixes, ...rebinding].some((suffix) => host === suffix || host.endsWith(`.${suffix}`)) ? "private" : "public";
}
