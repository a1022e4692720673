import { createHash } from "node:crypto";
import { Fault, type Decision, type DecisionInput } from "@lanyard/contract";
import { denyUnasked, describeProblem, type Ground, type PolicyProblem, type Snapshot } from "@lanyard/policy";
import { ruled } from "../../base/bound.ts";
import type { Clock } from "../../base/clock.ts";
import { defaultLimits, type Limits } from "../../base/limits.ts";
import type { Log } from "../../base/log.ts";
import type { Ruling } from "../../base/path.ts";
import type { Store } from "../../base/store/port.ts";
import { posts, type CanaryTerms, type Edition, type Post } from "./edition.ts";
import { Folder } from "./folder.ts";
import { lineupOf, type CanaryStanding, type Lineup, type Standing } from "./lineup.ts";
import { Posting } from "./posting.ts";
import { Recheck, type RecheckStatistics, type RecheckTerms, type SecondOpinion } from "./recheck.ts";
import { outOfBands, placeOf } from "./tally.ts";
import { Workshop, type Made, type Unmade } from "./workshop.ts";

const retryMs = 2000;

export interface DecisionDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  /** Folder of `*.cedar` files, sub-folders too. */
  readonly policyDir: string;
  /** Approved tools and the registry as they are now. */
  readonly ground: () => Ground;
  readonly limits?: Limits;
  /** `live`, the default: what is saved in the folder is in force at once. `reviewed`: only what is posted is. */
  readonly release?: () => "live" | "reviewed";
  /** Which live decisions a second engine makes again, and which engine that is; without it none does. The stage disposes of the engine. */
  readonly recheck?: { readonly terms: () => RecheckTerms; readonly opinion: SecondOpinion };
}

/** What a posting led to: the bundle now at the post, null when it was withdrawn, and the one before it. */
export interface Posted {
  readonly hash: string | null;
  readonly before: string | null;
  readonly warnings: readonly PolicyProblem[];
}

type Occasion = "start" | "policies changed" | "catalog changed";

/**
 * Decides by the policies that stand at its posts. Whatever comes there, a save of the live folder or a published version, comes by one
 * way: compiled against the ground of now in a thread, opened in slices, recorded as `bundle.activate`, and only then the pointer moves.
 * A call keeps the line-up it began with. A change of the ground fits everything anew; what does not fit is recorded as `bundle.refuse`
 * and what stood there stays, across restarts too. Without an active bundle every call is denied.
 */
export class DecisionStage implements AsyncDisposable {
  readonly #deps: DecisionDeps;
  readonly #workshop: Workshop;
  readonly #posting: Posting;
  readonly #folder: Folder;
  readonly #recheck: Recheck | null;
  /** The newest posting that was asked for: of those that wait for the compiler, only it is compiled. */
  readonly #asked: Record<Post, number> = { active: 0, canary: 0, shadow: 0 };
  #release: "live" | "reviewed" | null = null;
  #working: Promise<void> = Promise.resolve();
  #queued: Promise<void> | null = null;
  #retry: { cancel(): void } | null = null;
  #closed = false;

  constructor(deps: DecisionDeps) {
    const { store, clock, log, policyDir, ground, limits = defaultLimits } = deps;
    this.#deps = deps;
    this.#workshop = new Workshop({ store, clock, ground, patienceMs: limits.compile_ms });
    this.#posting = new Posting({ store, clock, log, limits });
    this.#recheck = deps.recheck ? new Recheck({ store, clock, log, limits, ...deps.recheck }) : null;
    this.#folder = new Folder({ clock, limits, policyDir, wanted: () => this.#live(), changed: () => this.recompile("policies changed") });
  }

  /** Puts what stood at the posts back, then fits it to the ground of now and goes on watching the folder. Never throws: what fails is logged and denies. */
  async start(): Promise<void> {
    await this.#posting.restore(this.#workshop);
    await this.recompile("start");
    this.#folder.watch();
  }

