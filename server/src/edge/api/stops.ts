import { Fault, type StopKind, type StopSubject, type StopSubjectKind } from "@lanyard/contract";
import type { StopActor } from "../../stages/stop/stop.ts";
import type { StopOrder } from "../../stages/stop/orders.ts";
import type { ApiCall, Handler } from "./handler.ts";
import type { Rooms } from "./rooms.ts";

export const stopHandlers = ({ stop }: Rooms): Record<"stop_list" | "stop_order" | "stop_lift", Handler> => ({
  stop_list: () => ({ json: { stops: stop.list().map((order) => ({ ...row(order), recorded: order.recorded })) } }),
  stop_order: async ({ caller, body }) => {
    const { order, ...effect } = await stop.order(body["kind"] as StopKind, subjectOf(body), String(body["why"]), person(caller));
    return { json: { ...row(order), ...effect } };
  },
  stop_lift: async ({ caller, body }) => {
    const { lifted, orders } = await stop.lift(subjectOf(body), person(caller));
    return { json: { lifted, stops: orders.map(row) } };
  },
});

/** Others never get past the roles of these routes; this is the type's proof of it. */
function person(caller: ApiCall["caller"]): StopActor {
  if (caller === "operator") return caller;
  if (caller === "anyone" || caller.kind !== "user") throw new Fault("forbidden", "the operator or a user stops and resumes; an agent does neither");
  return { kind: "user", name: caller.name };
}

/** Throws Fault `invalid_request`. */
function subjectOf({ subject, name }: ApiCall["body"]): StopSubject {
  const kind = subject as StopSubjectKind;
  if (kind === "all" && name !== undefined && name !== "all") throw new Fault("invalid_request", "`all` takes no name");
  if (kind !== "all" && name === undefined) throw new Fault("invalid_request", `\`name\` is missing: which ${kind}`);
  return { kind, name: kind === "all" ? "all" : String(name) };
}

const row = ({ id, kind, subject, by, why, atMs, approved }: StopOrder): object => ({ id, kind, subject: subject.kind, name: subject.name, by, why, at_ms: atMs, approved_by: approved?.by ?? null });
