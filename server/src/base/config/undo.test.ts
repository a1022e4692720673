import { describe, expect, it } from "vitest";
import { classOf } from "../undo/resolve.ts";
import { parseConfig } from "./read.ts";

const config = (tools: string, more = "") =>
  parseConfig(Buffer.from(`version: 1\nteams: { t: {} }\nagents: { fixer: { team: t } }\nservers: { s: { url: "http://127.0.0.1:1/mcp" } }\n${more}tools:\n  s/look: { effects: [read], reversibility: read }\n${tools}`), "/w/lanyard.yaml");

const state = "state: { a: { tool: look, args: { key: { $: /args/key } } } }";
const inverse = "inverse: [{ tool: put, args: { key: { $: /args/key }, text: { $: /before/a/value } } }]";

describe("what a contract says of a call", () => {
  const { tools, undo } = config(`
  s/put:
    effects: [write]
    reversibility: compensable
    undo:
      - { when: [{ at: /args/dry, is: true }], class: read }
      - { when: [{ at: /args/key, like: "tmp/*" }], class: irreversible }
      - { when: [{ at: /args/key, there: true }], class: reversible, ${state}, ${inverse} }
`);
  const contract = undo.contracts.get("s/put");

  it.each([
    [{ dry: true }, "read"],
    [{ key: "tmp/a" }, "irreversible"],
    [{ key: "a" }, "reversible"],
    [{}, "compensable"],
    [{ dry: "true", key: 1 }, "reversible"],
  ] as const)("%j is %s", (args, of) => expect(contract && classOf(contract, args)).toBe(of));

  it("is for all calls together the worst of them, and names them all", () => expect(tools.get("s/put")).toMatchObject({ reversibility: "irreversible", classes: ["read", "reversible", "compensable", "irreversible"] }));
  it("is always one of those it names", () => {
    for (const args of [{}, { key: null }, { dry: [true] }, { key: "tmp/" }, { dry: true, key: "tmp/x" }]) expect(tools.get("s/put")?.classes).toContain(contract && classOf(contract, args));
  });
  it("is the tool's word where there are no cases", () => expect(config("  s/put: { effects: [write] }\n").tools.get("s/put")).toEqual({ effects: ["write"], reversibility: "unknown" }));
});

describe("a contract that cannot be", () => {
  it.each([
    ["a pointer to what is not there yet", `  s/put:\n    effects: [write]\n    undo:\n      - class: reversible\n        state: { a: { tool: look, args: { key: { $: /result/key } } } }\n        ${inverse}\n`, "11:53: `tools.s/put.undo.0.state.a.args.key.$`: a pointer begins here with `/args`, `/root`, `/before`"],
    ["an operator that does not exist", `  s/put:\n    effects: [write]\n    undo:\n      - { class: reversible, ${state}, inverse: [{ tool: put, args: { $txt: 1 } }] }\n`, "`$txt` is no operator"],
    ["reversible, and nothing to judge it by", `  s/put:\n    effects: [write]\n    undo: [{ class: reversible, ${inverse} }]\n`, "9:21: `tools.s/put.undo.0.class`: `reversible` needs a `state`"],
    ["reversible without its state read", `  s/put:\n    effects: [write]\n    undo: [{ class: reversible, ${state}, ${inverse}, unread: proceed }]\n`, "policy counts on `reversible`"],
    ["irreversible with a way back", `  s/put:\n    effects: [write]\n    undo: [{ class: irreversible, ${inverse} }]\n`, "what is `irreversible` has no inverse"],
    ["a reading that is no reading", `  s/put:\n    effects: [write]\n    undo: [{ class: reversible, state: { a: { tool: put, args: {} } }, ${inverse} }]\n`, "`s/put` is called to read a state, and nothing under `tools` says that a call of it can be of the class `read`"],
    ["a condition that asks nothing", `  s/put:\n    effects: [write]\n    undo: [{ class: unknown, when: [{ at: /args/x }] }]\n`, "a condition is `{at, is}`"],
    ["files without a state of files", `  s/put:\n    effects: [write]\n    undo: [{ class: reversible, ${state}, inverse: [{ restore: a }] }]\n`, "no state `a` is read with `files`"],
    ["a misspelt key", `  s/put:\n    effects: [write]\n    undo: [{ class: unknown, wehn: [] }]\n`, "9:30: unknown key `wehn`"],
  ])("is refused at its place: %s", (_, tools, message) => expect(() => config(tools)).toThrow(message));

  it("is named after nothing that there is", () => {
    expect(() => config("", 'contracts: { s: filesytem }\n')).toThrow("5:17: there is no ready contract `filesytem`; did you mean `filesystem`?");
    expect(() => config("", 'contracts: { t: filesystem }\n')).toThrow("5:14: no server `t` is registered under `servers`");
    expect(() => config("", 'undo: { agent: nobody }\n')).toThrow("5:16: no agent `nobody` is registered");
  });
});
