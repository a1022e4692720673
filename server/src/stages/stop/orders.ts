import { Fault, stopKinds, stopSubjectKinds, type Action, type JsonObject, type Principal, type StopKind, type StopSubject, type StopSubjectKind } from "@lanyard/contract";

/** A stop or a quarantine in force. */
export interface StopOrder {
  readonly id: string;
  readonly kind: StopKind;
  readonly subject: StopSubject;
  /** As the ledger names whoever gave it. */
  readonly by: string;
  readonly why: string;
  readonly atMs: number;
  /** User on whose behalf a stopped session works; null for other subjects. */
  readonly user: string | null;
  /** The first of the two people that lifting it takes; null while there is none. */
  readonly approved: { readonly by: string; readonly atMs: number } | null;
}

/** Who and what a stop can be about: a session's principal, and the team that its agent has in the configuration in force. */
export interface StopTarget {
  readonly principal: Pick<Principal, "session" | "agent" | "user" | "chain" | "labels">;
  readonly team: string | null;
}

const keyOf = (kind: StopSubjectKind, name: string): string => `${kind} ${name}`;

/** Orders in force, by what they are about: whether one meets a call is as many look-ups as the call has properties, however many orders there are. */
export class Orders {
  readonly #byId = new Map<string, StopOrder>();
  readonly #bySubject = new Map<string, readonly StopOrder[]>();

  get size(): number {
    return this.#byId.size;
  }

  /** Oldest first. */
  list(): StopOrder[] {
    return [...this.#byId.values()].toSorted((a, b) => a.atMs - b.atMs);
  }

  get(id: string): StopOrder | null {
    return this.#byId.get(id) ?? null;
  }

  of({ kind, name }: StopSubject): readonly StopOrder[] {
    return this.#bySubject.get(keyOf(kind, name)) ?? [];
  }

  set(order: StopOrder): void {
    this.#byId.set(order.id, order);
    const { kind, name } = order.subject;
    this.#bySubject.set(keyOf(kind, name), [...this.of(order.subject).filter(({ id }) => id !== order.id), order]);
  }

  delete(order: StopOrder): void {
    this.#byId.delete(order.id);
    const left = this.of(order.subject).filter(({ id }) => id !== order.id);
    const key = keyOf(order.subject.kind, order.subject.name);
    if (left.length > 0) this.#bySubject.set(key, left);
    else this.#bySubject.delete(key);
  }

  /** The strictest order that meets a session, and with `action` what it does; null when none does. */
  meeting({ principal, team }: StopTarget, action: Pick<Action, "server" | "name"> | null): StopOrder | null {
    if (this.#byId.size === 0) return null;
    let met: StopOrder | null = null;
    const { session, agent, user, chain, labels } = principal;
    const look = (kind: StopSubjectKind, name: string): void => {
      for (const order of this.of({ kind, name })) if (met === null || (met.kind === "quarantine" && order.kind === "stop")) met = order;
    };
    look("all", "all");
    look("agent", agent);
    if (team !== null) look("team", team);
    look("user", user);
    look("session", session);
    for (const above of chain) look("session", above);
    for (const label of labels) look("label", label);
    if (action) {
      look("server", action.server);
      look("tool", action.name);
    }
    return met;
  }
}

/** What the agent is told: which order, and not why, which may be no business of the agent's. */
export function faultOf({ id, kind, subject }: Pick<StopOrder, "id" | "kind" | "subject">): Fault {
  const whom = subjectText(subject);
  return kind === "stop" ? new Fault("stopped", `${whom} is stopped (order ${id})`) : new Fault("session_quarantined", `${whom} is quarantined (order ${id}), and only calls that read are let through`);
}

export const subjectText = ({ kind, name }: StopSubject): string => (kind === "all" ? "everything" : `${kind} \`${name}\``);

export const stateOf = ({ kind, subject, by, why, atMs, user, approved }: StopOrder): JsonObject => ({
  kind,
  subject: subject.kind,
  name: subject.name,
  by,
  why,
  at_ms: atMs,
  user,
  ...(approved && { approved_by: approved.by, approved_at_ms: approved.atMs }),
});

/** Invariant: what cannot be read is taken as the strictest it could be. */
export function fromState(id: string, value: JsonObject): StopOrder {
  const kind = stopKinds.find((one) => one === value["kind"]) ?? "stop";
  const subject = stopSubjectKinds.find((one) => one === value["subject"]) ?? "all";
  return {
    id,
    kind,
    subject: { kind: subject, name: subject === "all" ? "all" : String(value["name"]) },
    by: String(value["by"]),
    why: String(value["why"]),
    atMs: Number(value["at_ms"]),
    user: typeof value["user"] === "string" ? value["user"] : null,
    approved: typeof value["approved_by"] === "string" ? { by: value["approved_by"], atMs: Number(value["approved_at_ms"]) } : null,
  };
}

/** Whether a call was refused with this code because of an order: that is the order's effect, and no conduct of its own. */
export const isOfOrder = (code: string): boolean => code === "stopped" || code === "session_quarantined";
