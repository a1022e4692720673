import { Fault, isObject, type Json, type ErrorCode, type JsonObject, type Principal } from "@lanyard/contract";
import type { Clock } from "../../base/clock.ts";
import type { Config } from "../../base/config/config.ts";
import { limits } from "../../base/limits.ts";
import type { Store } from "../../base/store/port.ts";
import type { Gate } from "../../base/undo/contract.ts";
import { holds, MappingError } from "../../base/undo/mapping.ts";
import { doneBy, familyOf, type Done, type UndoVerdict } from "./deeds.ts";
import { readPlan, readSettlement, seenOf, type PlanDocument, type SeenState, type Settlement } from "./document.ts";
import { rootsOf, standingOf, stepsOf, type StateStanding, type UndoCall } from "./judge.ts";
import type { Locks } from "./locks.ts";
import { lockKeys } from "./plans.ts";
import { look, placeOf, Unreadable, type Eyes, type Since, type StatePlace, type StateSnapshot, type Viewer } from "./state.ts";

/** What carries calls out for the engine, on the path that every action takes. */
export interface Hands {
  /** A session of the agent that takes back, for that user; or the one given, while it is open. Throws Fault. */
  open(user: string, purpose: string, before: string | null): Promise<Principal>;
  close(session: string): Promise<void>;
  /** Withdraws what these sessions have staged after entry `to` (null: from the beginning); returns how many. */
  withdrawHeld(sessions: readonly string[], to: number | null): Promise<number>;
  /** Whether a session could still do something itself that is not only read. */
  isAtLarge(session: string): boolean;
  /** Carries a call out as that session's, in place of the session that the action was of. */
  act(principal: Principal, call: { readonly server: string; readonly of: number; readonly instead: string; readonly step: UndoCall }): Promise<Acted>;
}

/** How a call ended. What the server said of its success (`failed`) counts for nothing where there is a state: that is read again. */
export type Acted = { readonly kind: "carried out"; readonly failed: boolean } | { readonly kind: "uncertain" } | { readonly kind: "refused"; readonly code: ErrorCode; readonly text: string };

/** One line of an undo: what was, or with `dry` would be, done about one action. */
export interface UndoLine {
  readonly seq: number;
  readonly session: string;
  readonly action: string;
  readonly class: string;
  readonly at_ms: number;
  readonly verdict: UndoVerdict;
  /** Why, as a word; and in words for people. */
  readonly why: string;
  readonly says: string;
  /** Calls made, or to be made. */
  readonly calls: number;
}

export type UndoReport =
  | { readonly kind: "begin"; readonly undo: string | null; readonly session: string; readonly actions: number; readonly as: string | null; readonly dry: boolean; /** Staged calls that were withdrawn. */ readonly withdrawn: number; /** Sessions whose changes of a folder were applied: `lanyard session revert` takes those back. */ readonly applied: readonly string[] }
  | ({ readonly kind: "step" } & UndoLine)
  | { readonly kind: "end"; readonly restored: number; readonly residue: number; readonly refused: number; readonly failed: number };

export interface UndoOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly config: () => Config;
  readonly eyes: Eyes;
  readonly hands: Hands;
  readonly locks: Locks;
}

type Judged = Pick<UndoLine, "verdict" | "why" | "says" | "calls">;
/** States that earlier lines of a dry run would have put back, by place. */
type Imagined = Map<string, ReadonlyMap<string, SeenState>>;
type Seen = Readonly<Record<string, SeenState>>;

interface Run {
  readonly session: string;
  readonly undo: string | null;
  readonly principal: Principal | null;
  readonly imagined: Imagined | null;
  /** Later actions on the same that were not taken back, by place. */
  readonly kept: Map<string, number>;
}

/** Takes back what sessions did. */
export class Undo {
  readonly #options: UndoOptions;
  readonly #running = new Set<string>();

  constructor(options: UndoOptions) {
    this.#options = options;
  }

