import type { DecisionInput, Effect, Json } from "@lanyard/contract";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { actions, agents, callOf, oneOf, policyOf, randomOf, registry } from "../../../test/kits/sketch.ts";
import { encodeBundle, type Policy } from "../bundle.ts";
import { principalMatches } from "../decide/head.ts";
import { openSnapshot } from "../decide/snapshot.ts";
import { schemaOf } from "../schema/schema.ts";
import type { RecordShape, Shape } from "../schema/shape.ts";
import { Encoding, type Effects } from "./cell.ts";
import { Inquiry } from "./inquiry.ts";
import { Names, onlyOf, type SetVariable } from "./names.ts";
import { and, integer, no, not, same, type Term } from "./term.ts";
import { knownContext } from "../oracle/known-context.ts";
import type { Symbolic } from "./symbolic.ts";
import { witnessOf } from "./witness.ts";
import { elementOf, type ArgumentPath, type CallSpace } from "./call-space.ts";
import { startZ3, type Z3 } from "./z3.ts";

let z3: Z3;
beforeAll(async () => void (z3 = await startZ3()));
afterAll(() => z3.close());

const effects: readonly Effect[] = ["allow", "ask", "deny"];

/** Random policies about one agent and one action: as a snapshot, and as terms. */
const sketch = (seed: number) => {
  const random = randomOf(seed);
  const policies = Array.from({ length: random(2) === 0 ? 1 : 1 + random(4) }, (_, index) => policyOf(random, index));
  const action = oneOf(random, actions.filter(({ definition }) => definition !== null));
  const agent = oneOf(random, agents);
  const bundle = { v: 3 as const, engine: "test", policies, actions, schema: schemaOf(actions, {}), tests: [] };
  const names = new Names();
  const encoding = new Encoding(names, registry.resources);
  const space = encoding.space(agent, action);
  const terms = encoding.effects(space, encoding.number(bundle).filter(({ policy }) => principalMatches(policy.head.principal, agent)));
  const calls = Array.from({ length: 40 }, () => callOf(random, agent, action)).filter((call) => call !== null && (call.resources?.length ?? 0) <= 1) as DecisionInput[];
  return { random, policies, snapshot: openSnapshot(encodeBundle(bundle).bytes), names, space, terms, calls, inquiry: new Inquiry(names, z3) };
};

const shown = (policies: readonly Policy[], input?: DecisionInput | null): string =>
  `${JSON.stringify(policies.map(({ effect, approvers, conditions, head }) => ({ effect, approvers, conditions, head })))}\n${JSON.stringify(input)}`;

