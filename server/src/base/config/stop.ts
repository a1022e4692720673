import { z } from "zod";

// What lanyard.yaml says of stopping: `stop:` (who may), `authority_term_ms`, `breakers:` and `canaries:`.

/** So many within so long. */
export interface Threshold {
  readonly count: number;
  readonly ms: number;
}

/** What an agent's conduct is held against; null: not at all. */
export interface BreakerRules {
  readonly denials: Threshold | null;
  /** Calls that failed, never reached their server, or whose end is not known. */
  readonly errors: Threshold | null;
  /** The same call: one action with the same arguments. */
  readonly loop: Threshold | null;
  /** The sum of the arguments that contracts declare as `money`. */
  readonly spend: Threshold | null;
  /** What is quarantined: the agent, or only the session that did it. */
  readonly quarantines: "agent" | "session";
}

export interface StopRules {
  /** Groups whose members may stop and quarantine, beside the operator. */
  readonly mayStop: readonly string[];
  /** Groups whose members may resume, beside the operator. */
  readonly mayResume: readonly string[];
  /** How long an enforcement point outside the daemon acts on its own after it last heard that it may. */
  readonly authorityTermMs: number;
  /** Of an agent with this name and these classes: its own, else the first class's that has some, else the general ones. */
  breakersOf(agent: string, classes: readonly string[]): BreakerRules;
  /** Values that nobody has a reason to send or to receive, by name, where they are read from. */
  readonly canaries: ReadonlyMap<string, CanarySource>;
}

/** A text with `${env:NAME}` and `${credential:NAME}` in it, or the absolute path of a file whose text without white space around it is the value. */
export type CanarySource = { readonly kind: "text"; readonly template: string } | { readonly kind: "file"; readonly path: string };

const name = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, "a name is 1 to 64 letters, digits, `.`, `_` or `-`, and starts with a letter or digit");
const seconds = z.int().min(1).max(24 * 3600);
const counted = z.union([z.literal(false), z.strictObject({ count: z.int().min(1).max(1_000_000), seconds })], "`false`, or `{count, seconds}`");
const spent = z.union([z.literal(false), z.strictObject({ amount: z.number().min(0).max(1e12), seconds })], "`false`, or `{amount, seconds}`");
const rules = z.strictObject({ denials: counted.optional(), errors: counted.optional(), loop: counted.optional(), spend: spent.optional(), quarantines: z.enum(["agent", "session"]).optional() });
const breakers = z.union([z.literal(false), rules], "`false`, or `{denials, errors, loop, spend, quarantines}`");
const general = z.union([z.literal(false), rules.extend({ agents: z.record(name, breakers).optional(), classes: z.record(name, breakers).optional() })], "`false`, or `{denials, errors, loop, spend, quarantines, agents, classes}`");

/** The keys of lanyard.yaml that are read here. `text` and `path` are the shapes of templates and paths there. */
export const stopShape = (text: z.ZodType<string>, path: z.ZodType<string>) => ({
  stop: z.strictObject({ may_stop: z.array(name).max(256).optional(), may_resume: z.array(name).max(256).optional() }).optional(),
  authority_term_ms: z.int().min(500).max(60_000).optional(),
  breakers: general.optional(),
  canaries: z.record(name, z.union([text, z.strictObject({ file: path })], "a value with `${env:NAME}` or `${credential:NAME}` in it, or `{file: path}`")).optional(),
});

type Written = z.infer<typeof rules>;

/** Thresholds that an agent at work does not meet, not even with a program that polls once in a while or an installer that is denied a mirror. */
const usual: BreakerRules = {
  denials: { count: 300, ms: 60_000 },
  errors: { count: 300, ms: 60_000 },
  loop: { count: 600, ms: 600_000 },
  spend: null,
  quarantines: "agent",
};
const off: BreakerRules = { denials: null, errors: null, loop: null, spend: null, quarantines: "agent" };

function over(base: BreakerRules, written: Written | false | undefined): BreakerRules {
  if (written === false) return off;
  if (written === undefined) return base;
  const threshold = (value: Written["denials"], before: Threshold | null) => (value === undefined ? before : value === false ? null : { count: value.count, ms: value.seconds * 1000 });
  const { spend, quarantines = base.quarantines } = written;
  return {
    denials: threshold(written.denials, base.denials),
    errors: threshold(written.errors, base.errors),
    loop: threshold(written.loop, base.loop),
    spend: spend === undefined ? base.spend : spend === false ? null : { count: spend.amount, ms: spend.seconds * 1000 },
    quarantines,
  };
}

export interface StopFile {
  readonly stop?: { readonly may_stop?: string[] | undefined; readonly may_resume?: string[] | undefined } | undefined;
  readonly authority_term_ms?: number | undefined;
  readonly breakers?: z.infer<typeof general> | undefined;
  /** The agent in whose name actions are taken back acts only on a person's word: it has no breakers but those it is given by name. */
  readonly undo?: { readonly agent: string } | undefined;
  readonly canaries?: Readonly<Record<string, string | { readonly file: string }>> | undefined;
}

/** `place` makes paths absolute. */
export function stopRules({ stop = {}, authority_term_ms = 5000, breakers: written, canaries = {}, undo }: StopFile, place: (path: string) => string): StopRules {
  const base = over(usual, written === undefined ? undefined : written);
  const { agents = {}, classes = {} } = written === undefined || written === false ? {} : written;
  const known = new Map<string, BreakerRules>();
  const find = (agent: string, of: readonly string[]): BreakerRules => {
    const ofClass = of.find((one) => Object.hasOwn(classes, one));
    const byClass = agent === undo?.agent ? off : ofClass === undefined ? base : over(base, classes[ofClass]);
    return Object.hasOwn(agents, agent) ? over(byClass, agents[agent]) : byClass;
  };
  return {
    mayStop: [...new Set(stop.may_stop ?? [])].sort(),
    mayResume: [...new Set(stop.may_resume ?? [])].sort(),
    authorityTermMs: authority_term_ms,
    breakersOf: (agent, of) => {
      const rulesOf = known.get(agent) ?? find(agent, of);
      known.set(agent, rulesOf);
      return rulesOf;
    },
    canaries: new Map(Object.entries(canaries).map(([key, from]) => [key, typeof from === "string" ? { kind: "text", template: from } : { kind: "file", path: place(from.file) }])),
  };
}
