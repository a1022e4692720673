import { type Action, type DecisionInput, type JsonObject, type Principal } from "@lanyard/contract";
import { newSigner } from "@lanyard/ledger";
import { compile, openSnapshot, type Snapshot } from "@lanyard/policy";
import { beforeEach, describe, expect, it } from "vitest";
import { systemClock, type Clock } from "../../base/clock.ts";
import { defaultLimits } from "../../base/limits.ts";
import type { Log } from "../../base/log.ts";
import type { Facts, Intent, OutcomeStatus } from "../../base/path.ts";
import { MemoryMedium, openMemory } from "../../base/store/memory.ts";
import type { Store } from "../../base/store/port.ts";
import { recordStage, type RecordStage } from "../record/record.ts";
import { Deadlines } from "./deadlines.ts";
import { HistoryStage } from "./history.ts";

const tool = (name: string, properties: JsonObject) => ({ server: "shop", tool: name, definition: `d-${name}`, inputSchema: { type: "object", properties, required: [] } as JsonObject, contract: { effects: [], reversibility: "unknown" as const } });
const ground = { servers: ["shop"], tools: [tool("read", { order: { type: "string" } }), tool("refund", { order: { type: "string" }, amount: { type: "integer" } })] };
const snapshotOf = (text: string): Snapshot => {
  const made = compile({ ...ground, policies: [{ file: "a.cedar", text }] });
  if (!made.ok) throw new Error(made.errors.map(({ message, help }) => `${message} ${help}`).join("\n"));
  return openSnapshot(made.bytes);
};
const permit = '@id("p") permit (principal, action, resource);';
const afterRead = `${permit} @id("after-read") forbid (principal, action == Action::"shop/refund", resource)
  unless temporal { formerly within 1h Action::"shop/read"::response{ input.order: context.input.order } };`;
const atMost = (count: number, across = "session"): string => `${permit} @id("at-most") forbid (principal, action == Action::"shop/refund", resource)
  when temporal across ${across} { (count for (t: Timepoint). where formerly within 1h (Action::"shop/refund"::request{ decision: "allow" } && tp(t))) >= ${count} };`;

let clock: Clock & { ms: number; us: number };
let store: Store;
let medium: MemoryMedium;
let record: RecordStage;
let active: Snapshot;
let stage: HistoryStage;
const log: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: (event, fields) => { throw new Error(`${event} ${JSON.stringify(fields)}`); } };
const kept = { signer: newSigner("lanyard.local/test"), tenant: systemClock.random(32) };
let deadlines: Deadlines;
let timers: { readonly atUs: number; readonly task: () => void }[];
const parents = new Map<string, string>();

const awaiting = `${permit} @id("reread") forbid (principal, action == Action::"shop/refund", resource)
  when { context.input has amount && context.input.amount > 100 }
  unless temporal { eventually within 10m Action::"shop/read"::response{ input.order: context.input.order } };`;

const begin = (limits = defaultLimits): HistoryStage => new HistoryStage({ store, clock, log, limits, deadlines, snapshots: () => [active], rootOf: (session) => parents.get(session) ?? session });

beforeEach(async () => {
  const time = { ms: 1_800_000_000_000, us: 0 };
  clock = Object.assign(Object.create(time) as typeof time, { ...systemClock, nowMs: () => clock.ms, monotonicUs: () => clock.us, after: (ms: number, task: () => void) => { const timer = { atUs: clock.us + ms * 1000, task }; timers.push(timer); return { cancel: () => void (timers = timers.filter((one) => one !== timer)) }; }, ms: time.ms, us: 0 });
  medium = new MemoryMedium();
  store = await openMemory({ medium, clock, ...kept });
  record = recordStage({ store, clock, log });
  deadlines = new Deadlines({ store, clock, log, limits: defaultLimits });
  timers = [];
  parents.clear();
});

