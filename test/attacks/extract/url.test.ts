import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { urlFacts } from "../../../server/src/base/extract/url.ts";

/** A rule as people write it: only to `good.com`, on the public network. */
const permitted = (text: string): boolean => {
  const { class: of, domains } = urlFacts([text]);
  return of === "public" && domains.length === 1 && domains[0] === "good.com";
};

/** Ways to reach another host, or one's own network, past such a rule, each with its near miss: what it imitates, and what must pass. */
const tricks: readonly (readonly [name: string, trick: string, twin: string])[] = [
  // Who the host is.
  ["the host as a user", "https://good.com@evil.com/", "https://good.com/@evil.com"],
  ["the host as a user with a password", "https://good.com:443@evil.com/", "https://good.com:443/evil.com"],
  ["a user before the right host", "https://evil.com@good.com/", "https://good.com/evil.com"],
  ["two at signs", "https://a@good.com@evil.com/", "https://good.com/a@b@c"],
  ["an encoded at sign", "https://good.com%40evil.com/", "https://good.com/%40evil.com"],
  ["the host as a prefix", "https://good.com.evil.com/", "https://www.good.com/evil.com"],
  ["the host as a suffix", "https://notgood.com/", "https://not.good.com/"],
  ["the host with a dash", "https://evil-good.com/", "https://evil.good.com/"],
  ["the host in the path", "https://evil.com/good.com", "https://good.com/evil.com"],
  ["the host in the query", "https://evil.com/?u=https://good.com/", "https://good.com/?u=https://evil.com/"],
  ["the host in the fragment", "https://evil.com/#good.com", "https://good.com/#evil.com"],
  ["a query without a path", "https://evil.com?@good.com/", "https://good.com/?q=a"],
  ["a fragment without a path", "https://evil.com#@good.com/", "https://good.com/#a"],
  ["a query without a path, the other way round", "https://good.com?@evil.com/", "https://good.com?q=evil.com"],
  ["a fragment without a path, the other way round", "https://good.com#@evil.com/", "https://good.com#evil.com"],
  // What readers strip or turn.
  ["a backslash for a slash", "https://good.com\\@evil.com/", "https://good.com/a"],
  ["a backslash before the host", "https:\\\\evil.com\\good.com", "https://good.com/evil.com/good.com"],
  ["a backslash in the path", "https://evil.com\\.good.com/", "https://evil.good.com/"],
  ["a tab in the host", "https://ev\til.com/", "https://good.com/ev-il"],
  ["a tab in the right host", "https://go\tod.com/", "https://good.com/go-od"],
  ["a line feed in the scheme", "ht\ntps://good.com/", "https://good.com/ht"],
  ["a line feed and a header", "https://good.com/\r\nHost: evil.com", "https://good.com/?Host=evil.com"],
  ["a NUL in the host", "https://good.com\0.evil.com/", "https://a.good.com/"],
  ["an encoded NUL in the host", "https://good.com%00.evil.com/", "https://good.com/%00"],
  ["a blank at the front", " https://good.com/", "https://good.com/"],
  ["a blank at the end", "https://good.com/ ", "https://good.com/"],
  ["a blank in the host", "https://good.com .evil.com/", "https://evil.good.com/"],
  ["a no-break space", "https://good.com/\u00a0", "https://good.com/_"],
  ["a zero-width space", "https://good\u200b.com/", "https://good.com/good"],
  ["a soft hyphen", "https://go\u00adod.com/", "https://good.com/go-od"],
  ["letters from right to left", "https://good.com/\u202emoc.live", "https://good.com/live.com"],
  ["a surrogate without its half", "https://good.com/\ud800", "https://good.com/\u{1f600}"],
  ["an encoded letter in the host", "https://g%6fod.com/", "https://good.com/g%6fod"],
  ["an encoded dot in the host", "https://good%2ecom/", "https://good.com/good%2ecom"],
  ["full-width letters", "https://ｇｏｏｄ.com/", "https://good.com/ｇｏｏｄ"],
  ["a full-width dot", "https://good．com/", "https://good.com/．"],
  ["an ideographic full stop", "https://good。com/", "https://good.com/。"],
  ["circled letters", "https://ⓖood.com/", "https://good.com/ⓖ"],
  ["a Cyrillic letter", "https://gооd.com/", "https://good.com/gооd"],
  ["the same as punycode", "https://xn--gd-dlca.com/", "https://xn--bcher-kva.good.com/"],
  // Slashes and schemes.
  ["no slash", "https:good.com/", "https://good.com/"],
  ["one slash", "https:/good.com/", "https://good.com/"],
  ["three slashes", "https:///good.com/", "https://good.com/"],
  ["no scheme", "//good.com/", "https://good.com//"],
  ["no scheme, another host", "//evil.com/good.com", "good.com/evil.com"],
  ["a scheme that runs", "javascript:alert(1)//good.com", "https://good.com/javascript:alert(1)"],
  ["the same in another case, after blanks", "\tJaVaScRiPt://good.com/%0aalert(1)", "HTTPS://GOOD.COM/"],
  ["a document in the URL", "data:text/html,<script src=//good.com></script>", "https://good.com/data:text/html,x"],
  ["a picture that runs", "data:image/svg+xml;base64,PHN2Zz4=", "https://good.com/a.svg"],
  ["a file", "file:///etc/passwd", "https://good.com/etc/passwd"],
  ["a file at a host", "file://good.com/etc/passwd", "https://good.com/file"],
  ["a scheme within", "view-source:https://good.com/", "https://good.com/view-source:"],
  ["a jar", "jar:https://good.com/x.jar!/", "https://good.com/x.jar!/"],
  ["a blob", "blob:https://good.com/0-0", "https://good.com/blob"],
  ["a scheme of one's own", "evil://good.com/", "wss://good.com/"],
  ["gopher, which says anything to any port", "gopher://127.0.0.1:6379/_FLUSHALL", "https://good.com/gopher"],
  ["a driver's URL", "jdbc:mysql://good.com/?autoDeserialize=true", "https://good.com/jdbc"],
  ["a mail", "mailto:a@good.com?cc=b@evil.com", "https://good.com/?cc=b"],
  ["a user of git at another host", "git@evil.com:good.com/x.git", "git@good.com:evil.com/x.git"],
  // Ports.
  ["a port that is none", "https://good.com:0/", "https://good.com:1/"],
  ["a port too far", "https://good.com:65536/", "https://good.com:65535/"],
  ["two ports", "https://good.com:80:443/", "https://good.com:80/443"],
  ["no port after the colon", "https://good.com:/", "https://good.com/:"],
  ["a host as the port", "https://good.com:evil.com/", "https://good.com/:evil.com"],
  // Dots.
  ["two dots", "https://good..com/", "https://good.com/.."],
  ["a dot at the front", "https://.good.com/", "https://a.good.com/."],
  ["two dots at the end", "https://good.com../", "https://good.com./"],
  ["a host of a public suffix", "https://good.com.s3.amazonaws.com/", "https://s3.good.com/"],
  ["nothing", "", "good.com"],
  ["a relative reference", "/good.com/", "https://good.com/good.com/"],
];

