/** Any JSON value as RFC 8259 has it, already parsed. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** A JSON object: what tool arguments, parameters and results are. */
export type JsonObject = { [key: string]: Json };

/** True for a plain JSON object: not null, not an array. */
export const isObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);
