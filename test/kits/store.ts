import { Fault, type LedgerRecord, type NewRecord } from "@lanyard/contract";
import {
  canonicalize, consistencyProof, leafHash, nodeHash, openCheckpoint, parseVerifierKey, verifyConsistency, verifyProof, type NodeSource,
} from "@lanyard/ledger";
import { createHash } from "node:crypto";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { limits } from "../../server/src/base/limits.ts";
import { matches } from "../../server/src/base/store/filter.ts";
import type { LogFilter, Store } from "../../server/src/base/store/port.ts";
import { sampleRecords, someDecision, someOutcome } from "./records.ts";

/** One place to store in: `open` opens it again and again, one store at a time; `clean` removes it. */
export interface Place {
  open(): Promise<Store>;
  clean(): Promise<void>;
}

const close = (session: string, actions = 0): NewRecord => ({ type: "session.close", session, why: "test", actions });

const codeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(() => "resolved", (error: unknown) => (error instanceof Fault ? error.code : `no fault: ${String(error)}`));

const size = (store: Store): number => openCheckpoint(store.checkpoint(), [parseVerifierKey(store.verifierKey())]).size;

/** The text of the port, as tests: what every store must do. */
export const storeKit = (name: string, make: () => Promise<Place>): void => {
  describe(name, () => {
    let place: Place;
    let store: Store;
    const reopen = async (): Promise<void> => {
      await store[Symbol.asyncDispose]();
      store = await place.open();
    };
    beforeEach(async () => {
      place = await make();
      store = await place.open();
    });
    afterEach(async () => {
      await store[Symbol.asyncDispose]();
      await place.clean();
    });

    describe("records", () => {
      test("an opened ledger begins with ledger.open and a checkpoint of it", () => {
        expect(store.entry(0)).toMatchObject({ type: "ledger.open", v: 1, seq: 0, open_intents: [], more: 0 });
        expect([store.size(), size(store), store.healthy()]).toEqual([1, 1, true]);
      });

      test("every type of record is kept as its canonical bytes", async () => {
        await store.append(someDecision());
        for (const record of Object.values(sampleRecords)) {
          const { seq, atMs } = await store.append(record);
          const kept = { ...record, v: 1, seq, at_ms: atMs };
          expect(store.entry(seq)).toEqual(kept);
          expect(Buffer.from(store.entryBytes(seq) ?? []).toString()).toBe(canonicalize(kept));
        }
      });

      test("a thousand appends at once get one seq each, in the order they were made", async () => {
        const receipts = await Promise.all(Array.from({ length: 1000 }, (_, at) => store.append(close("s", at))));
        expect(receipts.map(({ seq }) => seq)).toEqual(Array.from({ length: 1000 }, (_, at) => at + 1));
        expect(store.entries({ from: 400, to: 402 }).map((record) => record.type === "session.close" && record.actions)).toEqual([399, 400, 401]);
      });

      test.each<[string, unknown]>([
        ["an unknown key", { ...close("s"), extra: 1 }],
        ["an unknown type", { type: "session.unknown", session: "s" }],
        ["a float", close("s", 1.5)],
        ["an unsafe integer", close("s", 2 ** 53)],
        ["a lone surrogate", { type: "session.close", session: "s\ud800", why: "x", actions: 0 }],
        ["a missing key", { type: "session.close", session: "s" }],
        ["an envelope of its own", { ...close("s"), seq: 7 }],
      ])("%s is refused and leaves no trace", async (_, record) => {
        expect(await codeOf(store.append(record as NewRecord))).toBe("internal");
        expect((await store.append(close("s"))).seq).toBe(1);
      });

      test("a record of record_bytes is kept, one byte more is refused", async () => {
        const bytesOf = (record: NewRecord): number => Buffer.byteLength(canonicalize({ ...record, v: 1, seq: 1, at_ms: 1_700_000_000_000 }));
        const long = (bytes: number): NewRecord => {
          const policies = Array.from({ length: 240 }, () => "p".repeat(256));
          for (let missing = bytes - bytesOf(someDecision("deny", { policies })); missing > 0; missing = bytes - bytesOf(someDecision("deny", { policies })))
            policies.push("p".repeat(Math.max(1, Math.min(256, missing - 3) - (missing - 259 < 4 && missing > 259 ? 4 : 0))));
          return someDecision("deny", { policies });
        };
        const { seq } = await store.append(long(limits.record_bytes.value));
        expect(store.entryBytes(seq)?.length).toBe(limits.record_bytes.value);
        expect(await codeOf(store.append(long(limits.record_bytes.value + 1)))).toBe("limit_exceeded");
      });

      test("pending_appends records wait, one more is refused", async () => {
        const all = Array.from({ length: limits.pending_appends.value + 1 }, () => codeOf(store.append(close("s"))));
        const codes = await Promise.all(all);
        expect(codes.lastIndexOf("resolved")).toBe(limits.pending_appends.value - 1);
        expect(codes.at(-1)).toBe("ledger_unavailable");
      });

      test("a closed store refuses", async () => {
        await store[Symbol.asyncDispose]();
        expect(await codeOf(store.append(close("s")))).toBe("ledger_unavailable");
        expect(store.healthy()).toBe(false);
        store = await place.open();
        expect(store.entry(1)).toMatchObject({ type: "ledger.close" });
      });
    });

    test("a prover proves many records against the checkpoint it began with, while the ledger grows past several blocks", async () => {
      await Promise.all(Array.from({ length: 600 }, (_, at) => store.append(close("s", at))));
      const { prove } = store.prover();
      await Promise.all(Array.from({ length: 300 }, (_, at) => store.append(close("t", at))));
      for (const seq of [0, 1, 255, 256, 257, 511, 512, 600]) expect(verifyProof(prove(seq), [parseVerifierKey(store.verifierKey())], store.entryBytes(seq) ?? undefined).checkpoint.size).toBe(601);
      expect(() => prove(601)).toThrow("the ledger has 601 records");
    });

    describe("intents and outcomes", () => {
      test("an outcome ends an intent once; none is of a denial or of nothing", async () => {
        const { seq } = await store.append(someDecision());
        const denied = await store.append(someDecision("deny"));
        expect(store.outcomeOf(seq)).toBeNull();
        const both = [store.append(someOutcome(seq)), store.append(someOutcome(seq)), store.append(close("s"))];
        expect(await Promise.all(both.map(codeOf))).toEqual(["resolved", "internal", "resolved"]);
        expect(await codeOf(store.append(someOutcome(seq)))).toBe("internal");
        expect(await codeOf(store.append(someOutcome(denied.seq)))).toBe("internal");
        expect(await codeOf(store.append(someOutcome(999)))).toBe("internal");
        expect(store.outcomeOf(seq)).toMatchObject({ type: "outcome", of: seq });
      });

      test("an intent of this run is not open; of an earlier run it is, and stays so until its outcome", async () => {
        const intents = await Promise.all([someDecision(), someDecision(), someDecision("deny"), someDecision()].map((record) => store.append(record)));
        await store.append(someOutcome(2));
        expect(store.openIntents()).toEqual([]);
        await reopen();
        const open = [intents[0]?.seq, intents[3]?.seq];
        expect(store.openIntents()).toEqual(open);
        expect(store.entry(store.size() - 1)).toMatchObject({ type: "ledger.open", open_intents: open, more: 0 });
        await reopen();
        expect(store.openIntents()).toEqual(open);
        await store.append(someOutcome(1));
        expect(store.openIntents()).toEqual([open[1]]);
        await reopen();
        expect(store.openIntents()).toEqual([open[1]]);
      });

      test("a decision is found by its id, of either form", async () => {
        for (let at = 0; at < 600; at++) void store.append(someDecision("deny"));
        const made = await store.append(someDecision("deny", { id: "d_of-another-form" }));
        const id = (store.entry(300) as LedgerRecord & { type: "decision" }).id;
        expect([store.decisionById(id), store.decisionById("d_of-another-form"), store.decisionById("d_BBBBBBBBBBBBBBBB"), store.decisionById("nothing")]).toEqual([300, made.seq, null, null]);
      });
    });

    describe("payloads", () => {
      const value = { text: "4111 1111 1111 1111", amount: 12.5, deep: [{ "\u20ac": null }] };
      const withInput = (subject: string): [NewRecord, { sealed: ReturnType<Store["seal"]> }] => {
        const sealed = store.seal(subject, value);
        return [someDecision("deny", { input: sealed.commitment, payload: sealed.payload }), { sealed }];
      };

      test("what is sealed opens, also in another run, and only the true value opens the commitment", async () => {
        const [record, attached] = withInput("user:ana");
        await store.append(record, attached);
        await reopen();
        const opened = store.unseal(attached.sealed.payload);
        expect(opened?.value).toEqual(value);
        const { commitment } = attached.sealed;
        expect(store.opens(commitment, opened?.salt ?? "", value)).toBe(true);
        expect(store.opens(commitment, opened?.salt ?? "", { ...value, amount: 12 })).toBe(false);
        expect(store.opens(commitment, "AAAAAAAAAAAAAAAAAAAAAA", value)).toBe(false);
      });

      test("many open at once as one by one, each against its commitment", async () => {
        const boxes = Array.from({ length: 40 }, (_, at) => withInput(`user:${at % 3}`));
        await Promise.all(boxes.map(([record, attached]) => store.append(record, attached)));
        await reopen();
        await store.erase("user:1", "operator", "asked to");
        const wanted = boxes.map(([, { sealed }], at) => ({ payload: sealed.payload, commitment: at === 0 ? (boxes[1]?.[1].sealed.commitment ?? "") : sealed.commitment }));
        const unknown = [{ payload: "p999", commitment: "" }, { payload: "nonsense", commitment: "" }, wanted[0] as (typeof wanted)[0]];
        expect(store.unsealAll([...wanted, ...unknown])).toEqual([...wanted.map((_, at) => (at % 3 === 1 ? "erased" : { value, opens: at !== 0 })), "erased", "erased", { value, opens: false }]);
        expect(store.unsealAll([])).toEqual([]);
      });

      test("the same value twice commits differently", () => {
        expect(store.seal("user:ana", value).commitment).not.toBe(store.seal("user:ana", value).commitment);
      });

      test("what was sealed but not appended is nowhere, and its number is not used again", async () => {
        const unused = store.seal("user:ana", value);
        expect(store.unseal(unused.payload)).toBeNull();
        const [record, attached] = withInput("user:ana");
        await store.append(record, attached);
        expect(attached.sealed.payload).not.toBe(unused.payload);
        expect([store.unseal("p999"), store.unseal("nonsense")]).toEqual([null, null]);
      });

      test("a record must name the payload it brings and commit to it", async () => {
        const [record, attached] = withInput("user:ana");
        expect(await codeOf(store.append({ ...record, payload: null } as NewRecord, attached))).toBe("internal");
        expect(await codeOf(store.append(record))).toBe("internal");
        expect(await codeOf(store.append({ ...record, input: store.seal("user:ana", value).commitment } as NewRecord, attached))).toBe("internal");
        expect(await codeOf(store.append(record, attached))).toBe("resolved");
      });

      test("a payload is appended once, by the store that sealed it", async () => {
        const [record, attached] = withInput("user:ana");
        expect(await Promise.all([store.append(record, attached), store.append(record, attached)].map(codeOf))).toEqual(["resolved", "internal"]);
        expect(await codeOf(store.append(record, attached))).toBe("internal");
        const foreign = { ...store.seal("user:ana", value) };
        expect(await codeOf(store.append(someDecision("deny", { input: foreign.commitment, payload: foreign.payload }), { sealed: foreign }))).toBe("internal");
      });

      test("what was sealed while an erasure was on its way does not bring the key back", async () => {
        const first = withInput("user:ana");
        await store.append(first[0], first[1]);
        const erasing = store.erase("user:ana", "operator", "asked to");
        const late = withInput("user:ana");
        expect(await Promise.all([erasing, store.append(late[0], late[1])].map(codeOf))).toEqual(["resolved", "conflict"]);
        expect([store.unseal(first[1].sealed.payload), store.unseal(late[1].sealed.payload)]).toEqual([null, null]);
      });

      test("a value that is not JSON is refused", () => {
        expect(() => store.seal("user:ana", { a: "\udc00" })).toThrow(Fault);
      });

      test("erasing a subject takes its payloads and leaves everyone else's, the records and their proofs", async () => {
        const mine = [withInput("user:ana"), withInput("user:ana")];
        const other = withInput("user:ben");
        for (const [record, attached] of [...mine, other]) await store.append(record, attached);
        const late = withInput("user:ana");
        const { seq } = await store.erase("user:ana", "operator", "asked to");
        expect(store.entry(seq)).toMatchObject({ type: "erase", payloads: 2, by: "operator", why: "asked to" });
        expect(mine.map(([, { sealed }]) => store.unseal(sealed.payload))).toEqual([null, null]);
        expect(store.unseal(other[1].sealed.payload)?.value).toEqual(value);
        expect(await codeOf(store.append(late[0], late[1]))).toBe("conflict");
        const after = withInput("user:ana");
        await store.append(after[0], after[1]);
        await reopen();
        expect(store.unseal(after[1].sealed.payload)?.value).toEqual(value);
        expect(store.unseal(mine[0]?.[1].sealed.payload ?? "")).toBeNull();
        expect(verifyProof(store.prove(1), [parseVerifierKey(store.verifierKey())]).index).toBe(1);
        expect((await store.erase("user:nobody", "operator", "asked to")).seq).toBe(store.size() - 1);
      });
    });

    describe("state and objects", () => {
      test("documents change with their record, outlive the run, and are nobody else's object", async () => {
        const value = { token: "x", tags: ["a"], share: 0.5 };
        const changing = store.append(close("s"), { state: [{ kind: "session", key: "one", value }, { kind: "approval", key: "one", value: { of: 1 } }, { kind: "session", key: "two", value: {} }] });
        value.tags.push("later");
        await changing;
        value.tags.push("later still");
        expect(store.get("session", "one")).toEqual({ token: "x", tags: ["a"], share: 0.5 });
        await store.append(close("s"), { state: [{ kind: "session", key: "two", value: null }, { kind: "approval", key: "one", value: { of: 2 } }] });
        await reopen();
        expect(store.list("session")).toEqual([{ key: "one", value: { token: "x", tags: ["a"], share: 0.5 } }]);
        expect([store.get("approval", "one"), store.get("session", "two"), store.get("catalog", "one")]).toEqual([{ of: 2 }, null, null]);
      });

      test("the record commits to each change", async () => {
        await store.append(close("s"), { state: [{ kind: "session", key: "one", value: {} }, { kind: "session", key: "two", value: null }] });
        const { state } = store.entry(1) as LedgerRecord;
        expect(state).toEqual([[expect.any(String), expect.any(String)], [expect.any(String), null]]);
      });

      test("a document that is no JSON is refused", async () => {
        expect(await codeOf(store.append(close("s"), { state: [{ kind: "session", key: "one", value: { a: "\ud800" } }] }))).toBe("internal");
      });

      test("a record that is refused changes no document", async () => {
        expect(await codeOf(store.append(someOutcome(99), { state: [{ kind: "session", key: "one", value: {} }] }))).toBe("internal");
        await store.append(close("s"));
        expect(store.get("session", "one")).toBeNull();
      });

      test("state_changes documents change with one record, one more is refused", async () => {
        const changes = (count: number) => Array.from({ length: count }, (_, at) => ({ kind: "catalog" as const, key: `${at}`, value: { at } }));
        expect(await codeOf(store.append(close("s"), { state: changes(limits.state_changes.value) }))).toBe("resolved");
        expect(await codeOf(store.append(close("s"), { state: changes(limits.state_changes.value + 1) }))).toBe("limit_exceeded");
      });

      test("a large object is the same whichever way it came, outlives the run, and is taken once", async () => {
        const bytes = Buffer.from("permit (principal, action, resource);\n".repeat(3000));
        const address = await store.keepObject(bytes);
        expect(address).toBe(createHash("sha256").update(bytes).digest("base64url"));
        expect(store.putObject(bytes)).toBe(address);
        expect(Buffer.from(store.getObject(address) ?? [])).toEqual(bytes);
        await store.append(close("s"));
        await reopen();
        expect(Buffer.from(store.getObject(address) ?? [])).toEqual(bytes);
      });

      test("an object has the hash of its bytes as its address", async () => {
        const address = store.putObject(Buffer.from("abc"));
        expect(address).toBe("ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0");
        expect(store.putObject(Buffer.from("abc"))).toBe(address);
        await reopen();
        expect(Buffer.from(store.getObject(address) ?? []).toString()).toBe("abc");
        expect(store.getObject("A".repeat(43))).toBeNull();
      });

      test("a statement is vouched for by the ledger's own key, under its kind, and never passes for a checkpoint", async () => {
        const note = store.notary.vouch("lanyard test/v1", { a: 1, text: "line\nline" });
        await reopen();
        expect(store.notary.vouched("lanyard test/v1", note)).toEqual({ a: 1, text: "line\nline" });
        const others = [note.replace('"a":1', '"a":2'), note.slice(0, note.indexOf("\n\n") + 1), "", store.checkpoint(), `x${note}`];
        expect(others.map((other) => store.notary.vouched("lanyard test/v1", other))).toEqual(others.map(() => null));
        expect(store.notary.vouched("lanyard test/v2", note)).toBeNull();
        expect(() => openCheckpoint(note, [parseVerifierKey(store.verifierKey())])).toThrow(/checkpoint/);
      });
    });

    describe("reading", () => {
      test("a filter finds what a walk over all records finds", async () => {
        const names = ["a", "b", "c"];
        const made = fc.sample(fc.tuple(fc.constantFrom("allow", "deny", "ask" as const), fc.constantFrom(...names), fc.constantFrom(...names), fc.constantFrom("files/read", "files/write", "db/read")), 700);
        // Rare values in one place each: a whole block can be skipped for them, and must not be where they are.
        await Promise.all(made.map(([effect, agent, session, action], at) => store.append(at === 300 ? close("rare") : someDecision(effect as "allow", { agent: at === 500 ? "rare" : agent, session, action }))));
        const all = store.entries({ limit: 10_000 });
        expect(all.length).toBe(701);
        const optional = <T,>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined, freq: 2 });
        const filters = fc.record({
          from: optional(fc.nat(720)), to: optional(fc.nat(720)), sinceMs: optional(fc.constantFrom(...all.map((record) => record.at_ms))),
          types: optional(fc.subarray(["decision", "session.close", "ledger.open", "erase"] as const)),
          session: optional(fc.constantFrom(...names, "rare", "none")), agent: optional(fc.constantFrom(...names, "rare", "none")),
          effect: optional(fc.constantFrom("allow", "deny", "ask")), action: optional(fc.constantFrom("files/read", "files/*", "*", "db/*", "none", "none/*")),
          limit: optional(fc.integer({ min: 1, max: 900 })), newest: optional(fc.boolean()),
        });
        fc.assert(fc.property(filters, (random) => {
          const filter = Object.fromEntries(Object.entries(random).filter(([, value]) => value !== undefined)) as LogFilter;
          const expected = all.filter((record) => matches(filter, record));
          const limit = filter.limit ?? 1000;
          const wanted = filter.newest ? expected.slice(-limit) : expected.slice(0, limit);
          expect(store.entries(filter).map(({ seq }) => seq)).toEqual(wanted.map(({ seq }) => seq));
          expect([...store.scan(filter)].flat().map(({ seq }) => seq)).toEqual((filter.newest ? expected.toReversed() : expected).map(({ seq }) => seq));
        }), { numRuns: 100 });
      });

      test("a scan that pauses goes on where it was, and ends where the ledger ended when it began", async () => {
        await Promise.all(Array.from({ length: 400 }, (_, at) => store.append(close("s", at))));
        const seen: number[] = [];
        for (const run of store.scan({ types: ["session.close"] })) {
          seen.push(...run.map(({ seq }) => seq));
          await store.append(close("late"));
        }
        expect(seen).toEqual(Array.from({ length: 400 }, (_, at) => at + 1));
      });

      test("followers hear every record once it is durable, in order; one that throws or stops disturbs nobody", async () => {
        const heard: number[] = [];
        const stopped: number[] = [];
        store.follow(() => {
          throw new Error("a listener's bug");
        });
        const first = store.follow(({ seq }) => stopped.push(seq));
        store.follow((record) => heard.push(record.seq === store.size() - 1 || record.seq < store.size() ? record.seq : -1));
        await Promise.all(Array.from({ length: 100 }, () => store.append(close("s"))));
        first.stop();
        await store.append(close("s"));
        expect(heard).toEqual(Array.from({ length: 101 }, (_, at) => at + 1));
        expect(stopped).toHaveLength(100);
      });

      test("what is not there is null", () => {
        expect([store.entry(1), store.entry(-1), store.entry(0.5), store.entryBytes(7), store.outcomeOf(0)]).toEqual([null, null, null, null, null]);
        expect(() => store.prove(1)).toThrow(Fault);
      });
    });

    describe("the tree", () => {
      test("every record of a ledger past two blocks has a proof, and only for itself", async () => {
        await Promise.all(Array.from({ length: 600 }, (_, at) => store.append(close("s", at))));
        await reopen();
        const keys = [parseVerifierKey(store.verifierKey())];
        for (const seq of [0, 1, 2, 254, 255, 256, 257, 511, 512, 600, 601, 602]) {
          const proof = store.prove(seq);
          expect(verifyProof(proof, keys)).toMatchObject({ index: seq, entry: new Uint8Array(store.entryBytes(seq) ?? []) });
          expect(() => verifyProof(proof, keys, Buffer.from("another"))).toThrow();
        }
      });

      test("every checkpoint is consistent with those before, over runs", async () => {
        const keys = [parseVerifierKey(store.verifierKey())];
        const notes = [store.checkpoint()];
        for (const count of [1, 3, 250, 2, 300]) {
          await Promise.all(Array.from({ length: count }, () => store.append(close("s"))));
          notes.push(store.checkpoint());
          if (count === 250) await reopen();
        }
        const leaves = Array.from({ length: store.size() }, (_, seq) => leafHash(store.entryBytes(seq) ?? new Uint8Array()));
        const node: NodeSource = (level, index) => (level === 0 ? (leaves[index] as Uint8Array) : nodeHash(node(level - 1, index * 2), node(level - 1, index * 2 + 1)));
        const checkpoints = notes.map((note) => openCheckpoint(note, keys));
        for (let at = 1; at < checkpoints.length; at++) {
          const [older, newer] = [checkpoints[at - 1], checkpoints[at]];
          if (!older || !newer) throw new Error("unreachable");
          expect(verifyConsistency(older.size, older.root, newer.size, newer.root, consistencyProof(older.size, newer.size, node))).toBe(true);
        }
      });
    });
  });
};
