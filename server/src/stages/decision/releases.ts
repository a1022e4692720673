import { Fault } from "@lanyard/contract";
import { describeProblem, type PolicyProblem, type Snapshot } from "@lanyard/policy";
import type { Clock } from "../../base/clock.ts";
import type { Config } from "../../base/config/config.ts";
import type { Limits } from "../../base/limits.ts";
import type { Store } from "../../base/store/port.ts";
import { demandSecondPerson, isCleared, type CompareTiers, type TierVerdict } from "./clearance.ts";
import { encodeEdition, type CanaryTerms, type Edition, type Post } from "./edition.ts";
import { documentOf, fromDocument } from "./lineup.ts";
import { agentsSeenBy, casesFor, changesBetween, checkUpload, demandOwned, foreignChange, ownsOrg, withinTeam, type Owners } from "./ownership.ts";
import type { DecisionStage } from "./stage.ts";
import { orgTierOf, readEdition, readVersion, signVersion, versionNumbers, versionState, type PublishedVersion } from "./version.ts";

export interface ReleaseDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly config: () => Owners & Pick<Config, "agents" | "release">;
  readonly limits: Limits;
  readonly decision: Pick<DecisionStage, "make" | "post" | "lineup">;
  /** Runs the cases of an edition; texts of those that fail. */
  readonly test: (edition: Edition) => Promise<readonly string[]>;
  readonly compare: CompareTiers;
}

/** A folder as it was uploaded, and what its author says of it. */
export interface Upload extends Omit<Edition, "version"> {
  /** The author's words. */
  readonly note: string;
  /** The version it was made from; null takes the newest. */
  readonly base: number | null;
  /** The team whose folder alone changes; null uploads everything. */
  readonly team: string | null;
}

/** Done; or why the policies themselves stand against it, each with its place. */
export type Outcome<T> = ({ readonly ok: true } & T) | { readonly ok: false; readonly problems: readonly string[] };

/** A version just published, and which cases of other teams it fails: they are told, and do not stand against it. */
interface Publication {
  readonly published: PublishedVersion;
  readonly failing: readonly string[];
}

const refused = (errors: readonly PolicyProblem[]): { ok: false; problems: readonly string[] } => ({ ok: false, problems: errors.map(describeProblem) });
const nothing: Edition = { version: null, policies: [], tests: [] };

/**
 * Versions of the policies, from publishing to taking back. A version never changes: its files, its bundle and the signed statement about
 * them lie under their own hashes. Publishing puts nothing in force. Who may do what follows from `owners` in lanyard.yaml; a version that
 * loosens the organisation's policies waits for a second person before it may decide anything.
 */
