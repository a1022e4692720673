import { validate, type ValidationError } from "@cedar-policy/cedar-wasm/nodejs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { actionsOf, resourceTypesOf, schemaOf, type ApprovedTool } from "../schema/schema.ts";
import { Memory } from "./memory.ts";
import type { Flaw } from "./problem.ts";
import { flawOf, readPolicy } from "./reading.ts";
import { splitPolicies } from "./split.ts";
import { openWorld, validateAll, type Parsed, type Validity } from "./validate.ts";

const tool = (name: string, properties: Record<string, unknown>, effects: ApprovedTool["contract"]["effects"], resource?: string): ApprovedTool => {
  const [server = "", short = ""] = name.split("/");
  const contract = { effects, reversibility: "unknown" as const, ...(resource && { resource: { type: resource, argument: ["a"] } }) };
  return { server, tool: short, definition: "d", inputSchema: { type: "object", properties, required: ["a"] } as never, contract };
};
const text = { type: "string" };
const tools: ApprovedTool[] = [
  tool("s/one", { a: text, b: { type: "integer" } }, ["read"]),
  tool("s/two", { a: { type: "integer" }, b: { type: "integer" } }, ["read", "egress"]),
  tool("s/three", { a: text, c: { type: "object", properties: { d: text } } }, ["write"], "Repo"),
  tool("t/one", { a: text, b: { type: ["string", "integer"] } }, ["read"], "Repo"),
  tool("t/four", { a: text, b: { type: "integer" } }, ["read"]),
];
const { actions } = actionsOf({ servers: ["s", "t"], tools });
const types = resourceTypesOf(actions);
const world = openWorld(actions, types);

const principal = fc.constantFrom("principal", 'principal == Agent::"x"', 'principal in Team::"t"', 'principal in User::"u"', 'principal is Agent in AgentClass::"c"');
const action = fc.constantFrom("action", 'action == Action::"s/one"', 'action in [Action::"s/two", Action::"t/one"]', 'action in Action::"read"', 'action in Action::"server:t"', 'action in [Action::"mcp", Action::"write"]', 'action == Action::"s/gone"', 'action in [Action::"mcp", Action::"read"]');
const resource = fc.constantFrom("resource", 'resource is Repo', 'resource == Server::"s"', 'resource in Server::"t"', 'resource == Repo::"r"', "resource is Srever");
const term = fc.constantFrom(
  ...['context.input.a == "x"', "context.input.a > 3", "context.input has b", "context.input has b && context.input.b == 3", "context.input.c.d like \"x*\"", "context.input has c.d", "context.inptu.a == 1", "context.input == context.input", "context has input"],
  ...['action == Action::"s/one"', 'action in Action::"read"', 'action in [Action::"t/one", Action::"s/gone"]', 'Action::"s/one" in Action::"egress"', "resource.labels.contains(\"l\")", "resource is Repo && resource.labels.contains(\"l\")", "resource has owner && principal in resource.owner", "principal in resource"],
  ...["false", "true", "1 + true == 2", 'context.session.labels.contains("x")', "context.session.labels == 3", 'context.user in Group::"g"', "context.now < 3", 'context.approvals.contains(Group::"g")', 'ip("x").isIpv4()', "if context.input has b then context.input.b == 1 else 3 == \"a\""],
);
const condition = fc.oneof(term, fc.tuple(term, fc.constantFrom("&&", "||"), term).map(([left, by, right]) => `(${left}) ${by} (${right})`), term.map((inner) => `!(${inner})`));
const policy = fc.record({ principal, action, resource, clauses: fc.array(fc.tuple(fc.constantFrom("when", "unless"), condition), { maxLength: 2 }) }).map(
  (one) => `@id("p") forbid (${one.principal}, ${one.action}, ${one.resource})${one.clauses.map(([kind, body]) => ` ${kind} { ${body} }`).join("")};`,
);

const parsed = (source: string): Parsed[] =>
  splitPolicies({ file: "f", text: source }).flatMap((chunk) => {
    const { meaning } = readPolicy(chunk);
    return meaning === null ? [] : [{ text: chunk.text, meaning }];
  });

const named = /Action::"(?:[^"\\]|\\.)*"/g;

/** Against the whole schema in one go, as cedar would have it; the repeats of each action counted. */
const wholly = (policies: readonly Parsed[]): Validity[] => {
  const unknown = policies.flatMap(({ meaning }) => meaning.actions).filter((name) => !world.known.has(name));
  const answer = validate({ validationSettings: { mode: "strict" }, schema: schemaOf(actions, { unknown, types }) as never, policies: { staticPolicies: Object.fromEntries(policies.map((one, index) => [`${index}`, one.text])) } });
  if (answer.type === "failure") throw new Error(answer.errors.map(({ message }) => message).join());
  const fold = (found: readonly ValidationError[], index: number): Flaw[] => {
    const groups = new Map<string, Flaw[]>();
    const mine = found.filter(({ policyId }) => policyId === `${index}`).map(({ error }) => error);
    for (const error of mine.toSorted((left, right) => (left.message < right.message ? -1 : 1))) {
      const key = JSON.stringify([error.sourceLocations, error.message.replace(named, "")]);
      groups.set(key, [...(groups.get(key) ?? []), flawOf(policies[index]?.meaning.hoisted ?? { text: "", place: (at) => at }, error, /^for policy `[^`]*`, /)]);
    }
    return [...groups.values()].map(([first, ...more]) => ({ ...(first as Flaw), message: `${first?.message}${more.length > 0 ? ` (and for ${more.length} more actions)` : ""}` }));
  };
  return policies.map((_, index) => ({ errors: fold(answer.validationErrors, index), warnings: fold(answer.validationWarnings, index) }));
};

const sorted = (flaws: readonly Flaw[]): string[] => flaws.map((flaw) => JSON.stringify(flaw)).sort();

describe("validation against what a policy can reach", () => {
  it("finds what validation against the whole schema finds", () => {
    fc.assert(
      fc.property(fc.array(policy, { minLength: 1, maxLength: 12 }), (texts) => {
        const policies = parsed(texts.join("\n"));
        const found = validateAll(policies, world, new Memory(100), () => {});
        wholly(policies).forEach((whole, index) => {
          const mine = found[index];
          expect(sorted(mine?.errors ?? []), policies[index]?.text).toEqual(sorted(whole.errors));
          const unknown = policies[index]?.meaning.actions.some((name) => !world.known.has(name)) === true;
          const never = (mine?.warnings ?? []).filter(({ message }) => message.startsWith("the policy can never match"));
          if (!unknown && whole.errors.length === 0) expect(never.length > 0, policies[index]?.text).toBe(whole.warnings.some(({ message }) => / impossible|applicable/.test(message)));
        });
      }),
      { numRuns: 150 },
    );
  }, 60_000);

  it("is asked of cedar once for the same text and the same part of the schema, whatever else changes", () => {
    const policies = parsed('@id("a") permit (principal, action == Action::"s/one", resource) when { context.input.a == 1 };');
    const memory = new Memory<Validity>(10);
    const [first] = validateAll(policies, world, memory, () => {});
    const later = openWorld(actionsOf({ servers: ["s", "t", "u"], tools: tools.slice(0, 3) }).actions, types);
    expect(validateAll(policies, later, memory, () => {})[0]).toBe(first);
    const changed = openWorld(actionsOf({ servers: ["s"], tools: [tool("s/one", { a: { type: "integer" } }, [])] }).actions, types);
    expect(validateAll(policies, changed, memory, () => {})[0]?.errors).toEqual([]);
    expect(first?.errors).toHaveLength(1);
  });
});
