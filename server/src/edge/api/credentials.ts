import type { Handler } from "./handler.ts";
import type { Rooms } from "./rooms.ts";

type CredentialRoute = "credential_issue" | "credential_list" | "credential_revoke";

export const credentialHandlers = ({ identity }: Rooms): Record<CredentialRoute, Handler> => ({
  credential_issue: async ({ actor, body }) => {
    const { kind, name } = body as { kind: "agent" | "user"; name: string };
    const { key, secret } = await identity.issue(kind, name, actor);
    return { json: { kind, name, key, secret } };
  },
  credential_list: () => ({
    json: { credentials: identity.credentials().map(({ key, kind, name, issuedAtMs, by }) => ({ key, kind, name, issued_at_ms: issuedAtMs, by })) },
  }),
  credential_revoke: async ({ actor, at }) => {
    const key = at["id"] ?? "";
    await identity.revoke(key, actor);
    return { json: { key, revoked: true } };
  },
});