export class Releases {
  readonly #deps: ReleaseDeps;
  #publishing = false;
  /** Canaries and activations, one after the other: what was compared with what is in force must still be in force when it decides. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(deps: ReleaseDeps) {
    this.#deps = deps;
  }

  /** The newest version's number; 0 before the first. */
  newest(): number {
    return versionNumbers(this.#deps.store).at(-1) ?? 0;
  }

  /** A version, its signature and addresses checked. Throws Fault `not_found`, `internal` when it was changed on disk. */
  version(version: number): PublishedVersion {
    return readVersion(this.#deps.store, version);
  }

  /** The files of a version. Throws as {@link version}. */
  edition(version: number): Edition {
    return readEdition(this.#deps.store, this.version(version));
  }

  /** Agents whose doings this user may see; null for all. */
  sees(user: string): ReadonlySet<string> | null {
    return agentsSeenBy(user, this.#deps.config());
  }

  /** Whether it may not decide before somebody else has approved it, over what is in force now. */
  waits(version: PublishedVersion): boolean {
    return version.statement.loosens && !isCleared(this.#deps.store, version, this.#inForce().org);
  }

  /**
   * Publishes files as the next version: the author's own to change, compiling, passing the organisation's cases and the author's own. Throws Fault `forbidden` that names
   * a file of somebody else's, `conflict` when somebody published meanwhile, `invalid_request`, `limit_exceeded`.
   */
  async publish(user: string, upload: Upload): Promise<Outcome<Publication>> {
    if (this.#publishing) throw new Fault("conflict", "another version is being published at this moment");
    this.#publishing = true;
    try {
      return await this.#publish(user, upload);
    } finally {
      this.#publishing = false;
    }
  }

  async #publish(user: string, upload: Upload): Promise<Outcome<Publication>> {
    const { store, clock, decision, limits, test } = this.#deps;
    const base = this.newest();
    const before = base === 0 ? null : this.edition(base);
    const edition = this.#owned(user, upload, before, base);
    const made = await decision.make(edition);
    if (!made.ok) return refused(made.errors);
    const { binding, others } = casesFor(user, edition, changesBetween(before, edition), this.#deps.config());
    const failures = await test(binding);
    if (failures.length > 0) return { ok: false, problems: failures };
    const failing = others.tests.length > 0 ? await test(others) : [];
    const org = orgTierOf(edition);
    const against = decision.lineup().active?.hash ?? null;
    const { loosens, why } = await this.#compare(made.snapshot, org);
    if (base >= limits.versions) throw new Fault("limit_exceeded", `publishing version ${base + 1}: versions, ${limits.versions}, is the limit`);
    const source = store.putObject(encodeEdition(edition));
    const author = `user:${user}`;
    const published = signVersion(store, {
      version: base + 1, base, author, at_ms: clock.nowMs(), note: upload.note, source, bundle: made.hash, org, against, loosens, why: loosens ? why : [],
    });
    await store.append(
      { type: "policy.publish", version: base + 1, base, statement: published.address, source, bundle: made.hash, loosens, by: author },
      { state: [versionState(published)] },
    );
    return { ok: true, published, failing };
  }

  /** What the newest version becomes by this upload. Throws Fault as {@link publish}. */
  #owned(user: string, { policies, tests, base, team }: Upload, before: Edition | null, newest: number): Edition {
    const { config, limits } = this.#deps;
    if (base !== null && base !== newest) {
      const what = newest < base ? `there is no version ${base}` : `\`${this.version(newest).statement.author}\` published version ${newest} meanwhile; \`lanyard policy diff ${base} ${newest}\` shows what changed`;
      throw new Fault("conflict", `publishing on top of version ${base}: ${what}`, { remedy: "" });
    }
    const whole: Edition = { version: newest + 1, policies, tests };
    checkUpload(whole, limits);
    const edition = team === null ? whole : withinTeam(before, whole, team);
    checkUpload(edition, limits); // one folder at a time, all of them could grow past what one upload may hold
    const changes = changesBetween(before, edition);
    if (changes.length === 0) throw new Fault("conflict", `nothing to publish: the files are those of version ${newest}`, { remedy: "" });
    demandOwned(user, changes, config(), "publishing");
    return edition;
  }

  /** The second person's yes. Throws Fault `forbidden` for who may not be that, `conflict` where none is needed. */
  async approve(number: number, user: string): Promise<PublishedVersion> {
    const { store, clock, config } = this.#deps;
    const version = this.version(number);
    if (!ownsOrg(user, config())) throw new Fault("forbidden", `approving version ${number}: the second person is a member of ${config().owners.map((group) => `\`${group}\``).join(" or ") || "`owners`, and lanyard.yaml names none"}`, { remedy: "" });
    const inForce = this.#inForce();
    demandSecondPerson(store, version, user, inForce);
    const over = inForce.org;
    const approved = { ...version, approved: { by: `user:${user}`, atMs: clock.nowMs(), over } };
    await store.append({ type: "policy.approve", version: number, statement: version.address, over, by: `user:${user}` }, { state: [versionState(approved)] });
    return approved;
  }

  /** Lets a version decide beside the active one; null ends that. */
  async shadow(number: number | null, user: string): Promise<Outcome<object>> {
    const edition = this.#posted("shadow", number, user);
    const made = edition && (await this.#deps.decision.make(edition));
    if (made?.ok === false) return refused(made.errors);
    await this.#deps.decision.post("shadow", edition, `user:${user}`);
    return { ok: true };
  }

  /** Lets a version decide for a share of the sessions; null ends that. Throws Fault `approval_pending` while it waits for a second person. */
  canary(number: number | null, user: string, terms: CanaryTerms): Promise<Outcome<object>> {
    return this.#inTurn(async () => {
      const { decision } = this.#deps;
      const edition = this.#posted("canary", number, user);
      if (edition !== null && decision.lineup().active === null) throw new Fault("conflict", `a canary is measured against the version in force, and there is none; \`lanyard policy activate ${number}\` puts this one in force`, { remedy: "" });
      const against = edition && (await this.#whatStandsAgainst(edition));
      if (against !== null) return against;
      await decision.post("canary", edition, `user:${user}`, edition === null ? {} : { canary: terms });
      return { ok: true };
    });
  }

  /** Puts a version in force. Throws Fault `approval_pending` while it waits for a second person. */
  activate(number: number, user: string): Promise<Outcome<object>> {
    return this.#inTurn(async () => {
      const edition = this.#posted("active", number, user) ?? nothing;
      const against = await this.#whatStandsAgainst(edition);
      if (against !== null) return against;
      await this.#endCanaryOver(number);
      await this.#deps.decision.post("active", edition, `user:${user}`);
      return { ok: true };
    });
  }

