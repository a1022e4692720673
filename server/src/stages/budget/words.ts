import type { Budget } from "../../base/config/budgets.ts";
import type { BudgetCounter, CountedFor } from "./counters.ts";

/** An amount with its unit: `450.00 EUR`, `12 calls`. */
export function amountText({ of, currency, digits }: Pick<Budget, "of" | "currency" | "digits">, amount: number): string {
  if (of === "money") return `${(amount / 10 ** digits).toFixed(digits)}${currency === null ? "" : ` ${currency}`}`;
  const unit = { calls: "calls", tokens: "tokens", rows: "rows", bytes_out: "bytes", time: "ms", sessions: "child sessions" }[of];
  return `${amount} ${unit}`;
}

/** Whom a count is about: `user ana`, `agent bot, user ana`, `all`. */
export const scopeText = (scope: CountedFor): string =>
  Object.entries(scope).map(([kind, name]) => `${kind} ${name}`).join(", ") || "all";

/** Why there is no room for a call, how much is left, and when there will be more. */
export function refusalText(budget: Budget, { spent, reserved, scope }: BudgetCounter, amount: number | null, nowMs: number): string {
  const left = Math.max(0, budget.limit - spent.total(nowMs) - reserved);
  const head = `budget \`${budget.name}\` (${scopeText(scope)}) has ${amountText(budget, left)} of ${amountText(budget, budget.limit)} left`;
  if (amount === null) return `${head}, and nobody can say how much this call takes${budget.of === "money" ? ` of ${budget.currency ?? "money"}` : ""}`;
  const takes = `${head}, and this call takes ${amountText(budget, amount)}`;
  if (amount > budget.limit) return `${takes}, which is more than there ever is`;
  const freesAtMs = spent.frees(amount - left, nowMs);
  if (freesAtMs !== null) return `${takes}; there is room for it at ${new Date(freesAtMs).toISOString()}`;
  return reserved > 0 ? `${takes}; there may be room once calls under way have ended` : `${takes}; it does not free by itself`;
}
