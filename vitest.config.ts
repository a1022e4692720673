import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["{contract,policy,ledger,server}/src/**/*.test.ts", "test/**/*.test.ts"],
    pool: "forks",
    testTimeout: 30_000,
  },
});
