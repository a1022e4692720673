import { PassThrough } from "node:stream";
import type { Lease } from "../../base/path.ts";

/** For an action that needs nothing lent. */
export const nothingLent: Lease = {
  credentials: [],
  dress: (request) => request,
  scrub: () => new PassThrough(),
  scrubText: (text) => text,
  [Symbol.dispose]: () => {},
};
