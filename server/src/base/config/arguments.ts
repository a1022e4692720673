import { argumentRoles } from "@lanyard/contract";
import { z } from "zod";
import { argumentKinds, argumentTypes, type DeclaredArgument, type DeclaredArguments } from "../extract/declared.ts";
import { nearest } from "./source.ts";

// `arguments:` of a tool's contract: what kind of thing each argument is, and what it is for.

/** Dialects of SQL; where none is named, a statement must mean the same in all. */
const dialects = ["postgresql", "sqlite", "mysql", "mariadb", "mssql", "oracle", "bigquery", "snowflake", "redshift", "duckdb", "clickhouse"] as const;

const choice = <const T extends readonly [string, ...string[]]>(what: string, known: T) =>
  z.enum(known, {
    error: ({ input }) => {
      const close = typeof input === "string" ? nearest(input, known) : null;
      return `${typeof input === "string" ? `there is no ${what} \`${input}\`` : `a ${what} is a word`}; ${close === null ? `there are ${known.join(", ")}` : `did you mean \`${close}\`?`}`;
    },
  });

const path = z.string().max(256).regex(/^[^.]+(\.[^.]+)*$/s, "write the argument's name, or a path of names with dots between them");
const orArgument = "an ISO 4217 code such as `EUR`, or the argument that holds it: `{ argument: currency }`";
const currency = z.union([z.string().regex(/^[A-Z]{3}$/, orArgument), z.strictObject({ argument: path })], orArgument);

/** Keys that say more of one kind only. */
const particular = { dialect: "sql", language: "code", root: "path", unit: "money", currency: "money" } as const;

const full = z
  .strictObject({
    kind: choice("kind of argument", argumentKinds).optional(),
    role: choice("role", argumentRoles).optional(),
    type: choice("type", argumentTypes).optional(),
    dialect: choice("dialect of SQL", dialects).optional(),
    language: z.string().regex(/^[a-z][a-z0-9+#-]{0,31}$/, "a language in small letters, such as `python`").optional(),
    root: z.string().max(4096).regex(/^\/[^\0]*$/, "`root` is an absolute path").optional(),
    unit: choice("unit", ["cents", "units"]).optional(),
    currency: currency.optional(),
  })
  .superRefine((argument, context) => {
    if (argument.kind === undefined && argument.role === undefined && argument.type === undefined) context.addIssue({ code: "custom", message: "say its `kind`, its `role` or its `type`" });
    for (const [key, kind] of Object.entries(particular) as [keyof typeof particular, string][]) {
      if (argument[key] !== undefined && argument.kind !== kind) context.addIssue({ code: "custom", path: [key], message: `\`${key}\` goes with \`kind: ${kind}\` only` });
    }
  });

/** `to: email` is short for `to: { kind: email }`. */
const argument = z.preprocess((value) => (typeof value === "string" ? { kind: value } : value), full);

export const argumentsShape = z.record(path, argument).refine((all) => Object.keys(all).length <= 256, "at most 256 arguments");
export type ArgumentsFile = z.infer<typeof argumentsShape>;

/** `root`: of a server's ready contract, for paths that name none of their own. */
export const declaredArguments = (file: ArgumentsFile, root: string | null): DeclaredArguments => new Map(Object.entries(file).map(([name, said]) => [name, declaredArgument(said, root)]));

const declaredArgument = (said: ArgumentsFile[string], root: string | null): DeclaredArgument => ({
  kind: said.kind ?? null,
  role: said.role ?? null,
  type: said.type ?? null,
  dialect: said.dialect ?? null,
  language: said.language ?? null,
  root: said.root ?? (said.kind === "path" ? root : null),
  unit: said.unit === "cents" ? "minor" : "major",
  currency: typeof said.currency === "object" ? { argument: said.currency.argument.split(".") } : (said.currency ?? null),
});
