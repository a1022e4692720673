import type { Effect } from "@lanyard/contract";
import type { Side } from "../../mediation/changes.ts";
import type { ApiCall, Handler } from "./handler.ts";
import type { Rooms } from "./rooms.ts";

const askerOf = ({ caller }: ApiCall): string | null => (typeof caller !== "string" && caller.kind === "user" ? caller.name : null);

/** Questions about a change of policies, answered from recorded calls. Reading those is itself recorded before anything is shown. */
export const changeHandlers = ({ changes, store }: Rooms): Record<"policy_diff" | "policy_suggest", Handler> => {
  const recordRead = (by: string, what: string) => store.append({ type: "access.read", by, what, from: 0, to: Math.max(0, store.size() - 1), times: 1 });
  return {
    policy_diff: async (call) => {
      const { before, after, since_ms, bundles } = call.body as unknown as { before: Side; after: Side; since_ms?: number; bundles?: boolean };
      const diff = await changes.diff(askerOf(call), { before, after, sinceMs: since_ms ?? null, bundles: bundles ?? false });
      if (since_ms !== undefined) await recordRead(call.actor, "policy diff");
      return { lines: diff.report() };
    },
    policy_suggest: async (call) => {
      const { session, effect } = call.body as { session: string; effect?: Effect };
      await recordRead(call.actor, `policy suggest ${session.slice(0, 200)}`);
      return { json: await changes.suggest(askerOf(call), session, effect) };
    },
  };
};
