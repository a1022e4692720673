import { isAuthorized } from "@cedar-policy/cedar-wasm/nodejs";
import type { DecisionInput, JsonObject } from "@lanyard/contract";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { decodeBundle, encodeBundle } from "./bundle.ts";
import { compile } from "./compile.ts";
import { Compiler } from "./compiler.ts";
import { Engine, type After } from "./engine.ts";
import { openRules } from "./head.ts";
import { cedarMatcher } from "./matcher.ts";
import type { ApprovedTool } from "./schema.ts";

const after: After = (ms, task) => {
  const timer = setTimeout(task, ms);
  return { cancel: () => clearTimeout(timer) };
};
/** A clock that never strikes. */
const never: After = () => ({ cancel: () => {} });

const tools = ["read", "write"].map(
  (tool): ApprovedTool => ({
    server: "files",
    tool,
    definition: "d",
    inputSchema: { type: "object", properties: { path: { type: "string" }, size: { type: "integer" }, tags: { type: "array", items: { type: "string" } } } },
    contract: { effects: [tool === "read" ? "read" : "write"], reversibility: "unknown" },
  }),
);
const bundleOf = (text: string): Uint8Array => {
  const compiled = compile({ servers: ["files"], tools, policies: [{ file: "p.cedar", text }] });
  if (!compiled.ok) throw new Error(compiled.errors.map(({ message }) => message).join("; "));
  return compiled.bytes;
};
const inputOf = (args: JsonObject, more: Partial<DecisionInput> = {}): DecisionInput => ({
  agent: { id: "bot", team: "shop", classes: ["worker"] },
  user: { id: "ana", groups: ["staff"] },
  session: { id: "s", purpose: "", depth: 0, labels: [], isolation: "none" },
  action: "files/write",
  args,
  approvals: [],
  nowMs: 1_790_000_000_000,
  ...more,
});
const program = (source: string): URL => new URL(`data:text/javascript,${encodeURIComponent(`import { parentPort } from "node:worker_threads"; ${source}`)}`);

const text = `
@id("write") permit (principal, action, resource) when { context.input has path };
@id("secret") forbid (principal, action in Action::"write", resource) when { context.input has path && context.input.path like "*secret*" };`;
const bytes = bundleOf(text);
const engine = new Engine({ after });
const loaded = engine.load(bytes);
afterAll(() => engine[Symbol.asyncDispose]());