  /**
   * Takes back what a session and its children did after entry `to`, newest first, or with `dry` says what that would do. Yields a line for
   * each action. Doing it twice does no harm, and goes on where a crash ended it. Throws Fault `not_found`, `conflict`, `invalid_config`, `limit_exceeded`.
   */
  async *run(session: string, { to, dry, by }: { readonly to: number | null; readonly dry: boolean; readonly by: string }): AsyncGenerator<UndoReport> {
    const { store } = this.#options;
    await store.settled();
    const { ids, user } = familyOf(store, session);
    if (!dry) this.#mayRun(ids);
    const busy = dry ? [] : ids;
    for (const id of busy) this.#running.add(id);
    try {
      const withdrawn = dry ? 0 : await this.#options.hands.withdrawHeld(ids, to);
      const done = doneBy(store, ids, to);
      await store.append({ type: "access.read", by, what: "undo", from: done.at(-1)?.seq ?? 0, to: done[0]?.seq ?? 0, times: 1 });
      const run = await this.#begin(session, user, { to, dry, by, actions: done.length });
      yield { kind: "begin", undo: run.undo, session, actions: done.length, as: run.principal?.session ?? null, dry, withdrawn, applied: ids.filter((id) => store.get("workspace", id)?.["state"] === "applied") };
      const count = { restored: 0, residue: 0, refused: 0, failed: 0 };
      let pending = false;
      for (const one of done) {
        const judged = await this.#one(run, one);
        if (judged.why === "approval_pending") pending = true;
        count[judged.verdict] += 1;
        yield { kind: "step", seq: one.seq, session: one.session, action: one.action, class: one.class, at_ms: one.atMs, ...judged };
      }
      await this.#end(run, count, pending);
      yield { kind: "end", ...count };
    } finally {
      for (const id of busy) this.#running.delete(id);
    }
  }

  /** Throws Fault `forbidden` for whoever may not have actions taken back. */
  mayAsk(who: "operator" | { readonly user: string }): void {
    if (who === "operator") return;
    const { users, undo } = this.#options.config();
    const groups = users.get(who.user)?.groups ?? [];
    if (!undo.by.some((group) => groups.includes(group))) throw new Fault("forbidden", `\`${who.user}\` is in none of the groups that may take back what an agent did: \`undo: { by: [...] }\` of lanyard.yaml names them`);
  }

  #mayRun(ids: readonly string[]): void {
    if (this.#options.config().undo.agent === null) throw new Fault("invalid_config", "lanyard.yaml does not say whose policies decide what is taken back: write `undo: { agent: <name> }`", { remedy: "" });
    const busy = ids.find((id) => this.#running.has(id));
    if (busy !== undefined) throw new Fault("conflict", `session \`${busy}\` is being taken back already`);
    const atLarge = ids.find((id) => this.#options.hands.isAtLarge(id));
    if (atLarge !== undefined) throw new Fault("conflict", `session \`${atLarge}\` still runs and could go on meanwhile: stop it first, \`lanyard quarantine session ${atLarge} --why ...\` or \`lanyard sessions close ${atLarge}\``, { remedy: "" });
  }

  async #begin(session: string, user: string, { to, dry, by, actions }: { to: number | null; dry: boolean; by: string; actions: number }): Promise<Run> {
    const { store, clock, hands } = this.#options;
    const kept = new Map<string, number>();
    if (dry) return { session, undo: null, principal: await this.#viewerOf(session, user), imagined: new Map(), kept };
    const before = store.get("undo", session);
    const principal = await hands.open(user, `undo of ${session}`, typeof before?.["as"] === "string" ? before["as"] : null);
    const undo = clock.id("und");
    const value = { undo, as: principal.session, by, progress: isObject(before?.["progress"]) ? before["progress"] : {} };
    await store.append({ type: "undo.begin", undo, session, to, actions, as: principal.session, by }, { state: [{ kind: "undo", key: session, value }] });
    return { session, undo, principal, imagined: null, kept };
  }

  /** A dry run reads in the name of a session of its own too, which ends with it. */
  #viewerOf(session: string, user: string): Promise<Principal | null> {
    return this.#options.config().undo.agent === null ? Promise.resolve(null) : this.#options.hands.open(user, `a look at what undo of ${session} would do`, null);
  }

  /** The session that acted stays open while people have yet to approve something: what they approve is bound to it. */
  async #end({ session, undo, principal }: Run, count: { restored: number; residue: number; refused: number; failed: number }, pending: boolean): Promise<void> {
    const { store, hands } = this.#options;
    if (undo !== null) await store.append({ type: "undo.end", undo, session, ...count }, pending ? {} : { state: [{ kind: "undo", key: session, value: null }] });
    if (principal !== null && !pending) await hands.close(principal.session);
  }

