import type { HostPattern } from "../../base/config/credentials.ts";
import type { CredentialRow } from "../../stages/credential/credential.ts";
import type { Handler } from "./handler.ts";
import type { Rooms } from "./rooms.ts";

export const lendingHandlers = ({ credentials }: Rooms): Record<"lending_list" | "lending_revoke" | "lending_restore" | "server_login" | "server_login_finish" | "server_logout", Handler> => ({
  lending_list: () => ({ json: { credentials: credentials.list().map(row) } }),
  lending_revoke: async ({ actor, body }) => {
    await credentials.revoke(String(body["name"]), actor);
    return { json: { name: body["name"], revoked: true } };
  },
  lending_restore: async ({ actor, body }) => {
    await credentials.restore(String(body["name"]), actor);
    return { json: { name: body["name"], revoked: false } };
  },
  server_login: async ({ body }) => ({ json: await credentials.tokens.begin(String(body["server"]), String(body["redirect_uri"])) }),
  server_login_finish: async ({ actor, body }) => {
    const { server, issuer, expiresAtMs } = await credentials.tokens.finish(String(body["callback"]), actor);
    return { json: { server, issuer, expires_at_ms: expiresAtMs } };
  },
  server_logout: async ({ actor, body }) => {
    await credentials.tokens.forget(String(body["server"]), actor);
    return { json: { server: body["server"], logged_in: false } };
  },
});

const row = ({ name, entry: { from, serves, inject, as }, problem, uses, lastUsedMs, revokedBy }: CredentialRow): object => ({
  name,
  from: from.kind,
  hosts: serves.hosts.map(originOf),
  paths: serves.paths,
  methods: serves.methods,
  servers: serves.servers,
  agents: serves.agents,
  inject: inject?.kind ?? null,
  as,
  /** `failing`: it could not be had when it was needed last. */
  state: revokedBy !== null ? "revoked" : problem !== null ? "failing" : "ready",
  problem,
  revoked_by: revokedBy,
  uses,
  last_used_ms: lastUsedMs,
});

const originOf = ({ scheme, host, port }: HostPattern): string => `${scheme}://${host}${port === (scheme === "https" ? 443 : 80) ? "" : `:${port}`}`;
