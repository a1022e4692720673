import { Fault } from "@lanyard/contract";
import { policiesIn, prepareSnapshot, type Policy, type Snapshot } from "@lanyard/policy";
import type { Store } from "../../base/store/port.ts";

/** Texts of bundles that stay at hand, in bytes; those of the newest asked for always do. */
const enoughBytes = 64 * 1024 * 1024;

const breathe = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

/** What the store still knows of the bundles that decided, for whoever asks why. A bundle of a form that is not known any more is as one that is gone. */
export class PastBundles {
  readonly #store: Pick<Store, "getObject">;
  readonly #active: () => Snapshot | null;
  readonly #texts = new Map<string, { readonly bytes: number; policy(id: string): Policy | null }>();
  readonly #keptBytes: number;
  #last: Snapshot | null = null;

  /** `active`: what decides now, which needs no second reading. */
  constructor({ store, active, keptBytes = enoughBytes }: { store: Pick<Store, "getObject">; active: () => Snapshot | null; keptBytes?: number }) {
    this.#keptBytes = keptBytes;
    this.#store = store;
    this.#active = active;
  }

  /** A policy of a bundle; null when the store lacks the bundle's bytes or the bundle the policy. Reads a few lines, however large the bundle is. */
  policy(bundle: string, id: string): Policy | null {
    const known = this.#texts.get(bundle);
    if (known !== undefined) return known.policy(id);
    const bytes = this.#store.getObject(bundle);
    if (bytes === null) return null;
    let held = bytes.length;
    for (const text of this.#texts.values()) held += text.bytes;
    for (const [hash, text] of this.#texts) {
      if (held <= this.#keptBytes) break;
      this.#texts.delete(hash);
      held -= text.bytes;
    }
    const policy = readable(() => policiesIn(bytes)) ?? (() => null);
    this.#texts.set(bundle, { bytes: bytes.length, policy });
    return policy(id);
  }

  /** A bundle made ready; null when the store lacks its bytes. Calls go on meanwhile. */
  async snapshot(bundle: string): Promise<Snapshot | null> {
    const active = this.#active();
    const ready = [active, this.#last].find((snapshot) => snapshot?.hash === bundle);
    if (ready) return ready;
    const bytes = this.#store.getObject(bundle);
    if (bytes === null) return null;
    try {
      this.#last = await prepareSnapshot(bytes, { before: this.#last ?? active ?? undefined, breathe });
      return this.#last;
    } catch (error) {
      if (isUnreadable(error)) return null;
      throw error;
    }
  }
}

const isUnreadable = (error: unknown): boolean => error instanceof Fault && error.code === "invalid_config";

const readable = <T>(read: () => T): T | null => {
  try {
    return read();
  } catch (error) {
    if (isUnreadable(error)) return null;
    throw error;
  }
};
