import { hash } from "node:crypto";
import { Fault, isObject, type Json, type JsonObject, type Principal } from "@lanyard/contract";
import { canonicalize } from "@lanyard/ledger";
import { limits } from "../../base/limits.ts";
import type { Lease } from "../../base/path.ts";
import type { StateReading } from "../../base/undo/contract.ts";
import type { DialectName } from "../../base/undo/sql-statement.ts";
import { evaluate, holds, MappingError } from "../../base/undo/mapping.ts";
import { readFiles, type FilesLook } from "./files/files.ts";
import { SqlRows, type RowsImage } from "./sql/rows.ts";

/** What calls tools that only read; compose.ts hands it over. */
export interface Eyes {
  /**
   * Calls a tool that only reads, as that session. Resolves with its result, `isError: true` where it failed; of the web with `{status, headers, body, json}`.
   * Rejects when it could not be asked, or when by its own contract the call is not of the class `read`.
   */
  call(server: string, tool: string, args: JsonObject, as: Viewer): Promise<JsonObject>;
}

/** In whose name a state is read. */
export interface Viewer {
  readonly principal: Principal;
  /** What is lent for the action itself; null when it has none. */
  readonly lease: Lease | null;
  /** The session whose placeholders the arguments hold. */
  readonly of: string;
  readonly signal: AbortSignal;
}

/** What a reading found: nothing, or a value. `kept` is needed to put it back, and is not compared. */
export type StateSnapshot = { readonly there: false } | { readonly there: true; readonly value: Json; readonly kept?: Json };

/** A state could not be read; the message is public and holds no value. */
export class Unreadable extends Error {}

/** Where a state is: one reading with its arguments worked out. `key` is the same for the same place. */
export interface StatePlace {
  readonly key: string;
  /** What is locked while it is worked on: of files their paths, for other tools, and servers, have a hand in them too. */
  readonly locks: readonly string[];
  readonly reading: StateReading;
  readonly at: { readonly tool: string; readonly args: JsonObject } | { readonly files: FilesLook } | { readonly tool: string; readonly rows: { readonly of: string; readonly on: DialectName } };
}

/** Works out where a reading looks. Throws Unreadable. */
export const placeOf = (server: string, reading: StateReading, roots: JsonObject): StatePlace => {
  const keyed = (at: StatePlace["at"]): StatePlace => {
    const key = hash("sha256", canonicalize([server, at as unknown as Json], "doubles"), "base64url");
    return { key, locks: "files" in at ? lockedPaths(at.files) : [key], reading, at };
  };
  if (reading.tool === null) return keyed({ files: filesIn(worked(reading.files, roots), roots["root"]) });
  if (reading.rows !== null) {
    const of = worked(reading.rows.of, roots);
    if (typeof of !== "string") throw new Unreadable("what is to be read as SQL is no text");
    return keyed({ tool: reading.tool, rows: { of, on: reading.rows.on } });
  }
  const args = worked(reading.args, roots);
  if (!isObject(args)) throw new Unreadable(`the arguments of \`${reading.tool}\` are no object`);
  return keyed({ tool: reading.tool, args });
};

/** With the folders on the way, all below the first of them. */
const lockedPaths = ({ root, tops }: FilesLook): string[] =>
  tops.map(({ path, way }) => (way === true && path.startsWith(`${root}/`) ? path.split("/", root.split("/").length + 1).join("/") : path.replace(/(?<=.)\/$/, "")));

const filesIn = (tops: Json, root: Json | undefined): FilesLook => {
  if (typeof root !== "string") throw new Unreadable("files are to be read, and the server's contract names no `root` that they lie in");
  if (!Array.isArray(tops)) throw new Unreadable("the files are no list");
  return {
    root,
    tops: tops.map((top) => {
      if (!isObject(top) || typeof top["path"] !== "string") throw new Unreadable("the path of a file is no text");
      const except = Array.isArray(top["except"]) ? top["except"].map(String) : [];
      return { path: top["path"], deep: top["deep"] === true, way: top["way"] === true, must: top["must"] === true, except };
    }),
  };
};

const worked = (template: Json, roots: JsonObject): Json => {
  try {
    return evaluate(template, roots);
  } catch (error) {
    if (error instanceof MappingError) throw new Unreadable(error.message);
    throw error;
  }
};

/** What a look comes after: `kept` of the one before, and right after an action what that was answered, null when it was not. */
export interface Since {
  readonly kept: Json | undefined;
  readonly result?: Json;
}

/**
 * Looks; without `since` before an action, and then also for what putting back needs. Throws Unreadable; what is kept is within the limits
 * undo_preimage_bytes and undo_file_bytes.
 */
export const look = async (eyes: Eyes, server: string, { reading, at }: StatePlace, viewer: Viewer, roots: JsonObject, since?: Since): Promise<StateSnapshot> => {
  if ("files" in at) return filesAt(at.files, since === undefined);
  if ("rows" in at) return rowsAt(eyes, server, at, viewer, since);
  const answer = await ask(() => eyes.call(server, at.tool, at.args, viewer));
  const about = { ...roots, answer };
  if (isAbsent(reading, about)) return { there: false };
  if (answer["isError"] === true) throw new Unreadable(`\`${server}/${at.tool}\` answered with an error`);
  const value = worked(reading.keep, about);
  if (sizeOf(value) > limits.undo_preimage_bytes.value) throw new Unreadable(`the state is over the limit undo_preimage_bytes (${limits.undo_preimage_bytes.value})`);
  return { there: true, value };
};

const filesAt = async (files: FilesLook, keep: boolean): Promise<StateSnapshot> => {
  const { image, contents } = await ask(() => readFiles(files, keep));
  return { there: true, value: image, ...(keep && { kept: contents }) };
};

const rowsAt = async (eyes: Eyes, server: string, { tool, rows: { of, on } }: Extract<StatePlace["at"], { readonly rows: unknown }>, viewer: Viewer, since?: Since): Promise<StateSnapshot> => {
  const rows = new SqlRows(on);
  const query = (sql: string) => eyes.call(server, tool, { sql }, viewer);
  const known = Array.isArray(since?.kept) ? ({ watches: since.kept as unknown, image: {} } as RowsImage) : null;
  if (since && !known) throw new Unreadable("which rows it was is not known");
  const result = since?.result === undefined ? {} : { result: isObject(since.result) ? since.result : null };
  const { watches, image } = await ask(() => (known ? rows.again(known, query, result) : rows.before(of, query)));
  return { there: true, value: image, kept: watches as unknown as Json };
};

const isAbsent = ({ absent }: StateReading, about: JsonObject): boolean => {
  try {
    return absent.some((condition) => holds([condition], about));
  } catch (error) {
    if (error instanceof MappingError) throw new Unreadable(error.message);
    throw error;
  }
};

const ask = async <T>(look: () => Promise<T>): Promise<T> => {
  try {
    return await look();
  } catch (error) {
    throw new Unreadable(error instanceof Fault ? error.message : "it could not be read", { cause: error });
  }
};

const sizeOf = (value: Json): number => JSON.stringify(value).length;

/** Tells one state from another. Of many places, one where there is nothing counts as one that is not named. */
export const digestOf = (snapshot: StateSnapshot): string => hash("sha256", canonicalize(compared(snapshot), "doubles"), "base64url");

const compared = (snapshot: StateSnapshot): Json => {
  if (!snapshot.there) return { there: false };
  const { value } = snapshot;
  return { there: true, value: isObject(value) ? Object.fromEntries(Object.entries(value).filter(([, item]) => item !== null)) : value };
};
