import { createHash } from "node:crypto";
import { webServer, webTools, type ToolContract, type ToolDefinition } from "@lanyard/contract";
import type { ApprovedTool } from "@lanyard/policy";
import { pinnedBytes } from "./definition.ts";

interface PinnedWebTool {
  readonly definition: ToolDefinition;
  readonly bytes: Uint8Array;
  readonly hash: string;
  readonly contract: ToolContract;
}

const pinned: ReadonlyMap<string, PinnedWebTool> = new Map(
  webTools.map(({ definition, contract }) => {
    const bytes = pinnedBytes(definition);
    return [definition.name, { definition, bytes, hash: createHash("sha256").update(bytes).digest("base64url"), contract }];
  }),
);

/** The tool of the server `web` of this name; null when there is none. Its definition is Lanyard's own, so nobody has to approve it. */
export const webTool = (name: string): PinnedWebTool | null => pinned.get(name) ?? null;

/** The definitions as the store keeps them: records name them by their hash. */
export const webDefinitions = (): Uint8Array[] => [...pinned.values()].map(({ bytes }) => bytes);

/** What leaves a sandbox, as policies are written against it. */
export const webGround: readonly ApprovedTool[] = webTools.map(({ definition, contract }) => ({
  server: webServer,
  tool: definition.name,
  definition: pinned.get(definition.name)?.hash ?? "",
  inputSchema: definition.inputSchema,
  contract,
}));
