import { completeWebArguments, Fault, isObject, webServer, type Action, type Decision, type DecisionInput, type Effect, type ErrorCode, type Json, type JsonObject } from "@lanyard/contract";
import { boundOf, changedIn, ruled } from "../../base/bound.ts";
import type { Clock } from "../../base/clock.ts";
import type { Answer, Exchange } from "../../base/exchange.ts";
import type { Classifier } from "../../base/labels/classifier.ts";
import { classifierOf } from "../../base/labels/own.ts";
import type { Approval } from "../../base/path.ts";
import { noting, unrecordedFlow } from "../../flowing.ts";
import { gathering } from "../../gathering.ts";
import { rule } from "../../mediation/mediate.ts";
import { normalise } from "../../mediation/normalise.ts";
import { BudgetStage } from "../../stages/budget/budget.ts";
import type { Flow } from "../../stages/flow/flow.ts";
import type { Log } from "../../base/log.ts";
import { HistoryStage } from "../../stages/history/history.ts";
import { Concealing } from "../../stages/inspection/concealing.ts";
import { pseudonymOf } from "../../stages/inspection/pseudonyms.ts";
import { inspect } from "../../stages/inspection/inspect.ts";
import type { Guesser } from "./infer.ts";
import { definitionsOf, readLine, type TraceLine } from "./line.ts";
import { TrialSessions, unopened, type TrialSession } from "./trial-sessions.ts";
import type { TrialWorld } from "./trial-world.ts";

/** What a line of a trace is answered with; `isBad` when the line itself is at fault, `isPlain` when it only says that a line was taken note of. */
export interface TrialAnswer {
  readonly answer: JsonObject;
  readonly isBad: boolean;
  readonly isPlain?: boolean;
  /** Of a call that policy decided, where explanations are asked for: what it was decided on. */
  readonly input?: DecisionInput;
  /** Of a call: its session, what it came to, and what the line says that it should. */
  readonly judged?: { readonly session: string; readonly effect: Effect; readonly expect: TraceLine["expect"]; readonly policies: readonly string[] };
}

/** What budgets count in a trial is on no disk. */
const nowhere = { list: () => [], get: () => null, follow: () => ({ stop: () => {} }) };

/** The line back to a client that is not there. */
const nobody: Exchange = {
  era: "stateless",
  signal: new AbortController().signal,
  progress: () => {},
  notify: () => {},
  ask: () => Promise.reject(new Fault("internal", "nobody is there to be asked")),
};

/**
 * Runs a trace line by line through the steps that decide: opening, normalising, facts, policy, inspection. They are the daemon's own
 * functions; only what would have an effect (ledger, servers, people) is not there.
 */
export class Trial {
  readonly #world: TrialWorld;
  readonly #guesser: Guesser | null;
  readonly #sessions: TrialSessions;
  readonly #budgets: BudgetStage;
  readonly #clock: Clock;
  readonly #explain: boolean;
  readonly #classifier: Classifier;
  readonly #flow: Flow;
  readonly #history: HistoryStage;
  /** Calls that were let through and have no result yet, by session and tool, in order. */
  readonly #open = new Map<string, number[]>();
  readonly #concealing: Concealing;
  /** The time of the line that is being run; null for the present. */
  #atMs: number | null = null;

