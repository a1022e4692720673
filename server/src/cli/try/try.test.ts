import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Fault, type JsonObject } from "@lanyard/contract";
import { afterAll, describe, expect, it } from "vitest";
import { systemClock } from "../../base/clock.ts";
import { parseConfig } from "../../base/config/read.ts";
import { newGuess, observe, schemaOfGuess } from "./guess.ts";
import { Guesser } from "./infer.ts";
import { rawLines, textOf, type RawLine } from "./trace.ts";
import { Trial } from "./trial.ts";
import { TrialWorld } from "./trial-world.ts";

const folder = mkdtempSync(join(tmpdir(), "try-"));
afterAll(() => rmSync(folder, { recursive: true }));

const yaml = `version: 1
teams: { shop: {}, other: {} }
groups: { leads: {}, staff: {} }
users: { ana: { groups: [staff] }, ben: {} }
agents:
  bot: { team: shop, on_behalf_of: [ana, ben] }
  shy: { team: shop, servers: [] }
servers: { bank: { command: none }, post: { command: none } }
tools: { bank/pay: { effects: [money] }, bank/look: { effects: [read], resource: { type: Account, argument: account } } }
resources: { Account: { vault: { labels: [secret] } } }
limits: { result_bytes: 1000, trace_sessions: 5 }
`;
const cedar = `@id("pay") permit (principal in Team::"shop", action == Action::"bank/pay", resource);
@id("pay.large") @remedy("approval:leads") @reason("Over 100.00 a lead decides.")
forbid (principal, action in Action::"money", resource) when { context.input.cents > 10000 } unless { context.approvals.contains(Group::"leads") };
@id("pay.huge") @remedy("approval:2 of staff") forbid (principal, action in Action::"money", resource) when { context.input has cents && context.input.cents > 1000000 } unless { context.approvals.contains(Group::"2 of staff") };
@id("pay.day") @reason("Not at night.") forbid (principal, action == Action::"bank/pay", resource) unless { context.now.toTime() >= duration("8h") };
@id("look") permit (principal, action in Action::"read", resource);
@id("look.secret") forbid (principal, action, resource is Account) when { resource.labels.contains("secret") };
@id("labelled") forbid (principal, action, resource) when { context.session.labels.contains("secret") };
@id("held") forbid (principal, action == Action::"bank/pay", resource) when { context.input has cents && context.input.cents == 77 && context.session.labels.contains("held") };`;

const world = (): TrialWorld => new TrialWorld({ config: parseConfig(new TextEncoder().encode(yaml), join(folder, "lanyard.yaml")), ground: null, named: false, policies: [{ file: "p.cedar", text: cedar }] });
const definitions = { bank: [{ name: "pay", inputSchema: { type: "object", properties: { cents: { type: "integer" } }, required: ["cents"] } }, { name: "look", inputSchema: { type: "object", properties: { account: { type: "string" } } } }] };
const trial = (explain = false): ((line: unknown) => JsonObject) => {
  const one = new Trial({ world: world(), guesser: null, clock: { ...systemClock, nowMs: () => Date.parse("2026-11-02T09:00:00Z") }, explain });
  let number = 0;
  const run = (line: unknown): JsonObject => {
    const { answer, isBad } = one.run(typeof line === "string" ? line : JSON.stringify(line), (number += 1));
    expect(isBad).toBe("error" in answer);
    return answer;
  };
  run({ tools: definitions });
  run({ session: "s", open: { agent: "bot", on_behalf_of: "ana", task: "pay bills" } });
  return run;
};
const pay = (cents: unknown, more: object = {}): object => ({ session: "s", call: { tool: "bank/pay", args: { cents }, ...more } });

