import { closeSync, existsSync, openSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { Fault } from "@lanyard/contract";
import type { Clock } from "../clock.ts";
import { Book, type Alarm } from "./book.ts";
import { makeKeys, ownFolder, readKeys } from "./keys.ts";
import type { Store } from "./port.ts";
import { SqliteMedium } from "./sqlite-medium.ts";

export interface SqliteOptions {
  /** Absolute path of the data folder; made on first use, readable to its owner only. */
  readonly folder: string;
  readonly clock: Clock;
  /** Program version, for `ledger.open`. */
  readonly version: string;
  readonly alarm?: Alarm;
}

/** The database's file in a data folder. */
export const ledgerFile = (folder: string): string => join(folder, "ledger.db");

// SQLite would make its files readable to all, and makes its log and index files as readable as the database.
const ownFile = (path: string): string => {
  closeSync(openSync(path, "a", 0o600));
  return path;
};

/** Holds the folder until disposed. The kernel lets go of it when the process dies, however it dies. */
const claim = (folder: string): Disposable => {
  const lock = new DatabaseSync(ownFile(join(folder, "lock.db")), { timeout: 0 });
  try {
    lock.exec("PRAGMA journal_mode = MEMORY; PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE");
  } catch (cause) {
    lock.close();
    if ((cause as { errcode?: number }).errcode === 5) throw new Fault("conflict", `opening the data folder \`${folder}\`: another daemon uses it`, { cause });
    throw cause;
  }
  return { [Symbol.dispose]: () => lock.isOpen && lock.close() };
};

/**
 * Opens the store of a data folder, made on first use. Throws Fault `conflict` when another process holds the folder,
 * `ledger_unavailable` when it cannot be written or its end is not what its last checkpoint says, `invalid_config` when a ledger is there but
 * its keys are not.
 */
export const openSqlite = async ({ folder, ...options }: SqliteOptions): Promise<Store> => {
  using held = new DisposableStack();
  try {
    ownFolder(folder);
    const lock = held.use(claim(folder));
    const keys = existsSync(ledgerFile(folder)) ? readKeys(folder) : makeKeys(folder, options.clock);
    const medium = held.use(new SqliteMedium(ownFile(ledgerFile(folder)), lock));
    const book = await Book.open({ ...options, ...keys, medium });
    held.move(); // from here on closing the book closes them
    return book;
  } catch (cause) {
    throw cause instanceof Fault ? cause : new Fault("ledger_unavailable", `opening the data folder \`${folder}\`: the disk refused`, { cause });
  }
};
