import { createHash } from "node:crypto";
import { Fault, type DecisionInput } from "@lanyard/contract";
import { Compiler, denyUnasked, describeProblem, openSnapshot, type Ground, type Compiled, type Note, type PolicyProblem, type Snapshot } from "@lanyard/policy";
import type { Clock } from "../../base/clock.ts";
import { defaultLimits, type Limits } from "../../base/limits.ts";
import type { Log } from "../../base/log.ts";
import type { Ruling } from "../../base/path.ts";
import { markOf, readPolicies } from "../../base/policies.ts";
import type { Store } from "../../base/store/port.ts";

// A change is live within a second: looked at every 150 ms, settled for 100 ms, compiled in some 60 ms. Polled, because editors replace
// files in ways that watchers of one inode miss.
const pace = { pollMs: 150, settleMs: 100, retryMs: 2000 } as const;

export interface DecisionDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  /** Folder of `*.cedar` files, sub-folders too. */
  readonly policyDir: string;
  /** Approved tools and the registry as they are now. */
  readonly ground: () => Ground;
  readonly limits?: Limits;
}

/** The policies in force: the bundle's address, how many policies it has, and what its authors should look at. */
export interface ActiveBundle {
  readonly hash: string;
  readonly snapshot: Snapshot;
  readonly policies: number;
  readonly warnings: readonly PolicyProblem[];
  readonly notes: readonly Note[];
}

type Occasion = "start" | "policies changed" | "catalog changed";

/**
 * Decides by the policies of a folder. A valid change of the folder or the catalog is in force within a second, after it is on
 * record as `bundle.activate`; an invalid one is recorded as `bundle.refuse` and the policies before it stay, across restarts
 * too. A call keeps the bundle it began with. Without any valid bundle every call is denied.
 */
export class DecisionStage implements AsyncDisposable {
  readonly #deps: DecisionDeps;
  readonly #limits: Limits;
  readonly #compiler: Compiler;
  #active: ActiveBundle | null = null;
  /** Why the newest policies are not in force; empty when they are. */
  #refusal: readonly string[] = [];
  #refusedHash = "";
  #mark: string | null = null;
  #working: Promise<void> = Promise.resolve();
  #queued: Promise<void> | null = null;
  #timer: { cancel(): void } | null = null;
  #closed = false;

  constructor(deps: DecisionDeps) {
    this.#deps = deps;
    this.#limits = deps.limits ?? defaultLimits;
    this.#compiler = new Compiler({ after: deps.clock.after, patienceMs: this.#limits.compile_ms });
  }

  /** Puts the last good bundle in force, then compiles the folder and goes on watching it. Never throws: what fails is logged and denies. */
  async start(): Promise<void> {
    this.#restore();
    await this.recompile("start");
    this.#arm(pace.pollMs);
  }

  decide(input: DecisionInput): Ruling {
    const active = this.#active; // Invariant: one bundle from here to the end of this call.
    if (active !== null) return { decision: active.snapshot.decide(input), bundle: active.hash };
    const why = this.#refusal[0]?.split("\n")[0] ?? "none have been compiled yet";
    return { decision: denyUnasked("lanyard.bundle", `no valid policies are loaded, so everything is denied: ${why}`), bundle: null };
  }

  /** Those of `actions` that some policy could allow this agent, in the order given: what `tools/list` may show it. */
  visible(agent: DecisionInput["agent"], actions: readonly string[]): string[] {
    return this.#active?.snapshot.visible(agent, actions) ?? [];
  }

  /** The policies in force; null when there are none and everything is denied. */
  active(): ActiveBundle | null {
    return this.#active;
  }

  /** Every error of the newest policies, as text with place and carets, when they are not the ones in force; else empty. */
  refusal(): readonly string[] {
    return this.#refusal;
  }

