import type { HistoryEvent } from "./event.ts";
import { constantOf, Constants, familyOf, Seen, type Constant, type Member } from "./family.ts";
import { reachOf, type EventQuery, type HistoryLeaf } from "./leaf.ts";
import { keysOf, matcherOf, scopeKey, type Matcher } from "./match.ts";
import type { HistoryScope } from "./syntax.ts";
import { Recent, type Current, type Listener, type Owner, type Table } from "./table.ts";

/** When something happened last. */
export interface Mark {
  readonly atMs: number;
  readonly number: number;
  readonly owner: Owner;
}

interface KeptMark extends Mark {
  readonly key: string;
  readonly constant: string;
}

const anything: EventQuery = { actions: [], kind: null, tests: [], not: [], joins: [], project: [], value: null };

/** The query of a question that has but one. */
export const onlyQuery = ({ queries }: HistoryLeaf): EventQuery => queries[0] ?? anything;

/** Whether the current call itself is one that is meant, with equal values. */
export const isMeant = (current: Current, matcher: Matcher, prefix: string, key: string): boolean => matcher.matches(current.event) && keysOf(current.event, matcher.query.joins, prefix).includes(key);

/** When events of one family happened last, by what they are looked up by and by constants. */
export class Marks<M extends Member> {
  readonly constants: Constants<M>;
  readonly #matcher: Matcher;
  readonly #across: HistoryScope;
  readonly #seen: Seen;
  readonly #marks: Recent<KeptMark>;
  #reachMs = 0;

  constructor(across: HistoryScope, query: EventQuery) {
    const { query: common, paths } = familyOf(query);
    this.#across = across;
    this.#matcher = matcherOf(common);
    this.constants = new Constants(paths);
    this.#seen = new Seen(this.constants);
    this.#marks = new Recent(({ key, constant }) => void this.#seen.delete(key, constant));
  }

  join(constant: Constant, member: M): void {
    this.constants.join(constant, member);
    this.#reachMs = Math.max(this.#reachMs, member.windowMs);
  }

  add(event: HistoryEvent, number: number, owner: Owner): void {
    if (!this.#matcher.matches(event)) return;
    const constants = this.constants.of(event);
    if (constants.length === 0) return;
    this.sweep(event.atMs);
    for (const key of keysOf(event, this.#matcher.query.joins, scopeKey(event, this.#across))) {
      for (const constant of constants) {
        this.#marks.put(key + constant, { atMs: event.atMs, number, owner, key, constant });
        this.#seen.add(key, constant);
      }
    }
  }

  get(key: string, constant: string): Mark | undefined {
    return this.#marks.get(key + constant);
  }

  /** Constants that there may be marks of. */
  under(key: string): Iterable<string> {
    return this.#seen.under(key);
  }

  /** Constants with which the current call itself is one that is meant. */
  meant(current: Current, key: string): readonly string[] {
    return isMeant(current, this.#matcher, scopeKey(current.event, this.#across), key) ? this.constants.of(current.event) : nothing;
  }

  keep(numbers: ReadonlySet<number>): boolean {
    this.constants.keep(numbers);
    this.#reachMs = this.constants.reachMs;
    this.#marks.keep(({ constant }) => this.constants.has(constant));
    return this.constants.size > 0;
  }

  sweep(nowMs: number): void {
    this.#marks.sweep(nowMs - this.#reachMs);
  }
}

const nothing: readonly string[] = [];

/** `formerly`: something happened within the window, or is this call. */
export class FormerlyTable implements Table {
  readonly queries: readonly EventQuery[];
  readonly #marks: Marks<Member>;
  readonly #slot: number;

  constructor(leaf: HistoryLeaf, slot: number) {
    this.queries = [familyOf(onlyQuery(leaf)).query];
    this.#marks = new Marks(leaf.across, onlyQuery(leaf));
    this.#slot = slot;
  }

  join(leaf: HistoryLeaf, number: number): void {
    this.#marks.join(constantOf(onlyQuery(leaf)), { number, windowMs: reachOf(leaf) });
  }

  add(event: HistoryEvent, number: number, owner: Owner): void {
    this.#marks.add(event, number, owner);
  }

  tell(current: Current, listener: Listener): void {
    const { constants } = this.#marks;
    const key = current.key(this.#slot);
    if (key === null) return tellLacking(constants.all(), listener);
    for (const constant of this.#marks.under(key)) {
      const mark = this.#marks.get(key, constant);
      if (mark === undefined) continue;
      const ageMs = current.event.atMs - mark.atMs;
      const members = constants.members(constant);
      for (let at = members.length - 1; at >= 0 && (members[at] as Member).windowMs >= ageMs; at -= 1) listener.holds((members[at] as Member).number);
    }
    for (const constant of this.#marks.meant(current, key)) for (const { number } of constants.members(constant)) listener.holds(number);
  }

  keep(numbers: ReadonlySet<number>): boolean {
    return this.#marks.keep(numbers);
  }

  sweep(nowMs: number): void {
    this.#marks.sweep(nowMs);
  }
}

export const tellLacking = (members: Iterable<Member>, listener: Listener): void => {
  for (const { number } of members) listener.lacks(number);
};
