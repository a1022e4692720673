import { systemClock } from "../base/clock.ts";
import { AuthorityLease } from "../edge/gateway/lease/lease.ts";
import type { RunSession } from "./run.ts";

/** The line to the daemon that a session lives by: when it is gone for long, so is whoever opened the session. `termMs`: how long its word holds until it has said. */
export function holdSession({ url, token }: Pick<RunSession, "url" | "token">, termMs: number): AuthorityLease {
  const { hostname, port } = new URL(url);
  return new AuthorityLease({ at: { host: hostname.replace(/^\[|\]$/g, ""), port: Number(port) }, token, termMs, holds: true, clock: systemClock });
}
