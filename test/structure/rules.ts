import { dotted, walk, type SourceFile, type SyntaxNode } from "./source.ts";

/** A rule of the house. `check` gets every source at once and says where each violation is. */
export interface Rule {
  readonly name: string;
  readonly why: string;
  check(sources: readonly SourceFile[]): string[];
  /** A small repository that breaks the rule: proof that it can fail. */
  readonly broken: Readonly<Record<string, string>>;
}

const isTest = ({ path }: SourceFile): boolean => path.startsWith("test/") || /\.(test|bench)\.ts$/.test(path);
const isProduct = (source: SourceFile): boolean => /^(contract|policy|ledger|server)\//.test(source.path) && !isTest(source);
const at = (source: SourceFile, node: { readonly start: number }, what: string): string => `${source.path}:${source.lineOf(node.start)} ${what}`;
const product = (sources: readonly SourceFile[]): SourceFile[] => sources.filter(isProduct);

/** Floors of the server, lowest first; a file may import from its own floor and below. */
const floors = ["base", "stages", "mediation", "edge", "compose.ts", "cli"];
const place = (path: string): { floor: number; room: string } => {
  const [, , floor = "", room = ""] = path.split("/");
  return { floor: path.startsWith("server/src/") ? floors.indexOf(floor) : -1, room };
};

const directions: Rule = {
  name: "imports go edge -> mediation -> stages -> base",
  why: "the path reads one way; what lies below can be understood, tested and replaced without what lies above",
  check: (sources) =>
    product(sources).flatMap((source) =>
      source.imports
        .filter(({ target }) => target && place(target).floor > place(source.path).floor && place(source.path).floor >= 0)
        .map(({ line, from }) => `${source.path}:${line} imports upwards from \`${from}\``),
    ),
  broken: { "server/src/base/a.ts": `import type { B } from "../stages/facts/b.ts"; export type A = B;`, "server/src/stages/facts/b.ts": "export type B = 1;" },
};

const rooms: Rule = {
  name: "no stage imports another stage",
  why: "I9: a stage that does not know its neighbours can be left out, doubled or reordered by mediate.ts alone",
  check: (sources) =>
    product(sources).flatMap((source) => {
      const from = place(source.path);
      return source.imports
        .filter(({ target }) => target && from.floor === 1 && place(target).floor === 1 && place(target).room !== from.room)
        .map(({ line, from: name }) => `${source.path}:${line} imports its neighbour \`${name}\``);
    }),
  broken: { "server/src/stages/facts/a.ts": `import type { B } from "../record/b.ts"; export type A = B;`, "server/src/stages/record/b.ts": "export type B = 1;" },
};

const circles: Rule = {
  name: "no circle of imports, not even among types",
  why: "two files that need each other are one file that nobody can read in order",
  check: (sources) => {
    const graph = new Map(sources.map((source) => [source.path, source.imports.flatMap(({ target }) => target ?? [])]));
    const done = new Set<string>();
    const found: string[] = [];
    const visit = (path: string, trail: readonly string[]): void => {
      if (trail.includes(path)) return void found.push([...trail.slice(trail.indexOf(path)), path].join(" -> "));
      if (done.has(path)) return;
      for (const target of graph.get(path) ?? []) visit(target, [...trail, path]);
      done.add(path);
    };
    for (const path of graph.keys()) visit(path, []);
    return found;
  },
  broken: { "ledger/src/a.ts": `import type { B } from "./b.ts"; export type A = B;`, "ledger/src/b.ts": `import type { A } from "./a.ts"; export type B = A;` },
};

