import { parentPort } from "node:worker_threads";
import { Fault } from "@lanyard/contract";
import { decodeBundle, encodeBundle } from "./bundle.ts";
import { orgTier } from "./tier.ts";
import type { TierAnswer } from "./tiers-apart.ts";

// The thread that takes the organisation's policies out of bundles: started for one question, never imported.
const tiersOf = (bytes: Uint8Array) => {
  const bundle = decodeBundle(bytes);
  const [alone, besideEverything] = [false, true].map((everythingPermitted) => encodeBundle(orgTier(bundle, { everythingPermitted })).bytes) as [Uint8Array, Uint8Array];
  return { alone, besideEverything };
};

const answer = (bundles: readonly Uint8Array[]): TierAnswer => {
  try {
    return { tiers: bundles.map(tiersOf) };
  } catch (error) {
    if (error instanceof Fault) return { failed: error.message };
    throw error;
  }
};

parentPort?.on("message", (bundles: readonly Uint8Array[]) => parentPort?.postMessage(answer(bundles), []));
