import { questionsOf } from "../temporal/answers.ts";
import { describe, expect, it } from "vitest";
import { readBundle, encodeBundle, type Policy, type Scope } from "../bundle.ts";
import { Expressions } from "../cedar/compile.ts";
import { actionsOf } from "../schema/schema.ts";
import { Actions } from "./actions.ts";
import { CandidateFinder, couldAllow } from "./candidates.ts";
import { decide } from "./decide.ts";
import { Readying } from "./ready.ts";
import { IndexDraft } from "./scope-index.ts";

const all: Scope = { op: "All" };
const policyOf = (id: string, head: Partial<Policy["head"]> = {}, effect: Policy["effect"] = "permit"): Policy => ({
  id, effect, team: "", severity: "", file: "", line: 1, column: 1, text: "", keyword: 0, reason: "", remedy: "", approvers: [], unconditional: true, reads: [], conditions: [],
  head: { principal: all, action: all, resource: all, ...head },
});
const is = (type: string, id: string): Scope => ({ op: "==", entity: { type, id } });
const within = (type: string, ...ids: string[]): Scope => ({ op: "in", entities: ids.map((id) => ({ type, id })) });

const finderOf = (...policies: Policy[]) => {
  const { actions: shapes } = actionsOf({ servers: ["a", "b"], tools: [] });
  const sorted = policies.toSorted((left, right) => (left.id < right.id ? -1 : 1));
  const lines = readBundle(encodeBundle({ v: 3, engine: "", policies: sorted, actions: shapes, schema: {}, tests: [] }).bytes);
  const readying = new Readying(new Expressions());
  const draft = new IndexDraft();
  sorted.forEach((_, at) => draft.add(readying.ready(lines, at, false)));
  const finder = new CandidateFinder(draft.done());
  const actions = new Actions(lines);
  const find = (id: string, action = "a/mcp:prompts/get", team = "t", classes: string[] = []) => {
    const known = actions.get(action);
    const answer = known && finder.find({ id, team, classes }, known);
    if (!answer) throw new Error(`there is no action \`${action}\``);
    return answer;
  };
  return { find, rules: { actions, finder, questions: questionsOf([]) }, ids: (...question: Parameters<typeof find>) => find(...question).candidates.always.map(({ id }) => id) };
};

describe("candidates", () => {
  const { find, ids } = finderOf(
    policyOf("z.all"),
    policyOf("agent", { principal: is("Agent", "bot") }),
    policyOf("team", { principal: within("Team", "t", "u") }),
    policyOf("class", { principal: { op: "is", entity_type: "Agent", in: { entity: { type: "AgentClass", id: "worker" } } } }),
    policyOf("user", { principal: is("User", "bot") }),
    policyOf("action", { action: is("Action", "a/mcp:prompts/get") }),
    policyOf("group", { action: within("Action", "server:a", "mcp") }),
    policyOf("group-itself", { action: is("Action", "mcp") }),
    policyOf("server", { resource: is("Server", "b") }),
  );

  it("are those whose heads speak of the agent and the action, sorted", () => {
    expect(ids("bot")).toEqual(["action", "agent", "group", "team", "z.all"]);
    expect(ids("other", "b/mcp:prompts/get", "v", ["worker"])).toEqual(["class", "group", "server", "z.all"]);
  });

  it("are one list for all whom the same policies speak of", () => {
    expect(find("one").candidates).toBe(find("two").candidates);
    expect(find("one")).toBe(find("one"));
    expect(find("one").candidates).not.toBe(find("bot").candidates);
  });
});

it("remembers 4,096 questions, and no more", () => {
  const { find, ids } = finderOf(policyOf("all"));
  const first = find("first");
  for (let at = 1; at < 4096; at += 1) find(`agent ${at}`);
  expect(find("first")).toBe(first);
  find("one too many");
  expect(find("first")).not.toBe(first);
  expect(ids("first")).toEqual(["all"]);
});

it("remembers what to look for in arguments once, however many names of requests an agent makes up", () => {
  const { find, rules } = finderOf({ ...policyOf("all"), reads: [{ path: ["force"], value: false }] });
  const input = { agent: { id: "bot", team: "t", classes: [] }, user: { id: "", groups: [] }, session: { id: "", purpose: "", depth: 0, labels: [], isolation: "none" as const }, args: { force: true }, approvals: [], nowMs: 0 };
  const watches = ["a/mcp:made/up", "a/mcp:made/up-too"].map((action) => {
    expect(decide(rules, { ...input, action })).toMatchObject({ effect: "deny", errors: [{ policy: "lanyard.arguments" }] });
    const known = rules.actions.get(action);
    return known && find("bot", action).candidates.watches.get(known.shape.input);
  });
  expect(watches[0]).toHaveLength(1);
  expect(watches[1]).toBe(watches[0]);
});

it("says what could be allowed: not what a forbid without conditions always hits", () => {
  const { find } = finderOf(policyOf("all"), policyOf("no", { action: is("Action", "b/mcp:prompts/get") }, "forbid"));
  expect([couldAllow(find("bot").candidates), couldAllow(find("bot", "b/mcp:prompts/get").candidates)]).toEqual([true, false]);
  expect(couldAllow(finderOf().find("bot").candidates)).toBe(false);
});
