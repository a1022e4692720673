import { readFileSync } from "node:fs";
import { join } from "node:path";
import { compile } from "@lanyard/policy";
import { expect, it } from "vitest";

// The examples in the table of what policies see: each is a policy that compiles, without a warning.
const page = readFileSync(join(import.meta.dirname, "../../docs/policies.md"), "utf8");
const examples = [...page.matchAll(/^\| `[a-z.]+` \|.*`((?:permit|forbid) .*;)` \|$/gm)].map(([, text]) => text ?? "");

it("every part of the context has an example", () => expect(examples.length).toBe(12));

it.each(examples)("%s", (example) => {
  const tool = { server: "s", tool: "do", definition: "d", inputSchema: { type: "object", properties: { to: { type: "string" } } }, contract: { effects: [], reversibility: "unknown" } } as const;
  const compiled = compile({ servers: ["s"], tools: [tool], policies: [{ file: "p.cedar", text: `@id("example") ${example}` }] });
  expect(compiled.ok ? [] : compiled.errors).toEqual([]);
  expect(compiled.warnings).toEqual([]);
});
