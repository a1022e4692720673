import { Fault, type Principal } from "@lanyard/contract";
import type { Config } from "../../base/config/config.ts";
import type { Store } from "../../base/store/port.ts";
import type { Flow } from "./flow.ts";

/** Who vouches: the operator, or a user by name. An agent never does. */
export type Voucher = "operator" | { readonly user: string };

interface VouchingRooms {
  readonly store: Pick<Store, "append" | "seal">;
  readonly config: () => Config;
  readonly flow: Pick<Flow, "addTask" | "vouch">;
  /** Null when no such session is open. */
  readonly principal: (session: string) => Principal | null;
}

/** What people add to what a session knows: more of its task, and values that they answer for. Each is on record before it counts, and ends with the session. */
export class Vouching {
  readonly #rooms: VouchingRooms;

  constructor(rooms: VouchingRooms) {
    this.#rooms = rooms;
  }

  /** Values in `text` count as the task's from now on. Throws Fault `not_found`, `forbidden` for whom the session does not act, `ledger_unavailable`. */
  async task(session: string, text: string, by: Voucher): Promise<void> {
    const principal = this.#need(session);
    if (by !== "operator" && by.user !== principal.user) throw new Fault("forbidden", `session \`${session}\` acts for \`${principal.user}\`, who alone says what it is for, beside the operator`);
    const sealed = this.#rooms.store.seal(`user:${principal.user}`, text);
    await this.#rooms.store.append({ type: "session.task", session, by: nameOf(by), text: sealed.commitment, payload: sealed.payload }, { sealed });
    this.#rooms.flow.addTask(principal, text);
  }

  /**
   * Exactly this value counts as the organisation's own in this session; with a label, it no longer carries that label. Throws Fault `not_found`,
   * `forbidden` for whoever is in no group under `origins: declassify:`, `ledger_unavailable`. `approval`: the one that it was said with.
   */
  async declassify(session: string, value: string, label: string | null, by: Voucher, approval?: string): Promise<void> {
    const principal = this.#need(session);
    this.needVoice(by);
    const sealed = this.#rooms.store.seal(`user:${principal.user}`, value);
    await this.#rooms.store.append({ type: "flow.declassify", session, by: nameOf(by), value: sealed.commitment, payload: sealed.payload, label, ...(approval !== undefined && { approval }) }, { sealed });
    this.#rooms.flow.vouch(principal, value, label);
  }

  /** Throws Fault `forbidden` for whoever may not vouch for values. */
  needVoice(by: Voucher): void {
    const { origins, users } = this.#rooms.config();
    const may = by === "operator" || (users.get(by.user)?.groups ?? []).some((group) => origins.declassify.includes(group));
    if (!may) throw new Fault("forbidden", `\`${by.user}\` is in none of the groups under \`origins: declassify:\` of lanyard.yaml`);
  }

  #need(session: string): Principal {
    const principal = this.#rooms.principal(session);
    if (!principal) throw new Fault("not_found", `no session \`${session}\` is open`);
    return principal;
  }
}

const nameOf = (by: Voucher): string => (by === "operator" ? by : `user:${by.user}`);
