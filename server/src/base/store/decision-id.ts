import type { Clock } from "../clock.ts";

/** Longest time between a decision's id and its record, in milliseconds: an append that waits longer was refused. */
export const decisionAgeMs = 60_000;

/**
 * A new decision id, `d_<16 base64url characters>`: six bytes of wall clock, six of randomness. With the time in it a decision is found
 * by its id without an index on ids, which would cost every commit a random page.
 */
export const decisionId = (clock: Clock): string => {
  const bytes = Buffer.alloc(12);
  bytes.writeUIntBE(clock.nowMs(), 0, 6);
  clock.random(6).copy(bytes, 6);
  return `d_${bytes.toString("base64url")}`;
};

/** When a decision id was made, milliseconds since the epoch; null when it is of another form. */
export const decisionMs = (id: string): number | null =>
  /^d_[A-Za-z0-9_-]{16}$/.test(id) ? Buffer.from(id.slice(2), "base64url").readUIntBE(0, 6) : null;
