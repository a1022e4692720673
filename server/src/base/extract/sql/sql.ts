import { loadModule } from "libpg-query";
import type { SqlFacts } from "@lanyard/contract";
import { readPostgres } from "./postgres.ts";
import { SqlReading, unreadSql } from "./reading.ts";
import { sqlTokens } from "./tokens.ts";

/** A statement of more characters, or of more tokens, is not read: both bound the work. */
const mostSqlChars = 64 * 1024;
const mostSqlTokens = 4000;

/** Loads the parsers that are no JavaScript. Idempotent; until it has ended every statement is `unknown`. */
export const loadExtractors = (): Promise<void> => loadModule();

/**
 * What a text of SQL does. `dialect` as the contract states it; with null it must be PostgreSQL and mean the same in every other dialect, else
 * the class is `unknown`. Never throws.
 */
export function sqlFacts(text: string, dialect: string | null): SqlFacts {
  if (text.length > mostSqlChars || text.includes("\0") || !text.isWellFormed()) return unreadSql;
  const { count, disagreement } = sqlTokens(text);
  if (count > mostSqlTokens || (dialect !== null && !/^(postgres|postgresql)$/i.test(dialect))) return unreadSql;
  const reading = new SqlReading();
  try {
    readPostgres(text, reading);
  } catch {
    return unreadSql;
  }
  if (dialect === null && disagreement !== null) reading.raise("unknown");
  return reading.facts();
}
