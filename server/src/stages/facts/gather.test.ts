import type { Action, Fault, Principal } from "@lanyard/contract";
import { expect, test } from "vitest";
import { stillClock } from "../../../../test/kits/clock.ts";
import type { Config } from "../../base/config/config.ts";
import { parseConfig } from "../../base/config/read.ts";
import { defaultLimits } from "../../base/limits.ts";
import { gather, reachableServers } from "./gather.ts";

const yaml = `
version: 1
teams: { eng: {} }
groups: { sre: {}, leads: {} }
users: { ana: { groups: [sre, leads] } }
agents: { coder: { team: eng, classes: [demo, careful], servers: [files] }, free: { team: eng } }
servers: { files: { command: x }, git: { command: x } }
tools: { files/write: { effects: [write], reversibility: reversible } }
`;
const configOf = (text: string): Config => parseConfig(new TextEncoder().encode(text), "/srv/lanyard.yaml");
const clock = stillClock(1000);
const sources = (config = configOf(yaml)) => ({ config: () => config, clock, catalog: { pin: () => ({ definition: "H", refuse: null }) } });

const action: Action = { protocol: "mcp", server: "files", method: "tools/call", tool: "write", name: "files/write", args: { path: "a" }, params: {}, digest: "D" };
const principal: Principal = { session: "ses_1", agent: "coder", user: "ana", purpose: "p", chain: ["ses_0"], tools: null, labels: ["secret"], isolation: "namespace", expiresAtMs: 2000 };

test("facts come from the configuration, the session and the catalog", () => {
  expect(gather(sources(), action, principal, { id: "apr_1", groups: ["sre", "leads"], bound: { bundle: "B", definition: "H", transforms: [], reasons: [], values: [], facts: "" }, given: [], said: [] })).toMatchInlineSnapshot(`
    {
      "input": {
        "action": "files/write",
        "agent": {
          "classes": [
            "careful",
            "demo",
          ],
          "id": "coder",
          "team": "eng",
        },
        "approvals": [
          "leads",
          "sre",
        ],
        "args": {
          "path": "a",
        },
        "definition": "H",
        "nowMs": 1000,
        "reversibility": "reversible",
        "session": {
          "depth": 1,
          "id": "ses_1",
          "isolation": "namespace",
          "labels": [
            "secret",
          ],
          "purpose": "p",
        },
        "user": {
          "groups": [
            "leads",
            "sre",
          ],
          "id": "ana",
        },
      },
      "pin": {
        "contract": {
          "effects": [
            "write",
          ],
          "reversibility": "reversible",
        },
        "definition": "H",
        "refuse": null,
      },
    }
  `);
});

test("approvals come from a claimed approval alone, not from what the agent says", () => {
  const claims = { ...action, args: { approvals: ["leads"] }, params: { approvals: ["leads"] } };
  expect(gather(sources(), claims, principal, null).input.approvals).toEqual([]);
});

test("what no policy can allow is refused: another server, an unknown one, an action outside a narrowed session", () => {
  const refusal = (changes: Partial<Action>, tools: string[] | null = null, agent = "coder") =>
    gather(sources(), { ...action, ...changes }, { ...principal, tools, agent }, null).pin.refuse?.code ?? "none";
  expect(refusal({ server: "git", name: "git/push" })).toBe("denied");
  expect(refusal({ server: "git", name: "git/push" }, null, "free")).toBe("none");
  expect(refusal({ server: "gone", name: "gone/x" }, null, "free")).toBe("not_found");
  expect(refusal({}, ["files/read"])).toBe("denied");
  expect(refusal({}, [])).toBe("denied");
  expect(refusal({}, ["file/*"])).toBe("denied");
  expect(refusal({}, ["files/*"])).toBe("none");
  expect(refusal({ method: "resources/read", name: "files/mcp:resources/read" }, ["files/write"])).toBe("denied");
  expect(refusal({ method: "resources/read", name: "files/mcp:resources/read" }, ["files/*"])).toBe("none");
});

