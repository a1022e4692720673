import type { Clock } from "../../base/clock.ts";
import type { Config } from "../../base/config/config.ts";
import type { Log } from "../../base/log.ts";
import type { DurableOutbox } from "../../base/notify/outbox.ts";
import type { Store } from "../../base/store/port.ts";
import type { Approvals } from "../../stages/approval/approval.ts";
import type { Identity } from "../../stages/identity/identity.ts";
import { Announcer } from "./announcer.ts";
import { AnswerValues } from "./answers.ts";
import { ApprovalPage } from "./approval-page.ts";
import { SlackCallback } from "./slack-callback.ts";

interface Rooms {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  readonly config: () => Config;
  readonly approvals: Approvals;
  readonly identity: Identity;
  readonly outbox: Pick<DurableOutbox, "post" | "open" | "has">;
  /** Fills in templates with secrets. Throws Fault `no_credential`, `invalid_config`. */
  readonly fill: (templates: Readonly<Record<string, string>>) => Promise<Readonly<Record<string, string>>>;
  /** Where the daemon listens, `http://host:port`. */
  readonly url: () => string;
}

/** Where people answer besides the API: they are told of what waits, and what they say comes back on paths of its own. */
export class Surfaces implements AsyncDisposable {
  readonly #announce: () => Announcer;
  readonly #log: Log;
  #announcer: Announcer | null = null;
  readonly #page: ApprovalPage;
  readonly #slack: SlackCallback;

  constructor(rooms: Rooms) {
    this.#log = rooms.log;
    const answers = new AnswerValues(rooms.store);
    const base = () => rooms.config().publicUrl ?? rooms.url();
    const origins = () => [base(), rooms.url()].flatMap((url) => URL.parse(url)?.origin ?? []);
    this.#announce = () => new Announcer({ ...rooms, answers, base });
    this.#page = new ApprovalPage({ ...rooms, answers, origins });
    this.#slack = new SlackCallback({ ...rooms, answers });
  }

  /** Begins to tell people, once it is known where they can answer. */
  announce(): void {
    this.#announcer ??= this.#announce();
  }

  /** Null when the request is for somebody else. */
  async handle(request: Request): Promise<Response | null> {
    try {
      return await this.#answer(request);
    } catch (error) {
      this.#log.error("surface.internal", { error });
      return new Response(null, { status: 500 });
    }
  }

  async #answer(request: Request): Promise<Response | null> {
    const { pathname } = new URL(request.url);
    const [, channel] = /^\/slack\/([\w.-]{1,64})$/.exec(pathname) ?? [];
    if (channel !== undefined) return this.#slack.handle(request, channel);
    const [, segment, signIn] = /^\/approve\/([^/]*)(\/sign-in)?$/.exec(pathname) ?? [];
    return segment === undefined ? null : this.#page.handle(request, segment, signIn === undefined ? "" : "sign-in");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#announcer?.[Symbol.asyncDispose]();
    await this.#slack.settled();
  }
}
