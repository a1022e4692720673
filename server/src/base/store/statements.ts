import type { DatabaseSync, StatementSync } from "node:sqlite";

const texts = {
  begin: "BEGIN IMMEDIATE",
  commit: "COMMIT",
  head: "SELECT size, at_ms, checkpoint, open_from FROM head",
  putHead: "UPDATE head SET size = ?, at_ms = ?, checkpoint = ?, open_from = ?",
  addEntry: "INSERT INTO entry VALUES (?, ?)",
  entries: "SELECT seq, body FROM entry WHERE seq >= ? AND seq < ? ORDER BY seq",
  addNode: "INSERT INTO node VALUES (?, ?, ?)",
  node: "SELECT hash FROM node WHERE level = ? AND at = ?",
  findWord: "SELECT id FROM word WHERE text = ?",
  addWord: "INSERT INTO word (text) VALUES (?)",
  wordText: "SELECT text FROM word WHERE id = ?",
  wordsFrom: "SELECT id FROM word WHERE text >= ? AND text < ?",
  addZone: "INSERT INTO zone VALUES (?, ?)",
  zone: "SELECT words FROM zone WHERE block = ?",
  addOutcome: "INSERT INTO outcome VALUES (?, ?)",
  outcome: "SELECT seq FROM outcome WHERE intent = ?",
  addLeft: "INSERT INTO left_open VALUES (?)",
  dropLeft: "DELETE FROM left_open WHERE seq = ?",
  leftOpen: "SELECT seq FROM left_open ORDER BY seq",
  findSubject: "SELECT id, wrapped FROM subject WHERE tag = ?",
  addSubject: "INSERT INTO subject (tag, wrapped) VALUES (?, ?)",
  dropSubject: "DELETE FROM subject WHERE id = ?",
  addPayload: "INSERT INTO payload VALUES (?, ?, ?)",
  payload: "SELECT box, tag, wrapped FROM payload JOIN subject ON subject.id = payload.subject WHERE payload.id = ? AND box IS NOT NULL",
  payloads: "SELECT payload.id, box, tag, wrapped FROM json_each(?) JOIN payload ON payload.id = value JOIN subject ON subject.id = payload.subject WHERE box IS NOT NULL",
  nextPayload: "SELECT coalesce(max(id), -1) + 1 AS next FROM payload",
  countPayloads: "SELECT count(*) AS count FROM payload JOIN subject ON subject.id = payload.subject WHERE subject.tag = ?",
  eraseBoxes: "UPDATE payload SET box = NULL, subject = 0 WHERE subject = ?",
  putState: "INSERT INTO state VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET text = excluded.text, salt = excluded.salt, seq = excluded.seq",
  dropState: "DELETE FROM state WHERE kind = ? AND key = ?",
  state: "SELECT kind, key, text, salt, seq FROM state ORDER BY kind, key",
  putObject: "INSERT INTO object VALUES (?, ?) ON CONFLICT DO NOTHING",
  object: "SELECT bytes FROM object WHERE hash = ?",
  // What only a verifier asks for.
  payloadRow: "SELECT subject, box FROM payload WHERE id = ?",
  payloadCounts: "SELECT count(*) AS rows, count(*) - count(box) AS erased FROM payload",
  subjectRow: "SELECT tag, wrapped FROM subject WHERE id = ?",
  objects: "SELECT hash, bytes FROM object",
  nodes: "SELECT level, at, hash FROM node ORDER BY level, at",
  zones: "SELECT block, words FROM zone ORDER BY block",
  outcomes: "SELECT intent, seq FROM outcome ORDER BY intent",
  wordCount: "SELECT count(*) AS count FROM word",
} as const;

/** Every statement of the medium, prepared once a connection. */
export type Statements = { readonly [N in keyof typeof texts]: StatementSync };

export const statements = (database: DatabaseSync): Statements =>
  Object.fromEntries(Object.entries(texts).map(([name, text]) => [name, database.prepare(text)])) as Statements;
