import fc from "fast-check";
import { Fault, type Action, type LedgerRecord, type Principal, type StopSubject, type StopSubjectKind } from "@lanyard/contract";
import { newSigner } from "@lanyard/ledger";
import { expect, test } from "vitest";
import { actionOf, factsOf, principalOf, yamlConfig } from "../../../../test/kits/approval.ts";
import { settled, stillClock } from "../../../../test/kits/clock.ts";
import type { Exchange } from "../../base/exchange.ts";
import { silent } from "../../base/log.ts";
import { MemoryMedium, openMemory } from "../../base/store/memory.ts";
import { Orders, type StopOrder } from "./orders.ts";
import { StopStage } from "./stop.ts";

const yaml = `
version: 1
groups: { oncall: {}, sre: {} }
teams: { t: {} }
users: { ana: { groups: [oncall, sre] }, ben: { groups: [sre] } }
agents: { coder: { team: t } }
stop: { may_stop: [oncall], may_resume: [sre] }
limits: { stops: 3 }
`;
const exchange: Exchange = { era: "stateless", signal: new AbortController().signal, progress: () => {}, notify: () => {}, ask: async () => null };
const ana = { kind: "user", name: "ana" } as const;
const ben = { kind: "user", name: "ben" } as const;
const all: StopSubject = { kind: "all", name: "all" };
const coder: StopSubject = { kind: "agent", name: "coder" };

async function world(more = "") {
  const clock = stillClock();
  const disk = { medium: new MemoryMedium(), signer: newSigner("lanyard.local/test"), tenant: clock.random(32) };
  let store = await openMemory({ clock, ...disk });
  const config = yamlConfig(`${yaml}${more}\n`);
  const voided: string[] = [];
  const start = () => {
    const stage = new StopStage({ store, clock, log: silent, config: () => config });
    stage.reach = { sessions: () => [principalOf("s1"), principalOf("s2")], voidApprovals: ({ id }) => voided.push(id), sever: () => {} };
    return stage;
  };
  const state = { stop: start() };
  return {
    clock,
    disk,
    state,
    voided,
    get store() {
      return store;
    },
    records: (): LedgerRecord[] => store.entries({ types: ["stop.order", "stop.approve", "stop.lift", "breaker.trip"] }),
    async restart() {
      await state.stop[Symbol.asyncDispose]();
      await store[Symbol.asyncDispose]();
      store = await openMemory({ clock, ...disk });
      state.stop = start();
    },
  };
}

test("an order is in force before anything waits, with the disk down too; it is owed, written when the disk is back, and not lifted before", async () => {
  const { state, clock, disk, records } = await world();
  using passage = state.stop.enter(actionOf(), principalOf("s1"), exchange);
  disk.medium.failure = new Error("disk full");
  const ordering = state.stop.order("stop", coder, "runs wild", ana);
  expect(state.stop.standing(passage, factsOf())).toMatchObject({ code: "stopped" });
  expect(passage.exchange.signal.aborted).toBe(true);
  expect(passage.cut).toMatchObject({ code: "stopped" });
  expect(() => state.stop.look(passage, passage.action)).toThrow(expect.objectContaining({ code: "stopped" }));
  await clock.advance(1000);
  expect(await ordering).toMatchObject({ recorded: false, sessions: 2, cancelled: 1, voided: 1, order: { by: "user:ana" } });
  expect(state.stop.list()).toMatchObject([{ recorded: false }]);
  const early = expect(state.stop.lift(coder, ben)).rejects.toMatchObject({ code: "ledger_unavailable" });
  await clock.advance(1000);
  await early;
  disk.medium.failure = null;
  await clock.advance(10_000);
  expect(records()).toMatchObject([{ type: "stop.order", kind: "stop", subject: coder, by: "user:ana", why: "runs wild", cancelled: 1 }]);
  expect(state.stop.list()).toMatchObject([{ recorded: true }]);
  expect(await state.stop.lift(coder, ben)).toMatchObject({ lifted: true });
});

test("what cannot be recorded is not lifted", async () => {
  const { state, disk, clock } = await world();
  const ordered = state.stop.order("stop", coder, "x", "operator");
  await settled();
  await clock.advance(1000);
  await ordered;
  disk.medium.failure = new Error("disk full");
  await expect(state.stop.lift(coder, "operator")).rejects.toMatchObject({ code: "ledger_unavailable" });
  expect(state.stop.stopOf(principalOf("s1"))).toMatchObject({ code: "stopped" });
});

