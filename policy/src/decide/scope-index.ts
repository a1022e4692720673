import type { DecisionInput } from "@lanyard/contract";
import type { ActionShape } from "../schema/schema.ts";
import { actionMatches, isOfTeam, keysOf, principalMatches, questionKeys } from "./head.ts";
import type { ReadyPolicy } from "./ready.ts";

type Row = ReadonlyMap<string, readonly ReadyPolicy[]>;

/** Policies by what their heads say of the action, then of the agent. */
export type ScopeIndex = ReadonlyMap<string, Row>;

/**
 * An index in the making, from another one. They share all that is not touched, so that a bundle that differs from the last one in one
 * policy costs one policy.
 */
export class IndexDraft {
  readonly #index: Map<string, Row>;
  /** Rows and cells that are this draft's own, so that they may be written to. */
  readonly #own = new Map<string, Map<string, ReadyPolicy[]>>();

  constructor(before: ScopeIndex = new Map()) {
    this.#index = new Map(before);
  }

  add(policy: ReadyPolicy): void {
    eachCell(policy, (action, agent) => void this.#cell(action, agent).push(policy));
  }

  remove(policy: ReadyPolicy): void {
    eachCell(policy, (action, agent) => {
      const cell = this.#cell(action, agent);
      cell.splice(cell.indexOf(policy), 1);
    });
  }

  /** The index; the draft is not to be used after. */
  done(): ScopeIndex {
    return this.#index;
  }

  #cell(action: string, agent: string): ReadyPolicy[] {
    let own = this.#own.get(action);
    if (own === undefined) this.#own.set(action, (own = new Map()));
    const cell = own.get(agent);
    if (cell !== undefined) return cell;
    const row = this.#index.get(action);
    const copy = [...(row?.get(agent) ?? [])];
    const rowCopy = own.size === 0 ? new Map(row) : (row as Map<string, readonly ReadyPolicy[]>);
    if (own.size === 0) this.#index.set(action, rowCopy);
    rowCopy.set(agent, copy);
    own.set(agent, copy);
    return copy;
  }
}

const eachCell = ({ head }: ReadyPolicy, visit: (action: string, agent: string) => void): void => {
  const { actions, agents } = keysOf(head);
  for (const action of actions) for (const agent of agents) visit(action, agent);
};

/** The policies whose heads speak of this agent and this action, sorted by id; of which resources, the heads still tell. */
export const searchIndex = (index: ScopeIndex, agent: DecisionInput["agent"], action: ActionShape): ReadyPolicy[] => {
  const { actions, agents } = questionKeys(agent, action);
  const found = new Set<ReadyPolicy>();
  for (const actionKey of actions) {
    const row = index.get(actionKey);
    if (row === undefined) continue;
    for (const agentKey of agents) {
      for (const policy of row.get(agentKey) ?? []) {
        if (isOfTeam(policy.team, agent) && principalMatches(policy.head.principal, agent) && actionMatches(policy.head.action, action)) found.add(policy);
      }
    }
  }
  return [...found].sort((left, right) => (left.id < right.id ? -1 : 1));
};