  /** Compiles folder and catalog as they are now; resolves when the result is in force or refused. Calls that come meanwhile share one turn. */
  recompile(occasion: Occasion): Promise<void> {
    this.#queued ??= this.#working.then(async () => {
      this.#queued = null;
      if (!this.#closed) await this.#compile(occasion);
    });
    this.#working = this.#queued;
    return this.#queued;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    await this.#compiler[Symbol.asyncDispose]();
    await this.#working;
  }

  #restore(): void {
    const hash = this.#deps.store.get("setting", "bundle")?.["hash"];
    const bytes = typeof hash === "string" ? this.#deps.store.getObject(hash) : null;
    if (bytes === null) return;
    try {
      const snapshot = openSnapshot(bytes);
      if (snapshot.hash === hash) this.#active = { hash, snapshot, policies: snapshot.bundle.policies.length, warnings: [], notes: [] };
    } catch (error) {
      this.#deps.log.error("policy.unreadable", { bundle: hash, error });
    }
  }

  async #compile(occasion: Occasion): Promise<void> {
    const { log, policyDir, ground } = this.#deps;
    try {
      const mark = await markOf(policyDir, this.#limits).catch(() => null);
      const policies = await readPolicies(policyDir, this.#limits);
      const compiled = await this.#compiler.compile({ ...ground(), policies });
      if (compiled.ok) await this.#activate(compiled, occasion);
      else await this.#refuse(compiled.hash, compiled.errors.map(describeProblem));
      this.#mark = mark;
    } catch (error) {
      if (error instanceof Fault && error.code === "invalid_config") await this.#refuseUnread(error);
      else log.error("policy.failed", { occasion, error }); // a full disk, a dead worker: tried again below
      this.#mark = null;
    }
  }

  async #activate({ hash, bytes, warnings, notes }: Extract<Compiled, { ok: true }>, occasion: Occasion): Promise<void> {
    const { store, log } = this.#deps;
    const snapshot = openSnapshot(bytes);
    const policies = snapshot.bundle.policies.length;
    const before = this.#recorded();
    if (before !== hash) {
      store.putObject(bytes);
      const state = [{ kind: "setting", key: "bundle", value: { hash } }] as const;
      await store.append({ type: "bundle.activate", bundle: hash, before, policies, by: occasion === "catalog changed" ? "lanyard" : "operator" }, { state });
      log.info("policy.active", { bundle: hash, policies, occasion });
      for (const warning of warnings) log.warn("policy.warning", { text: describeProblem(warning) });
    }
    this.#active = { hash, snapshot, policies, warnings, notes };
    this.#refusal = [];
    this.#refusedHash = "";
  }

  async #refuse(candidate: string, errors: readonly string[]): Promise<void> {
    this.#refusal = errors;
    if (candidate === this.#refusedHash) return;
    const first = (errors[0] ?? "").slice(0, 4000).toWellFormed();
    await this.#deps.store.append({ type: "bundle.refuse", candidate, errors: errors.length, first });
    this.#refusedHash = candidate;
    this.#deps.log.error("policy.refused", { candidate, errors: errors.slice(0, 20), stays: this.#active?.hash ?? "nothing: everything is denied" });
  }

  /** The folder or one of its files could not even be read, or a server has an impossible name. */
  async #refuseUnread({ message }: Fault): Promise<void> {
    try {
      await this.#refuse(createHash("sha256").update(message).digest("base64url"), [message]);
    } catch (error) {
      this.#deps.log.error("policy.failed", { error });
    }
  }

  #recorded(): string | null {
    const hash = this.#deps.store.get("setting", "bundle")?.["hash"];
    return typeof hash === "string" ? hash : null;
  }

  #arm(ms: number): void {
    if (this.#closed) return;
    this.#timer = this.#deps.clock.after(ms, async () => this.#arm(await this.#look()));
  }

  /** Looks for a change, waits until it has settled (half a file may be valid, and mean something else), and compiles. Gives the next pause. */
  async #look(): Promise<number> {
    const { clock, policyDir } = this.#deps;
    const see = (): Promise<string | null> => markOf(policyDir, this.#limits).catch(() => null);
    const mark = await see();
    if (mark !== null && mark === this.#mark) return pace.pollMs;
    await new Promise<void>((resolve) => void clock.after(pace.settleMs, resolve));
    if (mark !== (await see())) return pace.settleMs;
    await this.recompile("policies changed");
    return this.#mark === null ? pace.retryMs : pace.pollMs;
  }
}
