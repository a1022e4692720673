import type { Clock } from "../../base/clock.ts";
import type { Limits } from "../../base/limits.ts";
import { markOf, readPolicies } from "../../base/policies.ts";
import type { Edition } from "./edition.ts";

// A change is live within a second: looked at every 150 ms, settled for 100 ms, compiled in some 60 ms. Polled, because editors replace
// files in ways that watchers of one inode miss.
const pace = { pollMs: 150, settleMs: 100, retryMs: 2000 } as const;

export interface FolderDeps {
  readonly clock: Clock;
  readonly limits: Limits;
  /** Folder of `*.cedar` files, sub-folders too. */
  readonly policyDir: string;
  /** False while nobody wants to hear of changes. */
  readonly wanted: () => boolean;
  /** Called when the folder has changed and come to rest, and again and again until it was read with {@link Folder.read} and not forgotten. */
  readonly changed: () => Promise<void>;
}

/** A folder of policies that is looked at for changes. */
export class Folder implements Disposable {
  readonly #deps: FolderDeps;
  /** What the folder looked like when it was read; null when it must be read again. */
  #mark: string | null = null;
  #timer: { cancel(): void } | null = null;
  #closed = false;

  constructor(deps: FolderDeps) {
    this.#deps = deps;
  }

  watch(): void {
    this.#arm(pace.pollMs);
  }

  /** The policies as they are saved now. Throws Fault `invalid_config`. */
  async read(): Promise<Edition> {
    const { policyDir, limits } = this.#deps;
    const mark = await markOf(policyDir, limits).catch(() => null);
    this.#mark = null;
    const policies = await readPolicies(policyDir, limits);
    this.#mark = mark;
    return { version: null, policies, tests: [] };
  }

  /** Something failed that may succeed when it is tried again. */
  forget(): void {
    this.#mark = null;
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    this.#timer?.cancel();
  }

  #arm(ms: number): void {
    if (this.#closed) return;
    this.#timer = this.#deps.clock.after(ms, async () => this.#arm(await this.#look()));
  }

  /** Looks for a change, waits until it has settled (half a file may be valid, and mean something else), and tells. Gives the next pause. */
  async #look(): Promise<number> {
    const { clock, policyDir, limits, wanted, changed } = this.#deps;
    if (!wanted()) return pace.pollMs;
    const see = (): Promise<string | null> => markOf(policyDir, limits).catch(() => null);
    const mark = await see();
    if (mark !== null && mark === this.#mark) return pace.pollMs;
    await new Promise<void>((resolve) => void clock.after(pace.settleMs, resolve));
    if (mark !== (await see())) return pace.settleMs;
    await changed();
    return this.#mark === null ? pace.retryMs : pace.pollMs;
  }
}
