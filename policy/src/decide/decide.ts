import { Fault, type Decision, type DecisionInput, type JsonObject } from "@lanyard/contract";
import { EvaluationFault, type EvaluationRequest } from "../cedar/request.ts";
import { FieldsValue, type RecordValue } from "../cedar/value.ts";
import type { Questions } from "../temporal/answers.ts";
import type { CallView } from "../temporal/event.ts";
import type { ActionShape } from "../schema/schema.ts";
import type { Actions, ReadyAction } from "./actions.ts";
import { argumentsOf, factsAreSound, refuseUnknown, typedArguments } from "./admit.ts";
import type { AgentOnAction, CandidateFinder, Candidates } from "./candidates.ts";
import { byPolicy, combine, denyUnasked, isChange, unite, type RoundResult } from "./combine.ts";
import { agentEntity, CallRequest, resourceEntity } from "./context.ts";
import { planOf, Walk } from "./plan.ts";
import { unseenRead, watchesOf } from "./reads.ts";
import type { ReadyPolicy } from "./ready.ts";
import { rousedBy } from "./roused.ts";
import { decideChanged, nextRound, type RoundInput } from "./rounds.ts";

/** A bundle made ready to be asked. */
export interface Rules {
  readonly actions: Actions;
  readonly finder: CandidateFinder;
  readonly questions: Questions;
}

/** What evaluation found for one resource of a call. */
export interface Evaluation {
  readonly candidates: readonly ReadyPolicy[];
  readonly satisfied: readonly ReadyPolicy[];
  readonly errors: Decision["errors"];
}

/** A call that policies can be asked about. */
interface Admitted {
  readonly request: CallRequest;
  readonly candidates: Candidates;
  readonly action: ReadyAction;
}

/** Decides one input against one bundle: the same two always give the same decision (invariant I3). */
export const decide = (rules: Rules, input: DecisionInput): Decision => {
  const first = decideOnce(rules, input);
  return isChange(first) ? decideChanged(shapeOf(rules, input), input, first, (round) => decideOnce(rules, round)) : first;
};

const shapeOf = ({ actions }: Rules, { action }: DecisionInput): ActionShape | null => actions.get(action)?.shape ?? null;

/** What policies are asked to decide an input: it, and where they change its arguments the changed call too. */
export const roundsOf = (rules: Rules, input: DecisionInput): readonly RoundInput[] => {
  const first = decideOnce(rules, input);
  const next = isChange(first) ? nextRound(shapeOf(rules, input), input, first) : "";
  return typeof next === "string" ? [input] : [input, next];
};

const decideOnce = (rules: Rules, input: RoundInput): RoundResult => {
  const admitted = admit(rules, input);
  if (!("request" in admitted)) return admitted;
  if (admitted.candidates.byResource === null && (input.resources?.length ?? 0) <= 1) {
    const [only] = input.resources ?? [];
    if (only !== undefined) admitted.request.touching(resourceEntity(only, admitted.action.shape));
    return outcomeOf(evaluate(admitted.candidates.always, none, admitted.request, rules.questions), input);
  }
  return unite(findAll(admitted, input, rules.questions).map((evaluation) => outcomeOf(evaluation, input)));
};

/**
 * What evaluation finds in one round, for each resource of the call; a decision when no policy is asked. `look` sees each evaluation while the request
 * still is about its resource.
 */
export const find = (rules: Rules, input: RoundInput, look?: (evaluation: Evaluation, request: EvaluationRequest) => void): Decision | readonly Evaluation[] => {
  const admitted = admit(rules, input);
  return "request" in admitted ? findAll(admitted, input, rules.questions, look) : admitted;
};

/** Says whether policies can be asked; arguments that they cannot be shown exactly, and actions the bundle does not know, are denied before. */
const admit = (rules: Rules, input: RoundInput): Decision | Admitted => {
  const action = rules.actions.get(input.action);
  const refused = refuseUnknown(action?.shape ?? null, input);
  if (action === null || refused !== null) return refused ?? denyUnasked("lanyard.catalog", "the action is not known");
  const answer = rules.finder.find(input.agent, action);
  const walk = new Walk();
  const args = answer !== null && factsAreSound(input) ? readArguments(action, input.args, walk) : undefined;
  if (answer === null || args === undefined) {
    const careful = typedArguments(action.shape, input);
    return "refused" in careful ? careful.refused : denyUnasked("lanyard.arguments", "the arguments cannot be shown to policy");
  }
  const { agent, candidates } = answer;
  const unseen = walk.undeclared ? refuseUnseen(answer, action.shape, input) : null;
  return unseen ?? { request: new CallRequest(input, args, { agent, action: action.entity, resource: action.server, shape: action.shape, questions: rules.questions }), candidates, action };
};

