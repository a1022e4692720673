import { loadModule } from "libpg-query";
import type { SqlFacts } from "@lanyard/contract";
import { toldTables } from "./introspection.ts";
import { readPostgres } from "./postgres.ts";
import { SqlReading, unreadSql } from "./reading.ts";
import { sqlTokens } from "./tokens.ts";

/** A statement of more characters, or of more tokens, is not read: both bound the work. */
const mostSqlChars = 64 * 1024;
const mostSqlTokens = 2000;

/** Loads the parser that is no JavaScript. Idempotent; until it has ended every statement is `unknown`. */
export const loadExtractors = (): Promise<void> => loadModule();

/**
 * What a text of SQL does. Of PostgreSQL, if the contract states that dialect, its own parser says it. Of every other dialect, stated or not,
 * the same parser says it where all dialects cut the text into the same tokens; else the class is `unknown`. Never throws.
 */
export function sqlFacts(text: string, dialect: string | null): SqlFacts {
  if (text.length > mostSqlChars || text.includes("\0") || !text.isWellFormed()) return unreadSql;
  const isPostgres = /^(postgres|postgresql|pg)$/i.test(dialect ?? "");
  const tokens = sqlTokens(text, mostSqlTokens);
  if (tokens === null) return unreadSql;
  const { disagreement, quoted } = tokens;
  const reading = new SqlReading();
  const told = disagreement === null ? toldTables(text) : null;
  if (told !== null) {
    reading.statement(() => told.forEach((table) => reading.tables.add(table)));
    return reading.facts();
  }
  try {
    readPostgres(isPostgres ? text : quoted, reading);
  } catch {
    return unreadSql;
  }
  // Some take a quoted name in FROM for a file, or for a place on the network.
  const reaches = [...reading.tables].some((name) => /[/:\\]|"[^"]*\.\w+"/.test(name)) && !/^bigquery$/i.test(dialect ?? "");
  if (!isPostgres && (disagreement !== null || reaches)) reading.raise("unknown");
  return reading.facts();
}
