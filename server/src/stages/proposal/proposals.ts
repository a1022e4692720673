import { createHash } from "node:crypto";
import { Fault, isObject, type Json, type JsonObject, type NewRecord } from "@lanyard/contract";
import type { Config } from "../../base/config/config.ts";
import type { Sealed, Store } from "../../base/store/port.ts";

/** Where a session's workspace stands. `applying` and `reverting`: an intent is recorded whose outcome is not known yet. */
export type WorkspaceState = "open" | "proposed" | "applying" | "applied" | "reverting" | "reverted";

/** A session's workspace as the daemon knows it; contents and paths never come here. */
export interface WorkspaceCard {
  readonly session: string;
  readonly agent: string;
  /** On whose behalf; that user may not approve. */
  readonly user: string;
  readonly state: WorkspaceState;
  /** Salted hash of every change; null before there was any look. */
  readonly proposal: string | null;
  readonly changes: number;
  /** Empty until they ran on this very proposal. */
  readonly gates: readonly { readonly gate: string; readonly passed: boolean; readonly findings: number }[];
  /** Of each list one must approve: a user, or `@group`. */
  readonly needs: readonly (readonly string[])[];
  readonly approvals: readonly string[];
}

/** Numbers of a proposal. */
export interface ProposalSize {
  readonly added: number;
  readonly changed: number;
  readonly removed: number;
  readonly renamed: number;
  readonly bytes: number;
  readonly refused: number;
}

interface ProposalRooms {
  readonly store: Store;
  config(): Config;
}

/**
 * What becomes of sessions' workspaces: who may do what with a proposal, and a record of every step. Invariant: I1, an intent is durable before
 * anything is applied or taken back. The files are the command line's; this room sees hashes and numbers.
 */
export class Proposals {
  readonly #rooms: ProposalRooms;
  #working: Promise<unknown> = Promise.resolve();

  constructor(rooms: ProposalRooms) {
    this.#rooms = rooms;
  }

  list(): WorkspaceCard[] {
    return this.#rooms.store.list("workspace").map(({ key, value }) => cardFrom(key, value));
  }

