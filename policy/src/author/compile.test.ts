import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeBundle } from "../bundle.ts";
import { compile, type Compiled } from "./compile.ts";
import { describeProblem } from "./problem.ts";
import type { ApprovedTool } from "../schema/schema.ts";
import { splitPolicies } from "./split.ts";

const tools: ApprovedTool[] = [
  { server: "bank", tool: "pay", definition: "d", inputSchema: { type: "object", properties: { cents: { type: "integer" } }, required: ["cents"] }, contract: { effects: ["money"], reversibility: "irreversible" } },
];
const compileText = (...texts: string[]): Compiled => compile({ servers: ["bank"], tools, policies: texts.map((text, index) => ({ file: `${index}.cedar`, text })) });
const told = (compiled: Compiled): string => (compiled.ok ? "" : compiled.errors.map(describeProblem).join("\n"));

describe("a compiled bundle", () => {
  const text = '// ünicode\n\n@id("a")\n@reason("because")\npermit (principal, action == Action::"bank/pay", resource);';

  it("keeps what explains a decision", () => {
    const compiled = compileText(text);
    if (!compiled.ok) throw new Error(told(compiled));
    const [policy] = decodeBundle(compiled.bytes).policies;
    expect(policy).toMatchObject({ id: "a", reason: "because", file: "0.cedar", line: 3, column: 1, unconditional: true });
    expect(policy?.text).toBe(text.slice(text.indexOf("@id")));
  });

  it("has one address whatever the order of files and tools", () => {
    const other = '@id("b") forbid (principal, action, resource) when { context.session.depth > 3 };';
    const [first, second] = [{ file: "a.yaml", text: "cases: []" }, { file: "b.yaml", text: "cases: []" }];
    const one = compile({ servers: ["bank", "x"], tools, policies: [{ file: "a", text }, { file: "b", text: other }], tests: [first, second] });
    const two = compile({ servers: ["x", "bank"], tools, policies: [{ file: "b", text: other }, { file: "a", text }], tests: [second, first] });
    expect(one.hash).toBe(two.hash);
    expect(compileText(text).hash).not.toBe(one.hash);
  });

  it("refuses bytes of another version", () => {
    expect(() => decodeBundle(new TextEncoder().encode('{"v":1,"policies":[],"actions":[]}'))).toThrow("does not know its form");
    expect(() => decodeBundle(new Uint8Array([0xff]))).toThrow("not JSON");
  });
});

describe("an error", () => {
  it("is shown with its line and carets under characters, not bytes", () => {
    expect(told(compileText('// a\n\t@id("ä") permit (principal, action, resource) when { "öü" && };'))).toMatchInlineSnapshot(`
      "0.cedar:2:63: unexpected token \`}\`: expected \`!\`, \`(\`, \`-\`, \`[\`, \`{\`, \`false\`, identifier, \`if\`, number, \`?principal\`, \`?resource\`, string literal, or \`true\`
          	@id("ä") permit (principal, action, resource) when { "öü" && };
          	                                                             ^"
    `);
  });

  it("in one policy leaves the places of the others right", () => {
    const compiled = compileText('@id("a") permit (principal action, resource);\n@id("b") permit (principal, action, resource)\n  when { context.nope };');
    expect(told(compiled).split("\n").filter((line) => line.startsWith("0.cedar"))).toEqual([expect.stringMatching(/^0\.cedar:1:28: /), expect.stringMatching(/^0\.cedar:3:10: .* \(and for 16 more actions\)$/)]);
  });

  it("names the first holder of an id across files", () => {
    const text = '@id("a") permit (principal, action, resource);';
    expect(told(compileText(text, text))).toContain("0.cedar:1 has it already");
  });

  it("ends the work after 500 of them, and nothing is begun past 20,000 policies", () => {
    const many = (count: number): string[] => told(compileText(";".repeat(count))).split("\n").filter((line) => line.startsWith("0.cedar"));
    expect(many(500).filter((line) => line.includes("not looked at"))).toEqual([]);
    expect(many(501)).toHaveLength(501);
    expect(many(501).at(-1)).toBe("0.cedar:1:500: more than 500 errors: what follows was not looked at");
    expect(many(20_001)).toEqual(["0.cedar:1:20001: there are more than 20000 policies"]);
    expect(many(20_000)[0]).not.toContain("20000");
  });

  it.each(["", "   ", "// nothing\n", "\uFEFF"])("is none in a file without policies: %j", (text) => expect(compileText(text).ok).toBe(true));

  it("has a place in whatever is written", () => {
    const word = fc.constantFrom("permit", "forbid", "(", ")", "principal", "action", "resource", ",", ";", "when", "unless", "{", "}", '@id("a")', "@id", '"', "//", "\n", "==", "in", 'Action::"bank/pay"', "context", ".", "input", "&&", "é", "\ud800", "😀", "\\", "?principal", "@remedy", '("approval:x")', '("approval:2 of x")');
    const garbage = fc.oneof(fc.string(), fc.array(word, { maxLength: 30 }).map((words) => words.join(" ")));
    fc.assert(
      fc.property(garbage, (text) => {
        const compiled = compileText(text);
        if (compiled.ok) return;
        expect(compiled.errors.length).toBeGreaterThan(0);
        for (const { place, message } of compiled.errors) {
          const line = text.toWellFormed().split("\n")[place.line - 1];
          expect(place.file).toBe("0.cedar");
          expect(line).toBeDefined();
          expect(place.column).toBeLessThanOrEqual([...(line ?? "")].length + 1);
          expect(message).not.toBe("");
        }
      }),
      { numRuns: 40 },
    );
  }, 60_000);
});

describe("splitting", () => {
  it("finds as many policies as were written, each where it begins", () => {
    const piece = fc.constantFrom('@reason("a;b // c") permit (principal, action, resource);', "forbid (principal, action, resource)\n// ; a comment\nwhen { \"\\\"; permit\" == \"x\" };", '@x("forbid")\n@y\npermit(principal,action,resource);');
    const gap = fc.constantFrom("", " ", "\n\n", "// permit; \n", "\t");
    fc.assert(
      fc.property(fc.array(fc.tuple(gap, piece)), (parts) => {
        const file = { file: "f", text: parts.flat().join("") };
        const chunks = splitPolicies(file);
        expect(chunks.map(({ text }) => text)).toEqual(parts.map(([, text]) => text));
        for (const { offset, text, keyword } of chunks) {
          expect(file.text.startsWith(text, offset)).toBe(true);
          expect(text.slice(keyword, keyword + 6)).toMatch(/^(permit|forbid)$/);
        }
      }),
    );
  });
});
