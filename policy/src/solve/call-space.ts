import { isolations, parseJson, quorumCovers, type DecisionInput, type Registry } from "@lanyard/contract";
import type { Scope } from "../bundle.ts";
import { resourceReach } from "../decide/head.ts";
import type { ArgumentRead } from "../decide/reads.ts";
import type { ActionShape } from "../schema/schema.ts";
import type { RecordShape, Shape } from "../schema/shape.ts";
import { KnownSpace, type Leaves } from "./known-space.ts";
import { onlyOf, type Names, type SetVariable, type Sort } from "./names.ts";
import { CannotSay, type ElementKind, type Symbolic, type SymbolicField, type SymbolicRecord } from "./symbolic.ts";
import { and, integer, no, not, or, same, yes, type Term } from "./term.ts";

type Agent = DecisionInput["agent"];
export type ArgumentPath = readonly string[];

const safe = BigInt(Number.MAX_SAFE_INTEGER);
/** The years 1970 to 9999: what a datetime of Cedar can be written as. */
const lastMs = 253_402_300_799_999n;

const between = (least: bigint, most: bigint) => (term: Term): readonly Term[] => [`(and (<= ${integer(least)} ${term}) (<= ${term} ${integer(most)}))`];

/** An undeclared argument of no particular name. */
const undeclared = "undeclared";

/**
 * Every call of one agent to one action, as variables: arguments by the action's shape, a user, a session, approvals, the time, a resource.
 * Variables of the same thing have the same name for every agent and action.
 */
export class CallSpace {
  readonly names: Names;
  readonly agent: Agent;
  readonly action: ActionShape;
  readonly known: KnownSpace;
  readonly #resources: Registry["resources"];
  readonly #fields = new Map<string, SymbolicField | null>();

  constructor(names: Names, agent: Agent, action: ActionShape, { resources, leaves }: { readonly resources: Registry["resources"]; readonly leaves: Leaves }) {
    this.names = names;
    this.agent = agent;
    this.action = action;
    this.known = new KnownSpace(names, action.input, leaves);
    this.#resources = resources;
  }

  get principal(): Symbolic {
    return { kind: "entity", type: "Agent", id: this.names.constant(this.agent.id) };
  }

  get called(): Symbolic {
    return { kind: "entity", type: "Action", id: this.names.constant(this.action.name) };
  }

  get resource(): Symbolic {
    return { kind: "entity", type: this.action.resourceType, id: this.resourceId };
  }

  get resourceId(): Term {
    const { resourceType, server } = this.action;
    return resourceType === "Server" ? this.names.constant(server) : this.names.variable(`resource ${resourceType}`, "Text", { hint: resourceType.toLowerCase() });
  }

  get userId(): Term {
    return this.names.variable("user", "Text", { hint: "user" });
  }

  get userGroups(): SetVariable {
    return this.names.set("groups of the user", "Text");
  }

  get approvals(): SetVariable {
    return { ...this.names.set("approvals", "Text"), implies: quorumCovers }; // who has two of a group has one
  }

  get labels(): SetVariable {
    return this.names.set("labels of the session", "Text");
  }

  get resourceLabels(): SetVariable {
    return this.names.set(`labels of the resource ${this.action.resourceType}`, "Text");
  }

  get ownerThere(): Term {
    return this.names.variable(`owner of the resource ${this.action.resourceType} there`, "Bool");
  }

  get owner(): Term {
    return this.names.variable(`owner of the resource ${this.action.resourceType}`, "Text", { hint: "team" });
  }

  get nowMs(): Term {
    return this.names.variable("now", "Int", { axioms: between(0n, lastMs) });
  }

  get depth(): Term {
    return this.names.variable("depth of the session", "Int", { axioms: between(0n, 1_000_000n) });
  }

  get sessionId(): Term {
    return this.names.variable("session", "Text", { hint: "session" });
  }

  get purpose(): Term {
    return this.names.variable("purpose of the session", "Text", { hint: "task" });
  }

