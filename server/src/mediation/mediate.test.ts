import { PassThrough } from "node:stream";
import { Fault, type Decision, type JsonObject, type Principal } from "@lanyard/contract";
import { describe, expect, test } from "vitest";
import { boundOf } from "../base/bound.ts";
import type { Exchange } from "../base/exchange.ts";
import { nothingReserved, type Approval, type Facts, type Hold, type InboundCall } from "../base/path.ts";
import { mediate } from "./mediate.ts";
import type { Reply, Stages } from "./stages.ts";

const principal: Principal = {
  session: "s1", agent: "bot", user: "ben", purpose: "test", chain: [], tools: null, labels: [], isolation: "none", expiresAtMs: 9e15,
};
const exchange: Exchange = {
  era: "stateless", signal: new AbortController().signal, progress: () => {}, notify: () => {}, ask: async () => null,
};
const call = (params: JsonObject = { arguments: { path: "a" } }): InboundCall => ({
  token: "t", audience: "mcp", server: "files", method: "tools/call", tool: "write", params, exchange,
});
const says = (effect: Decision["effect"], over: Partial<Decision> = {}): Decision => ({ effect, reasons: [], approvers: [], errors: [], ...over });
const facts = (approvals: readonly string[]): Facts => ({
  input: {
    agent: { id: "bot", team: "t", classes: [] }, user: { id: "ben", groups: [] },
    session: { id: "s1", purpose: "test", depth: 0, labels: [], isolation: "none" },
    action: "files/write", args: {}, approvals, nowMs: 1,
  },
  pin: { definition: "d1", contract: { effects: ["write"], reversibility: "unknown" }, refuse: null },
});
const bound = boundOf(facts([]), { decision: says("ask"), bundle: "b1", reasons: [] });
const approval: Approval = { id: "a1", groups: ["leads"], bound, given: [], said: [{ by: "lea", comment: "only this once" }] };

/** The path with every room a lambda; `trace` is the order in which they were entered. */
function world(over: Partial<Stages> = {}): { stages: Stages; trace: string[] } {
  const trace: string[] = [];
  const stages: Stages = {
    monotonicUs: () => 0,
    unforeseen: (_action, error) => void trace.push(`unforeseen ${(error as Error).message}`),
    identify: () => principal,
    admit: () => ({ [Symbol.dispose]: () => void trace.push("leave") }),
    recall: () => null,
    gather: (_action, _principal, given) => (trace.push("gather"), facts(given?.groups ?? [])),
    enter: (action, _principal, line) => ({ action, principal, exchange: line, cut: null, [Symbol.dispose]: () => {} }),
    standing: () => null,
    reserve: () => nothingReserved,
    look: () => {},
    vet: () => null,
    decide: () => (trace.push("decide"), { decision: says("allow"), bundle: "b1", reasons: [] }),
    intend: async (_a, _p, _f, ruling, by) => (trace.push(`intend ${ruling.decision.effect} by ${by}`), { seq: 7, id: "d_7" }),
    conceal: () => (value) => value,
    remember: async () => {},
    line: (exchanged) => exchanged,
    claim: () => null,
    unclaim: (_approval, why) => void trace.push(`unclaim ${why}`),
    hold: async () => (trace.push("hold"), { kind: "pending", id: "a1", groups: ["leads"] }),
    lease: async () => (trace.push("lease"), { credentials: [], guards: false, signal: new AbortController().signal, dress: (request) => request, scrub: () => new PassThrough(), scrubText: (text) => text, [Symbol.dispose]: () => void trace.push("unlease") }),
    plan: async () => null,
    staged: () => null,
    stage: async () => null,
    execute: async () => (trace.push("execute"), { result: { content: [] } }),
    inspect: async (_action, answer) => (trace.push("inspect"), answer),
    say: () => {},
    learn: (_action, answer) => answer,
    conclude: async (_i, _p, status, code) => void trace.push(`conclude ${status} ${code}`.trim()),
    ...over,
  };
  return { stages, trace };
}
const textOf = (reply: Reply): string => (reply.kind === "done" ? "" : reply.text);

