import { shortened, visible } from "../../base/visible.ts";
import type { Holding } from "./alert.ts";
import type { BudgetCount, DownServer, LedgerVerdict, MissedDeadline, OpenIntent, StandingOrder, WaitingCall } from "./sources.ts";

// What happened, what was already done, and what to type next, for each condition.

const lineChars = 300;

/** Foreign text on one line: nothing in it may begin a line of its own, or hide. */
const line = (text: string): string => shortened(visible(text), lineChars);

const earliest = (all: readonly { readonly sinceMs: number }[]): number => Math.min(...all.map(({ sinceMs }) => sinceMs));
const several = (count: number, one: string, many = `${one}s`): string => `${count} ${count === 1 ? one : many}`;

/** Of a quarantine, and of a breaker that ordered it. */
export const quarantined = ({ id, subject, by, breaker, why, sinceMs, done, session, last, resume }: StandingOrder): Holding => ({
  condition: "quarantine",
  subject,
  sinceMs,
  mark: id,
  session,
  message: {
    title: breaker === null ? `${subject} was quarantined by ${by}` : `Breaker ${breaker} tripped: ${subject} is quarantined`,
    lines: [...(why ? [`Why: ${line(why)}`] : []), ...done, "Reads are still allowed, as policy says; nothing else is carried out."],
    fields: [["Subject", subject], ["By", by], ...(session === null ? [] : [["Session", session] as const])],
    commands: [...(last === null ? [] : [`lanyard explain ${last}`]), ...(session === null ? [] : [`lanyard undo ${session}`]), resume, ...(session === null ? [] : [`lanyard incident ${session}`])],
  },
});

export const waiting = (all: readonly [WaitingCall, ...WaitingCall[]]): Holding => {
  const [{ agent, id, action, groups }] = all;
  return {
    condition: "approval_waiting",
    subject: `agent ${agent}`,
    sinceMs: earliest(all),
    mark: "",
    session: null,
    message: {
      title: `${several(all.length, "call")} of agent ${agent} ${all.length === 1 ? "waits" : "wait"} for approval`,
      lines: [`The first is ${line(action)}; ${groups.join(", ")} can decide.`, "It is held; nothing approves it by itself, and it is denied when its time is over."],
      fields: [["Agent", agent], ["Approval", id]],
      commands: ["lanyard approvals", `lanyard approve ${id}`, `lanyard deny ${id}`],
    },
  };
};

export const openIntents = (all: readonly [OpenIntent, ...OpenIntent[]]): Holding => {
  const [{ agent, seq, session, action }] = all;
  return {
    condition: "open_intent",
    subject: `agent ${agent}`,
    sinceMs: earliest(all),
    mark: "",
    session,
    message: {
      title: `${several(all.length, "call")} of agent ${agent} ${all.length === 1 ? "has" : "have"} no known end`,
      lines: [`The first is ${line(action)}, entry ${seq}: it was permitted and may have taken effect, but its outcome is not on record.`],
      fields: [["Agent", agent], ["Session", session]],
      commands: [`lanyard explain ${seq}`, `lanyard undo ${session} --dry-run`, `lanyard incident ${session}`],
    },
  };
};

export const nearlySpent = (all: readonly [BudgetCount, ...BudgetCount[]], nowMs: number): Holding => {
  const [{ budget, scope, used, limit, percent, agent, session }] = all;
  return {
    condition: "budget",
    subject: (agent === null ? `budget ${budget} of ${scope}` : `agent ${agent}`).slice(0, 256).toWellFormed(),
    sinceMs: nowMs,
    mark: "",
    session,
    message: {
      title: `Budget ${budget} of ${line(scope)} is at ${Math.min(percent, 999)} %`,
      lines: [`${used} of ${limit} are spent or reserved; what does not fit is refused.`, ...(all.length > 1 ? [`So it is with ${several(all.length - 1, "other count")} of budgets.`] : [])],
      fields: [["Budget", budget], ...(agent === null ? [] : [["Agent", agent] as const]), ...(session === null ? [] : [["Session", session] as const])],
      commands: ["lanyard budgets", ...(session === null ? [] : [`lanyard log --session ${session}`])],
    },
  };
};

export const deadlineMissed = (all: readonly [MissedDeadline, ...MissedDeadline[]]): Holding => {
  const [{ agent, policy, seq, session, action, text }] = all;
  return {
    condition: "deadline",
    subject: `agent ${agent}`,
    sinceMs: earliest(all),
    mark: String(Math.max(...all.map((one) => one.seq))),
    session,
    message: {
      title: `What must follow ${several(all.length, "call")} of agent ${agent} has not come`,
      lines: [`After ${line(action)}, entry ${seq}, policy ${policy} awaits: ${line(text)}.`, "Nothing was stopped. When it comes after all, this ends by itself; after a day it is not looked for any longer."],
      fields: [["Agent", agent], ["Session", session], ["Policy", policy]],
      commands: [`lanyard explain ${seq}`, `lanyard log --session ${session}`],
    },
  };
};

export const serverDown = ({ server, failures }: DownServer, sinceMs: number): Holding => ({
  condition: "upstream_down",
  subject: `server ${server}`,
  sinceMs,
  mark: "",
  session: null,
  message: {
    title: `Server ${server} cannot be reached`,
    lines: [`It failed ${several(failures, "time")} in a row. Calls to it are refused meanwhile, and it is tried again by itself.`],
    fields: [["Server", server]],
    commands: ["lanyard status", "lanyard doctor"],
  },
});

export const ledgerDown = (sinceMs: number): Holding => ({
  condition: "ledger_down",
  subject: "ledger",
  sinceMs,
  mark: "",
  session: null,
  message: {
    title: "The ledger cannot write",
    lines: ["Every call is refused until it can: nothing happens unrecorded. It is tried again by itself.", "This page comes from memory; that it was sent goes on record later."],
    fields: [],
    commands: ["lanyard status", "lanyard doctor"],
  },
});

export const damaged = ({ atMs, findings }: LedgerVerdict): Holding => ({
  condition: "verify_failed",
  subject: "ledger",
  sinceMs: atMs,
  mark: "",
  session: null,
  message: {
    title: "The ledger is not as it was written",
    lines: [...findings.slice(0, 5).map(line), ...(findings.length > 5 ? [`and ${findings.length - 5} more`] : []), "Nothing was stopped: what is decided and recorded from now on does not depend on it. Keep the data folder as it is."],
    fields: [],
    commands: ["lanyard audit verify", "lanyard audit checkpoint"],
  },
});
