import type { CredentialSource } from "../../../base/config/credentials.ts";
import type { Clock } from "../../../base/clock.ts";
import type { Environment } from "../../../base/config/environment.ts";
import type { Secret } from "../secret.ts";

/** What a source gave. */
export interface Fetched {
  readonly text: string;
  /** Milliseconds since the epoch until which it may be used again without asking; null: not at all. */
  readonly keepUntilMs: number | null;
}

/** What sources may use: never more than the one they are asked for, and the credentials it is made with. */
export interface SourceTools {
  readonly clock: Clock;
  readonly environment: Environment;
  /** The value of another credential. Throws Fault `no_credential`. */
  other(name: string): Promise<Secret>;
}

/**
 * A place where secrets lie: one file a kind. Throws Fault `no_credential` that says what was tried and what to do, without a word of what
 * was read; `name` is the credential's.
 */
export type SecretSource<K extends CredentialSource["kind"]> = (from: Extract<CredentialSource, { kind: K }>, name: string, tools: SourceTools) => Promise<Fetched>;
