import type { JsonObject } from "@lanyard/contract";
import { expect, it } from "vitest";
import { typedSchema, type DeclaredArgument, type DeclaredArguments } from "./declared.ts";

const of = (types: Record<string, DeclaredArgument["type"]>): DeclaredArguments => new Map(Object.entries(types).map(([path, type]) => [path, { kind: null, role: null, type, dialect: null, language: null, root: null, unit: "major", currency: null }]));

it("says of what lies in an object what the server does not say", () => {
  expect(typedSchema({ type: "object", properties: { id: { type: "string" }, changes: { type: "object" } }, required: ["id"] }, of({ "changes.mfa": "boolean", "changes.owner.name": "string", id: null }))).toEqual({
    type: "object",
    properties: { id: { type: "string" }, changes: { type: "object", properties: { mfa: { type: "boolean" }, owner: { type: "object", properties: { name: { type: "string" } } } } } },
    required: ["id"],
  });
  expect(typedSchema({ properties: { rows: { type: "array" } } }, of({ "rows.price": "number" }))).toEqual({ type: "object", properties: { rows: { type: "array", items: { type: "object", properties: { price: { type: "number" } } } } } });
});

it("leaves what the server says as it is", () => {
  for (const known of [{ type: "integer" }, { enum: ["a"] }, { $ref: "#/x" }, { anyOf: [{ type: "string" }] }, { type: ["string", "null"] }]) {
    const schema = { type: "object", properties: { changes: { type: "object", properties: { mfa: known } } } };
    expect(typedSchema(schema, of({ "changes.mfa": "boolean" })), JSON.stringify(known)).toEqual(schema);
  }
  const scalar = { type: "object", properties: { changes: { type: "string" } } };
  expect(typedSchema(scalar, of({ "changes.mfa": "boolean" }))).toEqual(scalar);
  expect(typedSchema(scalar, undefined)).toBe(scalar);
});

it("says of what may be anything each kind that a policy can tell apart", () => {
  const known = typedSchema({ type: "object", properties: { fields: { type: "object" } } }, of({ "fields.address": "any" })) as { properties: { fields: { properties: { address: { anyOf: JsonObject[] } } } } };
  expect(known.properties.fields.properties.address.anyOf.map(({ type }) => type)).toEqual(["string", "number", "boolean", "object", "array"]);
});

it("takes any name for a name", () => {
  const typed = typedSchema({}, of({ "__proto__.polluted": "string" }));
  expect(Object.keys(typed["properties"] as object)).toEqual(["__proto__"]);
  expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
});
