import { Fault, type Isolation } from "@lanyard/contract";
import type { Voucher } from "../../stages/flow/vouching.ts";
import type { Session } from "../../stages/identity/sessions.ts";
import type { SessionRequest } from "../../stages/identity/opening.ts";
import type { ApiCall, Handler } from "./handler.ts";
import type { Rooms } from "./rooms.ts";

export const sessionHandlers = ({ identity, credentials, vouching, url, egressCa }: Rooms): Record<"session_open" | "session_list" | "session_close" | "session_task" | "session_declassify", Handler> => ({
  session_open: async ({ caller, body }) => {
    const { principal, token } = await identity.open(known(caller), requestOf(body as unknown as SessionBody));
    return { json: { session: principal.session, token, expires_at_ms: principal.expiresAtMs, url: `${url()}/mcp`, egress_ca: await egressCa(principal), placeholders: credentials.placeholders(principal) } };
  },
  session_list: () => ({ json: { sessions: identity.sessions().map(row) } }),
  session_close: async ({ caller, at }) => {
    const id = at["id"] ?? "";
    await identity.close(known(caller), id, caller === "operator" ? "closed by operator" : "done");
    return { json: { session: id, closed: true } };
  },
  session_task: async ({ caller, at, body }) => {
    await vouching.task(at["id"] ?? "", String(body["text"]), voucher(caller));
    return { json: { session: at["id"] ?? "", added: true } };
  },
  session_declassify: async ({ caller, at, body }) => {
    const label = body["label"] === undefined ? null : String(body["label"]);
    await vouching.declassify(at["id"] ?? "", String(body["value"]), label, voucher(caller));
    return { json: { session: at["id"] ?? "", declassified: true, label } };
  },
});

/** Others never get past the roles of these routes; this is the type's proof of it. */
function voucher(caller: ApiCall["caller"]): Voucher {
  if (caller === "operator") return caller;
  if (caller === "anyone" || caller.kind !== "user") throw new Fault("forbidden", "the operator or a user vouches for values; an agent does not");
  return { user: caller.name };
}

/** `anyone` never gets past the roles of these routes; this is the type's proof of it. */
function known(caller: ApiCall["caller"]): Exclude<ApiCall["caller"], "anyone"> {
  if (caller === "anyone") throw new Fault("unauthenticated", "no token was sent");
  return caller;
}

interface SessionBody {
  readonly agent?: string;
  readonly on_behalf_of?: string;
  readonly purpose?: string;
  readonly minutes?: number;
  readonly audience?: string;
  readonly tools?: string[];
  readonly labels?: string[];
  readonly max_calls?: number;
  readonly isolation?: Isolation;
}

function requestOf({ on_behalf_of, max_calls, ...same }: SessionBody): SessionRequest {
  return { ...same, ...(on_behalf_of !== undefined && { onBehalfOf: on_behalf_of }), ...(max_calls !== undefined && { maxCalls: max_calls }) };
}

const row = ({ principal, mandate, openedAtMs, calls }: Session): object => ({
  session: principal.session,
  agent: principal.agent,
  user: principal.user,
  parent: principal.chain.at(-1) ?? null,
  audience: mandate.audience,
  tools: mandate.tools,
  labels: mandate.labels,
  isolation: principal.isolation,
  opened_at_ms: openedAtMs,
  expires_at_ms: mandate.expiresAtMs,
  calls,
  max_calls: mandate.maxCalls,
});
