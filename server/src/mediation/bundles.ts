import { Fault } from "@lanyard/contract";
import { prepareSnapshot, type Snapshot } from "@lanyard/policy";
import type { Store } from "../base/store/port.ts";
import { breathe } from "./recorded.ts";

/** A bundle made ready, or what is wrong with it. */
export type Opened = Snapshot | "missing" | "unreadable";

const keptSnapshots = 8;

/** Opens bundles of the record by their address, in slices; the last few stay open, and lend the next what they have in common. */
export const bundlesIn = (store: Pick<Store, "getObject">): ((bundle: string) => Promise<Opened>) => {
  const kept = new Map<string, Snapshot>();
  let before: Snapshot | undefined;
  return async (bundle) => {
    const known = kept.get(bundle);
    if (known) return known;
    const bytes = store.getObject(bundle);
    if (bytes === null) return "missing";
    try {
      before = await prepareSnapshot(bytes, { before, breathe });
    } catch (error) {
      if (error instanceof Fault && error.code === "invalid_config") return "unreadable";
      throw error;
    }
    if (kept.size >= keptSnapshots) kept.delete(kept.keys().next().value ?? "");
    kept.set(bundle, before);
    return before;
  };
};
