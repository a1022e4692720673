import { parseQuorum } from "@lanyard/contract";
import type { Clock } from "../../base/clock.ts";
import type { Config } from "../../base/config/config.ts";
import type { Log } from "../../base/log.ts";
import type { Notice } from "../../base/notify/notice.ts";
import type { DurableOutbox } from "../../base/notify/outbox.ts";
import type { Approvals } from "../../stages/approval/approval.ts";
import type { ApprovalChange } from "../../stages/approval/change.ts";
import type { ApprovalCard } from "../../stages/approval/card.ts";
import type { AnswerValues } from "./answers.ts";
import { endOf, questionOf } from "./card-notice.ts";

const sweepMs = 30_000;
/** Ends whose words are remembered until they are told. */
const endsKept = 4096;

interface Rooms {
  readonly clock: Clock;
  readonly log: Log;
  readonly config: () => Config;
  readonly approvals: Pick<Approvals, "list" | "onChange">;
  readonly outbox: Pick<DurableOutbox, "post" | "open" | "has">;
  readonly answers: AnswerValues;
  /** Where people reach the daemon, without a slash at the end. */
  readonly base: () => string;
}

/**
 * Tells channels of requests for approval and of their end. It compares what waits with what was told, whenever something changed, at the start and
 * now and then: so nothing is forgotten by a crash, and posting twice is no harm, for the outbox knows an id again.
 */
export class Announcer implements AsyncDisposable {
  readonly #rooms: Rooms;
  readonly #following: { stop(): void };
  readonly #ends = new Map<string, string>();
  /** Found to be over before it was said how; told as such when the next comparison still has no words for it, as after a restart. */
  #wordless = new Set<string>();
  #timer: { cancel(): void } | null = null;
  #running: Promise<void> = Promise.resolve();
  #wanted = false;
  #closed = false;

  constructor(rooms: Rooms) {
    this.#rooms = rooms;
    this.#following = rooms.approvals.onChange((change) => this.#heed(change));
    this.#want();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#following.stop();
    this.#timer?.cancel();
    await this.#running;
  }

  #heed(change: ApprovalChange): void {
    const how = endInWords(change);
    if (how !== null && !this.#ends.has(change.id)) {
      this.#ends.set(change.id, how);
      const [oldest] = this.#ends.keys();
      if (this.#ends.size > endsKept && oldest !== undefined) this.#ends.delete(oldest);
    }
    this.#want();
  }

  /** One comparison after another; changes that come during one lead to a single next. */
  #want(): void {
    if (this.#wanted || this.#closed) return;
    this.#wanted = true;
    this.#running = this.#running.then(async () => {
      this.#wanted = false;
      if (this.#closed) return;
      this.#timer?.cancel();
      await this.#compare().catch((error: unknown) => this.#rooms.log.warn("approval.untold", { error }));
      if (!this.#closed) this.#timer = this.#rooms.clock.after(sweepMs, () => this.#want());
    });
  }

  async #compare(): Promise<void> {
    const { approvals, outbox, config, log } = this.#rooms;
    if (config().notify.size === 0 && outbox.open("approval").length === 0) return;
    const waiting = approvals.list().filter(({ state }) => state === "pending");
    const open = new Set(waiting.flatMap(({ requests }) => requests.map(({ id }) => id)));
    const over = outbox.open("approval").filter(({ dedup }) => !open.has(requestIn(dedup)));
    const wordless = new Set(over.map(({ dedup }) => requestIn(dedup)).filter((id) => !this.#ends.has(id)));
    const ended = over.filter(({ dedup }) => !wordless.has(requestIn(dedup)) || this.#wordless.has(requestIn(dedup)));
    this.#wordless = wordless;
    const notices = [...waiting.flatMap((card) => this.#questions(card)), ...ended.flatMap(({ channel, dedup }) => this.#end(channel, dedup))];
    for (const [channel, notice] of notices) {
      // One channel that is full or gone must not keep the others from hearing.
      await outbox.post(channel, notice).catch((error: unknown) => log.warn("approval.untold", { id: notice.id, channel, error }));
    }
    const told = new Set(outbox.open("approval").map(({ dedup }) => requestIn(dedup)));
    for (const id of this.#ends.keys()) if (!told.has(id)) this.#ends.delete(id);
  }

  /** The question on each channel of the groups that are asked. By mail each who may answer gets a link of their own. */
  #questions(card: ApprovalCard): [string, Notice][] {
    const { config, answers, base, clock, outbox } = this.#rooms;
    const { channels, notify, users } = config();
    const groups = card.missing.flatMap((term) => parseQuorum(term)?.group ?? []);
    const names = new Set(groups.flatMap((group) => notify.get(group) ?? notify.get("*") ?? []));
    const nowMs = clock.nowMs();
    return [...names].flatMap((channel): [string, Notice][] => {
      if (channels.get(channel)?.kind !== "smtp") {
        const id = card.given.length === 0 ? card.id : `${card.id}:${card.given.length}`;
        if (outbox.has(channel, id)) return [];
        const buttons = { approve: answers.button(channel, card, "approve"), deny: answers.button(channel, card, "deny") };
        return [[channel, questionOf(card, { nowMs, id, dedup: card.id, link: null, answers: buttons })]];
      }
      return card.may_answer.flatMap((user): [string, Notice][] => {
        const email = users.get(user)?.email;
        const thread = threadOf(card.id, user);
        return email === undefined || outbox.has(channel, thread) ? [] : [[channel, questionOf(card, { nowMs, id: thread, dedup: thread, link: `${base()}/approve/${answers.link(channel, card, user)}`, to: [email] })]];
      });
    });
  }

  #end(channel: string, dedup: string): [string, Notice][] {
    const { channels, users } = this.#rooms.config();
    const request = requestIn(dedup);
    const [, user] = dedup.split(" ");
    const email = user === undefined ? undefined : users.get(user)?.email;
    if (!channels.has(channel) || (user !== undefined && email === undefined)) return [];
    return [[channel, endOf(request, this.#ends.get(request) ?? "over", { id: `${dedup}:end`, dedup, ...(email !== undefined && { to: [email] }) })]];
  }
}

/** A request's thread with one person; with a whole channel it is the request's id. */
const threadOf = (request: string, user: string): string => `${request} ${user}`;

const requestIn = (dedup: string): string => dedup.split(" ")[0] ?? "";

/** Null while it still waits for somebody. */
function endInWords({ kind, how, by, card }: ApprovalChange): string | null {
  if (kind === "answered") return card.state === "pending" ? null : `${how === "deny" ? "denied" : "approved"} by ${by ?? "nobody"}`;
  if (kind !== "ended") return null;
  if (how === "time") return "expired without an answer";
  if (how === "session") return "over, its session has ended";
  if (how === "void") return "taken back by a stop";
  return how === "used" ? "approved and used" : "over, what was asked has changed";
}
