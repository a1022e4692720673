import { codeClasses, plainClasses, shellClasses, sqlClasses, urlClasses } from "@lanyard/contract";

/** How one fact about arguments is told of a whole call. */
export type FactField =
  /** One of these, from harmless to worst: the worst counts. */
  | { readonly kind: "class"; readonly of: readonly string[] }
  /** All that any argument has. */
  | { readonly kind: "texts" | "longs" }
  | { readonly kind: "sum" }
  /** True when it is so of any. */
  | { readonly kind: "flag" }
  /** The deepest folder that holds all, with a slash at its end. */
  | { readonly kind: "folder" };

const classOf = (of: readonly string[]): FactField => ({ kind: "class", of });
const texts: FactField = { kind: "texts" };
const sum: FactField = { kind: "sum" };
const flag: FactField = { kind: "flag" };

/** What policy sees below `context.facts` of each kind of argument, in the form of `ArgumentFacts`; every field is always there. */
export const factKinds = {
  sql: { class: classOf(sqlClasses), statements: sum, tables: texts, writes: texts, functions: texts, unbounded: flag, secrets: texts },
  shell: { class: classOf(shellClasses), programs: texts, paths: texts, hosts: texts, destructive: flag, reaches: texts, packages: texts },
  url: { class: classOf(urlClasses), hosts: texts, domains: texts, schemes: texts, ports: { kind: "longs" }, userinfo: flag },
  path: { class: classOf(plainClasses), paths: texts, common: { kind: "folder" }, folders: texts, names: texts, kinds: texts },
  email: { class: classOf(plainClasses), addresses: texts, domains: texts },
  money: { class: classOf(plainClasses), minor: sum, currencies: texts },
  code: { class: classOf(codeClasses), languages: texts, imports: texts },
} as const satisfies Readonly<Record<string, Readonly<Record<string, FactField>>>>;

export type FactKind = keyof typeof factKinds;
export const factKindNames = Object.keys(factKinds) as readonly FactKind[];

export const fieldsOfKind = (kind: FactKind): Readonly<Record<string, FactField>> => factKinds[kind];

/** Parts of `context.origins` that stand for arguments of one role. */
export const originRoles = ["recipient", "target", "amount", "content", "command"] as const;
/** What `context.origins` has a set for beside the arguments one by one: those of a role, all of them, and the addresses of pages and accounts in them. */
export const originSets = [...originRoles, "any", "link"] as const;
export type OriginSet = (typeof originSets)[number];

/** Parts of `context.budget`. */
export const budgetParts = ["warn", "ask", "over"] as const;