  async #one(run: Run, one: Done): Promise<Judged> {
    if (one.verdict === "restored" || one.verdict === "residue") return { verdict: one.verdict, why: "already", says: "taken back before", calls: 0 };
    const judged = await this.#judge(run, one);
    if (run.undo !== null) await this.#options.store.append({ type: "undo.step", undo: run.undo, of: one.seq, session: one.session, verdict: judged.verdict, why: judged.why, calls: judged.calls });
    return judged;
  }

  async #judge(run: Run, one: Done): Promise<Judged> {
    if (one.plan === null) return refused(...unplanned(one));
    const plan = readPlan(this.#options.store, one.plan);
    if (plan === "erased") return refused("erased", "what it needs was erased with its user");
    if (plan === "changed") return refused("changed_record", "the record of how to take it back was changed; see `lanyard audit verify`");
    const settled = one.settled === null ? { after: null, result: null } : readSettlement(this.#options.store, one.settled.seq);
    if (settled === "erased" || settled === "changed") return refused("changed_record", "the record of the state right after it is gone or changed");
    if (run.principal === null) return refused("no_agent", "lanyard.yaml does not say whose policies decide what is taken back: `undo: { agent: <name> }`");
    const viewer: Viewer = { principal: run.principal, lease: null, of: one.session, signal: new AbortController().signal };
    using _held = await this.#options.locks.take(lockKeys(plan.server, plan.undo, rootsOf(plan, settled)));
    try {
      return await this.#takeBack(run, one, plan, settled, viewer);
    } catch (error) {
      if (error instanceof Unreadable) return refused("unread", `its state cannot be read: ${error.message}`);
      throw error;
    }
  }

  async #takeBack(run: Run, one: Done, plan: PlanDocument, settled: Settlement, viewer: Viewer): Promise<Judged> {
    const roots = rootsOf(plan, settled);
    const gate = await this.#closedGate(plan, one, roots, viewer);
    if (gate) return refused("gate", gate.says);
    if (plan.before === null) return refused("no_preimage", "its state could not be read before it, so that nobody knows what to go back to");
    const places = [...plan.undo.state].map(([name, reading]) => ({ name, place: placeOf(plan.server, reading, roots) }));
    const read = async (): Promise<Seen> => {
      const seen: Record<string, SeenState> = {};
      for (const { name, place } of places) seen[name] = seenOf(place.reading, await this.#look(plan.server, place, viewer, roots, { kept: keptOf(name, plan, settled) }));
      return seen;
    };
    const keys = places.map(({ place }) => place.key);
    const now = places.every(({ place }) => run.imagined?.has(place.key)) && places.length > 0 ? imaginedOf(run.imagined, places, settled) : await read();
    const standing = standingOf(now, plan, settled.after, hasEnded(one));
    const blocked = this.#blocked(run, one, plan, standing, now, keys);
    if (blocked) {
      for (const key of keys) run.kept.set(key, one.seq);
      return blocked;
    }
    if (standing === "before" && places.length > 0) return { ...good(plan), why: "as_before", says: "its state is what it was before it", calls: 0 };
    if (plan.undo.state.size === 0 && !one.made.known) return refused("interrupted", "it was interrupted in a call that makes it good, and nobody knows whether that was made; it is not made twice");
    const steps = stepsOf(plan, now, settled.after, roots);
    if (run.imagined) {
      for (const { name, place } of places) run.imagined.set(place.key, new Map([[viewKey(place), seenOf(place.reading, plan.before?.[name] ?? { there: false })]]));
      return { ...good(plan), why: "would", calls: steps.length };
    }
    if (plan.undo.state.size === 0) return this.#makeGood(run, one, plan, steps);
    return this.#act(run, one, plan, { steps, read, now, after: settled.after, from: this.#reached(run, one, now) });
  }

  /** Why what would be put back must not be; null when nothing speaks against it. */
  #blocked(run: Run, one: Done, plan: PlanDocument, standing: StateStanding, now: Seen, keys: readonly string[]): Judged | null {
    if (standing === "before" || plan.undo.state.size === 0 || this.#reached(run, one, now) > 0) return null;
    const later = keys.map((key) => run.kept.get(key)).find((seq) => seq !== undefined);
    if (standing === "other" && later !== undefined) return refused("later", `entry ${later} came later, is on the same, and was not taken back`);
    if (standing === "other") return refused("changed", "somebody else changed it since; it is not overwritten");
    if (standing === "unknown") return refused("unsettled", "nobody knows its state right after, so that a change by somebody else would not be seen");
    return one.settled?.state === "disturbed" ? refused("disturbed", "right after it the state was not what it alone would have made: somebody else had a hand in it") : null;
  }

  /** Calls of an interrupted undo that were made already, when the state is exactly what it was after them. */
  #reached({ session }: Run, { seq }: Done, now: Seen): number {
    const progress = this.#options.store.get("undo", session)?.["progress"];
    const known = isObject(progress) ? progress[String(seq)] : null;
    return isObject(known) && typeof known["calls"] === "number" && JSON.stringify(known["state"]) === JSON.stringify(digestsOf(now)) ? known["calls"] : 0;
  }

  async #act(run: Run, one: Done, plan: PlanDocument, { steps, read, now, after, from }: { steps: readonly UndoCall[]; now: Seen; after: Settlement["after"]; read: () => Promise<Seen>; from: number }): Promise<Judged> {
    const { hands } = this.#options;
    if (run.principal === null) throw new Fault("internal", "an undo acts for nobody");
    let calls = from;
    for (const step of steps.slice(from)) {
      const acted = await hands.act(run.principal, { server: plan.server, of: one.seq, instead: one.session, step });
      if (acted.kind === "refused") return calls === 0 ? refused(acted.code, acted.text) : { verdict: "failed", why: acted.code, says: `stopped after ${calls} of ${steps.length} calls: ${acted.text}`, calls };
      calls += 1;
      if (calls === steps.length) break;
      const between = await readable(read);
      if (between === null) return { verdict: "failed", why: "unread", says: `stopped after ${calls} of ${steps.length} calls: its state cannot be read`, calls };
      await this.#progress(run, one, calls, between);
    }
    const seen = await readable(read);
    if (seen === null) return { verdict: "failed", why: "unread", says: "the calls were made, and its state cannot be read; undo again when it can be", calls };
    if (standingOf(seen, plan, after, hasEnded(one)) === "before") return { ...good(plan), why: "verified", calls };
    if (JSON.stringify(seen) === JSON.stringify(now)) return refused("no_effect", "what should have taken it back changed nothing; somebody else may hold on to it");
    return { verdict: "failed", why: "not_as_before", says: "the calls were made, and read again its state is not what it was before", calls };
  }

  /** Calls of which no state tells whether they were made: on record before they are, so that none is made twice. */
  async #makeGood(run: Run, one: Done, { server, undo }: PlanDocument, steps: readonly UndoCall[]): Promise<Judged> {
    const { hands, store } = this.#options;
    if (run.principal === null) throw new Fault("internal", "an undo acts for nobody");
    const note = (calls: number) => store.append({ type: "undo.call", undo: run.undo ?? "", of: one.seq, session: one.session, calls });
    let { calls } = one.made;
    for (const step of steps.slice(calls)) {
      await note(calls + 1);
      const acted = await hands.act(run.principal, { server, of: one.seq, instead: one.session, step });
      if (acted.kind === "uncertain") return { verdict: "failed", why: "interrupted", says: "nobody knows whether a call that makes it good was made; it is not made twice", calls: calls + 1 };
      if (acted.kind === "refused" || acted.failed) {
        await note(calls);
        const [why, says] = acted.kind === "refused" ? [acted.code, acted.text] : ["call_failed", "the server says that it failed"];
        return calls === 0 ? refused(why, says) : { verdict: "failed", why, says: `stopped after ${calls} of ${steps.length} calls: ${says}`, calls };
      }
      calls += 1;
    }
    return { verdict: "residue", why: "unverified", says: `${undo.residue || "it was made good"}; its contract names no state to check that by`, calls };
  }

  async #progress({ session, undo }: Run, one: Done, calls: number, state: Seen): Promise<void> {
    const { store } = this.#options;
    const { seq } = one;
    const before = store.get("undo", session) ?? {};
    const progress = isObject(before["progress"]) ? before["progress"] : {};
    const value = { ...before, progress: { ...progress, [String(seq)]: { calls, state: digestsOf(state) } } };
    await store.append({ type: "undo.call", undo: undo ?? "", of: seq, session: one.session, calls }, { state: [{ kind: "undo", key: session, value }] });
  }

  /** A server that does not answer holds nobody up for longer than the limit undo_ms. */
  async #look(server: string, place: StatePlace, viewer: Viewer, roots: JsonObject, since?: Since): Promise<StateSnapshot> {
    const { eyes, clock } = this.#options;
    const over = new AbortController();
    const timer = clock.after(limits.undo_ms.value, () => over.abort());
    try {
      return await look(eyes, server, place, { ...viewer, signal: over.signal }, roots, since);
    } finally {
      timer.cancel();
    }
  }

  /** The first event after which it is too late. */
  async #closedGate(plan: PlanDocument, one: Done, roots: JsonObject, viewer: Viewer): Promise<Gate | null> {
    for (const gate of plan.undo.gates) if (await this.#isClosed(gate, plan, one, roots, viewer)) return gate;
    return null;
  }

  async #isClosed(gate: Gate, plan: PlanDocument, one: Done, roots: JsonObject, viewer: Viewer): Promise<boolean> {
    try {
      if ("olderThanMs" in gate) return this.#options.clock.nowMs() - one.atMs > gate.olderThanMs && holds(gate.when, roots);
      if ("after" in gate) return this.#happened(gate.after, one.seq).some((later) => holds(gate.when, { ...roots, later }));
      const seen = await this.#look(plan.server, placeOf(plan.server, { ...gate.read, keep: { $: "/answer" } }, roots), viewer, roots);
      return !seen.there || holds(gate.when, { ...roots, answer: seen.value });
    } catch (error) {
      if (error instanceof Unreadable || error instanceof MappingError) return true; // What cannot be known is as good as too late.
      throw error;
    }
  }

  /** Arguments of actions of a name that came after an entry, by whomever, and that were or may have been carried out. */
  #happened(action: string, after: number): JsonObject[] {
    const { store } = this.#options;
    const found: JsonObject[] = [];
    for (const run of store.scan({ from: after + 1, action, types: ["decision"] })) {
      for (const record of run) {
        if (record.type !== "decision" || record.effect !== "allow") continue;
        const outcome = store.outcomeOf(record.seq);
        if (outcome?.type === "outcome" && outcome.status === "refused") continue;
        const value = record.payload === null ? null : store.unseal(record.payload)?.value;
        const input = isObject(value) ? value["input"] : null;
        // What was erased, or is more than can be looked through, may be the event of a gate.
        if (!isObject(input) || !isObject(input["args"]) || found.length >= limits.undo_actions.value) throw new Unreadable("not all that came later can be read");
        found.push(input["args"]);
      }
    }
    return found;
  }
}

