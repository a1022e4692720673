import type { Decision, DecisionInput, Registry } from "@lanyard/contract";
import { decodeBundle, type Policy } from "../bundle.ts";
import { openSnapshot } from "../decide/snapshot.ts";
import type { ActionShape } from "../schema/schema.ts";
import { parseAsk, type Ask } from "./ask.ts";
import { actionsIn, agentsIn, Encoding, Heads, unapproved } from "./cell.ts";
import { doubtOf, mergeDoubts, type Doubt } from "./doubt.ts";
import { Inquiry, type Solved } from "./inquiry.ts";
import { solveLikely, type PlacedGoal } from "./likely.ts";
import { Names } from "./names.ts";
import { and, no, type Term } from "./term.ts";
import { witnessOf } from "./witness.ts";
import type { CallSpace } from "./call-space.ts";
import type { Z3 } from "./z3.ts";

/** Calls that are possible, by a confirmed example. */
export interface PossibleCalls {
  /** `allow`, or `ask` when people must approve first. */
  readonly effect: "allow" | "ask";
  /** Ids of agents and names of actions for each of which such a call was confirmed, sorted. */
  readonly agents: readonly string[];
  readonly actions: readonly string[];
  readonly example: { readonly input: DecisionInput; readonly decision: Decision };
}

/** The answer to one question. `no` is proved in the model; `yes` has examples; what is neither is in `cannotSay`. */
export interface AskAnswer {
  readonly question: string;
  readonly answer: "yes" | "no" | "cannot say";
  readonly found: readonly PossibleCalls[];
  readonly cannotSay: readonly Doubt[];
}

type Agent = DecisionInput["agent"];

/** The calls of one agent to one action. */
interface Place {
  readonly space: CallSpace;
  readonly terms: ReturnType<Encoding["effects"]>;
  readonly policies: readonly Policy[];
}

/** Answers questions about one bundle. Throws Fault `invalid_request` on a question that is not understood, `invalid_config` on bytes that are no bundle. */
export const answerAll = (z3: Z3, bytes: Uint8Array, registry: Registry, questions: readonly string[], progress: (done: number, total: number) => void = () => {}): AskAnswer[] => {
  const bundle = decodeBundle(bytes);
  const actions = actionsIn(bundle);
  const asks = questions.map((text) => parseAsk(text, { registry, actions }));
  const names = new Names();
  const encoding = new Encoding(names, registry.resources);
  const heads = new Heads(encoding.number(bundle));
  const inquiry = new Inquiry(names, z3);
  const snapshot = openSnapshot(bytes);
  return asks.map((ask, index) => {
    const places = placesOf(ask, agentsIn(registry), actions).flatMap(([agent, action]): Place[] => {
      const candidates = heads.candidates(agent, action);
      if (!candidates.some(({ policy }) => policy.effect === "permit")) return [];
      const space = encoding.space(agent, action);
      return [{ space, terms: encoding.effects(space, candidates), policies: candidates.map(({ policy }) => policy) }];
    });
    const found = new Findings((input) => snapshot.decide(input), registry, ask);
    const given = (place: Place, effect: "allow" | "ask"): PlacedGoal => ({ space: place.space, term: and(place.terms[effect], unapproved(place.space), circumstances(ask, place.space)), sides: [place.terms], key: `${effect} ${place.space.action.name}` });
    const allowed = solveLikely(inquiry, places.map((place) => given(place, "allow")), registry.users);
    places.forEach((place, at) => found.add(place, "allow", allowed[at] ?? "unknown"));
    const others = ask.unapproved ? [] : places.filter((_, at) => typeof allowed[at] !== "object");
    const asked = solveLikely(inquiry, others.map((place) => given(place, "ask")), registry.users);
    others.forEach((place, at) => found.add(place, "ask", asked[at] ?? "unknown"));
    progress(index + 1, asks.length);
    return found.answer(ask.text);
  });
};