/** A call as a term that holds of it alone. */
const pin = (space: CallSpace, names: Names, terms: Effects, call: DecisionInput): Term => {
  const textOf = (text: string): Term => names.constant(text);
  const exactly = (set: SetVariable, elements: readonly Term[]): Term => and(onlyOf(names, set, elements), ...elements.map((element) => names.member(set, element)));
  const value = (shape: Shape, path: ArgumentPath, given: Json): Term => {
    switch (shape.kind) {
      case "string":
        return same(space.scalar("string", path), textOf(String(given)));
      case "boolean":
        return given === true ? space.scalar("boolean", path) : not(space.scalar("boolean", path));
      case "long":
        return same(space.scalar("long", path), integer(BigInt(Number(given))));
      case "decimal":
        return same(space.scalar("decimal", path), integer(BigInt(Math.round(Number(given) * 10_000))));
      case "record":
        return record(shape, path, given);
      case "tagged": {
        const kind = typeof given === "string" ? "string" : typeof given === "number" ? "long" : "record";
        const part = shape.of.find((one) => one.kind === kind) ?? shape;
        const kinds = shape.of.map((one) => one.kind);
        return and(space.tag(kinds, path, kind), ...kinds.filter((one) => one !== kind).map((one) => not(space.tag(kinds, path, one))), value(part, [...path, kind], given));
      }
      case "set": {
        const kind = elementOf(shape.of);
        const term = (item: Json): Term => (kind === "string" ? textOf(String(item)) : kind === "bool" ? String(item) : integer(BigInt(Number(item))));
        return kind === null ? "true" : exactly(space.set(kind, path), (given as Json[]).map(term));
      }
    }
  };
  const record = (shape: RecordShape, path: ArgumentPath, given: Json): Term =>
    and(
      ...shape.fields.map(({ name, shape: type }) => {
        const item = (given as Record<string, Json>)[name];
        return item === undefined ? not(space.there([...path, name])) : and(space.there([...path, name]), value(type, [...path, name], item));
      }),
    );
  const carries = ([step = "", ...below]: readonly string[], args: Json): boolean =>
    step === "undeclared" ? Object.keys(args ?? {}).some((name) => args === call.args && space.action.input.fields.every((field) => field.name !== name)) : typeof args === "object" && args !== null && step in args && (below.length === 0 || carries(below, (args as Record<string, Json>)[step] ?? null));
  const hidden = names.reach(...Object.values(terms).filter((term) => typeof term === "string")).flatMap((name) => {
    const named = names.get(name);
    return named?.kind === "variable" && named.hidden.length > 0 ? [carries(named.hidden, call.args) ? name : not(name)] : [];
  });
  // What nobody asks about need not be said: it would only cost time.
  const asked = new Set(names.reach(...Object.values(terms).filter((term) => typeof term === "string")));
  const askedSets = new Set([...asked].flatMap((name) => ((named) => (named?.kind === "member" || named?.kind === "whole" ? [named.set.name] : []))(names.get(name))));
  const found = (symbolic: Symbolic, given: Json): Term => {
    if ("term" in symbolic && !asked.has(symbolic.term)) return "true";
    if (symbolic.kind === "set" && !askedSets.has(symbolic.set.name) && !asked.has(symbolic.set.others)) return "true";
    switch (symbolic.kind) {
      case "string":
        return same(symbolic.term, textOf(String(given)));
      case "long":
        return same(symbolic.term, integer(BigInt(Number(given))));
      case "bool":
        return given === true ? symbolic.term : not(symbolic.term);
      case "set":
        return exactly(symbolic.set, (given as Json[]).map((item) => (typeof item === "number" ? integer(BigInt(item)) : textOf(String(item)))));
      case "record":
        return and(...symbolic.names.map((name) => found(symbolic.field(name)?.value ?? symbolic, (given as Record<string, Json>)[name] ?? null)));
      default:
        return "true";
    }
  };
  const resource = call.resources?.[0];
  return and(
    found({ kind: "record", names: Object.keys(space.known.fields), field: (name) => ({ present: "true", value: space.known.fields[name as keyof typeof space.known.fields] }) }, knownContext(space.action, call) as Json),
    record(space.action.input, [], call.args),
    ...hidden,
    ...(resource === undefined ? [] : [same(space.resourceId, textOf(resource.id))]),
    same(space.userId, textOf(call.user.id)),
    exactly(space.userGroups, call.user.groups.map(textOf)),
    exactly(space.labels, call.session.labels.map(textOf)),
    exactly(space.approvals, call.approvals.map(textOf)),
    same(space.sessionId, textOf(call.session.id)),
    same(space.purpose, textOf(call.session.purpose)),
    same(space.isolation, textOf(call.session.isolation)),
    same(space.depth, integer(BigInt(call.session.depth))),
    same(space.nowMs, integer(BigInt(call.nowMs))),
  );
};

/** What the terms say that is decided about one call: each effect, by whether it is possible. */
const claimed = (inquiry: Inquiry, terms: Effects, call: Term): Effect[] => {
  const solved = inquiry.solve(effects.map((effect) => (terms[effect] === no ? no : and(terms[effect], call))));
  return effects.filter((_, index) => solved[index] !== "none");
};

describe("encoding", () => {
  it.for(Array.from({ length: 5 }, (_, index) => index + 1))("says of a call what the evaluator says, random policies of seed %i", (seed) => {
    const seen = { allow: 0, ask: 0, deny: 0 };
    for (let round = 0; round < 16; round++) {
      const { policies, snapshot, names, space, terms, calls, inquiry } = sketch(seed * 1000 + round);
      if (terms.gaps.size > 0) continue;
      for (const call of calls.slice(0, 5)) {
        const { effect } = snapshot.decide(call);
        seen[effect] += 1;
        expect(claimed(inquiry, terms, pin(space, names, terms, call)), shown(policies, call)).toEqual([effect]);
      }
    }
    expect(seen.allow + seen.ask).toBeGreaterThan(0);
  });

  it.for(Array.from({ length: 5 }, (_, index) => index + 1))("finds the calls there are and none where there are none, random policies of seed %i", (seed) => {
    const seen = { found: 0, none: 0 };
    for (let round = 0; round < 40; round++) {
      const { policies, snapshot, space, terms, calls, inquiry } = sketch(seed * 1_000_000 + round);
      const solved = inquiry.solve(effects.map((effect) => terms[effect]));
      for (const [index, effect] of effects.entries()) {
        const model = solved[index] ?? "unknown";
        if (model === "none") {
          seen.none += 1;
          for (const call of calls) expect(snapshot.decide(call).effect, shown(policies, call)).not.toBe(effect);
        } else if (model !== "unknown" && terms.gaps.size === 0) {
          const input = witnessOf(space, model, registry.resources);
          expect(input, shown(policies)).not.toBeNull();
          if (input === null || (input.resources?.length ?? 0) > 1) continue;
          seen.found += 1;
          expect(snapshot.decide(input).effect, shown(policies, input)).toBe(effect);
        }
      }
    }
    expect(seen.found).toBeGreaterThan(10);
    expect(seen.none).toBeGreaterThan(10);
  });
});
