import { z } from "zod";
import { dayNumber, isZone, minuteOf, parseLocal } from "../wall-clock.ts";
import type { Path } from "./source.ts";

// The `alerts:` of lanyard.yaml: what is worth waking somebody, and whom. Names of channels, users and of its own parts are checked here too.

export const alertConditions = ["quarantine", "breaker", "approval_waiting", "verify_failed", "open_intent", "ledger_down", "upstream_down", "budget", "deadline"] as const;
export type AlertCondition = (typeof alertConditions)[number];

export const alertSeverities = ["info", "warning", "critical"] as const;
export type AlertSeverity = (typeof alertSeverities)[number];

/** A stretch of a day's wall clock on some days of the week. */
export interface DailyWindow {
  /** 0 is Monday. The days on which it begins. */
  readonly days: ReadonlySet<number>;
  /** Minutes since midnight. When `to` is not after `from`, it ends on the next day. */
  readonly from: number;
  readonly to: number;
}

/** A shift of a rota. Several people take turns, a week each; `since` (days since 1970-01-01) is where the first one's week begins. */
export interface Shift extends DailyWindow {
  readonly who: readonly string[];
  readonly since: number;
}

/** Somebody stands in; wall clock of the rota's zone, in milliseconds as if it were UTC. `to` is not included. */
export interface Override {
  readonly who: string;
  readonly from: number;
  readonly to: number;
}

/** Who is on call when. The first override that covers a moment counts, else the first shift that does. */
export interface Rota {
  readonly zone: string;
  readonly shifts: readonly Shift[];
  readonly overrides: readonly Override[];
}

/** Who is paged together, and for how long they have before the next level is. */
export interface EscalationLevel {
  readonly rotas: readonly string[];
  readonly users: readonly string[];
  readonly channels: readonly string[];
  readonly ms: number;
}

/** While it lasts, alerts of these severities are held, and summed up at its end. */
export interface QuietHours extends DailyWindow {
  readonly zone: string;
  readonly severities: readonly AlertSeverity[];
}

export interface AlertRoute {
  readonly levels: readonly EscalationLevel[];
  /** How often all levels are gone through again when nobody acknowledges. */
  readonly repeat: number;
  readonly quiet: readonly QuietHours[];
}

/** When a condition becomes an alert. */
export interface AlertRule {
  readonly route: string;
  readonly severity: AlertSeverity;
  /** How long it must hold. */
  readonly ms: number;
  /** Of `verify_failed`: how often the ledger is verified. */
  readonly everyMs: number;
  /** Of `budget`: the share that is spent, in percent. */
  readonly percent: number;
}

export interface AlertRules {
  readonly rotas: ReadonlyMap<string, Rota>;
  /** Channels by user. */
  readonly contacts: ReadonlyMap<string, readonly string[]>;
  readonly routes: ReadonlyMap<string, AlertRoute>;
  readonly conditions: ReadonlyMap<AlertCondition, AlertRule>;
}

/** Minutes and severity where the file says none; `verify_failed` has minutes between two looks, and holds at once. */
const defaults: Readonly<Record<AlertCondition, { readonly minutes: number; readonly severity: AlertSeverity }>> = {
  quarantine: { minutes: 0, severity: "critical" },
  breaker: { minutes: 0, severity: "critical" },
  approval_waiting: { minutes: 15, severity: "warning" },
  verify_failed: { minutes: 60, severity: "critical" },
  open_intent: { minutes: 10, severity: "warning" },
  ledger_down: { minutes: 0, severity: "critical" },
  upstream_down: { minutes: 2, severity: "warning" },
  budget: { minutes: 0, severity: "warning" },
  deadline: { minutes: 0, severity: "warning" },
};
const levelMinutes = 10;
const budgetPercent = 80;

