import { createHash } from "node:crypto";
import { Transform, type TransformCallback } from "node:stream";
import { Fault } from "@lanyard/contract";
import type { UsageScan } from "../../base/usage.ts";
import type { BodySum } from "../../base/web.ts";

/** Looks at a body chunk by chunk as it passes; errors with Fault `result_withheld` past its limit. */
export class InspectedBody extends Transform {
  readonly #limitBytes: number;
  readonly #what: string;
  readonly #usage: UsageScan | null;
  readonly #hash = createHash("sha256");
  #bytes = 0;

  constructor(what: string, limitBytes: number, usage: UsageScan | null = null) {
    super();
    this.#what = what;
    this.#limitBytes = limitBytes;
    this.#usage = usage;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.#bytes += chunk.length;
    if (this.#bytes > this.#limitBytes) return done(new Fault("result_withheld", `${this.#what} is over the limit egress_result_bytes (${this.#limitBytes} bytes)`));
    this.#hash.update(chunk);
    this.#usage?.add(chunk);
    done(null, chunk);
  }

  /** What has passed so far. */
  sum(): BodySum {
    const tokens = this.#usage?.tokens() ?? null;
    return { bytes: this.#bytes, sha256: this.#hash.copy().digest("base64url"), ...(tokens !== null && { tokens }) };
  }
}
