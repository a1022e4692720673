import { isObject, type DecisionInput, type Effect, type JsonObject } from "@lanyard/contract";
import type { ActionShape } from "@lanyard/policy";
import { cedarComment, cedarEntity, cedarString } from "../../base/cedar-text.ts";
import { conditionsOf } from "./conditions.ts";

/** A call to write a policy for: its entry, how it was decided then, and what it would be today. */
export interface SeenCall {
  readonly seq: number;
  readonly effect: Effect;
  readonly input: DecisionInput;
}

/** One suggested policy; `calls` are those it was made from. */
export interface SuggestedPolicy {
  readonly id: string;
  readonly action: string;
  readonly calls: number;
  readonly seqs: readonly number[];
  readonly text: string;
}

const shownSeqs = 5;
const fewResources = 8;

/** The narrowest permit for these calls of one agent to one tool. `taken` are ids that other policies have. */
export const permitFor = (action: ActionShape, calls: readonly SeenCall[], session: string, taken: ReadonlySet<string>): SuggestedPolicy => {
  const agent = (calls[0] as SeenCall).input.agent;
  const id = freeId([agent.team, agent.id, action.name].filter((part) => part !== "").map(idPart).join("."), taken);
  const { terms, notes } = conditionsOf(action.input, calls.map(({ input }) => argumentsSeen(action, input.args)));
  const resources = resourceTerms(action, calls);
  const clauses = [...resources.terms, ...terms];
  const text = [
    cedarComment(countOf(calls)),
    ...notes.map((note) => cedarComment(`Not narrowed: ${note}.`)),
    `@id(${cedarString(id)})`,
    `@reason(${cedarString(`Suggested from ${calls.length === 1 ? "a call" : `${calls.length} calls`} of session ${session}.`.slice(0, 400))})`,
    "permit (",
    `  principal == ${cedarEntity("Agent", agent.id)},`,
    `  action == ${cedarEntity("Action", action.name)},`,
    `  ${resources.head}`,
    clauses.length > 0 ? `)\nwhen {\n  ${clauses.join("\n  && ")}\n};` : ");",
  ].join("\n");
  return { id, action: action.name, calls: calls.length, seqs: calls.map(({ seq }) => seq), text };
};

/** An id is letters, digits and a few marks; what else a name has is a dash. */
const idPart = (text: string): string => text.replace(/[^A-Za-z0-9_-]+/g, "-").replace(/^-+/, "") || "x";

const freeId = (wanted: string, taken: ReadonlySet<string>): string => {
  const stem = wanted.slice(0, 120);
  let id = stem;
  for (let n = 2; taken.has(id); n++) id = `${stem}-${n}`;
  return id;
};

/** Of a request that is no tool call, policy sees `uri` and `name`, also below `ref`. */
const argumentsSeen = ({ definition }: ActionShape, args: JsonObject): JsonObject => {
  const ref = Object.hasOwn(args, "ref") ? args["ref"] : null;
  return definition === null && isObject(ref) ? { ...ref, ...args } : args;
};

const resourceTerms = ({ resourceType }: ActionShape, calls: readonly SeenCall[]): { head: string; terms: string[] } => {
  if (resourceType === "Server") return { head: "resource", terms: [] };
  const ids = [...new Set(calls.flatMap(({ input }) => (input.resources ?? []).map(({ id }) => id)))].sort();
  const entities = ids.map((id) => cedarEntity(resourceType, id));
  if (entities.length === 1) return { head: `resource == ${entities[0]}`, terms: [] };
  return { head: `resource is ${resourceType}`, terms: entities.length <= fewResources ? [`[${entities.join(", ")}].contains(resource)`] : [] };
};

const countOf = (calls: readonly SeenCall[]): string => {
  const effects = { allow: "allowed", ask: "held for people", deny: "denied" } as const;
  const told = (Object.keys(effects) as Effect[]).flatMap((effect) => {
    const count = calls.filter((call) => call.effect === effect).length;
    return count > 0 ? [`${count} ${effects[effect]}`] : [];
  });
  const seqs = calls.slice(0, shownSeqs).map(({ seq }) => String(seq)).join(", ");
  const more = calls.length > shownSeqs ? `, ... and ${calls.length - shownSeqs} more` : "";
  return `${calls.length === 1 ? "1 call" : `${calls.length} calls`} (entry ${seqs}${more}): ${told.join(", ")} at the time.`;
};