  get isolation(): Term {
    return this.names.variable("isolation of the session", "Text", { axioms: (name) => [or(...isolations.map((tier) => same(name, this.names.constant(tier))))] });
  }

  /** One of what the action's contract says that a call of it can be. */
  get reversibility(): Term {
    const { contract } = this.action;
    const classes = contract?.classes ?? [contract?.reversibility ?? "unknown"];
    return this.names.variable(`reversibility ${classes.join()}`, "Text", { axioms: (name) => [or(...classes.map((one) => same(name, this.names.constant(one))))] });
  }

  get context(): SymbolicRecord {
    const fields: Record<string, Symbolic> = {
      input: this.#record(this.action.input, []),
      user: { kind: "entity", type: "User", id: this.userId },
      session: fixedRecord({
        id: { kind: "string", term: this.sessionId },
        purpose: { kind: "string", term: this.purpose },
        depth: { kind: "long", term: this.depth },
        labels: { kind: "set", set: this.labels, of: "string" },
        isolation: { kind: "string", term: this.isolation },
      }),
      approvals: { kind: "set", set: this.approvals, of: { entity: "Group" } },
      remedies: { kind: "list", items: [] },
      reversibility: { kind: "string", term: this.reversibility },
      ...this.known.fields,
      now: { kind: "datetime", term: this.nowMs },
    };
    return fixedRecord(fields);
  }

  /** Attributes of an entity; null when it has none of this name. Only what a call touches has any. */
  attribute(type: string, id: Term, name: string): SymbolicField | null {
    if (type === "Server" || type !== this.action.resourceType || (name !== "labels" && name !== "owner")) return null;
    if (id !== this.resourceId) throw new CannotSay("the attributes of an entity that is not the one called");
    if (name === "labels") return { present: yes, value: { kind: "set", set: this.resourceLabels, of: "string" } };
    return { present: this.ownerThere, value: { kind: "entity", type: "Team", id: this.owner } };
  }

  /** When one entity is, or lies in, another. */
  within(type: string, id: Term, target: { readonly type: string; readonly id: Term }): Term {
    const itself = type === target.type ? same(id, target.id) : no;
    const { names, agent, action } = this;
    const among = (texts: readonly string[]): Term => or(...texts.map((text) => same(names.constant(text), target.id)));
    const below = (own: Term, parents: Term): Term => or(itself, and(same(id, own), parents));
    if (type === "Agent" && target.type === "Team") return below(names.constant(agent.id), among([agent.team]));
    if (type === "Agent" && target.type === "AgentClass") return below(names.constant(agent.id), among(agent.classes));
    if (type === "User" && target.type === "Group") return below(this.userId, names.member(this.userGroups, target.id));
    if (type === action.resourceType && type !== "Server" && target.type === "Server") return below(this.resourceId, among([action.server]));
    if (type === "Action" && target.type === "Action") {
      if (names.textOf(id) !== action.name) throw new CannotSay("whether an action that is not the one called lies in a group");
      return or(itself, among(action.groups));
    }
    return itself;
  }

  /** When a head speaks of what the call touches. */
  reach(scope: Scope): Term {
    const reach = resourceReach(scope, this.action);
    if (reach === "all") return yes;
    return reach === "none" ? no : or(...reach.map((id) => same(this.resourceId, this.names.constant(id))));
  }

  /** What holds of every call: the resource is what the argument names, with the labels and the owner that the organisation gave it. */
  always(): Term {
    const { resource } = this.action.contract ?? {};
    if (resource === undefined || this.action.resourceType === "Server") return yes;
    return and(this.#linked(resource.argument), this.#registered(resource.type));
  }

  #linked(argument: ArgumentPath): Term {
    const terms: Term[] = [];
    let here: Symbolic = this.#record(this.action.input, []);
    for (const step of argument) {
      const field: SymbolicField | null = here.kind === "record" ? here.field(step) : null;
      if (field === null) return and(...terms); // not typed: any resource at all
      terms.push(field.present);
      const below = valueOf(field);
      if (below === null) return and(...terms); // in a set of records: any resource at all
      here = below;
    }
    if (here.kind === "string") terms.push(same(here.term, this.resourceId));
    if (here.kind === "set" && here.of === "string") terms.push(this.names.member(here.set, this.resourceId));
    return and(...terms, not(same(this.resourceId, this.names.constant(""))));
  }

