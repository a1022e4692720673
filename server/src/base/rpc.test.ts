import { Fault } from "@lanyard/contract";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readMessage, respond, RpcError, toAnswer } from "./rpc.ts";

const read = (text: string | Buffer) => {
  const reading = readMessage(Buffer.from(text), 8, "agent");
  return "message" in reading ? reading.message : { code: reading.fault.code, id: reading.id };
};
const call = (rest: string) => read(`{"jsonrpc":"2.0","id":1,"method":"m"${rest}}`);

describe("readMessage", () => {
  it("reads requests, notifications, results and errors", () => {
    expect(call(`,"params":{"a":[1]}`)).toEqual({ jsonrpc: "2.0", id: 1, method: "m", params: { a: [1] } });
    expect(read(`{"jsonrpc":"2.0","method":"m"}`)).toEqual({ jsonrpc: "2.0", method: "m" });
    expect(read(`{"jsonrpc":"2.0","id":"x","result":{}}`)).toEqual({ jsonrpc: "2.0", id: "x", result: {} });
    expect(read(`{"jsonrpc":"2.0","id":null,"error":{"code":-1,"message":"m","data":0}}`)).toEqual({ jsonrpc: "2.0", id: null, error: { code: -1, message: "m", data: 0 } });
  });

  it.each([
    ["", "parse_error", null],
    ["{", "parse_error", null],
    ["\u{feff}{}", "parse_error", null],
    ["null", "malformed_call", null],
    ["[]", "malformed_call", null],
    [`[{"jsonrpc":"2.0","id":1,"method":"m"}]`, "malformed_call", null],
    [`{"id":1,"method":"m"}`, "malformed_call", 1],
    [`{"jsonrpc":"1.0","id":"a","method":"m"}`, "malformed_call", "a"],
    [`{"jsonrpc":"2.0","id":1,"method":7}`, "malformed_call", 1],
    [`{"jsonrpc":"2.0","id":1,"method":""}`, "malformed_call", 1],
    [`{"jsonrpc":"2.0","id":null,"method":"m"}`, "malformed_call", null],
    [`{"jsonrpc":"2.0","id":1.5,"method":"m"}`, "malformed_call", null],
    [`{"jsonrpc":"2.0","id":{},"method":"m"}`, "malformed_call", null],
    [`{"jsonrpc":"2.0","id":1,"method":"m","params":[]}`, "malformed_call", 1],
    [`{"jsonrpc":"2.0","id":1,"method":"m","params":null}`, "malformed_call", 1],
    [`{"jsonrpc":"2.0","id":1,"method":"m","params":{"_meta":3}}`, "malformed_call", 1],
    [`{"jsonrpc":"2.0","id":1}`, "malformed_call", 1],
    [`{"jsonrpc":"2.0","id":1,"result":{},"error":{"code":1,"message":""}}`, "malformed_call", 1],
    [`{"jsonrpc":"2.0","id":1,"result":[]}`, "malformed_call", 1],
    [`{"jsonrpc":"2.0","id":1,"error":{"code":"1","message":""}}`, "malformed_call", 1],
  ])("refuses %j with %s and the id it could read", (text, code, id) => expect(read(text)).toEqual({ code, id }));

  it("refuses bytes that are no UTF-8, and escapes that no UTF-8 can carry", () => {
    expect(read(Buffer.from([0x22, 0xff, 0x22]))).toEqual({ code: "parse_error", id: null });
    expect(call(`,"params":{"a":"\\ud800"}`)).toEqual({ code: "malformed_call", id: 1 });
    expect(call(`,"params":{"\\udfff":1}`)).toEqual({ code: "malformed_call", id: 1 });
    expect(call(`,"params":{"a":"\\ud83d\\ude00"}`)).toMatchObject({ params: { a: "😀" } });
    expect(call(`,"params":{"a":"\\\\ud800"}`)).toMatchObject({ params: { a: "\\ud800" } });
  });

  it("takes nesting up to the limit and refuses one level more, with the id", () => {
    const nested = (levels: number) => `${"[".repeat(levels)}${"]".repeat(levels)}`;
    expect(call(`,"params":{"a":${nested(6)}}`)).toMatchObject({ id: 1, method: "m" });
    expect(call(`,"params":{"a":${nested(7)}}`)).toEqual({ code: "limit_exceeded", id: 1 });
    expect(read("[".repeat(1_000_000))).toEqual({ code: "limit_exceeded", id: null });
    expect(call(`,"params":{"a":"${"[{".repeat(50)}\\"[[[[[["}`)).toMatchObject({ id: 1, method: "m" });
  });

  it("keeps `__proto__` a key among others and pollutes nothing", () => {
    const message = call(`,"params":{"__proto__":{"polluted":true},"constructor":{"prototype":{}}}`) as { params: object };
    expect(Object.hasOwn(message.params, "__proto__")).toBe(true);
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
    expect(JSON.stringify(message)).toContain(`"__proto__":{"polluted":true}`);
  });

  it.each([
    ["12345678901234567890", false],
    ["-9007199254740993", false],
    ["9007199254740993.0", false],
    ["9007199254740993e0", false],
    ["90071992547409930e-1", false],
    ["0.9007199254740993e16", false],
    ["12345678901234567.5", false],
    ["90071992547409.93e2", false],
    ["1234567890.1234567e9", false],
    ["1e400", false],
    ["-1E+999", false],
    [`1${"0".repeat(400)}`, false],
    ["9007199254740992", true],
    ["100000000000000000000", true],
    ["1e20", true],
    ["6.02e23", true],
    ["100000000000000000000000", true],
    ["36028797018963968", false], // a double, but written 36028797018963970
    ["0.1234567890123456789", true],
    ['"12345678901234567890"', true],
    ['"\\"12345678901234567890"', true],
  ])("takes the number %s: %s, wherever it stands", (number, taken) => {
    for (const params of [`{"a":${number}}`, `{"a":[1,{"b":${number}}]}`, `{"a":"\\\\","b":${number}}`]) {
      for (const text of [`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":${params}}`, `{"jsonrpc":"2.0","id":1,"result":${params}}`]) {
        expect("message" in readMessage(Buffer.from(text), 8, "agent"), text).toBe(taken);
        expect("message" in readMessage(Buffer.from(text), 8, "server"), text).toBe(true); // refused, nobody would have the answer at all
      }
    }
  });

  it("counts the last of duplicate keys, in what is decided and in what is sent on alike", () => {
    expect(JSON.stringify(call(`,"params":{"path":"/safe","path":"/etc"}`))).toBe(`{"jsonrpc":"2.0","method":"m","params":{"path":"/etc"},"id":1}`);
  });

  it("passes on any JSON parameters unchanged", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string({ unit: "grapheme" }), fc.jsonValue({ maxDepth: 4 })), (params) => {
        const { _meta, ...plain } = params;
        const sent = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "m", params: plain });
        expect(JSON.parse(JSON.stringify(read(sent)))).toEqual(JSON.parse(sent));
      }),
    );
  });
});

describe("toAnswer", () => {
  it("tells the public part of a fault and nothing of anything else", () => {
    expect(toAnswer(new Fault("not_found", "there is no `x`", { cause: "secret" })).error).toMatchObject({ code: -32601, message: "there is no `x`", data: { code: "not_found" } });
    expect(JSON.stringify(toAnswer(new Error("the password is 1234")))).not.toContain("1234");
    expect(toAnswer(new RpcError(-1, "as it came", { any: "data" })).error).toEqual({ code: -1, message: "as it came", data: { any: "data" } });
  });
});

it("an answer has on the wire what JSON-RPC knows, and nothing of what else is known of it", () => {
  expect(respond(1, { result: { content: [] }, labels: ["secret"] })).toEqual({ jsonrpc: "2.0", id: 1, result: { content: [] } });
  expect(respond(2, { error: { code: -32_000, message: "no" }, labels: ["secret"] })).toEqual({ jsonrpc: "2.0", id: 2, error: { code: -32_000, message: "no" } });
});
