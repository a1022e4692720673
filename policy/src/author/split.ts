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

// Cedar's tokens as far as they matter here: what may hide a semicolon, names of annotations, words.
const token = /\/\/[^\n]*|"(?:[^"\\]|\\[\s\S])*"|@\s*[A-Za-z_]\w*|[A-Za-z_]\w*|;|[\s\uFEFF]+|[\s\S]/gu;

/**
 * Cuts a file into its policies at the semicolons that end them, without parsing, so that an error in one policy leaves the places
 * of the others right. White space and comments before a policy are not part of it.
 */
export const splitPolicies = (file: PolicyFile): Chunk[] => {
  const chunks: Chunk[] = [];
  let start = -1;
  let keyword = -1;
  const close = (end: number): void => {
    if (start >= 0) chunks.push({ file, offset: start, text: file.text.slice(start, end), keyword: keyword < 0 ? -1 : keyword - start });
    start = keyword = -1;
  };
  for (const { 0: found, index } of file.text.matchAll(token)) {
    if (found.startsWith("//") || /^[\s\uFEFF]/u.test(found)) continue;
    if (start < 0) start = index;
    if (keyword < 0 && (found === "permit" || found === "forbid")) keyword = index;
    if (found === ";") close(index + 1);
  }
  close(file.text.trimEnd().length);
  return chunks;
};

/** The UTF-16 offset of a UTF-8 byte offset: cedar counts bytes. */
export const offsetOfBytes = (text: string, bytes: number): number => new TextDecoder().decode(new TextEncoder().encode(text).subarray(0, bytes)).length;

/** Line and column of an offset into a file. */
export const placeAt = (file: PolicyFile, offset: number): SourcePlace => {
  const before = file.text.slice(0, Math.min(offset, file.text.length));
  const lineStart = before.lastIndexOf("\n") + 1;
  return { file: file.file, line: before.split("\n").length, column: [...before.slice(lineStart)].length + 1 };
};

/** The line at an offset with carets under the `length` characters at fault. */
export const excerptAt = (file: PolicyFile, offset: number, length: number): string => {
  const at = Math.min(offset, file.text.length);
  const start = file.text.slice(0, at).lastIndexOf("\n") + 1;
  const end = file.text.indexOf("\n", at) < 0 ? file.text.length : file.text.indexOf("\n", at);
  // A long line is shown from shortly before the fault; tabs keep their width under it.
  const from = Math.max(start, at - 100);
  const line = file.text.slice(from, Math.min(end, at + 100)).replace(/\r$/, "");
  const indent = [...file.text.slice(from, at)].map((character) => (character === "\t" ? "\t" : " ")).join("");
  return `${line}\n${indent}${"^".repeat(Math.max(1, Math.min(length, end - at, 100)))}`;
};
