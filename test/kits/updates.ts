import type { Answer, Exchange } from "../../server/src/base/exchange.ts";
import { setImmediate } from "node:timers/promises";
import type { DecisionInput, Principal } from "@lanyard/contract";
import type { Ground, PolicyFile } from "@lanyard/policy";
import { systemClock } from "../../server/src/base/clock.ts";
import { silent } from "../../server/src/base/log.ts";
import { nothingReserved, type InboundCall } from "../../server/src/base/path.ts";
import type { Store } from "../../server/src/base/store/port.ts";
import { openSqlite } from "../../server/src/base/store/sqlite.ts";
import { mediate } from "../../server/src/mediation/mediate.ts";
import { replay } from "../../server/src/mediation/replay.ts";
import type { Stages } from "../../server/src/mediation/stages.ts";
import { nothingLent } from "../../server/src/stages/credential/lease.ts";
import type { Edition } from "../../server/src/stages/decision/edition.ts";
import { DecisionStage } from "../../server/src/stages/decision/stage.ts";
import { recordStage } from "../../server/src/stages/record/record.ts";

const exchange: Exchange = { era: "stateless", signal: new AbortController().signal, progress: () => {}, notify: () => {}, ask: async () => null };
const answer: Answer = { result: { content: [] } };

/** What became of calls and updates in a while. */
export interface UpdateRun {
  readonly calls: number;
  /** Calls that got no answer, or an error instead of one. */
  readonly dropped: number;
  /** Editions that came into force. */
  readonly updates: number;
  /** Editions that a later one overtook. */
  readonly overtaken: number;
}

/**
 * The path of a call with real decisions and a real ledger on disk: identity and facts are given, the server answers at once. Editions of
 * the policies differ in one policy, whose reason names the edition, so that two of them never give the same decision about a call it speaks of.
 */
export class UpdateStand implements AsyncDisposable {
  readonly #store: Store;
  readonly #stage: DecisionStage;
  readonly #policies: readonly PolicyFile[];
  readonly #calls: readonly DecisionInput[];
  readonly #stages: Stages;
  #edition = 0;
  #called = 0;

  private constructor(store: Store, stage: DecisionStage, { policies, calls }: { policies: readonly PolicyFile[]; calls: readonly DecisionInput[] }) {
    this.#store = store;
    this.#stage = stage;
    this.#policies = policies;
    this.#calls = calls;
    const record = recordStage({ store, clock: systemClock, log: silent });
    const inputOf = (session: string): DecisionInput => this.#calls[Number(session)] as DecisionInput;
    this.#stages = {
      monotonicUs: () => systemClock.monotonicUs(),
      unforeseen: (_action, error) => {
        throw error;
      },
      identify: (token) => principalOf(token ?? "", inputOf(token ?? "")),
      admit: () => ({ [Symbol.dispose]: () => {} }),
      recall: () => null,
      gather: (_action, { session }) => {
        const input = inputOf(session);
        return { input, pin: { definition: input.definition ?? null, contract: { effects: [], reversibility: "unknown" }, refuse: null } };
      },
      enter: (action, principal, exchange) => ({ action, principal, exchange, cut: null, [Symbol.dispose]: () => {} }),
      standing: () => null,
      reserve: () => nothingReserved,
      look: () => {},
      vet: () => null,
      decide: (input) => this.#stage.decide(input),
      intend: record.intend,
      conclude: (...ending) => record.conclude(systemClock.nowMs(), ...ending),
      claim: () => null,
      unclaim: () => {},
      hold: async () => ({ kind: "pending", id: "ap", groups: [] }),
      lease: async () => nothingLent,
      plan: async () => null,
      staged: () => null,
      stage: async () => null,
      execute: async () => answer,
      inspect: async (_action, raw) => raw,
      conceal: () => (value) => value,
      remember: async () => {},
      line: (exchange) => exchange,
      say: () => {},
      learn: (_action, raw) => raw,
    };
  }

  static async open({ folder, ground, ...rest }: { folder: string; ground: Ground; policies: readonly PolicyFile[]; calls: readonly DecisionInput[] }): Promise<UpdateStand> {
    const store = await openSqlite({ folder, clock: systemClock, version: "test" });
    const stage = new DecisionStage({ store, clock: systemClock, log: silent, policyDir: folder, ground: () => ground, release: () => "reviewed" });
    await stage.start();
    const calls = rest.calls.map((input, at) => ({ ...input, session: { ...input.session, id: `${at}` } }));
    const stand = new UpdateStand(store, stage, { ...rest, calls });
    await stand.update();
    return stand;
  }

  /** Brings the next edition into force; every third one is the one before the last again, as a rollback is. */
  async update(): Promise<void> {
    const version = (this.#edition += 1);
    await this.#stage.post("active", this.#editionOf(version % 3 === 0 ? version - 2 : version), "user:ana");
  }

  /** So many callers call one after the other for `ms`, while `perSecond` editions come. */
  async run({ callers, ms, perSecond }: { callers: number; ms: number; perSecond: number }): Promise<UpdateRun> {
    const run = { calls: 0, dropped: 0, updates: 0, overtaken: 0 };
    const end = performance.now() + ms;
    const caller = async (): Promise<void> => {
      while (performance.now() < end) {
        run.calls += 1;
        await mediate(this.#stages, this.#nextCall()).catch(() => void (run.dropped += 1));
        await setImmediate(); // as bytes come in: by the event loop
      }
    };
    const updating: Promise<void>[] = [];
    const begin = (): void => void updating.push(this.update().then(() => void (run.updates += 1), () => void (run.overtaken += 1)));
    const timer = perSecond > 0 ? setInterval(begin, 1000 / perSecond) : null;
    await Promise.all(Array.from({ length: callers }, caller));
    if (timer !== null) clearInterval(timer);
    await Promise.all(updating);
    await this.#store.settled();
    return run;
  }

  /** Decides every recorded decision again by the bundle it names: how many there are, how many bundles, and how many fit none. */
  async verify(): Promise<{ decisions: number; bundles: number; mixed: number }> {
    const found = { decisions: 0, bundles: new Set<string>(), mixed: 0 };
    for await (const run of replay({ store: this.#store }, 0, this.#store.size() - 1)) {
      for (const { kind, seq } of run) {
        found.decisions += 1;
        if (kind !== "same") found.mixed += 1;
        const record = this.#store.entry(seq);
        if (record?.type === "decision" && record.bundle !== null) found.bundles.add(record.bundle);
      }
    }
    return { ...found, bundles: found.bundles.size };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stage[Symbol.asyncDispose]();
    await this.#store[Symbol.asyncDispose]();
  }

  #editionOf(version: number): Edition {
    const text = `@id("org.changing") @reason("Edition ${version}.") permit (principal, action, resource) when { context.session.depth < ${version} };`;
    return { version, policies: [...this.#policies, { file: "changing.cedar", text }], tests: [] };
  }

  #nextCall(): InboundCall {
    const at = (this.#called += 1) % this.#calls.length;
    const { action, args } = this.#calls[at] as DecisionInput;
    const [server = "", tool = ""] = action.split("/");
    return { token: `${at}`, audience: "mcp", server, method: "tools/call", tool, params: { name: tool, arguments: args }, exchange };
  }
}

const principalOf = (session: string, { agent, user, session: { purpose, labels } }: DecisionInput): Principal => ({
  session, agent: agent.id, user: user.id, purpose, chain: [], tools: null, labels, isolation: "none", expiresAtMs: 9e15,
});
