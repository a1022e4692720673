/** What a text of SQL says, while it is read. Facts are made of it in one place, so that every dialect fails closed in the same way. */
import type { SqlFacts } from "@lanyard/contract";
import { isOver, listed, mostChars, named, worstClass } from "../bounded.ts";
import { holdsSecrets, namesSecret } from "./secrets.ts";

type SqlClass = SqlFacts["class"];

/** Harmless first; of several the worst counts. */
const order: readonly SqlClass[] = ["read", "write", "schema", "admin", "unknown"];

/** Gathers what one text does. Begins harmless and only ever gets worse. */
export class SqlReading {
  readonly tables = new Set<string>();
  readonly writes = new Set<string>();
  readonly functions = new Set<string>();
  readonly #secrets = new Set<string>();
  statements = 0;
  unbounded = false;
  #class: SqlClass = "read";
  /** Of the statement that is read; null before the first. */
  #statement: SqlClass | null = null;

  /** At least this bad. */
  raise(to: SqlClass): void {
    this.#class = worstClass(order, [this.#class, to]);
  }

  write(table: string, as: SqlClass): void {
    this.tables.add(table);
    this.writes.add(table);
    this.raise(as);
  }

  /** A column that is read or set. */
  column(name: string): void {
    if (namesSecret(name)) this.#secrets.add(name);
  }

  /** Reads one statement. Statements of different classes in one text are the mark of a text that was glued together: `unknown`. */
  statement(read: () => void): void {
    const before = this.#class;
    this.#class = "read";
    read();
    const own = this.#class;
    this.raise(before);
    if (this.#statement !== null && this.#statement !== own) this.raise("unknown");
    this.#statement = own;
    this.statements += 1;
  }

  facts(): SqlFacts {
    for (const table of this.tables) if (holdsSecrets(table)) this.#secrets.add(table);
    const lists = [this.tables, this.writes, this.functions, this.#secrets];
    if (this.statements === 0 || lists.some((list) => isOver(list) || [...list].some((name) => name.length > mostChars))) this.raise("unknown");
    const [tables = [], writes = [], functions = []] = lists.map(listed);
    return { class: this.#class, statements: this.statements, tables, writes, functions, unbounded: this.unbounded, ...named("secrets", this.#secrets) };
  }
}

/** What is said of a text that is not read. Whether rows are named is not known, so they are not. */
export const unreadSql: SqlFacts = { class: "unknown", statements: 0, tables: [], writes: [], functions: [], unbounded: true };

/** A name as policy sees it: parts joined by dots; a part that could be mistaken for several is quoted. */
export function tableName(parts: readonly (string | undefined)[]): string {
  return parts
    .filter((part) => part !== undefined && part !== "")
    .map((part) => (/["`[\].]/.test(part as string) ? `"${(part as string).replaceAll('"', '""')}"` : part))
    .join(".");
}