  decide(input: DecisionInput): Ruling {
    const { active, canary, shadow } = this.#posting.line; // Invariant: one line-up from here to the end of this call.
    if (active === null) return { decision: denyUnasked("lanyard.bundle", this.#whyNone()), bundle: null, reasons: [] };
    const distrust = this.#recheck?.denies ?? null;
    if (distrust !== null) return { decision: denyUnasked("lanyard.engine", distrust), bundle: null, reasons: [] };
    const by = canary !== null && takes(canary, input.session.id) ? canary : active;
    const decision = canary === null ? by.snapshot.decide(input) : this.#decideCounted(input, by, canary);
    shadow?.watch.see(input, decision, by.hash, shadow.snapshot);
    this.#recheck?.see(input, decision, by.snapshot);
    return ruled(by.snapshot, input, decision);
  }

  /** Those of `actions` that some policy could allow this agent (in this session), in the order given: what `tools/list` may show it. */
  visible(agent: DecisionInput["agent"], actions: readonly string[], session = ""): string[] {
    const { active, canary } = this.#posting.line;
    if (active === null) return [];
    return (canary !== null && takes(canary, session) ? canary : active).snapshot.visible(agent, actions);
  }

  /** All that decides, or decides beside: the active one first. */
  snapshots(): readonly Snapshot[] {
    const { active, canary, shadow } = this.#posting.line;
    return [active, canary, shadow].flatMap((standing) => (standing ? [standing.snapshot] : []));
  }

  /** What decides; null when nothing does and everything is denied. */
  active(): Standing | null {
    return this.#posting.line.active;
  }

  lineup(): Lineup {
    return lineupOf(this.#posting.line);
  }

  /** What the second engine has found; null where none is asked. */
  rechecks(): RecheckStatistics | null {
    return this.#recheck?.statistics() ?? null;
  }

  /** Every error, as text with place and carets, of what would stand at a post and does not fit; empty when all do. */
  refusal(): readonly string[] {
    return this.#posting.refusals();
  }

  /**
   * Compiles an edition against the ground of now; its bundle is in the store afterwards, and posting it is immediate. Throws Fault
   * `engine_unavailable`, `ledger_unavailable`, `invalid_config`.
   */
  make(edition: Edition): Promise<Made | Unmade> {
    return this.#workshop.make(edition, this.#posting.line.active?.snapshot ?? null);
  }

  /**
   * Brings an edition to a post, or with null whatever stands there away; resolves when that is recorded and in force. An edition that was
   * compiled before, or stood here lately, goes there at once and is fitted to the ground of now afterwards. Throws Fault `invalid_config`
   * when it does not compile, `conflict` when a later posting came before its turn or was quicker, or a canary has nothing to stand beside,
   * `ledger_unavailable`, `engine_unavailable`.
   */
  async post(post: Post, edition: Edition | null, by: string, { canary = null, why = "" }: { canary?: CanaryTerms | null; why?: string } = {}): Promise<Posted> {
    const ticket = this.#posting.ticket();
    this.#asked[post] = ticket;
    if (edition === null) return this.#posting.withdraw(post, { by, why, ticket });
    const made = this.#workshop.remembered(edition) ?? (await this.#posting.lately(edition, this.#workshop)) ?? (await this.#workshop.make(edition, this.active()?.snapshot ?? null, () => this.#asked[post] === ticket));
    if (!made.ok) {
      await this.#posting.refuse(post, edition.version, made.hash, made.errors.map(describeProblem), { stands: false });
      throw new Fault("invalid_config", made.errors.map(describeProblem).join("\n"));
    }
    const posted = await this.#posting.place(post, made, { edition, by, why, terms: canary, ticket });
    if (post === "active") this.#recheck?.trust();
    if (made.ground !== this.#workshop.groundName()) void this.recompile("catalog changed");
    return posted;
  }

  /** Fits everything to folder and ground as they are now; resolves when each is in force or refused. Calls that come meanwhile share one turn. */
  recompile(occasion: Occasion): Promise<void> {
    this.#queued ??= this.#working.then(async () => {
      this.#queued = null;
      if (!this.#closed) await this.#fit(occasion);
    });
    this.#working = this.#queued;
    return this.#queued;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#folder[Symbol.dispose]();
    this.#retry?.cancel();
    await this.#workshop[Symbol.asyncDispose]();
    await this.#working;
    await this.#recheck?.[Symbol.asyncDispose]();
    await this.#posting[Symbol.asyncDispose]();
  }

  #live(): boolean {
    return (this.#deps.release?.() ?? "live") === "live";
  }

  #whyNone(): string {
    const first = this.refusal()[0]?.split("\n")[0];
    if (first !== undefined) return `no valid policies are loaded, so everything is denied: ${first}`;
    return this.#live()
      ? "no valid policies are loaded, so everything is denied: none have been compiled yet"
      : "no version of the policies is active, so everything is denied: `release: reviewed` takes none but a published one that was activated";
  }

  /** Decides for one side of a canary, which ends when it has left its bands by that. */
  #decideCounted(input: DecisionInput, by: Standing, canary: CanaryStanding): Decision {
    const { clock } = this.#deps;
    const begunUs = clock.monotonicUs();
    const decision = by.snapshot.decide(input);
    const { live, canary: own } = canary.tallies;
    (by === canary ? own : live).add(decision, clock.monotonicUs() - begunUs);
    const why = outOfBands(live, own, canary.terms);
    if (why !== null) this.#posting.takeBack(canary, why);
    return decision;
  }

  async #fit(occasion: Occasion): Promise<void> {
    try {
      await this.#heedRelease();
      if (this.#live()) await this.#takeFolder(occasion);
      for (const post of posts) await this.#refit(post);
    } catch (error) {
      if (this.#closed) return; // the compiler was taken away
      this.#deps.log.error("policy.failed", { occasion, error }); // a full disk, a dead worker: tried again
      this.#folder.forget();
      if (this.#live()) return; // the folder is looked at again
      this.#retry?.cancel();
      this.#retry = this.#deps.clock.after(retryMs, () => void this.recompile("catalog changed"));
    }
  }

  /** What stands only by the other way of releasing goes. */
  async #heedRelease(): Promise<void> {
    const release = this.#live() ? "live" : "reviewed";
    if (release === this.#release) return;
    const why = release === "live" ? "`release: live` takes the folder as it is saved" : "`release: reviewed` takes only versions that were activated";
    for (const post of posts) {
      const standing = this.#posting.line[post];
      const stays = standing === null || (release === "reviewed" ? standing.version !== null : post === "active");
      if (!stays) await this.#posting.withdraw(post, { by: "lanyard", why, ticket: this.#posting.ticket() });
    }
    if (release === "reviewed") this.#posting.forgive("active"); // what the folder holds is a draft now, right or wrong
    this.#release = release;
  }

  async #takeFolder(occasion: Occasion): Promise<void> {
    const ticket = this.#posting.ticket();
    const made = await this.#compiled("active", null, async () => await this.make(await this.#folder.read()));
    if (made === null) return;
    const by = occasion === "catalog changed" ? "lanyard" : "operator";
    if (by === "operator" && made.hash !== this.active()?.hash) this.#recheck?.trust();
    await this.#posting.place("active", made, { edition: null, by, why: "", terms: null, ticket });
  }

  /** Compiles what stands at a post against the ground of now; the same bundle as before changes nothing. */
  async #refit(post: Post): Promise<void> {
    const standing = this.#posting.line[post];
    if (standing === null || standing.edition === null) return;
    const { edition, version, ticket } = standing;
    const made = await this.#compiled(post, version, () => this.make(edition));
    if (made !== null) await this.#posting.renew(post, made, ticket);
  }

  /** Null when it does not compile, which is then on record. */
  async #compiled(post: Post, version: number | null, compile: () => Promise<Made | Unmade>): Promise<Made | null> {
    let refused: { hash: string; errors: string[] };
    try {
      const made = await compile();
      if (made.ok) return made;
      refused = { hash: made.hash, errors: made.errors.map(describeProblem) };
    } catch (error) {
      // The folder or one of its files could not even be read, or a server has an impossible name.
      if (!(error instanceof Fault && error.code === "invalid_config")) throw error;
      refused = { hash: createHash("sha256").update(error.message).digest("base64url"), errors: [error.message] };
      this.#folder.forget();
    }
    await this.#posting.refuse(post, version, refused.hash, refused.errors, { stands: true });
    return null;
  }
}

const takes = ({ terms }: CanaryStanding, session: string): boolean => placeOf(session) < terms.share;
