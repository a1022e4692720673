import type { JsonObject, NoticeKind } from "@lanyard/contract";

/** A message to people, before anybody knows by what channel it travels. Its texts may hold words of an agent: each channel escapes them in its own form. */
export interface Notice {
  /** Idempotency key: the same over all attempts and channels. 1 to 128 characters. */
  readonly id: string;
  readonly kind: NoticeKind;
  readonly severity: "info" | "warning" | "critical";
  /** What it is about: later notices with the same words speak of the same thing, as `resolved` does. 1 to 128 characters. */
  readonly dedup: string;
  /** One line. */
  readonly title: string;
  /** What happened, a sentence a line. */
  readonly lines: readonly string[];
  /** Values may have several lines. */
  readonly fields: readonly (readonly [name: string, value: string])[];
  /** Exact and ready to be run. */
  readonly commands: readonly string[];
  readonly link: string | null;
  /** For programs: the same, structured. */
  readonly data: JsonObject;
  /** Opaque values that come back when somebody presses a button, on surfaces that have some. */
  readonly answers?: { readonly approve: string; readonly deny: string };
  /** E-mail addresses instead of the channel's own. */
  readonly to?: readonly string[];
  /** Of no use after this; default: the limit notice_ms after it was posted. Milliseconds since the epoch. */
  readonly untilMs?: number;
  /** The data subject under whose key it is kept while it waits, such as `user:ana`; default `lanyard`. */
  readonly about?: string;
}

/** What takes messages to people and does not lose them. */
export interface Outbox extends AsyncDisposable {
  /**
   * Resolves once the notice is durable. It is then delivered at least once, with the same id each time, or given up after its time with
   * `notice.fail`. Posting an id again to the same channel does nothing. Throws Fault `not_found` (no such channel), `limit_exceeded`, `invalid_request`,
   * `ledger_unavailable`.
   */
  post(channel: string, notice: Notice): Promise<void>;
}
