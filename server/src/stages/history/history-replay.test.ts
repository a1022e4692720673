import type { Action, DecisionInput, HistoryFacts, JsonObject, NewRecord, Principal } from "@lanyard/contract";
import { newSigner } from "@lanyard/ledger";
import { compile, openSnapshot, type HistoryLeaf, type Snapshot } from "@lanyard/policy";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { systemClock, type Clock } from "../../base/clock.ts";
import { defaultLimits } from "../../base/limits.ts";
import { silent } from "../../base/log.ts";
import type { Facts, Intent, OutcomeStatus } from "../../base/path.ts";
import { openMemory } from "../../base/store/memory.ts";
import type { Store } from "../../base/store/port.ts";
import { recordStage } from "../record/record.ts";
import { HistoryReplay } from "./history-replay.ts";
import { meantCalls } from "./meant-calls.ts";
import { recordedInput, timeOf } from "./recorded-events.ts";
import { HistoryStage } from "./history.ts";

const tool = (name: string) => ({
  server: "shop", tool: name, definition: `d-${name}`, contract: { effects: [], reversibility: "unknown" as const },
  inputSchema: { type: "object", properties: { u: { type: "string" }, n: { type: "integer" }, w: { type: "string" } }, required: ["u", "n"] } as JsonObject,
});
const conditions = [
  'Action::"shop/pay"::request{ input.n: 2 }',
  'formerly within 5s Action::"shop/read"::response{ input.u: context.input.u }',
  'formerly within 3s Action::"shop/pay"::error{ status: "failed" }',
  'formerly within 5s (Action::"shop/read"::request{ approved: true } || Action::"shop/pay"::request{ decision: "deny" })',
  'formerly within 9s Action::"shop/read"::response{ output.ok: true }',
  'previous within 4s Action::"shop/read"::response{}',
  '(Action::"shop/pay"::request{ input.u: context.input.u } since within 8s Action::"shop/read"::response{})',
  '(!Action::"shop/pay"::error{} since within 8s Action::"shop/read"::request{ input.u: context.input.u })',
  'exists (u: String). (formerly within 6s Action::"shop/read"::response{ input.u: u } && formerly within 9s Action::"shop/pay"::request{ input.u: u, decision: "allow" })',
  '(count for (t: Timepoint). where formerly within 5s (Action::"shop/pay"::request{ decision: "allow" } && tp(t))) >= 3',
  '(count for (u: String). where formerly within 7s Action::"shop/pay"::response{ input.u: u }) > 1',
  '(sum n for (n: Long), (t: Timepoint). where formerly within 5s (Action::"shop/pay"::request{ input.n: n, decision: "allow" } && tp(t))) + context.input.n > 6',
  '(min n for (n: Long). where formerly within 6s Action::"shop/pay"::request{ input.n: n }) < 2',
  '(max n for (n: Long), (t: Timepoint). where formerly within 6s (Action::"shop/pay"::response{ input.n: n } && tp(t))) == context.input.n',
  'eventually within 5s Action::"shop/read"::response{ input.u: context.input.u }',
];
const head = '(principal, action in [Action::"shop/read", Action::"shop/pay", Action::"shop/look"], resource)';
const across = ["session", "agent", "user", "team", "all"];
// The questions are asked of every call; what is decided is for `usual` to say, so that there is traffic of all kinds.
const usual = `@id("p") permit (principal, action, resource); @id("no") forbid ${head} when { context.input.n == 4 };
  @id("ask") @remedy("approval:leads") forbid ${head} when { context.input.n == 5 } unless { context.approvals.contains(Group::"leads") };`;
const asking = across.flatMap((whose) => conditions.map((condition, at) =>
  condition.startsWith("eventually")
    ? `@id("${whose}-${at}") forbid ${head} when { context.input.n > 1000 } unless temporal across ${whose} { ${condition} };`
    : `@id("${whose}-${at}") forbid ${head} when { context.input.n > 1000 } when temporal across ${whose} { ${condition} };`));
const optional = `@id("w") forbid ${head} when { context.input.n > 1000 && context.input has w } when temporal { formerly within 9s Action::"shop/read"::request{ input.w: context.input.w } };`;
const snapshotOf = (text: string): Snapshot => {
  const made = compile({ servers: ["shop"], tools: [tool("read"), tool("pay"), tool("look")], policies: [{ file: "a.cedar", text }] });
  if (!made.ok) throw new Error(made.errors.map(({ message, help }) => `${message} ${help}`).join("\n"));
  return openSnapshot(made.bytes);
};
const everything = snapshotOf([usual, ...asking, optional].join("\n"));
const kept = { signer: newSigner("lanyard.local/test"), tenant: systemClock.random(32) };

