import { createHash } from "node:crypto";
import { PassThrough, Transform, type Readable, type TransformCallback } from "node:stream";
import { promisify } from "node:util";
import { brotliDecompress, gunzip, inflate, zstdDecompress } from "node:zlib";
import { Fault } from "@lanyard/contract";
import { limits } from "../../base/limits.ts";
import type { Classifier } from "../../base/labels/classifier.ts";
import type { BodySum, WebHeaders } from "../../base/web.ts";

const isText = (headers: WebHeaders): boolean => headers.every(([name, value]) => name !== "content-type" || /^(?:text\/|application\/(?:[\w.+-]*json|[\w.+-]*xml|javascript|x-www-form-urlencoded|x-ndjson)|multipart\/)/i.test(value));

const joined = (from: Readable, to: Transform): void => {
  from.once("error", (error) => to.destroy(error));
  from.once("close", () => to.writableEnded || to.destroy(new Fault("uncertain", "the server hung up in mid-answer")));
  to.once("close", () => from.destroy());
  from.pipe(to);
};

/** A body as it passes, of whose beginning is kept what can be looked through once it has ended. */
export class LabelledBody extends Transform {
  readonly #classifier: Classifier;
  #begun = "";

  constructor(from: Readable, classifier: Classifier) {
    super();
    this.#classifier = classifier;
    joined(from, this);
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    if (this.#begun.length < limits.label_body_bytes.value) this.#begun += chunk.toString("latin1", 0, limits.label_body_bytes.value - this.#begun.length);
    done(null, chunk);
  }

  headers(headers: WebHeaders): WebHeaders {
    return headers;
  }

  /** Of what has passed so far. */
  labels(): readonly string[] {
    return this.#classifier.detect(Buffer.from(this.#begun, "latin1").toString());
  }

  sum(): Partial<BodySum> {
    return {};
  }
}

const decoders = { gzip: promisify(gunzip), "x-gzip": promisify(gunzip), deflate: promisify(inflate), br: promisify(brotliDecompress), zstd: promisify(zstdDecompress) } as const;

/** A body that is held until it is whole and only then passed on, changed. What is too long, no text or in an unknown encoding is withheld. */
export class WithheldBody extends PassThrough {
  #labels: readonly string[] = [];
  #sum: Partial<BodySum> = {};

  constructor(from: Readable, headers: WebHeaders, change: (text: string) => Promise<{ readonly text: string; readonly labels: readonly string[] }>) {
    super();
    this.#pass(from, headers, change).catch((error: unknown) => this.destroy(error instanceof Error ? error : new Fault("result_withheld", "the answer could not be changed")));
    this.once("close", () => from.destroy());
  }

  /** Without what is not true any more. */
  headers(headers: WebHeaders): WebHeaders {
    return headers.filter(([name]) => !["content-length", "content-encoding", "content-md5", "digest", "content-digest", "repr-digest", "etag"].includes(name.toLowerCase()));
  }

  labels(): readonly string[] {
    return this.#labels;
  }

  sum(): Partial<BodySum> {
    return this.#sum;
  }

  async #pass(from: Readable, headers: WebHeaders, change: (text: string) => Promise<{ readonly text: string; readonly labels: readonly string[] }>): Promise<void> {
    const lower = headers.map(([name, value]) => [name.toLowerCase(), value] as const);
    const text = await wholeText(from, lower);
    const changed = await change(text);
    const bytes = Buffer.from(changed.text);
    this.#labels = changed.labels;
    this.#sum = { bytes: bytes.length, sha256: createHash("sha256").update(bytes).digest("base64url") };
    this.end(bytes);
  }
}

async function wholeText(from: Readable, headers: WebHeaders): Promise<string> {
  const most = limits.label_body_bytes.value;
  const withheld = (why: string): Fault => new Fault("result_withheld", `a policy changes this answer, and ${why}`);
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of from as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > most) throw withheld(`it is over the limit label_body_bytes (${most} bytes)`);
    chunks.push(chunk);
  }
  const encodings = headers.flatMap(([name, value]) => (name === "content-encoding" ? value.split(",") : [])).map((encoding) => encoding.trim().toLowerCase()).filter((encoding) => encoding !== "" && encoding !== "identity");
  let bytes: Buffer = Buffer.concat(chunks);
  for (const encoding of encodings.toReversed()) {
    const decode = Object.hasOwn(decoders, encoding) ? decoders[encoding as keyof typeof decoders] : null;
    if (decode === null) throw withheld(`its encoding \`${encoding.slice(0, 40)}\` is unknown`);
    bytes = await decode(bytes, { maxOutputLength: most }).catch(() => Promise.reject(withheld("it cannot be decoded within its limit")));
  }
  if (bytes.length > 0 && !isText(headers)) throw withheld("it is no text");
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw withheld("it is no UTF-8");
  }
}
