import { Fault, type NewRecord } from "@lanyard/contract";
import { describeProblem } from "@lanyard/policy";
import type { Clock } from "../../base/clock.ts";
import type { Limits } from "../../base/limits.ts";
import type { Log } from "../../base/log.ts";
import type { StateChange, Store } from "../../base/store/port.ts";
import { decodeEdition, digestOf, encodeEdition, posts, type CanaryTerms, type Edition, type Post } from "./edition.ts";
import { documentOf, fromDocument, toDocument, type CanaryStanding, type Line, type Remembered, type Standing } from "./lineup.ts";
import { Shadow } from "./shadow.ts";
import { Tally } from "./tally.ts";
import type { Made, Workshop } from "./workshop.ts";

interface PostingDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  readonly limits: Limits;
}

/** Who brings what to a post, and why. `edition` is null for the live folder's, whose sources are not kept. */
interface Order {
  readonly edition: Edition | null;
  readonly by: string;
  readonly why: string;
  readonly terms: CanaryTerms | null;
  readonly ticket: number;
}

const keptRecent = 8;
const retryMs = 2000;
const whyChars = 4000;

/**
 * What stands at the posts, in memory and on record. Changes come one after the other: first the ledger, then the pointer; only what takes
 * power away from a bundle moves the pointer first.
 */
export class Posting implements AsyncDisposable {
  readonly #deps: PostingDeps;
  #line: Line = { active: null, canary: null, shadow: null };
  #turn: Promise<unknown> = Promise.resolve();
  #issued = 0;
  /** Ticket of the newest posting that came through, for each post. */
  readonly #through: Record<Post, number> = { active: 0, canary: 0, shadow: 0 };
  readonly #refused = new Map<Post, { readonly candidate: string; readonly errors: readonly string[] }>();
  #retries = new Set<{ cancel(): void }>();
  #closed = false;

  constructor(deps: PostingDeps) {
    this.#deps = deps;
  }

  get line(): Line {
    return this.#line;
  }

  /** A place in the order of postings. */
  ticket(): number {
    return (this.#issued += 1);
  }

  refusals(): readonly string[] {
    return posts.flatMap((post) => this.#refused.get(post)?.errors ?? []);
  }

  forgive(post: Post): void {
    this.#refused.delete(post);
  }

  /** Puts back what the store remembers. What cannot be read is logged and left out. */
  async restore(workshop: Workshop): Promise<void> {
    for (const post of posts) {
      const remembered = this.#remembered(post);
      if (remembered === null) continue;
      try {
        const edition = this.#sourcesOf(remembered);
        const made = await workshop.reopen(edition, remembered.hash);
        if (made === null) throw new Fault("invalid_config", "the bundle's bytes are not in the store, or were changed");
        const { terms, by, sinceMs, sources } = remembered;
        this.#set(post, { ...standing(made, { edition, by, why: "", terms, ticket: this.ticket() }, sinceMs, sources) }, terms);
      } catch (error) {
        this.#deps.log.error("policy.unreadable", { post, bundle: remembered.hash, error });
      }
    }
  }

  /** The bundle that these sources had when they were active lately; null when nobody remembers. */
  async lately(edition: Edition, workshop: Workshop): Promise<Made | null> {
    const digest = digestOf(edition);
    const [, hash] = this.#remembered("active")?.recent.find(([known]) => known === digest) ?? [];
    return hash === undefined ? null : workshop.reopen(edition, hash, this.#line.active?.snapshot ?? null);
  }

  /** Records a bundle and puts it in force. Throws Fault `conflict`, `ledger_unavailable`. */
  place(post: Post, made: Made, order: Order): Promise<{ hash: string; before: string | null; warnings: Made["warnings"] }> {
    return this.#inTurn(async () => {
      this.#mustBeNewest(post, order.ticket);
      const { store, clock } = this.#deps;
      if (post === "canary" && (order.terms === null || this.#line.active === null)) throw new Fault("conflict", "there is nothing that a canary could stand beside: no version is active");
      const before = this.#remembered(post);
      const version = order.edition?.version ?? null;
      const same = before !== null && before.hash === made.hash && before.version === version && sameTerms(before.terms, order.terms);
      const sources = order.edition?.version != null ? await store.keepObject(encodeEdition(order.edition)) : null;
      const next = standing(made, order, same ? before.sinceMs : clock.nowMs(), sources);
      if (!same) await this.#record(post, next, order, before);
      const anew = this.#line[post] === null || !same;
      this.#set(post, next, order.terms, anew);
      this.#through[post] = order.ticket;
      this.#refused.delete(post);
      if (post === "active" && anew) await this.#afterActivation(next, order.by);
      return { hash: made.hash, before: before?.hash ?? null, warnings: made.warnings };
    });
  }

  /** Puts the bundle that the same sources have on another ground in force, unless something else has come to the post meanwhile. */
  renew(post: Post, made: Made, ticket: number): Promise<void> {
    return this.#inTurn(async () => {
      const current = this.#line[post];
      if (current === null || current.ticket !== ticket) return;
      const before = this.#remembered(post);
      const terms = before?.terms ?? null;
      const next: Standing = { ...current, hash: made.hash, snapshot: made.snapshot, policies: made.snapshot.count, warnings: made.warnings, notes: made.notes };
      if (before?.hash !== made.hash) await this.#record(post, next, { edition: current.edition, by: "lanyard", why: "what the policies are written against has changed", terms, ticket }, before);
      if (this.#line[post]?.ticket !== ticket) return; // a canary that was taken back while this was written
      this.#line = { ...this.#line, [post]: next };
      this.#refused.delete(post);
    });
  }

  /** Takes away what stands at a post. Nothing is recorded where nothing stands. */
  withdraw(post: Post, { by, why, ticket }: { by: string; why: string; ticket: number }): Promise<{ hash: null; before: string | null; warnings: [] }> {
    return this.#inTurn(async () => {
      this.#mustBeNewest(post, ticket);
      const before = this.#remembered(post);
      if (before !== null) await this.#recordWithdrawal(post, before, by, why);
      this.#drop(post);
      this.#through[post] = ticket;
      this.#refused.delete(post);
      return { hash: null, before: before?.hash ?? null, warnings: [] };
    });
  }

