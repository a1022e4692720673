import type { AlertRoute, DailyWindow, Rota, AlertSeverity } from "../../base/config/alerts.ts";
import { dayOf, instantOf, wallAt, wallOf, weekdayOf } from "../../base/wall-clock.ts";

/** The day on which the window that covers an instant began, or null. It may have begun the day before, and clocks may have been set since. */
function beginning({ days, from, to }: DailyWindow, zone: string, atMs: number): number | null {
  const today = dayOf(wallOf(zone, atMs));
  for (let day = today - 1; day <= today + 1; day++) {
    if (!days.has(weekdayOf(day))) continue;
    const end = wallAt(to > from ? day : day + 1, to);
    if (atMs >= instantOf(zone, wallAt(day, from)) && atMs < instantOf(zone, end)) return day;
  }
  return null;
}

/** Who is on call at an instant; null when the rota has nobody. */
export function onCall({ zone, overrides, shifts }: Rota, atMs: number): string | null {
  for (const { who, from, to } of overrides) if (atMs >= instantOf(zone, from) && atMs < instantOf(zone, to)) return who;
  for (const shift of shifts) {
    const day = beginning(shift, zone, atMs);
    if (day !== null) return shift.who[turn(day - shift.since, shift.who.length)] ?? null;
  }
  return null;
}

/** Weeks count from the first one's, backwards too. */
const turn = (days: number, people: number): number => ((Math.floor(days / 7) % people) + people) % people;

/** Everybody a rota names. */
export const allOf = ({ shifts, overrides }: Rota): string[] => [...new Set([...shifts.flatMap(({ who }) => who), ...overrides.map(({ who }) => who)])];

/** Whether alerts of this severity are held at this instant. */
export const isQuiet = ({ quiet }: Pick<AlertRoute, "quiet">, severity: AlertSeverity, atMs: number): boolean =>
  quiet.some((hours) => hours.severities.includes(severity) && beginning(hours, hours.zone, atMs) !== null);
