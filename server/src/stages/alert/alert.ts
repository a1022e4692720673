import { Fault, isObject, type Json, type JsonObject } from "@lanyard/contract";
import type { AlertCondition, AlertSeverity } from "../../base/config/alerts.ts";

/** A condition that holds now, as whoever knows of it says. */
export interface Holding {
  readonly condition: AlertCondition;
  /** What it holds of: `agent clerk`, `server notes`, `ledger`. One alert stands for a condition and a subject, however often it comes. */
  readonly subject: string;
  /** Since when, milliseconds since the epoch. */
  readonly sinceMs: number;
  /** Which time it is: another word here while the alert is open counts as another time. */
  readonly mark: string;
  /** The session to look at; null when it is about none alone. */
  readonly session: string | null;
  readonly message: AlertMessage;
}

/** Who is reached by one page: channels, and the users whose contacts some of them are. */
export interface Reach {
  readonly channels: readonly string[];
  readonly people: readonly string[];
}

/** What a person at night reads. Foreign text in it is on one line and without controls. */
export interface AlertMessage {
  /** What happened. */
  readonly title: string;
  /** What was already done about it, and what is still going on. */
  readonly lines: readonly string[];
  readonly fields: readonly (readonly [name: string, value: string])[];
  /** To type as they are, in the folder of lanyard.yaml. */
  readonly commands: readonly string[];
}

/** An alert from when it is raised until its condition has ended. */
export interface Alert {
  readonly id: string;
  readonly condition: AlertCondition;
  readonly subject: string;
  readonly severity: AlertSeverity;
  readonly route: string;
  readonly sinceMs: number;
  readonly raisedAtMs: number;
  /** How often it came while it was open. */
  readonly times: number;
  readonly mark: string;
  /** How often people were paged; 0 while quiet hours hold it. */
  readonly pages: number;
  /** When the next level is paged; null when there is none, or somebody acknowledged. */
  readonly nextAtMs: number | null;
  readonly acknowledgedBy: string | null;
  /** All channels and users that were told. */
  readonly channels: readonly string[];
  readonly people: readonly string[];
  /** Whom the last page was for, as far as it was given to the outbox or is to be: it is posted again at a start, under its id. */
  readonly lastPage: Reach;
  /** Alerts that were summed up in one page share it; else the alert's own id. What a channel folds by. */
  readonly thread: string;
  readonly message: AlertMessage;
}

/** An alert as the API shows it: plain JSON. */
export const cardOf = (alert: Alert): JsonObject => {
  const { sinceMs, raisedAtMs, nextAtMs, acknowledgedBy, message, lastPage: _lastPage, mark: _mark, thread: _thread, ...same } = alert;
  const state = acknowledgedBy !== null ? "acknowledged" : alert.pages === 0 ? "held" : "open";
  return { ...same, state, since_ms: sinceMs, raised_at_ms: raisedAtMs, next_at_ms: nextAtMs, acknowledged_by: acknowledgedBy, ...message } as unknown as JsonObject;
};

export const stateOf = ({ id: _id, ...alert }: Alert): JsonObject => alert as unknown as JsonObject;

const texts = (value: Json | undefined): string[] => (Array.isArray(value) ? value.map(String) : []);
const textOrNull = (value: Json | undefined): string | null => (typeof value === "string" ? value : null);

/** The reverse of {@link stateOf}. Throws Fault `internal` for what is no alert. */
export function fromState(id: string, value: JsonObject): Alert {
  const { message, lastPage } = value;
  if (!isObject(message) || !isObject(lastPage)) throw new Fault("internal", `the alert \`${id}\` in the store cannot be read`);
  return {
    id,
    condition: String(value["condition"]) as AlertCondition,
    subject: String(value["subject"]),
    severity: String(value["severity"]) as AlertSeverity,
    route: String(value["route"]),
    sinceMs: Number(value["sinceMs"]),
    raisedAtMs: Number(value["raisedAtMs"]),
    times: Number(value["times"]),
    mark: String(value["mark"]),
    pages: Number(value["pages"]),
    nextAtMs: typeof value["nextAtMs"] === "number" ? value["nextAtMs"] : null,
    acknowledgedBy: textOrNull(value["acknowledgedBy"]),
    channels: texts(value["channels"]),
    people: texts(value["people"]),
    lastPage: { channels: texts(lastPage["channels"]), people: texts(lastPage["people"]) },
    thread: String(value["thread"]),
    message: {
      title: String(message["title"]),
      lines: texts(message["lines"]),
      fields: (Array.isArray(message["fields"]) ? message["fields"] : []).map((pair) => [texts(pair)[0] ?? "", texts(pair)[1] ?? ""] as const),
      commands: texts(message["commands"]),
    },
  };
}