  /** Ends a canary that has left its bands: at once, and on record as soon as the ledger takes it. */
  takeBack(canary: CanaryStanding, why: string): void {
    if (this.#line.canary?.ticket !== canary.ticket) return;
    this.#line = { ...this.#line, canary: null };
    this.#deps.log.error("policy.canary_withdrawn", { bundle: canary.hash, version: canary.version, why });
    this.#recordTakenBack(canary, why);
  }

  /** Records once that something cannot stand at a post; with `stands`, it is told until something fits. */
  async refuse(post: Post, version: number | null, candidate: string, errors: readonly string[], { stands }: { stands: boolean }): Promise<void> {
    const known = this.#refused.get(post)?.candidate;
    if (stands) this.#refused.set(post, { candidate: "", errors });
    if (candidate !== known) {
      await this.#deps.store.append({ type: "bundle.refuse", candidate, errors: errors.length, first: cut(errors[0] ?? ""), post, version });
      this.#deps.log.error("policy.refused", { post, version, candidate, errors: errors.slice(0, 20), stays: this.#line[post]?.hash ?? "nothing" });
    }
    if (stands) this.#refused.set(post, { candidate, errors });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    for (const retry of this.#retries) retry.cancel();
    await this.#turn;
    this.#line.shadow?.watch[Symbol.dispose]();
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => {});
    return result;
  }

  #mustBeNewest(post: Post, ticket: number): void {
    if (ticket < this.#through[post]) throw new Fault("conflict", `something else was posted as ${post} in the meantime`);
  }

  #remembered(post: Post): Remembered | null {
    return fromDocument(this.#deps.store.get("setting", documentOf[post]));
  }

