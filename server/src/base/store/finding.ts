/** One thing that is not as the ledger says. */
export interface Finding {
  /** The record concerned; null when it is none in particular. */
  readonly seq: number | null;
  /** What is wrong, in a sentence. */
  readonly what: string;
  readonly expected?: string;
  readonly found?: string;
}

/** Where findings go. */
export type Report = (finding: Finding) => void;
