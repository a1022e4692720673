import type { DecisionInput, ResourceFact } from "@lanyard/contract";
import type { Entity, EvaluationRequest } from "../cedar/request.ts";
import { DatetimeValue, EntityUid, FieldsValue, RecordValue, SetValue, type Value } from "../cedar/value.ts";
import { budgetParts, factKindNames, fieldsOfKind, originSets, type FactKind } from "../schema/facts.ts";
import type { ActionShape } from "../schema/schema.ts";
import { factsOfKind, originsOf, unitedEncodings, unitedFact, unitedLabels, unitedOrigins, type FactsOfKind } from "./facts.ts";
import { HistoryRecord } from "./history.ts";
import type { Questions, ReadAnswers } from "../temporal/answers.ts";
import type { RoundInput } from "./rounds.ts";

// Everything that policies see beside the arguments, made when a policy first looks at it: most look at little.

const emptyRecord = new FieldsValue(new Map());
const emptySet = new SetValue([]);
const setOfText = (items: readonly string[]): SetValue => (items.length === 0 ? emptySet : new SetValue(items));

const entityBelow = (uid: EntityUid, attributes: RecordValue, within: (ancestor: EntityUid) => boolean): Entity => ({ uid, attributes, tags: emptyRecord, within });

/** The agent, in its classes and its team. */
export const agentEntity = ({ id, team, classes }: DecisionInput["agent"]): Entity =>
  entityBelow(new EntityUid("Agent", id), emptyRecord, (above) => (above.type === "Team" && above.id === team) || (above.type === "AgentClass" && classes.includes(above.id)));

/** The action, in its groups. */
export const actionEntity = ({ name, groups }: ActionShape): Entity => entityBelow(new EntityUid("Action", name), emptyRecord, (above) => above.type === "Action" && groups.includes(above.id));

/** What is acted on when the contract names no resource: the server, of which nothing more is known. */
export const serverEntity = ({ server }: ActionShape): Entity => entityBelow(new EntityUid("Server", server), emptyRecord, () => false);

/** Something in the action's server, with what the organisation says of it. */
export const resourceEntity = ({ type, id, labels, owner }: ResourceFact, { server }: ActionShape): Entity => {
  const fields = new Map<string, Value>([["labels", setOfText(labels)]]);
  if (owner !== null) fields.set("owner", new EntityUid("Team", owner));
  return entityBelow(new EntityUid(type, id), new FieldsValue(fields), (above) => above.type === "Server" && above.id === server);
};

const userEntity = ({ id, groups }: DecisionInput["user"]): Entity => entityBelow(new EntityUid("User", id), emptyRecord, (above) => above.type === "Group" && groups.includes(above.id));

/** One call as the evaluator sees it. For the next resource of the same call only `touching` changes. */
export class CallRequest implements EvaluationRequest {
  readonly principal: EntityUid;
  readonly action: EntityUid;
  resource: EntityUid;
  readonly context: CallContext;
  readonly #agent: Entity;
  readonly #action: Entity;
  #resource: Entity;

  constructor(input: RoundInput, args: RecordValue, known: { readonly agent: Entity; readonly action: Entity; readonly resource: Entity; readonly shape: ActionShape; readonly questions: Questions }) {
    this.principal = known.agent.uid;
    this.action = known.action.uid;
    this.resource = known.resource.uid;
    this.context = new CallContext(input, args, known.shape, known.questions);
    this.#agent = known.agent;
    this.#action = known.action;
    this.#resource = known.resource;
  }

  touching(resource: Entity): void {
    this.resource = resource.uid;
    this.#resource = resource;
  }