  #sourcesOf({ sources, version }: Remembered): Edition | null {
    if (sources === null || version === null) return null;
    const bytes = this.#deps.store.getObject(sources);
    if (bytes === null) throw new Fault("invalid_config", "the policies' text is not in the store, or was changed");
    return decodeEdition(bytes, version);
  }

  async #record(post: Post, next: Standing, { by, why, terms, edition }: Order, before: Remembered | null): Promise<void> {
    const { store, log } = this.#deps;
    const { hash, version, sources, sinceMs, policies } = next;
    const recent = post === "active" ? withRecent(before?.recent ?? [], edition, hash) : [];
    // Who brought it there is not whoever fitted it to another ground.
    const value = toDocument({ hash, version, sources, by: next.by, sinceMs, terms, recent });
    const state: StateChange[] = [{ kind: "setting", key: documentOf[post], value }];
    const share_ppm = terms === null ? null : Math.round(terms.share * 1_000_000);
    await store.append({ type: "bundle.activate", bundle: hash, before: before?.hash ?? null, policies, by, post, version, share_ppm, why: cut(why) }, { state });
    log.info("policy.active", { post, bundle: hash, version, policies, by });
    for (const warning of next.warnings) log.warn("policy.warning", { text: describeProblem(warning) });
  }

  #recordWithdrawal(post: Post, { hash, version }: Pick<Remembered, "hash" | "version">, by: string, why: string, state: StateChange[] = [{ kind: "setting", key: documentOf[post], value: null }]): Promise<unknown> {
    const record: NewRecord = { type: "bundle.withdraw", bundle: hash, by, post, version, why: cut(why) };
    this.#deps.log.info("policy.withdrawn", { post, bundle: hash, version, by, why });
    return this.#deps.store.append(record, { state });
  }

  #recordTakenBack(canary: CanaryStanding, why: string): void {
    const attempt = async (): Promise<void> => {
      const later = this.#through.canary > canary.ticket; // a newer canary's document stays
      await this.#recordWithdrawal("canary", canary, "lanyard", why, later ? [] : [{ kind: "setting", key: documentOf.canary, value: null }]);
    };
    this.#inTurn(attempt).catch((error: unknown) => {
      this.#deps.log.error("policy.failed", { error });
      if (this.#closed) return;
      const retry = this.#deps.clock.after(retryMs, () => {
        this.#retries.delete(retry);
        this.#recordTakenBack(canary, why);
      });
      this.#retries.add(retry);
    });
  }

  /** A version that is active now needs no post beside itself; a canary is compared with what is active, so it begins again. */
  async #afterActivation(active: Standing, by: string): Promise<void> {
    for (const post of ["canary", "shadow"] as const) {
      const beside = this.#remembered(post);
      if (beside === null || active.version === null || beside.version !== active.version) continue;
      await this.#recordWithdrawal(post, beside, by, "it is active now");
      this.#drop(post);
    }
    const { canary } = this.#line;
    if (canary !== null) this.#line = { ...this.#line, canary: { ...canary, tallies: { live: new Tally(), canary: new Tally() } } };
  }

  #set(post: Post, next: Standing, terms: CanaryTerms | null, anew = true): void {
    if (post === "active") this.#line = { ...this.#line, active: next };
    if (post === "canary" && terms !== null) {
      const tallies = (anew ? null : this.#line.canary?.tallies) ?? { live: new Tally(), canary: new Tally() };
      this.#line = { ...this.#line, canary: { ...next, terms, tallies } };
    }
    if (post !== "shadow") return;
    const { store, clock, limits } = this.#deps;
    const watch = (anew ? null : this.#line.shadow?.watch) ?? new Shadow({ clock, limits, record: (difference) => store.append(difference) });
    if (watch !== this.#line.shadow?.watch) this.#line.shadow?.watch[Symbol.dispose]();
    this.#line = { ...this.#line, shadow: { ...next, watch } };
  }

  #drop(post: Post): void {
    if (post === "shadow") this.#line.shadow?.watch[Symbol.dispose]();
    this.#line = { ...this.#line, [post]: null };
  }
}

const sameTerms = (left: CanaryTerms | null, right: CanaryTerms | null): boolean => {
  const figures = (terms: CanaryTerms | null): unknown => terms && [terms.share, terms.minimum, terms.bands.denyRate, terms.bands.errorRate, terms.bands.latencyP99Us];
  return JSON.stringify(figures(left)) === JSON.stringify(figures(right));
};

const cut = (text: string): string => text.slice(0, whyChars).toWellFormed();

const standing = (made: Made, { edition, by, ticket }: Order, sinceMs: number, sources: string | null): Standing => ({
  hash: made.hash,
  version: edition?.version ?? null,
  snapshot: made.snapshot,
  policies: made.snapshot.count,
  by,
  sinceMs,
  warnings: made.warnings,
  notes: made.notes,
  edition,
  sources,
  ticket,
});

const withRecent = (recent: Remembered["recent"], edition: Edition | null, hash: string): Remembered["recent"] => {
  if (edition === null) return recent;
  const digest = digestOf(edition);
  return [[digest, hash] as const, ...recent.filter(([known]) => known !== digest)].slice(0, keptRecent);
};
