import { setImmediate } from "node:timers/promises";
import { systemClock, type Clock } from "../../server/src/base/clock.ts";

/** A clock that stands still until a test moves it. Ids and random bytes are real. */
export interface StillClock extends Clock {
  /** Moves time on, running what falls due in order, and lets each task's promises settle before the next. */
  advance(ms: number): Promise<void>;
}

export function stillClock(startMs = 1_790_000_000_000): StillClock {
  let nowMs = startMs;
  const tasks = new Set<{ readonly atMs: number; readonly run: () => void }>();
  return {
    ...systemClock,
    nowMs: () => nowMs,
    monotonicUs: () => (nowMs - startMs) * 1000,
    after(ms, run) {
      const task = { atMs: nowMs + Math.max(0, ms), run };
      tasks.add(task);
      return { cancel: () => void tasks.delete(task) };
    },
    pause: () => Promise.resolve(), // a millisecond's courtesy to other callers, of whom a test has none
    async advance(ms) {
      const untilMs = nowMs + ms;
      for (;;) {
        const [next] = [...tasks].filter(({ atMs }) => atMs <= untilMs).sort((a, b) => a.atMs - b.atMs);
        if (!next) break;
        tasks.delete(next);
        nowMs = Math.max(nowMs, next.atMs);
        next.run();
        await settled();
      }
      nowMs = untilMs;
      await settled();
    },
  };
}

/** Lets promises and the store's group commit come to rest. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 8; turn++) await setImmediate();
}
