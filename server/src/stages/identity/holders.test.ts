import type { LedgerRecord, RecordType } from "@lanyard/contract";
import { newSigner } from "@lanyard/ledger";
import { expect, test } from "vitest";
import { settled, stillClock } from "../../../../test/kits/clock.ts";
import { parseConfig } from "../../base/config/read.ts";
import { silent } from "../../base/log.ts";
import { MemoryMedium, openMemory } from "../../base/store/memory.ts";
import { identityStage } from "./identity.ts";
import type { SessionRequest } from "./opening.ts";

const config = parseConfig(new TextEncoder().encode("version: 1\nteams: { eng: {} }\nusers: { ana: {} }\nagents: { coder: { team: eng } }\n"), "/srv/lanyard.yaml");
const graceMs = config.limits.holder_ms;

async function world() {
  const clock = stillClock();
  const disk = { medium: new MemoryMedium(), signer: newSigner("lanyard.local/test"), tenant: clock.random(32) };
  let store = await openMemory({ clock, ...disk });
  const start = () => identityStage({ store, clock, log: silent, config: () => config });
  let identity = start();
  return {
    clock,
    get identity() {
      return identity;
    },
    records: <T extends RecordType>(...types: T[]) => store.entries({ types }) as Extract<LedgerRecord, { type: T }>[],
    /** Without a farewell: what a SIGKILL leaves. */
    async crash() {
      store = await openMemory({ clock, ...disk });
      identity = start();
    },
    open: (request: SessionRequest = {}) => identity.open("operator", { agent: "coder", onBehalfOf: "ana", purpose: "tidy the docs", minutes: 60, ...request }),
    child: (token: string) => identity.open(identity.authenticate(token), {}),
  };
}

test("limit holder_ms: a held session ends, on record and with its children, once its last line is gone for that long", async () => {
  const w = await world();
  const whyOf = (id: string) => w.records("session.close").find(({ session }) => session === id)?.why;
  const [held, kept, free] = [await w.open({ held: true }), await w.open({ held: true }), await w.open()];
  const child = await w.child(held.token);
  expect(w.records("session.open").map((record) => record.held ?? false)).toEqual([true, true, false, false]);
  const [one, other] = [w.identity.hold(held.principal.session), w.identity.hold(held.principal.session)];
  using _ = w.identity.hold(kept.principal.session);
  await w.clock.advance(2 * graceMs);
  one[Symbol.dispose]();
  one[Symbol.dispose](); // No second time.
  await w.clock.advance(2 * graceMs);
  other[Symbol.dispose]();
  await w.clock.advance(graceMs - 1);
  expect(w.records("session.close")).toEqual([]);
  w.identity.hold(held.principal.session)[Symbol.dispose](); // Back for a moment: it counts anew.
  await w.clock.advance(graceMs - 1);
  expect(w.records("session.close")).toEqual([]);
  await w.clock.advance(1);
  await settled();
  expect([held, child, kept, free].map(({ principal }) => whyOf(principal.session))).toEqual(["its holder is gone", "parent closed", undefined, undefined]);
  expect(() => w.identity.authenticate(held.token)).toThrow("has ended");
});

test("held sessions of a daemon that was killed wait for their holders anew, and those that nobody ever held end too", async () => {
  const w = await world();
  const [back, gone, closed] = [await w.open({ held: true }), await w.open({ held: true }), await w.open({ held: true })];
  w.identity.hold(back.principal.session);
  await w.identity.close("operator", closed.principal.session, "done");
  await w.crash();
  w.identity.awaitHolders();
  await w.clock.advance(graceMs - 1);
  w.identity.hold(back.principal.session);
  await w.clock.advance(2 * graceMs);
  expect(w.identity.sessions().map(({ principal }) => principal.session)).toEqual([back.principal.session]);
  expect(w.records("session.close").map(({ session, why }) => [session, why])).toEqual([[closed.principal.session, "done"], [gone.principal.session, "its holder is gone"]]);
});
