import { expect, test } from "vitest";
import { requestOf } from "./undoing.ts";

// What takes back a request may go where a server said. It is held to the one form of a path that policies know.

const of = (path: unknown, query = "") => requestOf("DELETE", { scheme: "https", host: "h.example.org", port: 443, path: path as string, query }, (text) => text);

test.each(["/notes/../users/1", "/notes/%2e%2e/users/1", "https://other.example.org/x", "//other.example.org/x", "notes/1", "/a\\..\\b", "/a#b", "/a b", "/a\r\nx: y", null, 7])("a path %j makes no request", (path) => {
  expect(() => of(path)).toThrow(expect.objectContaining({ code: "no_preimage" }));
});

test("what is asked for after a `?` is a query, to policies as well", () => {
  expect(of("/notes/1?all=1")).toMatchObject({ path: "/notes/1", query: "all=1" });
  expect(of("/notes/%7e1", "a=b")).toMatchObject({ path: "/notes/~1", query: "a=b" });
});
