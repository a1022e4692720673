import { Fault, type Action, type ErrorCode, type Principal } from "@lanyard/contract";
import { boundOf, changedIn } from "../base/bound.ts";
import type { Answer, Exchange } from "../base/exchange.ts";
import type { Allowed, Approval, Bound, Facts, InboundCall, Intent, Lease, OutcomeStatus, Passage, Pin, Reservation, UndoPlan, Ruling } from "../base/path.ts";
import { asDecided, withNotice } from "./changed.ts";
import { normalise } from "./normalise.ts";
import { refusal } from "./refusal.ts";
import type { Reply, Stages } from "./stages.ts";

/**
 * The path of one action, with every branch of the product and nothing else. Throws Fault only before anything is decided (no session,
 * malformed call, no free place, ledger down); from the intent on, a refusal is a value.
 */
export async function mediate(stages: Stages, call: InboundCall): Promise<Reply> {
  const principal = stages.identify(call.token, call.audience);
  const action = normalise(call);
  using _place = stages.admit(principal);
  using passage = stages.enter(action, principal, call.exchange);
  await recalled(stages, principal);
  let approval = call.released ? call.released.approval : stages.claim(principal, action);
  const staged = ({ input }: Facts): Pin["refuse"] => (call.released || input.reversibility === "read" ? null : stages.staged(principal, action));
  for (let held = false; ; ) {
    const verdict = rule(stages, action, principal, approval, (facts) => stages.standing(passage, facts) ?? staged(facts) ?? stages.vet(action, principal, passage.exchange));
    using reservation = verdict.reservation; // What it takes of budgets is given back whichever way this turn ends, unless the call was carried out.
    const changed = approval && changedSince(approval, verdict);
    if (approval && changed) {
      stages.unclaim(approval, changed);
      approval = null;
      continue; // Invariant: I6, whatever changed since the approval was given, the call is decided anew without it.
    }
    const intent = await intend(stages, action, principal, verdict, approval);
    if (verdict.ruling.decision.effect === "allow") {
      const waits = call.released || !verdict.facts ? null : await stageOf(stages, verdict, passage, intent, verdict.facts, approval); // what is kept is the call as it was sent: policy changes it anew
      if (waits) return waits;
      return await carryOut(stages, verdict, passage, intent, approval); // awaited: the place is kept until the end
    }
    reservation?.[Symbol.dispose](); // Who waits for people takes nothing from those who do not.
    if (approval) stages.unclaim(approval, "unused");
    if (verdict.ruling.decision.effect === "deny" || !verdict.facts) return refusal.denied(action, intent, verdict.ruling, verdict.by, verdict.why);
    if (held) return refusal.askedAgain(action, intent);
    held = true;
    const hold = await stages.hold(action, principal, intent, verdict.facts, verdict.ruling, passage.exchange);
    if (hold.kind === "void" || (passage.cut && hold.kind === "pending")) continue; // Stopped meanwhile, it is decided anew, which says so and records it.
    if (hold.kind !== "approved") return refusal.held(action, intent, verdict.ruling, hold);
    approval = hold.approval;
  }
}

/** What a call waits for before anything is decided. What fails here fails again when facts are gathered, and that is on record. */
async function recalled(stages: Stages, principal: Principal): Promise<void> {
  try {
    await stages.recall(principal);
  } catch {
    return;
  }
}

interface Verdict {
  readonly facts: Facts | null;
  readonly ruling: Ruling;
  /** `policy`, or the code of the step that refused before policy was asked. */
  readonly by: ErrorCode | "policy";
  /** Public words of that step; empty when policy decided. */
  readonly why: string;
  /** The action as policy lets it happen: with its arguments changed where the decision says so. */
  readonly changed: Action;
  /** What the call takes of budgets; null when it is refused before policy was asked. */
  readonly reservation: Reservation | null;
}

const denyBefore = (action: Action, facts: Facts | null, code: ErrorCode, why: string): Verdict => ({
  changed: action,
  facts,
  ruling: { decision: { effect: "deny", reasons: [], approvers: [], errors: [] }, bundle: null, reasons: [] },
  by: code,
  why,
  reservation: null,
});

