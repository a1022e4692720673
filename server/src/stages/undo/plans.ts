import { Fault, type Action, type Json, type JsonObject, type Principal } from "@lanyard/contract";
import { canonicalize } from "@lanyard/ledger";
import type { Clock } from "../../base/clock.ts";
import type { Config } from "../../base/config/config.ts";
import type { Answer, Exchange } from "../../base/exchange.ts";
import { limits } from "../../base/limits.ts";
import type { Log } from "../../base/log.ts";
import type { Facts, Intent, Lease, UndoPlan } from "../../base/path.ts";
import type { Store } from "../../base/store/port.ts";
import type { UndoCase, UndoContract } from "../../base/undo/contract.ts";
import { evaluate, MappingError } from "../../base/undo/mapping.ts";
import { caseOf } from "../../base/undo/resolve.ts";
import { piecesOf, sealFor, seenOf, type PlanDocument, type SeenState, type Settlement } from "./document.ts";
import type { Locks } from "./locks.ts";
import { digestOf, look, placeOf, Unreadable, type Eyes, type StatePlace, type StateSnapshot, type Viewer } from "./state.ts";

export interface PlansOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  readonly config: () => Config;
  readonly eyes: Eyes;
  readonly locks: Locks;
}

/** An action that is being planned for. */
interface Deed {
  readonly action: Action;
  readonly principal: Principal;
  readonly intent: Intent;
  readonly lease: Lease;
  readonly undo: UndoCase;
  readonly root: string | null;
}

/** Between lease and execution: how the action will be taken back, on disk before its effect. */
export class Plans {
  readonly #options: PlansOptions;

  constructor(options: PlansOptions) {
    this.#options = options;
  }

  /** See `Stages.plan`. Until the plan is disposed of nobody else who asks here works on the same state. */
  readonly plan = async (action: Action, principal: Principal, intent: Intent, { input }: Facts, { undoes, signal }: Exchange, lease: Lease): Promise<UndoPlan | null> => {
    if (undoes !== undefined) return null; // What takes back is itself not taken back.
    const contract = this.#options.config().undo.contracts.get(action.name);
    const undo = contract && caseIn(contract, action);
    if (!contract || !undo || undo.inverse.length === 0) return null;
    if (undo.class !== input.reversibility) throw new Fault("no_preimage", `the contract of \`${action.name}\` changed while it was on its way`);
    const deed: Deed = { action, principal, intent, lease, undo, root: contract.root };
    const held = await this.#hold(deed, signal);
    try {
      const { before, roots } = await this.#readBefore(deed, signal);
      await this.#write(deed, before);
      return this.#planOf(deed, roots, before, held);
    } catch (error) {
      held[Symbol.dispose]();
      throw error;
    }
  };

