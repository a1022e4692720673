import type { LedgerRecord } from "@lanyard/contract";

const whom = ({ kind, name }: { readonly kind: string; readonly name: string }): string => (kind === "all" ? "EVERYTHING" : `${kind} ${name}`);
const paged = ({ people, channels }: { readonly people: readonly string[]; readonly channels: readonly string[] }): string => people.join(", ") || channels.join(", ") || "nobody";
const times = (count: number): string => (count > 1 ? `, it came ${count} times` : "");

/** A record about what people or breakers did to stop an agent, to take back what it did, and whom it was told to, in words; null for any other. */
export function handsLine(line: LedgerRecord): string | null {
  switch (line.type) {
    case "breaker.trip":
      return `BREAKER ${line.breaker} tripped by agent ${line.agent}, session ${line.session}: ${line.what ?? `${line.count} of ${line.limit}`}, order ${line.order}`;
    case "stop.order":
      return `${line.kind === "stop" ? "STOPPED" : "QUARANTINED"}: ${whom(line.subject)}, by ${line.by} (${line.why}), order ${line.id}: sessions ${line.sessions}, calls cancelled ${line.cancelled}, approvals voided ${line.voided}`;
    case "stop.approve":
      return `order ${line.id}: ${line.by} says that it may be lifted; a second person must say so too`;
    case "stop.lift":
      return `${whom(line.subject)} goes on, by ${line.by}${line.second === null ? "" : ` and ${line.second}`}; order ${line.id} is lifted`;
    case "undo.plan":
      return `      plan to take back the call of ${line.of}: ${line.class}${line.read ? "" : ", its state could NOT be read"}`;
    case "undo.begin":
      return `UNDO of session ${line.session} by ${line.by}: ${line.actions} actions${line.to === null ? "" : `, down to entry ${line.to}`}`;
    case "undo.step":
      return `      the call of ${line.of}: ${line.verdict} (${line.why})`;
    case "undo.end":
      return `undo of session ${line.session} ended: restored ${line.restored}, with residue ${line.residue}, refused ${line.refused}, failed ${line.failed}`;
    case "alert.raise":
      return `ALERT ${line.id} (${line.severity}): ${line.condition}, ${line.subject}, ${line.held ? "held by quiet hours" : `paged ${paged(line)}`}`;
    case "alert.escalate":
      return `alert ${line.id}: page ${line.page} to ${paged(line)}`;
    case "alert.acknowledge":
      return `alert ${line.id} acknowledged by ${line.by}`;
    case "alert.resolve":
      return `alert ${line.id} is over${times(line.times)}`;
    default:
      return backLine(line);
  }
}

/** A record about taking back, or holding back, what an agent did; null for any other. */
function backLine(line: LedgerRecord): string | null {
  switch (line.type) {
    case "undo.plan":
      return `      way back of ${line.of} kept, ${line.class}${line.read ? "" : "; its state could not be read"}`;
    case "undo.settle":
      return `      state after ${line.of}: ${line.seen}`;
    case "undo.begin":
      return `UNDO ${line.undo} of session ${line.session} by ${line.by}: ${line.actions} actions${line.to === null ? "" : ` after ${line.to}`}, as session ${line.as}`;
    case "undo.call":
      return `      ${line.calls} calls made to take ${line.of} back`;
    case "undo.step":
      return `      ${line.of} ${line.verdict === "failed" ? "NOT TAKEN BACK" : line.verdict}: ${line.why}`;
    case "undo.end":
      return `undo ${line.undo} ended: restored ${line.restored}, with residue ${line.residue}, refused ${line.refused}, failed ${line.failed}`;
    case "held.stage":
      return `      ${line.action} staged as ${line.id} until ${new Date(line.until_ms).toISOString()}, allowed by ${line.of}`;
    case "held.withdraw":
      return `staged ${line.id} withdrawn by ${line.by}`;
    case "held.void":
      return `staged ${line.id} voided: ${line.why}`;
    case "held.release":
      return `staged ${line.id}: its time has come${line.erased ? ", and nothing of it is left" : ""}`;
    case "held.outcome":
      return `staged ${line.id} ended: ${line.status}${line.code ? ` (${line.code})` : ""}${line.of === null ? "" : `, the call of ${line.of}`}`;
    default:
      return null;
  }
}
