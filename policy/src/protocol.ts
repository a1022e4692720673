import type { Compiled } from "./compile.ts";

// What the engine and its worker say to each other. Inputs and decisions travel as JSON text: one string crosses threads faster than
// an object of a hundred values, and what arrives is what a record would hold.

/** To the worker, kept in order. */
export type Order =
  | { readonly kind: "load"; readonly hash: string; readonly bytes: Uint8Array }
  | { readonly kind: "drop"; readonly hash: string }
  | { readonly kind: "decide"; readonly questions: readonly Question[] };

export interface Question {
  readonly bundle: string;
  /** A DecisionInput as JSON. */
  readonly input: string;
}

/** From the worker: answers to the oldest open questions, in order. `broken`: the last answer failed in the engine, the worker is used up. */
export interface Answers {
  /** Decisions as JSON. */
  readonly decisions: readonly string[];
  readonly broken: string | null;
}

/** From the compiling thread, for the one source it was sent: a result, or the text of the Fault `invalid_config` that was thrown. */
export type CompileAnswer = { readonly compiled: Compiled } | { readonly failed: string };
