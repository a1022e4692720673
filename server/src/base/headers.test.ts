import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeHeader, encodeHeader, headersOfTool, learnHeaders, mirroredHeaders, type HeaderMap } from "./headers.ts";

describe("header values", () => {
  it.each([
    ["us-west1", "us-west1"],
    ["Hello, 世界", "=?base64?SGVsbG8sIOS4lueVjA==?="],
    [" padded ", "=?base64?IHBhZGRlZCA=?="],
    ["line1\nline2", "=?base64?bGluZTEKbGluZTI=?="],
    ["=?base64?literal?=", "=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?="],
  ])("are encoded as the specification's examples: %j", (value, encoded) => expect(encodeHeader(value)).toBe(encoded));

  it("decode to what they were and travel in plain ASCII", () =>
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", minLength: 1 }), (value) => {
        expect(decodeHeader(encodeHeader(value))).toBe(value);
        expect(encodeHeader(value)).toMatch(/^[\x20-\x7e]+$/);
      }),
    ));

  it("are refused when their encoding is broken", () => expect([decodeHeader("=?base64?*?="), decodeHeader("ümlaut"), decodeHeader("")]).toEqual([null, null, null]));
});

describe("mirrored arguments", () => {
  const inputSchema = {
    type: "object",
    properties: {
      region: { type: "string", "x-mcp-header": "Region" },
      nested: { type: "object", properties: { deep: { type: "integer", "x-mcp-header": "Deep" } } },
      list: { type: "array", items: { properties: { no: { "x-mcp-header": "No" } } } },
      bad: { type: "string", "x-mcp-header": "not a token" },
    },
  };

  it("are found along `properties` only", () =>
    expect(headersOfTool(inputSchema).toSorted((a, b) => (a.header < b.header ? -1 : 1))).toEqual([
      { header: "mcp-param-deep", path: ["nested", "deep"] },
      { header: "mcp-param-region", path: ["region"] },
    ]));

  it("are taken from the call, and left out when they are not there", () => {
    const map: HeaderMap = new Map();
    learnHeaders(map, "tools/list", [{ name: "sql", inputSchema }]);
    const headers = (args: Record<string, never>) => mirroredHeaders("tools/call", { name: "sql", arguments: args }, map);
    expect(headers({ region: "eu", nested: { deep: 3 } } as never)).toEqual({ "mcp-method": "tools/call", "mcp-name": "sql", "mcp-param-region": "eu", "mcp-param-deep": "3" });
    expect(headers({ region: null } as never)).toEqual({ "mcp-method": "tools/call", "mcp-name": "sql" });
    expect(mirroredHeaders("resources/read", { uri: "file:///ä" }, map)).toEqual({ "mcp-method": "resources/read", "mcp-name": "=?base64?ZmlsZTovLy/DpA==?=" });
  });
});
