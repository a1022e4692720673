import type { DecisionInput } from "@lanyard/contract";
import type { Snapshot } from "@lanyard/policy";

/** What bundles know of calls; where several do, the first. Groups of an action are today's, whenever it was called. */
export class Views {
  readonly #snapshots: readonly Snapshot[];
  readonly #groups = new Map<string, readonly string[]>();

  constructor(snapshots: readonly Snapshot[]) {
    this.#snapshots = snapshots;
  }

  /** What policy sees of a call; null for an action that nobody knows. */
  readonly seen = (input: DecisionInput): ReturnType<Snapshot["seen"]> => {
    for (const snapshot of this.#snapshots) {
      const seen = snapshot.seen(input);
      if (seen !== null) return seen;
    }
    return null;
  };

  groups(action: string): readonly string[] {
    const known = this.#groups.get(action) ?? this.#snapshots.map((snapshot) => snapshot.action(action)?.groups).find(Boolean) ?? [];
    if (this.#groups.size >= keptGroups) this.#groups.clear();
    this.#groups.set(action, known);
    return known;
  }
}

/** Names of methods are the agents' to choose. */
const keptGroups = 10_000;
