import { describe, expect, it } from "vitest";
import { actionsOf } from "../schema/schema.ts";
import { tooHeavy } from "./burden.ts";
import { Memory } from "./memory.ts";
import { readPolicy } from "./reading.ts";
import { splitPolicies } from "./split.ts";
import { openWorld, validateAll } from "./validate.ts";

const policy = (condition: string): string => `@id("a") permit (principal, action, resource) when { ${condition} };`;
const told = (condition: string): string => tooHeavy(policy(condition))?.message ?? "";
const times = (count: number, text: string): string => text.repeat(count);

describe("what a policy may ask of the parser", () => {
  it("is bounded, for it breaks for good when its stack ends", () => {
    expect(told(`${times(47, "(")}true${times(47, ")")}`)).toBe("");
    expect(told(`${times(48, "(")}true${times(48, ")")}`)).toBe("the policy is nested deeper than 48 levels");
    expect(told(`${times(499, "true && ")}true`)).toBe("");
    expect(told(`${times(500, "true && ")}true`)).toBe("the policy holds more than 500 operators");
    expect(tooHeavy(policy(`"${"x".repeat(65_536 - policy('""').length)}" == ""`.replace(' == ""', "")))).toBeNull();
    expect(told(`"${"x".repeat(65_536)}" == ""`)).toBe("the policy is longer than 65536 characters");
  });

  it("is stood by the parser and the validator at every bound at once", () => {
    const heavy = [`${times(47, "(")}${times(450, "if true then true else ")}true${times(47, ")")}`, `context${times(998, ".a")} == 1`, `${times(46, "[")}${times(499, "1 + ")}1${times(46, "]")} == [1]`, `${times(499, "true || ")}true`];
    const world = openWorld(actionsOf({ servers: ["s"], tools: [] }).actions, []);
    for (const condition of heavy) {
      expect(told(condition)).toBe("");
      const [chunk] = splitPolicies({ file: "f", text: policy(condition) });
      if (chunk === undefined) throw new Error("no policy");
      const { meaning } = readPolicy(chunk);
      if (meaning === null) throw new Error(condition);
      expect(validateAll([{ text: chunk.text, meaning }], world, new Memory(9), () => {})).toHaveLength(1);
    }
  });

  it.each([
    ["9007199254740993", true],
    ["9007199254740992", false],
    ["4611686018427387904", false],
    ["9223372036854775807", true],
    ["-9223372036854775808", false],
    [`1${"0".repeat(400)}`, true],
    ['"9007199254740993"', false],
    ["1 // 9007199254740993\n", false],
    ["a9007199254740993", false],
  ])("holds no number that would become another on its way: %s", (text, isRefused) => expect(told(`context.session.depth == ${text}`).includes("past 2^53")).toBe(isRefused));
});

describe("what the compiler remembers", () => {
  it("is bounded, and what was used of late stays", () => {
    const memory = new Memory<number>(10);
    for (let at = 0; at < 1000; at += 1) {
      memory.set(`${at}`, at);
      expect(memory.get("0")).toBe(0);
      expect(memory.size).toBeLessThanOrEqual(20);
    }
    expect(memory.get("500")).toBeUndefined();
  });
});
