import { createHash } from "node:crypto";
import { Fault, type JsonObject } from "@lanyard/contract";
import { teamOf } from "@lanyard/policy";
import type { StateChange, Store } from "../../base/store/port.ts";
import { decodeEdition, type Edition } from "./edition.ts";

/** The first line of the signed note about a version. */
const kind = "lanyard policy version/v1";

/** What is signed when a version is published. Everything else about it is reached through the addresses in it. */
export interface VersionStatement {
  /** Counts from 1. */
  readonly version: number;
  /** The version it was made from; 0 for none. */
  readonly base: number;
  /** As the ledger names actors: `user:ana`. */
  readonly author: string;
  readonly at_ms: number;
  /** The author's words; may be empty. */
  readonly note: string;
  /** Address of the files: policies and cases. */
  readonly source: string;
  /** Address of the bundle they made when they were published. */
  readonly bundle: string;
  /** Names the organisation's policies in it: {@link orgTierOf}. */
  readonly org: string;
  /** Address of the bundle in force that it was compared with; null when nothing was in force. */
  readonly against: string | null;
  /** Whether it allows, in the organisation's tier, what those in force at that time did not; then it needs a second person. */
  readonly loosens: boolean;
  /** Why it is taken to loosen, for people to read. */
  readonly why: readonly string[];
}

/** A second person's yes. It holds while the organisation's policies in force are those it was given over. */
export interface SecondPerson {
  readonly by: string;
  readonly atMs: number;
  /** {@link orgTierOf} what was in force, or the bundle of a live folder; null when nothing was. */
  readonly over: string | null;
}

/** A version as it lies in the store, its signature and addresses checked. */
export interface PublishedVersion {
  readonly statement: VersionStatement;
  /** The signed note itself, and its address. */
  readonly note: string;
  readonly address: string;
  readonly approved: SecondPerson | null;
}

/** Names the organisation's policies among these files: base64url SHA-256 of their names and texts. */
export const orgTierOf = ({ policies }: Pick<Edition, "policies">): string => {
  const files = policies.filter(({ file }) => teamOf(file) === "").map(({ file, text }) => [file, text]);
  return createHash("sha256").update(JSON.stringify(files.sort(([left = ""], [right = ""]) => (left < right ? -1 : 1)))).digest("base64url");
};

/** Signs a statement and keeps the note. Throws Fault `ledger_unavailable`. */
export const signVersion = (store: Store, statement: VersionStatement): PublishedVersion => {
  const note = store.notary.vouch(kind, statement as unknown as JsonObject);
  return { statement, note, address: store.putObject(Buffer.from(note)), approved: null };
};

/** The state document of a version, to be changed together with the record that says so. */
export const versionState = ({ statement, address, approved }: PublishedVersion): StateChange => ({
  kind: "release",
  key: String(statement.version),
  value: { statement: address, org: statement.org, approved: approved && { by: approved.by, at_ms: approved.atMs, over: approved.over } },
});

/** Numbers of all versions, ascending. */
export const versionNumbers = (store: Store): number[] => store.list("release").map(({ key }) => Number(key)).sort((left, right) => left - right);

const changed = (version: number, what: string): never => {
  throw new Fault("internal", `version ${version} cannot be used: ${what}; \`lanyard audit verify\` says what was changed`);
};

/**
 * Reads a version, and believes nothing on disk: the ledger vouches for the address of its note, the address for the note's bytes, and
 * the note is signed. Throws Fault `not_found`, and `internal` when what lies there is not what was published.
 */
export const readVersion = (store: Store, version: number): PublishedVersion => {
  const document = store.get("release", String(version));
  if (document === null) throw new Fault("not_found", `no version \`${version}\` of the policies was published; \`lanyard policy history\` lists them`);
  const address = String(document["statement"]);
  const bytes = store.getObject(address);
  if (bytes === null) return changed(version, "its signed statement is missing or was changed on disk");
  const note = Buffer.from(bytes).toString("utf8");
  const statement = store.notary.vouched(kind, note) as unknown as VersionStatement | null;
  if (statement?.version !== version) return changed(version, "its statement is not signed by this ledger's key");
  const given = document["approved"] as { by: string; at_ms: number; over: string | null } | null;
  return { statement, note, address, approved: given && { by: given.by, atMs: given.at_ms, over: given.over } };
};

/** The files of a version. Throws as {@link readVersion}. */
export const readEdition = (store: Store, { statement: { version, source } }: PublishedVersion): Edition => {
  const bytes = store.getObject(source);
  return bytes === null ? changed(version, "its files are missing or were changed on disk") : decodeEdition(bytes, version);
};
