/**
 * What the gateway reads off a call's arguments before policy sees it: meaning instead of strings. Everything here is made by the gateway and
 * recorded with the decision, so that `replay` needs neither the extractors nor the session's memory (invariant I3).
 *
 * Facts stand per top-level argument; policy sees them united over the call (`context.facts`, `context.labels`, `context.origins`). A call whose
 * argument is dropped by a change loses that argument's facts with it.
 *
 * Lists are sorted, without repeats, and bounded; where a bound is met the class is `unknown`, which no rule that permits by class accepts.
 */

/** Where a value came from, best first: what is known from several places counts as the best of them. */
export const valueOrigins = ["task", "directory", "trusted", "untrusted", "model"] as const;
export type ValueOrigin = (typeof valueOrigins)[number];

/** What an argument is for, by the tool's contract or, where that is silent, by its name and what lies in it. */
export const argumentRoles = ["recipient", "target", "amount", "content", "command", "other"] as const;
export type ArgumentRole = (typeof argumentRoles)[number];

/** Classes stand from harmless to worst; united over a call the worst counts. `none` is said by policy's context where nothing of the kind is there. */
export const sqlClasses = ["none", "read", "write", "schema", "admin", "unknown"] as const;
export const shellClasses = ["none", "read", "write", "build", "network", "exec", "unknown"] as const;
/**
 * How commands reach out. `look`: a service is asked for what it has, at the place of its own configuration; `get`: what stands at an address is fetched, and nothing is sent there or kept; `branch`: a branch of one's own goes under its name to the repository that the work came from; `new-branch`: one that the
 * command or its session has begun, or that the task names; `package`: packages that are named are installed; `other`: anything else.
 */
export const shellReaches = ["look", "get", "branch", "new-branch", "package", "other"] as const;
export const urlClasses = ["none", "public", "private", "unknown"] as const;
export const plainClasses = ["none", "plain", "unknown"] as const;
export const codeClasses = ["none", "plain", "network", "exec", "unknown"] as const;

/** Kinds of places in a file system that rules speak of. */
export const pathKinds = ["agent-config", "ci", "credential", "env", "hidden", "hook", "manifest", "memory", "settings", "source", "system", "temporary"] as const;

export interface SqlFacts {
  readonly class: Exclude<(typeof sqlClasses)[number], "none">;
  readonly statements: number;
  /** All that is touched, as `schema.table` or `table`, folded as the dialect folds names. */
  readonly tables: readonly string[];
  /** Those of them that are written, created, altered or dropped. */
  readonly writes: readonly string[];
  /** Functions called, lower case. */
  readonly functions: readonly string[];
  /** A DELETE or UPDATE without a condition that says which rows, a TRUNCATE, a DROP. */
  readonly unbounded: boolean;
  /** Columns that are read or set and tables that are touched whose names say that they hold secrets: keys, passwords and hashes of them, numbers of cards, accounts and papers. Absent where there are none. */
  readonly secrets?: readonly string[];
}

export interface ShellFacts {
  readonly class: Exclude<(typeof shellClasses)[number], "none">;
  /** Programs that are started, as their last path component. */
  readonly programs: readonly string[];
  /** Words that name files, normalised as far as they can be. */
  readonly paths: readonly string[];
  readonly hosts: readonly string[];
  /** Deletes, overwrites whole trees, formats: what cannot be had back. */
  readonly destructive: boolean;
  /** What of it makes the class `network`, `exec` or `unknown`. Absent where nothing does. */
  readonly reaches?: readonly (typeof shellReaches)[number][];
  /** Packages that it installs by their names from the registry of their language, as it names them: `quickparse@4`. Absent where there are none. */
  readonly packages?: readonly string[];
  /** Branches that it begins, and those that it pushes to `origin` under their own names. No policy sees them. Absent where there are none. */
  readonly begins?: readonly string[];
  readonly pushes?: readonly string[];
}

export interface UrlFacts {
  readonly class: Exclude<(typeof urlClasses)[number], "none">;
  /** Lower case, as WHATWG URL gives them; addresses in their canonical form. */
  readonly hosts: readonly string[];
  /** Registrable domains (eTLD+1); the host itself where there is none. */
  readonly domains: readonly string[];
  /** Without the colon. */
  readonly schemes: readonly string[];
  readonly ports: readonly number[];
  /** Some URL carries a user or password. */
  readonly userinfo: boolean;
}