describe("the path of one action", () => {
  test("I1 allow: the intent comes before execution, inspection before the reply, the outcome always", async () => {
    const { stages, trace } = world();
    expect((await mediate(stages, call())).kind).toBe("done");
    expect(trace).toEqual(["gather", "decide", "intend allow by policy", "lease", "execute", "inspect", "unlease", "conclude done", "leave"]);
  });

  test("I1 nothing is executed when the intent cannot be written", async () => {
    const { stages, trace } = world({ intend: async () => { throw new Fault("ledger_unavailable", "disk full"); } });
    await expect(mediate(stages, call())).rejects.toMatchObject({ code: "ledger_unavailable" });
    expect(trace).not.toContain("execute");
  });

  test("deny: reasons in the author's words, the decision's id, what to do; nothing executed", async () => {
    const { stages, trace } = world({
      decide: () => ({ decision: says("deny", { reasons: [{ policy: "org.no", text: "Never on Fridays.", remedy: "" }] }), bundle: "b1", reasons: [] }),
    });
    const reply = await mediate(stages, call());
    expect(textOf(reply)).toMatchInlineSnapshot(`
      "Denied by policy: \`files/write\` was not carried out.
      Why: Never on Fridays. (policy \`org.no\`)
      What to do: do not retry the same call; choose another way, or tell the user what you need and why.
      Decision: d_7 (\`lanyard explain 7\` shows it in full)."
    `);
    expect(trace).not.toContain("execute");
  });

  test.each([
    ["gather", { gather: () => { throw new Error("boom: secret detail"); } }, "facts_unavailable"],
    ["decide", { decide: () => { throw new Error("boom: secret detail"); } }, "engine_unavailable"],
  ] satisfies [string, Partial<Stages>, string][])("I5 a throw in %s denies, is recorded, and leaks nothing", async (_step, over, code) => {
    const { stages, trace } = world(over);
    const reply = await mediate(stages, call());
    expect(reply).toMatchObject({ kind: "refused", code });
    expect(trace).toContain(`intend deny by ${code}`);
    expect(trace).not.toContain("execute");
    expect(textOf(reply)).not.toContain("secret detail");
  });

  test("a quarantined tool is refused before policy is asked, and recorded", async () => {
    const { stages, trace } = world();
    const gather = stages.gather;
    const quarantine: Stages["gather"] = (...given) => {
      const facts = gather(...given);
      return { ...facts, pin: { ...facts.pin, refuse: { code: "quarantined", text: "its definition changed" } } };
    };
    expect(await mediate({ ...stages, gather: quarantine }, call())).toMatchObject({ kind: "refused", code: "quarantined" });
    expect(trace).toEqual(["gather", "intend deny by quarantined", "leave"]);
  });

  test("a change that policy asks for is made before execution, in the record as sent, and the agent is told", async () => {
    const executed: JsonObject[] = [];
    const digests: string[] = [];
    const { stages } = world({
      decide: () => ({ decision: says("allow", { transforms: ["mask(path)"], reasons: [{ policy: "no.paths", text: "Paths stay inside.", remedy: "transform:mask(path)" }] }), bundle: "b1", reasons: [] }),
      intend: async ({ digest, args }) => (digests.push(digest), expect(args).toEqual({ path: "a" }), { seq: 7, id: "d_7" }),
      execute: async ({ params, args, digest }) => (executed.push(params, args), digests.push(digest), { result: { content: [{ type: "text", text: "ok" }] } }),
    });
    const reply = await mediate(stages, call());
    expect(executed).toEqual([{ arguments: { path: "[masked]" } }, { path: "[masked]" }]);
    expect(new Set(digests).size).toBe(1);
    expect(reply).toMatchObject({ answer: { result: { content: [{ text: "ok" }, { type: "text", text: "Changed by policy before it was carried out: mask(path).\nWhy: Paths stay inside. (policy `no.paths`)" }] } } });
  });

  test("I4 a change that is not known, or does not fit, denies", async () => {
    for (const change of ["encrypt(path)", "mask(path.x)"]) {
      const { stages, trace } = world({ decide: () => ({ decision: says("allow", { transforms: [change] }), bundle: "b1", reasons: [] }) });
      expect((await mediate(stages, call())).kind).toBe("refused");
      expect(trace).not.toContain("execute");
    }
  });

  test("I6 an approval given for other changes does not cover the call", async () => {
    const { stages, trace } = world({
      claim: () => ({ ...approval, bound: { ...bound, transforms: ["mask(path)"] } }),
      decide: ({ approvals }) => ({ decision: approvals.length > 0 ? says("allow") : says("ask", { approvers: ["leads"] }), bundle: "b1", reasons: [] }),
    });
    expect((await mediate(stages, call())).kind).toBe("refused");
    expect(trace).toContain("unclaim transforms");
    expect(trace).not.toContain("execute");
  });

  test("ask: held, approved, gathered and decided again, then executed once", async () => {
    const effects: Decision["effect"][] = ["ask", "allow"];
    const { stages, trace } = world({
      decide: () => ({ decision: says(effects.shift()!, { approvers: ["leads"] }), bundle: "b1", reasons: [] }),
      hold: async (): Promise<Hold> => ({ kind: "approved", approval }),
    });
    expect(await mediate(stages, call())).toMatchObject({ kind: "done", answer: { result: { content: [{ text: "Approved by lea: only this once" }] } } });
    expect(trace).toEqual([
      "gather", "intend ask by policy", "gather", "intend allow by policy", "lease", "execute", "inspect", "unlease", "conclude done", "leave",
    ]);
  });

  test.each([
    ["bundle", { ...approval, bound: { ...bound, bundle: "older" } }],
    ["definition", { ...approval, bound: { ...bound, definition: "older" } }],
    ["facts", { ...approval, bound: { ...bound, facts: "older" } }],
  ])("I6 an approval is void when the %s changed since", async (what, stale) => {
    let decided = 0;
    const { stages, trace } = world({
      claim: () => stale,
      decide: () => ({ decision: says(decided++ === 0 ? "allow" : "ask"), bundle: "b1", reasons: [] }),
    });
    expect(await mediate(stages, call())).toMatchObject({ kind: "refused", code: "approval_pending" });
    expect(trace).toContain(`unclaim ${what}`);
    expect(trace).not.toContain("execute");
  });

  test("I6 an approval is void when there is a reason to ask that it was not given for, and not when there is one less", async () => {
    const given = { ...approval, bound: { ...bound, reasons: ["a", "b"] } };
    for (const [reasons, kind] of [[["b"], "done"], [["b", "c"], "refused"]] as const) {
      const { stages, trace } = world({ claim: () => given, decide: ({ approvals }) => ({ decision: says(approvals.length > 0 ? "allow" : "ask"), bundle: "b1", reasons }) });
      expect((await mediate(stages, call())).kind).toBe(kind);
      expect(trace.includes("unclaim reasons")).toBe(kind === "refused");
    }
  });

  test("a claimed approval is given back when the intent could not be written", async () => {
    const { stages, trace } = world({ claim: () => approval, intend: async () => { throw new Fault("ledger_unavailable", "disk full"); } });
    await expect(mediate(stages, call())).rejects.toThrow();
    expect(trace).toContain("unclaim unused");
  });

  test("a request that is voided while its call waits has the call decided anew: a stop then denies it, on record", async () => {
    const effects: Decision["effect"][] = ["ask", "deny"];
    const { stages, trace } = world({ decide: () => ({ decision: says(effects.shift()!), bundle: "b1", reasons: [] }), hold: async (): Promise<Hold> => ({ kind: "void" }) });
    expect(await mediate(stages, call())).toMatchObject({ kind: "refused", code: "denied" });
    expect(trace).toEqual(["gather", "intend ask by policy", "gather", "intend deny by policy", "leave"]);
  });

  test("policy that changes while a call waits cannot hold it forever", async () => {
    const { stages, trace } = world({
      decide: () => ({ decision: says("ask"), bundle: "b1", reasons: [] }),
      hold: async (): Promise<Hold> => ({ kind: "approved", approval }),
    });
    expect(await mediate(stages, call())).toMatchObject({ kind: "refused", code: "approval_pending" });
    expect(trace).not.toContain("execute");
  });
});

