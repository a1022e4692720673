import { createHash } from "node:crypto";
import { Fault, isObject, parseJson, type Json } from "@lanyard/contract";
import type { PolicyFile } from "@lanyard/policy";

/** Where an edition stands: it decides, it decides beside without effect, or it decides for a share of the sessions. */
export type Post = "active" | "shadow" | "canary";

export const posts: readonly Post[] = ["active", "canary", "shadow"];

/** Policies as their authors wrote them; `version` is null for the live folder. Immutable: its digest is taken once. */
export interface Edition {
  readonly version: number | null;
  readonly policies: readonly PolicyFile[];
  readonly tests: readonly PolicyFile[];
}

/** What a canary decides for, and how far it may be from the live side before it is taken back. */
export interface CanaryTerms {
  /** Share of the sessions, above 0 to 1. */
  readonly share: number;
  readonly bands: {
    /** Largest difference of the shares of calls denied, 0..1, in either direction: denying much less is no better sign than denying more. */
    readonly denyRate: number;
    /** How much larger the share of decisions in which a policy failed may be, 0..1. */
    readonly errorRate: number;
    /** How much later than the live side's the 99th percentile of deciding may be, microseconds. */
    readonly latencyP99Us: number;
  };
  /** Decisions on each side before the bands are looked at. */
  readonly minimum: number;
}

const digests = new WeakMap<Edition, string>();

/** What tells one edition's sources from another's, whatever version they have: base64url SHA-256. */
export const digestOf = (edition: Edition): string => {
  const known = digests.get(edition);
  if (known !== undefined) return known;
  const hash = createHash("sha256");
  for (const files of [edition.policies, edition.tests]) {
    hash.update(`${files.length}\n`);
    for (const { file, text } of files) hash.update(`${JSON.stringify(file)} ${text.length}\n`).update(text, "utf8");
  }
  const digest = hash.digest("base64url");
  digests.set(edition, digest);
  return digest;
};

/** An edition's sources as bytes to keep under their address; the version is not among them. */
export const encodeEdition = ({ policies, tests }: Edition): Uint8Array => {
  const plain = (files: readonly PolicyFile[]): PolicyFile[] => files.map(({ file, text }) => ({ file, text })).sort((left, right) => (left.file < right.file ? -1 : 1));
  return Buffer.from(JSON.stringify({ v: 1, policies: plain(policies), tests: plain(tests) }));
};

/** Reads sources back. Throws Fault `invalid_config` when the bytes are not what {@link encodeEdition} made. */
export const decodeEdition = (bytes: Uint8Array, version: number): Edition => {
  let value: unknown;
  try {
    value = parseJson(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new Fault("invalid_config", `cannot read the policies of version ${version}: they are not JSON`, { cause });
  }
  if (!isObject(value) || value["v"] !== 1 || !areFiles(value["policies"]) || !areFiles(value["tests"])) {
    throw new Fault("invalid_config", `cannot read the policies of version ${version}: this version of Lanyard does not know their form`);
  }
  return { version, policies: value["policies"], tests: value["tests"] };
};

const areFiles = (value: Json | undefined): value is Json & PolicyFile[] =>
  Array.isArray(value) && value.every((file) => isObject(file) && typeof file["file"] === "string" && typeof file["text"] === "string");