export interface PathFacts {
  readonly class: Exclude<(typeof plainClasses)[number], "none">;
  /** Absolute where the contract gives a root, normalised (posix, NFC). */
  readonly paths: readonly string[];
  /** The deepest path that is one of them or holds them all, with a slash at its end: `common like "/work/*"` says that all are /work or below it. Empty when there is none. */
  readonly common: string;
  /** Each path and every folder above any of them, without a slash at the end: `folders.contains("/etc")` says that one is below /etc. */
  readonly folders: readonly string[];
  /** Last components. */
  readonly names: readonly string[];
  readonly kinds: readonly (typeof pathKinds)[number][];
}

export interface EmailFacts {
  readonly class: Exclude<(typeof plainClasses)[number], "none">;
  /** Lower case, without display names. */
  readonly addresses: readonly string[];
  readonly domains: readonly string[];
}

export interface MoneyFacts {
  readonly class: Exclude<(typeof plainClasses)[number], "none">;
  /** Sum in the smallest unit of the currency, such as cents; 0 when the class is `unknown`. */
  readonly minor: number;
  /** ISO 4217, upper case; empty strings where nothing says which. */
  readonly currencies: readonly string[];
}

export interface CodeFacts {
  readonly class: Exclude<(typeof codeClasses)[number], "none">;
  readonly languages: readonly string[];
  readonly imports: readonly string[];
}

/** Where a leaf of an argument was found before, for the explanation. */
export interface ValueSource {
  /** JSON pointer of the leaf within the arguments. */
  readonly at: string;
  readonly origin: ValueOrigin;
  /** The decision (its seq) whose result it came from; null when it is no result. */
  readonly seq: number | null;
  /** JSON pointer within that result; empty when it is no result. */
  readonly field: string;
}

/** Of one top-level argument; what is absent was not found in it. */
export interface ArgumentFacts {
  readonly role: ArgumentRole;
  readonly sql?: SqlFacts;
  readonly shell?: ShellFacts;
  readonly url?: UrlFacts;
  readonly path?: PathFacts;
  readonly email?: EmailFacts;
  readonly money?: MoneyFacts;
  readonly code?: CodeFacts;
  /** Encodings that were unfolded to read it (`base64`, `percent`, `gzip`, `json`, `data-url`, `hex` ...); `deep` where there were more layers than are looked through. */
  readonly encodings?: readonly string[];
  /** Data classes and labels that its values carry: found by detectors, or brought along from where they were read. */
  readonly labels: readonly string[];
  /** Of all values in it. Empty when it holds nothing but constants no one could have steered (null, true, false, empty). */
  readonly origins: readonly ValueOrigin[];
  /** Of the pages that texts in it lead to, by their addresses or else by their hosts, and of the accounts in them: where a reader, or a reader's money, would be sent. Absent where it holds neither. */
  readonly links?: readonly ValueOrigin[];
  /** Of the accounts, cards and e-mail addresses in an argument of a call that moves money, where the argument is called as no recipient: they count as one. Absent where there are none. */
  readonly payees?: readonly ValueOrigin[];
  /** At most 16, those from results first. */
  readonly sources?: readonly ValueSource[];
}

/** Budgets, by name, that this call would take past a threshold; each budget that is in `over` is also in `ask` and `warn` where it has these. */
export interface BudgetFacts {
  readonly warn: readonly string[];
  readonly ask: readonly string[];
  readonly over: readonly string[];
}

/** Answers to a bundle's questions to history, those that matter for one call. Each question has its place among all of the bundle's, in order of their ids. */
export interface AnswerSet {
  /** Of questions for a number, where it is not 0: place, number, place, number ... */
  readonly amounts?: readonly number[];
  /** Which have no answer: a policy that needs it is in error. A bit for each place, the lowest first, base64url without the zero bytes at the end. Absent: each has one. */
  readonly none?: string;
  /** Which hold, in the same form. */
  readonly yes: string;
}

/**
 * Answers to what policies ask of history: under the name of a bundle's whole set of questions those to that set. One may also stand under its own
 * name; records from before there were sets have them so, with those that are false or 0 left out where the name of the set is there and true.
 * `at`: the time that history goes by, where that is not the call's own because the clock was set back; milliseconds since the epoch.
 */
export type HistoryFacts = Readonly<Record<string, boolean | number | AnswerSet>>;