/** How a place is looked at: what is kept of it. */
const viewKey = ({ reading }: StatePlace): string => JSON.stringify([reading.keep, reading.absent]);

/** What places would be after the lines of a dry run so far. One that was looked at in another way then is taken to be what it was right after the action. */
const imaginedOf = (imagined: Imagined | null, places: readonly { readonly name: string; readonly place: StatePlace }[], { after }: Settlement): Seen =>
  Object.fromEntries(places.map(({ name, place }) => [name, imagined?.get(place.key)?.get(viewKey(place)) ?? after?.[name] ?? { digest: "", value: null }]));

const digestsOf = (seen: Seen): Record<string, string> => Object.fromEntries(Object.entries(seen).map(([name, { digest }]) => [name, digest]));

/** What finds the same again: that of right after, which knows what is new, else that of before. */
const keptOf = (name: string, { before }: PlanDocument, { after }: Settlement): Json | undefined => {
  const was = before?.[name];
  return after?.[name]?.kept ?? (was?.there ? was.kept : undefined);
};

/** What is read, null when it cannot be: for when calls were made already, so that nothing is left as it was. */
const readable = async (read: () => Promise<Seen>): Promise<Seen | null> => {
  try {
    return await read();
  } catch (error) {
    if (error instanceof Unreadable) return null;
    throw error;
  }
};

/** Whether its server said how it ended, so that nothing of it is still to come. */
const hasEnded = ({ status }: Done): boolean => status === "done" || status === "failed";

const refused = (why: string, says: string): Judged => ({ verdict: "refused", why, says, calls: 0 });

const good = ({ undo }: PlanDocument): Pick<Judged, "verdict" | "says"> => (undo.class === "compensable" ? { verdict: "residue", says: undo.residue || "made good" } : { verdict: "restored", says: undo.residue });

const unplanned = ({ class: of, status }: Done): [why: string, says: string] => {
  if (of === "irreversible") return ["irreversible", "its contract says that it cannot be taken back"];
  if (of === "unknown") return ["unknown", "no contract says how it could be taken back"];
  return ["no_plan", status === "open" ? "it was interrupted before its way back was written down" : "no way back was written down when it was carried out"];
};
