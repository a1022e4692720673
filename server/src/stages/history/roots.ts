import type { DecisionInput, LedgerRecord } from "@lanyard/contract";
import type { Store } from "../../base/store/port.ts";

const keptRoots = 10_000;

/** The first of the sessions above one, by the ledger: also of sessions that are over. */
export class RecordedRoots {
  readonly #store: Pick<Store, "entries">;
  readonly #known = new Map<string, string>();

  constructor(store: Pick<Store, "entries">) {
    this.#store = store;
  }

  /** Takes note of a session that was opened after those above it. */
  learn({ session, parent, seq }: Extract<LedgerRecord, { type: "session.open" }>): void {
    this.#keep(session, parent === null ? session : this.of(parent, seq));
  }

  /** Of a call's session; one that has nothing above it is not looked for. */
  ofCall({ session: { id, depth } }: Pick<DecisionInput, "session">, before: number): string {
    return depth === 0 ? id : this.of(id, before);
  }

  /** Of a session that was opened before an entry. */
  of(session: string, before: number): string {
    const known = this.#known.get(session);
    if (known !== undefined) return known;
    const [opened] = this.#store.entries({ session, types: ["session.open"], to: before, newest: true, limit: 1 });
    const parent = opened?.type === "session.open" ? opened.parent : null;
    return this.#keep(session, parent === null ? session : this.of(parent, before));
  }

  /** Past the bound all are forgotten, and looked for again. */
  #keep(session: string, root: string): string {
    if (this.#known.size >= keptRoots) this.#known.clear();
    this.#known.set(session, root);
    return root;
  }
}
