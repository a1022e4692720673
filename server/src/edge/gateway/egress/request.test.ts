import type { IncomingMessage } from "node:http";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { headOf, headOfStream, type TunnelEnd } from "./request.ts";
import { TurnedAway } from "./turned-away.ts";

const end: TunnelEnd = { scheme: "https", host: "api.example.com", port: 443 };
const incoming = (url: string, headers: readonly string[] = ["Host", "api.example.com"], more: Partial<IncomingMessage> = {}): IncomingMessage => ({ httpVersion: "1.1", method: "GET", url, rawHeaders: headers, headers: {}, ...more }) as unknown as IncomingMessage;

const faultOf = (read: () => unknown): string => {
  try {
    return JSON.stringify(read());
  } catch (error) {
    if (error instanceof TurnedAway) return `${error.fault} ${error.code}`;
    throw error;
  }
};

describe("targets", () => {
  test.each([
    ["/", "/", ""], ["/a/b?c=d&e", "/a/b", "c=d&e"], ["/%61%7e", "/a~", ""], ["/@scope%2fname", "/@scope%2Fname", ""], ["/a?", "/a", ""], ["/a/", "/a/", ""], ["/web/2026/https://b.example/c", "/web/2026/https://b.example/c", ""], ["/see/http%3a%2f%2fb.example%2f", "/see/http%3A%2F%2Fb.example%2F", ""], ["/a;b/c;d", "/a;b/c;d", ""], ["/a/..b/...", "/a/..b/...", ""], ["/?x=../..", "/", "x=../.."], ["/a%20b", "/a%20b", ""], ["/a|b", "/a|b", ""], ["/x?q=%2e%2e", "/x", "q=.."],
  ])("%s is sent as %s", (target, path, query) => expect(headOf(incoming(target), end)).toMatchObject({ path, query }));

  test.each([
    "", "a", "*", "http://api.example.com/", "/..", "/a/../b", "/a/./b", "/a/%2e%2e/b", "/a/%2E./b", "/a/..%2fb", "/a%2f..%2fb", "/a/..;x/b", "/a/.;/b", "/%252e%252e/b", "/a\\b", "/a%5cb", "/a%00", "/a#b", "/a b", "/a\tb", "/é", "/%", "/%zz", "/%u002e", "/%c0%ae%c0%ae/", "/%ff",
    "//a", "/a//b", "/a//", "/%2fa", "/a%2F%2fb", "/%252fa", "/;/a", "/;b=c/a", "/a/;",
  ])("%j is refused", (target) => expect(faultOf(() => headOf(incoming(target), end))).toBe("target malformed_call"));

  test("what is taken is sent as policy saw it, and leads nowhere else by any reading", () => {
    const parts = fc.constantFrom("/", ".", "..", "%2e", "%2F", "%252f", "%5c", "\\", ";", "a", "A%41", "?", "#", "%", " ", "|", "{", "'", "é", "\0");
    fc.assert(
      fc.property(fc.array(parts, { maxLength: 12 }).map((all) => `/${all.join("")}`), (target) => {
        let head;
        try {
          head = headOf(incoming(target), end);
        } catch (error) {
          if (error instanceof TurnedAway) return;
          throw error;
        }
        const url = new URL(`https://api.example.com${head.path}${head.query === "" ? "" : `?${head.query}`}`);
        expect([url.pathname, url.search.slice(1)]).toEqual([head.path, head.query]);
        const once = (text: string) => text.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
        expect(once(once(head.path)).split(/[/\\]/)).not.toContain("..");
      }),
      { numRuns: 3000 },
    );
  });
});