describe("an answer that comes in pieces", () => {
  test("is inspected, then delivered to its end, and only then on record; place and lease are kept until then", async () => {
    const { stages, trace } = world({ conclude: async (_i, _p, status, code, answer) => void trace.push(`conclude ${status} ${code} ${JSON.stringify(answer)}`) });
    const deliver = async () => (await Promise.resolve(), trace.push("deliver"), { answer: { result: { bytes: 3 } }, code: "" as const });
    expect((await mediate(stages, { ...call(), exchange: { ...exchange, deliver } })).kind).toBe("done");
    expect(trace.slice(-5)).toEqual(["inspect", "deliver", "unlease", 'conclude done  {"result":{"bytes":3}}', "leave"]);
  });

  test("one that breaks off failed, and the record says by what", async () => {
    const { stages, trace } = world();
    await mediate(stages, { ...call(), exchange: { ...exchange, deliver: async (answer) => ({ answer, code: "result_withheld" }) } });
    expect(trace).toContain("conclude failed result_withheld");
  });

  test("a request that leaves a sandbox cannot be changed on its way: a policy that wants to refuses it", async () => {
    const { stages, trace } = world({ decide: () => ({ decision: says("allow", { transforms: ["drop(body)"] }), bundle: "b1", reasons: [] }) });
    const reply = await mediate(stages, { ...call(), server: "web", method: "POST", tool: "POST", params: { host: "a" } });
    expect(reply).toMatchObject({ kind: "refused", code: "denied" });
    expect(trace).not.toContain("execute");
  });
});

