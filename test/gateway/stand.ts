import { createServer } from "node:http";
import { createServer as createSocketServer, type AddressInfo } from "node:net";
import { join } from "node:path";
import { Fault, type Principal, type ToolDefinition } from "@lanyard/contract";
import { systemClock, type Clock } from "../../server/src/base/clock.ts";
import { defaultLimits, type Limits } from "../../server/src/base/limits.ts";
import { silent, type Log } from "../../server/src/base/log.ts";
import { Gateway } from "../../server/src/edge/gateway/gateway.ts";
import type { GatewayOptions } from "../../server/src/edge/gateway/visitor.ts";
import { mcpHttp } from "../../server/src/edge/gateway/mcp-http.ts";
import { mcpStdio } from "../../server/src/edge/gateway/mcp-stdio.ts";
import { normalise } from "../../server/src/mediation/normalise.ts";
import { refusal } from "../../server/src/mediation/refusal.ts";
import { execute } from "../../server/src/stages/execution/execute.ts";
import type { UpstreamSpec } from "../../server/src/stages/execution/upstream.ts";
import { Upstreams } from "../../server/src/stages/execution/upstreams.ts";
import { inspect } from "../../server/src/stages/inspection/inspect.ts";
import type { InboundCall } from "../../server/src/base/path.ts";
import type { Reply } from "../../server/src/mediation/stages.ts";

export interface StandOptions {
  readonly servers: readonly UpstreamSpec[];
  readonly limits?: Partial<Limits>;
  /** True: the call is denied by a policy that says "not on a Sunday". */
  readonly deny?: (call: InboundCall) => boolean;
  readonly view?: GatewayOptions["view"];
  readonly log?: Log;
  readonly clock?: Clock;
  /** Default: every session is a family of its own. */
  readonly rootOf?: (session: string) => string;
  /** Folder for the Unix socket; without it there is no stdio face. */
  readonly folder?: string;
  /** Accepts calls without a token as those of `anyone`, for suites that cannot send one. */
  readonly open?: boolean;
}

export interface Stand extends AsyncDisposable {
  readonly url: string;
  readonly socket: string;
  readonly gateway: Gateway;
  readonly upstreams: Upstreams;
  /** Each list of tools reported to the catalog. */
  readonly seen: Map<string, readonly ToolDefinition[]>;
  /** Every call that was put onto the path. */
  readonly calls: InboundCall[];
}

/** The gateway on a path that allows everything: faces, execution and inspection are the real ones, the other steps are left out. */
export async function stand(options: StandOptions): Promise<Stand> {
  const limits = { ...defaultLimits, ...options.limits };
  const { log = silent, clock = systemClock } = options;
  const seen: Stand["seen"] = new Map();
  const calls: InboundCall[] = [];
  const { PATH = "", HOME = "" } = process.env;
  const show = async (server: string, tools: readonly ToolDefinition[]) => void seen.set(server, tools);
  const servers = new Upstreams({ servers: options.servers, environment: { PATH, HOME }, clock, limits, log, rootOf: options.rootOf ?? ((session) => session), seen: show });
  const identify = (token: string | null): Principal => {
    const session = token?.startsWith("session-") ? token : options.open ? "anyone" : null;
    if (session === null) throw new Fault("unauthenticated", "no session has this token");
    return { session, agent: "coder", user: "ana", purpose: "test", chain: [], tools: null, labels: [], isolation: "none", expiresAtMs: Number.MAX_SAFE_INTEGER };
  };
  const mediate = async (call: InboundCall): Promise<Reply> => {
    calls.push(call);
    const principal = identify(call.token);
    const action = normalise(call);
    const intent = { seq: calls.length, id: `dec_${calls.length}` };
    if (options.deny?.(call)) {
      const decision = { effect: "deny", reasons: [{ policy: "sundays", text: "not on a Sunday", remedy: "" }], approvers: [], errors: [] } as const;
      return refusal.denied(action, intent, { decision, bundle: null, reasons: [] }, "policy", "");
    }
    try {
      return { kind: "done", intent, answer: inspect({ limits }, action, await execute({ upstreams: servers, limits, pin: () => ({ refuse: null }) }, action, principal, call.exchange)) };
    } catch (error) {
      if (error instanceof Fault && error.code === "result_withheld") return refusal.withheld(action, intent, error);
      return error instanceof Fault && error.code === "upstream_unavailable" ? refusal.unreached(action, intent, error) : refusal.uncertain(action, intent, error);
    }
  };
  const face = new Gateway({
    identify,
    mediate,
    view: options.view ?? ((_principal, _server, tools) => tools),
    upstreams: servers,
    clock,
    limits,
    log,
  });
  const http = createServer(mcpHttp(face, {}));
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
  const socket = options.folder === undefined ? "" : join(options.folder, "gateway.sock");
  const line = createSocketServer(mcpStdio(face));
  if (socket !== "") await new Promise<void>((resolve) => line.listen(socket, resolve));
  return {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
    socket,
    gateway: face,
    upstreams: servers,
    seen,
    calls,
    [Symbol.asyncDispose]: async () => {
      await face[Symbol.asyncDispose]();
      http.closeAllConnections();
      line.close();
      await Promise.all([new Promise((resolve) => http.close(resolve)), servers[Symbol.asyncDispose]()]);
    },
  };
}