/** Steps 4 and 5; `vet` says what no policy can allow. Invariant: I5, a throw before execution means deny, recorded. */
export function rule(stages: Pick<Stages, "gather" | "reserve" | "decide" | "conceal" | "unforeseen">, action: Action, principal: Principal, approval: Approval | null, vet: (facts: Facts) => Pin["refuse"]): Verdict {
  let facts: Facts | null = null;
  let reservation: Reservation | null = null;
  const deny = (code: ErrorCode, why: string): Verdict => {
    reservation?.[Symbol.dispose]();
    return denyBefore(action, facts, code, why);
  };
  try {
    facts = stages.gather(action, principal, approval);
    const refuse = facts.pin.refuse ?? vet(facts);
    if (refuse) return deny(refuse.code, refuse.text);
    reservation = stages.reserve(action, principal, facts);
    if (reservation.budget) facts = { ...facts, input: { ...facts.input, budget: reservation.budget } };
    if (reservation.refuse) return deny(reservation.refuse.code, reservation.refuse.text);
    const ruling = stages.decide(facts.input);
    const changed = asDecided(action, ruling.decision, stages.conceal(principal, facts));
    if (changed === action) return { facts, ruling, by: "policy", why: "", changed, reservation };
    const then = stages.gather(changed, principal, approval);
    // Policy decided about a call that can be taken back so far; changed arguments may be another case of the tool's contract.
    if (then.input.reversibility !== facts.input.reversibility) return deny("denied", `policy would change \`${action.name}\` into a call that cannot be taken back as far as it decided about`);
    reservation[Symbol.dispose](); // Nothing waits between this line and the next: changed arguments may move more, or less.
    reservation = stages.reserve(changed, principal, then);
    return reservation.refuse ? deny(reservation.refuse.code, reservation.refuse.text) : { facts, ruling, by: "policy", why: "", changed, reservation };
  } catch (error) {
    if (error instanceof Fault) return deny(error.code, error.message);
    stages.unforeseen(action, error);
    return deny(facts ? "engine_unavailable" : "facts_unavailable", `an internal error while deciding \`${action.name}\``);
  }
}

/** What is not as it was when people said yes; null when they said yes to this. */
const changedSince = ({ bound }: Approval, { facts, ruling }: Verdict): keyof Bound | null => (facts === null ? "facts" : changedIn(bound, boundOf(facts, ruling)));

/** A call that is staged has not happened: its intent ends here, and when its time has come it is decided anew. Null when it is not to be staged. */
async function stageOf(stages: Stages, { changed, reservation }: Verdict, { action, principal, cut }: Passage, intent: Intent, facts: Facts, approval: Approval | null): Promise<Reply | null> {
  if (facts.input.reversibility === "read") return null;
  const startedUs = stages.monotonicUs();
  const end = (code: ErrorCode): void => void stages.conclude(intent, principal, "refused", code, null, startedUs, reservation);
  try {
    if (cut) throw cut; // Stopped since it was decided: what a stop voids must not come after it.
    const card = await stages.stage(action, changed, principal, intent, facts, approval);
    if (card) {
      reservation?.stage(card.id);
      end("staged");
    }
    return card && refusal.staged(action, intent, card);
  } catch (error) {
    if (!(error instanceof Fault)) stages.unforeseen(action, error);
    const fault = error instanceof Fault ? error : new Fault("internal", `an internal error while staging \`${action.name}\``, { cause: error });
    end(fault.code);
    return refusal.unreached(action, intent, fault);
  }
}

/** Step 6. A claimed approval is given back when the intent that would have spent it could not be written. */
async function intend(stages: Stages, action: Action, principal: Principal, verdict: Verdict, approval: Approval | null): Promise<Intent> {
  try {
    return await stages.intend(action, principal, verdict.facts, verdict.ruling, verdict.by, approval, verdict.reservation);
  } catch (error) {
    if (approval) stages.unclaim(approval, "unused");
    throw error;
  }
}

