import type { ToolDefinition } from "@lanyard/contract";
import { canonicalize } from "@lanyard/ledger";
import { unseen, visible } from "../../base/visible.ts";

/**
 * What is pinned of a tool's definition: all of it but `_meta`, which the protocol keeps for its own bookkeeping and which may differ from one
 * list to the next. Title, icons and keys no standard knows yet are in: whatever a model or a person is shown may mislead.
 * RFC 8785 bytes; throws what cannot be pinned (a lone surrogate, too deep).
 */
export function pinnedBytes(definition: ToolDefinition): Uint8Array {
  const { _meta, ...pinned } = definition;
  return new TextEncoder().encode(canonicalize(pinned, "doubles"));
}

/** A definition as lines a person can read and a diff can compare; what cannot be seen is spelled out. */
export function readable(definition: ToolDefinition | null): string[] {
  if (definition === null) return [];
  const { name, title, description, inputSchema, outputSchema, annotations, _meta, ...rest } = definition;
  const block = (label: string, value: unknown): string[] => {
    if (value === undefined) return [];
    const text = typeof value === "string" ? value : JSON.stringify(value, inOrder, 2);
    return [`${label}:`, ...text.split("\n").map((line) => `  ${visible(line)}`)];
  };
  return [
    ...block("name", name),
    ...block("title", title),
    ...block("description", description),
    ...block("inputSchema", inputSchema),
    ...block("outputSchema", outputSchema),
    ...block("annotations", annotations),
    ...Object.keys(rest).sort().flatMap((key) => block(visible(key), rest[key])),
  ];
}

const inOrder = (_: string, value: unknown): unknown =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))) : value;

const suspicious: readonly (readonly [RegExp, string])[] = [
  [unseen, "characters that do not show"],
  [/<\/?(?:important|system|instructions?|secret)\b/i, "markup that addresses a model"],
  [/\b(?:ignore|disregard|forget)\b.{0,40}\b(?:previous|above|prior|all|other)\b/i, "a request to ignore other instructions"],
  [/\b(?:do not|don't|never)\b.{0,40}\b(?:tell|mention|inform|reveal|show)\b/i, "a request to hide something from the user"],
];

/** Hints for the person who reviews a definition. Never a decision: whoever poisons a text can avoid these words. */
export function suspicions(definition: ToolDefinition): string[] {
  const { _meta, ...shown } = definition;
  const texts = strings(shown);
  return suspicious.flatMap(([pattern, what]) => (texts.some((text) => text.replace(/[\n\t]/g, " ").search(pattern) >= 0) ? [what] : []));
}

const strings = (value: unknown): string[] => {
  if (typeof value === "string") return [value];
  return typeof value === "object" && value !== null ? Object.entries(value).flatMap(([key, item]) => [key, ...strings(item)]) : [];
};
