import type { HistoryEvent } from "./event.ts";
import { reachOf, type HistoryLeaf } from "./leaf.ts";
import { currentKey, keysOf, matcherOf, scopeKey } from "./match.ts";

/** What must follow a call: `eventually within ...`. */
export interface AwaitedEvent {
  /** How long there is, milliseconds; what comes right at the end is in time. */
  readonly windowMs: number;
  /** Whether a later event is it. */
  isMetBy(later: HistoryEvent): boolean;
}

/** What a call promises by a question of the kind `eventually`; null where it lacks what later events are compared with: then nothing could meet it. */
export const awaitedBy = (leaf: HistoryLeaf, call: HistoryEvent): AwaitedEvent | null => {
  const [query] = leaf.queries;
  const key = currentKey(call, leaf.current, scopeKey(call, leaf.across));
  if (query === undefined || key === null) return null;
  const matcher = matcherOf(query);
  return { windowMs: reachOf(leaf), isMetBy: (later) => matcher.matches(later) && keysOf(later, query.joins, scopeKey(later, leaf.across)).includes(key) };
};