describe("a trace", () => {
  it("has a session held from a question on, until its call goes through or is said to be meant", () => {
    const after = (...lines: readonly object[]): unknown => {
      const run = trial();
      for (const line of lines) run(line);
      return run(pay(77))["effect"];
    };
    const came = { session: "s", result: { tool: "bank/pay", content: "paid" } };
    expect(after(pay(10_001))).toBe("deny");
    expect(after(pay(10_001), came)).toBe("deny");
    expect(after({ ...pay(10_001), expect: "stopped" }, came)).toBe("deny");
    expect(after(pay(10_001), { session: "s", approve: { groups: ["leads"] } }, pay(10_001))).toBe("allow");
    for (const expected of ["allow", "allow-or-ask"]) expect(after({ ...pay(10_001), expect: expected }, came), expected).toBe("allow");
    expect(after({ ...pay(10_001), expect: "allow" }), "nothing came back").toBe("deny");
  });

  it("is answered line by line", () => {
    const run = trial();
    expect(run(pay(1))).toEqual({ line: 3, session: "s", effect: "allow", by: "policy", reasons: [{ policy: "pay", text: "", remedy: "" }], remedies: [], approvers: [], errors: [] });
    expect(run(pay(10_001))).toMatchObject({ effect: "ask", reasons: [{ policy: "pay.large", text: "Over 100.00 a lead decides.", remedy: "approval:leads" }], remedies: ["approval:leads"], approvers: ["leads"] });
    expect(run(pay(10_001, { approvals: ["leads"] }))).toMatchObject({ effect: "allow" });
    expect(run(pay("much"))).toMatchObject({ effect: "deny", by: "policy", errors: [{ policy: "lanyard.arguments" }] });
    expect(run({ session: "s", call: { tool: "bank/look", args: { account: "vault" } } })).toMatchObject({ effect: "deny", reasons: [{ policy: "look.secret" }] });
    expect(run({ session: "s", call: { tool: "bank/look", args: {} } })).toMatchObject({ effect: "deny", by: "malformed_call" });
    expect(run({ session: "s", call: { tool: "bank/mcp:resources/read", args: { uri: "x" } } })).toMatchObject({ effect: "deny", by: "policy", reasons: [] });
  });

  it("has its own time", () => {
    const run = trial();
    expect(run({ ...pay(1), at: "2026-11-02T03:00:00Z" })).toMatchObject({ effect: "deny", reasons: [{ policy: "pay.day" }] });
    expect(run({ ...pay(1), at: "2026-11-02T11:00:00Z" })).toMatchObject({ effect: "deny", by: "session_expired" });
    expect(run(pay(1))).toMatchObject({ effect: "allow" });
  });

  it("spends an approval on the identical call, once", () => {
    const run = trial();
    expect(run({ session: "s", approve: { groups: ["leads"] } })).toMatchObject({ error: "the last call of session `s` did not ask for anything" });
    run(pay(20_000));
    expect(run({ session: "s", approve: { groups: ["leads"] } })).toMatchObject({ approved: "bank/pay", groups: ["leads"] });
    expect(run(pay(20_000))).toMatchObject({ effect: "allow" });
    expect(run(pay(20_000))).toMatchObject({ effect: "ask" });
    run({ session: "s", approve: { groups: ["leads"] } });
    expect(run(pay(30_000))).toMatchObject({ effect: "ask" });
    expect(run(pay(1))).toMatchObject({ effect: "allow" });
    expect(run(pay(20_000)), "whatever came between").toMatchObject({ effect: "allow" });
    run(pay(40_000));
    expect(run({ session: "s", approve: { groups: ["staff"] } })).toMatchObject({ error: "`staff` was not asked about `bank/pay`; asked were leads" });
    expect(run(pay(40_000))).toMatchObject({ effect: "ask" });
  });

  it("takes a quorum as it was asked for", () => {
    const run = trial();
    expect(run(pay(2_000_000))).toMatchObject({ effect: "ask", approvers: ["2 of staff", "leads"] });
    expect(run({ session: "s", approve: { groups: ["staff"] } })).toMatchObject({ error: "`staff` was not asked about `bank/pay`; asked were 2 of staff, leads" });
    run({ session: "s", approve: { groups: ["leads"] } });
    expect(run(pay(2_000_000))).toMatchObject({ effect: "ask", approvers: ["2 of staff"] });
    run({ session: "s", approve: { groups: ["2 of staff"] } });
    expect(run(pay(2_000_000))).toMatchObject({ effect: "allow" });
  });

  it("takes an approval for these policies and this tool alone, and not for ever", () => {
    const run = trial();
    run(pay(20_000));
    run({ session: "s", approve: { groups: ["leads"] } });
    run({ tools: { bank: [{ name: "pay", description: "another one", inputSchema: { type: "object", properties: { cents: { type: "integer" } }, required: ["cents"] } }] } });
    expect(run(pay(20_000))).toMatchObject({ effect: "ask" });
    run({ session: "s", approve: { groups: ["leads"] } });
    expect(run({ ...pay(20_000), at: "2026-11-02T09:59:00Z" })).toMatchObject({ effect: "allow" });
    expect(run({ session: "long", open: { agent: "bot", on_behalf_of: "ana", task: "x", minutes: 120 } })).toMatchObject({ opened: true });
    run({ ...pay(20_000), session: "long" });
    run({ session: "long", approve: { groups: ["leads"] } });
    expect(run({ ...pay(20_000), session: "long", at: "2026-11-02T10:00:00Z" }), "an hour later").toMatchObject({ effect: "ask" });
  });

  it("denies what JSON does not carry exactly, and names the session of a line that is wrong", () => {
    const run = trial();
    const raw = JSON.stringify(pay(1)).replace('"cents":1', '"cents":12345678901234567890');
    expect(run(raw)).toMatchObject({ session: "s", effect: "deny", by: "malformed_call", error: expect.stringContaining("12345678901234567890") });
    expect(run({ session: "s", call: {} })).toMatchObject({ session: "s", effect: "deny" });
  });

  it("opens sessions by the rules of the daemon", () => {
    const run = trial();
    const open = (session: string, more: object): JsonObject => run({ session, open: { on_behalf_of: "ana", task: "x", ...more } });
    expect(open("t", { agent: "bto" })).toMatchObject({ error: "no agent `bto` is registered" });
    expect(open("t", { agent: "bot", on_behalf_of: "eve" })).toMatchObject({ error: "no user `eve` is registered" });
    expect(run({ session: "t", call: { tool: "bank/pay", args: { cents: 1 } } })).toMatchObject({ effect: "deny", by: "unauthenticated", error: expect.stringContaining("session `t` is not open") });
    open("labelled", { agent: "bot", labels: ["secret"] });
    expect(run({ ...pay(1), session: "labelled" })).toMatchObject({ effect: "deny", reasons: [{ policy: "labelled" }] });
    open("narrow", { agent: "bot", tools: ["bank/look"], max_calls: 2 });
    expect(run({ ...pay(1), session: "narrow" })).toMatchObject({ effect: "deny", by: "denied" });
    run({ session: "child", open: { parent: "narrow", tools: ["bank/*"] } });
    expect(run({ ...pay(1), session: "child" })).toMatchObject({ effect: "deny", by: "denied" });
    const look = (session: string) => run({ session, call: { tool: "bank/look", args: { account: "a" } } });
    expect([look("narrow"), look("child"), look("child"), look("narrow")]).toMatchObject([{ effect: "allow" }, { effect: "allow" }, { effect: "deny", by: "budget_exceeded" }, { by: "budget_exceeded" }]);
    open("shy", { agent: "shy" });
    expect(run({ ...pay(1), session: "shy" })).toMatchObject({ effect: "deny", by: "denied" });
    run({ session: "s", close: {} });
    expect(run(pay(1))).toMatchObject({ effect: "deny", by: "unauthenticated" });
  });

  it("keeps as many sessions as the limit", () => {
    const run = trial();
    const open = (session: string): JsonObject => run({ session, open: { agent: "bot", on_behalf_of: "ana" } });
    for (const name of ["a", "b", "c", "d", "a"]) expect(open(name)).toMatchObject({ opened: true });
    expect(open("e")).toMatchObject({ error: expect.stringContaining("the limit trace_sessions") as unknown });
    run({ session: "a", close: {} });
    expect(open("e")).toMatchObject({ opened: true });
  });

  it("says of each answer whether anybody must know it", () => {
    const one = new Trial({ world: world(), guesser: null, clock: systemClock, explain: false });
    const isPlain = (line: object): boolean => one.run(JSON.stringify(line), 1).isPlain === true;
    for (const line of [{ tools: definitions }, { session: "s", open: { agent: "bot", on_behalf_of: "ana" } }, { session: "s", result: { tool: "bank/look", content: "x" } }]) expect(isPlain(line)).toBe(true);
    for (const line of [pay(1), { session: "s", result: { tool: "bank/look", content: "x".repeat(1001) } }, { session: "who", close: {} }, { session: "s", cal: {} }]) expect(isPlain(line)).toBe(false);
  });

  it("has its results inspected", () => {
    const run = trial();
    const result = (content: unknown): JsonObject => run({ session: "s", result: { tool: "bank/look", content } });
    expect(result("fine")).toEqual({ line: 3, session: "s", result: "passed" });
    expect(result([{ type: "text", text: "fine" }])).toMatchObject({ result: "passed" });
    expect(result("x".repeat(1001))).toMatchObject({ result: "withheld", why: expect.stringContaining("result_bytes") });
    expect(run('{"session":"s","result":{"tool":"bank/look","content":"\\ud800"}}')).toMatchObject({ result: "withheld" });
    expect(run({ session: "who", result: { tool: "bank/look", content: "x" } })).toMatchObject({ error: expect.stringContaining("not open") });
  });

  it.each([
    ["{", "not JSON"],
    ["[]", "expected object"],
    ["{}", "the line says none of"],
    ['{"session":"s","open":{},"close":{}}', "the line says open and close; one a line"],
    ['{"close":{}}', "`session` is missing"],
    ['{"session":"s","call":{"tool":"a/b","arguments":{}}}', "unknown key `call.arguments`"],
    ['{"session":"s","call":{"tool":"a/b","args":[]}}', "`call.args`: is not an object"],
    ['{"session":"s","at":"noon","close":{}}', "`at`: is no time"],
    ['{"tools":{"bank":[{"name":"x"}]}}', "`tools.bank`"],
  ])("goes on after a bad line: %s", (line, why) => {
    const run = trial();
    expect(run(line)["error"]).toContain(why);
    expect(run(pay(1))).toMatchObject({ line: 4, effect: "allow" });
  });

  it("denies a call that is written badly", () => {
    const run = trial();
    expect(run('{"session":"s","call":{"tool":"bank/pay"')).toMatchObject({ effect: "deny", by: "malformed_call", error: expect.stringContaining("not JSON") as string });
    expect(run({ session: "s", call: { tool: "bank/pay", args: 3 } })).toMatchObject({ effect: "deny", by: "malformed_call", error: expect.any(String) as string });
    expect(run({ session: "s", call: { tool: "pay" } })).toMatchObject({ effect: "deny", by: "malformed_call" });
    expect(run('{"session":"s","call":{"tool":"bank/pay","args":{"cents":1,"x":"\\ud800"}}}')).toMatchObject({ effect: "deny", by: "malformed_call" });
  });

  it("takes arguments as they are", () => {
    const run = trial();
    expect(run('{"session":"s","call":{"tool":"bank/pay","args":{"__proto__":{"cents":1}}}}')).toMatchObject({ effect: "deny", errors: [{ policy: "pay.large" }] });
  });

  it("says of an unknown tool or server what to do", () => {
    const run = trial();
    expect(run({ session: "s", call: { tool: "bank/burn" } })).toMatchObject({ effect: "deny", by: "not_found", errors: [{ message: expect.stringContaining("--tools") }] });
    expect(run({ session: "s", call: { tool: "moon/fly" } })).toMatchObject({ effect: "deny", by: "not_found", errors: [{ message: "no server `moon` is registered" }] });
  });

  it("explains on demand", () => {
    const run = trial(true);
    expect(run(pay(10_001))["explain"]).toMatchObject([{ policy: "pay.large", file: "p.cedar", line: 2, role: "decided", facts: expect.arrayContaining(["context.input.cents = 10001"]) as unknown }]);
    expect(run({ session: "s", call: { tool: "bank/mcp:resources/read", args: { uri: "x" } } })["explain"]).toEqual([]);
  });
});

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
async function* chunks(...parts: string[]): AsyncGenerator<Uint8Array> {
  for (const part of parts) yield bytes(part);
}
const linesOf = async (limit: number, ...parts: string[]): Promise<(string | null)[]> => {
  const lines: RawLine[] = [];
  for await (const some of rawLines(chunks(...parts), limit)) lines.push(...some);
  return lines.map((line) => line && new TextDecoder().decode(line));
};