type Step =
  | { readonly is: "call"; readonly tool: string; readonly session: number; readonly u: string; readonly n: number; readonly w: boolean; readonly approved: boolean }
  | { readonly is: "end"; readonly at: number; readonly status: OutcomeStatus; readonly ok: boolean }
  | { readonly is: "wait"; readonly ms: number }
  | { readonly is: "settle" }
  | { readonly is: "restart" };

/** Of sessions: the second is the first one's child, the fourth that one's; the others stand alone. */
const sessions = [
  { id: "s0", parent: null, depth: 0, agent: "a", user: "ana", team: "t" },
  { id: "s1", parent: "s0", depth: 1, agent: "b", user: "ana", team: "t" },
  { id: "s2", parent: null, depth: 0, agent: "a", user: "bob", team: "t" },
  { id: "s3", parent: "s1", depth: 2, agent: "c", user: "ana", team: "v" },
  { id: "s4", parent: null, depth: 0, agent: "c", user: "bob", team: "v" },
] as const;
const roots = new Map<string, string>([["s1", "s0"], ["s3", "s0"]]);

/** The daemon's path, with its real stages, on a clock of the test's own. */
class World implements AsyncDisposable {
  readonly #clock: Clock & { ms: number; us: number };
  readonly store: Store;
  #stage: HistoryStage;
  #running: { readonly input: DecisionInput; readonly intent: Promise<Intent> }[] = [];
  readonly #writing: Promise<unknown>[] = [];

