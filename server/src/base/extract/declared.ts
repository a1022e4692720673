import type { ArgumentRole, JsonObject } from "@lanyard/contract";

/** Kinds of values that are read for what they mean; `text` says that nothing of the kind is in it, whatever it looks like. */
export const argumentKinds = ["sql", "shell", "url", "path", "email", "money", "code", "text"] as const;
export type ArgumentKind = (typeof argumentKinds)[number];

/** What a tool's contract says of one argument, or of what lies in it. */
export interface DeclaredArgument {
  /** Null where only the role is said: the kind is then found as where nothing is said. */
  readonly kind: ArgumentKind | null;
  /** Null: by the name and the kind. */
  readonly role: ArgumentRole | null;
  /** Of `sql`; null where nobody says. */
  readonly dialect: string | null;
  /** Of `code`; null where nobody says. */
  readonly language: string | null;
  /** Of `path`: what paths that are not absolute begin at; null where nobody says. */
  readonly root: string | null;
  /** Of `money`. `minor`: cents, and whatever else is a currency's smallest unit; `major`: whole ones. */
  readonly unit: "minor" | "major";
  /** Of `money`: its ISO 4217 code, or the argument that holds it (a path of names); null where nobody says. */
  readonly currency: string | { readonly argument: readonly string[] } | null;
}

/** By the path of names that leads to the argument, joined by dots; arrays on the way are walked through. */
export type DeclaredArguments = ReadonlyMap<string, DeclaredArgument>;

/** What a server says of its tool, as far as it was approved. */
export interface ToolShape {
  readonly inputSchema: JsonObject;
  readonly annotations?: JsonObject;
}
