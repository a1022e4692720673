import type { CatalogEntry } from "@lanyard/contract";
import type { Handler } from "./handler.ts";
import type { Rooms } from "./rooms.ts";

const row = ({ server, tool, state, why, approvedHash, seenHash }: CatalogEntry): object => ({
  server,
  tool,
  state,
  why,
  approved: approvedHash,
  seen: seenHash,
});

export const catalogHandlers = ({ catalog }: Rooms): Record<"catalog_list" | "catalog_diff" | "catalog_approve", Handler> => ({
  catalog_list: async () => ({ json: { tools: (await catalog.list()).map(row) } }),
  catalog_diff: async ({ query }) => {
    const server = String(query["server"]);
    await catalog.look(server).catch((error: unknown) => {
      if (!catalog.entries().some((entry) => entry.server === server)) throw error;
    });
    const wanted = catalog
      .entries()
      .filter(({ server, tool, state }) => server === query["server"] && (query["tool"] === undefined ? state === "quarantined" : tool === query["tool"]));
    return { json: { diffs: wanted.map((entry) => ({ ...row(entry), diff: catalog.diff(entry.server, entry.tool) })) } };
  },
  catalog_approve: async ({ actor, body }) => {
    const { server, definitions } = body as { server: string; definitions?: Record<string, string> };
    const wanted = definitions ? Object.entries(definitions).map(([tool, hash]) => ({ server, tool, hash })) : [{ server }];
    return { json: { approved: (await catalog.approve(wanted, actor)).map(row) } };
  },
});