/** What each package may import beside its own files; the server what its package.json declares. */
const packages: readonly { readonly path: RegExp; readonly may: RegExp; readonly why: string }[] = [
  { path: /^contract\//, may: /^zod$/, why: "shapes must load anywhere: browser, agent, server" },
  { path: /^ledger\/src\/verify\.ts$/, may: /^node:(crypto|fs|process|util)$/, why: "one file an auditor copies away and runs on a file" },
  { path: /^ledger\//, may: /^node:crypto$/, why: "an auditor reads it all; nothing may hide behind a dependency" },
  { path: /^policy\/src\/(cedar|decide)\//, may: /^@lanyard\/contract$/, why: "a decision is pure: no wasm, no thread, no clock, no I/O" },
  { path: /^policy\/src\/solve\//, may: /^(@lanyard\/contract|z3-solver|node:worker_threads)$/, why: "the solver answers questions about policies; it decides nothing" },
  { path: /^policy\/src\/cases\//, may: /^(@lanyard\/contract|yaml|zod|node:worker_threads)$/, why: "authors write their cases in YAML; a daemon runs them in a thread of their own" },
  { path: /^policy\/src\/author\/cedar\.ts$/, may: /^(@cedar-policy\/cedar-wasm\/nodejs|node:module)$/, why: "one door to Cedar's parser, opened when somebody comes" },
  {
    path: /^policy\//,
    may: /^(@lanyard\/contract|@cedar-policy\/cedar-wasm(\/nodejs)?|node:crypto|node:worker_threads)$/,
    why: "a decision depends on its inputs and nothing else, so that replay gives the same bytes",
  },
  { path: /^server\/src\/cli\/demo\.ts$/, may: /^(\(computed\)|node:.*|@lanyard\/contract|commander)$/, why: "the scratch world is a plain script of the demo's folder" },
  {
    path: /^server\//,
    may: /^(node:.*|@lanyard\/(contract(\/(records|requests))?|policy|ledger)|(@hono\/node-server|@peculiar\/x509|commander|hono|libpg-query|libphonenumber-js|node-vault|nodemailer|oauth4webapi|picocolors|re2js|reflect-metadata|smol-toml|tldts|unbash|undici|yaml|zod)(\/.*)?)$/,
    why: "few dependencies, each named here and in docs/dependencies.md",
  },
];

const purity: Rule = {
  name: "a package imports only what it may",
  why: packages.map(({ path, why }) => `${path.source}: ${why}`).join("; "),
  check: (sources) =>
    product(sources).flatMap((source) => {
      const row = packages.find(({ path }) => path.test(source.path));
      const inside = `${source.path.split("/")[0]}/`;
      return source.imports
        .filter(({ from, target }) => (from.startsWith(".") ? !target?.startsWith(inside) : !row?.may.test(from)))
        .map(({ from, line }) => `${source.path}:${line} imports \`${from}\``);
    }),
  broken: { "ledger/src/a.ts": `import { readFileSync } from "node:fs"; export const a = readFileSync;` },
};

interface OnlyHere {
  readonly what: string;
  readonly where: RegExp;
  readonly why: string;
  readonly modules?: RegExp;
  /** Matched against `module#name` of each import. */
  readonly imported?: RegExp;
  /** Matched against the dotted name of each expression. */
  readonly used?: RegExp;
  readonly bad: string;
}

/** Security properties: a power and the only place that has it. Exceptions stand in `where`, with their reason in `why`. */
const powers: readonly OnlyHere[] = [
  {
    what: "child processes",
    modules: /^(node:)?(child_process|cluster)$/,
    where: /^server\/src\/(stages\/execution\/|cli\/(run|dumps)\.ts$)/,
    why: "an action is carried out only behind a recorded intent; `lanyard run` starts the agent itself, as the person at the terminal asked; only `prlimit` can set a limit of the process it is for",
    bad: `import { spawn } from "node:child_process"; export const a = spawn;`,
  },
  {
    what: "SQL",
    modules: /^(node:sqlite|pg|kysely)$/,
    where: /^server\/src\/base\/store\//,
    why: "one place decides what is durable",
    bad: `import { DatabaseSync } from "node:sqlite"; export const a = DatabaseSync;`,
  },
  {
    what: "time",
    used: /^(Date\.now|performance\.(now|timeOrigin)|process\.(hrtime|uptime)(\.bigint)?|Temporal\.Now\..*)$/,
    where: /^server\/src\/base\/clock\.ts$/,
    why: "a test and the simulation hold time still",
    bad: "export const a = Date.now();",
  },
  {
    what: "random",
    imported: /^(node:)?crypto#(randomBytes|randomUUID|randomInt|randomFill|randomFillSync|getRandomValues|webcrypto)$/,
    used: /^(Math\.random|crypto\.(randomUUID|getRandomValues|randomBytes))$/,
    where: /^server\/src\/base\/clock\.ts$/,
    why: "a seed repeats a run; ids and salts come from one audited place",
    bad: `import { randomUUID } from "node:crypto"; export const a = randomUUID();`,
  },
  {
    what: "reading JSON",
    used: /^JSON\.parse$/,
    where: /^(contract\/src\/json\.ts|ledger\/src\/verify\.ts)$/,
    why: "V8 misreads keys that are written with an escape (nodejs/node#63785); parseJson does not. The offline verifier reads what the ledger wrote, alone in its process",
    bad: `export const a = JSON.parse("{}");`,
  },
  {
    what: "the environment",
    used: /^process\.env$/,
    where: /^server\/src\/(base\/config\/|cli\/)/,
    why: "secrets enter through one door and settings are found in one list",
    bad: "export const a = process.env;",
  },
];

const hits = (source: SourceFile, row: OnlyHere): string[] => [
  ...source.imports.filter(({ from }) => row.modules?.test(from)).map(({ line, from }) => `${source.path}:${line} imports \`${from}\``),
  ...source.imports.flatMap(({ from, names, line }) =>
    names.filter((name) => row.imported?.test(`${from}#${name}`)).map((name) => `${source.path}:${line} imports \`${name}\``),
  ),
  ...walk(source.program)
    .filter(({ node }) => node.type === "MemberExpression" && row.used?.test(dotted(node)))
    .map(({ node }) => at(source, node, `uses \`${dotted(node)}\``)),
];

const onlyHere = powers.map(
  (row): Rule => ({
    name: `${row.what}: only in ${row.where.source}`,
    why: row.why,
    check: (sources) => product(sources).filter(({ path }) => !row.where.test(path)).flatMap((source) => hits(source, row)),
    broken: { "server/src/edge/api/a.ts": row.bad },
  }),
);

const currentDate: Rule = {
  name: "time: no `new Date()` of now outside base/clock",
  why: "`new Date(ms)` formats a time somebody gave; `new Date()` reads the clock behind the test's back",
  check: (sources) =>
    product(sources)
      .filter(({ path }) => path !== "server/src/base/clock.ts")
      .flatMap((source) =>
        walk(source.program)
          .filter(({ node }) => /^(New|Call)Expression$/.test(node.type) && dotted(node["callee"]) === "Date" && (node["arguments"] as unknown[]).length === 0)
          .map(({ node }) => at(source, node, "reads the clock by `Date`")),
      ),
  broken: { "policy/src/a.ts": "export const a = new Date();" },
};

const words: Rule = {
  name: "file names are words of the domain",
  why: "a drawer named utils collects everything and says nothing",
  check: (sources) =>
    sources
      .filter(({ path }) => path.split(/[/.]/).some((part) => /(^|-)(utils?|helpers?|common|misc|manager|service|base-class|impl)$/.test(part)))
      .map(({ path }) => `${path} is no word of the domain`),
  broken: { "ledger/src/utils.ts": "export const a = 1;" },
};

const fileBudget: Rule = {
  name: "a file has at most 400 lines",
  why: "what does not fit on a few screens has more than one subject",
  check: (sources) => sources.filter(({ text }) => text.split("\n").length > 401).map(({ path, text }) => `${path} has ${text.split("\n").length - 1} lines`),
  broken: { "ledger/src/a.ts": "\n".repeat(402) },
};

const isFunctionNode = (node: SyntaxNode): boolean => node.type.includes("Function");

/** Lines of a function; in a test without those of the functions inside, for a suite is a list of tests. */
const linesOf = (source: SourceFile, node: SyntaxNode): number => {
  const lines = source.lineOf(node.end) - source.lineOf(node.start) + 1;
  if (!isTest(source)) return lines;
  const inner = walk(node["body"]).filter(({ node: below, parent }) => isFunctionNode(below) && !(parent && isFunctionNode(parent)));
  return lines - inner.reduce((sum, { node: below }) => sum + source.lineOf(below.end) - source.lineOf(below.start), 0);
};

const functionBudget: Rule = {
  name: "a function has at most 70 lines",
  why: "a function is read in one look",
  check: (sources) =>
    sources.flatMap((source) =>
      walk(source.program)
        .filter(({ node }) => isFunctionNode(node) && linesOf(source, node) > 70)
        .map(({ node }) => at(source, node, `a function of ${linesOf(source, node)} lines`)),
    ),
  broken: { "ledger/src/a.ts": `export const a = () => {${"\n".repeat(71)}};` },
};

const nouns: Rule = {
  name: "no exported noun is defined twice",
  why: "one name, one thing; two definitions drift apart",
  check: (sources) => {
    const homes = new Map<string, string[]>();
    for (const { path, declares } of sources) {
      const names = new Set(declares.filter(({ isNoun }) => isNoun).map(({ name }) => name));
      for (const name of names) homes.set(name, [...(homes.get(name) ?? []), path]);
    }
    return [...homes].filter(([, paths]) => paths.length > 1).map(([name, paths]) => `\`${name}\` is defined in ${paths.join(" and ")}`);
  },
  broken: { "ledger/src/a.ts": "export interface A { b: 1 }", "policy/src/a.ts": "export type A = 1;" },
};

const defaults: Rule = {
  name: "no default exports",
  why: "a thing has the same name where it is made and where it is used",
  check: (sources) =>
    sources.flatMap((source) =>
      walk(source.program).filter(({ node }) => node.type === "ExportDefaultDeclaration").map(({ node }) => at(source, node, "exports a default")),
    ),
  broken: { "ledger/src/a.ts": "export default 1;" },
};

const barrels: Rule = {
  name: "no barrels but a package's index.ts",
  why: "an import names the file that holds the thing",
  check: (sources) =>
    sources
      .filter(({ path }) => !/^[a-z]+\/src\/index\.ts$/.test(path))
      .flatMap((source) =>
        walk(source.program.body as unknown)
          .filter(({ node, parent }) => !parent && (node.type === "ExportAllDeclaration" || (node.type === "ExportNamedDeclaration" && node["source"])))
          .map(({ node }) => at(source, node, "passes another file's exports on")),
      ),
  broken: { "ledger/src/a.ts": `export * from "./b.ts";`, "ledger/src/b.ts": "export const b = 1;" },
};

const noAny: Rule = {
  name: "no `any`",
  why: "`unknown` asks the question that `any` forgets",
  check: (sources) =>
    sources.flatMap((source) => walk(source.program).filter(({ node }) => node.type === "TSAnyKeyword").map(({ node }) => at(source, node, "says `any`"))),
  broken: { "ledger/src/a.ts": "export const a = (b: any) => b;" },
};

const modifiers: Rule = {
  name: "privacy is `#private`",
  why: "a TypeScript modifier is a wish; `#` is kept at run time, where secrets are; only a constructor has no other way to be private",
  check: (sources) => sources.flatMap((source) => walk(source.program).filter(({ node }) => node["accessibility"] && node["kind"] !== "constructor").map(({ node }) => at(source, node, "uses a modifier"))),
  broken: { "ledger/src/a.ts": "export class A { private b = 1; c = () => this.b; }" },
};

/** Files that are run, not imported. */
const programs = /^server\/src\/(cli\/main|base\/store\/checkpointer)\.ts$|^ledger\/src\/verify\.ts$|worker\.ts$/;

const effects: Rule = {
  name: "importing a file does nothing",
  why: "what happens at import cannot be ordered, injected or tested",
  check: (sources) =>
    product(sources)
      .filter(({ path }) => !programs.test(path))
      .flatMap((source) =>
        (source.program.body as unknown as SyntaxNode[])
          .filter((node) => /^(ExpressionStatement|For|While|Try|Throw)/.test(node.type) || (node.type === "ImportDeclaration" && (node["specifiers"] as unknown[]).length === 0))
          .map((node) => at(source, node, "does something at import")),
      ),
  broken: { "ledger/src/a.ts": `import "./b.ts";`, "ledger/src/b.ts": "globalThis.name = '';" },
};

export const rules: readonly Rule[] = [
  ...[directions, rooms, circles, purity, ...onlyHere, currentDate, effects],
  ...[words, fileBudget, functionBudget, nouns, defaults, barrels, noAny, modifiers],
];