test("a stop that comes while the last one is being lifted outlives the lifting", async () => {
  const { state, clock } = await world();
  const give = async () => {
    const ordered = state.stop.order("stop", coder, "x", "operator");
    await clock.advance(1000);
    return ordered;
  };
  await give();
  const lifting = state.stop.lift(coder, "operator");
  const second = state.stop.order("stop", coder, "again", "operator");
  await lifting;
  await clock.advance(1000);
  expect(await second).toMatchObject({ already: false, recorded: true });
  expect(state.stop.stopOf(principalOf("s1"))).toMatchObject({ code: "stopped" });
  expect(state.stop.list()).toMatchObject([{ why: "again" }]);
});

test("orders survive a restart, the first yes to lifting everything too; it counts for an hour", async () => {
  const play = await world();
  const { clock } = play;
  const give = async () => {
    const ordered = play.state.stop.order("stop", all, "x", "operator");
    await settled();
    await clock.advance(1000);
    await ordered;
  };
  await give();
  const [id] = play.voided;
  await play.restart();
  expect(play.voided).toEqual([id, id]); // What it voided may not have been written before the end.
  expect(play.state.stop.stopOf(principalOf("s1"))?.message).toContain("everything is stopped");
  expect(await play.state.stop.lift(all, ana)).toMatchObject({ lifted: false });
  await play.restart();
  await expect(play.state.stop.lift(all, ana)).rejects.toMatchObject({ code: "forbidden" });
  await clock.advance(3_600_001);
  expect(await play.state.stop.lift(all, ben)).toMatchObject({ lifted: false }); // the other's word is too old: this is the first one now
  expect(await play.state.stop.lift(all, ana)).toMatchObject({ lifted: true });
  expect(play.records().at(-1)).toMatchObject({ type: "stop.lift", by: "user:ben", second: "user:ana" });
  expect(play.state.stop.stopOf(principalOf("s1"))).toBeNull();
});

test("at the limit stops the last one fits, the next does not, and `all` always does", async () => {
  const { state, clock } = await world();
  const label = async (name: string) => {
    const ordered = state.stop.order("stop", { kind: "label", name }, "x", "operator");
    void ordered.catch(() => {});
    await settled();
    await clock.advance(1000);
    return ordered;
  };
  for (const name of ["a", "b", "c"]) await label(name);
  await expect(label("d")).rejects.toMatchObject({ code: "limit_exceeded" });
  expect(await label("c")).toMatchObject({ already: true }); // the same again is no further one
  const ordered = state.stop.order("stop", all, "x", "operator");
  await clock.advance(1000);
  expect((await ordered).order.subject).toEqual(all);
});

test("what is done on one's own behalf is not let go on by oneself, also when a breaker held it", async () => {
  const { state, clock } = await world("breakers: { quarantines: session }");
  state.stop.canaries.set(new Map([["honey", "nobody-has-this"]]));
  using passage = state.stop.enter({ ...actionOf(), params: { text: "nobody-has-this" } }, principalOf("s1"), exchange);
  await clock.advance(1000);
  // Seen whatever else speaks against the call: nothing but its coming was needed.
  expect(passage.cut).toMatchObject({ code: "session_quarantined" });
  expect(state.stop.list()).toMatchObject([{ kind: "quarantine", subject: { kind: "session", name: "s1" }, user: principalOf("s1").user }]);
  const self = { kind: "user", name: principalOf("s1").user } as const;
  await expect(state.stop.lift({ kind: "session", name: "s1" }, self)).rejects.toMatchObject({ code: "forbidden", message: expect.stringContaining("is done for") as string });
});

test("an order about a session goes with it", async () => {
  const { state, store, clock, records } = await world();
  const ordered = state.stop.order("stop", { kind: "session", name: "s1" }, "x", "operator");
  await settled();
  await clock.advance(1000);
  await ordered;
  await store.append({ type: "session.close", session: "s1", why: "done", actions: 0 });
  await settled();
  expect(state.stop.list()).toEqual([]);
  expect(records().at(-1)).toMatchObject({ type: "stop.lift", by: "lanyard" });
});

