/** A file of policies as read from the folder; `file` is its name as the author knows it. */
export interface PolicyFile {
  readonly file: string;
  readonly text: string;
}

/** A position in a file: line and column count from 1, columns in characters (code points). */
export interface SourcePlace {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** The text of one policy and where in its file it begins (UTF-16 offset). */
export interface Chunk {
  readonly file: PolicyFile;
  readonly offset: number;
  readonly text: string;
  /** Offset in `text` of the word `permit` or `forbid`; -1 when there is none. */
  readonly keyword: number;
}

// Where something begins that may hide a semicolon, name an annotation, or be a word. All else is passed over.
const landmark = /\/\/|"|@|;|[A-Za-z_]\w*|[^\s\uFEFF]/g;
const lineEnd = /\n|$/g;
const quotedRest = /(?:[^"\\]|\\[\s\S])*"?/y; // a text that is not closed hides the rest of the file
const annotationRest = /\s*[A-Za-z_]\w*/y;

const endOf = (pattern: RegExp, text: string, from: number): number | null => {
  pattern.lastIndex = from;
  return pattern.test(text) ? pattern.lastIndex : null;
};

/**
 * Cuts a file into its policies at the semicolons that end them, without parsing, so that an error in one policy leaves the places
 * of the others right. White space and comments before a policy are not part of it.
 */
export const splitPolicies = (file: PolicyFile): Chunk[] => {
  const { text } = file;
  const chunks: Chunk[] = [];
  let start = -1;
  let keyword = -1;
  const close = (end: number): void => {
    if (start >= 0) chunks.push({ file, offset: start, text: text.slice(start, end), keyword: keyword < 0 ? -1 : keyword - start });
    start = keyword = -1;
  };
  for (let at = 0; at < text.length; ) {
    landmark.lastIndex = at;
    const found = landmark.exec(text);
    if (found === null) break;
    const [mark] = found;
    at = landmark.lastIndex;
    if (mark === "//") {
      at = endOf(lineEnd, text, at) ?? text.length;
      continue;
    }
    if (start < 0) start = found.index;
    if (mark === ";") close(at);
    else if (mark === '"') at = endOf(quotedRest, text, at) ?? at;
    else if (mark === "@") at = endOf(annotationRest, text, at) ?? at;
    else if (keyword < 0 && (mark === "permit" || mark === "forbid")) keyword = found.index;
  }
  close(text.trimEnd().length);
  return chunks;
};

/** The UTF-16 offset of a UTF-8 byte offset: cedar counts bytes. */
export const offsetOfBytes = (text: string, bytes: number): number => new TextDecoder().decode(new TextEncoder().encode(text).subarray(0, bytes)).length;

/** Offsets at which the lines of a file begin. */
const lineStarts = new WeakMap<PolicyFile, readonly number[]>();
const startsOf = (file: PolicyFile): readonly number[] => {
  const known = lineStarts.get(file);
  if (known !== undefined) return known;
  const starts = [0];
  for (let at = file.text.indexOf("\n"); at >= 0; at = file.text.indexOf("\n", at + 1)) starts.push(at + 1);
  lineStarts.set(file, starts);
  return starts;
};

/** Line and column of an offset into a file. */
export const placeAt = (file: PolicyFile, offset: number): SourcePlace => {
  const at = Math.min(offset, file.text.length);
  const starts = startsOf(file);
  let [low, high] = [0, starts.length - 1];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((starts[middle] ?? 0) <= at) low = middle;
    else high = middle - 1;
  }
  return { file: file.file, line: low + 1, column: charactersIn(file.text, starts[low] ?? 0, at) + 1 };
};

/** Code points between two offsets: a line can be as long as the file, so nothing is copied. */
const charactersIn = (text: string, from: number, to: number): number => {
  let count = 0;
  for (let at = from; at < to; count += 1) at += (text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1;
  return count;
};

/** The line at an offset with carets under the `length` characters at fault. */
export const excerptAt = (file: PolicyFile, offset: number, length: number): string => {
  const at = Math.min(offset, file.text.length);
  const start = at === 0 ? 0 : file.text.lastIndexOf("\n", at - 1) + 1;
  const end = file.text.indexOf("\n", at) < 0 ? file.text.length : file.text.indexOf("\n", at);
  // A long line is shown from shortly before the fault; tabs keep their width under it.
  const from = Math.max(start, at - 100);
  const line = file.text.slice(from, Math.min(end, at + 100)).replace(/\r$/, "");
  const indent = [...file.text.slice(from, at)].map((character) => (character === "\t" ? "\t" : " ")).join("");
  return `${line}\n${indent}${"^".repeat(Math.max(1, Math.min(length, end - at, 100)))}`;
};