describe("where a request goes is said once, or the same each time", () => {
  test.each<[string, () => unknown, string]>([
    ["no Host", () => headOf(incoming("/", []), end), "host malformed_call"],
    ["two Hosts", () => headOf(incoming("/", ["Host", "api.example.com", "host", "api.example.com"]), end), "host malformed_call"],
    ["another Host", () => headOf(incoming("/", ["Host", "evil.example"]), end), "mismatch misdirected"],
    ["another port", () => headOf(incoming("/", ["Host", "api.example.com:8443"]), end), "mismatch misdirected"],
    ["an odd Host", () => headOf(incoming("/", ["Host", "api.example.com."]), end), "host malformed_call"],
    ["absolute form to another host in a tunnel", () => headOf(incoming("https://evil.example/"), end), "target malformed_call"],
    ["a plain request that names no host", () => headOf(incoming("/"), null), "target malformed_call"],
    ["https outside a tunnel", () => headOf(incoming("https://api.example.com/"), null), "target malformed_call"],
    ["a user in the authority", () => headOf(incoming("http://u:p@api.example.com/"), null), "host malformed_call"],
    ["a number for an address", () => headOf(incoming("http://2130706433/", ["Host", "2130706433"]), null), "host malformed_call"],
    ["a Host beside another target", () => headOf(incoming("http://a.example/", ["Host", "b.example"]), null), "mismatch misdirected"],
    ["HTTP/1.0", () => headOf(incoming("/", undefined, { httpVersion: "1.0" }), end), "version malformed_call"],
    ["TRACE", () => headOf(incoming("/", undefined, { method: "TRACE" }), end), "method malformed_call"],
    ["another coding", () => headOf(incoming("/", ["Host", "api.example.com", "Transfer-Encoding", "gzip, chunked"]), end), "header malformed_call"],
    ...["X-HTTP-Method-Override", "X-HTTP-Method", "x-method-override", "X_HTTP_Method_Override"].map((name): [string, () => unknown, string] => [`another method by ${name}`, () => headOf(incoming("/", ["Host", "api.example.com", name, "DELETE"], { method: "POST" }), end), "header malformed_call"]),
    ...["X-Original-URL", "X-Rewrite-URL", "X_Rewrite_URL"].map((name): [string, () => unknown, string] => [`another path by ${name}`, () => headOfStream([":method", "GET", ":scheme", "https", ":path", "/", ":authority", "api.example.com", name.toLowerCase(), "/secret"], end), "header malformed_call"]),
    [":authority of another", () => headOfStream([":method", "GET", ":scheme", "https", ":path", "/", ":authority", "evil.example"], end), "mismatch misdirected"],
    ["host beside :authority", () => headOfStream([":method", "GET", ":scheme", "https", ":path", "/", ":authority", "api.example.com", "host", "evil.example"], end), "mismatch misdirected"],
    [":scheme of another", () => headOfStream([":method", "GET", ":scheme", "http", ":path", "/", ":authority", "api.example.com"], end), "mismatch misdirected"],
    ["no :authority", () => headOfStream([":method", "GET", ":scheme", "https", ":path", "/"], end), "header malformed_call"],
  ])("%s", (_name, read, fault) => expect(faultOf(read)).toBe(fault));

  test("what is about one connection stays behind, what `Connection` names with it; crumbs of cookies become one", () => {
    const headers = ["Host", "api.example.com", "Connection", "keep-alive, X-Secret", "X-Secret", "1", "Proxy-Authorization", "x", "TE", "trailers", "Expect", "100-continue", "Content-Length", "0", "Accept", "a", "Accept", "b"];
    expect(headOf(incoming("/", headers), end).headers).toEqual([["accept", "a"], ["accept", "b"]]);
    expect(headOf(incoming("/", ["Host", "api.example.com", "X-HTTP-Method-Override", "GET"], { method: "POST" }), end)).toMatchObject({ tool: "POST", headers: [["x-http-method-override", "GET"]] });
    expect(headOfStream([":method", "GET", ":scheme", "https", ":path", "/", ":authority", "api.example.com", "cookie", "a=1", "cookie", "b=2"], end).headers).toEqual([["cookie", "a=1; b=2"]]);
  });
});