  /** What stands in lanyard.yaml of gates, in one word: a verdict by other gates is none. */
  gates(): string {
    return gatesWord(this.#rooms.config().gates);
  }

  /** Users and groups whose approval a proposal lacks. */
  lacking({ needs, approvals, user }: WorkspaceCard): string[][] {
    const { users } = this.#rooms.config();
    const speaks = (by: string, name: string): boolean => by === name || (name.startsWith("@") && (users.get(by)?.groups.includes(name.slice(1)) ?? false));
    // Who approved must still have a voice: a group can lose a member.
    const heard = approvals.filter((by) => by !== user && users.has(by));
    return needs.filter((names) => !heard.some((by) => names.some((name) => speaks(by, name)))).map((names) => [...names]);
  }

  /** Throws Fault `conflict` when it has one already, `limit_exceeded`. */
  open(who: { readonly session: string; readonly agent: string; readonly user: string }, base: { readonly base: string; readonly files: number; readonly bytes: number; readonly left: number }): Promise<WorkspaceCard> {
    return this.#turn(async () => {
      const { store, config } = this.#rooms;
      if (store.get("workspace", who.session)) throw new Fault("conflict", `session \`${who.session}\` has a workspace already`);
      const { workspaces } = config().limits;
      if (store.list("workspace").length >= workspaces) throw new Fault("limit_exceeded", `${workspaces} workspaces wait to be applied or discarded, the limit workspaces; see \`lanyard session proposals\``);
      return this.#write({ ...who, state: "open", proposal: null, changes: 0, gates: [], needs: [], approvals: [] }, { type: "workspace.open", ...who, ...base });
    });
  }

  /** What the workspace has become. The same proposal again keeps its gates and approvals. Throws Fault `not_found`, `conflict`. */
  propose(session: string, proposal: string, size: ProposalSize, sealed: { readonly folder: string; readonly paths: readonly string[] }): Promise<WorkspaceCard> {
    return this.#turn(async () => {
      const card = this.#get(session, ["open", "proposed"]);
      if (card.proposal === proposal) return card;
      const box = this.#rooms.store.seal(`user:${card.user}`, { folder: sealed.folder, paths: [...sealed.paths] });
      const changes = size.added + size.changed + size.removed + size.renamed;
      return this.#write({ ...card, state: "proposed", proposal, changes, gates: [], needs: [], approvals: [] }, { type: "workspace.diff", session, proposal, ...size, paths: box.commitment, payload: box.payload }, box);
    });
  }

  judge(session: string, proposal: string, gates: WorkspaceCard["gates"], needs: WorkspaceCard["needs"], by: string): Promise<WorkspaceCard> {
    return this.#turn(async () => {
      const card = this.#get(session, ["proposed"], proposal);
      let next: WorkspaceCard = { ...card, gates: [], needs };
      for (const gate of gates) next = await this.#write({ ...next, gates: [...next.gates, gate] }, { type: "workspace.gate", session, proposal, ...gate, by });
      return next;
    });
  }

  /** Throws Fault `forbidden` for the user it was made for, and for whom nobody asked. */
  approve(session: string, proposal: string, user: string): Promise<WorkspaceCard> {
    return this.#turn(async () => {
      const card = this.#get(session, ["proposed"], proposal);
      if (user === card.user) throw new Fault("forbidden", `\`${user}\` may not approve what was made on behalf of \`${user}\``);
      if (card.approvals.includes(user)) throw new Fault("conflict", `\`${user}\` has approved this proposal already`);
      const next = { ...card, approvals: [...card.approvals, user] };
      if (this.lacking(next).length === this.lacking(card).length) throw new Fault("forbidden", `\`${user}\` is none of those whose approval this proposal lacks: ${wordsOf(this.lacking(card)) || "nobody's"}`);
      return this.#write(next, { type: "workspace.approve", session, proposal, by: `user:${user}` });
    });
  }

  /** The intent to apply. Throws Fault `denied` while a gate or an approval lacks. */
  apply(session: string, proposal: string, by: string): Promise<WorkspaceCard> {
    return this.#turn(async () => {
      const card = this.#get(session, ["proposed"], proposal);
      const failed = card.gates.filter(({ passed }) => !passed).map(({ gate }) => gate);
      if (card.gates.length === 0) throw new Fault("denied", "the gates did not run on this proposal; `lanyard session diff` runs them");
      if (failed.length > 0) throw new Fault("denied", `the proposal did not pass: ${failed.join(", ")}; \`lanyard session diff\` says why`);
      const lacking = this.lacking(card);
      if (lacking.length > 0) throw new Fault("denied", `the proposal lacks an approval of ${wordsOf(lacking)}; \`lanyard session approve\` gives one`);
      return this.#write({ ...card, state: "applying" }, { type: "workspace.apply", session, proposal, by });
    });
  }

  revert(session: string, proposal: string, by: string): Promise<WorkspaceCard> {
    return this.#turn(() => this.#write({ ...this.#get(session, ["applied"], proposal), state: "reverting" }, { type: "workspace.revert", session, proposal, by }));
  }

  /** How what was intended ended. Throws Fault `conflict` when nothing was. */
  conclude(session: string, status: "done" | "refused", code: string, by: string): Promise<WorkspaceCard> {
    return this.#turn(async () => {
      const card = this.#get(session, ["applying", "reverting"]);
      const type = card.state === "applying" ? "workspace.apply" : "workspace.revert";
      const of = this.#rooms.store.entries({ session, types: [type], limit: 1, newest: true })[0]?.seq;
      if (of === undefined) throw new Fault("internal", "a workspace waits for the outcome of an intent that is not on record");
      const state = card.state === "applying" ? (status === "done" ? "applied" : "proposed") : status === "done" ? "reverted" : "applied";
      return this.#write({ ...card, state }, { type: "workspace.outcome", of, session, status, code, by });
    });
  }

  discard(session: string, by: string): Promise<void> {
    return this.#turn(async () => {
      const { proposal } = this.#get(session, ["open", "proposed", "applied", "reverted"]);
      await this.#rooms.store.append({ type: "workspace.discard", session, proposal, by }, { state: [{ kind: "workspace", key: session, value: null }] });
    });
  }

  /** Throws Fault `not_found`, `conflict`. */
  #get(session: string, states: readonly WorkspaceState[], proposal?: string): WorkspaceCard {
    const value = this.#rooms.store.get("workspace", session);
    if (!value) throw new Fault("not_found", `session \`${session}\` has no workspace that waits; \`lanyard session proposals\` lists them`);
    const card = cardFrom(session, value);
    if (!states.includes(card.state)) throw new Fault("conflict", `the workspace of session \`${session}\` is ${card.state}, not ${states.join(" or ")}`);
    if (proposal !== undefined && proposal !== card.proposal) throw new Fault("conflict", `the proposal of session \`${session}\` has changed meanwhile; look at it again with \`lanyard session diff\``);
    return card;
  }

  async #write(card: WorkspaceCard, record: NewRecord, sealed?: Sealed): Promise<WorkspaceCard> {
    await this.#rooms.store.append(record, { ...(sealed && { sealed }), state: [{ kind: "workspace", key: card.session, value: stateOf(card) }] });
    return card;
  }

  /** One change at a time, in the order they came. */
  #turn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#working.then(work);
    this.#working = turn.catch(() => {});
    return turn;
  }
}

/** The same for the same gates. */
export const gatesWord = (gates: Config["gates"]): string => createHash("sha256").update(JSON.stringify(gates)).digest("base64url");

const wordsOf = (needs: readonly (readonly string[])[]): string => needs.map((names) => names.join(" or ")).join(", and of ");

const stateOf = ({ agent, user, state, proposal, changes, ...card }: WorkspaceCard): JsonObject => ({ agent, user, state, proposal, changes, gates: card.gates.map((gate) => ({ ...gate })), needs: card.needs.map((names) => [...names]), approvals: [...card.approvals] });

const strings = (list: Json | undefined): string[] => (Array.isArray(list) ? list.map(String) : []);

const cardFrom = (session: string, value: JsonObject): WorkspaceCard => ({
  session,
  agent: String(value["agent"]),
  user: String(value["user"]),
  state: String(value["state"]) as WorkspaceState,
  proposal: typeof value["proposal"] === "string" ? value["proposal"] : null,
  changes: Number(value["changes"]),
  gates: (Array.isArray(value["gates"]) ? value["gates"] : []).filter(isObject).map(({ gate, passed, findings }) => ({ gate: String(gate), passed: passed === true, findings: Number(findings) })),
  needs: (Array.isArray(value["needs"]) ? value["needs"] : []).map(strings),
  approvals: strings(value["approvals"]),
});
