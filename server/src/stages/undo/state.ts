import { hash } from "node:crypto";
import { isObject, type Json, type JsonObject, type Principal } from "@lanyard/contract";
import { canonicalize } from "@lanyard/ledger";
import { limits } from "../../base/limits.ts";
import type { Lease } from "../../base/path.ts";
import type { StateReading } from "../../base/undo/contract.ts";
import { evaluate, holds, MappingError } from "../../base/undo/mapping.ts";

/** What reads states; compose.ts hands it over. */
export interface Eyes {
  /**
   * Calls a tool that only reads, as that session. Resolves with its result, `isError: true` where it failed; of the web with `{status, headers, body, json}`.
   * Rejects when it could not be asked, or when by its own contract the call is not of the class `read`.
   */
  call(server: string, tool: string, args: JsonObject, as: Viewer): Promise<JsonObject>;
  /** A file or folder of this machine, null when there is none. Rejects when it lies outside `root`, a link is on the way, or it is too large. */
  file(root: string, path: string): Promise<JsonObject | null>;
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

/** What a reading found: nothing, or a value. */
export type Snapshot = { readonly there: false } | { readonly there: true; readonly value: Json };

/** A state could not be read; the message is public and holds no value. */
export class Unreadable extends Error {}

/** Where a state is: one reading with its arguments worked out. `key` is the same for the same place. */
export interface Place {
  readonly key: string;
  readonly reading: StateReading;
  readonly at: { readonly tool: string; readonly args: JsonObject } | { readonly file: string; readonly root: string };
}

/** Works out where a reading looks. Throws Unreadable. */
export const placeOf = (server: string, reading: StateReading, roots: JsonObject): Place => {
  const keyed = (at: Place["at"]): Place => ({ key: hash("sha256", canonicalize([server, at as unknown as Json], "doubles"), "base64url"), reading, at });
  if (reading.tool !== null) {
    const args = worked(reading.args, roots);
    if (!isObject(args)) throw new Unreadable(`the arguments of \`${reading.tool}\` are no object`);
    return keyed({ tool: reading.tool, args });
  }
  const [file, root] = [worked(reading.file, roots), roots["root"]];
  if (typeof root !== "string") throw new Unreadable("a file is to be read, and the server's contract names no `root` that it lies in");
  if (typeof file !== "string") throw new Unreadable("the path of the file is no text");
  return keyed({ file, root });
};

const worked = (template: Json, roots: JsonObject): Json => {
  try {
    return evaluate(template, roots);
  } catch (error) {
    if (error instanceof MappingError) throw new Unreadable(error.message);
    throw error;
  }
};

/** Looks. Throws Unreadable; what was kept is within the limit undo_preimage_bytes. */
export const look = async (eyes: Eyes, server: string, { reading, at }: Place, viewer: Viewer, roots: JsonObject): Promise<Snapshot> => {
  const answer = await ask(eyes, server, at, viewer);
  if (answer === null) return { there: false };
  const about = { ...roots, answer };
  if (isAbsent(reading, about)) return { there: false };
  if ("tool" in at && answer["isError"] === true) throw new Unreadable(`\`${server}/${at.tool}\` answered with an error`);
  const value = worked(reading.keep, about);
  if (sizeOf(value) > limits.undo_preimage_bytes.value) throw new Unreadable(`the state is over the limit undo_preimage_bytes (${limits.undo_preimage_bytes.value})`);
  return { there: true, value };
};

const isAbsent = ({ absent }: StateReading, about: JsonObject): boolean => {
  try {
    return absent.some((condition) => holds([condition], about));
  } catch (error) {
    if (error instanceof MappingError) throw new Unreadable(error.message);
    throw error;
  }
};

const ask = async (eyes: Eyes, server: string, at: Place["at"], viewer: Viewer): Promise<JsonObject | null> => {
  try {
    return "tool" in at ? await eyes.call(server, at.tool, at.args, viewer) : await eyes.file(at.root, at.file);
  } catch (error) {
    throw new Unreadable(error instanceof Error && "code" in error && "place" in error ? error.message : "it could not be read", { cause: error });
  }
};

const sizeOf = (value: Json): number => JSON.stringify(value).length;

/** Tells one state from another. */
export const digestOf = (snapshot: Snapshot): string => hash("sha256", canonicalize(snapshot as unknown as Json, "doubles"), "base64url");