describe("three outcomes, not two", () => {
  test.each([
    ["never reached", new Fault("upstream_unavailable", "no such process"), "refused", "conclude refused upstream_unavailable"],
    ["timed out", new Fault("upstream_timeout", "no answer in 1 s"), "uncertain", "conclude uncertain upstream_timeout"],
    ["a throw", new Error("socket hang up at /secret/path"), "uncertain", "conclude uncertain uncertain"],
  ])("%s", async (_name, error, kind, conclusion) => {
    const { stages, trace } = world({ execute: async () => { throw error; } });
    const reply = await mediate(stages, call());
    expect(reply.kind).toBe(kind);
    expect(trace).toContain(conclusion);
    expect(textOf(reply)).not.toContain("/secret/path");
  });

  test.each([
    ["a Fault", new Fault("no_credential", "the file is gone"), "the file is gone"],
    ["another throw", new Error("EACCES /secret/path"), "an internal error while lending"],
  ])("without a credential nothing happens: %s", async (_name, error, why) => {
    const { stages, trace } = world({ lease: async () => { throw error; } });
    const reply = await mediate(stages, call());
    expect(reply).toMatchObject({ kind: "refused", code: "no_credential" });
    expect(textOf(reply)).toContain(why);
    expect(textOf(reply)).not.toContain("/secret/path");
    expect(trace.filter((step) => step.startsWith("unforeseen"))).toEqual(error instanceof Fault ? [] : ["unforeseen EACCES /secret/path"]);
    expect(trace).not.toContain("execute");
    expect(trace).toContain("conclude refused no_credential");
  });

  test.each([
    ["a throw", { execute: async () => { throw new Error("socket hang up"); } }],
    ["a result that is withheld", { inspect: () => { throw new Fault("result_withheld", "too long"); } }],
  ] satisfies [string, Partial<Stages>][])("I7 a lease ends with its action, before the outcome: %s", async (_name, over) => {
    const { stages, trace } = world(over);
    await mediate(stages, call());
    expect(trace.filter((step) => /lease|conclude/.test(step)).map((step) => step.split(" ")[0])).toEqual(["lease", "unlease", "conclude"]);
  });

  test("I8 a result that inspection withholds does not reach the agent, and the outcome says it was done", async () => {
    const { stages, trace } = world({ inspect: () => { throw new Fault("result_withheld", "17 MiB is over result_bytes"); } });
    expect(await mediate(stages, call())).toMatchObject({ kind: "refused", code: "result_withheld" });
    expect(trace).toContain("conclude done result_withheld");
  });

  test("an error of the server, or of its tool, is passed on and recorded as failed", async () => {
    for (const answer of [{ error: { code: -32602, message: "no" } }, { result: { isError: true, content: [] } }]) {
      const { stages, trace } = world({ execute: async () => answer });
      expect(await mediate(stages, call())).toMatchObject({ kind: "done", answer });
      expect(trace).toContain("conclude failed");
    }
  });
});

