import { Worker } from "node:worker_threads";
import { Fault, type Decision, type DecisionInput } from "@lanyard/contract";
import { addressOf, decodeBundle, type Bundle, type Policy } from "./bundle.ts";
import { denyUnasked } from "./combine.ts";
import { openRules, type Rules } from "./head.ts";
import { Lines } from "./lines.ts";
import type { Answers, Order } from "./protocol.ts";

/** Runs `task` once after `ms` unless cancelled: time comes from outside. */
export type After = (ms: number, task: () => void) => { cancel(): void };

export interface EngineOptions {
  readonly after: After;
  /** Without an answer for so long the worker is taken for hung: a decision takes a millisecond. */
  readonly patienceMs?: number;
  /** The thread's program; another one in tests. */
  readonly program?: URL;
}

// A message holds little, so that patience is with one call and not with all that one session asked for at once.
const bounds = { patienceMs: 5000, waiting: 10_000, bundles: 32, messageChars: 65_536, messageQuestions: 256 } as const;

interface Waiting {
  readonly bundle: string;
  readonly session: string;
  readonly input: string;
  resolve(decision: Decision): void;
  reject(fault: Fault): void;
}

interface Loaded {
  readonly bytes: Uint8Array;
  readonly rules: Rules;
  readonly byId: ReadonlyMap<string, Policy>;
}

/**
 * Decides in a worker thread, against bundles given as bytes and named by their hash. Fails closed: a crash or a hang rejects what was
 * being decided with Fault `engine_unavailable`, and the next decision starts a new worker. Only a file of the engine knows Cedar.
 */
export class Engine implements AsyncDisposable {
  readonly #options: EngineOptions;
  readonly #bundles = new Map<string, Loaded>();
  #worker: Worker | null = null;
  /** Bundles the present worker has. */
  #sent = new Set<string>();
  /** Not posted yet, a line for each session. What is asked for while the worker decides goes in its next message. */
  readonly #fresh = new Lines<Waiting>();
  /** The message that the worker has, oldest first. */
  #posted: Waiting[] = [];
  #alarm: { cancel(): void } | null = null;
  #closed = false;

  constructor(options: EngineOptions) {
    this.#options = options;
  }

