import { isObject, type JsonObject } from "@lanyard/contract";
import type { Answer, Exchange } from "../../base/exchange.ts";
import { lanyardIdentity, metaKeys, objectAt, statefulVersions, statelessVersion, toleratedVersions, type Introduction } from "../../base/mcp.ts";
import { RpcError, rpcCodes } from "../../base/rpc.ts";
import { isModernError } from "./http.ts";
import type { Link } from "./link.ts";

/** What the handshake needs of the connection it is for. */
interface Greeter {
  readonly closed: Error | null;
  request(method: string, params: JsonObject, exchange: Exchange, limitMs: number): Promise<Answer>;
  notify(method: string, params: JsonObject): void;
}

/** For requests of Lanyard's own: nobody listens to their progress and nobody answers a question. */
export const quiet: Exchange = {
  era: "stateful",
  signal: new AbortController().signal,
  progress: () => {},
  notify: () => {},
  ask: (method) => Promise.reject(new RpcError(rpcCodes.methodNotFound, `nobody is there to answer \`${method}\``)),
};

/**
 * What Lanyard declares to a stateful server: that questions can be put, since one connection serves whatever client the session has;
 * a client that cannot answer one is an error to the server then. Roots are never declared: a server may widen what it touches to the
 * roots it is told, and those would be the agent's word.
 */
const declared: JsonObject = { elicitation: { form: {}, url: {} }, sampling: {} };

/** Probes with `server/discover` and falls back to `initialize` (2026-07-28, basic/versioning, backward compatibility). */
export async function introduce(connection: Greeter, link: Link, limitMs: number, known?: "stateful" | "stateless"): Promise<Introduction> {
  const modern = known === "stateful" ? null : await discover(connection, link, limitMs, known === "stateless");
  return modern ?? (await initialize(connection, link, limitMs));
}

async function discover(connection: Greeter, link: Link, limitMs: number, certain: boolean): Promise<Introduction | null> {
  link.speak(statelessVersion);
  const _meta = { [metaKeys.version]: statelessVersion, [metaKeys.clientInfo]: lanyardIdentity, [metaKeys.capabilities]: {} };
  // A stateful server may keep silent about a request before `initialize`: then the probe must not use up the whole time.
  const answer = await connection.request("server/discover", { _meta }, quiet, certain ? limitMs : Math.min(limitMs, probeMs)).catch((error: unknown) => {
    if (connection.closed) throw error;
    return null;
  });
  if (!answer) return null;
  if ("error" in answer) {
    if (!isModernError(answer.error)) return null;
    throw new Error(`the server speaks no version of MCP that Lanyard speaks: ${answer.error.message}`);
  }
  const { result } = answer;
  const versions = result["supportedVersions"];
  if (!Array.isArray(versions) || !versions.includes(statelessVersion)) return null;
  const info = objectAt(objectAt(result, "_meta"), metaKeys.serverInfo);
  return introduction("stateless", statelessVersion, result, "name" in info ? info : objectAt(result, "serverInfo"));
}

const probeMs = 5000;

async function initialize(connection: Greeter, link: Link, limitMs: number): Promise<Introduction> {
  link.speak(statefulVersions[0]);
  const hello = { protocolVersion: statefulVersions[0], capabilities: declared, clientInfo: lanyardIdentity };
  const answer = await connection.request("initialize", hello, quiet, limitMs);
  if ("error" in answer) throw new Error(`it refused \`initialize\`: ${answer.error.message}`);
  const version = answer.result["protocolVersion"];
  if (typeof version !== "string" || !toleratedVersions.includes(version)) {
    throw new Error(`it chose protocol version \`${String(version).slice(0, 40)}\`, which Lanyard does not speak`);
  }
  link.speak(version);
  connection.notify("notifications/initialized", {});
  return introduction("stateful", version, answer.result, objectAt(answer.result, "serverInfo"));
}

const introduction = (era: Introduction["era"], version: string, result: JsonObject, info: JsonObject): Introduction => ({
  era,
  version,
  info,
  capabilities: isObject(result["capabilities"]) ? result["capabilities"] : {},
  instructions: typeof result["instructions"] === "string" ? result["instructions"] : null,
});
