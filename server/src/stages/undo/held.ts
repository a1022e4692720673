import { Fault, type Action, type LedgerRecord, type Principal } from "@lanyard/contract";
import type { Clock } from "../../base/clock.ts";
import type { Config } from "../../base/config/config.ts";
import type { Log } from "../../base/log.ts";
import type { Approval, Facts, Intent, Pin } from "../../base/path.ts";
import type { Store } from "../../base/store/port.ts";
import { caseOf } from "../../base/undo/resolve.ts";
import { callFrom, cardOf, fromHeldState, heldState, sealedCall, type HeldCall, type HeldCard, type HeldWrite } from "./held-write.ts";

/** How a held write that was let go ended. */
export interface HeldEnd {
  /** Entry of the decision that it was let go by; null when none was made. */
  readonly of: number | null;
  readonly status: "done" | "failed" | "refused" | "uncertain";
  readonly code: string;
}

interface HeldOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  readonly config: () => Config;
  /** Decides the call anew, as what holds now, and carries it out if that allows it. */
  release(held: HeldWrite, call: HeldCall): Promise<HeldEnd>;
}

/** Endings of sessions after which what they staged is not sent. A session that ends its own work, or whose time is over, leaves it standing. */
const cutOff: ReadonlySet<string> = new Set(["closed by operator", "credential revoked", "stopped", "parent closed"]);
const toldMs = 3_600_000;
const retryMs = 5000;
const toldKept = 1000;

/**
 * Calls that wait for their time, in which they can be withdrawn: on disk before the agent hears of it, still there after a restart. When the time
 * has come the call is decided anew, with all that holds then.
 *
 * Invariant: nothing is sent that was withdrawn or voided before, nor twice: what is let go is taken off the disk before it is.
 */
export class HeldWrites implements Disposable {
  readonly #options: HeldOptions;
  readonly #held = new Map<string, HeldWrite>();
  /** The same by session and digest. */
  readonly #byCall = new Map<string, HeldWrite>();
  /** Those that are being carried out, by session and digest. */
  readonly #going = new Map<string, string>();
  /** Sessions of these. */
  readonly #busy = new Set<string>();
  /** How those ended that nobody has asked about since, by session and digest. */
  readonly #told = new Map<string, string>();
  #timer: { cancel(): void } | null = null;
  #closed = false;
  readonly #following: { stop(): void };

  constructor(options: HeldOptions) {
    this.#options = options;
    for (const { key, value } of options.store.list("held")) this.#keep(fromHeldState(key, value));
    this.#following = options.store.follow((record) => this.#heed(record));
  }

  /** Begins to let go what is due; before that nothing is. */
  start(): void {
    this.#arm();
  }

  // The path takes its steps as plain functions, so these are bound.

  /** What an identical call is told: that it waits, until when, or how it ended, once. Null when nothing is known of one. */
  readonly staged = ({ session }: Principal, { digest }: Action): Pin["refuse"] => {
    const key = keyOf(session, digest);
    const open = this.#byCall.get(key);
    if (open) return { code: "staged", text: `it is staged as ${open.id}, and carried out at ${new Date(open.untilMs).toISOString()} unless somebody withdraws it` };
    const going = this.#going.get(key);
    if (going !== undefined) return { code: "staged", text: `its time has come, and it is being carried out as ${going}` };
    const ended = this.#told.get(key);
    this.#told.delete(key);
    return ended === undefined ? null : { code: "staged", text: ended };
  };

