import type { HistoryEvent } from "./event.ts";
import type { HistoryLeaf } from "./leaf.ts";
import { currentKey, keysOf, matcherOf, scopeKey } from "./match.ts";

/**
 * Tells whether an earlier event is one that a question is about when this call asks it: of the same history, within its window, with values equal to the call's. Of
 * `since` it is one that it began with.
 */
export const meantBy = (leaf: HistoryLeaf, call: HistoryEvent): ((earlier: HistoryEvent) => boolean) => {
  const scope = scopeKey(call, leaf.across);
  const key = currentKey(call, leaf.current, scope);
  const matchers = leaf.queries.map((query, at) => ({ matcher: matcherOf(query), windowMs: leaf.windows[at] ?? leaf.windows[0] ?? null }));
  return (earlier) => key !== null && scopeKey(earlier, leaf.across) === scope && matchers.some(({ matcher: { matches, query }, windowMs }) => windowMs !== null && call.atMs - earlier.atMs <= windowMs && matches(earlier) && keysOf(earlier, query.joins, scope).includes(key));
};
