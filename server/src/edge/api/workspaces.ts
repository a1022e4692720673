import { Fault, type JsonObject } from "@lanyard/contract";
import type { ProposalSize, WorkspaceCard } from "../../stages/proposal/proposals.ts";
import type { ApiCall, Handler } from "./handler.ts";
import type { Rooms } from "./rooms.ts";

type Verb = "open" | "propose" | "gates" | "approve" | "apply" | "revert" | "outcome" | "discard" | "list";

export const workspaceHandlers = ({ workspaces, identity }: Rooms): Record<`workspace_${Verb}`, Handler> => {
  const shown = (card: WorkspaceCard): JsonObject => ({ ...(card as unknown as JsonObject), lacking: workspaces.lacking(card) });
  const answer = async (card: Promise<WorkspaceCard>): Promise<{ json: JsonObject }> => ({ json: shown(await card) });
  return {
    workspace_open: (call) => {
      const id = own(call);
      const session = identity.sessions().find(({ principal }) => principal.session === id)?.principal;
      if (!session) throw new Fault("not_found", `no session \`${id}\` is open`);
      return answer(workspaces.open({ session: id, agent: session.agent, user: session.user }, call.body as { base: string; files: number; bytes: number; left: number }));
    },
    workspace_propose: (call) => {
      const { proposal, folder, paths, ...size } = call.body as unknown as ProposalSize & { proposal: string; folder: string; paths: string[] };
      return answer(workspaces.propose(own(call), proposal, size, { folder, paths }));
    },
    workspace_gates: ({ at, body, actor }) => {
      const { proposal, gates, needs } = body as unknown as Pick<WorkspaceCard, "gates" | "needs"> & { proposal: string };
      return answer(workspaces.judge(at["id"] ?? "", proposal, gates, needs, actor));
    },
    workspace_approve: ({ caller, at, body }) => {
      if (typeof caller === "string" || caller.kind !== "user") throw new Fault("forbidden", "a user approves, as oneself");
      return answer(workspaces.approve(at["id"] ?? "", String(body["proposal"]), caller.name));
    },
    workspace_apply: ({ at, body, actor }) => answer(workspaces.apply(at["id"] ?? "", String(body["proposal"]), actor)),
    workspace_revert: ({ at, body, actor }) => answer(workspaces.revert(at["id"] ?? "", String(body["proposal"]), actor)),
    workspace_outcome: ({ at, body, actor }) => answer(workspaces.conclude(at["id"] ?? "", body["status"] === "done" ? "done" : "refused", String(body["code"]), actor)),
    workspace_discard: async ({ at, actor }) => {
      await workspaces.discard(at["id"] ?? "", actor);
      return { json: { session: at["id"] ?? "", discarded: true } };
    },
    workspace_list: () => ({ json: { workspaces: workspaces.list().map(shown), gates: workspaces.gates() } }),
  };
};

/** A session speaks of its own workspace alone. */
function own({ caller, at }: ApiCall): string {
  const id = at["id"] ?? "";
  if (typeof caller !== "string" && caller.kind === "session" && caller.principal.session !== id) throw new Fault("forbidden", `a session's token is for its own workspace, not that of \`${id}\``);
  return id;
}