  #registered(type: string): Term {
    const known = Object.hasOwn(this.#resources, type) ? (this.#resources[type] ?? {}) : {};
    const cases = new Map<string, Term[]>();
    const ids = Object.keys(known).filter((id) => id !== "*").sort();
    for (const id of ids) {
      const key = JSON.stringify(known[id]);
      cases.set(key, [...(cases.get(key) ?? []), same(this.resourceId, this.names.constant(id))]);
    }
    const listed = or(...[...cases.values()].flat());
    const terms = [...cases].map(([key, isOne]) => or(not(or(...isOne)), this.#facts(parseJson(key) as ResourceFacts)));
    return and(...terms, or(listed, this.#facts(known["*"] ?? { labels: [], owner: null })));
  }

  #facts({ labels, owner }: ResourceFacts): Term {
    const constants = labels.map((label) => this.names.constant(label));
    const owned = owner === null ? not(this.ownerThere) : and(this.ownerThere, same(this.owner, this.names.constant(owner)));
    return and(owned, onlyOf(this.names, this.resourceLabels, constants), ...constants.map((label) => this.names.member(this.resourceLabels, label)));
  }

  /** When the call carries an argument that one of these reads speaks about, and that the action's shape hides from policy: it is denied. */
  unseen(reads: readonly ArgumentRead[]): Term {
    return or(...reads.map(({ path, value }) => this.#unseenAt(this.action.input, [], path, value)));
  }

  #unseenAt(shape: Shape, here: ArgumentPath, way: ArgumentPath, whole: boolean): Term {
    if (shape.kind === "tagged") {
      const record = shape.of.find(({ kind }) => kind === "record");
      if (record === undefined || (way.length > 0 && way[0] !== "record")) return no;
      return and(this.#tag(shape.of, here, "record"), this.#unseenAt(record, [...here, "record"], way.slice(1), whole));
    }
    const [step, ...below] = way;
    if (shape.kind !== "record" || (step === undefined && !whole)) return no;
    const into = ({ name, shape: type }: RecordShape["fields"][number]): Term => {
      const found = this.#unseenAt(type, [...here, name], below, whole);
      return found === no ? no : and(this.there([...here, name]), found);
    };
    if (step === undefined) return or(this.hidden([...here, undeclared]), ...shape.fields.map(into));
    const field = shape.fields.find(({ name }) => name === step);
    return field === undefined ? this.hidden([...here, step]) : into(field);
  }

  /** Whether the call carries an argument that policy cannot see at this place. */
  hidden(path: ArgumentPath): Term {
    return this.names.variable(`hidden ${JSON.stringify(path)}`, "Bool", { hidden: path });
  }

  /** Whether the call carries a declared argument at this place. What the tool requires may be missing too: the gateway does not ask. */
  there(path: ArgumentPath): Term {
    return this.names.variable(`there ${JSON.stringify(path)}`, "Bool");
  }

  #tag(of: readonly Shape[], path: ArgumentPath, kind: string): Term {
    return this.tag(of.map((part) => part.kind), path, kind);
  }

  /** Which of several types a value has; it has exactly one. */
  tag(kinds: readonly string[], path: ArgumentPath, kind: string): Term {
    const one = (name: string): Term =>
      this.names.variable(`tag ${JSON.stringify(path)} ${kinds.join("|")} ${name}`, "Bool", { axioms: () => [`(or ${all().join(" ")})`, ...pairs(all()).map(([a, b]) => `(not (and ${a} ${b}))`)] });
    const all = (): Term[] => kinds.map(one);
    return one(kind);
  }

  #record(shape: RecordShape, path: ArgumentPath): SymbolicRecord {
    return {
      kind: "record",
      names: shape.fields.map(({ name }) => name),
      field: (name) => {
        const place = [...path, name];
        const key = JSON.stringify(place);
        const known = this.#fields.get(key);
        if (known !== undefined) return known;
        const declared = shape.fields.find((one) => one.name === name);
        const field = declared === undefined ? null : this.#lazily(this.there(place), declared.shape, place);
        this.#fields.set(key, field);
        return field;
      },
    };
  }

  /** That an argument is there can be said also where its value cannot. */
  #lazily(present: Term, shape: Shape, path: ArgumentPath): SymbolicField {
    const value = (): Symbolic => this.#value(shape, path);
    return {
      present,
      get value() {
        return value();
      },
    };
  }

  #value(shape: Shape, path: ArgumentPath): Symbolic {
    switch (shape.kind) {
      case "string":
      case "long":
      case "decimal":
        return { kind: shape.kind, term: this.scalar(shape.kind, path) };
      case "boolean":
        return { kind: "bool", term: this.scalar("boolean", path) };
      case "record":
        return this.#record(shape, path);
      case "tagged":
        return {
          kind: "record",
          names: shape.of.map(({ kind }) => kind),
          field: (name) => {
            const part = shape.of.find(({ kind }) => kind === name);
            return part === undefined ? null : this.#lazily(this.#tag(shape.of, path, name), part, [...path, name]);
          },
        };
      case "set": {
        const element = elementOf(shape.of);
        if (element === null) throw new CannotSay(`the argument \`${path.join(".")}\`, a set whose elements are records or sets`);
        return { kind: "set", set: this.set(element, path), of: element };
      }
    }
  }

  scalar(kind: "string" | "long" | "decimal" | "boolean", path: ArgumentPath): Term {
    const key = `input ${kind} ${JSON.stringify(path)}`;
    if (kind === "string") return this.names.variable(key, "Text", { hint: path.at(-1) ?? "" });
    return kind === "boolean" ? this.names.variable(key, "Bool") : this.names.variable(key, "Int", { axioms: between(-safe, safe) });
  }

  set(element: "string" | "long" | "decimal" | "bool", path: ArgumentPath): SetVariable {
    const key = `set of ${element} ${JSON.stringify(path)}`;
    return this.names.set(key, sortOf(element), element === "bool" ? no : undefined);
  }
}

/** The value of a field; null where the model leaves it out. */
const valueOf = (field: SymbolicField): Symbolic | null => {
  try {
    return field.value;
  } catch (error) {
    if (error instanceof CannotSay) return null;
    throw error;
  }
};

interface ResourceFacts {
  readonly labels: readonly string[];
  readonly owner: string | null;
}

/** What a set of this shape holds, where membership is a question the solver knows; null for records and sets. */
export const elementOf = ({ kind }: Shape): "string" | "long" | "decimal" | "bool" | null => {
  if (kind === "boolean") return "bool";
  return kind === "string" || kind === "long" || kind === "decimal" ? kind : null;
};

export const sortOf = (element: ElementKind): Sort => (element === "bool" ? "Bool" : element === "long" || element === "decimal" ? "Int" : "Text");

const pairs = <T>(items: readonly T[]): [T, T][] => items.flatMap((left, index) => items.slice(index + 1).map((right): [T, T] => [left, right]));

const fixedRecord = (fields: Readonly<Record<string, Symbolic>>): SymbolicRecord => ({
  kind: "record",
  names: Object.keys(fields),
  field: (name) => {
    const value = Object.hasOwn(fields, name) ? fields[name] : undefined;
    if (value === undefined) throw new CannotSay(`\`${name}\`, which the model does not have`);
    return { present: yes, value };
  },
});
