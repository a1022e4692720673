import type { Readable } from "node:stream";

/**
 * Calls back for each non-empty line of a byte stream, without its newline. A line over the limit ends the reading: what is left is
 * dropped unread, since nothing after a broken frame can be told apart.
 */
export function readLines(stream: Readable, limitBytes: number, onLine: (line: Buffer) => void, onOverflow: () => void): void {
  let parts: Buffer[] = [];
  let held = 0;
  const read = (chunk: Buffer) => {
    let from = 0;
    for (let at = chunk.indexOf(10); at !== -1; at = chunk.indexOf(10, from)) {
      const piece = chunk.subarray(from, at);
      const line = parts.length === 0 ? piece : Buffer.concat([...parts, piece]);
      parts = [];
      held = 0;
      from = at + 1;
      if (line.length > limitBytes) return stop();
      if (line.length > 1 || (line.length === 1 && line[0] !== 13)) onLine(line);
    }
    if (from === chunk.length) return;
    parts.push(chunk.subarray(from));
    held += chunk.length - from;
    if (held > limitBytes) stop();
  };
  const stop = () => {
    parts = [];
    stream.off("data", read).resume();
    onOverflow();
  };
  stream.on("data", read);
}
