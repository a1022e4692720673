import type { LedgerRecord } from "@lanyard/contract";
import type { Clock } from "./base/clock.ts";
import { sessionCalls } from "./base/config/budgets.ts";
import type { Config } from "./base/config/config.ts";
import type { LiveConfig } from "./base/config/live.ts";
import type { Log } from "./base/log.ts";
import { channelsOf } from "./base/notify/channels.ts";
import type { DurableOutbox } from "./base/notify/outbox.ts";
import type { Store } from "./base/store/port.ts";
import { verifyApart } from "./base/store/verify-apart.ts";
import { Alerts } from "./stages/alert/alerts.ts";
import type { Deadlines } from "./stages/history/deadlines.ts";
import { Postman } from "./stages/alert/postman.ts";
import type { BudgetCount, DownServer, OpenIntent, Sources, StandingOrder, WaitingCall } from "./stages/alert/sources.ts";
import { Verifier } from "./stages/alert/verifier.ts";
import { ConditionWatch } from "./stages/alert/watch.ts";
import type { BudgetStage, BudgetState } from "./stages/budget/budget.ts";
import { amountText, scopeText } from "./stages/budget/words.ts";
import type { Approvals } from "./stages/approval/approval.ts";
import type { CredentialStage } from "./stages/credential/credential.ts";
import type { Identity } from "./stages/identity/identity.ts";
import type { Upstreams } from "./stages/execution/upstreams.ts";
import { isOfOrder, type StopOrder } from "./stages/stop/orders.ts";
import type { StopStage } from "./stages/stop/stop.ts";

interface AlertingRooms {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  readonly live: LiveConfig;
  readonly approvals: Pick<Approvals, "list" | "onChange">;
  readonly credentials: CredentialStage;
  readonly stop: Pick<StopStage, "list">;
  readonly deadlines: Pick<Deadlines, "missed">;
  readonly budgets: Pick<BudgetStage, "list">;
  readonly identity: Pick<Identity, "sessions">;
}

/** Servers that are down are tried again so often while somebody wants to be told when they come back. */
const probeUs = 30_000_000;
/** What waits is asked for anew so often even when nothing changed: requests end by their time. */
const staleUs = 5_000_000;
/** Open intents looked at: the message says how many there are, and shows one. */
const mostIntents = 1000;

/** Alerts over everything that can go wrong here. */
export const alerting = (rooms: AlertingRooms, outbox: Pick<DurableOutbox, "post" | "open">, servers: Pick<Upstreams, "state" | "probe">, held: AsyncDisposableStack): Alerts => {
  const { store, clock, log, live, credentials } = rooms;
  const config = (): Config => live.current();
  const channel = channelsOf({ clock, config, fill: (templates) => credentials.fill(templates) });
  const postman = held.use(new Postman({ clock, log, outbox, channel, limits: () => config().limits }));
  const verifier = held.use(new Verifier({ clock, log, verify: (signal) => verifyApart(config().data, store.checkpoint(), signal) }));
  const watch = new ConditionWatch(rooms, { ...told(rooms), approvals: waitingCalls(rooms, held), intents: openIntents(rooms), quarantines: quarantines(rooms), downServers: downServers(rooms, servers), deadlines: () => rooms.deadlines.missed().map(({ of: seq, dueMs: sinceMs, ...missed }) => ({ ...missed, seq, sinceMs })), verdict: (everyMs) => verifier.verdict(everyMs) });
  return held.use(new Alerts({ store, clock, log, config, postman, told: () => outbox.open("alert"), watch: (isOpen) => watch.look(config().alerts.conditions, isOpen) }));
};

const told = ({ store, budgets, identity }: AlertingRooms): Pick<Sources, "budgets" | "ledgerWrites"> => ({
  budgets: () => {
    const agents = new Map(identity.sessions().map(({ principal: { session, agent } }) => [session, agent]));
    return budgets.list().map((state) => countOf(state, (session) => agents.get(session) ?? null));
  },
  ledgerWrites: () => store.healthy(),
});

/** As the rule about budgets weighs it. What has no room from its start is not used up. */
const countOf = ({ budget, scope, spent, reserved }: BudgetState, agentOf: (session: string) => string | null): BudgetCount => ({
  budget: budget.name,
  scope: scopeText(scope),
  used: amountText(budget, spent + reserved),
  limit: amountText(budget, budget.limit),
  percent: budget.limit === 0 ? 0 : Math.floor(((spent + reserved) * 100) / budget.limit),
  warn: budget.name === sessionCalls ? null : budget.warn,
  agent: scope.agent ?? (scope.session === undefined ? null : agentOf(scope.session)),
  session: scope.session ?? null,
});

