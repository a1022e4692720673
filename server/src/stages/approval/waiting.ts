import type { Clock } from "../../base/clock.ts";
import type { Exchange } from "../../base/exchange.ts";

const progressMs = 5000;

/**
 * Waits until it is woken, `untilMs` has come or the client went away, and tells the client every 5 s what it still waits for. `wakers` holds
 * the function that wakes it meanwhile.
 */
export async function waitForPeople(clock: Clock, exchange: Exchange, { untilMs, wakers, message }: { untilMs: number; wakers: Set<() => void>; message: () => string }): Promise<void> {
  if (exchange.signal.aborted) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const gone = () => resolve();
  let ticks = 0;
  let timer: { cancel(): void } = { cancel: gone };
  const tick = () => {
    const remainingMs = untilMs - clock.nowMs();
    if (remainingMs <= 0) return resolve();
    // Progress must increase, and the server's own may follow under the same token: so steps of a thousandth, and no total.
    exchange.progress({ progress: ++ticks / 1000, message: message() });
    timer = clock.after(Math.min(progressMs, remainingMs), tick);
  };
  wakers.add(gone);
  exchange.signal.addEventListener("abort", gone, { once: true });
  tick();
  await promise;
  timer.cancel();
  wakers.delete(gone);
  exchange.signal.removeEventListener("abort", gone);
}
