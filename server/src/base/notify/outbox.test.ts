import type { Fault, RecordType } from "@lanyard/contract";
import { newSigner } from "@lanyard/ledger";
import fc from "fast-check";
import { expect, test } from "vitest";
import { yamlConfig } from "../../../../test/kits/approval.ts";
import { settled, stillClock } from "../../../../test/kits/clock.ts";
import { silent } from "../log.ts";
import { MemoryMedium, openMemory } from "../store/memory.ts";
import { Undelivered, type Attempt, type Deliver } from "./channel.ts";
import type { Notice } from "./notice.ts";
import { DurableOutbox } from "./outbox.ts";

const yaml = `
version: 1
channels:
  one: { kind: webhook, url: "http://127.0.0.1:9/", secret: "\${env:A}" }
  two: { kind: webhook, url: "http://127.0.0.1:9/", secret: "\${env:A}" }
limits: { notices: 3, notices_kept: 4, notice_bytes: 2000 }
`;

const noticeOf = (id: string, more: Partial<Notice> = {}): Notice => ({
  id, kind: "alert", severity: "warning", dedup: id, title: `title of ${id}`, lines: ["words that are nobody's business"], fields: [], commands: [], link: null, data: {}, ...more,
});

type Told = Attempt & { readonly channel: string };

/** An outbox on a store in memory, and channels that do what the test says. */
async function world() {
  const clock = stillClock();
  const disk = { medium: new MemoryMedium(), signer: newSigner("lanyard.local/test"), tenant: clock.random(32) };
  const live = { config: yamlConfig(yaml) };
  const attempts: Told[] = [];
  const doing: { [channel: string]: (attempt: Attempt) => Promise<string | null> } = {};
  const channel = (name: string): Deliver | null =>
    live.config.channels.has(name) ? (attempt) => (attempts.push({ ...attempt, channel: name }), doing[name]?.(attempt) ?? Promise.resolve(null)) : null;
  let store = await openMemory({ clock, ...disk });
  const start = () => new DurableOutbox({ store, clock, log: silent, config: () => live.config, channel });
  let outbox = start();
  return {
    ...{ clock, disk, live, attempts, doing },
    get store() {
      return store;
    },
    async post(name: string, notice: Notice) {
      await outbox.post(name, notice);
      await settled();
    },
    codeOf: (name: string, notice: Notice) => outbox.post(name, notice).then(() => "none", (error: Fault) => error.code),
    told: () => attempts.map(({ channel: name, notice }) => `${name} ${notice.id}`),
    records: (...types: RecordType[]) => store.entries({ types: types.length > 0 ? types : ["notice.post", "notice.deliver", "notice.fail"] }),
    async restart({ orderly = true } = {}) {
      await outbox[Symbol.asyncDispose](); // Writes nothing: a dead one would not go on either.
      if (orderly) await store[Symbol.asyncDispose]();
      store = await openMemory({ clock, ...disk });
      outbox = start();
      await settled();
    },
    close: () => outbox[Symbol.asyncDispose](),
  };
}

const passing = (code = "status_500", afterMs = 0) => Promise.reject(new Undelivered(code, { passing: true, afterMs }));

test("what is posted is recorded, delivered and recorded as delivered; its words are in no record and no state", async () => {
  const w = await world();
  await w.post("one", noticeOf("a"));
  expect(w.told()).toEqual(["one a"]);
  expect(w.attempts[0]?.notice).toEqual(noticeOf("a"));
  expect(w.records()).toMatchObject([{ type: "notice.post", id: "a", channel: "one", kind: "alert" }, { type: "notice.deliver", id: "a", channel: "one", attempts: 1 }]);
  expect(JSON.stringify([w.store.entries({}), [...w.disk.medium.state()]])).not.toContain("business");
});

test("the same id is posted once, however often and whenever it is said, also after a restart", async () => {
  const w = await world();
  await Promise.all([w.post("one", noticeOf("a")), w.post("one", noticeOf("a")), w.post("one", noticeOf("a", { title: "other" }))]);
  await w.post("one", noticeOf("a"));
  await w.restart();
  await w.post("one", noticeOf("a"));
  expect(w.told()).toEqual(["one a"]);
  await w.post("two", noticeOf("a"));
  expect(w.told()).toEqual(["one a", "two a"]);
});

test("a failing channel is tried again after 1, 2, 4 ... 300 s at most, each by half at the least, and with the same id", async () => {
  const w = await world();
  const timesMs: number[] = [];
  w.doing["one"] = () => (timesMs.push(w.clock.nowMs()), passing());
  await w.post("one", noticeOf("a"));
  await w.clock.advance(3_600_000);
  const pauses = timesMs.slice(1).map((atMs, index) => atMs - (timesMs[index] ?? 0));
  const longest = [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300].map((seconds) => seconds * 1000);
  expect(longest.filter((most, index) => (pauses[index] ?? 0) < most / 2 || (pauses[index] ?? Infinity) > most)).toEqual([]);
  const { length } = w.attempts;
  expect(new Set(w.told())).toEqual(new Set(["one a"]));
  w.doing["one"] = () => Promise.resolve(null);
  await w.clock.advance(300_000);
  expect(w.records("notice.deliver")).toMatchObject([{ id: "a", attempts: length + 1 }]);
});