  async #hold({ action, undo, root }: Deed, signal: AbortSignal): Promise<Disposable> {
    const roots: JsonObject = { args: action.args, root, before: {} };
    try {
      return await this.#options.locks.take(lockKeys(action.server, undo, roots), signal);
    } catch (error) {
      throw new Fault("no_preimage", `the client went away while \`${action.name}\` waited for another call on the same`, { cause: error });
    }
  }

  /** The state, and what else is needed. Throws Fault `no_preimage` where the contract wants it. */
  async #readBefore(deed: Deed, signal: AbortSignal): Promise<{ before: Record<string, StateSnapshot> | null; roots: JsonObject }> {
    const { action, undo, root } = deed;
    const before: Record<string, StateSnapshot> = {};
    const roots: JsonObject = { args: action.args, root, before: before as unknown as JsonObject };
    using time = this.#viewer(deed, signal);
    try {
      for (const [name, reading] of [...undo.before, ...undo.state]) {
        before[name] = reading.made ? { there: false } : await look(this.#options.eyes, action.server, placeOf(action.server, reading, roots), time.viewer, roots);
      }
      return { before, roots };
    } catch (error) {
      if (!(error instanceof Unreadable)) throw error;
      if (undo.unread === "proceed") return { before: null, roots };
      throw new Fault("no_preimage", `what \`${action.name}\` would change could not be read before, so that it could not be taken back: ${error.message}`, { cause: error });
    }
  }

  #viewer({ principal, lease }: Deed, signal: AbortSignal | null): { readonly viewer: Viewer } & Disposable {
    const over = new AbortController();
    const timer = this.#options.clock.after(limits.undo_ms.value, () => over.abort());
    const both = signal ? AbortSignal.any([signal, over.signal]) : over.signal;
    return { viewer: { principal, lease, of: principal.session, signal: both }, [Symbol.dispose]: () => timer.cancel() };
  }

  async #write({ action, principal, intent, undo, root }: Deed, before: PlanDocument["before"]): Promise<void> {
    const { store } = this.#options;
    const { session, user } = principal;
    const [first = "", ...more] = piecesOf({ action: action.name, server: action.server, args: action.args, root, undo, before });
    const of = intent.seq;
    const pieces = more.map((text, index) => {
      const sealed = sealFor(store, user, text);
      return store.append({ type: "undo.piece", of, session, at: index + 1, piece: sealed.commitment, payload: sealed.payload }, { sealed });
    });
    const sealed = sealFor(store, user, first);
    const plan = store.append({ type: "undo.plan", of, session, action: action.name, class: undo.class, read: before !== null, pieces: more.length, plan: sealed.commitment, payload: sealed.payload }, { sealed });
    await Promise.all([...pieces, plan]);
  }

  #planOf(deed: Deed, roots: JsonObject, before: Record<string, StateSnapshot> | null, held: Disposable): UndoPlan {
    let settled = before === null;
    const settle = async (answer: Answer | null): Promise<void> => {
      if (before === null || settled) return;
      settled = true;
      try {
        await this.#settle(deed, before, { ...roots, result: resultOf(answer) });
      } catch (error) {
        this.#options.log.warn("undo.unsettled", { of: deed.intent.seq, error });
      }
    };
    return {
      answered: settle,
      [Symbol.asyncDispose]: async () => {
        await settle(null);
        held[Symbol.dispose]();
      },
    };
  }

  /** The state right after, before anybody else works on it through Lanyard. Its record shares a sync with what comes next. */
  async #settle(deed: Deed, before: Record<string, StateSnapshot>, roots: JsonObject): Promise<void> {
    const { store } = this.#options;
    const { undo, action, intent, principal } = deed;
    const after: Record<string, SeenState> = {};
    let state: "known" | "unread" | "disturbed" = "known";
    using time = this.#viewer(deed, null);
    try {
      for (const [name, reading] of undo.state) {
        const seen = await look(this.#options.eyes, action.server, placeOf(action.server, reading, roots), time.viewer, roots, { kept: before[name]?.there ? before[name].kept : undefined, result: roots["result"] ?? null });
        after[name] = seenOf(reading, seen);
        const expected = undo.expect.get(name);
        if (expected !== undefined && !isAsExpected(seen, expected, roots)) state = "disturbed";
      }
    } catch (error) {
      if (!(error instanceof Unreadable)) throw error;
      state = "unread";
    }
    const settlement: Settlement = { after: state === "unread" ? null : after, result: kept(roots["result"] ?? null) };
    const sealed = sealFor(store, principal.user, JSON.stringify(settlement));
    void store
      .append({ type: "undo.settle", of: intent.seq, session: principal.session, seen: state, after: sealed.commitment, payload: sealed.payload }, { sealed, patient: true })
      .catch((error: unknown) => this.#options.log.warn("undo.unsettled", { of: intent.seq, error }));
  }
}

const caseIn = (contract: UndoContract, { name, args }: Action): UndoCase | null => {
  try {
    return caseOf(contract, args);
  } catch (error) {
    if (error instanceof MappingError) throw new Fault("no_preimage", `the arguments of \`${name}\` are more than its contract can look through: ${error.message}`);
    throw error;
  }
};

/** What is locked: what the contract says the state is of, else each place that is looked at; of what cannot be named beforehand nothing. */
export const lockKeys = (server: string, undo: UndoCase, roots: JsonObject): string[] => {
  try {
    if (undo.of !== null) return [`${server} ${canonicalize(evaluate(undo.of, roots), "doubles")}`];
  } catch (error) {
    if (!(error instanceof MappingError)) throw error;
  }
  return [...undo.state.values()].flatMap((reading) => keyOf(server, reading, roots));
};

const keyOf = (server: string, reading: StatePlace["reading"], roots: JsonObject): string[] => {
  try {
    return [...placeOf(server, reading, roots).locks];
  } catch (error) {
    if (error instanceof Unreadable) return [];
    throw error;
  }
};

const isAsExpected = (seen: StateSnapshot, expected: Json, roots: JsonObject): boolean => {
  try {
    const value = evaluate(expected, roots);
    return value === null ? !seen.there : digestOf(seen) === digestOf({ there: true, value });
  } catch (error) {
    if (error instanceof MappingError) return false;
    throw error;
  }
};

/** What came back, as templates see it. Of the web its status and headers, by their names in small letters. */
const resultOf = (answer: Answer | null): Json => {
  if (answer === null) return null;
  if ("error" in answer) return { isError: true, error: { ...answer.error } };
  if (!answer.web) return answer.result;
  return { ...answer.result, headers: Object.fromEntries(answer.web.headers.map(([name, value]) => [name.toLowerCase(), value])) };
};

const kept = (result: Json): Json => (JSON.stringify(result).length > limits.undo_piece_bytes.value ? null : result);
