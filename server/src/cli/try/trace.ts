/** A line of a trace: its bytes without the newline, or null when it is longer than the limit. */
export type RawLine = Uint8Array | null;

/**
 * The lines of a byte stream, those that came together at once, so that each can be answered as soon as it is there. Empty lines are in
 * it too, for lines are counted. A line over the limit is dropped up to its end and given as null.
 */
export async function* rawLines(stream: AsyncIterable<Uint8Array>, limitBytes: number): AsyncGenerator<RawLine[]> {
  let parts: Uint8Array[] = [];
  let held = 0;
  const take = (piece: Uint8Array): RawLine => {
    const line = held + piece.length > limitBytes ? null : parts.length === 0 ? piece : Buffer.concat([...parts, piece]);
    parts = [];
    held = 0;
    return line;
  };
  for await (const chunk of stream) {
    const lines: RawLine[] = [];
    let from = 0;
    for (let at = chunk.indexOf(10); at !== -1; at = chunk.indexOf(10, from)) {
      lines.push(take(chunk.subarray(from, at)));
      from = at + 1;
    }
    if (from < chunk.length) {
      held += chunk.length - from;
      if (held <= limitBytes) parts.push(chunk.subarray(from));
      else parts = [];
    }
    if (lines.length > 0) yield lines;
  }
  if (held > 0) yield [take(new Uint8Array())];
}

/** The text of a line; null when it is blank. Throws when the bytes are no UTF-8. */
export const textOf = (bytes: Uint8Array): string | null => {
  const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  return text.trim() === "" ? null : text;
};
