import { Fifo } from "./queue.ts";

/** One thing that is counted, added up or compared. */
export interface Row {
  readonly atMs: number;
  /** What it is told apart by; empty where each event counts. */
  readonly tuple: string;
  readonly amount: number | null;
  /** What all rows of its group before it come to; for who adds up. */
  before: Exact;
}

/** What one event adds: tuples with their amounts, each once. */
export type Additions = ReadonlyMap<string, number | null>;

/** A whole number of any size; a bigint where it must be. */
type Exact = number | bigint;

/** What the rows of one group come to. */
export interface Total {
  add(row: Row): void;
  /** Of rows in the order in which they were added, the oldest first. */
  drop(row: Row): void;
  /** What rows from a moment on come to, together with what the current call adds. */
  value(fromMs: number, mine: Additions | undefined): number;
}

const plus = (left: Exact, right: Exact): Exact => {
  if (typeof left === "number" && typeof right === "number" && Number.isSafeInteger(left + right)) return left + right;
  return BigInt(left) + BigInt(right);
};

const minus = (left: Exact, right: Exact): Exact => plus(left, -right);

/** Within the integers that JSON carries exactly; what is beyond stays beyond every bound that a policy can name. */
const clamped = (sum: Exact): number => Number(sum > Number.MAX_SAFE_INTEGER ? Number.MAX_SAFE_INTEGER : sum < Number.MIN_SAFE_INTEGER ? Number.MIN_SAFE_INTEGER : sum);

/** Each row counts: what a window comes to is the difference of two running totals. */
export class RunningTotal implements Total {
  readonly #of: "count" | "sum";
  readonly #rows = new Fifo<Row>();
  #total: Exact = 0;

  constructor(of: "count" | "sum") {
    this.#of = of;
  }

  add(row: Row): void {
    row.before = this.#total;
    this.#total = plus(this.#total, row.amount ?? 0);
    this.#rows.push(row);
  }

  drop(): void {
    this.#rows.shift();
  }

  value(fromMs: number, mine: Additions | undefined): number {
    const at = firstFrom(this.#rows, fromMs);
    if (this.#of === "count") return this.#rows.size - at + (mine?.size ?? 0);
    let sum = minus(this.#total, this.#rows.at(at)?.before ?? this.#total);
    for (const amount of mine?.values() ?? []) sum = plus(sum, amount ?? 0);
    return clamped(sum);
  }
}

/** Equal rows count once. All that are kept are within the window. */
export class DistinctTotal implements Total {
  readonly #of: "count" | "sum";
  /** The last row of each tuple. */
  readonly #tuples = new Map<string, Row>();
  #sum: Exact = 0;

  constructor(of: "count" | "sum") {
    this.#of = of;
  }

  add(row: Row): void {
    if (!this.#tuples.has(row.tuple)) this.#sum = plus(this.#sum, row.amount ?? 0);
    this.#tuples.set(row.tuple, row);
  }

  drop(row: Row): void {
    if (this.#tuples.get(row.tuple) !== row) return; // seen again since
    this.#tuples.delete(row.tuple);
    this.#sum = minus(this.#sum, row.amount ?? 0);
  }

  value(_fromMs: number, mine: Additions = new Map()): number {
    const fresh = [...mine].filter(([tuple]) => !this.#tuples.has(tuple));
    if (this.#of === "count") return this.#tuples.size + fresh.length;
    return clamped(fresh.reduce((sum, [, amount]) => plus(sum, amount ?? 0), this.#sum));
  }
}

/** The least or the most; 0 of nothing. */
export class BestTotal implements Total {
  readonly #of: "min" | "max";
  /** Rows that may yet be it: each is better than those after it. */
  readonly #rows = new Fifo<Row>();

  constructor(of: "min" | "max") {
    this.#of = of;
  }

  add(row: Row): void {
    const { amount } = row;
    if (amount === null) return;
    for (let last = this.#rows.last(); last !== undefined && !this.#isBetter(last.amount ?? 0, amount); last = this.#rows.last()) this.#rows.pop();
    this.#rows.push(row);
  }

  #isBetter(left: number, right: number): boolean {
    return this.#of === "min" ? left < right : left > right;
  }

  drop(row: Row): void {
    if (this.#rows.first() === row) this.#rows.shift();
  }

  value(fromMs: number, mine: Additions | undefined): number {
    let best = this.#rows.at(firstFrom(this.#rows, fromMs))?.amount ?? null;
    for (const amount of mine?.values() ?? []) if (amount !== null && (best === null || this.#isBetter(amount, best))) best = amount;
    return best ?? 0;
  }
}

/** The place of the first row of a moment or later; rows stand in the order of time. */
const firstFrom = (rows: Fifo<Row>, fromMs: number): number => {
  let [low, high] = [0, rows.size];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((rows.at(middle)?.atMs ?? fromMs) < fromMs) low = middle + 1;
    else high = middle;
  }
  return low;
};
