import { codeFacts } from "../code/code.ts";
import type { ShellCall } from "./call.ts";

// Programs that build and test what a project keeps, in the ways that everybody uses: what they run lies in the project already, and no word of the
// command tells them to run anything else. Any other option or word makes them programs that can do anything.

const flags = "-- -v -q -s -x -f -j -n -u -w --run --ci --coverage --bail --verbose --quiet --silent --watch=false --no-watch --noEmit --fix --check --write --frozen-lockfile --immutable --no-audit --no-fund --prefer-offline --release --all --workspace --all-targets --all-features --race -race --failfast -failfast --short -short --update --strict --tb=short --no-cov --pretty --cache -run -k -t -v=1 -cover -vv -rA --runInBand --bail=1 --reporter=verbose --reporter=dot --reporter=json --reporter=line --grep --filter --lib --bin --locked --offline --workspaces --if-present --tests --no-daemon --stacktrace";
const known = new Set(flags.split(" "));
/** Options that say how often, how long or how many at once. */
const counting = /^--?(?:count|timeout|testTimeout|test-timeout|p|parallel|jobs|retry|retries|repeat|repeat-each|maxWorkers|max-workers|workers|maxfail|max-failures|shard|seed|cpu|benchtime|C)=[\w.]+(?:\/\d+)?$/;
const isKnown = (text: string): boolean => known.has(text) || counting.test(text);
/** A name, a path within the project, a pattern of tests: nothing that leads elsewhere. */
const plain = /^(?!\/|~|\.\.)(?!.*(?:\.\.\/|:\/\/|=))[\w@.,:/+*-]+$/;
/** `:app:testDebugUnitTest` tests. */
const task = /^(?::?[\w-]+:|:)*(test|build|check|assemble)(?:[A-Z]\w*)?$/;
const outward = /deploy|publish|release|push|upload|prod/i;

/** Tools that check, build or format a project, whatever they are told by plain words. */
const testers = "vitest jest mocha ava tsc eslint prettier oxlint biome playwright cypress pytest unittest ruff mypy black isort flake8 tox nox rspec rubocop phpunit golangci-lint tsup rollup stylelint svelte-check vue-tsc c8 nyc knip depcheck typedoc publint".split(" ");
const inEnvironment: ReadonlySet<string> = new Set("rspec rubocop pytest unittest ruff mypy black isort flake8 tox nox".split(" "));
/** By program, the words that may come first; null where it needs none. */
const firsts: ReadonlyMap<string, ReadonlySet<string> | null> = new Map<string, ReadonlySet<string> | null>([
  ...testers.map((name) => [name, null] as const),
  ...["npm", "pnpm", "yarn", "bun"].map((name) => [name, new Set("test t ci run run-script start lint build install i".split(" "))] as const),
  ["npx", new Set(testers)],
  ["pnpx", new Set(testers)],
  ["bunx", new Set(testers)],
  ["make", null],
  ["cargo", new Set("build test check clippy fmt bench doc".split(" "))],
  ["go", new Set("build test vet fmt".split(" "))],
  ["mvn", new Set("test verify package compile".split(" "))],
  ["gradle", new Set("test build check assemble".split(" "))],
  ["dotnet", new Set("build test restore format".split(" "))],
  ["rake", new Set("test spec".split(" "))],
  ["composer", new Set(["install", "test"])],
  ["bundle", new Set(["install"])],
]);

/** What runs a program of the project's own environment: `python -m pytest`, `uv run pytest`. Those that it runs so are testers alone, for others are run by their files. */
const runners: ReadonlyMap<string, string> = new Map([["python", "-m"], ["python3", "-m"], ["uv", "run"], ["poetry", "run"], ["pipenv", "run"], ["pdm", "run"], ["hatch", "run"], ["bundle", "exec"]]);

/** A tester that is run through one of them, and what it is told; any other program as it is called. Null for what is run so and is no tester. */
function throughRunner(called: string, texts: readonly string[]): { readonly name: string; readonly all: readonly string[] } | null {
  const [verb, name = "", ...behind] = texts;
  if (!runners.has(called) || verb !== runners.get(called)) return { name: called, all: texts };
  return inEnvironment.has(name) ? { name, all: behind } : null;
}

