import { expect, test } from "vitest";
import { codeFacts } from "./code.ts";

test("what is not read is unknown", () => {
  expect(codeFacts("__import__('os')", "python")).toMatchObject({ class: "unknown", languages: ["python"] });
});
