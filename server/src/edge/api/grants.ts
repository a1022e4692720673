import { Fault, type JsonObject } from "@lanyard/contract";
import { userOf, type ApiCall, type Handler } from "./handler.ts";
import type { Rooms } from "./rooms.ts";

type GrantRoute = "grant_list" | "grant_draft" | "grant_give" | "grant_join" | "grant_revoke";

export const grantHandlers = ({ approvals }: Rooms): Record<GrantRoute, Handler> => ({
  grant_list: ({ caller }) => ({ json: { grants: approvals.grants.list(userOf(caller)) } }),
  grant_draft: ({ caller, body }) => ({ json: approvals.draftGrant(String(body["approval"]), wishOf(body), oneself(caller)) }),
  grant_give: async ({ caller, body }) => ({ json: await approvals.giveGrant(String(body["approval"]), wishOf(body), { user: oneself(caller), via: null }, String(body["shown"])) }),
  grant_join: async ({ caller, at, body }) => ({ json: await approvals.joinGrant(at["id"] ?? "", { user: oneself(caller), via: null }, String(body["shown"])) }),
  grant_revoke: async ({ caller, actor, at }) => {
    const id = at["id"] ?? "";
    await approvals.grants.revoke(id, userOf(caller) ?? null, actor);
    return { json: { revoked: id } };
  },
});

const oneself = (caller: ApiCall["caller"]): string => {
  const user = userOf(caller);
  if (user === undefined) throw new Fault("forbidden", "a user gives a grant, as oneself");
  return user;
};

const wishOf = ({ times, until_ms: untilMs, like, any }: JsonObject) => ({
  times: Number(times),
  untilMs: Number(untilMs),
  like: (like ?? {}) as Readonly<Record<string, string>>,
  any: (any ?? []) as readonly string[],
});
