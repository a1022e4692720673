import { defineConfig } from "vitest/config";

const everything = ["{contract,policy,ledger,server}/src/**/*.test.ts", "test/**/*.test.ts", "scripts/**/*.test.ts"];
const slow = "**/*.slow.test.ts";

// Two projects: `fast` is run at every save; `slow` drives real agents, kills processes and runs conformance suites.
export default defineConfig({
  test: {
    pool: "forks",
    maxWorkers: 2,
    projects: [
      { test: { name: "fast", include: everything, exclude: [slow, "**/node_modules/**"], testTimeout: 180_000, hookTimeout: 180_000 } },
      { test: { name: "slow", include: [slow], exclude: ["**/node_modules/**"], testTimeout: 360_000, hookTimeout: 360_000 } },
    ],
  },
});
