import { Fault } from "@lanyard/contract";
import type { UndoReport } from "../../stages/undo/undo.ts";
import type { ApiCall, Handler } from "./handler.ts";
import type { Rooms } from "./rooms.ts";

export const undoHandlers = ({ undo, held }: Rooms): Record<"undo" | "held_list" | "held_withdraw", Handler> => ({
  held_list: ({ caller }) => {
    const who = oneself(caller);
    return { json: { held: who === "operator" ? held.list() : held.list(who) } };
  },
  held_withdraw: async ({ caller, at, actor }) => ({ json: { ...(await held.withdraw(at["id"] ?? "", oneself(caller), actor)), withdrawn: true } }),
  undo: async (call) => {
    const { at, body, actor } = call;
    undo.mayAsk(person(call));
    const reports = undo.run(at["id"] ?? "", { to: typeof body["to"] === "number" ? body["to"] : null, dry: body["dry_run"] === true, by: actor });
    const first = await reports.next(); // What refuses all of it is an answer of its own, not the first line of one.
    return { lines: first.done ? empty() : after(first.value, reports) };
  },
});

function oneself(caller: ApiCall["caller"]): "operator" | { readonly session: string } | { readonly user: string } {
  if (caller === "operator") return caller;
  if (caller === "anyone" || caller.kind === "agent") throw new Fault("forbidden", "what is staged is seen by the operator, a user or its session");
  return caller.kind === "session" ? { session: caller.principal.session } : { user: caller.name };
}

/** Others never get past the roles of this route; this is the type's proof of it. */
function person({ caller }: ApiCall): "operator" | { readonly user: string } {
  if (caller === "operator") return caller;
  if (caller === "anyone" || caller.kind !== "user") throw new Fault("forbidden", "the operator or a user takes back what an agent did; an agent does not");
  return { user: caller.name };
}

async function* empty(): AsyncGenerator<UndoReport> {}

/** Whoever asked may go away: what was begun is ended all the same. */
async function* after(first: UndoReport, rest: AsyncGenerator<UndoReport>): AsyncGenerator<UndoReport> {
  let ended = false;
  try {
    yield first;
    for (let next = await rest.next(); !next.done; next = await rest.next()) yield next.value;
    ended = true;
  } finally {
    if (!ended) while (!(await rest.next()).done);
  }
}
