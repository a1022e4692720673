import { isAuthorized } from "@cedar-policy/cedar-wasm/nodejs";
import type { DecisionInput, JsonObject } from "@lanyard/contract";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compile } from "../author/compile.ts";
import { decodeBundle, encodeBundle, readBundle, type Bundle } from "../bundle.ts";
import type { ApprovedTool } from "../schema/schema.ts";
import { knownContext } from "../oracle/known-context.ts";
import { openSnapshot, prepareSnapshot, type Snapshot } from "./snapshot.ts";

const tools = ["read", "write"].map(
  (tool): ApprovedTool => ({
    server: "files",
    tool,
    definition: "d",
    inputSchema: { type: "object", properties: { path: { type: "string" }, size: { type: "integer" }, tags: { type: "array", items: { type: "string" } } } },
    contract: { effects: [tool === "read" ? "read" : "write"], reversibility: "unknown" },
  }),
);
const bundleOf = (text: string, more: readonly ApprovedTool[] = []): Uint8Array => {
  const compiled = compile({ servers: ["files"], tools: [...tools, ...more], policies: [{ file: "p.cedar", text }] });
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

const text = `
@id("write") permit (principal, action, resource) when { context.input has path };
@id("secret") forbid (principal, action in Action::"write", resource) when { context.input has path && context.input.path like "*secret*" };`;
const snapshot = openSnapshot(bundleOf(text));

describe("a snapshot", () => {
  it("fails over no arguments at all", () => {
    const key = fc.constantFrom("path", "size", "tags", "__proto__", "__entity", "other");
    const value = fc.oneof(fc.jsonValue(), fc.double(), fc.string({ unit: "binary" }), fc.constantFrom("\ud800", { __entity: { type: "User", id: "x" } }, { __expr: "1" }, undefined, 1n, Symbol("s")));
    fc.assert(
      fc.property(fc.dictionary(key, value), (given) => {
        const { effect, errors } = snapshot.decide(inputOf(given as JsonObject));
        expect(["allow", "deny"]).toContain(effect);
        expect(errors.every(({ policy }) => policy === "lanyard.arguments")).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  it("denies arguments that are no tree, or too much of one", () => {
    const circle: JsonObject = {};
    circle["path"] = circle;
    const deep = JSON.parse(`${"[".repeat(9000)}${"]".repeat(9000)}`) as never;
    for (const args of [circle, { deep }, { tags: Array.from({ length: 100_000 }, () => "a") }]) expect(snapshot.decide(inputOf(args)).errors[0]?.policy).toBe("lanyard.arguments");
  });

  it("denies facts of the gateway's own that Cedar could not be shown", () => {
    const session = inputOf({}).session;
    const odd: Partial<DecisionInput>[] = [{ nowMs: Number.NaN }, { nowMs: 8.65e15 }, { user: { id: "\ud800", groups: [] } }, { agent: { id: "bot", team: "shop", classes: ["\udfff"] } }, { session: { ...session, depth: 0.5 } }, { approvals: ["\ud800"] }];
    for (const more of odd) expect(snapshot.decide(inputOf({ path: "a" }, more)).errors[0]?.policy).toBe("lanyard.arguments");
  });

  it("tells where a policy stands", () => {
    expect(snapshot.policy("secret")).toMatchObject({ file: "p.cedar", line: 3 });
    expect(snapshot.policy("none")).toBeNull();
    expect(snapshot.policy("z")).toBeNull();
  });

  it("tells which policies spoke", () => {
    expect(snapshot.judge(inputOf({ path: "a secret" }))).toEqual({ candidates: ["secret", "write"], satisfied: ["secret", "write"], errors: [] });
    expect(snapshot.judge(inputOf({ path: "a" }, { action: "files/read" }))).toEqual({ candidates: ["write"], satisfied: ["write"], errors: [] });
    expect(snapshot.judge(inputOf({ path: 1 })).errors).toHaveLength(1);
  });

  it("remembers nothing that another agent of the same name would be judged by", () => {
    const rules = openSnapshot(bundleOf('@id("team") permit (principal in Team::"shop", action, resource); @id("class") permit (principal in AgentClass::"worker", action, resource);'));
    const reasons = (team: string, ...classes: string[]): string[] => rules.decide(inputOf({}, { agent: { id: "bot", team, classes } })).reasons.map(({ policy }) => policy);
    for (let turn = 0; turn < 2; turn += 1) {
      expect([reasons("shop", "worker"), reasons("shop"), reasons("other", "worker"), reasons("other"), reasons("shop", "a", "worker")]).toEqual([["class", "team"], ["team"], ["class"], [], ["class", "team"]]);
    }
  });

  it("forgets what it remembers rather than grow, and goes on answering", () => {
    const rules = openSnapshot(bundleOf('@id("all") permit (principal, action, resource) when { principal in Team::"shop" };'));
    for (let at = 0; at < 5000; at += 1) expect(rules.decide(inputOf({}, { action: `files/mcp:method-${at}` })).effect).toBe("allow");
    for (let at = 0; at < 5000; at += 1) expect(rules.decide(inputOf({}, { agent: { id: `bot-${at}`, team: at % 2 ? "shop" : "bank", classes: [] } })).effect).toBe(at % 2 ? "allow" : "deny");
  });

  // The fields of a record come in another order than they were sent in; the decision must not.
  it("gives the same bytes whatever the order of keys is", () => {
    const given = { size: 0.5, path: 1, zeta: "\ud800", alpha: { a: "\ud800" } };
    const turned = Object.fromEntries(Object.entries(given).reverse());
    expect(JSON.stringify(snapshot.decide(inputOf(given)))).toBe(JSON.stringify(snapshot.decide(inputOf(turned))));
    const whole = openSnapshot(bundleOf('@id("whole") permit (principal, action, resource) when { context.input == context.input };'));
    expect(whole.decide(inputOf({ y: 1, x: 2 }))).toEqual(whole.decide(inputOf({ x: 2, y: 1 })));
    expect(whole.decide(inputOf({ y: 1, x: 2 })).errors[0]?.message).toContain("`x`");
  });

  it("judges a policy that cannot be evaluated to be one that errs", () => {
    const bundle = decodeBundle(bundleOf(text));
    const strange = openSnapshot(encodeBundle({ ...bundle, policies: bundle.policies.map((policy) => ({ ...policy, conditions: [{ kind: "when" as const, body: { Slot: "?principal" } }] })) }).bytes);
    expect(strange.decide(inputOf({ path: "a" }))).toMatchObject({ effect: "deny", errors: [{ policy: "secret" }, { policy: "write" }] });
  });
});

describe("resources of a call", () => {
  const repo: ApprovedTool = {
    server: "git", tool: "push", definition: "d", inputSchema: { type: "object", properties: { repo: { type: "string" } } },
    contract: { effects: ["write"], reversibility: "unknown", resource: { type: "Repo", argument: ["repo"] } },
  };
  const rules = openSnapshot(bundleOf(`
    @id("all") permit (principal, action, resource is Repo);
    @id("owned") permit (principal, action, resource == Repo::"web");
    @id("secret") forbid (principal, action, resource is Repo in Server::"git") when { resource.labels.contains("secret") };
    @id("other") forbid (principal, action, resource == Repo::"ledger") when { resource has owner && resource.owner == Team::"bank" };
    @id("lead") @remedy("approval:leads") forbid (principal, action, resource == Repo::"infra") unless { context.approvals.contains(Group::"leads") };
    @id("ops") @remedy("approval:ops") forbid (principal, action, resource == Repo::"hosts") unless { context.approvals.contains(Group::"ops") };
    @id("never") permit (principal, action, resource == Server::"git");`, [repo]));
  const push = (...resources: [id: string, labels?: string[], owner?: string][]) =>
    rules.decide(inputOf({ repo: "x" }, { action: "git/push", definition: "d", resources: resources.map(([id, labels = [], owner]) => ({ type: "Repo", id, labels, owner: owner ?? null })) }));
  const brief = ({ effect, reasons, approvers }: ReturnType<typeof push>): string => `${effect} by ${reasons.map(({ policy }) => policy).join(" ")}${approvers.length > 0 ? ` for ${approvers.join(" ")}` : ""}`;

  it("are each decided about", () => {
    expect(brief(push(["docs"]))).toBe("allow by all");
    expect(brief(push(["web"]))).toBe("allow by all owned");
    expect(brief(push(["web", ["secret"]]))).toBe("deny by secret");
    expect(brief(push(["ledger", [], "bank"]))).toBe("deny by other");
    expect(brief(push(["ledger", [], "shop"]))).toBe("allow by all");
  });

  it("must all be allowed", () => {
    expect(brief(push(["docs"], ["web"]))).toBe("allow by all owned");
    expect(brief(push(["docs"], ["ledger", [], "bank"], ["infra"]))).toBe("deny by other");
    expect(brief(push(["docs"], ["infra"], ["hosts"]))).toBe("ask by lead ops for leads ops");
  });

  it("are what the contract says they are, or the call is denied", () => {
    expect(push().errors[0]?.message).toContain("names no `Repo`");
    const file = [{ type: "File", id: "x", labels: [], owner: null }];
    expect(rules.decide(inputOf({}, { action: "git/push", definition: "d", resources: file })).errors[0]?.message).toContain("another contract");
    expect(rules.decide(inputOf({}, { resources: file })).errors[0]?.message).toContain("another contract");
  });

  it("are not known when tools are listed: what some resource would allow is shown", () => {
    expect(rules.visible(inputOf({}).agent, ["git/push", "files/read", "no/tool"])).toEqual(["git/push"]);
  });
});

describe("preparing", () => {
  const policiesText = (names: readonly string[]): string => names.map((name) => `@id("${name}") permit (principal == Agent::"${name}", action, resource) when { context.input has path && context.input.path like "${name}*" };`).join("\n");
  const breathe = async (): Promise<void> => {};
  const reasons = (ready: Snapshot, name: string): string[] => ready.decide(inputOf({ path: `${name}!` }, { agent: { id: name, team: "t", classes: [] } })).reasons.map(({ policy }) => policy);

  it("gives what opening gives, whatever it takes over", async () => {
    const name = fc.integer({ min: 0, max: 30 }).map((number) => `p${number}`);
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(name, { maxLength: 12 }), fc.uniqueArray(name, { maxLength: 12 }), fc.boolean(), async (one, two, lazily) => {
        const [first, second] = [bundleOf(policiesText(one)), bundleOf(policiesText(two))];
        const before = lazily ? openSnapshot(first) : await prepareSnapshot(first, { breathe });
        const after = await prepareSnapshot(second, { before, breathe });
        expect({ hash: after.hash, count: after.count }).toEqual({ hash: openSnapshot(second).hash, count: two.length });
        for (const asked of [...one, ...two]) {
          expect(reasons(after, asked)).toEqual(two.includes(asked) ? [asked] : []);
          expect(reasons(before, asked)).toEqual(one.includes(asked) ? [asked] : []);
        }
      }),
      { numRuns: 25 },
    );
  }, 60_000);

  it("pauses between slices, and leaves the snapshot before alone", async () => {
    const names = Array.from({ length: 100 }, (_, at) => `q${at}`);
    const bundle = decodeBundle(bundleOf(policiesText(names.slice(0, 5))));
    const many = (count: number): Bundle => ({ ...bundle, policies: names.slice(0, count).sort().map((id) => ({ ...(bundle.policies[0] as Bundle["policies"][number]), id })) });
    let pauses = 0;
    const count = async (): Promise<void> => void (pauses += 1);
    const before = await prepareSnapshot(encodeBundle(many(99)).bytes, { breathe: count });
    const first = pauses;
    expect(first).toBeGreaterThan(5);
    const after = await prepareSnapshot(encodeBundle(many(100)).bytes, { before, breathe: count });
    expect(pauses - first).toBeLessThan(first);
    expect([before.count, after.count]).toEqual([99, 100]);
    expect(after.policy("q99")).toMatchObject({ id: "q99" });
    expect(before.policy("q99")).toBeNull();
  });

  it("refuses what is no bundle", async () => {
    const whole = bundleOf(text);
    const cut = whole.subarray(0, whole.length - 5);
    for (const bytes of [new Uint8Array(), new Uint8Array([0xff]), cut, new TextEncoder().encode('{"v":2}\n')]) {
      expect(() => openSnapshot(bytes)).toThrow("cannot read a policy bundle");
      await expect(prepareSnapshot(bytes, { breathe })).rejects.toMatchObject({ code: "invalid_config" });
    }
  });

  it("reads a bundle line by line as it was written", () => {
    const bytes = bundleOf(text);
    const lines = readBundle(bytes);
    expect(encodeBundle(decodeBundle(bytes)).bytes).toEqual(bytes);
    expect([lines.policies, lines.policy(0).id, lines.policy(1).id]).toEqual([2, "secret", "write"]);
    expect(lines.actions).toContain("files/read");
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
  const cedarSays = (bundle: Bundle, input: DecisionInput): { decision: string; reasons: string[] } => {
    const entity = (type: string, id: string, parents: [string, string][]) => ({ uid: { type, id }, attrs: {}, parents: parents.map(([kind, name]) => ({ type: kind, id: name })) });
    const answer = isAuthorized({
      principal: { type: "Agent", id: "bot" }, action: { type: "Action", id: input.action }, resource: { type: "Server", id: "files" },
      context: { input: input.args as never, user: { __entity: { type: "User", id: "ana" } }, session: input.session as never, approvals: [], remedies: [], reversibility: "unknown", ...knownContext(bundle.actions.find(({ name }) => name === input.action) ?? { input: { kind: "record", fields: [] } }, {}), now: { __extn: { fn: "datetime", arg: "2026-01-01" } } },
      schema: bundle.schema as never, validateRequest: true, policies: { staticPolicies: Object.fromEntries(bundle.policies.map((policy) => [policy.id, policy.text])) },
      entities: [entity("Agent", "bot", [["Team", "shop"], ["AgentClass", "worker"]]), entity("User", "ana", [["Group", "staff"]])],
    });
    if (answer.type === "failure") throw new Error(JSON.stringify(answer.errors));
    return { decision: answer.response.decision, reasons: answer.response.diagnostics.reason.sort() };
  };

  it("agrees, and neither renaming nor inserting a policy changes anything else", () => {
    fc.assert(
      fc.property(fc.array(anyPolicy, { maxLength: 6 }), fc.constantFrom("files/read", "files/write"), fc.constantFrom("a", "b"), (policies, action, path) => {
        const textOf = (prefix: string): string => policies.map(([effect, principal, act, resource, clause], index) => `@id("${prefix}${index}") ${effect} (${principal}, ${act}, ${resource}) ${clause};`).join("\n");
        const input = inputOf({ path }, { action });
        const bytes = bundleOf(textOf("p"));
        const ours = openSnapshot(bytes).decide(input);
        expect({ decision: ours.effect, reasons: ours.reasons.map(({ policy }) => policy) }).toEqual(cedarSays(decodeBundle(bytes), input));

        const renamed = openSnapshot(bundleOf(`@id("q") permit (principal == Agent::"nobody", action, resource);\n${textOf("r")}`)).decide(input);
        expect({ ...renamed, reasons: renamed.reasons.map(({ policy, ...rest }) => ({ policy: policy.replace("r", "p"), ...rest })) }).toEqual(ours);

        // Whatever is allowed must be visible.
        expect(ours.effect !== "allow" || openSnapshot(bytes).visible(input.agent, [action]).length === 1).toBe(true);
      }),
      { numRuns: 30 },
    );
  }, 60_000);
});
