import { expect, test } from "vitest";
import { handsOutKeys, keysIn } from "./key-tools.ts";

test("tools that hand out keys are known by their names", () => {
  for (const tool of ["create_access_key", "resetPassword", "get_secret", "issue-token", "rotate_api_key", "readCredentials", "get_connection_string"]) expect([tool, handsOutKeys(tool)]).toEqual([tool, true]);
  for (const tool of ["get_token", "list_secrets", "delete_api_key", "get_keywords", "password_policy", "get_key_results", "read_ticket"]) expect([tool, handsOutKeys(tool)]).toEqual([tool, false]);
});

test("of what they give back, what may be a key", () => {
  const found = (text: string) => keysIn(text).map(({ start, end }) => text.slice(start, end));
  expect(found("AKIA55EXAMPLE9 / kWq8tz, valid until 2026-05-01")).toEqual(["AKIA55EXAMPLE9", "kWq8tz"]);
  expect(keysIn("MK-55190", "key_id")).toEqual([]);
  expect(keysIn("MK-55190", "key")).toHaveLength(1);
  expect(found("Password of ana1@acme.example was reset, see https://acme.example/a1b2c3")).toEqual([]);
});
