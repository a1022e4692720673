import { BaseSequencer, type TestSpecification } from "vitest/node";
import { defineConfig } from "vitest/config";

const everything = ["{contract,policy,ledger,server}/src/**/*.test.ts", "test/**/*.test.ts", "scripts/**/*.test.ts"];
const slow = "**/*.slow.test.ts";

/** What takes longest, the longest first. A clean clone remembers no durations, and vitest would take the largest files first: these are short texts that start programs. */
const longest = [
  ...["test/journeys/journeys.test.ts", "test/journeys/pages.test.ts", "test/attacks/second-person.test.ts", "test/attacks/incidents.test.ts", "test/attacks/held.test.ts"],
  ...["test/attacks/approvals.test.ts", "test/structure.test.ts", "server/src/stages/decision/releases.test.ts", "server/src/stages/decision/lineup.test.ts"],
  ...["test/ledger/mutation.test.ts", "test/attacks/grants.test.ts", "test/attacks/stubborn.test.ts", "policy/src/solve/encode.test.ts", "test/attacks/stopped.test.ts"],
  ...["test/torture/kill.slow.test.ts", "test/isolation/secrets.slow.test.ts", "test/fuzz/evaluator.slow.test.ts", "test/isolation/abandoned.slow.test.ts"],
  ...["test/isolation/servers.slow.test.ts", "test/isolation/killed.slow.test.ts", "test/ledger/kill.slow.test.ts", "test/isolation/overload.slow.test.ts"],
  ...["test/isolation/exfiltration.slow.test.ts", "test/clients/clients.slow.test.ts", "test/isolation/microvm.slow.test.ts", "test/conformance/conformance.slow.test.ts"],
  ...["test/undo/rehearsal.slow.test.ts", "test/clients/isolated.slow.test.ts", "test/torture/budgets.slow.test.ts", "test/attacks/extract/carried-out.slow.test.ts"],
];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => (longest.findIndex((path) => moduleId.endsWith(`/${path}`)) + 1 || longest.length + 1);
    return (await super.sort(files)).sort((a, b) => a.project.name.localeCompare(b.project.name) || rank(a) - rank(b)); // The projects run one after the other.
  }
}

const shared = { expect: { poll: { timeout: 90_000 } } }; // For a broken program, not a measurement: on a busy machine anything may take a second.

// Two projects: `fast` is run at every save, and its files share what they import, for none replaces any of it; `slow` drives real agents, kills processes and runs conformance suites, each file in
// a process of its own. Three files at a time on two cores: many wait for programs, virtual machines and time limits, and a core that one of them leaves idle is the third's.
export default defineConfig({
  test: {
    pool: "forks",
    maxWorkers: 3,
    sequence: { sequencer: LongestFirst },
    projects: [
      { test: { name: "fast", include: everything, exclude: [slow, "**/node_modules/**"], isolate: false, testTimeout: 180_000, hookTimeout: 180_000, ...shared } },
      { test: { name: "slow", include: [slow], exclude: ["**/node_modules/**"], testTimeout: 360_000, hookTimeout: 360_000, ...shared } },
    ],
  },
});
