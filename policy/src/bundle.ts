import { createHash } from "node:crypto";
import { Fault, isObject, type Json, type JsonObject } from "@lanyard/contract";
import type { ArgumentRead } from "./decide/reads.ts";
import type { PolicyFile } from "./author/split.ts";
import type { ActionShape, CedarSchema } from "./schema/schema.ts";

/** A reference to an entity, as Cedar's JSON form has it. */
export interface EntityRef {
  readonly type: string;
  readonly id: string;
}

/** One part of a policy's head: what it says of the principal, the action or the resource. */
export type Scope =
  | { readonly op: "All" }
  | { readonly op: "=="; readonly entity: EntityRef }
  | { readonly op: "in"; readonly entity: EntityRef }
  | { readonly op: "in"; readonly entities: readonly EntityRef[] }
  | { readonly op: "is"; readonly entity_type: string; readonly in?: { readonly entity: EntityRef } };

/** A clause of a policy; `body` is an expression of Cedar's JSON policy format. */
export interface Condition {
  readonly kind: "when" | "unless";
  readonly body: Json;
}

/** A policy as its author wrote it, with what was learned when it was compiled. */
export interface Policy {
  readonly id: string;
  readonly effect: "permit" | "forbid";
  /** The team that owns it; empty for the organisation's own (the org tier), which no team can touch or lift. */
  readonly team: string;
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly text: string;
  /** Offset in `text` of its `permit` or `forbid`. */
  readonly keyword: number;
  /** `@reason`; empty when there is none. */
  readonly reason: string;
  /** `@remedy`; empty when there is none. */
  readonly remedy: string;
  /** Groups whose approval lifts it, sorted; from `@remedy`. */
  readonly approvers: readonly string[];
  /** True when it has neither `when` nor `unless`: its head decides. */
  readonly unconditional: boolean;
  /** The arguments its conditions speak about. */
  readonly reads: readonly ArgumentRead[];
  /** Its clauses in Cedar's JSON form (EST): all must hold, a `when` by being true, an `unless` by being false. */
  readonly conditions: readonly Condition[];
  readonly head: { readonly principal: Scope; readonly action: Scope; readonly resource: Scope };
}

/** All that decides, beside the input: immutable, content-addressed, complete. */
export interface Bundle {
  readonly v: 2;
  /** What evaluates and combines, with its version. */
  readonly engine: string;
  /** Sorted by id. */
  readonly policies: readonly Policy[];
  /** Sorted by name. */
  readonly actions: readonly ActionShape[];
  readonly schema: CedarSchema;
  /** Files of cases (YAML) that the policies were published with, sorted by name. */
  readonly tests: readonly PolicyFile[];
}

/** The bytes of a bundle (JSON with sorted keys) and their address: base64url SHA-256. */
export const encodeBundle = (bundle: Bundle): { bytes: Uint8Array; hash: string } => {
  const bytes = new TextEncoder().encode(sortedJson(bundle as unknown as Json));
  return { bytes, hash: addressOf(bytes) };
};

export const addressOf = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("base64url");

/** Reads a bundle back. Throws Fault `invalid_config` when the bytes are no bundle of a version this code knows. */
export const decodeBundle = (bytes: Uint8Array): Bundle => {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new Fault("invalid_config", "cannot read a policy bundle: it is not JSON", { cause });
  }
  if (!isObject(value) || value["v"] !== 2 || !Array.isArray(value["policies"]) || !Array.isArray(value["actions"])) {
    throw new Fault("invalid_config", "cannot read a policy bundle: this version of Lanyard does not know its form");
  }
  return value as unknown as Bundle;
};

/** JSON with the keys of every object in order of their UTF-16 units, so that equal values have equal bytes. */
export const sortedJson = (value: Json): string => {
  if (Array.isArray(value)) return `[${value.map(sortedJson).join(",")}]`;
  if (!isObject(value)) return JSON.stringify(value);
  const entries: [string, Json | undefined][] = Object.entries(value as JsonObject);
  const kept = entries.filter((entry): entry is [string, Json] => entry[1] !== undefined).sort(([left], [right]) => (left < right ? -1 : 1));
  return `{${kept.map(([key, item]) => `${JSON.stringify(key)}:${sortedJson(item)}`).join(",")}}`;
};

