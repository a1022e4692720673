import type { Json, Reversibility } from "@lanyard/contract";
import type { DialectName } from "./sql-statement.ts";

// What a tool's contract says of taking its calls back: `undo:` of a tool in lanyard.yaml, or of a ready contract. Data, no code.

/**
 * JSON in which an object with a key that begins with `$` is worked out, see mapping.ts: `{ $: /args/path }` is what the pointer leads to. Roots:
 * `/args` (of the action, as carried out), `/before/<name>` (`there`, and `value` when it is), `/result` (what came back; null when nothing did),
 * `/after/<name>` (as `/before`, right after the action), `/root` (folder of the server's files), and where they are spoken of `/answer`,
 * `/item`, `/later`.
 */
export type UndoTemplate = Json;

/** Holds or not, of a value: `at` is a pointer or a template; what is not there, or cannot be worked out, fulfils nothing but `there: false`. */
export type UndoCondition =
  | { readonly not: UndoCondition }
  | { readonly any: readonly UndoCondition[] }
  | { readonly at: UndoTemplate; readonly is: UndoTemplate }
  | { readonly at: UndoTemplate; readonly in: readonly Json[] }
  /** `*` stands for any text, also none; `\*` for a star. */
  | { readonly at: UndoTemplate; readonly like: string }
  | { readonly at: UndoTemplate; readonly there: boolean }
  /** It is SQL, every statement of it is of one of these kinds (see sql.ts), and all SQL dialects read it alike. */
  | { readonly at: UndoTemplate; readonly sql: readonly string[] }
  /** It is SQL that changes something on this database, and a reading `rows` can be made of it as far as the text tells (see sql-statement.ts). */
  | { readonly at: UndoTemplate; readonly rows: DialectName };

/** How something is read, without changing it. */
export interface StateReading {
  /** A tool of the same server; the call must itself be of the class `read`. Null: `files` are read. */
  readonly tool: string | null;
  readonly args: UndoTemplate;
  /**
   * Files and folders of this machine, below the server's `root`: a list of `{path, deep, way, must, except}` (see files/files.ts), paths absolute.
   * Read by the daemon itself, following no link, with contents, owners and permissions. Null: `tool` is called.
   */
  readonly files: UndoTemplate | null;
  /** `tool` takes SQL as `sql`: what the text `of` touches in the database is asked by queries of Lanyard's own. Null: `tool` is called with `args`. */
  readonly rows: { readonly of: UndoTemplate; readonly on: DialectName } | null;
  /** What of the answer counts: kept, and compared. `/answer` is the tool's result; of the web `{status, headers, body, json}`. */
  readonly keep: UndoTemplate;
  /** When any holds of `/answer`, there is no such thing; an error that is none of these is a failed reading. */
  readonly absent: readonly UndoCondition[];
  /** Not read before the action, for the action makes it: there was nothing. Its arguments may then name `/result`. */
  readonly made: boolean;
}

/** One call that takes back. */
export interface InverseCall {
  readonly when: readonly UndoCondition[];
  /** Of the same server; decided by policy and recorded like any call. Null: `restore` is carried out. */
  readonly tool: string | null;
  readonly args: UndoTemplate;
  /** Once for each item of this list, as `/item`; null: once. */
  readonly each: UndoTemplate | null;
  /**
   * Name of a state that was read with `files` or `rows`: what the action changed of it is put back. Files by the daemon itself, as the action
   * `<server>/mcp:lanyard/restore`; rows by calls of their `tool`. Null: `tool` is called.
   */
  readonly restore: string | null;
}

/** An event after which it is too late. */
export type Gate = { readonly says: string; readonly when: readonly UndoCondition[] } & (
  | { /** A later action of this name, by whomever, that was or may have been carried out; `/later` has its arguments. */ readonly after: string }
  | { /** What this reading finds; one that fails closes the gate. */ readonly read: StateReading }
  | { readonly olderThanMs: number }
);

/** What holds of an action whose arguments fulfil `when`. */
export interface UndoCase {
  readonly when: readonly UndoCondition[];
  readonly class: Reversibility;
  /** Read once before the action for what it needs (keys, the name of a savepoint), in this order; each may use those above it. Not compared. */
  readonly before: ReadonlyMap<string, StateReading>;
  /** The state: read before the action, right after it, and again when it is taken back. */
  readonly state: ReadonlyMap<string, StateReading>;
  /** What names the state: calls with the same are carried out one after another. Null: server, tools and arguments of its readings. */
  readonly of: UndoTemplate | null;
  /** What the state is after the action if nobody else had a hand in it, by name of the state; empty where that is not known beforehand. */
  readonly expect: ReadonlyMap<string, UndoTemplate>;
  readonly inverse: readonly InverseCall[];
  readonly gates: readonly Gate[];
  /** What stays after it was taken back, in words; empty when nothing does. */
  readonly residue: string;
  /** When the state cannot be read before: `refuse` the action, or `proceed` and do without. Of class `reversible` always `refuse`, for policy counts on it. */
  readonly unread: "refuse" | "proceed";
  /** How long it is held before it is carried out, in which it can be withdrawn; 0: not at all. */
  readonly stageMs: number;
}

/** Of one tool: the first case that fits says; where none does, `otherwise`. */
export interface UndoContract {
  readonly cases: readonly UndoCase[];
  readonly otherwise: Reversibility;
  /** Absolute path that files of readings must lie in; null: this server has none. */
  readonly root: string | null;
}

/** What a server's contract in use adds to every case of a ready one. */
export interface ContractUse {
  readonly use: string;
  readonly root: string | null;
  readonly when: readonly UndoCondition[];
}