const weekdays = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"] as const;
const name = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, "a name is 1 to 64 letters, digits, `.`, `_` or `-`, and starts with a letter or digit");
const names = z.array(name).max(32);
const zone = z.string().max(64).refine(isZone, "no time zone of the IANA database, such as `Europe/Berlin` or `UTC`");
const clockTime = z.string().refine((text) => minuteOf(text) !== null, 'a time of day, in quotes: "09:00"');
const date = z.string().refine((text) => dayNumber(text) !== null, 'a date, in quotes: "2026-11-30"');
const localTime = z.string().refine((text) => parseLocal(text) !== null, 'a date and a time of day of the rota\'s zone: "2026-12-24T18:00"');
const minutes = z.int().min(1).max(7 * 24 * 60);
const severity = z.enum(alertSeverities);

const daily = { days: z.array(z.enum(weekdays)).min(1).max(7).optional(), from: clockTime, to: clockTime };
const shift = z
  .strictObject({ who: z.union([name, z.array(name).min(1).max(64)], "the name of a user, or a list of those who take turns"), since: date.optional(), ...daily })
  .refine(({ who, since }) => typeof who === "string" || who.length === 1 || since !== undefined, "those who take turns need `since`, the day on which the first one's week begins");
const override = z.strictObject({ who: name, from: localTime, to: localTime }).refine(({ from, to }) => (parseLocal(from) ?? 0) < (parseLocal(to) ?? 0), "`to` is not after `from`");
const level = z
  .strictObject({ rotas: names.optional(), users: names.optional(), channels: names.optional(), minutes: minutes.optional() })
  .refine(({ rotas = [], users = [], channels = [] }) => rotas.length + users.length + channels.length > 0, "a level pages nobody: name `rotas`, `users` or `channels`");
const quiet = z.strictObject({ zone, severities: z.array(severity).min(1).max(3).optional(), ...daily });
const route = z.strictObject({ levels: z.array(level).min(1).max(16), repeat: z.int().min(0).max(10).optional(), quiet: z.array(quiet).max(16).optional() });

const plain = { route: name, severity: severity.optional() };
const timed = z.strictObject({ ...plain, minutes: minutes.optional() });

export const alertShape = z.strictObject({
  rotas: z.record(name, z.strictObject({ zone, shifts: z.array(shift).min(1).max(64), overrides: z.array(override).max(256).optional() })).optional(),
  contacts: z.record(name, z.array(name).max(8)).optional(),
  routes: z.record(name, route).optional(),
  conditions: z
    .strictObject({
      quarantine: z.strictObject(plain).optional(),
      breaker: z.strictObject(plain).optional(),
      approval_waiting: timed.optional(),
      verify_failed: z.strictObject({ ...plain, every_minutes: minutes.optional() }).optional(),
      open_intent: timed.optional(),
      ledger_down: z.strictObject(plain).optional(),
      upstream_down: timed.optional(),
      deadline: z.strictObject(plain).optional(),
      budget: z.strictObject({ ...plain, percent: z.int().min(1).max(100).optional() }).optional(),
    })
    .optional(),
});

export type AlertShape = z.infer<typeof alertShape>;

