import { expect, test } from "vitest";
import { formatsIn } from "./secrets.ts";

test("a token behind many false beginnings is found, and the beginnings alone are none", () => {
  const token = `${Buffer.from('{"alg":"HS256","typ":"JWT"}').toString("base64url")}.${Buffer.from('{"sub":"1234567890"}').toString("base64url")}.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV`;
  for (const count of [0, 1, 15, 16, 17, 400]) {
    const text = `${"eyJ-".repeat(count)}${token}`;
    expect(formatsIn(text).map(({ end }) => end), String(count)).toEqual([text.length]);
  }
  expect(formatsIn("-eyJ".repeat(16_384))).toEqual([]);
});