  find(uid: EntityUid): Entity | undefined {
    if (uid === this.principal) return this.#agent;
    if (uid === this.action) return this.#action;
    if (uid === this.resource) return this.#resource;
    for (const entity of [this.#agent, this.#action, this.#resource, this.context.user()]) if (entity.uid.id === uid.id && entity.uid.type === uid.type) return entity;
    return undefined;
  }
}

/** How the values of a record of fixed names are made: by name, where each stands, and by place, what makes it. */
interface Making<Source> {
  readonly places: ReadonlyMap<string, number>;
  readonly makers: readonly ((from: Source) => Value)[];
}

const makingOf = <Source>(makers: Readonly<Record<string, (from: Source) => Value>>): Making<Source> => ({ places: new Map(Object.keys(makers).map((name, place) => [name, place])), makers: Object.values(makers) });

/** Each value is made when it is first asked for. */
class LazyRecord<Source> extends RecordValue {
  readonly #making: Making<Source>;
  readonly #from: Source;
  readonly #made: (Value | undefined)[] = [];

  constructor(making: Making<Source>, from: Source) {
    super();
    this.#making = making;
    this.#from = from;
  }

  get(name: string): Value | undefined {
    const place = this.#making.places.get(name);
    return place === undefined ? undefined : (this.#made[place] ??= this.#making.makers[place]?.(this.#from));
  }

  has(name: string): boolean {
    return this.#making.places.has(name);
  }

  names(): readonly string[] {
    return [...this.#making.places.keys()];
  }
}

type Facts = DecisionInput["facts"];

const factValue = (found: FactsOfKind, kind: FactKind, name: string): Value => {
  const fact = unitedFact(found, kind, name) ?? "";
  if (typeof fact === "number") return fact + 0;
  return typeof fact === "object" ? (fact.length === 0 ? emptySet : new SetValue(fact)) : fact;
};

/** Most calls have nothing of most kinds: what policies see of that is the same for all of them. */
const makingKind = (kind: FactKind): ((input: RoundInput) => Value) => {
  const making = makingOf<FactsOfKind>(Object.fromEntries(Object.keys(fieldsOfKind(kind)).map((name) => [name, (found: FactsOfKind) => factValue(found, kind, name)])));
  const ofNothing = new LazyRecord(making, []);
  return ({ facts }) => {
    const found = factsOfKind(facts, kind);
    return found.length === 0 ? ofNothing : new LazyRecord(making, found);
  };
};

const factsMaking = makingOf<RoundInput>({
  effects: ({ effects = [] }) => setOfText(effects),
  asked: ({ asked = [] }) => setOfText(asked),
  encodings: ({ facts }) => setOfText(unitedEncodings(facts)),
  ...Object.fromEntries(factKindNames.map((kind) => [kind, makingKind(kind)])),
});

const knownOrigins = new WeakMap<ActionShape, Making<Facts>>();
const originsMaking = (shape: ActionShape): Making<Facts> => {
  const known = knownOrigins.get(shape) ?? makingOrigins(shape);
  knownOrigins.set(shape, known);
  return known;
};
const makingOrigins = (shape: ActionShape): Making<Facts> =>
  makingOf<Facts>({
    ...Object.fromEntries(originSets.map((role) => [role, (facts: Facts) => setOfText(unitedOrigins(facts, role))])),
    input: (facts) => new FieldsValue(new Map(shape.input.fields.map(({ name }) => [name, setOfText(originsOf(facts, name))]))),
  });

const budgetMaking = makingOf<DecisionInput["budget"]>(Object.fromEntries(budgetParts.map((part) => [part, (budget: DecisionInput["budget"]) => setOfText(budget?.[part] ?? [])])));

const contextNames = ["input", "user", "session", "approvals", "remedies", "reversibility", "facts", "labels", "origins", "budget", "history", "now"] as const;

class CallContext extends RecordValue {
  readonly #input: RoundInput;
  readonly #args: RecordValue;
  readonly #shape: ActionShape;
  readonly #questions: Questions;
  #user: Entity | null = null;
  #session: RecordValue | null = null;
  #approvals: SetValue | null = null;
  #facts: RecordValue | null = null;
  #labels: SetValue | null = null;
  #origins: RecordValue | null = null;
  #budget: RecordValue | null = null;
  #history: HistoryRecord | null = null;

  constructor(input: RoundInput, args: RecordValue, shape: ActionShape, questions: Questions) {
    super();
    this.#questions = questions;
    this.#input = input;
    this.#args = args;
    this.#shape = shape;
  }

  user(): Entity {
    return (this.#user ??= userEntity(this.#input.user));
  }

  answers(): ReadAnswers {
    return this.#remembered().answers;
  }

  #remembered(): HistoryRecord {
    return (this.#history ??= new HistoryRecord(this.#input.history, this.#questions));
  }

  get(name: string): Value | undefined {
    switch (name) {
      case "input":
        return this.#args;
      case "user":
        return this.user().uid;
      case "session":
        return (this.#session ??= new SessionRecord(this.#input.session));
      case "approvals":
        return (this.#approvals ??= this.#input.approvals.length === 0 ? emptySet : new SetValue(this.#input.approvals.map((group) => new EntityUid("Group", group))));
      case "remedies":
        return setOfText(this.#input.remedies ?? []);
      case "reversibility":
        return this.#input.reversibility ?? "unknown";
      case "facts":
        return (this.#facts ??= new LazyRecord(factsMaking, this.#input));
      case "labels":
        return (this.#labels ??= setOfText(unitedLabels(this.#input.facts)));
      case "origins":
        return (this.#origins ??= new LazyRecord(originsMaking(this.#shape), this.#input.facts));
      case "budget":
        return (this.#budget ??= new LazyRecord(budgetMaking, this.#input.budget));
      case "history":
        return this.#remembered();
      case "now":
        return new DatetimeValue(Math.trunc(this.#input.nowMs) + 0);
      default:
        return undefined;
    }
  }

  has(name: string): boolean {
    return (contextNames as readonly string[]).includes(name);
  }

  names(): readonly string[] {
    return contextNames;
  }
}

const sessionNames = ["id", "purpose", "depth", "labels", "isolation"] as const;

class SessionRecord extends RecordValue {
  readonly #session: DecisionInput["session"];
  #labels: SetValue | null = null;

  constructor(session: DecisionInput["session"]) {
    super();
    this.#session = session;
  }

  get(name: string): Value | undefined {
    switch (name) {
      case "id":
        return this.#session.id;
      case "purpose":
        return this.#session.purpose;
      case "depth":
        return this.#session.depth + 0;
      case "labels":
        return (this.#labels ??= setOfText(this.#session.labels));
      case "isolation":
        return this.#session.isolation;
      default:
        return undefined;
    }
  }

  has(name: string): boolean {
    return (sessionNames as readonly string[]).includes(name);
  }

  names(): readonly string[] {
    return sessionNames;
  }
}
