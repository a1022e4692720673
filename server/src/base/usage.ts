import { brotliDecompressSync, constants, gunzipSync, inflateSync, zstdDecompressSync } from "node:zlib";

// How many tokens an API of models says that a call used: OpenAI, Anthropic, Gemini, and those that write as they do.

/** Names of a total, and of the parts of one; of inputs and outputs an API has one each. */
const totals = ["total_tokens", "totalTokenCount", "totalTokens"] as const;
const inputs = ["input_tokens", "prompt_tokens", "promptTokenCount", "inputTokens", "promptTokens"] as const;
const outputs = ["output_tokens", "completion_tokens", "candidatesTokenCount", "outputTokens", "completionTokens"] as const;
const more = ["cache_creation_input_tokens", "cache_read_input_tokens", "thoughtsTokenCount"] as const;

/** Tokens, by a look-up of what a usage says under a name; null when it says nothing of the kind. Never less than its parts together. */
export function tokensBy(of: (name: string) => number | null): number | null {
  const first = (names: readonly string[]): number | null => names.map(of).find((found) => found !== null) ?? null;
  const parts = [first(inputs), first(outputs)];
  const total = first(totals);
  if (total === null && parts.every((part) => part === null)) return null;
  const sum = [...parts, ...(total === null ? more.map(of) : [])].reduce<number>((all, each) => all + (each ?? 0), 0);
  return Math.min(Number.MAX_SAFE_INTEGER, Math.max(total ?? 0, sum));
}

/** Whether a host is known to be an API of models. */
export const isModelHost = (host: unknown): boolean =>
  typeof host === "string" && /(^|\.)(openai\.com|anthropic\.com|openai\.azure\.com|generativelanguage\.googleapis\.com|aiplatform\.googleapis\.com|mistral\.ai|groq\.com|openrouter\.ai)$/.test(host);

const field = new RegExp(`"(${[...totals, ...inputs, ...outputs, ...more].join("|")})"\\s*:\\s*(\\d{1,15})(?![\\d.eE])`, "g");

/** Of an answer's text, whole or in events: each name's largest number, since the last event of a stream says what all of it took. What a model writes itself lies in strings, where quotes are escaped. */
export function tokensInText(text: string): number | null {
  const found = new Map<string, number>();
  for (const [, name = "", figures = ""] of text.matchAll(field)) found.set(name, Math.max(found.get(name) ?? 0, Number(figures)));
  return tokensBy((name) => found.get(name) ?? null);
}

const keptBytes = 1024 * 1024;
const openedBytes = 16 * 1024 * 1024;

/** Keeps of a body what a usage lies in: its beginning and its end; of a compressed one all of it, if that is not too long. */
export class UsageScan {
  readonly #encoding: string;
  #head: Buffer[] = [];
  #headBytes = 0;
  #tail: Buffer[] = [];
  #tailBytes = 0;

  constructor(encoding: string) {
    this.#encoding = encoding.trim().toLowerCase();
  }

  add(chunk: Buffer): void {
    if (this.#headBytes < keptBytes) {
      this.#head.push(chunk);
      this.#headBytes += chunk.length;
      return;
    }
    this.#tail.push(chunk);
    this.#tailBytes += chunk.length;
    while (this.#tailBytes - (this.#tail[0]?.length ?? 0) > keptBytes) this.#tailBytes -= this.#tail.shift()?.length ?? 0;
  }

  /** What the answer says; null when it does not, or cannot be read. */
  tokens(): number | null {
    try {
      if (this.#encoding === "" || this.#encoding === "identity") return tokensInText(`${Buffer.concat(this.#head).toString("latin1")}\n${Buffer.concat(this.#tail).toString("latin1")}`);
      return this.#tail.length > 0 ? null : tokensInText(opened(Buffer.concat(this.#head), this.#encoding).toString("latin1"));
    } catch {
      return null; // It is no encoding that can be opened, or not what it says: nobody knows.
    }
  }
}

/** As far as it came. */
function opened(body: Buffer, encoding: string): Buffer {
  const options = { maxOutputLength: openedBytes, finishFlush: constants.Z_SYNC_FLUSH };
  if (encoding === "gzip" || encoding === "x-gzip") return gunzipSync(body, options);
  if (encoding === "deflate") return inflateSync(body, options);
  if (encoding === "br") return brotliDecompressSync(body, { maxOutputLength: openedBytes, finishFlush: constants.BROTLI_OPERATION_FLUSH });
  return zstdDecompressSync(body, { maxOutputLength: openedBytes });
}
