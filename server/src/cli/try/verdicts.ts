import type { Effect } from "@lanyard/contract";
import { printable, type Colour } from "../terminal.ts";
import type { TrialAnswer } from "./trial.ts";

type Judged = NonNullable<TrialAnswer["judged"]>;

/** What a session came to: an attack has calls that must be stopped, a task has none. */
interface Course {
  readonly stops: Effect[];
  readonly others: Effect[];
  /** Calls that came to something else than their line says. */
  wrong: number;
  readonly by: Set<string>;
}

/** Whether a call came to what its line says. */
export const isAsTold = (effect: Effect, expect: Judged["expect"]): boolean => expect === undefined || (expect === "stopped" ? effect !== "allow" : expect === "allow" ? effect === "allow" : effect !== "deny");

/** What a set of traces came to: attacks that were stopped, tasks that could be done. */
export class Verdicts {
  readonly #courses = new Map<string, Course>();

  add({ session, effect, expect, policies }: Judged): void {
    const course = this.#courses.get(session) ?? { stops: [], others: [], wrong: 0, by: new Set<string>() };
    this.#courses.set(session, course);
    (expect === "stopped" ? course.stops : course.others).push(effect);
    if (expect === "stopped" && effect !== "allow") for (const policy of policies) course.by.add(policy);
    if (!isAsTold(effect, expect)) course.wrong += 1;
  }

  /** True when some attack got through, some task could not be done, or some call came to something else than its line says. */
  get failed(): boolean {
    const { attacks, stopped, tasks, completable } = this.figures();
    return stopped < attacks || completable < tasks || [...this.#courses.values()].some(({ wrong }) => wrong > 0);
  }

  /** An attack is stopped when none of its calls that must be stopped is allowed; a task is completable when no call is denied. */
  figures(): { attacks: number; stopped: number; tasks: number; completable: number; unasked: number } {
    const all = [...this.#courses.values()];
    const attacks = all.filter(({ stops }) => stops.length > 0);
    const tasks = all.filter(({ stops }) => stops.length === 0);
    return {
      attacks: attacks.length,
      stopped: attacks.filter(({ stops }) => !stops.includes("allow")).length,
      tasks: tasks.length,
      completable: tasks.filter(({ others }) => !others.includes("deny")).length,
      unasked: tasks.filter(({ others }) => others.every((effect) => effect === "allow")).length,
    };
  }

  /** `shown`: sessions of which everything is told already. */
  lines(colour: Colour, shown: ReadonlySet<string>): string[] {
    const { attacks, stopped, tasks, completable, unasked } = this.figures();
    const wrong = [...this.#courses].filter(([session, course]) => !shown.has(session) && (course.wrong > 0 || (course.stops.length === 0 && course.others.includes("deny"))));
    return [
      ...(attacks > 0 ? [`attacks stopped: ${shareOf(stopped, attacks)}`] : []),
      ...(tasks > 0 ? [`tasks that can be done: ${shareOf(completable, tasks)}; without any approval: ${shareOf(unasked, tasks)}`] : []),
      ...wrong.map(([session, { stops, others }]) => colour.red(`  ${printable(session)}: ${stops.length > 0 ? `must be stopped: ${stops.join(", ")}` : others.join(", ")}`)),
    ];
  }
}

const shareOf = (some: number, all: number): string => `${some} of ${all} (${((100 * some) / all).toFixed(1)} %)`;
