import type { Json, JsonObject } from "@lanyard/contract";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { StateReading, UndoCase } from "../../base/undo/contract.ts";
import { seenOf, type PlanDocument } from "./document.ts";
import { standingOf, stepsOf } from "./judge.ts";
import { Unreadable, type StateSnapshot } from "./state.ts";

const call: StateReading = { tool: "get", args: {}, files: null, rows: null, keep: { $: "/answer" }, absent: [], made: false };
const files: StateReading = { ...call, tool: null, files: [] };
const undo = (state: Record<string, StateReading>, more: Partial<UndoCase> = {}): UndoCase => ({ when: [], class: "reversible", before: new Map(), state: new Map(Object.entries(state)), of: null, expect: new Map(), inverse: [], gates: [], residue: "", unread: "refuse", stageMs: 0, ...more });
const there = (value: Json): StateSnapshot => ({ there: true, value });
const plan = (state: Record<string, StateReading>, before: Record<string, StateSnapshot>, more: Partial<UndoCase> = {}): PlanDocument => ({ action: "s/t", server: "s", args: {}, root: "/w", undo: undo(state, more), before });
const seen = (reading: StateReading, values: Record<string, Json>) => Object.fromEntries(Object.entries(values).map(([name, value]) => [name, seenOf(reading, value === null ? { there: false } : there(value))]));

describe("a state held against what it was", () => {
  const both = plan({ a: call, b: call }, { a: there(1), b: { there: false } });
  const after = seen(call, { a: 2, b: 3 });
  it.each([
    [{ a: 1, b: null }, "before"],
    [{ a: 2, b: 3 }, "after"],
    [{ a: 1, b: 3 }, "other"],
    [{ a: 2, b: null }, "other"],
    [{ a: 9, b: 3 }, "other"],
  ] as const)("is all of it: %j is %s", (now, standing) => expect(standingOf(seen(call, now), both, after)).toBe(standing));

  it("is unknown where nobody looked right after, unless it is as before", () => {
    expect(standingOf(seen(call, { a: 2, b: 3 }), both, null)).toBe("unknown");
    expect(standingOf(seen(call, { a: 1, b: null }), both, null)).toBe("before");
  });

  it("of a state that the action left alone is both", () => {
    const one = plan({ a: call, b: call }, { a: there(1), b: there(5) });
    expect(standingOf(seen(call, { a: 2, b: 5 }), one, seen(call, { a: 2, b: 5 }))).toBe("after");
  });

  it("of places is told by those that the action changed, each as before or as after", () => {
    const place = fc.constantFrom<Json>(null, 1, 2, 3);
    const image = fc.record({ x: place, y: place, z: place });
    fc.assert(
      fc.property(image, image, image, (was, is, now) => {
        const standing = standingOf(seen(files, { f: now as JsonObject }), plan({ f: files }, { f: there(was as JsonObject) }), seen(files, { f: is as JsonObject }));
        const changed = (["x", "y", "z"] as const).filter((name) => was[name] !== is[name]);
        if (standing === "before") expect(changed.every((name) => now[name] === was[name])).toBe(true);
        if (standing === "after") expect(changed.every((name) => now[name] === was[name] || now[name] === is[name])).toBe(true);
        if (standing === "other") expect(changed.some((name) => now[name] !== was[name] && now[name] !== is[name])).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });
});

describe("an action whose end nobody saw", () => {
  const one = plan({ f: files }, { f: there({ x: 1, y: 1 }) });
  const standing = (now: Record<string, Json>, after: Record<string, Json>) => standingOf(seen(files, { f: now as JsonObject }), one, seen(files, { f: after as JsonObject }), false);
  it.each([
    [{ x: 1, y: 1 }, { x: 1, y: 1 }, "before"],
    [{ x: 2, y: 1 }, { x: 2, y: 1 }, "after"],
    [{ x: 2, y: 2 }, { x: 2, y: 2 }, "after"],
    [{ x: 1, y: 2 }, { x: 2, y: 2 }, "after"],
    [{ x: 2, y: 1 }, { x: 1, y: 1 }, "other"],
    [{ x: 1, y: 2 }, { x: 2, y: 1 }, "other"],
    [{ x: 2, y: 2 }, { x: 2, y: 1 }, "other"],
  ] as const)("may have changed places after they were read: %j, right after it %j, is %s", (now, after, is) => expect(standing(now, after)).toBe(is));
});

describe("the calls that take back", () => {
  const inverse = (more: Partial<UndoCase["inverse"][number]>) => ({ when: [], tool: "put", args: { k: { $: "/item" } }, each: null, restore: null, ...more });
  const of = (one: ReturnType<typeof inverse>, list: Json) => stepsOf(plan({}, {}, { inverse: [one] }), {}, null, { before: { list }, args: {} });
  it("are one for each item, in their order", () => expect(of(inverse({ each: { $: "/before/list" } }), [3, 1, 2])).toEqual([3, 1, 2].map((k) => ({ tool: "put", args: { k } }))));
  it("are left out where their condition does not hold", () => expect(of(inverse({ each: { $: "/before/list" }, when: [{ at: "/item", is: 1 }] }), [3, 1])).toEqual([{ tool: "put", args: { k: 1 } }]));
  it("are bounded (limit undo_inverse_calls)", () => {
    const many = (count: number) => of(inverse({ each: { $: "/before/list" } }), Array.from({ length: count }, (_, at) => at));
    expect(many(1000)).toHaveLength(1000);
    expect(() => many(1001)).toThrow("undo_inverse_calls");
  });
  it("are none where they cannot be worked out", () => {
    expect(() => of(inverse({ args: { $: "/before/none" } }), [])).toThrow(Unreadable);
    expect(() => of(inverse({ each: { $: "/args" } }), [])).toThrow("needs a list");
    expect(() => of(inverse({ tool: null, restore: "f" }), [])).toThrow(Unreadable);
  });
});