  private constructor(clock: Clock & { ms: number; us: number }, store: Store) {
    [this.#clock, this.store] = [clock, store];
    this.#stage = this.#begin();
  }

  static async open(): Promise<World> {
    const clock: Clock & { ms: number; us: number } = { ...systemClock, ms: 1_800_000_000_000, us: 0, nowMs: () => clock.ms, monotonicUs: () => clock.us };
    const world = new World(clock, await openMemory({ clock, ...kept }));
    for (const { id, agent, user, parent } of sessions) {
      await world.store.append({ type: "session.open", session: id, agent, user, purpose: "p".repeat(43), payload: null, parent, expires_at_ms: clock.ms + 1_000_000 } satisfies NewRecord);
    }
    await world.#stage.start();
    return world;
  }

  #begin(): HistoryStage {
    return new HistoryStage({ store: this.store, clock: this.#clock, log: silent, limits: defaultLimits, deadlines: null, snapshots: () => [everything], rootOf: (id) => roots.get(id) ?? id });
  }

  async take(step: Step): Promise<void> {
    if (step.is === "call") this.#call(step);
    else if (step.is === "end") await this.#end(step);
    else if (step.is === "wait") this.#wait(step.ms);
    else if (step.is === "settle") await this.store.settled();
    else await this.#restart();
  }

  /** As the path does: facts, decision and event in one turn, then the record. Who races is not waited for. */
  #call({ tool: name, session, u, n, w, approved }: Step & { is: "call" }): void {
    const { id, depth, agent, user, team } = sessions[session % sessions.length] ?? sessions[0];
    const bare: DecisionInput = {
      agent: { id: agent, team, classes: [] }, user: { id: user, groups: [] }, session: { id, purpose: "", depth, labels: [], isolation: "none" }, action: `shop/${name}`, definition: `d-${name}`,
      args: { u, n, ...(w && { w: u }) }, approvals: approved ? ["leads"] : [], nowMs: this.#clock.ms,
    };
    this.#wait(1); // looking the arguments through takes time
    const history = this.#stage.facts(bare);
    const input = history === null ? bare : { ...bare, history };
    const decision = everything.decide(input);
    this.#stage.decided(input, decision);
    const action: Action = { protocol: "mcp", server: "shop", method: "tools/call", tool: name, name: bare.action, args: bare.args, params: {}, digest: "A".repeat(43) };
    const facts: Facts = { input, pin: { definition: null, contract: { effects: [], reversibility: "unknown" }, refuse: null } };
    const record = recordStage({ store: this.store, clock: this.#clock, log: silent });
    const intent = record.intend(action, { session: id, agent, user } as Principal, facts, { decision, bundle: everything.hash, reasons: [] }, "policy", null, null).then((made) => {
      this.#stage.begun(made.seq, input, decision);
      return made;
    });
    this.#writing.push(intent);
    if (decision.effect === "allow") this.#running.push({ input, intent });
  }

  async #end({ at, status, ok }: Step & { is: "end" }): Promise<void> {
    const [one] = this.#running.splice(at % Math.max(1, this.#running.length), 1);
    if (one === undefined) return;
    const [intent, answer] = [await one.intent, { result: { structuredContent: { ok } } }];
    const endedMs = this.#stage.concluded(intent.seq, status, answer);
    const record = recordStage({ store: this.store, clock: this.#clock, log: silent });
    this.#writing.push(record.conclude(endedMs, intent, { user: one.input.user.id } as Principal, status, "", answer, 0, null));
    this.#wait(2); // the record waits for the next intent
  }

  #wait(ms: number): void {
    this.#clock.ms += ms;
    this.#clock.us += Math.max(0, ms) * 1000;
  }

  /** What was under way is never heard of again. */
  async #restart(): Promise<void> {
    await this.settled();
    this.#running = [];
    this.#stage[Symbol.dispose]();
    this.#stage = this.#begin();
    await this.#stage.start();
  }

  async settled(): Promise<void> {
    await this.store.settled();
    await Promise.all(this.#writing.splice(0));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.store[Symbol.asyncDispose]();
  }
}

interface Answered {
  readonly seq: number;
  readonly then: HistoryFacts;
  readonly now: HistoryFacts | string;
}

interface Replaying {
  /** The first entry that is asked about. */
  readonly from?: number;
  readonly limits?: typeof defaultLimits;
  readonly leaves?: (leaf: HistoryLeaf) => boolean;
}

/** Every call on record, with what it was answered when it was decided, and what it is answered now that the record is read again. */
const replayed = async (store: Store, { from = 0, limits = defaultLimits, leaves = () => true }: Replaying = {}): Promise<Answered[]> => {
  const records = store.entries({ types: ["decision"], from, limit: 10_000 }).filter((record) => record.type === "decision");
  let replay: HistoryReplay | null = null;
  const found: Answered[] = [];
  for (const { seq, payload } of records) {
    const opened = store.unseal(payload ?? "");
    if (opened === null) continue;
    const { input } = opened.value as unknown as { input: DecisionInput };
    const asked = everything.asks(input.agent, input.action).filter(leaves);
    const answered = everything.answered(input);
    replay ??= new HistoryReplay({ store, limits, snapshots: [everything], sinceMs: timeOf(input) });
    found.push({ seq, then: Object.fromEntries(asked.flatMap(({ id }) => (answered[id] === undefined ? [] : [[id, answered[id]]]))), now: await replay.answers(seq, input, asked) });
  }
  return found;
};

const pick = <T>(...items: readonly T[]): fc.Arbitrary<T> => fc.constantFrom(...items);
const call = fc.record({ is: pick("call" as const), tool: pick("read", "pay", "pay", "look"), session: fc.nat(4), u: pick("x", "y"), n: fc.integer({ min: 1, max: 5 }), w: fc.boolean(), approved: pick(false, false, true) });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: call },
  { weight: 6, arbitrary: fc.record({ is: pick("end" as const), at: fc.nat(9), status: pick("done" as const, "done" as const, "failed" as const, "refused" as const, "uncertain" as const), ok: fc.boolean() }) },
  { weight: 4, arbitrary: fc.record({ is: pick("wait" as const), ms: pick(1, 500, 999, 1000, 2500, 5000, -4000) }) },
  { weight: 1, arbitrary: fc.constant({ is: "settle" as const }) },
  { weight: 1, arbitrary: fc.constant({ is: "restart" as const }) },
);
const run = async (steps: readonly Step[]): Promise<World> => {
  const world = await World.open();
  for (const one of steps) await world.take(one);
  await world.settled();
  return world;
};
const paying = (session = 0): Step => ({ is: "call", tool: "pay", session, u: "x", n: 1, w: false, approved: false });
const ended: Step = { is: "end", at: 0, status: "done", ok: true };
const wait = (ms: number): Step => ({ is: "wait", ms });

describe("calls on record are answered as they were when they were decided", () => {
  it("whatever happened: every kind of question, whose history it may be, calls that race, restarts, a clock that is set back", { timeout: 600_000 }, async () => {
    const runs = Number(process.env["LANYARD_FUZZ_RUNS"] ?? 80);
    await fc.assert(fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), fc.nat(30), async (steps, skipped) => {
      await using world = await run(steps);
      const all = await replayed(world.store);
      expect(all.map(({ now }) => now)).toEqual(all.map(({ then }) => then));
      const from = all[skipped % Math.max(1, all.length)]?.seq ?? 0; // begun at any call, it reads back as far as its questions do
      for (const { now, then } of await replayed(world.store, { from })) expect(now).toEqual(then);
    }), { numRuns: runs });
  });
  it("also of a call that began before anything is read, and ended after", async () => {
    await using world = await run([paying(), { is: "settle" }, wait(8_000_000), ended, { is: "settle" }, wait(500), paying(), { is: "settle" }]);
    const [, last] = await replayed(world.store);
    expect(await replayed(world.store, { from: last?.seq ?? 0 })).toMatchObject([{ now: last?.then }]);
  });

