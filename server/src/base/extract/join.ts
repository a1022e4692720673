import { codeClasses, shellClasses, sqlClasses, type CodeFacts, type ShellFacts, type SqlFacts } from "@lanyard/contract";
import { isOver, listed, named, worstClass } from "./bounded.ts";

// Facts of several texts in one argument, as one: the worst class of theirs, and all that any of them names.

export function joinSql(all: readonly SqlFacts[]): SqlFacts {
  const lists = { tables: union(all, "tables"), writes: union(all, "writes"), functions: union(all, "functions") };
  return { class: worst(sqlClasses, all, Object.values(lists)) as SqlFacts["class"], statements: all.reduce((sum, { statements }) => sum + statements, 0), ...listedOf(lists), unbounded: all.some(({ unbounded }) => unbounded), ...named("secrets", all.flatMap(({ secrets = [] }) => secrets)) };
}

export function joinShell(all: readonly ShellFacts[]): ShellFacts {
  const lists = { programs: union(all, "programs"), paths: union(all, "paths"), hosts: union(all, "hosts") };
  const isCut = Object.values(lists).some(isOver);
  return {
    class: worst(shellClasses, all, Object.values(lists)) as ShellFacts["class"],
    ...listedOf(lists),
    destructive: all.some(({ destructive }) => destructive),
    ...named("reaches", [...all.flatMap(({ reaches = [] }) => reaches), ...(isCut ? (["other"] as const) : [])]),
    ...named("packages", all.flatMap(({ packages = [] }) => packages)),
    ...named("begins", all.flatMap(({ begins = [] }) => begins)),
    ...named("pushes", all.flatMap(({ pushes = [] }) => pushes)),
  };
}

export function joinCode(all: readonly CodeFacts[]): CodeFacts {
  const lists = { languages: union(all, "languages"), imports: union(all, "imports") };
  return { class: worst(codeClasses, all, Object.values(lists)) as CodeFacts["class"], ...listedOf(lists) };
}

const union = <K extends string>(all: readonly { readonly [N in K]: readonly string[] }[], key: K): ReadonlySet<string> => new Set(all.flatMap((one) => one[key]));

const worst = <C extends string>(order: readonly C[], all: readonly { readonly class: C }[], lists: readonly ReadonlySet<string>[]): C =>
  lists.some(isOver) ? ("unknown" as C) : worstClass(order, all.map((one) => one.class));

const listedOf = <K extends string>(lists: Readonly<Record<K, ReadonlySet<string>>>): Record<K, readonly string[]> =>
  Object.fromEntries(Object.entries<ReadonlySet<string>>(lists).map(([key, values]) => [key, listed(values)])) as unknown as Record<K, readonly string[]>;