const use = async (text: string, limits = defaultLimits): Promise<void> => {
  active = snapshotOf(text);
  stage = begin(limits);
  await stage.start();
};
const pass = (ms: number): void => {
  clock.ms += ms;
  clock.us += ms * 1000;
  const due = timers.filter(({ atUs }) => atUs <= clock.us);
  timers = timers.filter(({ atUs }) => atUs > clock.us);
  for (const { task } of due) task();
};
interface Who {
  readonly session?: string;
  readonly agent?: string;
  readonly user?: string;
}
const inputOf = (action: string, args: JsonObject, { session = "s1", agent = "clerk", user = "ana" }: Who = {}): DecisionInput => ({
  agent: { id: agent, team: "support", classes: [] }, user: { id: user, groups: [] }, session: { id: session, purpose: "", depth: 0, labels: [], isolation: "none" }, action, definition: `d-${action.slice(5)}`, args, approvals: [], nowMs: clock.ms,
});
interface Started {
  readonly effect: string;
  readonly input: DecisionInput;
  readonly intent: Promise<Intent>;
}
/** As the path does: facts, decision and event in one turn, then the record. */
const call = (action: string, args: JsonObject, who: Who = {}): Started => {
  const bare = inputOf(action, args, who);
  const history = stage.facts(bare);
  const input = history === null ? bare : { ...bare, history };
  const decision = active.decide(input);
  stage.decided(input, decision);
  const { server, tool: name } = { server: "shop", tool: action.slice(5) };
  const acted: Action = { protocol: "mcp", server, method: "tools/call", tool: name, name: action, args, params: {}, digest: "A".repeat(43) };
  const principal = { session: input.session.id, agent: input.agent.id, user: input.user.id } as Principal;
  const facts: Facts = { input, pin: { definition: null, contract: { effects: [], reversibility: "unknown" }, refuse: null } };
  const intent = record.intend(acted, principal, facts, { decision, bundle: active.hash, reasons: [] }, "policy", null, null).then((made) => {
    stage.begun(made.seq, input, decision);
    return made;
  });
  return { effect: decision.effect, input, intent };
};
const end = async ({ input, intent }: Started, status: OutcomeStatus = "done", result: JsonObject = {}): Promise<void> => {
  const made = await intent;
  const concluded = record.conclude(stage.concluded(made.seq, status, { result }), made, { user: input.user.id } as Principal, status, "", { result }, 0, null);
  await store.settled();
  await concluded;
};
const done = async (action: string, args: JsonObject, who: Who = {}): Promise<string> => {
  const started = call(action, args, who);
  if (started.effect === "allow") await end(started);
  else await started.intent;
  return started.effect;
};