  it("a daemon that begins again has it all back, too: what ended in time and began before, and what children did that are over", async () => {
    const steps: Step[] = [paying(), { is: "settle" }, wait(8_000_000), ended, { is: "settle" }, wait(500)];
    const answersAfter = async (more: Step[]): Promise<unknown> => {
      await using world = await run([...steps, ...more, paying(), { is: "settle" }]);
      return (await replayed(world.store)).at(-1)?.then;
    };
    expect(await answersAfter([{ is: "restart" }])).toEqual(await answersAfter([]));
  });
});

describe("calls on record have no answers", () => {
  const erased = "what policies ask of history was erased";
  const whose = (...scopes: string[]) => ({ across, windows }: HistoryLeaf): boolean => scopes.includes(across) && windows.some((window) => window !== null);

  it("where what they ask about was erased: by whose history it was, and for as long as it would be in sight", async () => {
    // What bob's session did is in the history of its agent, its team and everybody.
    await using world = await run([paying(2), ended, { is: "settle" }, wait(1000), paying(0), { is: "settle" }, wait(10_000), paying(0), { is: "settle" }]);
    await world.store.erase("user:bob", "operator", "asked to");
    for (const scope of ["agent", "team", "all"]) {
      const [early, late] = await replayed(world.store, { leaves: whose(scope) });
      expect([early?.now, late?.now]).toEqual([erased, late?.then]);
    }
    for (const { now, then } of await replayed(world.store, { leaves: whose("session", "user") })) expect(now).toEqual(then);
    for (const { now, then } of await replayed(world.store, { leaves: ({ op }) => op === "now" })) expect(now).toEqual(then);
  });

  it("where more is looked at than is kept, or than the daemon keeps of an agent; what comes before has them", async () => {
    await using world = await run([...[0, 0, 0, 4, 4].map(paying), { is: "settle" }]);
    const words = async (limits: Partial<typeof defaultLimits>) => (await replayed(world.store, { limits: { ...defaultLimits, ...limits } })).map(({ now }) => (typeof now === "string" ? /limit (\w+)/.exec(now)?.[1] : "answered"));
    expect(await words({ history_rows_per_agent: 1 })).toEqual(["answered", "history_rows_per_agent", "history_rows_per_agent", "answered", "history_rows_per_agent"]);
    const past = async (limit: number) => (await words({ replayed_history_rows: limit })).filter((word) => word === "replayed_history_rows").length;
    expect(await past(1)).toBe(4);
    let [low, high] = [1, 10_000]; // the least limit at which every call is answered
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if ((await past(middle)) > 0) low = middle;
      else high = middle;
    }
    expect([await past(high), await past(high - 1)]).toEqual([0, 1]);
  });
});

it("the calls that a question was about are found again: of that history, of those values, of that time, the last first", async () => {
  const reading = (session: number, u: string): Step => ({ is: "call", tool: "read", session, u, n: 1, w: false, approved: false });
  const steps: Step[] = [reading(0, "x"), ended, wait(6000), ...["x", "y", "x"].flatMap((u) => [reading(0, u), ended]), reading(2, "x"), ended, reading(1, "x"), ended, reading(0, "x"), paying(0), { is: "settle" }];
  await using world = await run(steps);
  const seqs = world.store.entries({ types: ["decision"] }).map(({ seq }) => seq);
  const [, first, , second, , child, , last = 0] = seqs;
  const input = recordedInput(world.store, last) as DecisionInput;
  const leaf = everything.leaves.find(({ across: whose, op, text }) => whose === "session" && op === "formerly" && text.includes('"shop/read"::response{ input.u:')) as HistoryLeaf;
  const found = async (explained_records: number) => (await meantCalls({ store: world.store, limits: { explained_records } }, everything, last, input, [leaf])).get(leaf.id);
  expect(everything.answered(input)[leaf.id]).toBe(true);
  expect(await found(1000)).toEqual([child, second, first]); // the last of the first session has not ended, that of the other is not its history
  expect(await found(5)).toEqual([child]);
});
