/**
 * Clocks on the wall. A wall time is written in milliseconds as if the zone were UTC, so that its days are 86,400,000 ms long; what makes it
 * hard, that some wall times come twice and some never, is in {@link instantOf} alone.
 */
const dayMs = 86_400_000;
const hourMs = 3_600_000;

const formats = new Map<string, Intl.DateTimeFormat>();

const formatOf = (zone: string): Intl.DateTimeFormat => {
  let format = formats.get(zone);
  if (!format) {
    format = new Intl.DateTimeFormat("en-US", { timeZone: zone, calendar: "iso8601", hourCycle: "h23", year: "numeric", month: "numeric", day: "numeric", hour: "numeric", minute: "numeric", second: "numeric" });
    formats.set(zone, format); // as many as the configuration names zones
  }
  return format;
};

/** Whether the IANA database, as Node has it, knows the zone. */
export function isZone(zone: string): boolean {
  try {
    return new Intl.DateTimeFormat("en-US", { timeZone: zone }).resolvedOptions().timeZone !== "";
  } catch {
    return false;
  }
}

/** What the clock on the wall of `zone` shows at an instant. */
export function wallOf(zone: string, atMs: number): number {
  const part: Record<string, number> = {};
  for (const { type, value } of formatOf(zone).formatToParts(atMs)) part[type] = Number(value);
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = part;
  return Date.UTC(year, month - 1, day, hour, minute, second) + (((atMs % 1000) + 1000) % 1000);
}

/**
 * The first instant at which the wall clock of `zone` shows `wall` or later. A time that comes twice means its first coming; a time that is
 * skipped means the moment of the skip. So it never falls while `wall` rises: shifts that meet on the wall meet in time, without gap or overlap.
 */
export function instantOf(zone: string, wall: number): number {
  // Offsets lie between -12 and +14 hours; within a day and a quarter no zone changes twice.
  let low = wall - 15 * hourMs;
  let high = wall + 13 * hourMs;
  const before = wallOf(zone, low) - low;
  const after = wallOf(zone, high) - high;
  if (before === after) return wall - before;
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (wallOf(zone, middle) - middle === before) low = middle;
    else high = middle;
  }
  return wall - before < high ? wall - before : Math.max(high, wall - after);
}

/** Days since 1970-01-01 of a wall time. */
export const dayOf = (wall: number): number => Math.floor(wall / dayMs);

/** Wall time of a day and a minute of it. */
export const wallAt = (day: number, minute: number): number => day * dayMs + minute * 60_000;

/** 0 is Monday. */
export const weekdayOf = (day: number): number => (((day + 3) % 7) + 7) % 7;

/** Minutes since midnight of `09:30`, or null. */
export function minuteOf(text: string): number | null {
  const [, hour, minute] = /^([01]\d|2[0-3]):([0-5]\d)$/.exec(text) ?? [];
  return hour === undefined ? null : Number(hour) * 60 + Number(minute);
}

/** Days since 1970-01-01 of `2026-11-30`, or null. */
export function dayNumber(text: string): number | null {
  if (!/^\d{4}-\d\d-\d\d$/.test(text)) return null;
  const ms = Date.parse(`${text}T00:00:00Z`);
  return Number.isNaN(ms) || new Date(ms).toISOString().slice(0, 10) !== text ? null : ms / dayMs;
}

/** Wall time of `2026-12-24T18:00`, or null. */
export function parseLocal(text: string): number | null {
  const [date = "", time = ""] = text.split("T");
  const [day, minute] = [dayNumber(date), minuteOf(time)];
  return day === null || minute === null ? null : wallAt(day, minute);
}
