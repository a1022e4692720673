import type { Json, JsonObject, Reversibility } from "@lanyard/contract";
import type { Answer } from "../../base/exchange.ts";

/** What can be read of the places that an action touches, by place: a path, a row, a URL. Null: there is nothing there. */
export type Image = Readonly<Record<string, Json>>;

/** A call of a server. */
export interface Step {
  readonly tool: string;
  readonly args: JsonObject;
}

/** A governed call at the action's own server and in its session, for reading. Throws Fault when it was refused or could not be made. */
export type AskServer = (step: Step) => Promise<Answer>;

/** How far an action can be taken back. */
export interface UndoStanding {
  readonly reversibility: Reversibility;
  /** What stays even when it is taken back; empty when nothing does. */
  readonly residue: string;
  /** Why it is not better than it is; empty when it needs no reason. */
  readonly why: string;
}

export interface Watched {
  /** What to read again, for `again` and `back`. */
  readonly watch: JsonObject;
  readonly image: Image;
}

/**
 * One way to take actions back: how far it can, what is to be read before, what takes it back. It judges nothing: what an action changed, whether
 * somebody else has been there since and whether it is back is told from three images, always in the same way.
 */
export interface Means {
  /** From the call alone, at once. Never throws: what is not understood is `unknown`. */
  standing(step: Step): UndoStanding;
  /** Before the effect: what the call may change, as it is now. Throws Fault `irreversible` when it cannot be taken back after all, for a reason that only the world knows. */
  before(step: Step, ask: AskServer): Promise<Watched>;
  /** The same places again. `answer` is what the action was answered when this is right after it, else null. Throws Fault `irreversible` when what it did cannot be found. */
  again(watched: Watched, answer: Answer | null, ask: AskServer): Promise<Watched>;
  /** What takes places that changed from `after` back to `before`, in order. Each step touches only what is still as `after` says. Pure. */
  inverse(watched: Watched, changed: readonly Changed[]): Inverse[];
}

/** A step back: a governed call of the same server, or what the daemon does itself. */
export type Inverse = { readonly call: Step } | { readonly says: string; run(): Promise<void> };

export interface Changed {
  readonly place: string;
  readonly before: Json;
  readonly after: Json;
}
