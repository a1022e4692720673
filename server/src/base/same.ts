import { timingSafeEqual } from "node:crypto";

/** In constant time, so that an answer's delay says nothing of how much was right. */
export function isSame(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)];
  return a.length === b.length && timingSafeEqual(a, b);
}
