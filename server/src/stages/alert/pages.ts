import type { JsonObject } from "@lanyard/contract";
import { alertSeverities, type AlertRoute, type AlertRules, type EscalationLevel } from "../../base/config/alerts.ts";
import type { Notice } from "../../base/notify/notice.ts";
import type { Alert, Reach } from "./alert.ts";
import { allOf, onCall } from "./rota.ts";

/** The level that the next page is for, when there is one more. */
export const levelOf = ({ levels, repeat }: AlertRoute, pages: number): EscalationLevel | null => (pages < levels.length * (repeat + 1) ? (levels[pages % levels.length] ?? null) : null);

/** A rota that has nobody at this moment pages everybody in it: at worst too many wake up. */
export function reachOf({ rotas, contacts }: AlertRules, level: EscalationLevel, atMs: number): Reach {
  const onDuty = level.rotas.flatMap((name) => {
    const rota = rotas.get(name);
    const who = rota ? onCall(rota, atMs) : null;
    return who === null ? (rota ? allOf(rota) : []) : [who];
  });
  const people = [...new Set([...level.users, ...onDuty])];
  return { people, channels: [...new Set([...people.flatMap((user) => contacts.get(user) ?? []), ...level.channels])] };
}

const acknowledging = (id: string): string => `lanyard alerts ack ${id}`;

/** What is sent when an alert is paged for the `pages`-th time. */
export function pageOf(alert: Alert, reach: Reach, atMs: number): Notice {
  const { id, severity, thread, pages, times, message } = alert;
  const again = pages > 1 ? [`Nobody acknowledged it for ${lasting(alert.raisedAtMs, atMs)}; this is page ${pages}.`] : [];
  const often = times > 1 ? [`It came ${times} times.`] : [];
  return {
    id: `${id}.${pages}`,
    kind: "alert",
    severity,
    dedup: thread,
    title: `${pages > 1 ? "Escalated: " : ""}${message.title}`,
    lines: [...again, ...message.lines, ...often],
    fields: [...message.fields, ["Alert", id], ...(reach.people.length > 0 ? [["Paged", reach.people.join(", ")] as const] : [])],
    commands: [...message.commands, acknowledging(id)],
    link: null,
    data: dataOf(alert),
  };
}

/** Alerts that one page names: more would make it longer than a message may be. */
const namedAtOnce = 50;

/** What quiet hours held of one route, in one page. `ended` are over by themselves. */
export function summaryOf(open: readonly Alert[], ended: readonly Alert[]): Notice {
  const all = [...open, ...ended];
  const [first] = all as [Alert, ...Alert[]];
  const [openOnes, endedOnes] = [open.slice(0, namedAtOnce), ended.slice(0, Math.max(0, namedAtOnce - open.length))];
  const more = all.length - openOnes.length - endedOnes.length;
  const worst = alertSeverities.findLast((severity) => all.some((alert) => alert.severity === severity)) ?? "info";
  return {
    id: `${first.id}.1`,
    kind: "alert",
    severity: worst,
    dedup: first.thread,
    title: `${all.length} alert${all.length === 1 ? "" : "s"} held in quiet hours, ${open.length} still open`,
    lines: [...openOnes.map(({ message, id }) => `${message.title} (${id})`), ...endedOnes.map(({ message }) => `Over by now: ${message.title}`), ...(more > 0 ? [`and ${more} more: \`lanyard alerts\` and \`lanyard log\` name them`] : [])],
    fields: [],
    commands: ["lanyard alerts", ...openOnes.map(({ id }) => acknowledging(id))],
    link: null,
    data: { alerts: [...openOnes, ...endedOnes].map(dataOf) },
  };
}

/** What is sent to whoever was paged, when somebody has it. */
export const takenOf = (alert: Alert): Notice => ({
  id: `${alert.id}.ack`,
  kind: "acknowledged",
  severity: alert.severity,
  dedup: alert.thread,
  title: `${alert.acknowledgedBy ?? "somebody"} has it: ${alert.message.title}`,
  lines: ["Nobody else is paged about it."],
  fields: [["Alert", alert.id]],
  commands: [],
  link: null,
  data: dataOf(alert),
});

/** What is sent to whoever was paged, when it is over. */
export const endOf = (alert: Alert, atMs: number): Notice => ({
  id: `${alert.id}.resolved`,
  kind: "resolved",
  severity: alert.severity,
  dedup: alert.thread,
  title: `Resolved: ${alert.message.title}`,
  lines: [`It lasted ${lasting(alert.sinceMs, atMs)}${alert.times > 1 ? ` and came ${alert.times} times` : ""}.`, ...(alert.acknowledgedBy ? [`${alert.acknowledgedBy} had acknowledged it.`] : [])],
  fields: [["Alert", alert.id]],
  commands: [],
  link: null,
  data: dataOf(alert),
});

/** The same of an alert of which only its id is left: its end went on record, and then the daemon died. */
export const forgottenEnd = (id: string): Notice => ({
  id: `${id}.resolved`, kind: "resolved", severity: "info", dedup: id, title: `Resolved: alert ${id}`, lines: ["It was over when the daemon ended, and nobody was told."], fields: [["Alert", id]], commands: [], link: null, data: { alert: id },
});

const lasting = (fromMs: number, toMs: number): string => {
  const minutes = Math.floor((toMs - fromMs) / 60_000);
  return minutes < 1 ? "less than a minute" : `${minutes} minute${minutes === 1 ? "" : "s"}`;
};

const dataOf = ({ id, condition, subject, severity, sinceMs, times, pages, acknowledgedBy }: Alert): JsonObject => ({ alert: id, condition, subject, severity, since_ms: sinceMs, times, pages, acknowledged_by: acknowledgedBy });
