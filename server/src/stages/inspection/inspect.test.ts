import { Fault, type Action, type Json } from "@lanyard/contract";
import { describe, expect, it } from "vitest";
import { defaultLimits } from "../../base/limits.ts";
import { inspect } from "./inspect.ts";

const action: Action = { protocol: "mcp", server: "s", method: "tools/call", tool: "t", name: "s/t", args: {}, params: {}, digest: "" };
const limits = { ...defaultLimits, result_bytes: 1000, json_depth: 5 };
const look = (value: Json) => inspect({ limits }, action, { result: { value } });
const nested = (levels: number): Json => (levels === 0 ? 1 : { in: nested(levels - 1) });

const why = (value: Json): string => {
  try {
    look(value);
    return "";
  } catch (error) {
    return error instanceof Fault && error.code === "result_withheld" ? error.message : String(error);
  }
};

describe("inspect", () => {
  it("hands on what is within the limits, the very same value", () => {
    const answer = { result: { content: [{ type: "text", text: "fine" }] } };
    expect(inspect({ limits }, action, answer)).toBe(answer);
  });

  it("takes what is at a limit and withholds what is past it", () => {
    expect(why("x".repeat(980))).toBe("");
    expect(why("x".repeat(1000))).toContain("result_bytes (1000 bytes)");
    expect(why(nested(3))).toBe("");
    expect(why(nested(5))).toContain("json_depth (5 levels)");
    expect(why(Array.from({ length: 300 }, () => 0))).toContain("result_bytes");
  });

  it("withholds text that no UTF-8 can carry, in values and keys, errors included", () => {
    expect(why("\ud800")).toContain("lone surrogate");
    expect(why({ "\udc00": 1 })).toContain("lone surrogate");
    expect(() => inspect({ limits }, action, { error: { code: 1, message: "\ud800" } })).toThrow(Fault);
  });
});
