import { Fault, type Principal } from "@lanyard/contract";
import type { BudgetState } from "../../stages/budget/budget.ts";
import { amountText, scopeText } from "../../stages/budget/words.ts";
import type { ApiCall, Handler } from "./handler.ts";
import type { Rooms } from "./rooms.ts";

export const budgetHandlers = ({ budgets, identity }: Rooms): Record<"budget_list", Handler> => ({
  budget_list: ({ caller, query }) => {
    const open = identity.sessions().map(({ principal }) => principal);
    const about = filterOf(caller, query["agent"], query["session"], open, budgets.teamOf);
    return { json: { budgets: budgets.list().filter((state) => about(state)).map(row) } };
  },
});

/** Which counts are meant. A session sees those that its own calls are counted in. Throws Fault `not_found`, `forbidden`. */
function filterOf(caller: ApiCall["caller"], agent: unknown, session: unknown, open: readonly Principal[], teamOf: (agent: string) => string): (state: BudgetState) => boolean {
  const own = typeof caller !== "string" && caller.kind === "session" ? caller.principal : null;
  if (own && ((session !== undefined && session !== own.session) || (agent !== undefined && agent !== own.agent))) throw new Fault("forbidden", "a session sees its own budgets alone");
  const found = own ?? (session === undefined ? null : open.find((principal) => principal.session === session));
  if (found === undefined) throw new Fault("not_found", `no session \`${String(session)}\` is open`);
  const isOf = (state: BudgetState, { session: id, chain, agent: name, user }: Principal): boolean => {
    const { scope } = state;
    const is = (value: string | undefined, allowed: readonly string[]): boolean => value === undefined || allowed.includes(value);
    return is(scope.session, [id, ...chain]) && is(scope.agent, [name]) && is(scope.user, [user]) && is(scope.team, [teamOf(name)]);
  };
  if (found) return (state) => isOf(state, found);
  if (agent === undefined) return () => true;
  const its = open.filter((principal) => principal.agent === agent);
  return (state) => state.scope.agent === agent || state.scope.team === teamOf(String(agent)) || its.some((principal) => isOf(state, principal));
}

/** Amounts in the smallest unit, and beside them as people read them. */
const row = ({ budget, scope, spent, reserved, left, freesAtMs, isNear }: BudgetState): object => ({
  budget: budget.name,
  of: budget.of,
  currency: budget.currency,
  scope,
  about: scopeText(scope),
  window: budget.windowText,
  limit: budget.limit,
  spent,
  reserved,
  left,
  shown: { limit: amountText(budget, budget.limit), spent: amountText(budget, spent), reserved: amountText(budget, reserved), left: amountText(budget, left) },
  frees_at_ms: freesAtMs,
  near: isNear,
});