describe("what is changed can be taken back, or waits", () => {
  const planned = (trace: string[]): Partial<Stages> => ({
    plan: async () => (trace.push("plan"), { answered: async () => void trace.push("answered"), [Symbol.asyncDispose]: async () => void trace.push("settle") }),
  });
  const reading = (gather: Stages["gather"]): Stages["gather"] => (...given) => {
    const known = gather(...given);
    return { ...known, input: { ...known.input, reversibility: "read" } };
  };

  test("the plan comes between lease and execution, and the state is looked at before anybody hears of the answer", async () => {
    const { stages, trace } = world();
    expect((await mediate({ ...stages, ...planned(trace) }, call())).kind).toBe("done");
    expect(trace).toEqual(["gather", "decide", "intend allow by policy", "lease", "plan", "execute", "answered", "inspect", "settle", "unlease", "conclude done", "leave"]);
  });

  test("no plan, no effect: whatever planning fails with", async () => {
    for (const error of [new Fault("no_preimage", "it cannot be read"), new Fault("ledger_unavailable", "disk full"), new Error("bug: secret detail")]) {
      const { stages, trace } = world({ plan: () => Promise.reject(error) });
      const reply = await mediate(stages, call());
      expect(reply).toMatchObject({ kind: "refused", code: "no_preimage" });
      expect(textOf(reply)).not.toContain("secret detail");
      expect(trace.filter((step) => /execute|conclude/.test(step))).toEqual(["conclude refused no_preimage"]);
    }
  });

  test("what only reads is neither planned for nor staged", async () => {
    const { stages, trace } = world({ staged: () => { throw new Error("asked"); }, stage: () => Promise.reject(new Error("asked")) });
    expect((await mediate({ ...stages, ...planned(trace), gather: reading(stages.gather) }, call())).kind).toBe("done");
    expect(trace).not.toContain("plan");
  });

  test("a staged call ends without an effect, and is carried out when it is let go", async () => {
    const { stages, trace } = world({ stage: async () => ({ id: "hld_1", until_ms: 0 }) });
    const reply = await mediate(stages, call());
    expect(reply).toMatchObject({ kind: "refused", code: "staged" });
    expect(textOf(reply)).toContain("Staged: `files/write` has not been carried out yet");
    expect(trace).toEqual(["gather", "decide", "intend allow by policy", "conclude refused staged", "leave"]);
    expect((await mediate(stages, { ...call(), released: { approval: null } })).kind).toBe("done");
  });

  test("what was stopped between decision and staging is not staged", async () => {
    const cut = new Fault("stopped", "agent `bot` is stopped");
    const { stages, trace } = world({
      enter: (action, _principal, line) => ({ action, principal, exchange: line, cut, [Symbol.dispose]: () => {} }),
      stage: async () => (trace.push("stage"), { id: "hld_1", until_ms: 0 }),
    });
    expect(await mediate(stages, call())).toMatchObject({ kind: "refused", code: "stopped" });
    expect(trace).toEqual(["gather", "decide", "intend allow by policy", "conclude refused stopped", "leave"]);
  });

  test("what cannot be staged is not carried out instead", async () => {
    const { stages, trace } = world({ stage: () => Promise.reject(new Fault("limit_exceeded", "too many")) });
    expect(await mediate(stages, call())).toMatchObject({ kind: "refused", code: "limit_exceeded" });
    expect(trace).not.toContain("execute");
  });

  test("an approval that a staged call was given counts when it is let go, unless what it was bound to has changed", async () => {
    const said = (over: Partial<typeof bound>) => ({ ...call(), released: { approval: { ...approval, bound: { ...bound, ...over } } } });
    const { stages, trace } = world({ decide: (input) => ({ decision: says(input.approvals.includes("leads") ? "allow" : "ask"), bundle: "b1", reasons: [] }) });
    expect((await mediate(stages, said({}))).kind).toBe("done");
    expect(await mediate(stages, said({ definition: "another" }))).toMatchObject({ kind: "refused", code: "approval_pending" });
    expect(trace.filter((step) => step === "execute")).toHaveLength(1);
  });

  test("a policy that changes a call into one of another class is not followed", async () => {
    const { stages, trace } = world({ decide: () => ({ decision: says("allow", { transforms: ["drop(body)"] }), bundle: "b1", reasons: [] }) });
    const gather: Stages["gather"] = (action, ...given) => {
      const known = stages.gather(action, ...given);
      return { ...known, input: { ...known.input, reversibility: "body" in action.args ? "reversible" : "irreversible" } };
    };
    expect(await mediate({ ...stages, gather }, call({ arguments: { path: "a", body: "b" } }))).toMatchObject({ kind: "refused", code: "denied" });
    expect(trace).not.toContain("execute");
  });
});

describe("malformed calls are refused before anything is decided", () => {
  test.each([
    ["arguments that are no object", call({ arguments: [1] })],
    ["a lone surrogate", call({ arguments: { a: "\ud800" } })],
    ["no tool", { ...call(), tool: "" }],
    ["an endless name", { ...call(), tool: "x".repeat(300) }],
  ])("%s", async (_name, inbound) => {
    const { stages, trace } = world();
    await expect(mediate(stages, inbound)).rejects.toMatchObject({ code: "malformed_call" });
    expect(trace).toEqual([]);
  });
});