/** Every name in `alerts:` must lead somewhere, or the one page that matters would reach nobody. */
export function checkAlerts(
  { rotas = {}, contacts = {}, routes = {}, conditions = {} }: AlertShape,
  { users, channels: known }: { readonly users: Readonly<Record<string, { readonly email?: string | undefined }>>; readonly channels: Readonly<Record<string, { readonly kind: string; readonly to?: readonly string[] | undefined }>> },
  problem: (path: Path, message: string, at?: "key") => void,
  missing: (kind: string, name: string, known: readonly string[]) => string,
): void {
  const need = (kind: string, text: string, all: readonly string[], path: Path, at?: "key"): boolean => {
    if (!all.includes(text)) problem(["alerts", ...path], missing(kind, text, all), at);
    return all.includes(text);
  };
  const person = (user: string, path: Path): void => {
    if (!need("user", user, Object.keys(users), path)) return;
    if ((contacts[user]?.length ?? 0) === 0) problem(["alerts", ...path], `\`${user}\` can be reached by no channel; name one under \`alerts: contacts: {${user}: [...]}\``);
  };
  const channels = (list: readonly string[] | undefined, path: Path): void => list?.forEach((channel, index) => need("channel", channel, Object.keys(known), [...path, index]));

  for (const [rota, { shifts, overrides }] of Object.entries(rotas)) {
    shifts.forEach(({ who }, at) => {
      if (typeof who === "string") person(who, ["rotas", rota, "shifts", at, "who"]);
      else who.forEach((user, index) => person(user, ["rotas", rota, "shifts", at, "who", index]));
    });
    overrides?.forEach(({ who }, at) => person(who, ["rotas", rota, "overrides", at, "who"]));
  }
  for (const [user, list] of Object.entries(contacts)) {
    need("user", user, Object.keys(users), ["contacts", user], "key");
    channels(list, ["contacts", user]);
    list.forEach((channel, index) => {
      const { kind, to = [] } = known[channel] ?? {};
      if (kind === "smtp" && to.length === 0 && users[user]?.email === undefined) problem(["alerts", "contacts", user, index], `\`${user}\` has no \`email\` under \`users\`, and \`${channel}\` has no \`to\``);
    });
  }
  for (const [route, { levels }] of Object.entries(routes)) {
    levels.forEach((level, at) => {
      const path = ["routes", route, "levels", at];
      level.rotas?.forEach((rota, index) => need("rota", rota, Object.keys(rotas), [...path, "rotas", index]));
      level.users?.forEach((user, index) => person(user, [...path, "users", index]));
      channels(level.channels, [...path, "channels"]);
    });
  }
  for (const [condition, rule] of Object.entries(conditions)) if (rule) need("route", rule.route, Object.keys(routes), ["conditions", condition, "route"]);
}

const window = ({ days = weekdays, from, to }: { readonly days?: readonly (typeof weekdays)[number][] | undefined; readonly from: string; readonly to: string }): DailyWindow => ({
  days: new Set(days.map((day) => weekdays.indexOf(day))),
  from: minuteOf(from) ?? 0,
  to: minuteOf(to) ?? 0,
});

const mapped = <V, W>(record: Readonly<Record<string, V>> | undefined, make: (value: V) => W): ReadonlyMap<string, W> => new Map(Object.entries(record ?? {}).map(([key, value]) => [key, make(value)]));

/** What the file says, defaults filled in. */
export function alertRules({ rotas, contacts, routes, conditions = {} }: AlertShape): AlertRules {
  return {
    rotas: mapped(rotas, ({ zone: where, shifts, overrides = [] }) => ({
      zone: where,
      shifts: shifts.map(({ who, since, ...daily }) => ({ who: typeof who === "string" ? [who] : who, since: (since === undefined ? null : dayNumber(since)) ?? 0, ...window(daily) })),
      overrides: overrides.map(({ who, from, to }) => ({ who, from: parseLocal(from) ?? 0, to: parseLocal(to) ?? 0 })),
    })),
    contacts: mapped(contacts, (channels) => channels),
    routes: mapped(routes, ({ levels, repeat = 0, quiet: hours = [] }) => ({
      levels: levels.map(({ rotas: on = [], users = [], channels = [], minutes: wait = levelMinutes }) => ({ rotas: on, users, channels, ms: wait * 60_000 })),
      repeat,
      quiet: hours.map(({ zone: where, severities: held = ["info", "warning"], ...daily }) => ({ zone: where, severities: held, ...window(daily) })),
    })),
    conditions: new Map(
      alertConditions.flatMap((condition) => {
        const rule: { route: string; severity?: AlertSeverity | undefined; minutes?: number | undefined; every_minutes?: number | undefined; percent?: number | undefined } | undefined = conditions[condition];
        if (!rule) return [];
        const { minutes: usual, severity: grade } = defaults[condition];
        const ms = (rule.minutes ?? rule.every_minutes ?? usual) * 60_000;
        return [[condition, { route: rule.route, severity: rule.severity ?? grade, ms: condition === "verify_failed" ? 0 : ms, everyMs: ms, percent: rule.percent ?? budgetPercent }]];
      }),
    ),
  };
}
