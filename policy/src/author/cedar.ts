import { createRequire } from "node:module";
import type * as wasm from "@cedar-policy/cedar-wasm/nodejs";

type Cedar = Pick<typeof wasm, "policyToJson" | "validate">;

let loaded: Cedar | null = null;

/** Cedar's own parser and validator, loaded when first asked for: most commands, and the thread that decides, never do. */
export const cedar = (): Cedar => (loaded ??= createRequire(import.meta.url)("@cedar-policy/cedar-wasm/nodejs") as Cedar);