  /** Without a guesser, tools that nobody has defined are denied. */
  constructor({ world, guesser, clock, explain }: { world: TrialWorld; guesser: Guesser | null; clock: Clock; explain: boolean }) {
    this.#world = world;
    this.#guesser = guesser;
    this.#clock = { ...clock, nowMs: () => this.#atMs ?? clock.nowMs() };
    this.#sessions = new TrialSessions({ clock: this.#clock, config: () => world.config });
    this.#budgets = new BudgetStage({ store: nowhere, clock: this.#clock, config: () => world.config, maxCallsOf: (session) => this.#sessions.get(session)?.mandate.maxCalls ?? null, quarantine: () => {} });
    this.#explain = explain;
    this.#classifier = classifierOf(world.config.labels, clock.random(32));
    this.#flow = unrecordedFlow({ clock: this.#clock, config: () => world.config, classifier: () => this.#classifier });
    this.#history = new HistoryStage({ store: null, deadlines: null, clock: this.#clock, log: unheard, limits: world.config.limits, snapshots: () => [world.snapshot()], rootOf: (id) => this.#sessions.get(id)?.principal.chain[0] ?? id });
    const key = clock.random(32); // Nothing of it outlives the trial.
    this.#concealing = new Concealing({ classifier: () => this.#classifier, pseudonyms: { tokenOf: ({ user }, label, value) => pseudonymOf(key, user, label, value), keep: async () => {} } });
  }

  /** `number` counts from 1. Throws Fault `invalid_config` when policies do not compile against tools that the trace brought along. */
  run(text: string, number: number): TrialAnswer {
    const line = readLine(text);
    if ("wrong" in line) return { answer: { line: number, ...(line.session !== undefined && { session: line.session }), ...(line.isCall && denied("malformed_call", line.wrong)), error: line.wrong }, isBad: true };
    this.#atMs = line.at === undefined ? null : Date.parse(line.at);
    const head: JsonObject = line.session === undefined ? { line: number } : { line: number, session: line.session };
    try {
      if (line.call) return judged(this.#call(head, line.session ?? "", number, { ...line.call, expect: line.expect }), line);
      const said = this.#other(line, line.session ?? "", number);
      return { answer: { ...head, ...said }, isBad: false, isPlain: said["result"] !== "withheld" };
    } catch (error) {
      if (error instanceof Fault && error.code !== "invalid_config") return { answer: { ...head, error: error.message }, isBad: true };
      throw error;
    }
  }

  #other({ open, result, approve, close, tools, contracts, mark }: TraceLine, name: string, number: number): JsonObject {
    if (tools) {
      const learned = definitionsOf(tools);
      for (const [server, definitions] of learned) {
        this.#world.learn(server, definitions);
        for (const definition of definitions) this.#guesser?.forget(`${server}/${definition.name}`);
      }
      return { tools: learned.reduce((sum, [, { length }]) => sum + length, 0) };
    }
    if (contracts) {
      this.#world.agree(contracts);
      return { contracts: Object.keys(contracts).length };
    }
    if (open) {
      this.#flow.ended(name); // a name that is open already begins anew
      this.#budgets.forget(name);
      using reservation = open.parent === undefined ? null : this.#budgets.reserveChild(this.#sessions.need(open.parent).principal);
      this.#sessions.open(name, open);
      reservation?.settle({ status: "done", answer: null, durationUs: 0 });
      return { opened: true };
    }
    const session = this.#sessions.need(name);
    if (result) return this.#result(result, session, number);
    if (mark) {
      this.#sessions.mark(name, mark.labels);
      return { marked: mark.labels };
    }
    if (approve) return approved(session, approve.groups, this.#world.config.limits.approval_ms);
    if (close) {
      this.#sessions.close(name);
      this.#flow.ended(name);
    }
    return { closed: true };
  }

  /** The result is that of the first call of the tool that has none yet. */
  #ended(key: string, status: "done" | "failed", answer: Answer | null): void {
    const [number, ...others] = this.#open.get(key) ?? [];
    this.#open.set(key, others);
    if (number !== undefined) this.#history.concluded(number, status, answer);
  }