/** Ways to say one's own machine or network. */
const inside = [
  ...["http://127.0.0.1/", "http://127.1/", "http://127.0.1/", "http://2130706433/", "http://0x7f000001/", "http://0x7f.0.0.1/", "http://0177.0.0.1/", "http://017700000001/", "http://0/", "http://0.0.0.0/", "http://127.0.0.1./", "http://①②⑦.0.0.1/"],
  ...["http://[::1]/", "http://[::]/", "http://[::ffff:127.0.0.1]/", "http://[::ffff:7f00:1]/", "http://[0:0:0:0:0:ffff:7f00:1]/", "http://[64:ff9b::7f00:1]/", "http://[2002:7f00:1::]/", "http://[fe80::1]/", "http://[fd00:ec2::254]/", "http://[fc00::1]/"],
  ...["http://10.0.0.1/", "http://192.168.1.1/", "http://172.16.0.1/", "http://100.64.0.1/", "http://169.254.169.254/latest/meta-data/", "http://0xa9fea9fe/", "http://2852039166/", "http://[::ffff:a9fe:a9fe]/", "http://168.63.129.16/", "http://100.100.100.200/"],
  ...["http://localhost/", "http://LOCALHOST/", "http://localhost./", "http://a.localhost/", "http://metadata.google.internal/", "http://metadata/", "http://printer.local/", "http://db.internal/", "http://wiki.corp/", "http://nas.home.arpa/", "http://kubernetes.default.svc/", "http://intranet/"],
  ...["http://127.0.0.1.nip.io/", "http://10-0-0-1.sslip.io/", "http://app.localtest.me/", "http://lvh.me/", "ws://127.0.0.1/", "ftp://10.0.0.1/", "redis://127.0.0.1:6379/", "postgres://u@10.0.0.5/db", "http://user@127.0.0.1/", "http:127.0.0.1", "http:\\\\127.0.0.1\\"],
];

describe("what looks like one host and is another", () => {
  test.each(tricks)("%s", (_, trick, twin) => {
    expect(permitted(trick)).toBe(false);
    expect(permitted(twin)).toBe(true);
  });
  test("are sixty at least, each another", () => expect(new Set(tricks.map(([, trick]) => trick)).size).toBeGreaterThanOrEqual(60));
});