const placesOf = ({ agents, actions }: Ask, everybody: readonly Agent[], everything: readonly ActionShape[]): [Agent, ActionShape][] => {
  const isAsked = ({ id, team, classes }: Agent): boolean => agents.of === "any" || (agents.of === "agent" ? id === agents.name : agents.of === "team" ? team === agents.name : classes.includes(agents.name));
  const isMeant = ({ name, server, groups }: ActionShape): boolean =>
    actions.of === "any" || (actions.of === "tool" ? name === actions.name : actions.of === "server" ? server === actions.name : groups.includes(actions.name));
  const meant = everything.filter((action) => isMeant(action) || (actions.of === "effect" && isUnspoken(action)));
  return everybody.filter(isAsked).flatMap((agent) => meant.map((action): [Agent, ActionShape] => [agent, action]));
};

/**
 * A tool of which nobody has said what it does, or a request that is no tool call: it may have any effect, so that no question on effects
 * can leave it out.
 */
const isUnspoken = ({ contract }: ActionShape): boolean => contract === null || contract.effects.length === 0;

const circumstances = ({ labels, groups }: Ask, space: CallSpace): Term => {
  const { names } = space;
  return and(...labels.map((label) => names.member(space.labels, names.constant(label))), ...groups.map((group) => names.member(space.userGroups, names.constant(group))));
};

/** Gathers what is possible, each agent and action confirmed by itself. */
class Findings {
  readonly #decide: (input: DecisionInput) => Decision;
  readonly #registry: Registry;
  readonly #ask: Ask;
  readonly #found = new Map<string, { effect: "allow" | "ask"; agents: Set<string>; example: PossibleCalls["example"] }>();
  readonly #doubts: Doubt[] = [];

  constructor(decide: (input: DecisionInput) => Decision, registry: Registry, ask: Ask) {
    this.#decide = decide;
    this.#registry = registry;
    this.#ask = ask;
  }

  /** Invariant: what is found is what was decided about the example; where that is not what the solver looked for, the rest stays a doubt. */
  add({ space, terms, policies }: Place, wanted: "allow" | "ask", solved: Solved): void {
    if (solved === "none" || terms[wanted] === no) return;
    const input = solved === "unknown" ? null : witnessOf(space, solved, this.#registry.resources);
    const decision = input === null ? null : this.#decide(input);
    const effect = decision?.effect ?? "deny";
    if (effect !== wanted) this.#doubts.push(doubtOf(space, [terms], policies));
    if (input === null || decision === null || effect === "deny" || (effect === "ask" && this.#ask.unapproved)) return;
    if (this.#ask.actions.of === "effect" && isUnspoken(space.action)) {
      const why = space.action.contract === null ? "a request to a server may do anything, and it may be made" : "nobody has said what it does (`tools:` in lanyard.yaml), and it may be called";
      this.#doubts.push({ why, policies: decision.reasons.map(({ policy }) => policy), actions: [space.action.name] });
      return;
    }
    const key = `${effect} ${space.action.name}`;
    const known = this.#found.get(key) ?? { effect, agents: new Set(), example: { input, decision } };
    known.agents.add(space.agent.id);
    this.#found.set(key, known);
  }

  answer(question: string): AskAnswer {
    const merged = new Map<string, { effect: "allow" | "ask"; agents: readonly string[]; actions: string[]; example: PossibleCalls["example"] }>();
    for (const { effect, agents, example } of this.#found.values()) {
      const key = JSON.stringify([effect, [...agents].sort()]);
      const known = merged.get(key) ?? { effect, agents: [...agents].sort(), actions: [], example };
      known.actions.push(example.input.action);
      merged.set(key, known);
    }
    const found = [...merged.values()].map((one) => ({ ...one, actions: one.actions.sort() }));
    return { question, answer: found.length > 0 ? "yes" : this.#doubts.length > 0 ? "cannot say" : "no", found, cannotSay: mergeDoubts(this.#doubts) };
  }
}