test("it waits as long as the receiver asks, an hour at most", async () => {
  const w = await world();
  w.doing["one"] = () => passing("status_429", 120_000);
  await w.post("one", noticeOf("a"));
  await w.clock.advance(119_000);
  expect(w.attempts).toHaveLength(1);
  w.doing["one"] = () => passing("status_429", 900_000_000);
  await w.clock.advance(1000);
  expect(w.attempts).toHaveLength(2);
  await w.clock.advance(3_600_000);
  expect(w.attempts).toHaveLength(3);
});

test("it is given up after a day, or at the notice's own time, and that is recorded", async () => {
  const w = await world();
  w.doing["one"] = () => passing();
  await w.post("one", noticeOf("a"));
  await w.post("two", noticeOf("b", { untilMs: w.clock.nowMs() - 1 }));
  expect(w.records("notice.fail")).toMatchObject([{ id: "b", code: "expired", attempts: 0 }]);
  await w.clock.advance(24 * 3_600_000 - 1);
  expect(w.records("notice.fail")).toHaveLength(1);
  await w.clock.advance(600_000);
  expect(w.records("notice.fail")).toMatchObject([{ id: "b" }, { id: "a", code: "status_500" }]);
  const { length } = w.attempts;
  await w.clock.advance(3_600_000);
  expect(w.attempts).toHaveLength(length);
});

test("what cannot succeed is given up at once", async () => {
  const w = await world();
  w.doing["one"] = () => Promise.reject(new Undelivered("status_400", { passing: false }));
  await w.post("one", noticeOf("a"));
  expect(w.records("notice.fail")).toMatchObject([{ id: "a", code: "status_400", attempts: 1 }]);
});

test("a channel that hangs holds up no other, and an attempt ends after channel_ms", async () => {
  const w = await world();
  w.doing["one"] = ({ signal }) => new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Error("aborted"))));
  await w.post("one", noticeOf("a"));
  await w.post("two", noticeOf("b"));
  expect(w.records("notice.deliver")).toMatchObject([{ id: "b", channel: "two" }]);
  w.doing["one"] = () => Promise.resolve(null);
  await w.clock.advance(15_000 + 1000);
  expect(w.told()).toEqual(["one a", "two b", "one a"]);
  expect(w.records("notice.deliver")).toMatchObject([{ id: "b" }, { id: "a", attempts: 2 }]);
});

test("notices about one thing keep their order, others go past one that fails", async () => {
  const w = await world();
  w.doing["one"] = ({ notice }) => (notice.dedup === "x" ? passing() : Promise.resolve(null));
  await w.post("one", noticeOf("open", { dedup: "x" }));
  await w.post("one", noticeOf("over", { dedup: "x", kind: "resolved" }));
  await w.post("one", noticeOf("other"));
  await w.clock.advance(60_000);
  expect(w.records("notice.deliver")).toMatchObject([{ id: "other" }]);
  expect(w.told()).not.toContain("one over");
  w.doing["one"] = ({ notice, earlier }) => Promise.resolve(notice.kind === "resolved" ? `after ${earlier ?? "nothing"}` : "first");
  await w.clock.advance(300_000);
  expect(w.records("notice.deliver")).toMatchObject([{ id: "other" }, { id: "open" }, { id: "over" }]);
  expect(w.attempts.at(-1)).toMatchObject({ earlier: "first" });
});

test("what waits survives a restart and a crash, and so does what later notices refer to", async () => {
  const w = await world();
  w.doing["one"] = ({ notice }) => (notice.id === "b" ? passing() : Promise.resolve("reference"));
  await w.post("one", noticeOf("a", { dedup: "x" }));
  await w.post("one", noticeOf("b", { dedup: "x" }));
  for (const orderly of [true, false]) {
    const { length } = w.attempts;
    await w.restart({ orderly });
    expect(w.attempts.slice(length)).toMatchObject([{ notice: { id: "b" }, earlier: "reference" }]);
  }
  w.doing["one"] = () => Promise.resolve(null);
  await w.restart();
  expect(w.records("notice.deliver")).toMatchObject([{ id: "a" }, { id: "b" }]);
});

test("a delivery that the disk does not take is written as soon as it can be, and not sent again", async () => {
  const w = await world();
  w.doing["one"] = () => passing();
  await w.post("one", noticeOf("a"));
  await w.post("one", noticeOf("b"));
  w.doing["one"] = () => {
    w.disk.medium.failure = new Error("ENOSPC");
    return Promise.resolve(null);
  };
  await w.clock.advance(20_000);
  const { length } = w.attempts; // What is owed comes first, so nothing more is sent.
  expect(w.records("notice.deliver")).toEqual([]);
  w.disk.medium.failure = null;
  w.doing["one"] = () => Promise.resolve(null);
  await w.clock.advance(60_000);
  expect(w.records("notice.deliver")).toHaveLength(2);
  expect(w.attempts).toHaveLength(length + 1);
});