  /**
   * Makes a bundle known and returns its hash. The 32 used last stay; an older one is loaded again when needed.
   * Throws Fault `invalid_config` when the bytes are no bundle.
   */
  load(bytes: Uint8Array): string {
    const hash = addressOf(bytes);
    if (this.#bundles.has(hash)) return hash;
    const bundle = decodeBundle(bytes);
    this.#bundles.set(hash, { bytes, rules: openRules(bundle), byId: new Map(bundle.policies.map((policy) => [policy.id, policy])) });
    const oldest = this.#bundles.keys().next().value;
    if (this.#bundles.size > bounds.bundles && oldest !== undefined) {
      this.#bundles.delete(oldest);
      if (this.#sent.delete(oldest)) this.#post({ kind: "drop", hash: oldest });
    }
    return hash;
  }

  /**
   * Decides; the same bundle and input always give the same decision. Input that cannot be sent is a deny. Rejects with Fault
   * `engine_unavailable` when the bundle is not loaded or the worker fails; nothing was decided then.
   */
  async decide(bundle: string, input: DecisionInput): Promise<Decision> {
    this.#use(bundle);
    if (this.#closed || this.#fresh.size + this.#posted.length >= bounds.waiting) throw unavailable(this.#closed ? "the engine is closed" : "too many decisions are waiting");
    let text: string;
    try {
      text = JSON.stringify(input);
    } catch {
      return denyUnasked("lanyard.arguments", "arguments are nested too deeply, or are no JSON");
    }
    return new Promise<Decision>((resolve, reject) => {
      this.#fresh.add(input.session.id, { bundle, session: input.session.id, input: text, resolve, reject });
      if (this.#fresh.size === 1 && this.#posted.length === 0) queueMicrotask(() => this.#flush());
    });
  }

  /**
   * Those of `actions` that some policy could allow this agent, in the order given: what to list. Judges heads only, so it
   * errs towards listing; every call is decided all the same. Throws Fault `engine_unavailable` when the bundle is not loaded.
   */
  visible(bundle: string, agent: DecisionInput["agent"], actions: readonly string[]): string[] {
    const { rules } = this.#use(bundle);
    return actions.filter((name) => {
      const action = rules.action(name);
      return action !== null && rules.couldAllow(agent, action);
    });
  }

  /** A loaded bundle, read only. Throws Fault `engine_unavailable` when it is not loaded. */
  bundle(hash: string): Bundle {
    return this.#use(hash).rules.bundle;
  }

  /** A policy of a loaded bundle with its place and text, for explanations; null when the bundle has none of this id. */
  policy(bundle: string, id: string): Policy | null {
    return this.#use(bundle).byId.get(id) ?? null;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    await this.#abandon("the engine is closed");
  }

  #use(hash: string): Loaded {
    const found = this.#bundles.get(hash);
    if (found === undefined) throw unavailable(`bundle \`${hash}\` is not loaded`);
    this.#bundles.delete(hash); // move it to the young end
    this.#bundles.set(hash, found);
    return found;
  }

  /** One message at a time: the next is made of what waits when the worker has answered. */
  #flush(): void {
    if (this.#posted.length > 0) return;
    let [chars, count] = [0, 0];
    const questions = this.#fresh.take(({ input }) => (chars += input.length) <= bounds.messageChars && ++count <= bounds.messageQuestions);
    if (questions.length === 0) return this.#worker?.unref();
    this.#posted = questions;
    try {
      const worker = this.#worker ?? this.#start();
      worker.ref();
      this.#watch();
      for (const hash of new Set(questions.map(({ bundle }) => bundle))) this.#send(hash);
      this.#post({ kind: "decide", questions: questions.map(({ bundle, input }) => ({ bundle, input })) });
    } catch (cause) {
      void this.#abandon("the policy engine does not start", cause);
    }
  }

  #send(hash: string): void {
    const loaded = this.#bundles.get(hash);
    if (loaded === undefined || this.#sent.has(hash)) return;
    this.#post({ kind: "load", hash, bytes: loaded.bytes });
    this.#sent.add(hash);
  }

  #post(order: Order): void {
    this.#worker?.postMessage(order);
  }

  #start(): Worker {
    const worker = new Worker(this.#options.program ?? new URL("./decide-worker.ts", import.meta.url));
    worker.on("message", (answers: Answers) => {
      if (this.#worker === worker) this.#receive(answers);
    });
    const fail = (cause: unknown): void => {
      if (this.#worker === worker) void this.#abandon("the policy engine stopped", cause);
    };
    worker.on("error", fail);
    worker.on("exit", fail);
    this.#worker = worker;
    this.#sent = new Set();
    return worker;
  }

  #receive({ decisions, broken }: Answers): void {
    this.#alarm?.cancel();
    const answered = this.#posted.splice(0, decisions.length);
    const [culprit, ...innocent] = this.#posted;
    this.#posted = [];
    if (broken !== null) {
      // The error names its question, so the innocent behind it are asked again, of a new worker.
      for (const question of innocent.toReversed()) this.#fresh.add(question.session, question, "first");
      void this.#abandon("the policy engine failed", broken);
    }
    answered.forEach(({ resolve }, index) => resolve(JSON.parse(decisions[index] ?? "") as Decision));
    culprit?.reject(unavailable("the policy engine failed on this call", broken));
    if (broken === null) this.#flush();
  }

  #watch(): void {
    this.#alarm = this.#options.after(this.#options.patienceMs ?? bounds.patienceMs, () => void this.#abandon("the policy engine did not answer in time"));
  }

  /** Gives the worker up. What it was deciding is rejected; what was not posted yet is asked of the next one, unless there is none to be. */
  async #abandon(why: string, cause?: unknown): Promise<void> {
    const worker = this.#worker;
    this.#worker = null;
    this.#alarm?.cancel();
    const lost = this.#posted;
    this.#posted = [];
    if (this.#closed) lost.push(...this.#fresh.take(() => true));
    for (const { reject } of lost) reject(unavailable(why, cause));
    if (this.#fresh.size > 0) queueMicrotask(() => this.#flush());
    await worker?.terminate();
  }
}

export const unavailable = (message: string, cause?: unknown): Fault => new Fault("engine_unavailable", message, { cause });
