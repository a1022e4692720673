import fc from "fast-check";
import { expect, test } from "vitest";
import { canonicalHost, endpointText, hostText, parseAuthority } from "./host.ts";

test.each([
  ["API.GitHub.com", "api.github.com"], ["localhost", "localhost"], ["127.0.0.1", "127.0.0.1"], ["[::1]", "::1"], ["[2001:db8::1]", "2001:db8::1"], ["1.2.3.4.example.com", "1.2.3.4.example.com"], ["a--b.c", "a--b.c"],
])("a host in its usual spelling: %s", (text, host) => expect(canonicalHost(text)).toBe(host));

test.each([
  "", ".", "a.", "a..b", ".a", "-a.b", "a-.b", "a_b.c", "a b", "a%2eb", "a%00", "é.com", "xn--pple-43d.com", "www.xn--pple-43d.com", "①②⑦.0.0.1", "a\u3002b", "user@host", "host/path", "host?x", "host#x", "a\\b", "a\tb", "a\0",
  "0x7f.1", "0x7f000001", "2130706433", "017700000001", "127.1", "127.0.1", "127.0.0.1.", "0177.0.0.1", "127.0.0.01", "1.2.3", "1.2.3.4.5", "256.1.1.1", "a.0x7f", "a.1",
  "::1", "[::1", "[::ffff:127.0.0.1]", "[0:0:0:0:0:0:0:1]", "[::1%25lo]", "[fe80::1%eth0]", "[::127.0.0.1]", "[2001:db8:0::1]", "[v1.x]", "[]", "a".repeat(64), `${"a.".repeat(127)}aa`,
])("no host, or another spelling of one: %j", (text) => expect(canonicalHost(text)).toBeNull());

test.each(["a:0", "a:080", "a:65536", "a:", "a:80:80", "u@a:80", "a:+80", "a:8 0", ":80", "[::1]80"])("no authority: %s", (text) => expect(parseAuthority(text, 80)).toBeNull());

test("an authority names a port, or has the usual one", () => {
  expect(parseAuthority("A.b:8443", 443)).toEqual({ host: "a.b", port: 8443 });
  expect(parseAuthority("a.b", 443)).toEqual({ host: "a.b", port: 443 });
  expect(parseAuthority("a.b", null)).toBeNull();
  expect(endpointText({ host: "::1", port: 80 })).toBe("[::1]:80");
});

test("whatever is taken for a host, a browser's parser reads as the same host", () => {
  const letters = fc.constantFrom(..."aAzZ019.-_:%[]@/\\\0 xn０。①é".split(""), "0x", "xn--", "::ffff:", "127", "..");
  fc.assert(
    fc.property(fc.array(letters, { maxLength: 24 }).map((parts) => parts.join("")), (text) => {
      const host = canonicalHost(text);
      if (host === null) return;
      expect(new URL(`http://${hostText(host)}/`).hostname).toBe(hostText(host));
      expect(canonicalHost(hostText(host))).toBe(host);
    }),
    { numRuns: 3000 },
  );
});
