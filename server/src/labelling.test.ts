import { expect, test } from "vitest";
import { parseConfig } from "./base/config/read.ts";
import { reachOf } from "./labelling.ts";

test("what an agent can touch: what its visible tools yield, and the labels of what they name", () => {
  const config = parseConfig(new TextEncoder().encode(`version: 1
servers: { crm: { command: x, yields: { labels: [customer] } }, db: { command: x } }
resources: { Table: { people: { labels: [personal] }, "*": { labels: [internal] } } }
tools: { crm/get: { effects: [read] }, crm/list: { effects: [read] }, db/query: { effects: [read], resource: { type: Table, argument: table } } }
`), "/srv/lanyard.yaml");
  const tools = [["crm", "get"], ["crm", "list"], ["db", "query"]].map(([server = "", tool = ""]) => ({ server, tool }));
  expect(reachOf(config, tools, (actions) => actions.filter((action) => action !== "crm/list"))).toEqual([
    { label: "customer", tools: ["crm/get"] },
    { label: "internal", tools: ["db/query"] },
    { label: "personal", tools: ["db/query"] },
  ]);
});
