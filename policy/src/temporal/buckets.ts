import { keyOf, SetValue, type Value } from "../cedar/value.ts";
import type { HistoryEvent } from "./event.ts";
import type { EventQuery, FieldPath } from "./leaf.ts";
import { literalValue } from "./match.ts";
import type { Table } from "./table.ts";

/** Tables that one value of a field leads to. */
interface Sieve {
  readonly path: FieldPath;
  readonly byValue: Map<string, Table[]>;
}

/** Tables that may want events of one action or group. */
interface Bucket {
  readonly all: Set<Table>;
  readonly sieves: Map<string, Sieve>;
}

/** What every event goes to. */
const everything = "";

/** Leads events to the tables that may want them: by the action, and by a value where a query names one. */
export class Buckets {
  readonly #buckets = new Map<string, Bucket>();

  file(table: Table): void {
    if (table.queries === null) this.#bucket(everything).all.add(table);
    else for (const query of table.queries) this.#file(table, query);
  }

  /** Whether some table may want events of an action. */
  wants(action: string, groups: readonly string[]): boolean {
    return [everything, action, ...groups].some((name) => this.#buckets.has(name));
  }

  /** Each table once. */
  of(event: HistoryEvent): ReadonlySet<Table> {
    const found = new Set<Table>();
    for (const name of [everything, event.action, ...event.groups]) {
      const bucket = this.#buckets.get(name);
      if (bucket === undefined) continue;
      for (const table of bucket.all) found.add(table);
      for (const { path, byValue } of bucket.sieves.values()) {
        for (const key of valueKeys(event.field(path))) for (const table of byValue.get(key) ?? []) found.add(table);
      }
    }
    return found;
  }

  #bucket(name: string): Bucket {
    const known = this.#buckets.get(name);
    if (known !== undefined) return known;
    const made: Bucket = { all: new Set(), sieves: new Map() };
    this.#buckets.set(name, made);
    return made;
  }

  #file(table: Table, { actions: [action = everything], tests }: EventQuery): void {
    const bucket = this.#bucket(action);
    const test = tests.find(({ path, op, value, negated }) => op === "==" && !negated && value !== undefined && path[0] === "input");
    if (test?.value === undefined) {
      bucket.all.add(table);
      return;
    }
    const name = JSON.stringify(test.path);
    const sieve = bucket.sieves.get(name) ?? { path: test.path, byValue: new Map<string, Table[]>() };
    bucket.sieves.set(name, sieve);
    const key = keyOf(literalValue(test.value));
    sieve.byValue.set(key, [...(sieve.byValue.get(key) ?? []), table]);
  }
}

const valueKeys = (value: Value | undefined): string[] => {
  if (value === undefined) return [];
  return value instanceof SetValue ? value.items.map(keyOf) : [keyOf(value)];
};