/** What policy sees of a call beside its head, and the groups of its action; null for an action that the bundle does not know. Arguments that do not fit are not seen. */
export const seenCall = ({ actions, questions }: Rules, input: DecisionInput): CallView | null => {
  const action = actions.get(input.action);
  if (action === null) return null;
  const args = (factsAreSound(input) ? readArguments(action, input.args, new Walk()) : undefined) ?? new FieldsValue(new Map());
  return { groups: action.shape.groups, context: new CallRequest(input, args, { agent: agentEntity(input.agent), action: action.entity, resource: action.server, shape: action.shape, questions }).context };
};

const readArguments = ({ shape, plan }: ReadyAction, args: JsonObject, walk: Walk): RecordValue | undefined => {
  if (shape.definition !== null) return plan.read(args, walk);
  // A request that is no tool call: all of it is bounded, and what policy sees of it is in several places.
  const whole = requestPlan.read(args, walk);
  walk.undeclared = true;
  try {
    return whole && plan.read(argumentsOf(shape, args), walk);
  } catch (error) {
    if (error instanceof Fault) return undefined; // the careful way says it in words
    throw error;
  }
};

/** Sees nothing, bounds all. */
const requestPlan = planOf({ kind: "record", fields: [] });

const refuseUnseen = (answer: AgentOnAction, shape: ActionShape, { args, resources = [] }: DecisionInput): Decision | null => {
  const { always, byResource, watches: remembered } = answer.candidates;
  let common = remembered.get(shape.input);
  if (common === undefined) remembered.set(shape.input, (common = watchesOf(always, shape.input)));
  if (byResource === null && common.length === 0) return null;
  const named = byResource === null ? [] : resources.flatMap(({ id }) => watchesOf(byResource.get(id) ?? [], shape.input));
  const watches = named.length === 0 ? common : [...common, ...named].sort((left, right) => (left.policy < right.policy ? -1 : left.policy > right.policy ? 1 : 0));
  const unseen = watches.length === 0 ? null : unseenRead(watches, shape.input, args);
  if (unseen === null) return null;
  return denyUnasked("lanyard.arguments", `policy \`${unseen.policy}\` speaks about the argument \`${unseen.path.join(".")}\`, which the action's schema does not let policy see`);
};

const findAll = ({ request, candidates: { always, byResource }, action }: Admitted, { resources = [] }: DecisionInput, questions: Questions, look?: (evaluation: Evaluation, request: EvaluationRequest) => void): readonly Evaluation[] => {
  const findOne = (id: string): Evaluation => {
    const evaluation = evaluate(always, byResource?.get(id) ?? none, request, questions);
    look?.(evaluation, request);
    return evaluation;
  };
  if (resources.length === 0) return [findOne(action.shape.server)];
  return resources.map((resource) => {
    request.touching(resourceEntity(resource, action.shape));
    return findOne(resource.id);
  });
};

/** `more`: those that speak of this resource alone. */
const evaluate = (always: readonly ReadyPolicy[], more: readonly ReadyPolicy[], request: CallRequest, questions: Questions): Evaluation => {
  const satisfied: ReadyPolicy[] = [];
  const errors: { policy: string; message: string }[] = [];
  for (const policies of more.length === 0 ? [always] : [always, more]) {
    for (const policy of questions.types.length === 0 ? policies : rousedBy(policies, request.context.answers(), questions)) {
      try {
        if (policy.test(request)) satisfied.push(policy);
      } catch (error) {
        if (!(error instanceof EvaluationFault)) throw error;
        errors.push({ policy: policy.id, message: error.message });
      }
    }
  }
  return { candidates: more.length === 0 ? always : [...always, ...more], satisfied, errors: errors.length < 2 ? errors : errors.sort(byPolicy) };
};

const none: readonly ReadyPolicy[] = [];

const outcomeOf = ({ satisfied, errors }: Evaluation, input: RoundInput): RoundResult => combine(satisfied, errors, input);