test("what was let in is looked at again with every decision: a call may be held for longer than its session, or its right to act for a user, lasts", () => {
  const refusal = (changes: Partial<Principal>, config = configOf(yaml)) => gather(sources(config), action, { ...principal, ...changes }, null).pin.refuse?.code ?? "none";
  expect(refusal({ expiresAtMs: 1001 })).toBe("none");
  expect(refusal({ expiresAtMs: 1000 })).toBe("session_expired");
  const tied = (user: string) => configOf(yaml.replace("servers: [files] }", `servers: [files], on_behalf_of: [${user}] }`).replace("users: {", "users: { ben: {},"));
  expect(refusal({}, tied("ana"))).toBe("none");
  expect(refusal({}, tied("ben"))).toBe("denied");
});

test("a tool without a contract has no effects and unknown reversibility; other requests have no pinned definition", () => {
  const { tool: _, ...request } = action;
  expect(gather(sources(), { ...request, method: "resources/read", name: "files/mcp:resources/read" }, principal, null).pin).toEqual({
    definition: null,
    contract: { effects: [], reversibility: "unknown" },
    refuse: null,
  });
});

test("facts that cannot be had deny: the agent or the user is gone from the configuration", () => {
  const without = (text: string, replacement = "") => () => gather(sources(configOf(yaml.replace(text, replacement))), action, principal, null);
  const unavailable = (run: () => unknown) => {
    try {
      run();
    } catch (error) {
      return (error as Fault).code;
    }
    return "none";
  };
  expect(unavailable(without("coder:", "other:"))).toBe("facts_unavailable");
  expect(unavailable(without("ana:", "cem:"))).toBe("facts_unavailable");
});

test("what a call touches comes from the tool's contract and the registry; a call that does not say is refused", () => {
  const text = yaml.replace("reversibility: reversible }", "reversibility: reversible, resource: { type: Path, argument: path } }");
  const typed = sources(configOf(`${text}resources: { Path: { a: { labels: [secret], owner: eng }, "*": { labels: [unlisted] } } }\n`));
  const touched = (args: Action["args"]) => gather(typed, { ...action, args }, principal, null).input.resources;
  expect(touched({ path: ["b", "a"] })).toEqual([{ type: "Path", id: "a", labels: ["secret"], owner: "eng" }, { type: "Path", id: "b", labels: ["unlisted"], owner: null }]);
  expect(gather(sources(), action, principal, null).input).not.toHaveProperty("resources");
  expect(() => touched({ path: 7 })).toThrow("argument `path` must name what the call touches (a Path)");
  const many = (count: number) => touched({ path: Array.from({ length: count }, (_, n) => `p${n}`) });
  expect(many(64)).toHaveLength(defaultLimits.call_resources);
  expect(() => many(65)).toThrow("limit call_resources");
  expect(touched({ path: "x".repeat(1024) })).toHaveLength(1);
  expect(() => touched({ path: "x".repeat(defaultLimits.resource_chars + 1) })).toThrow("limit resource_chars");
});

test("a session's lists are made of the servers it can reach", () => {
  const config = configOf(yaml);
  expect(reachableServers(config, principal)).toEqual(["files"]);
  expect(reachableServers(config, { ...principal, agent: "free" })).toEqual(["files", "git"]);
  expect(reachableServers(config, { ...principal, agent: "free", tools: ["git/log"] })).toEqual(["git"]);
  expect(reachableServers(config, { ...principal, agent: "nobody" })).toEqual([]);
});

test("what leaves a sandbox is pinned by Lanyard's own definition, names its host, and needs no server of lanyard.yaml", () => {
  const web: Action = { protocol: "http", server: "web", method: "GET", tool: "GET", name: "web/GET", args: { host: "api.example" }, params: {}, digest: "D" };
  const labelled = configOf(`${yaml}\nresources: { Host: { api.example: { labels: [public] } } }\n`);
  const { input, pin } = gather(sources(labelled), web, { ...principal, agent: "free" }, null);
  expect(input.resources).toEqual([{ type: "Host", id: "api.example", labels: ["public"], owner: null }]);
  expect(pin).toMatchObject({ refuse: null, contract: { effects: ["egress"], reversibility: "read" } });
  expect(input.definition).toBe(pin.definition);
  expect(gather(sources(), web, principal, null).pin.refuse?.text).toBe("agent `coder` may not use server `web`"); // its `servers` does not name it
  expect(gather(sources(), { ...web, tool: "TRACE", name: "web/TRACE" }, { ...principal, agent: "free" }, null).pin.refuse).toMatchObject({ code: "not_found" });
});
