import { expect, it } from "vitest";
import type { JsonObject, ValueOrigin } from "@lanyard/contract";
import { flowWorld } from "../../../../test/kits/flow.ts";
import { isKnownLookup } from "./known-lookup.ts";

// Whoever looks up what the task or a record names is steered by nobody.

const asks = (args: JsonObject, origins: Record<string, readonly ValueOrigin[]>): boolean => isKnownLookup(args, Object.fromEntries(Object.entries(origins).map(([name, of]) => [name, { origins: of }])));

it("is one by an id or an address that the task or a trusted record gave, and by nothing else", () => {
  expect(asks({ id: "SCH-0290" }, { id: ["trusted"] })).toBe(true);
  expect(asks({ id: "SCH-0290", limit: 10 }, { id: ["task"], limit: [] })).toBe(true);
  expect(asks({ mail: "ana@shop.example" }, { mail: ["task"] })).toBe(true);
  for (const other of ["untrusted", "model"] as const) expect(asks({ id: "SCH-0290", query: "x" }, { id: ["trusted"], query: [other] }), other).toBe(false);
  for (const id of ["returns", "2026-11-20", "all returns of WH-1", "", null]) expect(asks({ id }, { id: ["task"] }), String(id)).toBe(false);
  expect(asks({ id: "WH-1" }, { id: ["directory"] }), "what the directory names has everything in it").toBe(false);
  expect(asks({ id: "SCH-0290" }, {})).toBe(false);
});

it("finds what counts as the organisation's word, whoever told it before", () => {
  for (const [isKnown, found] of [[true, "trusted"], [false, "untrusted"]] as const) {
    const { origins, read, flow, who } = flowWorld("See ticket TK-88251 of SCH-0290");
    read("60 seats more for licence LIC-290-1 and LIC-777-1, and pay 4711 to it");
    flow.say(who, { args: { school_id: "SCH-0290" } }, { seq: 900, effects: ["read"], isKnown });
    flow.learn({ principal: who, seq: 900, action: "shop/order", touched: [], answer: { result: { content: [{ type: "text", text: JSON.stringify({ school_id: "SCH-0290", licences: ["LIC-290-1"], note: "or LIC-777-1" }) }] } } });
    expect(origins("LIC-290-1")).toEqual([found]);
    expect(origins("LIC-777-1"), "a field that strangers fill").toEqual(["untrusted"]);
  }
});
