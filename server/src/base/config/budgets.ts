import { callEffects, type CallEffect } from "@lanyard/contract";
import { z } from "zod";
import { currencyDigits } from "../extract/money.ts";
import { isZone } from "../wall-clock.ts";

// What lanyard.yaml says under `budgets:`.

/** What a budget counts. Of `money`, `calls` and `bytes_out` it is known beforehand how much a call takes; `sessions` are child sessions, as they are opened. */
export const budgetUnits = ["money", "calls", "tokens", "rows", "bytes_out", "time", "sessions"] as const;
export type BudgetUnit = (typeof budgetUnits)[number];

export const budgetScopes = ["session", "agent", "team", "user"] as const;
export type BudgetScope = (typeof budgetScopes)[number];

/** Over what stretch a budget counts: for good (or the life of the session), the last so many milliseconds, or a day or month of the calendar. */
export type BudgetWindow = { readonly kind: "none" } | { readonly kind: "sliding"; readonly ms: number } | { readonly kind: "calendar"; readonly unit: "day" | "month"; readonly zone: string };

export interface Budget {
  readonly name: string;
  readonly of: BudgetUnit;
  /** ISO 4217; null for anything but money, and for money in whatever currency. */
  readonly currency: string | null;
  /** Digits after the point that amounts are shown with. */
  readonly digits: number;
  /** In the smallest unit: cents, milliseconds, bytes. */
  readonly limit: number;
  /** Each combination of these has a count of its own; none: one count for all. */
  readonly per: readonly BudgetScope[];
  readonly window: BudgetWindow;
  /** The window as it is written, with its zone. */
  readonly windowText: string;
  /** Shares of the limit in percent, from which people are told, and policy is; null: never. */
  readonly warn: number;
  readonly ask: number | null;
  /** What an agent is quarantined for: so many refusals within the window, or asking for so many percent of the limit; null: it is only refused. */
  readonly quarantine: { readonly refusals: number } | { readonly percent: number } | null;
  /** What a call is taken to need where nobody can know beforehand; null: as much as the one that needed most. */
  readonly expect: number | null;
  /** What tells counts apart that cannot go on from each other: unit, window, scopes. */
  readonly kind: string;
  /** Whether it counts a call with this name and these effects. */
  readonly counts: (action: string, effects: readonly CallEffect[]) => boolean;
}

const percent = z.string().regex(/^[1-9]\d{0,2}%$/, "a share of the limit, such as `80%`");
const scope = z.enum([...budgetScopes, "all"]);

export const budgetShape = z.strictObject({
  of: z.enum(budgetUnits),
  limit: z.union([z.number().min(0), z.string()], "a number, or with its unit: `500 EUR`, `10 MB`, `5m`"),
  per: z.union([scope, z.array(scope).min(1).max(4)], "`session`, `agent`, `team`, `user`, `all`, or several of them: `[agent, user]`").optional(),
  window: z.string().optional(),
  zone: z.string().refine(isZone, "a time zone of the IANA database, such as `Europe/Berlin`").optional(),
  actions: z.array(z.string().min(1).max(256)).min(1).max(256).optional(),
  warn: percent.optional(),
  ask: percent.optional(),
  quarantine: z.union([percent, z.int().min(1).max(1_000_000)], "a share of the limit (`120%`), or a number of refusals").optional(),
  expect: z.int().min(1).max(Number.MAX_SAFE_INTEGER).optional(),
});

export type BudgetFile = z.infer<typeof budgetShape>;

/** Name of the budget that a session's own `max_calls` is. */
export const sessionCalls = "max_calls";

type Wrong = (path: readonly PropertyKey[], message: string, at?: "key" | "value") => void;

/** What must hold of budgets beyond their shape. */
export function checkBudgets(budgets: Readonly<Record<string, BudgetFile>>, servers: readonly string[], wrong: Wrong): void {
  for (const [name, entry] of Object.entries(budgets)) {
    const at = (key: keyof BudgetFile, message: string): void => wrong(["budgets", name, ...(entry[key] === undefined ? [] : [key])], message);
    if (name === sessionCalls) wrong(["budgets", name], `\`${sessionCalls}\` is what a session's own limit is called; name the budget something else`, "key");
    const { of, window = "none", zone, actions = [], ask, warn = usualWarn } = entry;
    const limit = limitOf(entry);
    if (typeof limit === "string") at("limit", limit);
    if (windowOf(window, zone) === null) at("window", `\`${window}\` is no window: \`none\`, \`day\` or \`month\` of the calendar, or a stretch of at most 366 days such as \`1m\`, \`1h\`, \`7d\``);
    if (zone !== undefined && window !== "day" && window !== "month") at("zone", "only days and months of the calendar lie in a time zone");
    if (of === "sessions" && entry.actions) at("actions", "child sessions are opened, not called");
    if (of === "sessions" && ask !== undefined) at("ask", "opening a session is no call that policy could ask about");
    if (entry.expect !== undefined && !estimated.has(of)) at("expect", `how much a call takes of ${of} is known before it is made`);
    if (ask !== undefined && percentOf(ask) > 100) at("ask", "past 100% a call is refused, and nobody is asked");
    if (percentOf(warn) > 100) at("warn", "past 100% a call is refused");
    if (Array.isArray(entry.per) && entry.per.includes("all") && entry.per.length > 1) at("per", "`all` is one count for everybody; it goes with nothing else");
    for (const [index, action] of actions.entries()) {
      const server = action.includes("/") ? action.slice(0, action.indexOf("/")) : null;
      const place = ["budgets", name, "actions", index];
      if (server === null && !isEffect(action)) wrong(place, `\`${action}\` is neither \`<server>/<tool>\` nor an effect: ${callEffects.join(", ")}`);
      if (action.split("*").length > 3) wrong(place, `\`${action}\` has more than two \`*\``);
      if (server !== null && !server.includes("*") && server !== "web" && !servers.includes(server)) wrong(place, `no server \`${server}\` is registered under \`servers\``);
    }
  }
}