describe("the engine", () => {
  it("decides many at once, each as it would alone", async () => {
    const all = await Promise.all(Array.from({ length: 100 }, (_, index) => engine.decide(loaded, inputOf({ path: index % 3 ? "a" : "secret" }))));
    expect(all.map(({ effect }) => effect)).toEqual(Array.from({ length: 100 }, (_, index) => (index % 3 ? "allow" : "deny")));
  });

  it("loses its worker over no arguments at all", async () => {
    const args = fc.dictionary(fc.constantFrom("path", "size", "tags", "__proto__", "__entity", "other"), fc.oneof(fc.jsonValue(), fc.double(), fc.string({ unit: "binary" }), fc.constantFrom("\ud800", { __entity: { type: "User", id: "x" } }, { __expr: "1" })));
    await fc.assert(
      fc.asyncProperty(args, async (given) => {
        const { effect, errors } = await engine.decide(loaded, inputOf(given as JsonObject));
        expect(["allow", "deny"]).toContain(effect);
        expect(errors.every(({ policy }) => policy === "lanyard.arguments")).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  it("denies arguments that are no tree", async () => {
    const circle: JsonObject = {};
    circle["path"] = circle;
    const deep = JSON.parse(`${"[".repeat(9000)}${"]".repeat(9000)}`) as never;
    expect((await engine.decide(loaded, inputOf(circle))).errors[0]?.policy).toBe("lanyard.arguments");
    expect((await engine.decide(loaded, inputOf({ deep }))).errors[0]?.policy).toBe("lanyard.arguments");
  });

  it("denies facts of the gateway's own that Cedar could not be shown", async () => {
    expect((await engine.decide(loaded, inputOf({}, { nowMs: Number.NaN }))).effect).toBe("deny");
    expect((await engine.decide(loaded, inputOf({}, { user: { id: "\ud800", groups: [] } }))).errors[0]?.policy).toBe("lanyard.arguments");
  });

  it("keeps the bundle a call names, whatever is loaded later", async () => {
    const other = engine.load(bundleOf('@id("none") forbid (principal, action, resource);'));
    const [one, two] = await Promise.all([engine.decide(loaded, inputOf({ path: "a" })), engine.decide(other, inputOf({ path: "a" }))]);
    expect([one.effect, two.effect]).toEqual(["allow", "deny"]);
    expect(two.reasons).toEqual([{ policy: "none", text: "", remedy: "" }]);
  });

  it("tells where a policy stands", () => {
    expect(engine.policy(loaded, "secret")).toMatchObject({ file: "p.cedar", line: 3 });
    expect(engine.policy(loaded, "none")).toBeNull();
  });

  it("refuses a bundle it does not have", async () => {
    await expect(engine.decide("nothing", inputOf({}))).rejects.toMatchObject({ code: "engine_unavailable" });
  });

  it("keeps the 32 bundles used last", async () => {
    await using small = new Engine({ after });
    const loadOther = (name: string): string => small.load(encodeBundle({ ...decodeBundle(bytes), engine: name }).bytes);
    const first = small.load(bytes);
    const others = Array.from({ length: 31 }, (_, index) => loadOther(`other/${index}`));
    await small.decide(others[0] ?? "", inputOf({ path: "a" })); // so that the worker has it
    for (const each of [first, ...others.slice(1)]) await small.decide(each, inputOf({ path: "a" }));
    await small.decide(first, inputOf({ path: "a" })); // now the youngest
    loadOther("one too many");
    await expect(small.decide(first, inputOf({ path: "a" }))).resolves.toMatchObject({ effect: "allow" });
    await expect(small.decide(others[0] ?? "", inputOf({}))).rejects.toMatchObject({ code: "engine_unavailable" });
  });
});

describe("candidates", () => {
  const rules = openRules(decodeBundle(bundleOf(`${text}\n@id("other") permit (principal == Agent::"other", action, resource);`)));
  const read = rules.action("files/read");
  const agent = inputOf({}).agent;

  it("are those whose head speaks of the call", () => {
    if (read === null) throw new Error("the tool is not there");
    expect(rules.candidates(agent, read).map(({ id }) => id)).toEqual(["write"]);
    expect(rules.candidates({ ...agent, id: "other" }, read).map(({ id }) => id)).toEqual(["other", "write"]);
  });

  // What the matcher prepares it keeps by the identity of the list; a list a caller would fill its slots.
  it("are one list for all whom the same policies speak of", () => {
    if (read === null) throw new Error("the tool is not there");
    expect(rules.candidates({ ...agent, id: "another" }, read)).toBe(rules.candidates(agent, read));
  });

  it("outnumber the matcher's slots and are still evaluated", () => {
    const match = cedarMatcher();
    const many = openRules(decodeBundle(bundleOf(Array.from({ length: 300 }, (_, index) => `@id("p${index}") permit (principal == Agent::"a${index}", action, resource);`).join("\n"))));
    const action = many.action("files/read");
    if (action === null) throw new Error("the tool is not there");
    for (const index of [...Array(300).keys(), 0, 299, 1]) {
      const asked = { ...agent, id: `a${index}` };
      expect([...match(many.candidates(asked, action), action, inputOf({}, { agent: asked }), {}).satisfied]).toEqual([`p${index}`]);
    }
  });
});

describe("when the worker fails", () => {
  it("a crash rejects what was being decided, and the next call has a new worker", async () => {
    await using broken = new Engine({ after: never, program: program(`parentPort.on("message", ({ kind }) => { if (kind === "decide") process.exit(3); });`) });
    const bundle = broken.load(bytes);
    const both = await Promise.allSettled([broken.decide(bundle, inputOf({})), broken.decide(bundle, inputOf({}))]);
    expect(both.map((one) => one.status === "rejected" && one.reason.code)).toEqual(["engine_unavailable", "engine_unavailable"]);
    await expect(broken.decide(bundle, inputOf({}))).rejects.toMatchObject({ code: "engine_unavailable" });
  });

  it("a hang is noticed", async () => {
    let strike: (() => void) | undefined;
    const clock: After = (_, task) => ((strike = task), { cancel: () => {} });
    await using hung = new Engine({ after: clock, program: program(`parentPort.on("message", () => {});`) });
    const waiting = hung.decide(hung.load(bytes), inputOf({}));
    await Promise.resolve(); // the message is sent at the end of the turn
    await Promise.resolve();
    strike?.();
    await expect(waiting).rejects.toThrow("did not answer in time");
  });

  it("a failure on one call spares the calls behind it", async () => {
    const source = `parentPort.on("message", (order) => { if (order.kind !== "decide") return;
      const at = order.questions.findIndex(({ input }) => input.includes("poison"));
      const decided = order.questions.slice(0, at < 0 ? undefined : at).map(() => JSON.stringify({ effect: "allow", reasons: [], approvers: [], errors: [] }));
      parentPort.postMessage({ decisions: decided, broken: at < 0 ? null : "a trap" }); });`;
    await using odd = new Engine({ after: never, program: program(source) });
    const bundle = odd.load(bytes);
    const several = await Promise.allSettled(["a", "poison", "b", "poison", "c"].map((path) => odd.decide(bundle, inputOf({ path }))));
    expect(several.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled", "rejected", "fulfilled"]);
  });

  it("one session that asks for much keeps another waiting for one of its questions, not for all", async () => {
    const order: string[] = [];
    const ask = (id: string, path: string) => engine.decide(loaded, inputOf({ path }, { session: { ...inputOf({}).session, id } })).then(() => order.push(id));
    const greedy = Array.from({ length: 20 }, () => ask("greedy", "x".repeat(100_000)));
    await Promise.all([...greedy, ask("modest", "a"), ask("modest", "b")]);
    expect(order.indexOf("modest")).toBeLessThan(3);
    expect(order.lastIndexOf("modest")).toBeLessThan(5);
    expect(order).toHaveLength(22);
  });

  it("a program that does not start rejects", async () => {
    await using none = new Engine({ after: never, program: new URL("file:///nowhere/at-all.js") });
    await expect(none.decide(none.load(bytes), inputOf({}))).rejects.toMatchObject({ code: "engine_unavailable" });
  });

  it("closing rejects what is open and all that comes", async () => {
    const closing = new Engine({ after: never, program: program(`parentPort.on("message", () => {});`) });
    const bundle = closing.load(bytes);
    const both = Promise.allSettled([closing.decide(bundle, inputOf({})), closing[Symbol.asyncDispose]()]);
    expect(await both).toMatchObject([{ reason: { code: "engine_unavailable", message: "the engine is closed" } }, {}]);
    await expect(closing.decide(bundle, inputOf({}))).rejects.toThrow("the engine is closed");
  });
});

describe("the compiler", () => {
  const source = { servers: ["files"], tools, policies: [{ file: "p.cedar", text }] };

  it("gives what compiling gives, as often as it is asked", async () => {
    await using compiler = new Compiler({ after, patienceMs: 60_000 });
    const several = [compiler.compile(source), compiler.compile({ ...source, servers: ["a/b"] }), compiler.compile(source)];
    expect(await Promise.allSettled(several)).toMatchObject([{ value: { ok: true, hash: loaded } }, { reason: { code: "invalid_config" } }, { value: { hash: loaded } }]);
  });

  it("gives up in time, and starts anew", async () => {
    let strikes = 1;
    const once: After = (ms, task) => (strikes-- > 0 ? (task(), { cancel: () => {} }) : after(ms, task));
    await using compiler = new Compiler({ after: once, patienceMs: 60_000 });
    await expect(compiler.compile(source)).rejects.toThrow("not compiled within 60000 ms");
    await expect(compiler.compile(source)).resolves.toMatchObject({ ok: true });
  });

  it("rejects what comes after it is closed, and what is open then", async () => {
    const compiler = new Compiler({ after: never, patienceMs: 60_000 });
    const open = compiler.compile(source);
    await Promise.resolve();
    await compiler[Symbol.asyncDispose]();
    await expect(open).rejects.toMatchObject({ code: "engine_unavailable" });
    await expect(compiler.compile(source)).rejects.toThrow("the compiler is closed");
  });
});

// Policies of which every part may or may not hold, without remedies and errors: there we must agree with stock Cedar.
const anyPolicy = fc.tuple(
  fc.constantFrom("permit", "forbid"),
  fc.constantFrom("principal", 'principal == Agent::"bot"', 'principal in AgentClass::"worker"', 'principal in Team::"other"', "principal is Agent", 'principal is Agent in Team::"shop"', 'principal is User', 'principal == User::"ana"'),
  fc.constantFrom("action", 'action == Action::"files/read"', 'action in Action::"write"', 'action in [Action::"read", Action::"server:files"]', 'action == Action::"files/later"'),
  fc.constantFrom("resource", 'resource == Server::"files"', 'resource == Server::"other"', "resource is Server", "resource is Agent", 'resource in Server::"files"'),
  fc.constantFrom("", 'when { context.user in Group::"staff" }', 'when { context.input has path && context.input.path like "a*" }', "unless { context.session.depth > 0 }", 'when { principal in Team::"shop" }', 'unless { action in Action::"read" }'),
);

describe("against stock Cedar", () => {
  const cedarSays = (source: string, input: DecisionInput, schema: unknown): { decision: string; reasons: string[] } => {
    const staticPolicies = Object.fromEntries(decodeBundle(bundleOf(source)).policies.map((policy) => [policy.id, policy.text]));
    const entity = (type: string, id: string, parents: [string, string][]) => ({ uid: { type, id }, attrs: {}, parents: parents.map(([kind, name]) => ({ type: kind, id: name })) });
    const answer = isAuthorized({
      principal: { type: "Agent", id: "bot" }, action: { type: "Action", id: input.action }, resource: { type: "Server", id: "files" },
      context: { input: input.args as never, user: { __entity: { type: "User", id: "ana" } }, session: input.session as never, approvals: [], remedies: [], now: { __extn: { fn: "datetime", arg: "2026-01-01" } } },
      schema: schema as never, validateRequest: true, policies: { staticPolicies },
      entities: [entity("Agent", "bot", [["Team", "shop"], ["AgentClass", "worker"]]), entity("User", "ana", [["Group", "staff"]])],
    });
    if (answer.type === "failure") throw new Error(JSON.stringify(answer.errors));
    return { decision: answer.response.decision, reasons: answer.response.diagnostics.reason.sort() };
  };

  it("agrees, and neither renaming nor inserting a policy changes anything else", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyPolicy, { maxLength: 6 }), fc.constantFrom("files/read", "files/write"), fc.constantFrom("a", "b"), async (policies, action, path) => {
        const textOf = (prefix: string): string => policies.map(([effect, principal, act, resource, clause], index) => `@id("${prefix}${index}") ${effect} (${principal}, ${act}, ${resource}) ${clause};`).join("\n");
        const input = inputOf({ path }, { action });
        const compiled = bundleOf(textOf("p"));
        const ours = await engine.decide(engine.load(compiled), input);
        const theirs = cedarSays(textOf("p"), input, decodeBundle(compiled).schema);
        expect({ decision: ours.effect, reasons: ours.reasons.map(({ policy }) => policy) }).toEqual(theirs);

        const renamed = await engine.decide(engine.load(bundleOf(`@id("q") permit (principal == Agent::"nobody", action, resource);\n${textOf("r")}`)), input);
        expect({ ...renamed, reasons: renamed.reasons.map(({ policy, ...rest }) => ({ policy: policy.replace("r", "p"), ...rest })) }).toEqual(ours);

        // Whatever is allowed must be visible.
        expect(ours.effect !== "allow" || engine.visible(engine.load(compiled), input.agent, [action]).length === 1).toBe(true);
      }),
      { numRuns: 30 },
    );
  }, 60_000);
});
