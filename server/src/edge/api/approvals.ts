import { Fault } from "@lanyard/contract";
import type { Handler } from "./handler.ts";
import type { Rooms } from "./rooms.ts";

export const approvalHandlers = ({ approvals }: Rooms): Record<"approval_list" | "approval_decide", Handler> => ({
  approval_list: ({ caller }) => ({ json: { approvals: approvals.list(typeof caller !== "string" && caller.kind === "user" ? caller.name : undefined) } }),
  approval_decide: async ({ caller, at, body }) => {
    if (typeof caller === "string" || caller.kind !== "user") throw new Fault("forbidden", "a user approves or denies, as oneself");
    const verdict = body["verdict"] === "approve" ? "approve" : "deny";
    const digest = body["digest"] === undefined ? undefined : String(body["digest"]);
    return { json: await approvals.decide(at["id"] ?? "", verdict, { user: caller.name, via: null }, String(body["comment"] ?? ""), digest) };
  },
});
