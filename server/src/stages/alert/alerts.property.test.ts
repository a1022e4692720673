import fc from "fast-check";
import { expect, test } from "vitest";
import { alertWorld, orderOf } from "../../../../test/kits/alert.ts";

// Any night: conditions come and go, people acknowledge, the daemon restarts or dies, the ledger refuses for a while, and the clock on the wall is set.

const minute = 60_000;

type Event = { readonly kind: "quarantine" | "lift" | "server" | "back" | "ack" | "restart" | "crash" | "ledger down" | "ledger up"; readonly subject: string } | { readonly kind: "wait" | "jump"; readonly ms: number };

const subject = fc.constantFrom("a", "b");
const event: fc.Arbitrary<Event> = fc.oneof(
  fc.record({ kind: fc.constantFrom("quarantine", "lift", "server", "back", "ack"), subject }),
  fc.record({ kind: fc.constantFrom("restart", "crash", "ledger down", "ledger up"), subject: fc.constant("") }),
  fc.record({ kind: fc.constant("wait"), ms: fc.integer({ min: 1, max: 6 }).map((minutes) => minutes * minute) }),
  fc.record({ kind: fc.constant("jump"), ms: fc.integer({ min: -1440, max: 1440 }).map((minutes) => minutes * minute) }),
);

test("no page twice, none after somebody has it, none faster than its level allows, and every alert that was raised is open or over exactly once", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(event, { minLength: 1, maxLength: 14 }), async (events) => {
      await using w = await alertWorld({ startMs: Date.parse("2026-11-25T12:00:00Z") });
      const quarantined = new Set<string>();
      const down = new Set<string>();
      let [orders, elapsedMs, died] = [0, 0, false];
      const tell = (): void => {
        w.facts.quarantines = [...quarantined].map((name) => orderOf({ id: `st_${name}${orders}`, subject: `agent ${name}` }));
        w.facts.servers = [...down].map((server) => ({ server, failures: 2 }));
      };
      const step = async (one: Event): Promise<void> => {
        if (one.kind === "quarantine") orders += quarantined.has(one.subject) ? 0 : (quarantined.add(one.subject), 1);
        else if (one.kind === "lift") quarantined.delete(one.subject);
        else if (one.kind === "server") down.add(one.subject);
        else if (one.kind === "back") down.delete(one.subject);
        else if (one.kind === "ack") await w.alerts.acknowledge(w.only(), "ana").catch(() => {});
        else if (one.kind === "jump") w.wall.offMs += one.ms;
        else if (one.kind === "ledger down") {
          w.medium.failure = new Error("disk full");
          await w.store.append({ type: "session.close", session: "s", why: "test", actions: 0 }).catch(() => {});
        } else if (one.kind === "ledger up" || one.kind === "restart" || one.kind === "crash") {
          w.medium.failure = null;
          await w.advance(2000); // it tries by itself
          elapsedMs += 2000;
          if (one.kind !== "ledger up") await w.restart({ orderly: one.kind === "restart" });
          died ||= one.kind === "crash";
        }
        tell();
        const ms = one.kind === "wait" ? one.ms : 2000;
        elapsedMs += ms;
        await w.advance(ms);
      };
      for (const one of events) await step(one);
      w.medium.failure = null;
      await w.advance(5000);

      const records = w.records();
      const raised = records.flatMap((record) => (record.type === "alert.raise" ? [record.id] : []));
      const over = records.flatMap((record) => (record.type === "alert.resolve" ? [record.id] : []));
      const open = w.alerts.list().map((card) => String(card["id"]));
      expect([...over, ...open].sort()).toEqual([...raised].sort());
      expect(new Set(raised).size).toBe(raised.length);
      const sent = [...w.notices(), ...w.direct].map(({ channel, notice }) => `${channel} ${notice.id}`);
      if (!died) expect(new Set(sent).size).toBe(sent.length);
      for (const id of raised) {
        const own = records.filter((record) => "id" in record && record.id === id);
        const taken = own.findIndex(({ type }) => type === "alert.acknowledge");
        if (taken >= 0) expect(own.slice(taken + 1).every(({ type }) => type === "alert.resolve")).toBe(true);
        // Two levels of five and ten minutes, gone through twice: so many pages and no more fit into the time.
        const pages = own.filter(({ type }) => type === "alert.raise" || type === "alert.escalate").length;
        const restarts = events.filter(({ kind }) => kind === "restart" || kind === "crash").length;
        expect(pages).toBeLessThanOrEqual(Math.min(4, 1 + Math.ceil(elapsedMs / (5 * minute)) + restarts));
      }
    }),
    { numRuns: 40 },
  );
});