/** Calls that wait. A card names everybody who may answer, which is too much to find out each second for all of them: they are asked for when something changed. */
const waitingCalls = ({ approvals, clock }: Pick<AlertingRooms, "approvals" | "clock">, held: AsyncDisposableStack): (() => readonly WaitingCall[]) => {
  let known: { readonly us: number; readonly calls: readonly WaitingCall[] } | null = null;
  const following = approvals.onChange(() => (known = null));
  held.defer(() => following.stop());
  return () => {
    if (known === null || clock.monotonicUs() - known.us >= staleUs) {
      const calls = approvals.list().flatMap(({ id, agent, action, groups, state, asked_at_ms: sinceMs }) => (state === "pending" ? [{ id, agent, action, groups, sinceMs }] : []));
      known = { us: clock.monotonicUs(), calls };
    }
    return known.calls;
  };
};

/** Intents without an outcome. What they say is on record and stays so: each is read once. */
const openIntents = ({ store }: Pick<AlertingRooms, "store">): (() => readonly OpenIntent[]) => {
  let known = new Map<number, OpenIntent>();
  const read = (seq: number): OpenIntent[] => {
    const record = store.entry(seq);
    return record?.type === "decision" ? [{ seq, agent: record.agent, session: record.session, action: record.action, sinceMs: record.at_ms }] : [];
  };
  return () => {
    const open = store.openIntents().slice(0, mostIntents).flatMap((seq) => known.get(seq) ?? read(seq));
    known = new Map(open.map((intent) => [intent.seq, intent]));
    return open;
  };
};

/** Nobody else asks a server that is down whether it is back, while no agent calls it. */
const downServers = ({ clock, log }: Pick<AlertingRooms, "clock" | "log">, servers: Pick<Upstreams, "state" | "probe">): (() => DownServer[]) => {
  const probed = new Map<string, number>();
  return () => {
    const down = servers.state().filter(({ failures, connections }) => failures > 0 && connections === 0);
    for (const { server } of down) {
      if (clock.monotonicUs() - (probed.get(server) ?? -probeUs) < probeUs) continue;
      probed.set(server, clock.monotonicUs());
      servers.probe(server).catch((error: unknown) => log.debug("server.still-down", { server, error }));
    }
    return down.map(({ server, failures }) => ({ server, failures }));
  };
};


/** Quarantines with what the ledger says they did. What is on record stays as it is, so each is looked up once. */
const quarantines = ({ store, stop }: Pick<AlertingRooms, "store" | "stop">): (() => StandingOrder[]) => {
  let known = new Map<string, StandingOrder>();
  return () => {
    // One that is about to be on record is told in a moment, with what it did; its record brings on the next look.
    const orders = stop.list().filter(({ kind, recorded }) => kind === "quarantine" && (recorded || !store.healthy()));
    const told = orders.map((order) => known.get(order.id) ?? toldOf(store, order));
    known = new Map(told.filter((_, index) => orders[index]?.recorded).map((order) => [order.id, order]));
    return told;
  };
};

/** Throws nothing: a quarantine is in force, and paged, while the ledger cannot even be read. */
function toldOf(store: Store, { id, subject: { kind, name }, by, why, atMs }: StopOrder): StandingOrder {
  const { given, last } = onRecord(store, { id, kind, name, atMs });
  return {
    id,
    subject: kind === "all" ? "everything" : `${kind} ${name}`.slice(0, 256).toWellFormed(),
    by,
    breaker: by === "lanyard" ? (/^breaker (\w+):/.exec(why)?.[1] ?? "unknown") : null, // Not from the record of the trip: it may not be written yet.
    why,
    sinceMs: atMs,
    done: given?.type === "stop.order" ? [`At once: open sessions quarantined: ${given.sessions}, calls under way cancelled: ${given.cancelled}, approvals voided: ${given.voided}.`] : [],
    session: last?.type === "decision" ? last.session : kind === "session" ? name : null,
    last: last?.seq ?? null,
    resume: `lanyard resume ${kind}${kind === "all" ? "" : ` ${word(name)}`}`,
  };
}

/** Calls that an order may have refused before it was on record. */
const mostRefused = 64;

/** The record of an order, and the last decision of the session to look at. */
function onRecord(store: Store, { id, kind, name, atMs }: { readonly id: string; readonly kind: string; readonly name: string; readonly atMs: number }): { given: LedgerRecord | null; last: LedgerRecord | null } {
  try {
    const near = store.entries({ types: ["stop.order", "breaker.trip"], sinceMs: atMs, limit: 1000 });
    const given = near.find((record) => record.type === "stop.order" && record.id === id) ?? null;
    const trip = near.find((record) => record.type === "breaker.trip" && record.order === id);
    const about = kind === "session" ? { session: name } : trip?.type === "breaker.trip" ? { session: trip.session } : kind === "agent" ? { agent: name } : null;
    const decided = about ? store.entries({ ...about, types: ["decision"], limit: mostRefused, newest: true, ...(given && { to: given.seq }) }) : [];
    // The order is in force before it is on record: what it refused in between is its effect, and not what to look at.
    return { given, last: decided.findLast((record) => record.type === "decision" && !isOfOrder(record.by)) ?? decided.at(-1) ?? null };
  } catch {
    return { given: null, last: null };
  }
}

/** As a shell takes it for one word: the name of a tool is its server's choice. */
const word = (name: string): string => (/^[\w@%+=:,./-]+$/.test(name) ? name : `'${name.replaceAll("'", "'\\''")}'`);
