import { globSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { parseSync, type Program } from "oxc-parser";

/** A node of the syntax tree, as ESTree has it; only what the rules look at is named. */
export interface SyntaxNode {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [key: string]: unknown;
}

interface Import {
  /** As written: `./x.ts`, `zod`, `node:fs`. */
  readonly from: string;
  /** Path of the file of this repository it leads to, undefined for a package. */
  readonly target: string | undefined;
  readonly names: readonly string[];
  readonly line: number;
}

/** One parsed file, with what the rules ask about it. Paths are relative to the root, with forward slashes. */
export interface SourceFile {
  readonly path: string;
  readonly text: string;
  readonly program: Program;
  readonly imports: readonly Import[];
  /** Names this file itself declares and exports; `noun` is anything but a function. */
  readonly declares: readonly { readonly name: string; readonly isNoun: boolean; readonly line: number }[];
  lineOf(offset: number): number;
}

const isNode = (value: unknown): value is SyntaxNode => typeof value === "object" && value !== null && "type" in value && "start" in value;

/** A node with the one it stands in; undefined for those that `walk` began with. */
interface Place {
  readonly node: SyntaxNode;
  readonly parent: SyntaxNode | undefined;
}

const gather = (value: unknown, parent: SyntaxNode | undefined, found: Place[]): void => {
  if (Array.isArray(value)) for (const item of value) gather(item, parent, found);
  if (!isNode(value)) return;
  found.push({ node: value, parent });
  for (const below of Object.values(value)) if (typeof below === "object") gather(below, value, found);
};

/** What was found below whole programs: every rule asks for it. */
const walked = new WeakMap<object, readonly Place[]>();

/** Every node below `node`, with its parent, parents first. */
export function walk(node: unknown): readonly Place[] {
  const known = isNode(node) ? walked.get(node) : undefined;
  if (known) return known;
  const found: Place[] = [];
  gather(node, undefined, found);
  if (isNode(node) && node.type === "Program") walked.set(node, found);
  return found;
}

/** `Date.now` for a member expression of plain names, the name for an identifier, else "". */
export const dotted = (value: unknown): string => {
  if (!isNode(value)) return "";
  if (value.type === "Identifier") return String(value["name"]);
  if (value.type === "MetaProperty") return "import.meta";
  if (value.type !== "MemberExpression" || value["computed"]) return "";
  const object = dotted(value["object"]);
  return object && `${object}.${dotted(value["property"])}`;
};

const packageEntry = (from: string): string | undefined => {
  const [, name, file = "index"] = /^@lanyard\/([a-z]+)(?:\/([a-z]+))?$/.exec(from) ?? [];
  return name && `${name}/src/${file}.ts`;
};

const isFunction = (value: unknown): boolean => isNode(value) && /Function/.test(value.type);

const declared = (declaration: SyntaxNode): { name: string; isNoun: boolean }[] => {
  const list = declaration["declarations"];
  if (Array.isArray(list)) return list.map((item: SyntaxNode) => ({ name: dotted(item["id"]), isNoun: !isFunction(item["init"]) }));
  const name = dotted(declaration["id"]);
  return name ? [{ name, isNoun: !isFunction(declaration) }] : [];
};

/** Parses one file. Throws when it is no valid TypeScript. */
export const parse = (path: string, text: string): SourceFile => {
  const { program, module, errors } = parseSync(path, text);
  if (errors[0]) throw new Error(`${path}: ${errors[0].message}`);
  const breaks = [...text.matchAll(/\n/g)].map((match) => match.index);
  const lineOf = (offset: number): number => {
    const index = breaks.findIndex((at) => at >= offset);
    return (index < 0 ? breaks.length : index) + 1;
  };
  const resolve = (from: string): string | undefined => (from.startsWith(".") ? join(dirname(path), from) : packageEntry(from));
  const requests = [
    ...module.staticImports.map(({ moduleRequest, start, entries }) => ({
      from: moduleRequest.value,
      names: entries.map(({ importName }) => importName.name ?? importName.kind.toString()),
      start,
    })),
    ...module.staticExports.flatMap(({ entries, start }) => entries.flatMap(({ moduleRequest }) => (moduleRequest ? [{ from: moduleRequest.value, names: [], start }] : []))),
    ...module.dynamicImports.map(({ moduleRequest, start }) => ({ from: /^(["'])(.*)\1$/.exec(text.slice(moduleRequest.start, moduleRequest.end))?.[2] ?? "(computed)", names: [], start })),
  ];
  const nodes = program.body as unknown as SyntaxNode[];
  return {
    path,
    text,
    program,
    lineOf,
    imports: requests.map(({ from, names, start }) => ({ from, names, target: resolve(from), line: lineOf(start) })),
    declares: nodes.flatMap((node) => {
      const declaration = node["declaration"];
      if (node.type !== "ExportNamedDeclaration" || !isNode(declaration)) return [];
      return declared(declaration).map((item) => ({ ...item, line: lineOf(node.start) }));
    }),
  };
};

/** Every TypeScript file of the repository that somebody wrote. */
export const readAll = (root: string): SourceFile[] =>
  globSync("{contract,policy,ledger,server}/src/**/*.ts", { cwd: root })
    .concat(globSync("{bench,scripts,demo,test}/**/*.ts", { cwd: root, exclude: (name) => name.includes("node_modules") }))
    .filter((path) => !path.endsWith(".d.ts"))
    .sort()
    .map((path) => parse(relative(".", path), readFileSync(join(root, path), "utf8")));