describe("lines", () => {
  it("are cut at newlines, wherever the chunks end", async () => {
    expect(await linesOf(10, "ab", "c\nd", "\n\ne", "f")).toEqual(["abc", "d", "", "ef"]);
    expect(await linesOf(10)).toEqual([]);
  });
  it("are at most as long as the limit, and those after a longer one are read", async () => {
    expect(await linesOf(3, "abc\nabcd\nab", "cd", "ef\nx\nabcd")).toEqual(["abc", null, null, "x", null]);
  });
  it("are UTF-8, or said not to be", () => {
    expect(textOf(bytes(" \r"))).toBeNull();
    expect(() => textOf(new Uint8Array([0xff]))).toThrow();
  });
});

describe("guessed tools", () => {
  it("are typed as policies read them, else as the first call has them; what no policy reads is left out", () => {
    const text = `@id("pay") permit (principal, action in Action::"money", resource) when { context.input.cents < 5 && context.input has force && context.input has to };
@id("etc") forbid (principal, action, resource) when { context.input has path && context.input.path like "/etc/*" };`;
    const known = new TrialWorld({ config: world().config, ground: null, named: false, policies: [{ file: "p.cedar", text }] });
    const guesser = new Guesser(known);
    guesser.foresee();
    const schemaOf = (name: string): unknown => known.ground().tools.find(({ server, tool }) => `${server}/${tool}` === name)?.inputSchema["properties"];
    expect(schemaOf("bank/pay")).toEqual({ cents: { type: "integer" }, force: { type: "string" }, to: { type: "string" }, path: { type: "string" } });
    expect(guesser.names()).toEqual([]);
    expect(guesser.meet("bank/pay", { cents: 1, force: true, to: ["x"], tags: ["a"] })).toBe(true);
    expect(guesser.meet("bank/pay", { cents: 1, force: "yes", tags: 7 })).toBe(true);
    expect(guesser.meet("far/away", { any: 1 })).toBe(true);
    expect(schemaOf("bank/pay")).toEqual({ cents: { type: "integer" }, force: { type: "boolean" }, to: { type: "array", items: { type: "string" } }, path: { type: "string" } });
    expect(schemaOf("far/away")).toEqual({ path: { type: "string" } });
    expect(guesser.names()).toEqual(["bank/pay", "far/away"]);
    expect(known.snapshot().count).toBe(2);
  });
  it("let policies of every kind compile and decide", () => {
    const text = `@id("a") permit (principal, action in Action::"server:shop", resource) when { context.input has order && context.input.order.total < 100 && context.input.order.items.contains("x") };
@id("b") forbid (principal, action == Action::"shop/buy", resource) when { context.input.price.greaterThan(decimal("9.99")) || context.input.gift };
@id("c") forbid (principal, action, resource) when { context.input has tags && context.input.tags.containsAny(["p", "q"]) };
@id("d") forbid (principal, action == Action::"shop/buy", resource) when { if context.input has n then context.input.n + 1 > 3 else false };
@id("e") forbid (principal, action == Action::"shop/buy", resource) when { ["y"].contains(context.input.mode) };`;
    const shop = new TrialWorld({ config: world().config, ground: null, named: false, policies: [{ file: "p.cedar", text }] });
    const call = (tool: string, args: object): string => JSON.stringify({ session: "s", call: { tool, args } });
    const buy = { order: { total: 5, items: ["x"] }, price: 1, gift: false, mode: "z" };
    const lines = [JSON.stringify({ session: "s", open: { agent: "bot", on_behalf_of: "ana" } }), call("shop/buy", buy), call("shop/buy", { ...buy, n: 3 }), call("shop/buy", { ...buy, mode: "y" }), call("shop/look", { order: buy.order, tags: ["p"] }), call("shop/look", {})];
    const guesser = new Guesser(shop);
    guesser.foresee();
    const one = new Trial({ world: shop, guesser, clock: systemClock, explain: false });
    const answers = lines.map((line, index) => one.run(line, index + 1).answer as { effect?: string; reasons?: { policy: string }[] });
    expect(answers.slice(1).map(({ effect, reasons = [] }) => `${effect} ${reasons.map(({ policy }) => policy).join()}`)).toEqual(["allow a", "deny d", "deny e", "deny c", "deny "]);
  });
  it("are said to be guesses, and are none any more once the trace defines them", () => {
    const known = world();
    const guesser = new Guesser(known);
    guesser.foresee();
    const one = new Trial({ world: known, guesser, clock: { ...systemClock, nowMs: () => Date.parse("2026-11-02T09:00:00Z") }, explain: false });
    const run = (line: object): JsonObject => one.run(JSON.stringify(line), 1).answer;
    run({ session: "s", open: { agent: "bot", on_behalf_of: "ana" } });
    expect(run(pay(1))).toMatchObject({ effect: "allow", guessed: true });
    run({ tools: definitions });
    expect(run(pay(1))).not.toHaveProperty("guessed");
    expect(guesser.names()).toEqual([]);
    run({ session: "t", open: { agent: "shy", on_behalf_of: "ana" } });
    expect(run({ session: "t", call: { tool: "far/away", args: {} } })).toMatchObject({ effect: "deny", by: "denied" });
  });
  it("do not follow arguments for ever", () => {
    const guess = newGuess();
    let deep: object = {};
    for (let i = 0; i < 10_000; i++) deep = { deep };
    observe(guess, { deep } as JsonObject);
    observe(guess, Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`k${i}`, 1])));
    expect(Object.keys(schemaOfGuess(guess)["properties"] as object)).toHaveLength(256);
    expect(JSON.stringify(schemaOfGuess(guess)).length).toBeLessThan(20_000);
  });
  it("fail where the policies do not compile", () => {
    const wrong = new TrialWorld({ config: world().config, ground: null, named: false, policies: [{ file: "p.cedar", text: "permit (principal)" }] });
    expect(() => wrong.snapshot()).toThrow(Fault);
  });
});
