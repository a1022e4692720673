import { createHash } from "node:crypto";
import { Fault, isObject, parseJson, type Json, type JsonObject } from "@lanyard/contract";
import type { ArgumentRead } from "./decide/reads.ts";
import type { PolicyFile } from "./author/split.ts";
import type { ActionShape, CedarSchema } from "./schema/schema.ts";
import type { HistoryLeaf } from "./temporal/leaf.ts";

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

/** `@severity`: for readers and reports; empty when the author gave none. */
export type Severity = "" | "low" | "medium" | "high" | "critical";

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
  readonly severity: Severity;
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
  /** Its text as Cedar reads it, and its questions to history, by name; absent where it has none: then Cedar reads `text`. */
  readonly cedar?: string;
  readonly leaves?: readonly HistoryLeaf[];
  readonly head: { readonly principal: Scope; readonly action: Scope; readonly resource: Scope };
}

/** All that decides, beside the input: immutable, content-addressed, complete. */
export interface Bundle {
  readonly v: 3;
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

/** A bundle's bytes, read line by line as they are needed. */
export interface BundleLines {
  readonly bytes: Uint8Array;
  /** Names of all actions, sorted. */
  readonly actions: readonly string[];
  /** How many policies there are. */
  readonly policies: number;
  /** One action; `at` as in `actions`. */
  action(at: number): ActionShape;
  /** One policy; `at` counts from 0, in order of ids. */
  policy(at: number): Policy;
  /** The bytes of these actions, of these policies: from `at`, so many. */
  actionBytes(at: number, count: number): Uint8Array;
  policyBytes(at: number, count: number): Uint8Array;
  /** Reads all of it. */
  whole(): Bundle;
}

/**
 * The bytes of a bundle and their address (base64url SHA-256): a line of JSON with sorted keys that tells what follows, one for the
 * schema, one for every action, every policy and every file of cases. Lines, so that a thread that decides can read a large bundle in
 * slices, and find what two bundles share without reading it.
 */
export const encodeBundle = ({ v, engine, policies, actions, schema, tests }: Bundle): { bytes: Uint8Array; hash: string } => {
  const head = sortedJson({ v, engine, policies: policies.length, actions: actions.map(({ name }) => name), tests: tests.length });
  const lines = [head, knownJson(schema), ...actions.map(knownJson), ...policies.map(policyLine), ...tests.map((test) => sortedJson({ ...test }))];
  const bytes = new TextEncoder().encode(`${lines.join("\n")}\n`);
  return { bytes, hash: addressOf(bytes) };
};

/** The JSON of what the compiler keeps from one compilation to the next. */
const known = new WeakMap<object, string>();
const knownJson = (value: object): string => {
  const before = known.get(value);
  if (before !== undefined) return before;
  const json = sortedJson(value as unknown as Json);
  known.set(value, json);
  return json;
};

const policyLine = ({ conditions, reads, head, ...rest }: Policy): string => {
  const parts: Record<string, string> = { conditions: knownJson(conditions), reads: knownJson(reads), head: knownJson(head) };
  for (const [key, value] of Object.entries(rest)) if (value !== undefined) parts[key] = sortedJson(value as Json);
  return `{${Object.keys(parts).sort().map((key) => `"${key}":${parts[key]}`).join(",")}}`;
};

export const addressOf = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("base64url");

/** As {@link addressOf}, so many bytes at a time with `breathe` awaited between them. */
export const addressOfSlices = async (bytes: Uint8Array, size: number, breathe: () => Promise<void>): Promise<string> => {
  const sum = createHash("sha256");
  for (let at = 0; at < bytes.length; at += size) {
    sum.update(bytes.subarray(at, at + size));
    await breathe();
  }
  return sum.digest("base64url");
};

const unreadable = (why: string, cause?: unknown): Fault => new Fault("invalid_config", `cannot read a policy bundle: ${why}`, { cause });

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Opens a bundle without reading its policies. Throws Fault `invalid_config` when the bytes are no bundle of a version this code knows; so do its methods. */
export const readBundle = (bytes: Uint8Array): BundleLines => {
  const scan = new Scan(bytes);
  while (scan.go(Infinity));
  return readLines(bytes, scan.starts());
};

/** As {@link readBundle}, so many bytes at a time with `breathe` awaited between them. */
export const readBundleSlices = async (bytes: Uint8Array, size: number, breathe: () => Promise<void>): Promise<BundleLines> => {
  const scan = new Scan(bytes);
  while (scan.go(size)) await breathe();
  return readLines(bytes, scan.starts());
};

const readLines = (bytes: Uint8Array, starts: Uint32Array): BundleLines => {
  const lines = (from: number, count: number): Uint8Array => bytes.subarray(starts[from], (starts[from + count] ?? 1) - 1);
  const parse = (at: number): unknown => {
    try {
      return parseJson(utf8.decode(lines(at, 1)));
    } catch (cause) {
      throw unreadable("it is not JSON", cause);
    }
  };
  const head = parse(0);
  if (!isObject(head) || head["v"] !== 3 || !Array.isArray(head["actions"])) throw unreadable("this version of Lanyard does not know its form");
  const actions = head["actions"].map(String);
  const [policies, tests] = [Number(head["policies"]), Number(head["tests"])];
  const [firstPolicy, firstTest] = [2 + actions.length, 2 + actions.length + policies];
  if (firstTest + tests !== starts.length - 1 || bytes.at(-1) !== newline) throw unreadable("it is cut off");
  const range = <T>(from: number, count: number): T[] => Array.from({ length: count }, (_, index) => parse(from + index) as T);
  return {
    bytes,
    actions,
    policies,
    action: (at) => parse(2 + at) as ActionShape,
    policy: (at) => parse(firstPolicy + at) as Policy,
    actionBytes: (at, count) => lines(2 + at, count),
    policyBytes: (at, count) => lines(firstPolicy + at, count),
    whole: () => ({
      v: 3,
      engine: String(head["engine"]),
      actions: range(2, actions.length),
      schema: parse(1) as CedarSchema,
      policies: range(firstPolicy, policies),
      tests: range(firstTest, tests),
    }),
  };
};

/** The policy of this id; null when there is none. Reads a few lines, however many there are. */
export const findPolicy = (lines: BundleLines, id: string): Policy | null => {
  let [low, high] = [0, lines.policies - 1];
  while (low <= high) {
    const middle = (low + high) >> 1;
    const policy = lines.policy(middle);
    if (policy.id === id) return policy;
    if (policy.id < id) low = middle + 1;
    else high = middle - 1;
  }
  return null;
};

/** Finds policies in the bytes of a bundle by their ids; null when there is none of that id. Throws as {@link readBundle} does. */
export const policiesIn = (bytes: Uint8Array): ((id: string) => Policy | null) => {
  const lines = readBundle(bytes);
  return (id) => findPolicy(lines, id);
};

const newline = 0x0a;

/** Finds where each line begins. */
class Scan {
  readonly #bytes: Uint8Array;
  #starts = new Uint32Array(1024);
  #lines = 0;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Goes on for about so many bytes; false when there are no more. */
  go(size: number): boolean {
    const bytes = this.#bytes;
    for (const stop = this.#at + size; this.#at < bytes.length && this.#at < stop; ) {
      this.#push(this.#at);
      const end = bytes.indexOf(newline, this.#at);
      this.#at = end < 0 ? bytes.length : end + 1;
    }
    return this.#at < bytes.length;
  }

  /** The beginning of each line, and where the line after the last one would begin. */
  starts(): Uint32Array {
    this.#push(this.#bytes.at(-1) === newline ? this.#bytes.length : this.#bytes.length + 1);
    return this.#starts.slice(0, this.#lines);
  }

  #push(at: number): void {
    if (this.#lines === this.#starts.length) {
      const larger = new Uint32Array(this.#lines * 2);
      larger.set(this.#starts);
      this.#starts = larger;
    }
    this.#starts[this.#lines++] = at;
  }
}

/** Whether two stretches of bytes are the same. */
export const equalBytes = (left: Uint8Array, right: Uint8Array): boolean => left.length === right.length && Buffer.compare(left, right) === 0;

/** Reads a whole bundle back. Throws as {@link readBundle} does. */
export const decodeBundle = (bytes: Uint8Array): Bundle => readBundle(bytes).whole();

/** JSON with the keys of every object in order of their UTF-16 units, so that equal values have equal bytes. */
export const sortedJson = (value: Json): string => {
  if (Array.isArray(value)) return `[${value.map(sortedJson).join(",")}]`;
  if (!isObject(value)) return JSON.stringify(value);
  const entries: [string, Json | undefined][] = Object.entries(value as JsonObject);
  const kept = entries.filter((entry): entry is [string, Json] => entry[1] !== undefined).sort(([left], [right]) => (left < right ? -1 : 1));
  return `{${kept.map(([key, item]) => `${JSON.stringify(key)}:${sortedJson(item)}`).join(",")}}`;
};