/** Faults that only what certainly had no effect ends with. */
const unreached: ReadonlySet<ErrorCode> = new Set(["upstream_unavailable", "quarantined", "no_credential", "address_refused", "no_preimage", "not_tokenised", "stopped", "session_quarantined"]);

/** Step 8. Nothing has happened when it fails, whatever it fails with. */
async function lend(stages: Stages, action: Action, principal: Principal, intent: Intent, exchange: Exchange): Promise<Lease> {
  try {
    return await stages.lease(action, principal, intent, exchange);
  } catch (error) {
    if (error instanceof Fault && error.code === "no_credential") throw error;
    stages.unforeseen(action, error);
    throw new Fault("no_credential", `an internal error while lending what \`${action.name}\` needs`, { cause: error });
  }
}

/** What an action that changes something needs so that it can be taken back. Nothing has happened when it fails, whatever it fails with. */
async function planned(stages: Stages, action: Action, { principal, exchange }: Passage, intent: Intent, facts: Facts | null, lease: Lease): Promise<UndoPlan | null> {
  if (facts === null || facts.input.reversibility === "read") return null;
  try {
    return await stages.plan(action, principal, intent, facts, exchange, lease);
  } catch (error) {
    if (error instanceof Fault && error.code === "no_preimage") throw error;
    stages.unforeseen(action, error);
    throw new Fault("no_preimage", `the way back of \`${action.name}\` could not be written down`, { cause: error });
  }
}

/** Steps 8 to 11. Once execution has begun, a throw is no refusal: unless the server certainly never got the call, it is uncertain. */
async function carryOut(stages: Stages, { changed: action, facts, ruling: { decision }, reservation }: Verdict, passage: Passage, intent: Intent, approval: Approval | null): Promise<Reply> {
  const { principal, exchange } = passage;
  const allowed: Allowed = { decision, facts };
  const startedUs = stages.monotonicUs();
  let ending: { status: OutcomeStatus; code: ErrorCode | ""; answer: Answer | null } = { status: "uncertain", code: "uncertain", answer: null };
  try {
    using lease = await lend(stages, action, principal, intent, exchange); // Invariant: I7, it ends with the action, however that ends.
    await using plan = await planned(stages, action, passage, intent, facts, lease);
    await stages.remember(passage.action.args, principal, allowed);
    stages.say(action, passage, intent, facts);
    stages.look(passage, action); // Nothing waits between this line and the next.
    const raw = await stages.execute(action, principal, stages.line(exchange, action, principal, allowed), lease);
    await plan?.answered(raw);
    const status = "error" in raw || raw.result["isError"] === true ? "failed" : "done";
    ending = { status, code: "result_withheld", answer: null };
    const inspected = await stages.inspect(action, raw, passage, allowed); // Invariant: I8, nothing of a result passes before this line.
    const answer = stages.learn(action, inspected, passage, intent, facts);
    ending = { status, code: "", answer };
    if (exchange.deliver) {
      const { answer: whole, code } = await exchange.deliver(answer);
      ending = passage.cut ? { status: "uncertain", code: passage.cut.code, answer: whole } : { status: code === "" ? status : "failed", code, answer: whole };
    }
    return { kind: "done", answer: withNotice(answer, decision, approval), intent };
  } catch (error) {
    if (!(error instanceof Fault)) stages.unforeseen(action, error);
    if (ending.code === "result_withheld") return refusal.withheld(action, intent, error);
    if (error instanceof Fault && unreached.has(error.code)) {
      const why = passage.cut ?? error;
      ending = { status: "refused", code: why.code, answer: null };
      return refusal.unreached(action, intent, why);
    }
    const why = passage.cut ?? error;
    if (why instanceof Fault) ending = { status: "uncertain", code: why.code, answer: null };
    return refusal.uncertain(action, intent, why);
  } finally {
    // Not awaited: the outcome shares its sync with the next intent. Until it is written the intent counts as open (I2), also after a crash.
    void stages.conclude(intent, principal, ending.status, ending.code, ending.answer, startedUs, reservation);
  }
}
