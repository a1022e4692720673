// Entry of every npm script and of bin/lanyard: installs what is missing, then runs the program in a recent Node.
// Usage: node scripts/bootstrap.mjs demo|test|bench|fuzz|soak|lanyard|programs|isolation [arguments]
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import module from "node:module";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { compileCache, dependencies, environment, Hint, isolation, nodeIsRecent, programs, recentNode, root } from "./install.mjs";

const cli = "server/src/cli/main.ts";

/** What each script needs installed and which program it then runs. */
const plans = {
  demo: (args) => ({ entry: cli, args: ["demo", ...args], demo: true }),
  lanyard: (args) => ({ entry: cli, args, demo: args[0] === "demo" }),
  test: (args) => ({ entry: "scripts/check.ts", args, full: true, demo: true }),
  soak: (args) => ({ entry: "scripts/check.ts", args: ["--soak", ...args], full: true }),
  fuzz: (args) => ({ entry: "test/fuzz/fuzz.ts", args, full: true }),
  bench: ([name, ...args]) => ({ entry: `bench/${name}.ts`, args, full: true, known: /^[a-z-]+$/.test(name || "") }),
};

const usage = "usage: npm start | npm test | npm run bench -- NAME [--json] | npm run fuzz | npm run soak | npm run lanyard -- ARGUMENTS";

// Ctrl-C reaches the whole foreground group by itself; any other signal only this process, so it is handed on.
const againIn = (node) =>
  new Promise((done) => {
    const child = spawn(node, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], { stdio: "inherit" });
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
      process.on(signal, () => (signal === "SIGINT" && process.stdin.isTTY ? undefined : child.kill(signal)));
    }
    child.on("error", (error) => done(fail(new Hint(`could not start \`${node}\`: ${error.code}`))));
    child.on("close", (code, signal) => {
      if (!signal) return done(code);
      process.removeAllListeners(signal);
      process.kill(process.pid, signal);
    });
  });

const fail = (error) => {
  process.stderr.write(`lanyard: ${error instanceof Hint ? error.message : error.stack}\n`);
  return 1;
};

const main = async ([script, ...rest]) => {
  if (script === "programs") return void process.stdout.write(`${await programs(rest[0])}\n`);
  if (script === "isolation") return void process.stderr.write(`isolation is ready; the guest agent is ${await isolation()}\n`);
  const plan = Object.hasOwnProperty.call(plans, script || "") && plans[script](rest);
  if (!plan || plan.known === false) throw new Hint(usage);
  const entry = join(root, plan.entry);
  if (!existsSync(entry)) throw new Hint(`there is no \`${plan.entry}\`. ${usage}`);
  const [node, , servers] = await Promise.all([recentNode(), dependencies(Boolean(plan.full)), plan.demo && programs("demo/servers")]);
  if (!nodeIsRecent()) return void (process.exitCode = await againIn(node));
  Object.assign(process.env, environment(node, servers ? { LANYARD_DEMO_SERVERS: servers } : {}));
  module.enableCompileCache(compileCache());
  process.argv = [process.execPath, entry, ...plan.args];
  await import(pathToFileURL(entry).href);
};

main(process.argv.slice(2)).catch((error) => (process.exitCode = fail(error)));
