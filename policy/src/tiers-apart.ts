import { Worker } from "node:worker_threads";
import { Fault } from "@lanyard/contract";

/** Bytes of bundles that hold only the organisation's policies of another, alone and beside a permit of everything. */
interface OrgTiers {
  readonly alone: Uint8Array;
  readonly besideEverything: Uint8Array;
}

/** From the thread: the tiers of each bundle, or the text of the Fault `invalid_config` that was thrown. */
export type TierAnswer = { readonly tiers: readonly OrgTiers[] } | { readonly failed: string };

/** Runs `task` once after `ms` unless cancelled: time comes from outside. */
type After = (ms: number, task: () => void) => { cancel(): void };

/**
 * Takes the organisation's tier out of bundles in a thread of its own: with 10,000 policies that takes seconds. Rejects with Fault
 * `engine_unavailable` when it takes longer than `patienceMs` or the thread dies, with `invalid_config` where the bytes are no bundle.
 */
export const orgTiersApart = async ({ after, patienceMs }: { readonly after: After; readonly patienceMs: number }, bundles: readonly Uint8Array[]): Promise<readonly OrgTiers[]> => {
  const worker = new Worker(new URL("./tier-worker.ts", import.meta.url));
  const { promise, resolve, reject } = Promise.withResolvers<TierAnswer>();
  const fail = (cause: unknown): void => reject(new Fault("engine_unavailable", "reading the organisation's policies out of a bundle failed", { cause }));
  const alarm = after(patienceMs, () => reject(new Fault("engine_unavailable", `the organisation's policies were not read within ${patienceMs} ms`)));
  worker.on("message", resolve).on("error", fail).on("exit", fail);
  try {
    worker.postMessage(bundles, []);
    const answer = await promise;
    if ("tiers" in answer) return answer.tiers;
    throw new Fault("invalid_config", answer.failed);
  } finally {
    alarm.cancel();
    await worker.terminate();
  }
};