describe("one's own network", () => {
  test.each(inside)("%s is not public", (url) => expect(urlFacts([url]).class).not.toBe("public"));
  test.each(["http://8.8.8.8/", "http://[2606:4700::1111]/", "http://local.good.com/", "http://internal-good.com/", "http://localhost.good.com/", "http://10.good.com/", "http://169.254.169.254.good.com/", "http://corp.com/", "http://nip.io.good.com/"])("%s is", (url) => expect(urlFacts([url]).class).toBe("public"));
});

describe("the facts", () => {
  test("name hosts in one form, and the domain that somebody registered", () => {
    expect(urlFacts(["https://A.Good.co.uk:8443/x", "http://user.github.io", "HTTP://0x8.0x8.8.8/"])).toEqual({
      class: "unknown",
      hosts: ["8.8.8.8", "a.good.co.uk", "user.github.io"],
      domains: ["8.8.8.8", "good.co.uk", "user.github.io"],
      schemes: ["http", "https"],
      ports: [80, 8443],
      userinfo: false,
    });
  });
  test("a host without a scheme is one, unless there is a scheme behind it", () => {
    for (const plain of ["good.com", "www.good.com/a?b=c", "a_b.good.com/x"]) expect(urlFacts([plain]).class, plain).toBe("public");
    for (const twofold of ["good.com?https://evil.com", "good.com/https://evil.com", "good.com#//evil.com"]) expect(urlFacts([twofold]).class, twofold).toBe("unknown");
  });
  test("of several the worst counts", () => {
    expect(urlFacts(["https://good.com", "http://10.0.0.1"]).class).toBe("private");
    expect(urlFacts(["https://good.com", "http://10.0.0.1", "x"]).class).toBe("unknown");
  });
  test("are bounded", () => expect(urlFacts(Array.from({ length: 300 }, (_, index) => `https://a${index}.com/`))).toMatchObject({ class: "unknown", hosts: { length: 256 } }));
});

/** Readers of URLs that do not do as WHATWG says: each gives the host it would connect to. */
const readers: readonly ((text: string) => string | undefined)[] = [
  (text) => URL.parse(text)?.hostname,
  (text) => /^(?:([^:/?#]+):)?(?:\/\/([^/?#]*))?/.exec(text)?.[2]?.replace(/^[^@]*@/, "").replace(/:\d*$/, ""), // RFC 3986, the first `@`
  (text) => /^(?:([^:/?#]+):)?(?:\/\/([^/?#]*))?/.exec(text)?.[2]?.replace(/^.*@/, "").replace(/:.*$/, ""), // RFC 3986, the last
  (text) => /\/\/([^/\\?#@]*)/.exec(text)?.[1]?.replace(/:.*$/, ""),
  (text) => decodeURI(text.replace(/%(?![0-9a-f]{2})/gi, "%25").replace(/%[89a-f][0-9a-f]/gi, "")).split("//")[1]?.split(/[/?#]/)[0]?.split("@").at(-1)?.split(":")[0],
];

const goods = /^(?:[a-z0-9-]+\.)*good\.com\.?$/;

test("what is permitted, every reader takes to the permitted host", () => {
  const piece = fc.constantFrom("https:", "http:", "//", "/", "\\", "@", ":", "good.com", "evil.com", ".", "?", "#", "%40", "%2f", "%00", "\t", "\n", " ", "。", "ｇ", "[::1]", "443", "0x7f", "a", "-", "xn--", "\u200b", "javascript:");
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 9 }).map((pieces) => pieces.join("")), fc.boolean(), (tail, bare) => {
      const text = bare ? tail : `https://${tail}`;
      if (!permitted(text)) return;
      const full = text.includes("://") ? text : `https://${text}`;
      const [, ssh] = /^[\w.-]+@([^@:/]+):/.exec(text) ?? []; // `git@good.com:x`, which no browser reads: what stands before the first colon
      if (ssh !== undefined) expect(ssh.toLowerCase()).toMatch(goods);
      else for (const read of readers) expect(read(full)?.toLowerCase()).toMatch(goods);
    }),
    { numRuns: 1500 },
  );
});

test("nothing that is sent makes it fail, and hostile lengths cost no more than they are long", () => {
  fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 200 }), (text) => void urlFacts([text])));
  const [once, more] = [256, 64 * 1024];
  for (const part of ["a.", "@", "https://", "%41", ":", "[", "\\", "ä", "/../", "xn--"]) {
    const long = `https://${part.repeat(more / part.length)}`;
    expect(urlFacts([long]).class).toBe("unknown");
    urlFacts([`https://${part.repeat(once)}`]);
  }
});