const subject = fc.constantFrom<StopSubject>(
  ...(["session", "agent", "team", "user", "label"] as const).flatMap((kind) => ["a", "b"].map((name) => ({ kind, name }))),
  ...["f", "g"].map((name) => ({ kind: "server" as const, name })),
  ...["f/x", "g/x"].map((name) => ({ kind: "tool" as const, name })),
  all,
);

test("the index finds what looking at every order finds, and the strictest of it", () => {
  const orders = fc.array(fc.record({ subject, kind: fc.constantFrom("stop" as const, "quarantine" as const), gone: fc.boolean() }), { maxLength: 12 });
  const name = fc.constantFrom<string>("a", "b", "c");
  const who = fc.record({ session: name, agent: name, user: name, chain: fc.array(name, { maxLength: 2 }), labels: fc.array(name, { maxLength: 2 }) });
  fc.assert(
    fc.property(orders, who, fc.option(name, { nil: null }), fc.constantFrom({ server: "f", name: "f/x" }, { server: "g", name: "g/y" }, null), (given, principal, team, action) => {
      const index = new Orders();
      const made = given.map(({ subject: about, kind, gone }, at): StopOrder & { gone: boolean } => ({ id: String(at), kind, subject: about, by: "operator", why: "x", atMs: at, user: null, approved: null, gone }));
      for (const order of made) index.set(order);
      for (const order of made) if (order.gone) index.delete(order);
      const isMet: Record<StopSubjectKind, (name: string) => boolean> = {
        all: () => true, agent: (one) => one === principal.agent, team: (one) => one === team, user: (one) => one === principal.user,
        session: (one) => one === principal.session || principal.chain.includes(one), label: (one) => principal.labels.includes(one),
        server: (one) => one === action?.server, tool: (one) => one === action?.name,
      };
      const met = made.filter(({ gone, subject: about }) => !gone && isMet[about.kind](about.name)).map(({ kind }) => kind);
      expect(index.meeting({ principal, team }, action)?.kind ?? null).toBe(met.includes("stop") ? "stop" : (met[0] ?? null));
    }),
  );
});

test("a state that cannot be read is the strictest there is", async () => {
  const { store, state } = await world();
  await store.append({ type: "stop.approve", id: "stp_x", by: "operator" }, { state: [{ kind: "stop", key: "stp_x", value: { kind: "?", subject: "?", name: 7 } }] });
  const again = new StopStage({ store, clock: stillClock(), log: silent, config: () => yamlConfig(yaml) });
  expect(again.list()).toMatchObject([{ kind: "stop", subject: { kind: "all" } }]);
  expect(again.stopOf(principalOf("s1"))).toMatchObject({ code: "stopped" });
  expect(state.stop.list()).toEqual([]);
});

test("a call that was over before the stop is not met by it; one that reads is let through a quarantine", async () => {
  const { state, clock } = await world();
  const reads = state.stop.enter({ ...actionOf(), name: "files/read" } satisfies Action, principalOf("s1") satisfies Principal, exchange);
  const over = state.stop.enter(actionOf(), principalOf("s1"), exchange);
  state.stop.standing(reads, { pin: { ...factsOf().pin, contract: { effects: ["read"], reversibility: "read" } } });
  using queries = state.stop.enter({ ...actionOf(), name: "files/query" }, principalOf("s1"), exchange);
  const query = { definition: "H", contract: { effects: ["read"], reversibility: "irreversible", classes: ["read", "irreversible"] }, refuse: null } as const;
  state.stop.standing(queries, { pin: query, input: { ...factsOf().input, reversibility: "irreversible" } });
  over[Symbol.dispose]();
  const ordered = state.stop.order("quarantine", coder, "x", "operator");
  queries[Symbol.dispose]();
  await clock.advance(1000);
  expect(await ordered).toMatchObject({ cancelled: 1 });
  expect(queries.cut).toMatchObject({ code: "session_quarantined" }); // its tool reads, these arguments of it do not
  expect(state.stop.standing(queries, { pin: query, input: { ...factsOf().input, reversibility: "read" } })).toBeNull();
  expect([over.cut, reads.cut]).toEqual([null, null]);
  expect(() => state.stop.look(reads, reads.action)).not.toThrow();
  const strict = state.stop.order("stop", coder, "x", "operator");
  await clock.advance(1000);
  await strict;
  expect(reads.cut).toBeInstanceOf(Fault);
  reads[Symbol.dispose]();
});