/** Units of which only the outcome tells how much a call took. */
export const estimated: ReadonlySet<BudgetUnit> = new Set(["tokens", "rows", "time"]);

const usualWarn = "80%";
const isEffect = (text: string): text is CallEffect => (callEffects as readonly string[]).includes(text);
const percentOf = (text: string): number => Number(text.slice(0, -1));

/** Budgets that were checked, by name. */
export const budgetsOf = (budgets: Readonly<Record<string, BudgetFile>>): ReadonlyMap<string, Budget> => new Map(Object.entries(budgets).map(([name, entry]) => [name, budgetOf(name, entry)]));

function budgetOf(name: string, entry: BudgetFile): Budget {
  const { of, window = "none", zone, warn = usualWarn, ask, quarantine, expect = null } = entry;
  const limit = limitOf(entry);
  const { amount, currency, digits } = typeof limit === "string" ? { amount: 0, currency: null, digits: 0 } : limit;
  const scopes = [entry.per ?? "session"].flat();
  const per = budgetScopes.filter((one) => scopes.includes(one));
  return {
    ...{ name, of, currency, digits, limit: amount, per, expect },
    window: windowOf(window, zone) ?? { kind: "none" },
    windowText: zone === undefined ? window : `${window} in ${zone}`,
    warn: percentOf(warn),
    ask: ask === undefined ? null : percentOf(ask),
    quarantine: quarantine === undefined ? null : typeof quarantine === "number" ? { refusals: quarantine } : { percent: percentOf(quarantine) },
    kind: [of, currency ?? "", window, zone ?? "", per.join("+")].join(" "),
    counts: counter(entry),
  };
}

/** The budget that a session's own limit of calls is: its children's count for it too. */
export const sessionBudget = (limit: number): Budget => ({ ...budgetOf(sessionCalls, { of: "calls", limit }) });

/** Without a word about actions: money is what moves money, bytes go out by what sends, and everything else counts any call. */
function counter({ of, actions }: BudgetFile): Budget["counts"] {
  const wanted = actions ?? (of === "money" ? ["money"] : of === "bytes_out" ? ["egress"] : ["*/*"]);
  const effects = new Set(wanted.filter((one) => isEffect(one)));
  const patterns = wanted.filter((one) => one.includes("/")).map((one) => new RegExp(`^${one.split("*").map((part) => part.replace(/[\\^$.|?+()[\]{}]/g, "\\$&")).join(".*")}$`, "s"));
  return of === "sessions" ? () => false : (action, has) => has.some((effect) => effects.has(effect)) || patterns.some((pattern) => pattern.test(action));
}

const minuteMs = 60_000;
const stretches: Readonly<Record<string, number>> = { s: 1000, m: minuteMs, h: 60 * minuteMs, d: 24 * 60 * minuteMs };
const longestMs = 366 * 24 * 60 * minuteMs;

function stretchMs(text: string): number | null {
  const [, count, unit = ""] = /^(\d{1,9})(s|m|h|d)$/.exec(text) ?? [];
  const ms = Number(count) * (stretches[unit] ?? Number.NaN);
  return ms >= 1000 ? ms : null;
}

function windowOf(text: string, zone = "UTC"): BudgetWindow | null {
  if (text === "none") return { kind: "none" };
  if (text === "day" || text === "month") return { kind: "calendar", unit: text, zone };
  const ms = stretchMs(text);
  return ms === null || ms > longestMs ? null : { kind: "sliding", ms };
}

const sizes: Readonly<Record<string, number>> = { B: 1, kB: 1e3, MB: 1e6, GB: 1e9, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 };
const currencies: ReadonlySet<string> = new Set(Intl.supportedValuesOf("currency"));

/** The limit in the smallest unit; or what is wrong with it. */
function limitOf({ of, limit }: BudgetFile): { amount: number; currency: string | null; digits: number } | string {
  const whole = (amount: number, currency: string | null = null, digits = 0) => (Number.isSafeInteger(amount) ? { amount, currency, digits } : "the limit must be a whole number of the smallest unit, at most 9007199254740991");
  if (of === "money") {
    const [, figures = "", , currency = null] = /^(\d+(\.\d+)?)(?: ([A-Z]{3}))?$/.exec(String(limit)) ?? [];
    if (figures === "" || (currency !== null && !currencies.has(currency))) return `\`${limit}\` is no amount of money; write for example \`500 EUR\`, or \`500\` for whatever currency`;
    const digits = currencyDigits(currency ?? "");
    const [units = "", cents = ""] = figures.split(".");
    if (cents.length > digits) return `\`${limit}\` has more than ${digits} digits after the point`;
    return whole(Number(`${units}${cents.padEnd(digits, "0")}`), currency, digits);
  }
  if (typeof limit === "number") return whole(limit);
  if (of === "time") return stretchMs(limit) === null ? `\`${limit}\` is no time; write for example \`30s\` or \`5m\`` : whole(stretchMs(limit) ?? 0);
  const [, count, unit = ""] = /^(\d{1,12}) ?(B|kB|MB|GB|KiB|MiB|GiB)$/.exec(limit) ?? [];
  if (of !== "bytes_out") return `\`${limit}\` is no number`;
  return count === undefined ? `\`${limit}\` is no size; write for example \`10 MB\`` : whole(Number(count) * (sizes[unit] ?? 0));
}