  /** A canary was let in over other policies. Invariant: what a second person would have to approve over these decides for no session. */
  async #endCanaryOver(number: number): Promise<void> {
    const { store, decision } = this.#deps;
    const version = decision.lineup().canary?.version ?? number;
    if (version === number || isCleared(store, this.version(version), this.version(number).statement.org)) return;
    await decision.post("canary", null, "lanyard", { why: `version ${number} comes into force, and version ${version} has other policies of the organisation, which nobody has approved over it` });
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => {});
    return result;
  }

  /**
   * Back to the version in force before the active one, at once, and the end of canary and shadow, where they are the user's to end. `user` is null for the operator. `to` is
   * null when no version was in force before, and only canary and shadow ended. Throws Fault `conflict` when there is nothing to go back to.
   */
  async rollback(user: string | null, why: string): Promise<{ readonly from: number | null; readonly to: number | null }> {
    const { store, decision } = this.#deps;
    this.#demandReviewed("rollback");
    const { active, canary, shadow } = decision.lineup();
    const from = active?.version ?? null;
    const to = previousVersion(store, from);
    if (to === null && canary === null && shadow === null) throw new Fault("conflict", "there is nothing to roll back: no version was in force before, and neither canary nor shadow runs", { remedy: "" });
    const edition = to === null ? null : this.edition(to);
    if (user !== null) this.#demandRight(user, edition ?? this.#beside(), "rolling back");
    const by = user === null ? "operator" : `user:${user}`;
    const ends = (version: number | null): boolean => user === null || version === null || this.#isTheirs(user, version);
    const endsShadow = shadow !== null && ends(shadow.version);
    if (canary !== null && ends(canary.version)) await decision.post("canary", null, by, { why });
    if ((decision.lineup().active?.version ?? null) !== from) throw new Fault("conflict", "another version was put in force at this moment");
    if (edition !== null && to !== null) {
      await store.append({ type: "policy.rollback", from, to, by, why });
      await decision.post("active", edition, by, { why });
    }
    if (endsShadow && decision.lineup().shadow !== null) await decision.post("shadow", null, by, { why });
    return { from, to };
  }

  /** The edition to post, or null to end what stands there, once it is this user's to do. */
  #posted(post: Post, number: number | null, user: string): Edition | null {
    const verb = post === "active" ? "activate" : post;
    this.#demandReviewed(verb);
    const line = this.#deps.decision.lineup();
    const stands = line[post];
    if (number === null && stands === null) throw new Fault("conflict", `there is no ${post} to stop`, { remedy: "" });
    if (number !== null && number === line.active?.version) throw new Fault("conflict", `version ${number} is in force already`, { remedy: "" });
    const edition = number === null ? null : this.edition(number);
    this.#demandRight(user, edition ?? (stands?.version ? this.edition(stands.version) : nothing), `\`${verb}\``);
    if (post !== "active" && number !== null && typeof stands?.version === "number" && !this.#isTheirs(user, stands.version)) {
      throw new Fault("forbidden", `\`${verb}\`: version ${stands.version} stands there, and it is not for \`${user}\` to end`);
    }
    return edition;
  }

  #demandReviewed(verb: string): void {
    if (this.#deps.config().release === "reviewed") return;
    throw new Fault("conflict", `\`${verb}\` is for reviewed releases, and here the folder of policies is in force as it is saved; \`release: reviewed\` in lanyard.yaml changes that`, { remedy: "" });
  }

  /** A version is for those to post who own what it changes of what is in force. */
  #demandRight(user: string, edition: Edition, doing: string): void {
    const config = this.#deps.config();
    if (ownsOrg(user, config)) return;
    const active = this.#deps.decision.lineup().active;
    const inForce = active === null || active.version === null ? null : this.edition(active.version);
    const changes = changesBetween(inForce, edition);
    if (changes.length === 0) throw new Fault("forbidden", `${doing} is for owners of the policies, and \`${user}\` owns none of these`, { remedy: "" });
    demandOwned(user, changes, config, doing);
  }

  /** Whether what a version changes of what is in force is this user's to change. */
  #isTheirs(user: string, version: number): boolean {
    const config = this.#deps.config();
    if (ownsOrg(user, config)) return true;
    const active = this.#deps.decision.lineup().active?.version ?? null;
    return foreignChange(user, changesBetween(active === null ? null : this.edition(active), this.edition(version)), config) === null;
  }

  /** What stands beside the active version. */
  #beside(): Edition {
    const { canary, shadow } = this.#deps.decision.lineup();
    const version = canary?.version ?? shadow?.version ?? null;
    return version === null ? nothing : this.edition(version);
  }

  /**
   * What is in force may have changed since a version was published, so it is compared again before it decides anything. Null when nothing
   * stands against it. Throws Fault `approval_pending` when it needs a second person and has none.
   */
  async #whatStandsAgainst(edition: Edition): Promise<ReturnType<typeof refused> | null> {
    const { store, decision } = this.#deps;
    const number = edition.version ?? 0;
    const made = await decision.make(edition);
    if (!made.ok) return refused(made.errors);
    const over = this.#inForce().org;
    const version = this.version(number);
    if (isCleared(store, version, over) || isAsCompared(version, made.hash, decision.lineup().active?.hash ?? null)) return null;
    const { loosens, why } = await this.#compare(made.snapshot, version.statement.org);
    if (this.#inForce().org !== over) throw new Fault("conflict", "another version was put in force at this moment");
    if (!loosens) return null;
    throw new Fault("approval_pending", `version ${number} loosens the organisation's policies and waits for a second person (${why[0] ?? "it cannot be said that it does not"}); one of \`owners\` who did not write it runs \`lanyard policy approve ${number}\``, { remedy: "" });
  }

  async #compare(after: Snapshot, org: string): Promise<TierVerdict> {
    const { decision, compare } = this.#deps;
    if (org === this.#inForce().org) return { loosens: false, why: [] };
    const before = decision.lineup().active?.snapshot ?? (await this.#empty());
    return before === null ? { loosens: true, why: ["nothing is in force to compare it with"] } : compare(before, after);
  }

  /** No policies at all, against the ground of now: everything is denied. */
  async #empty(): Promise<Snapshot | null> {
    const made = await this.#deps.decision.make(nothing);
    return made.ok ? made.snapshot : null;
  }

  /** What decides, and the name of its organisation's policies; what the store remembers counts where nothing decides: offline, or when a bundle cannot be read. */
  #inForce(): { readonly version: number | null; readonly org: string | null } {
    const { store, decision } = this.#deps;
    const active = decision.lineup().active;
    const version = active === null ? (fromDocument(store.get("setting", documentOf.active))?.version ?? null) : active.version;
    return { version, org: version === null ? (active?.hash ?? null) : this.version(version).statement.org };
  }
}

/** Whether the very bundles that were compared when it was published would meet now, and it loosened nothing then. */
const isAsCompared = ({ statement }: PublishedVersion, bundle: string, inForce: string | null): boolean => !statement.loosens && statement.bundle === bundle && statement.against === inForce;

const rememberedActivations = 10_000;

/**
 * The version to go back to from `from`: versions in force lie on a stack, and a rollback takes the top one off, so that a second rollback
 * goes further back instead of forth. Null when there was none before.
 */
const previousVersion = (store: Store, from: number | null): number | null => {
  const stack: number[] = [];
  let back: number | null = null;
  for (const record of store.entries({ types: ["bundle.activate", "policy.rollback"], newest: true, limit: rememberedActivations })) {
    if (record.type === "policy.rollback") back = record.to;
    if (record.type !== "bundle.activate" || record.post !== "active" || record.version === null || record.version === stack.at(-1)) continue;
    const at = back === record.version ? stack.lastIndexOf(record.version) : -1;
    back = null;
    if (at >= 0) stack.length = at + 1;
    else stack.push(record.version);
  }
  if (stack.at(-1) === from) stack.pop();
  return stack.at(-1) ?? null;
};
