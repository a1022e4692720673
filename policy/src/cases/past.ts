import type { DecisionInput, HistoryFacts, JsonObject } from "@lanyard/contract";
import { z } from "zod";
import type { Snapshot } from "../decide/snapshot.ts";
import { callEvent } from "../temporal/event.ts";
import { HistoryMonitor } from "../temporal/monitor.ts";

const name = z.string().min(1).max(256);
const ends = ["done", "failed", "refused", "uncertain", "running"] as const;
const unitMs: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 24 * 3_600_000 };

const pastCall = z
  .strictObject({
    call: name.describe("the action: `server/tool`, or `server/mcp:method`"),
    args: z.record(z.string(), z.json()).optional(),
    ago: z.string().regex(/^\d{1,6}[smhd]$/, "is no time such as `10m`: a number with s, m, h or d").optional().describe("how long before the call of the case; default 1m"),
    decision: z.enum(["allow", "deny"]).optional().describe("default allow"),
    ended: z.enum(ends).optional().describe("default done; `running`: it has not ended"),
    output: z.json().optional().describe("what came back, as `output` of its response"),
    approved_by: z.array(name).max(256).optional(),
    labels: z.array(name).max(256).optional().describe("labels of its session"),
    agent: name.optional().describe("default that of the case; so are user and session"),
    user: name.optional(),
    session: name.optional().describe("another session; that of the case is `case`"),
  })
  .describe("an earlier call");

/** What a case says of the past: earlier calls, or the answers themselves by the names of the questions. */
export const pastShape = z.union([z.array(pastCall).max(1000), z.record(z.string(), z.union([z.boolean(), z.int()]))]).optional().describe("earlier calls, which what policies ask of history is answered from; or the answers, by name");

export type Past = z.infer<typeof pastShape>;

/** Answers to what the policies ask for a call after such a past; every one that is asked, so that policies that lack one of the questions are answered too. */
export const answersAfter = (snapshot: Snapshot, past: Past, input: DecisionInput): HistoryFacts | null => {
  if (past !== undefined && !Array.isArray(past)) return past;
  if (snapshot.leaves.length === 0) return null;
  const monitor = new HistoryMonitor();
  for (const leaf of snapshot.leaves) monitor.add(leaf, Number.NEGATIVE_INFINITY);
  const owner = { rows: 0 };
  const calls = (past ?? []).map((one) => ({ ...one, atMs: input.nowMs - msOf(one.ago ?? "1m") })).sort((left, right) => left.atMs - right.atMs);
  for (const { call, args = {}, decision = "allow", ended = "done", output, approved_by: approvals = [], labels, agent, user, session, atMs } of calls) {
    const earlier: DecisionInput = {
      agent: agent === undefined ? input.agent : { ...input.agent, id: agent },
      user: user === undefined ? input.user : { ...input.user, id: user },
      session: { ...input.session, id: session ?? input.session.id, labels: labels ?? input.session.labels },
      action: call, args: args as JsonObject, approvals, nowMs: atMs,
    };
    const [seen, rootSession] = [snapshot.seen(earlier), earlier.session.id];
    monitor.note(callEvent(earlier, seen, { kind: "request", atMs, rootSession, decision }), owner);
    if (decision === "deny" || ended === "running") continue;
    monitor.note(callEvent(earlier, seen, { atMs, rootSession, output: () => output, ...(ended === "done" ? { kind: "response" } : { kind: "error", status: ended }) }), owner);
  }
  return monitor.named(snapshot.asks(input.agent, input.action), callEvent(input, snapshot.seen(input), { kind: "request", atMs: input.nowMs, rootSession: input.session.id }));
};

const msOf = (text: string): number => Number(text.slice(0, -1)) * (unitMs[text.slice(-1)] ?? 0);
