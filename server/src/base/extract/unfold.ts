/** What a text says once encodings are taken off. */
export interface Unfolded {
  readonly text: string;
  /** Taken off to get here, outermost first; empty for the text as it came. `deep` at the end: there are more layers than are looked through. */
  readonly encodings: readonly string[];
}

/** The text itself, then what lies in it behind encodings, one in the other as far as the limits go. */
export const unfold = (text: string): readonly Unfolded[] => [{ text, encodings: [] }];
