import { existsSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { isObject, parseJson, type JsonObject } from "@lanyard/contract";
import type { StateKind, Store } from "./port.ts";
import { ledgerFile } from "./sqlite.ts";
import { openToRead } from "./verify.ts";

/** What a data folder holds at one moment, read without opening it as a store: nothing is locked, recorded or written, also beside a daemon. */
export interface Glance extends Pick<Store, "list" | "getObject">, Disposable {}

/** Throws Fault `not_found` when the folder has no ledger, `ledger_unavailable` when it cannot be read. */
export const glanceAt = (folder: string): Glance => {
  const file = ledgerFile(folder);
  // Where nobody writes, even an index for reading would be a file more.
  const database = existsSync(file) && !existsSync(`${file}-wal`) ? new DatabaseSync(`file:${encodeURI(file)}?immutable=1`, { readOnly: true }) : openToRead(folder);
  const state = database.prepare("SELECT key, text FROM state WHERE kind = ? ORDER BY key");
  const object = database.prepare("SELECT bytes FROM object WHERE hash = ?");
  return {
    list: (kind: StateKind) => state.all(kind).map((row) => ({ key: String(row["key"]), value: documentOf(row["text"]) })),
    getObject: (hash) => {
      const bytes = object.get(Buffer.from(hash, "base64url"))?.["bytes"];
      return bytes instanceof Uint8Array ? bytes : null;
    },
    [Symbol.dispose]: () => database.close(),
  };
};

const documentOf = (text: unknown): JsonObject => {
  const value: unknown = parseJson(String(text));
  return isObject(value) ? value : {};
};