  /** A call is answered with an effect whatever is wrong with it: what cannot be decided is denied. */
  #call(head: JsonObject, name: string, number: number, { tool, args = {}, approvals = [], expect }: NonNullable<TraceLine["call"]> & Pick<TraceLine, "expect">): TrialAnswer {
    const session = this.#sessions.get(name);
    if (!session) return { answer: { ...head, ...denied("unauthenticated", unopened(name)), error: unopened(name) }, isBad: true };
    const guessed = this.#guesser?.meet(tool, args) === true && { guessed: true };
    const snapshot = this.#world.snapshot();
    let action: Action;
    try {
      action = actionOf(tool, args);
    } catch (error) {
      if (error instanceof Fault) return { answer: { ...head, ...denied(error.code, error.message) }, isBad: false };
      throw error;
    }
    for (const { reservation } of session.running.splice(0)) reservation.settle({ status: "uncertain", answer: null, durationUs: 0 }); // No line told how they ended.
    const given = session.given.get(action.digest) ?? null;
    const isGood = given !== null && this.#clock.nowMs() < given.untilMs;
    const approvalBy = (more: readonly string[]): Approval | null => {
      const groups = [...new Set([...approvals, ...more])].sort();
      return groups.length === 0 ? null : { id: "trial", groups, bound: { bundle: snapshot.hash, definition: null, transforms: [], reasons: [], values: [], facts: "" }, given: [], said: [] };
    };
    const world = this.#world;
    const stages = {
      gather: gathering({ config: () => world.config, catalog: world, clock: this.#clock, classifier: () => this.#classifier, flow: this.#flow, history: this.#history }),
      reserve: this.#budgets.reserve,
      conceal: this.#concealing.conceal,
      decide: (input: DecisionInput) => ruled(snapshot, input),
      unforeseen: (_action: Action, error: unknown) => {
        throw error; // A trial is there to find it.
      },
    };
    const first = rule(stages, action, session.principal, approvalBy(isGood ? given.groups : []), () => null);
    const isOther = isGood && (first.facts === null || changedIn(given.bound, boundOf(first.facts, first.ruling)) !== null);
    if (isOther) first.reservation?.[Symbol.dispose]();
    const { ruling, by, why, facts, changed, reservation } = isOther ? rule(stages, action, session.principal, approvalBy([]), () => null) : first;
    const { decision } = ruling;
    if (decision.effect === "allow" && reservation) session.running.push({ tool, line: Number(head["line"]), reservation, facts });
    else reservation?.[Symbol.dispose]();
    if (by === "policy" && facts) {
      this.#happened(number, facts.input, decision);
      this.#flow.decided(session.principal, action.digest, decision.effect);
    }
    if (decision.effect === "ask" && facts) session.asked = { digest: action.digest, action: action.name, approvers: decision.approvers, bound: boundOf(facts, ruling), atMs: this.#clock.nowMs(), isMeant: expect === "allow" || expect === "allow-or-ask" };
    if (given !== null && (!isGood || isOther)) session.given.delete(action.digest);
    if (decision.effect === "allow") {
      session.given.delete(action.digest); // good for one call
      noting(this.#flow, () => this.#world.config).say(changed, session, { seq: Number(head["line"]) }, facts);
      if (session.asked?.digest === action.digest) session.asked = null;
    }
    if (by !== "policy") return { answer: { ...head, ...denied(by, why) }, isBad: false };
    const reasons = decision.reasons.map(({ policy, text, remedy }) => ({ policy, text, remedy }));
    const remedies = [...new Set(reasons.flatMap(({ remedy }) => (remedy === "" ? [] : [remedy])))].sort();
    const answer = { ...head, effect: decision.effect, by, reasons, remedies, approvers: [...decision.approvers], ...(decision.transforms && { transforms: [...decision.transforms], args: changed.args }), errors: decision.errors.map(({ policy, message }) => ({ policy, message })), ...guessed };
    return this.#explain && facts ? { answer: { ...answer, explain: snapshot.explain(facts.input) as unknown as Json }, isBad: false, input: facts.input } : { answer, isBad: false };
  }

  /** A decision is an event for those that follow; its end comes with its result. */
  #happened(number: number, input: DecisionInput, decision: Decision): void {
    this.#history.decided(input, decision);
    this.#history.begun(number, input, decision);
    if (decision.effect !== "allow") return;
    const key = `${input.session.id} ${input.action}`;
    this.#open.set(key, [...(this.#open.get(key) ?? []), number]);
  }

  /** What came back from a server, as the agent would get it: passed on, or withheld. What passes was read by the session; the line is its place. */
  #result({ tool, content, structuredContent, isError }: NonNullable<TraceLine["result"]>, session: TrialSession, line: number): JsonObject {
    const blocks: Json = typeof content === "string" ? [{ type: "text", text: content }] : isObject(content) ? [content] : content;
    const answer: Answer = { result: { content: blocks, ...(structuredContent && { structuredContent }), ...(isError !== undefined && { isError }) } };
    const at = session.running.findIndex((call) => call.tool === tool);
    const ended = at < 0 ? [] : session.running.splice(at, 1);
    const { asked } = session;
    if (asked?.isMeant && asked.action === tool) this.#flow.decided(session.principal, asked.digest, "allow"); // Whoever wrote what came back of it means that people said yes.
    for (const { reservation } of ended) reservation.settle({ status: isError === true ? "failed" : "done", answer, durationUs: 0 });
    try {
      const action = actionOf(tool, {});
      const passed = inspect({ limits: this.#world.config.limits }, action, answer);
      noting(this.#flow, () => this.#world.config).learn(action, passed, session, { seq: line, said: ended[0]?.line ?? line }, ended[0]?.facts ?? null);
      this.#ended(`${session.principal.session} ${action.name}`, isError === true ? "failed" : "done", passed);
      return { result: "passed" };
    } catch (error) {
      if (error instanceof Fault && error.code === "result_withheld") this.#ended(`${session.principal.session} ${tool}`, "done", null);
      if (error instanceof Fault && error.code === "result_withheld") return { result: "withheld", why: error.message };
      throw error;
    }
  }
}

/** Questions to history are answered from the trace alone: nothing is read that could go wrong. */
const unheard: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

const judged = (answered: TrialAnswer, { session = "", expect }: TraceLine): TrialAnswer => {
  const { effect, reasons } = answered.answer as { effect: Effect; reasons: { policy: string }[] };
  return { ...answered, judged: { session, effect, expect, policies: reasons.map(({ policy }) => policy) } };
};

/** People said yes to the call that was asked for last: the identical call goes through, once, whatever comes between. */
const approved = (session: TrialSession, groups: readonly string[], lastsMs: number): JsonObject => {
  if (session.asked === null) throw new Fault("conflict", `the last call of session \`${session.principal.session}\` did not ask for anything`);
  const { digest, action, approvers, bound, atMs } = session.asked;
  const stranger = groups.find((group) => !approvers.includes(group));
  if (stranger !== undefined) throw new Fault("forbidden", `\`${stranger}\` was not asked about \`${action}\`; asked were ${approvers.join(", ")}`);
  const given = [...new Set([...(session.given.get(digest)?.groups ?? []), ...groups])].sort();
  session.given.set(digest, { groups: given, bound, untilMs: atMs + lastsMs });
  return { approved: action, groups: given };
};

/** Refused by a step before policy was asked, with what to do about it. */
const denied = (code: ErrorCode, why: string): JsonObject => ({
  effect: "deny",
  by: code,
  reasons: [],
  remedies: [],
  approvers: [],
  errors: [{ policy: `lanyard.${code}`, message: why }],
});

/** `<server>/<tool>`, or `<server>/mcp:<method>` for any other request. Throws Fault `malformed_call`. */
const actionOf = (name: string, args: JsonObject): Action => {
  const [, server = "", tool = ""] = /^([^/]+)\/(.+)$/s.exec(name) ?? [];
  if (server === "") throw new Fault("malformed_call", `\`${name}\` is no \`<server>/<tool>\``);
  const base = { token: null, audience: "mcp", server, exchange: nobody } as const;
  if (server === webServer) return normalise({ ...base, method: tool, tool, params: completeWebArguments(tool, args) });
  if (tool.startsWith("mcp:")) return normalise({ ...base, method: tool.slice(4), params: args });
  return normalise({ ...base, method: "tools/call", tool, params: { name: tool, arguments: args } });
};
