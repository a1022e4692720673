import fc from "fast-check";
import { expect, test } from "vitest";
import { codeFacts } from "./code.ts";

test("modules are named, and the worst of them counts", () => {
  expect(codeFacts("import json, math\nfrom urllib.request import urlopen", "Python")).toEqual({ class: "network", languages: ["python"], imports: ["json", "math", "urllib.request"] });
  expect(codeFacts("import { exec } from 'node:child_process'", "ts")).toEqual({ class: "exec", languages: ["javascript"], imports: ["node:child_process"] });
  expect(codeFacts("puts 1", "ruby")).toEqual({ class: "unknown", languages: ["ruby"], imports: [] });
  expect(codeFacts("print(1)", null)).toEqual({ class: "unknown", languages: [], imports: [] });
  expect(codeFacts("import pandas as pd, requests\nrequests.post(x)", null)).toEqual({ class: "unknown", languages: [], imports: ["pandas", "requests"] });
  expect(codeFacts("const got = require('got'); got(x)", "deno")).toMatchObject({ class: "unknown", imports: ["got"] });
});

test("a program at the limit is read, and one past it is not", () => {
  expect(codeFacts("1".padEnd(32 * 1024), "python").class).toBe("plain");
  expect(codeFacts("1".padEnd(32 * 1024 + 1), "python").class).toBe("unknown");
});

test("whatever comes, it ends", () => {
  const pieces = fc.constantFrom("import ", "from ", "require(", "'", '"', "`", "${", "}", "/", "//", "/*", "*/", "#", "\\", "\n", "a", ".", ",", "(", ")", "[", "]", '"""', " as ", "eval");
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 80 }), fc.constantFrom("python", "javascript"), (all, language) => {
      const { imports } = codeFacts(all.join(""), language);
      expect(imports.length).toBeLessThanOrEqual(256);
    }),
    { numRuns: 2000 },
  );
});