/** Whether a command only builds, tests or starts what the project itself says, installs what it has locked, or computes. */
export function isOfProject({ name: called, words }: ShellCall): boolean {
  if (words.some(({ kind }) => kind !== "sure")) return false;
  const said = words.map(({ text }) => text);
  if (installsListed(called, said) || onlyComputes(called, said)) return true;
  const run = throughRunner(called, said);
  const allowed = run === null ? undefined : firsts.get(run.name);
  if (run === null || allowed === undefined) return false;
  const { name, all } = run;
  const texts = name === "npx" && /^--no(?:-install)?$/.test(all[0] ?? "") ? all.slice(1) : all; // what is not installed is not fetched
  const operands = texts.filter((text) => !text.startsWith("-"));
  const [first, ...others] = operands.map((text) => (name === "gradle" ? (task.exec(text)?.[1] ?? text) : text));
  if (!texts.every((text) => isKnown(text) || plain.test(text)) || texts.some((text) => text.startsWith("-") && !isKnown(text))) return false;
  if (operands.some((text) => outward.test(text))) return false;
  if (allowed !== null && (first === undefined || !allowed.has(first) || texts[0] !== operands[0])) return false;
  return first !== "install" && first !== "i" ? true : others.length === 0; // Packages that are named come from outside.
}

/** `pip install -r requirements.txt`: what the project lists, as `npm ci` does. */
function installsListed(called: string, texts: readonly string[]): boolean {
  const [verb, ...rest] = /^python3?$/.test(called) && texts[0] === "-m" && texts[1] === "pip" ? texts.slice(2) : /^pip3?$/.test(called) ? texts : [];
  if (verb !== "install") return false;
  const listed = rest.filter((text) => !/^(?:-q|--quiet|-U|--upgrade)$/.test(text));
  return listed.length === 2 && /^(?:-r|--requirement)$/.test(listed[0] ?? "") && plain.test(listed[1] ?? "") && /(?:^|\/)[\w-]*requirements[\w.-]*\.txt$/.test(listed[1] ?? "");
}

/** What the project itself has at that place; its tests run that too. */
const local = /\brequire\(\s*(['"])\.\/(?!(?:[^'"]*\/)?\.\.\/)[\w./-]+\1\s*\)/g;

/** `node -e code`, `python -c code`: no more than sums, of code that names nothing with which it could do more but modules of the project. One of these may stand in for one of the language's. */
function onlyComputes(called: string, texts: readonly string[]): boolean {
  const [option = "", code = "", ...more] = texts;
  const language = /^python3?$/.test(called) && option === "-c" ? "python" : called === "node" && /^(?:-e|-p|-pe|--eval|--print)$/.test(option) ? "javascript" : null;
  return language !== null && more.length === 0 && codeFacts(language === "javascript" ? code.replace(local, (found) => (outward.test(found) ? found : "Math")) : code, language).class === "plain";
}

interface Installer {
  readonly verbs: ReadonlySet<string>;
  readonly flags: ReadonlySet<string>;
  /** The name of a package of its registry, with a version or without: no path, no archive, no address, no name that stands for another. */
  readonly named: RegExp;
}

const byNpm: Installer = {
  verbs: new Set(["i", "install", "add"]),
  flags: new Set("-D -S -E -P --save --save-dev --save-exact --save-prod --dev --exact --no-audit --no-fund --silent".split(" ")),
  named: /^(?:@[a-z\d][\w.-]*\/)?[a-z\d][\w-]*(?:\.(?!t?gz$|tar$|zip$)[\w-]+)*(?:@(?:latest|[\^~]?\d[\w.-]*))?$/,
};
const byPip: Installer = { verbs: new Set(["install"]), flags: new Set(["-U", "-q", "--upgrade", "--quiet"]), named: /^[a-z\d][\w-]*(?:\.(?!whl$|t?gz$|tar$|zip$)[\w-]+)*(?:\[[\w,-]+\])?(?:[=~]=\d[\w.]*)?$/i };
const byName = { ...byPip, verbs: new Set(["add"]), flags: new Set(["-D", "--dev", "-q", "--quiet"]) };
const installers: ReadonlyMap<string, Installer> = new Map([...["npm", "pnpm", "yarn", "bun"].map((name) => [name, byNpm] as const), ["pip", byPip], ["pip3", byPip], ["uv", byName], ["poetry", byName], ["cargo", { ...byName, named: /^[a-z\d][\w-]*(?:@\d[\w.]*)?$/i }]]);

/** The packages that a command installs by name into the project and does nothing else, as it names them; null for any other command. */
export function packagesOf({ name, words }: ShellCall): readonly string[] | null {
  const installer = installers.get(name);
  if (installer === undefined || words.some(({ kind }) => kind !== "sure")) return null;
  const [verb = "", ...rest] = words.map(({ text }) => text);
  const packages = rest.filter((text) => !text.startsWith("-"));
  const isPlain = installer.verbs.has(verb) && packages.length > 0 && rest.every((text) => (text.startsWith("-") ? installer.flags.has(text) : installer.named.test(text)));
  return isPlain ? packages : null;
}
