import type { DatabaseSync } from "node:sqlite";
import { Fault } from "@lanyard/contract";

// `STRICT` makes SQLite keep the types it is told. Ids count up, so that every commit touches the right edge of each table only.
const first = `
CREATE TABLE entry (seq INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT;                    -- records, packed (pack.ts)
CREATE TABLE word (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE) STRICT;               -- strings that repeat in records
CREATE TABLE node (level INTEGER, at INTEGER, hash BLOB NOT NULL, PRIMARY KEY (level, at)) STRICT, WITHOUT ROWID;
CREATE TABLE zone (block INTEGER PRIMARY KEY, words BLOB NOT NULL) STRICT;                  -- words that 256 records hold: what a search may skip
CREATE TABLE outcome (intent INTEGER PRIMARY KEY, seq INTEGER NOT NULL) STRICT;
CREATE TABLE left_open (seq INTEGER PRIMARY KEY) STRICT;                                    -- open intents of earlier runs
CREATE TABLE subject (id INTEGER PRIMARY KEY, tag BLOB NOT NULL UNIQUE, wrapped BLOB NOT NULL) STRICT;
CREATE TABLE payload (id INTEGER PRIMARY KEY, subject INTEGER NOT NULL, box BLOB) STRICT;   -- box is null and subject 0 once erased
CREATE INDEX payload_subject ON payload (subject);
CREATE TABLE state (kind TEXT, key TEXT, text TEXT NOT NULL, salt BLOB NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (kind, key)) STRICT, WITHOUT ROWID;
CREATE TABLE object (hash BLOB PRIMARY KEY, bytes BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE head (id INTEGER PRIMARY KEY CHECK (id = 0), size INTEGER NOT NULL, at_ms INTEGER NOT NULL, checkpoint TEXT NOT NULL, open_from INTEGER NOT NULL) STRICT;
INSERT INTO head VALUES (0, 0, 0, '', 0);
`;

/** Each step brings the schema from its index to the next; `user_version` says how many are done. A step never changes once released. */
const migrations: readonly string[] = [first];

/** Makes the current schema in an empty database. */
export const createSchema = (database: DatabaseSync): void => {
  for (const step of migrations) database.exec(step);
};

/** "lnyd", so that `file` and others can tell the database. */
const applicationId = 0x6c6e7964;

/** Brings a database to the current schema. Throws Fault `conflict` for a database of a newer program. */
export const migrate = (database: DatabaseSync): void => {
  const { user_version: version } = database.prepare("PRAGMA user_version").get() as { user_version: number };
  if (version > migrations.length) throw new Fault("conflict", `opening the ledger: it was written by a newer program (schema ${version})`);
  if (version === migrations.length) return;
  database.exec("BEGIN IMMEDIATE");
  try {
    for (const step of migrations.slice(version)) database.exec(step);
    database.exec(`PRAGMA application_id = ${applicationId}; PRAGMA user_version = ${migrations.length}; COMMIT`);
  } catch (cause) {
    database.exec("ROLLBACK");
    throw cause;
  }
};