describe("history", () => {
  it("is what policies decide by: B only after A has succeeded with the same id, within an hour, to the millisecond", async () => {
    await use(afterRead);
    expect(await done("shop/refund", { order: "o1", amount: 5 })).toBe("deny");
    await done("shop/read", { order: "o1" });
    expect(await done("shop/refund", { order: "o2", amount: 5 })).toBe("deny");
    pass(3_600_000);
    expect(await done("shop/refund", { order: "o1", amount: 5 })).toBe("allow");
    pass(1);
    expect(await done("shop/refund", { order: "o1", amount: 5 })).toBe("deny");
  });

  it("counts calls under way: of two that race, no more are let through than may be", async () => {
    await use(atMost(3));
    const started = Array.from({ length: 20 }, (_, index) => call("shop/refund", { order: `o${index}`, amount: 1 }));
    expect(started.filter(({ effect }) => effect === "allow")).toHaveLength(3);
    await Promise.all(started.map(({ intent }) => intent));
    expect(await done("shop/refund", { order: "x", amount: 1 })).toBe("deny");
    pass(3_600_001);
    expect(await done("shop/refund", { order: "x", amount: 1 })).toBe("allow");
  });

  it("is there again after a restart, calls included that had not ended", async () => {
    await use(atMost(3));
    const open = call("shop/refund", { order: "a", amount: 1 });
    await open.intent;
    await done("shop/refund", { order: "b", amount: 1 });
    pass(1000);
    stage = begin();
    await stage.start();
    expect(await done("shop/refund", { order: "c", amount: 1 })).toBe("allow");
    expect(await done("shop/refund", { order: "d", amount: 1 })).toBe("deny");
  });

  it("is answered for all who decide: also where two ask the same, and one of them asks it of other calls", async () => {
    const asking = (action: string): Snapshot => snapshotOf(`${permit} @id("once") forbid (principal, action == Action::"shop/${action}", resource) when temporal { formerly within 1h Action::"shop/read"::response{} };`);
    const [refunds, reads] = [asking("refund"), asking("read")];
    expect(refunds.questions.name).toBe(reads.questions.name);
    active = refunds;
    for (const both of [[refunds, reads], [reads, refunds]]) {
      stage = new HistoryStage({ store, clock, log, limits: defaultLimits, deadlines, snapshots: () => both, rootOf: (session) => session });
      await stage.start();
      await done("shop/read", { order: "o1" });
      const bare = inputOf("shop/refund", { order: "o1", amount: 1 });
      expect(both.map((one) => one.decide({ ...bare, history: stage.facts(bare) ?? {} }).effect).sort()).toEqual(["allow", "deny"]);
    }
  });

  it("is read from the ledger for questions that are new; until it is, they have no answer, and no answer denies", async () => {
    await use(permit);
    await done("shop/read", { order: "o1" });
    active = snapshotOf(afterRead);
    const early = call("shop/refund", { order: "o1", amount: 5 });
    expect(early).toMatchObject({ effect: "deny", input: { history: {} } });
    const meanwhile = call("shop/read", { order: "o2" }); // while it is being read
    await end(meanwhile);
    await stage.start();
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(await done("shop/refund", { order: "o1", amount: 5 })).toBe("allow");
    expect(await done("shop/refund", { order: "o2", amount: 5 })).toBe("allow");
    expect(await done("shop/refund", { order: "o3", amount: 5 })).toBe("deny");
  });

  it("counts each event once, whether it is read or seen", async () => {
    await use(permit);
    await done("shop/refund", { order: "a", amount: 1 });
    active = snapshotOf(atMost(4));
    const racing = call("shop/refund", { order: "b", amount: 1 });
    await racing.intent;
    await new Promise((resolve) => setTimeout(resolve, 20));
    const effects = [];
    for (const order of ["c", "d", "e", "f"]) effects.push(await done("shop/refund", { order, amount: 1 }));
    expect(effects.filter((effect) => effect === "allow")).toHaveLength(3);
    expect(racing.effect).toBe("deny");
  });

  it("beyond what is read has no answer until its window has passed", async () => {
    await use(permit);
    for (let index = 0; index < 10; index += 1) await done("shop/read", { order: "x" });
    pass(1000);
    active = snapshotOf(atMost(3));
    stage = begin({ ...defaultLimits, history_records: 5 });
    await stage.start();
    expect(await done("shop/refund", { order: "a", amount: 1 })).toBe("deny");
    pass(3_600_001);
    expect(await done("shop/refund", { order: "a", amount: 1 })).toBe("allow");
  });
});

describe("what must follow a call", () => {
  const types = (): string[] => store.entries({ types: ["deadline.open", "deadline.met", "deadline.miss", "deadline.close"] }).map(({ type }) => type);

  it("does not stop it, and is quiet when it comes, also right at the end", async () => {
    await use(awaiting);
    expect(await done("shop/refund", { order: "o1", amount: 500 })).toBe("allow");
    expect(await done("shop/refund", { order: "o1", amount: 5 })).toBe("allow"); // the rule is not about it
    pass(600_000);
    await done("shop/read", { order: "o1" });
    pass(1);
    expect(deadlines.missed()).toEqual([]);
    expect(types()).toEqual(["deadline.open", "deadline.met"]);
  });

  it("is told when it is missed, also over a restart, until it comes after all", async () => {
    await use(awaiting);
    await done("shop/refund", { order: "o1", amount: 500 });
    await done("shop/read", { order: "o2" }); // another order
    await end(call("shop/read", { order: "o1" }), "failed");
    await store.settled();
    deadlines = new Deadlines({ store, clock, log, limits: defaultLimits });
    timers = [];
    stage = begin();
    await stage.start();
    pass(600_001);
    await store.settled();
    expect(deadlines.missed()).toMatchObject([{ policy: "reread", agent: "clerk", action: "shop/refund", text: expect.stringContaining("eventually within 10m") }]);
    deadlines = new Deadlines({ store, clock, log, limits: defaultLimits });
    stage = begin();
    await stage.start();
    expect(deadlines.missed()).toHaveLength(1);
    await done("shop/read", { order: "o1" });
    await store.settled();
    expect(deadlines.missed()).toEqual([]);
    expect(types()).toEqual(["deadline.open", "deadline.miss", "deadline.met"]);
    expect(store.list("deadline")).toEqual([]);
  });

  it("is not awaited after a call that did nothing, and is after one that may have", async () => {
    await use(awaiting);
    for (const status of ["failed", "refused"] as const) await end(call("shop/refund", { order: "o1", amount: 500 }), status);
    expect(types()).toEqual([]);
    await end(call("shop/refund", { order: "o1", amount: 500 }), "uncertain");
    expect(types()).toEqual(["deadline.open"]);
  });
});

