import { Fault, type Effect } from "@lanyard/contract";
import { Compiler, describeProblem, openSnapshot, prepareSnapshot, type Ground, type PolicyFile, type Snapshot } from "@lanyard/policy";
import type { Clock } from "../base/clock.ts";
import type { Config } from "../base/config/config.ts";
import type { Limits } from "../base/limits.ts";
import type { Store } from "../base/store/port.ts";
import type { Edition, Post } from "../stages/decision/edition.ts";
import { documentOf, type Lineup } from "../stages/decision/lineup.ts";
import { checkUpload, ownsOrg } from "../stages/decision/ownership.ts";
import { breathe } from "./recorded.ts";
import { suggest, type Suggestion } from "./suggestion/suggest.ts";
import { compareTraffic, type TrafficComparison } from "./traffic.ts";

export interface ChangesDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly limits: Limits;
  readonly config: () => Config;
  readonly ground: () => Ground;
  readonly lineup: () => Lineup;
  /** A published version. Throws Fault `not_found`, and `internal` when it was changed on disk. */
  readonly edition: (version: number) => Edition;
}

/** Policies to compare: a published version, what stands at a post, or files. */
export type Side = { readonly version: number } | { readonly post: Post } | { readonly policies: readonly PolicyFile[]; readonly tests?: readonly PolicyFile[] };

export interface DiffRequest {
  readonly before: Side;
  readonly after: Side;
  /** Calls decided since then are compared, milliseconds since the epoch; null compares none. */
  readonly sinceMs: number | null;
  /** Whether to begin with the bytes of both bundles. */
  readonly bundles: boolean;
}

/** Both sides made ready; `report` compares them, line by line. */
export interface Diff {
  report(): AsyncGenerator<object>;
}

/** Who asks: null for the operator, who sees all; a user sees what is theirs to change. */
type Asker = string | null;

const tickMs = 500;
const beyondMs = 7 * 24 * 3_600_000;

