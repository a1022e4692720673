import { isObject, type JsonObject } from "@lanyard/contract";
import type { ClientFacts } from "./exchange.ts";

// Names of the Model Context Protocol that both its faces and its upstreams need.

/** The stateless version; everything older is stateful. */
export const statelessVersion = "2026-07-28";
/** Stateful versions that are spoken to agents, newest first. */
export const statefulVersions = ["2025-11-25", "2025-06-18"] as const;
/** Stateful versions that a server may answer `initialize` with. */
export const toleratedVersions: readonly string[] = [...statefulVersions, "2025-03-26", "2024-11-05"];

/** Lanyard itself, where it is the client and where it is the server. */
export const lanyardIdentity: JsonObject = { name: "lanyard", version: "0.1.0" };

/** Keys of `_meta` (2026-07-28, basic/index, general fields). */
export const metaKeys = {
  version: "io.modelcontextprotocol/protocolVersion",
  clientInfo: "io.modelcontextprotocol/clientInfo",
  capabilities: "io.modelcontextprotocol/clientCapabilities",
  logLevel: "io.modelcontextprotocol/logLevel",
  serverInfo: "io.modelcontextprotocol/serverInfo",
  subscription: "io.modelcontextprotocol/subscriptionId",
} as const;

/** `list` methods: the key their items lie under, and the capability of servers that have them. */
export const lists = {
  "tools/list": { items: "tools", capability: "tools" },
  "prompts/list": { items: "prompts", capability: "prompts" },
  "resources/list": { items: "resources", capability: "resources" },
  "resources/templates/list": { items: "resourceTemplates", capability: "resources" },
} as const;
export type ListMethod = keyof typeof lists;
export const isList = (method: string): method is ListMethod => Object.hasOwn(lists, method);

/** How a server introduces itself, in the words of either lifecycle. */
export interface Introduction {
  readonly era: "stateful" | "stateless";
  readonly version: string;
  readonly capabilities: JsonObject;
  readonly info: JsonObject;
  readonly instructions: string | null;
}

/** An object-valued key, or an empty object. */
export const objectAt = (value: unknown, key: string): JsonObject => {
  const found = isObject(value) && Object.hasOwn(value, key) ? value[key] : undefined;
  return isObject(found) ? found : {};
};

/** What a stateless request's `_meta` says of its client. */
export const factsOf = (meta: JsonObject): ClientFacts => ({
  version: statelessVersion,
  info: objectAt(meta, metaKeys.clientInfo),
  capabilities: objectAt(meta, metaKeys.capabilities),
});

/** True for the methods whose results carry `ttlMs` and `cacheScope` in the stateless lifecycle. */
export const isCacheable = (method: string): boolean => isList(method) || method === "resources/read" || method === "server/discover";
