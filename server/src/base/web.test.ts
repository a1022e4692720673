import { completeWebArguments, webTools, type JsonObject } from "@lanyard/contract";
import { expect, test } from "vitest";
import { webArguments, type WebRequest } from "./web.ts";

const request = (more: Partial<WebRequest> = {}): WebRequest => ({ tool: "POST", scheme: "https", host: "a.example", port: 443, path: "/x", query: "y=1", headers: [["content-type", "text/plain"], ["x-own", "1"], ["x-own", "2"]], body: Buffer.from("grün"), ...more });

test("policy sees the whole request: lines of one name as one, the body as text, its length and hash", () => {
  expect(webArguments(request(), 100, [])).toEqual({
    ...{ scheme: "https", host: "a.example", port: 443, path: "/x", query: "y=1", headers: { "content-type": "text/plain", "x-own": "1, 2" }, header_names: ["content-type", "x-own"] },
    ...{ body: "grün", body_cut: false, body_bytes: 5, body_sha256: expect.stringMatching(/^[\w-]{43}$/), credentials: [] },
  });
  expect(webArguments(request({ headers: [["cookie", "a=1"], ["cookie", "b=2"]] }), 100, [])["headers"]).toEqual({ cookie: "a=1; b=2" });
  expect(webArguments(request({ tool: "TCP" }), 100, [])).toEqual({ host: "a.example", port: 443 });
});

test("limit egress_shown_bytes: at it the body is whole, past it cut between characters, and policy can tell", () => {
  expect(webArguments(request(), 5, [])).toMatchObject({ body: "grün", body_cut: false, body_bytes: 5 });
  expect(webArguments(request(), 4, [])).toMatchObject({ body: "grü", body_cut: true, body_bytes: 5 });
  expect(webArguments(request(), 3, [])).toMatchObject({ body: "gr", body_cut: true });
});

test.each([
  ["no UTF-8", request({ body: Buffer.from([0xff, 0xfe]) })],
  ["compressed", request({ headers: [["content-encoding", "gzip"]] })],
])("a body that is %s is not shown, and counts as cut", (_name, odd) => {
  const args = webArguments(odd, 100, []);
  expect(args).not.toHaveProperty("body");
  expect(args).toMatchObject({ body_cut: true, body_bytes: odd.body.length });
});

test("what somebody left out of a case is that of `GET https://host/`, as the door would have it", () => {
  const sent = webArguments(request({ tool: "GET", path: "/", query: "", headers: [], body: Buffer.alloc(0) }), 100, []);
  expect(completeWebArguments("GET", { host: "a.example" })).toEqual(sent);
  expect(completeWebArguments("GET", { host: "a.example", scheme: "http", headers: { accept: "x" } })).toMatchObject({ port: 80, header_names: ["accept"] });
  expect(completeWebArguments("TCP", { host: "a.example", port: 1 })).toEqual({ host: "a.example", port: 1 });
});

test("every tool of the web says all its arguments, and none is a plain read", () => {
  for (const { definition, contract } of webTools) {
    const { properties, required } = definition.inputSchema as { properties: JsonObject; required: string[] };
    const args = definition.name === "TCP" ? { host: "a", port: 1 } : completeWebArguments(definition.name, { host: "a" });
    expect(Object.keys(args).sort()).toEqual([...required].sort());
    expect(Object.keys(properties)).toEqual(expect.arrayContaining(required));
    expect(contract.effects).toContain("egress");
    expect(contract.effects).not.toContain("read");
  }
});
