import { Fault } from "@lanyard/contract";
import type { Command } from "commander";
import { systemClock } from "../base/clock.ts";
import type { Context } from "./context.ts";
import { json } from "./terminal.ts";
import { timelineLine, type LogLine } from "./timeline.ts";

interface LogOptions {
  follow?: boolean;
  session?: string;
  agent?: string;
  effect?: string;
  tool?: string;
  type?: string;
  since?: string;
  limit?: string;
  json?: boolean;
}

export function logVerb(program: Command, context: Context): void {
  program
    .command("log")
    .description("what happened: ledger entries, oldest first")
    .option("-f, --follow", "keep printing new entries as they become durable")
    .option("--session <id>", "only this session")
    .option("--agent <name>", "only this agent")
    .option("--effect <effect>", "only decisions with this effect: allow, deny, ask")
    .option("--tool <action>", "only this action, `server/tool`; a trailing * matches any rest")
    .option("--type <type>", "only entries of this type, e.g. outcome, approval.approve")
    .option("--since <when>", "only entries younger than 90s, 15m, 2h, 7d, or an ISO time")
    .option("--limit <n>", "at most this many, the newest", "200")
    .option("--json", "one JSON object a line")
    .addHelpText("after", "\nExample:\n  lanyard log --effect deny --since 2h\n  lanyard log -f --agent coder --json")
    .action(async (options: LogOptions) => {
      const api = await context.reach();
      const lines = api.lines<LogLine>("log", {
        query: {
          session: options.session,
          agent: options.agent,
          effect: options.effect,
          tool: options.tool,
          type: options.type,
          since_ms: options.since === undefined ? undefined : sinceMs(options.since),
          limit: options.limit,
          follow: options.follow,
        },
      });
      for await (const line of lines) {
        if (options.json) context.out(json(line));
        else if (options.type || !line.type.startsWith("access.")) context.out(timelineLine(line, context.colour));
      }
    });
}

const unitsMs: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `90s`, `15m`, `2h`, `7d` ago, or an ISO 8601 time, as milliseconds since the epoch. Throws Fault `invalid_request`. */
export const sinceMs = (text: string, nowMs: number = systemClock.nowMs()): number => timeFrom(text, nowMs, -1);

/** The same ahead: `90s`, `15m`, `2h`, `7d` from now, or an ISO 8601 time. Throws Fault `invalid_request`. */
export const untilMs = (text: string, nowMs: number = systemClock.nowMs()): number => timeFrom(text, nowMs, 1);

function timeFrom(text: string, nowMs: number, direction: 1 | -1): number {
  const [, count, unit] = /^(\d{1,9})([smhd])$/.exec(text) ?? [];
  if (count && unit) return nowMs + direction * Number(count) * (unitsMs[unit] ?? 0);
  const at = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(at)) throw new Fault("invalid_request", `\`${text}\` is no time: write 90s, 15m, 2h, 7d, or 2026-11-22T14:00:00Z`, { remedy: "" });
  return at;
}