  /** Stages an allowed call where its contract says so; null where it does not. Durable on return. Throws Fault `limit_exceeded`, `ledger_unavailable`. */
  readonly stage = async (action: Action, changed: Action, principal: Principal, intent: Intent, { pin }: Facts, approval: Approval | null): Promise<HeldCard | null> => {
    const { store, clock, config } = this.#options;
    const contract = config().undo.contracts.get(action.name);
    const stageMs = contract ? (caseOf(contract, changed.args)?.stageMs ?? 0) : 0;
    if (stageMs === 0) return null;
    if (action.protocol === "http") throw new Fault("invalid_config", `\`${action.name}\` cannot be staged: what leaves a sandbox waits for its answer`);
    this.#checkRoom(principal.session);
    const sealed = sealedCall(store, principal, action);
    const { session, agent, user, chain, tools, labels, isolation } = principal;
    const held: HeldWrite = { id: clock.id("hld"), session, agent, user, chain, tools, labels, isolation, action: action.name, digest: action.digest, definition: pin.definition, of: intent.seq, untilMs: clock.nowMs() + stageMs, payload: sealed.payload, approval };
    this.#keep(held);
    try {
      await store.append({ type: "held.stage", id: held.id, of: intent.seq, session, action: action.name, until_ms: held.untilMs, call: sealed.commitment, payload: sealed.payload }, { sealed, state: [{ kind: "held", key: held.id, value: heldState(held) }] });
    } catch (error) {
      this.#drop(held);
      throw error;
    }
    this.#arm();
    return cardOf(held, null);
  };

