import { StringDecoder } from "node:string_decoder";

/** A server-sent event (WHATWG HTML, section 9.2). `data` is null for an event that only carries an id or a retry time. */
export interface SseEvent {
  readonly id?: string;
  readonly data: string | null;
  readonly retryMs?: number;
}

export const writeEvent = ({ id, data, retryMs }: SseEvent): string =>
  `${id === undefined ? "" : `id: ${id}\n`}${retryMs === undefined ? "" : `retry: ${retryMs}\n`}data: ${data ?? ""}\n\n`;

/**
 * Splits a byte stream into events. Throws RangeError as soon as one event is larger than `limitBytes`, so that a server cannot make
 * the reader hold more.
 */
export function eventReader(limitBytes: number, onEvent: (event: SseEvent) => void): (chunk: Buffer) => void {
  const decoder = new StringDecoder("utf8");
  let parts: string[] = [];
  let held = 0;
  let data: string[] = [];
  let gathered = 0;
  let id: string | undefined;
  let retryMs: number | undefined;

  const line = (text: string) => {
    if (text === "") {
      if (data.length > 0 || id !== undefined || retryMs !== undefined) {
        onEvent({ data: data.length > 0 ? data.join("\n") : null, ...(id !== undefined && { id }), ...(retryMs !== undefined && { retryMs }) });
      }
      data = [];
      gathered = 0;
      id = undefined;
      retryMs = undefined;
      return;
    }
    const colon = text.indexOf(":");
    const field = colon === -1 ? text : text.slice(0, colon);
    const value = colon === -1 ? "" : text.slice(text[colon + 1] === " " ? colon + 2 : colon + 1);
    if (field === "data") {
      data.push(value);
      gathered += value.length + 1; // An empty line of data is held too.
    } else if (field === "id" && !value.includes("\0")) id = value;
    else if (field === "retry" && /^\d{1,9}$/.test(value)) retryMs = Number(value);
  };

  return (chunk) => {
    const text = decoder.write(chunk);
    held += text.length;
    parts.push(text);
    if (held > limitBytes) throw new RangeError(`an event of the stream is over ${limitBytes} bytes`);
    if (!/[\r\n]/.test(text)) return;
    // A lone CR at the very end may be the first half of CRLF: wait for the next chunk.
    const lines = parts.join("").split(/\r\n|\n|\r(?!$)/);
    const rest = lines.pop() ?? "";
    for (const one of lines) line(one);
    parts = [rest];
    held = rest.length + gathered;
  };
}
