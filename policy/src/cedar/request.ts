import type { EntityUid, RecordValue, Value } from "./value.ts";

/** What is known of an entity. */
export interface Entity {
  readonly uid: EntityUid;
  readonly attributes: RecordValue;
  readonly tags: RecordValue;
  /** True when the entity lies below `ancestor`, however far; never asked of the entity itself. */
  within(ancestor: EntityUid): boolean;
}

/** What is asked, as policies see it. */
export interface EvaluationRequest {
  readonly principal: EntityUid;
  readonly action: EntityUid;
  readonly resource: EntityUid;
  readonly context: RecordValue;
  /** The entity of this name; undefined when nothing is known of it: it then lies below nothing, and reading an attribute is an error. */
  find(uid: EntityUid): Entity | undefined;
}

/** An expression made ready. Throws an {@link EvaluationFault} where Cedar's evaluation errs, and nothing else. */
export type Evaluate = (request: EvaluationRequest) => Value;

/** A policy or a clause made ready: true when it holds. Throws as {@link Evaluate}. */
export type Test = (request: EvaluationRequest) => boolean;

/** Evaluation erred, with the words Cedar has for it. No Error: it has no stack, because it is a result and not a bug. */
export class EvaluationFault {
  readonly message: string;
  constructor(message: string) {
    this.message = message;
  }
}
