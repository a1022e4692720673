/** Where a value of a data class stands in a text, in UTF-16 offsets; `end` is past its last. */
export interface Span {
  readonly label: string;
  readonly start: number;
  readonly end: number;
}

/** In most texts there is nothing. */
export const noSpans: readonly Span[] = [];

const before = 56;

/** The words around a place: its field's name and what stands shortly before and after it, lower case. */
export const around = (text: string, context: string, start: number, end: number): string =>
  `${context} ${text.slice(Math.max(0, start - before), start)} ${text.slice(end, end + 16)}`.toLowerCase();