describe("what must not slip through", () => {
  it("a clock that is set back opens no window again, and closes none too late", async () => {
    await use(afterRead);
    await done("shop/read", { order: "o1" });
    pass(3_600_000);
    clock.ms -= 7_200_000; // two hours back
    expect(await done("shop/refund", { order: "o1", amount: 5 })).toBe("allow"); // an hour has passed, not more
    pass(1);
    expect(await done("shop/refund", { order: "o1", amount: 5 })).toBe("deny");
  });

  it.each(["O1", "o1 ", "o\u0301", "ó", "0", ""])("an id that only looks the same: %j", async (order) => {
    await use(afterRead);
    await done("shop/read", { order: order === "ó" ? "o\u0301" : order === "o\u0301" ? "ó" : "o1" });
    expect(await done("shop/refund", { order, amount: 5 })).toBe("deny");
  });

  it("a number for a text, or nothing at all", async () => {
    await use(afterRead);
    await done("shop/read", { order: "1" });
    expect(await done("shop/refund", { order: 1, amount: 5 })).toBe("deny");
    await done("shop/read", {});
    expect(call("shop/refund", { amount: 5 })).toMatchObject({ effect: "deny", input: { history: {} } });
  });

  it.each(["failed", "refused", "uncertain"] as const)("a call that %s is no success", async (status) => {
    await use(afterRead);
    await end(call("shop/read", { order: "o1" }), status);
    expect(await done("shop/refund", { order: "o1", amount: 5 })).toBe("deny");
  });

  it("a call that has not ended is no success, however its result reads", async () => {
    await use(`${permit} @id("a") forbid (principal, action == Action::"shop/refund", resource)
      unless temporal { formerly within 1h Action::"shop/read"::response{ input.order: context.input.order, output.ok: true } };`);
    const open = call("shop/read", { order: "o1" });
    await open.intent;
    expect(await done("shop/refund", { order: "o1", amount: 1 })).toBe("deny");
    await end(open, "failed", { structuredContent: { ok: true } });
    expect(await done("shop/refund", { order: "o1", amount: 1 })).toBe("deny");
    await end(call("shop/read", { order: "o1" }), "done", { structuredContent: { ok: "true" } });
    expect(await done("shop/refund", { order: "o1", amount: 1 })).toBe("deny");
    await end(call("shop/read", { order: "o1" }), "done", { structuredContent: { ok: true } });
    expect(await done("shop/refund", { order: "o1", amount: 1 })).toBe("allow");
  });

  it("another session's success, unless history is that of the agent; children count with their parents", async () => {
    await use(afterRead);
    await done("shop/read", { order: "o1" }, { session: "s2" });
    expect(await done("shop/refund", { order: "o1", amount: 5 })).toBe("deny");
    parents.set("s3", "s1");
    await done("shop/read", { order: "o1" }, { session: "s3" });
    expect(await done("shop/refund", { order: "o1", amount: 5 })).toBe("allow");
    await use(atMost(3, "user")); // the one before counts, too
    for (const session of ["a", "b"]) expect(await done("shop/refund", { order: "x", amount: 1 }, { session, agent: session })).toBe("allow");
    expect(await done("shop/refund", { order: "x", amount: 1 }, { session: "c", agent: "c" })).toBe("deny");
    expect(await done("shop/refund", { order: "x", amount: 1 }, { session: "c", agent: "c", user: "bob" })).toBe("allow");
  });

  it("flooding: past what is kept of one agent its calls are refused, and nobody else's", async () => {
    const limits = { ...defaultLimits, history_rows_per_agent: 50 };
    await use(atMost(1_000_000), limits);
    for (let index = 0; index < 50; index += 1) expect(await done("shop/refund", { order: "x", amount: 1 })).toBe("allow");
    expect(() => call("shop/refund", { order: "x", amount: 1 })).toThrow("history_rows_per_agent");
    expect(await done("shop/refund", { order: "x", amount: 1 }, { agent: "other", session: "o" })).toBe("allow");
    pass(3_600_001);
    expect(await done("shop/refund", { order: "x", amount: 1 })).toBe("allow");
  });
});
