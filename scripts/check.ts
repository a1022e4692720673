// Everything that is tested, in one command: `npm test [-- [--fast] [-u] [PATTERN]]`, `npm run soak`.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { boundCompileCache, compileCache, environment, isolation, programs, root } from "./install.mjs";
import { vitestArguments } from "./vitest-arguments.ts";

interface Step {
  readonly name: string;
  readonly passed: boolean;
  readonly seconds: number;
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    fast: { type: "boolean", default: false },
    soak: { type: "boolean", default: false },
    update: { type: "boolean", short: "u", default: false },
  },
});

boundCompileCache();
const env = environment(process.execPath, {
  NO_COLOR: process.stdout.isTTY ? undefined : "1",
  LANYARD_SOAK: values.soak ? "1" : undefined,
  NODE_COMPILE_CACHE: compileCache(),
});

/** Runs a tool of node_modules. A quiet one shows its output only when it fails, so that several can run side by side. */
const step = (name: string, tool: string, args: readonly string[], isQuiet: boolean): Promise<Step> =>
  new Promise((done) => {
    const started = performance.now();
    const child = spawn(join(root, "node_modules/.bin", tool), args, { cwd: root, env, stdio: isQuiet ? ["ignore", "pipe", "pipe"] : "inherit" });
    const output: Buffer[] = [];
    child.stdout?.on("data", (chunk: Buffer) => output.push(chunk));
    child.stderr?.on("data", (chunk: Buffer) => output.push(chunk));
    const finish = (passed: boolean, note = ""): void => {
      const seconds = (performance.now() - started) / 1000;
      if (!passed) process.stdout.write(`${Buffer.concat(output)}${note}`);
      process.stdout.write(`  ${passed ? "✓" : "✗"} ${name} (${seconds.toFixed(1)} s)\n`);
      done({ name, passed, seconds });
    };
    child.on("error", (error) => finish(false, `could not start \`${tool}\`: ${error.message}\n`));
    child.on("close", (code) => finish(code === 0));
  });

const vitest = (name: string, projects: readonly string[], filters = positionals): Promise<Step> =>
  step(name, "vitest", vitestArguments({ projects, filters, update: values.update }), false);

/** Real agents are large; they are fetched while the quick checks and the fast tests run. */
const fetchAgents = (): Promise<Step> => {
  const started = performance.now();
  const end = (passed: boolean): Step => ({ name: "agents", passed, seconds: (performance.now() - started) / 1000 });
  return programs("test/clients").then(
    () => end(true),
    (error: Error) => {
      process.stdout.write(`${error.message}\n`);
      return end(false);
    },
  );
};

/** Not everybody can install bubblewrap; the tests that need it say that they were skipped. Root with apt can, so there lacking it is a failure. */
const prepareIsolation = (): Promise<Step> => {
  const started = performance.now();
  const end = (passed: boolean): Step => ({ name: "isolation", passed, seconds: (performance.now() - started) / 1000 });
  return isolation().then(
    () => end(true),
    (error: Error) => {
      process.stdout.write(`${error.message}\n`);
      return end(process.geteuid?.() !== 0 || !existsSync("/usr/bin/apt-get"));
    },
  );
};

const all = async (): Promise<Step[]> => {
  const prepared = values.fast ? [] : [fetchAgents(), prepareIsolation()]; // Needed by the slow tests alone, so the fast ones run meanwhile.
  const quick = await Promise.all([step("types", "tsc", ["-p", "."], true), step("lint", "oxlint", ["--deny-warnings"], true), step("dead code", "knip", [], true)]);
  const fast = await vitest("tests", ["fast"]);
  const ready = await Promise.all(prepared);
  return [...quick, fast, ...ready, ...(values.fast ? [] : [await vitest("slow tests: real agents, conformance, kills", ["slow"])])];
};

const steps = values.soak
  ? [await vitest("soak: two hundred kills under load", ["slow"], positionals.length > 0 ? positionals : ["kill"])]
  : positionals.length > 0
    ? [await vitest("tests", values.fast ? ["fast"] : ["fast", "slow"])]
    : await all();

const failed = steps.filter(({ passed }) => !passed).map(({ name }) => name);
const total = (performance.now() / 1000).toFixed(0);
process.stdout.write(failed.length > 0 ? `\nfailed after ${total} s: ${failed.join(", ")}\n` : `\nall passed in ${total} s\n`);
process.exitCode = failed.length > 0 ? 1 : 0;
