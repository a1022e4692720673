import { randomBytes } from "node:crypto";

/** The only source of time, randomness and ids in the server, so that a test can hold all three still. */
export interface Clock {
  /** Wall clock, milliseconds since the epoch, an integer. */
  nowMs(): number;
  /** Monotonic, microseconds, an integer; for durations only. */
  monotonicUs(): number;
  /** A new unguessable id with 96 bits of randomness: `<prefix>_<16 base64url characters>`. */
  id(prefix: string): string;
  /** `size` bytes fit for keys, salts and tokens. */
  random(size: number): Buffer;
  /** Runs `task` once after `ms`; the handle cancels it. Never keeps the process alive. */
  after(ms: number, task: () => void): { cancel(): void };
  /** Resolves after `ms`; until then the process stays alive. */
  pause(ms: number): Promise<void>;
}

const pool = { bytes: Buffer.alloc(0), at: 0 };

// One call of the system's generator serves hundreds of ids: a call costs 1 us, a slice nearly nothing.
const take = (size: number): Buffer => {
  if (pool.at + size > pool.bytes.length) {
    pool.bytes = randomBytes(8192);
    pool.at = 0;
  }
  const slice = Buffer.from(pool.bytes.subarray(pool.at, pool.at + size));
  pool.bytes.fill(0, pool.at, pool.at + size);
  pool.at += size;
  return slice;
};

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicUs: () => Math.floor(performance.now() * 1000),
  id: (prefix) => `${prefix}_${take(12).toString("base64url")}`,
  random: (size) => (size > 64 ? randomBytes(size) : take(size)),
  after: (ms, task) => {
    const timer = setTimeout(task, ms).unref();
    return { cancel: () => clearTimeout(timer) };
  },
  pause: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
};

/** Until it is let go of, the process stays for timers of {@link Clock.after} too, which keep nobody waiting by themselves: what is being closed may wait for one. */
export function stayingAwake(): Disposable {
  const timer = setInterval(() => {}, 2 ** 30);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}