test("while the disk refuses, nothing is posted and nothing is sent", async () => {
  const w = await world();
  w.disk.medium.failure = new Error("ENOSPC");
  expect(await w.codeOf("one", noticeOf("a"))).toBe("ledger_unavailable");
  expect(w.attempts).toEqual([]);
});

test("a channel that is configured no more, and a subject that was erased, end what waits", async () => {
  const w = await world();
  w.doing["one"] = () => passing();
  w.doing["two"] = () => passing();
  await w.post("one", noticeOf("a", { about: "user:ana" }));
  await w.post("two", noticeOf("b"));
  await w.store.erase("user:ana", "operator", "asked to");
  w.live.config = yamlConfig(yaml.replace(/ {2}two:.*\n/, ""));
  await w.clock.advance(2000);
  expect(w.records("notice.fail").map((record) => (record.type === "notice.fail" ? `${record.id} ${record.code}` : "")).toSorted()).toEqual(["a erased", "b no_channel"]);
});

test("limits notices and notice_bytes: at the limit yes, one past it no; an unknown channel is not found", async () => {
  const w = await world();
  w.doing["one"] = () => passing();
  for (const id of ["a", "b", "c"]) await w.post("one", noticeOf(id));
  expect(await w.codeOf("one", noticeOf("d"))).toBe("limit_exceeded");
  expect(await w.codeOf("two", noticeOf("d"))).toBe("none");
  const spare = 2000 - Buffer.byteLength(JSON.stringify(noticeOf("e", { title: "" })));
  expect(await w.codeOf("two", noticeOf("e", { title: "x".repeat(spare) }))).toBe("none");
  expect(await w.codeOf("two", noticeOf("f", { title: "x".repeat(spare + 1) }))).toBe("limit_exceeded");
  expect(await w.codeOf("three", noticeOf("a"))).toBe("not_found");
  expect(await w.codeOf("two", noticeOf("x".repeat(129)))).toBe("invalid_request");
});

test("a page is neither refused for the many questions that wait, nor waits for them", async () => {
  const w = await world();
  w.doing["one"] = () => passing();
  for (const id of ["a", "b", "c"]) await w.post("one", noticeOf(id, { kind: "approval" }));
  expect(await w.codeOf("one", noticeOf("d", { kind: "approval" }))).toBe("limit_exceeded");
  await w.post("one", noticeOf("page"));
  w.doing["one"] = () => Promise.resolve(null);
  await w.clock.advance(600_000);
  expect(w.records("notice.deliver").map((record) => (record.type === "notice.deliver" ? record.id : ""))[0]).toBe("page");
  expect(w.records("notice.deliver")).toHaveLength(4);
});

test("a page that always fails holds nothing else up for ever", async () => {
  const w = await world();
  w.doing["one"] = ({ notice }) => (notice.id === "page" ? passing() : Promise.resolve(null));
  await w.post("one", noticeOf("page"));
  await w.post("one", noticeOf("a", { kind: "approval" }));
  await w.clock.advance(3_600_000);
  expect(w.records("notice.deliver")).toMatchObject([{ id: "a" }]);
});

test("limit notices_kept: what is known of ended notices is bounded, in memory and on disk", async () => {
  const w = await world();
  for (let n = 0; n < 20; n++) await w.post("one", noticeOf(`n${n}`));
  expect(w.store.list("notice").length).toBeLessThanOrEqual(4);
  await w.post("one", noticeOf("n19"));
  expect(w.attempts).toHaveLength(20);
});

test("whatever fails and whenever it restarts, each notice is delivered or given up, and those about one thing in order", async () => {
  const step = fc.oneof(fc.record({ post: fc.nat(5), about: fc.nat(1) }), fc.constant("fail" as const), fc.constant("mend" as const), fc.constant("restart" as const), fc.constant("crash" as const), fc.record({ wait: fc.nat(400_000) }));
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
      const w = await world();
      w.live.config = yamlConfig(yaml.replace("notices: 3, notices_kept: 4", "notices: 100, notices_kept: 100"));
      const posted: string[] = [];
      for (const one of steps) {
        if (one === "fail") w.doing["one"] = () => passing();
        else if (one === "mend") w.doing["one"] = () => Promise.resolve(null);
        else if (one === "restart" || one === "crash") await w.restart({ orderly: one === "restart" });
        else if ("wait" in one) await w.clock.advance(one.wait);
        else {
          const id = `${one.about} ${one.post}`;
          if (!posted.includes(id)) posted.push(id);
          await w.post("one", noticeOf(id, { dedup: String(one.about) }));
        }
      }
      w.doing["one"] = () => Promise.resolve(null);
      await w.clock.advance(700_000);
      const ended = w.records("notice.deliver").flatMap((record) => (record.type === "notice.deliver" ? [record.id] : []));
      for (const about of ["0", "1"]) expect(ended.filter((id) => id.startsWith(about))).toEqual(posted.filter((id) => id.startsWith(about)));
      await w.close();
    }),
    { numRuns: 40 },
  );
});