  /** Those that wait, by their time. With `who` only those that this session, or this user, may see. */
  list(who?: { readonly session: string } | { readonly user: string }): HeldCard[] {
    const open = [...this.#held.values()].filter((one) => who === undefined || this.#concerns(one, who));
    return open.toSorted((a, b) => a.untilMs - b.untilMs).map((one) => cardOf(one, callFrom(this.#options.store, one)?.args ?? null));
  }

  /** Takes one back before its time. Throws Fault `not_found`, `forbidden`, `ledger_unavailable`. */
  async withdraw(id: string, who: "operator" | { readonly session: string } | { readonly user: string }, by: string): Promise<HeldCard> {
    const held = this.#held.get(id);
    if (!held) throw new Fault("not_found", `nothing is staged as \`${id}\`; it may have been carried out already`);
    if (who !== "operator" && !this.#concerns(held, who)) throw new Fault("forbidden", `\`${id}\` is not yours to withdraw`);
    await this.#end(held, { type: "held.withdraw", id, session: held.session, by }, `it was withdrawn by ${by}, and not carried out`);
    return cardOf(held, null);
  }

  /** Ends all that match without carrying them out; returns how many. In force at once, on disk when it resolves. */
  async void(match: (held: HeldWrite) => boolean, why: string): Promise<number> {
    const met = [...this.#held.values()].filter(match);
    await Promise.all(met.map((held) => this.#end(held, { type: "held.void", id: held.id, session: held.session, why }, "it was voided, and not carried out")));
    return met.length;
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    this.#timer?.cancel();
    this.#following.stop();
  }

  #concerns({ session, user }: HeldWrite, who: { readonly session: string } | { readonly user: string }): boolean {
    if ("session" in who) return who.session === session;
    const { users, undo } = this.#options.config();
    const groups = users.get(who.user)?.groups ?? [];
    return who.user === user || undo.by.some((group) => groups.includes(group));
  }

  #checkRoom(session: string): void {
    const { held_writes: all, held_per_session: each } = this.#options.config().limits;
    if (this.#held.size >= all) throw new Fault("limit_exceeded", `${all} calls are staged, the limit held_writes`);
    if ([...this.#held.values()].filter((one) => one.session === session).length >= each) throw new Fault("limit_exceeded", `session \`${session}\` has ${each} calls staged, the limit held_per_session`);
  }

  /** Over in memory on the first line. */
  async #end(held: HeldWrite, record: Extract<Parameters<Store["append"]>[0], { type: "held.withdraw" | "held.void" }>, told: string): Promise<void> {
    if (!this.#drop(held)) return;
    this.#tell(held, told);
    this.#arm();
    await this.#write(record, held);
  }

  /** What ended in memory ends on the disk too, as soon as that can be written: a restart must not bring it back. */
  async #write(record: Parameters<Store["append"]>[0], held: HeldWrite): Promise<void> {
    const { store, clock, log } = this.#options;
    try {
      await store.append(record, { state: [{ kind: "held", key: held.id, value: null }] });
    } catch (error) {
      log.error("held.unwritten", { id: held.id, error });
      clock.after(retryMs, () => void this.#write(record, held).catch(() => {}));
      throw error;
    }
  }

  #keep(held: HeldWrite): void {
    this.#held.set(held.id, held);
    this.#byCall.set(keyOf(held.session, held.digest), held);
  }

  #drop(held: HeldWrite): boolean {
    if (this.#byCall.get(keyOf(held.session, held.digest)) === held) this.#byCall.delete(keyOf(held.session, held.digest));
    return this.#held.delete(held.id);
  }

  #tell({ session, digest }: HeldWrite, text: string): void {
    const key = keyOf(session, digest);
    this.#told.set(key, text);
    if (this.#told.size > toldKept) this.#told.delete(this.#told.keys().next().value ?? "");
    this.#options.clock.after(toldMs, () => void (this.#told.get(key) === text && this.#told.delete(key)));
  }

  #heed(record: LedgerRecord): void {
    if (record.type !== "session.close" || !cutOff.has(record.why)) return;
    void this.void(({ session }) => session === record.session, record.why).catch((error: unknown) => this.#options.log.error("held.unvoided", { error }));
  }

  #arm(): void {
    this.#timer?.cancel();
    if (this.#closed) return;
    const next = Math.min(...[...this.#held.values()].filter(({ session }) => !this.#busy.has(session)).map(({ untilMs }) => untilMs));
    if (Number.isFinite(next)) this.#timer = this.#options.clock.after(Math.max(0, next - this.#options.clock.nowMs()), () => this.#due());
  }

  /** One after another of each session; a server that does not answer one holds up nobody else's. */
  #due(): void {
    const now = this.#options.clock.nowMs();
    const due = [...this.#held.values()].filter(({ untilMs }) => untilMs <= now).toSorted((a, b) => a.untilMs - b.untilMs);
    for (const held of due) {
      if (this.#busy.has(held.session)) continue;
      this.#busy.add(held.session);
      void this.#letGo(held)
        .catch((error: unknown) => this.#options.log.error("held.unreleased", { id: held.id, error }))
        .finally(() => {
          this.#busy.delete(held.session);
          this.#arm();
        });
    }
    this.#arm();
  }

  /** Whoever asks meanwhile is told that it goes: it is not staged again. */
  async #letGo(held: HeldWrite): Promise<void> {
    if (!this.#drop(held)) return;
    const key = keyOf(held.session, held.digest);
    this.#going.set(key, held.id);
    try {
      await this.#carryOut(held);
    } finally {
      this.#going.delete(key);
    }
  }

  /** Taken off the disk first: a crash in between loses it rather than sending it twice, and its record says that it was about to go. */
  async #carryOut(held: HeldWrite): Promise<void> {
    const { store, release } = this.#options;
    const call = callFrom(store, held);
    try {
      await store.append({ type: "held.release", id: held.id, session: held.session, erased: call === null }, { state: [{ kind: "held", key: held.id, value: null }] });
    } catch (error) {
      this.#keep({ ...held, untilMs: this.#options.clock.nowMs() + retryMs }); // Nothing may happen unrecorded: later.
      throw error;
    }
    if (call === null) return;
    const { of, status, code } = await release(held, call);
    this.#tell(held, status === "done" ? `it was carried out (entry ${of ?? ""})` : `its time came, and it ended \`${status}\`${code === "" ? "" : ` (${code})`}${of === null ? "" : `, entry ${of}`}`);
    await store.append({ type: "held.outcome", id: held.id, session: held.session, of, status, code });
  }
}

const keyOf = (session: string, digest: string): string => `${session} ${digest}`;