/** What a change of policies would do, and what policies a session would have needed: compiled in a thread, replayed in slices beside live calls. */
export class Changes {
  readonly #deps: ChangesDeps;
  #working = 0;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(deps: ChangesDeps) {
    this.#deps = deps;
  }

  /**
   * Makes both sides ready. Throws Fault `forbidden` for a user who owns no policies, `not_found` where nothing stands at a post or no such
   * version is, `invalid_config` for files that do not compile, with every place, `too_many_calls` past limit comparisons.
   */
  async diff(asker: Asker, { before, after, sinceMs, bundles }: DiffRequest): Promise<Diff> {
    const agents = this.#agentsOf(asker);
    const [was, is] = await this.#alone(async () => {
      const compiler = new Compiler({ after: this.#deps.clock.after, patienceMs: this.#deps.limits.compile_ms });
      try {
        return [await this.#open(compiler, "before", before), await this.#open(compiler, "after", after)];
      } finally {
        await compiler[Symbol.asyncDispose]();
      }
    });
    return { report: () => this.#report(was, is, agents, sinceMs, bundles) };
  }

  /** As {@link suggest}. Throws Fault as it does, and as {@link Changes.diff} does. */
  async suggest(asker: Asker, session: string, effect: Effect | undefined): Promise<Suggestion> {
    const { store, limits, clock, ground } = this.#deps;
    const agents = this.#agentsOf(asker);
    const [first] = store.entries({ session, types: ["decision"], limit: 1 });
    if (first?.type === "decision" && agents && !agents.has(first.agent)) throw new Fault("forbidden", `session \`${session}\` is of agent \`${first.agent}\`, which is not of a team that \`${asker}\` owns`);
    return this.#alone(async () => {
      const compiler = new Compiler({ after: clock.after, patienceMs: limits.compile_ms });
      try {
        const compile = async (policies: readonly PolicyFile[]) => {
          const made = await this.#compile(compiler, { policies, tests: [] });
          return "snapshot" in made ? made.snapshot : made;
        };
        const deps = { store, limits, current: this.#standing("active").snapshot, registry: ground().registry, compile, most: limits.suggested_calls };
        return await suggest(deps, { session, sinceMs: clock.nowMs() - beyondMs, ...(effect && { effect }) });
      } finally {
        await compiler[Symbol.asyncDispose]();
      }
    });
  }

  async *#report(before: Opened, after: Opened, agents: ReadonlySet<string> | null, sinceMs: number | null, bundles: boolean): AsyncGenerator<object> {
    for (const [side, { snapshot, bytes, name }] of [["before", before], ["after", after]] as const) {
      yield { kind: "side", side, name, bundle: snapshot.hash, policies: snapshot.count, ...(bundles && { bytes: Buffer.from(bytes).toString("base64") }) };
    }
    if (sinceMs === null) return;
    const { store, clock, ground, limits } = this.#deps;
    let [calls, events, isOver] = [0, 0, false];
    const query = { sinceMs, registry: ground().registry, ...(agents && { agents }), progress: (done: number, read: number) => void ([calls, events] = [done, read]), isOver: () => isOver };
    // One after the other: two at once would take twice as much from live calls.
    const compared = this.#turn.then(() => compareTraffic({ store, limits }, query, before.snapshot, after.snapshot));
    this.#turn = compared.catch(() => undefined);
    try {
      let found: TrafficComparison | null = null;
      while (found === null) {
        const tick = new Promise<null>((resolve) => void clock.after(tickMs, () => resolve(null)));
        found = await Promise.race([compared, tick]);
        if (found === null) yield { kind: "progress", calls, events };
      }
      const { changes, ...counts } = found;
      for (const change of changes) yield { kind: "change", ...change };
      yield { kind: "traffic", since_ms: sinceMs, ...counts };
    } finally {
      isOver = true; // the reader may have gone
      await compared.catch(() => undefined);
    }
  }

  async #alone<T>(work: () => Promise<T>): Promise<T> {
    const most = this.#deps.limits.comparisons;
    if (this.#working >= most) throw new Fault("too_many_calls", `${most} diffs and suggestions are at work already (limit comparisons)`);
    this.#working += 1;
    try {
      return await work();
    } finally {
      this.#working -= 1;
    }
  }

  /** Agents whose calls somebody may see: null for all. Policies are read with the arguments they were decided on, so not by just anybody. */
  #agentsOf(asker: Asker): ReadonlySet<string> | null {
    const config = this.#deps.config();
    if (asker === null || ownsOrg(asker, config)) return null;
    const groups = config.users.get(asker)?.groups ?? [];
    const teams = [...config.teams].filter(([, { owners }]) => owners.some((group) => groups.includes(group))).map(([team]) => team);
    if (teams.length === 0) throw new Fault("forbidden", `\`${asker}\` owns neither the organisation's policies nor a team's`, { remedy: "" });
    return new Set([...config.agents].filter(([, { team }]) => teams.includes(team)).map(([agent]) => agent));
  }

  async #open(compiler: Compiler, which: "before" | "after", side: Side): Promise<Opened> {
    if ("post" in side) return this.#standing(side.post);
    const sources = "version" in side ? this.#deps.edition(side.version) : { policies: side.policies, tests: side.tests ?? [] };
    if ("policies" in side) checkUpload(sources, this.#deps.limits);
    const made = await this.#compile(compiler, sources);
    const name = "version" in side ? `version ${side.version}` : "files";
    if ("snapshot" in made) return { name, ...made };
    throw new Fault("invalid_config", `the policies ${which} the change (${name}) do not compile:\n${made.join("\n")}`);
  }

  /** A bundle, or every reason why there is none. */
  async #compile(compiler: Compiler, { policies, tests }: Omit<Edition, "version">): Promise<Omit<Opened, "name"> | readonly string[]> {
    const compiled = await compiler.compile({ ...this.#deps.ground(), policies, tests });
    if (!compiled.ok) return compiled.errors.map(describeProblem);
    return { bytes: compiled.bytes, snapshot: await prepareSnapshot(compiled.bytes, { breathe }) };
  }

  /** What stands at a post; while no daemon runs, what stood there last. */
  #standing(post: Post): Opened {
    const standing = this.#deps.lineup()[post];
    const hash = standing?.hash ?? this.#recorded(post);
    const bytes = hash === null ? null : this.#deps.store.getObject(hash);
    if (bytes === null) throw new Fault("not_found", `no policies stand at \`${post}\``);
    const name = standing?.version ? `${post}, version ${standing.version}` : post;
    return { name, bytes, snapshot: standing?.snapshot ?? openSnapshot(bytes) };
  }

  #recorded(post: Post): string | null {
    const hash = this.#deps.store.get("setting", documentOf[post])?.["hash"];
    return typeof hash === "string" ? hash : null;
  }
}

interface Opened {
  readonly name: string;
  readonly snapshot: Snapshot;
  readonly bytes: Uint8Array;
}
