import { isObject, type Json, type JsonObject } from "@lanyard/contract";
import { lanyardIdentity, metaKeys, statefulVersions, statelessVersion, type Introduction } from "../../base/mcp.ts";
import type { Visitor, GatewayOptions } from "./visitor.ts";

/** Every version a client may ask for, newest first. */
export const spokenVersions: readonly string[] = [statelessVersion, ...statefulVersions];

/** Answer to `initialize`. A version Lanyard does not speak is answered with the newest stateful one, as the lifecycle asks. */
export async function initialization(options: GatewayOptions, visitor: Visitor, requested: unknown): Promise<JsonObject> {
  const protocolVersion = statefulVersions.find((version) => version === requested) ?? statefulVersions[0];
  const { capabilities, info, instructions } = await introduceAll(options, visitor);
  return { protocolVersion, capabilities, serverInfo: info, ...(instructions !== null && { instructions }) };
}

/** Answer to `server/discover`. */
export async function discovery(options: GatewayOptions, visitor: Visitor): Promise<JsonObject> {
  const { capabilities, info, instructions } = await introduceAll(options, visitor);
  return {
    resultType: "complete",
    supportedVersions: [...spokenVersions],
    capabilities,
    ...(instructions !== null && { instructions }),
    ttlMs: 0,
    cacheScope: "private",
    _meta: { [metaKeys.serverInfo]: info },
  };
}

type Words = Pick<Introduction, "capabilities" | "info" | "instructions">;

/** One server speaks for itself. Several are introduced by Lanyard, with the union of what they can do; those out of reach are left out. */
async function introduceAll({ upstreams, log }: GatewayOptions, { servers, era }: Visitor): Promise<Words> {
  const [first] = servers;
  if (first !== undefined && servers.length === 1) {
    const introduction = await upstreams.introduction(first);
    return { ...introduction, capabilities: offered(introduction, era) };
  }
  const reached = await Promise.all(
    servers.map(async (server) => {
      try {
        return { server, introduction: await upstreams.introduction(server) };
      } catch (error) {
        log.warn("server.unavailable", { server, error });
        return null;
      }
    }),
  );
  const known = reached.filter((one) => one !== null);
  const capabilities = known.reduce<JsonObject>((all, { introduction }) => union(all, offered(introduction, era)), {});
  const texts = known.flatMap(({ server, introduction: { instructions } }) => (instructions ? [`Server \`${server}\`: ${instructions}`] : []));
  return { capabilities, info: lanyardIdentity, instructions: texts.length > 0 ? texts.join("\n\n") : null };
}

/** What the other lifecycle does not know is not offered in it: tasks left the core protocol with 2026-07-28. */
function offered({ capabilities, era }: Introduction, to: Visitor["era"]): JsonObject {
  if (era === to) return capabilities;
  const { tasks: _tasks, ...rest } = capabilities;
  return rest;
}

function union(a: JsonObject, b: JsonObject): JsonObject {
  const keys = new Set([...Object.keys(a), ...Object.keys(b)]);
  const merge = (left: Json | undefined, right: Json | undefined): Json => {
    if (isObject(left) && isObject(right)) return union(left, right);
    return left === true || right === undefined ? (left ?? null) : right;
  };
  return Object.fromEntries([...keys].map((key) => [key, merge(a[key], b[key])]));
}
