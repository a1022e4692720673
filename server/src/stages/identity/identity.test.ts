import type { ErrorCode, Fault, LedgerRecord, RecordType } from "@lanyard/contract";
import { newSigner } from "@lanyard/ledger";
import fc from "fast-check";
import { expect, test } from "vitest";
import { settled, stillClock } from "../../../../test/kits/clock.ts";
import type { Config } from "../../base/config/config.ts";
import { parseConfig } from "../../base/config/read.ts";
import { silent } from "../../base/log.ts";
import { audienceCovers, narrow, toolsCover, type Mandate } from "../../base/mandate.ts";
import { MemoryMedium, openMemory } from "../../base/store/memory.ts";
import { identityStage } from "./identity.ts";
import type { SessionRequest } from "./opening.ts";

const yaml = `
version: 1
teams: { eng: {} }
users: { ana: {}, ben: {} }
agents: { coder: { team: eng, session_minutes: 60 }, tied: { team: eng, on_behalf_of: [ben] } }
servers: { files: { command: x }, git: { command: x } }
limits: { calls_per_session: 3, sessions: 12, sessions_per_agent: 10, session_depth: 2, session_children: 3, credentials_per_name: 2 }
`;
const configOf = (text: string): Config => parseConfig(new TextEncoder().encode(text), "/srv/lanyard.yaml");

async function world() {
  const clock = stillClock();
  const disk = { medium: new MemoryMedium(), signer: newSigner("lanyard.local/test"), tenant: clock.random(32) };
  const live = { config: configOf(yaml) };
  let store = await openMemory({ clock, ...disk });
  const start = () => identityStage({ store, clock, log: silent, config: () => live.config });
  let identity = start();
  return {
    clock,
    disk,
    live,
    get identity() {
      return identity;
    },
    records: <T extends RecordType>(...types: T[]) => store.entries({ types }) as Extract<LedgerRecord, { type: T }>[],
    texts: () => store.entries({ limit: 10_000 }).map((record) => JSON.stringify(record)),
    states: () => JSON.stringify([...disk.medium.state()].map(({ text }) => text)),
    async restart() {
      await identity[Symbol.asyncDispose]();
      await store[Symbol.asyncDispose]();
      store = await openMemory({ clock, ...disk });
      identity = start();
    },
    /** Without a farewell: what a SIGKILL leaves. */
    async crash() {
      store = await openMemory({ clock, ...disk });
      identity = start();
    },
    open: (request: SessionRequest = {}) => identity.open("operator", { agent: "coder", onBehalfOf: "ana", purpose: "tidy the docs", ...request }),
    child: (token: string, request: SessionRequest = {}) => identity.open(identity.authenticate(token), request),
    decided: (session: string) =>
      store.append({
        type: "decision", id: clock.id("d"), session, agent: "coder", user: "ana", action: "files/x", digest: "A".repeat(43), effect: "deny", by: "policy", policies: [],
        decision: "A".repeat(43), bundle: null, input: null, tool: null, reversibility: "unknown", approval: null, payload: null,
      }),
  };
}

const code = (run: () => unknown): ErrorCode | "none" => {
  try {
    run();
    return "none";
  } catch (error) {
    return (error as Fault).code;
  }
};
const codeOf = (promise: Promise<unknown>): Promise<ErrorCode | "none"> => promise.then(() => "none" as const, (error: Fault) => error.code);

test("a session's token names its principal at the door it is made for", async () => {
  const { identity, open, records } = await world();
  const { principal, token } = await open({ labels: ["b", "a", "b"] });
  expect(token).toMatch(/^lyd_session_[\w-]{43}$/);
  expect(identity.identify(token, "mcp")).toBe(principal);
  expect(identity.identify(token, "mcp/files")).toBe(principal);
  expect(principal).toMatchObject({ agent: "coder", user: "ana", purpose: "tidy the docs", chain: [], tools: null, labels: ["a", "b"] });
  expect(records("session.open")).toMatchObject([{ session: principal.session, agent: "coder", user: "ana", parent: null }]);
});

test("I10: neither tokens nor the purpose reach a record or a state document", async () => {
  const { identity, open, child, texts, states } = await world();
  const { token } = await open({ purpose: "pay Mr Smith" });
  const { token: below } = await child(token);
  const { secret } = await identity.issue("agent", "coder", "operator");
  await identity.revoke((await identity.issue("user", "ana", "operator")).key, "operator");
  const everything = texts().join() + states();
  for (const held of [token, below, secret]) expect(everything).not.toContain(held.slice(-43));
  expect(everything).not.toContain("Smith");
  expect(JSON.stringify(identity.credentials())).not.toContain(secret.slice(-43));
});

test("whoever brings no good token stays outside, and it is recorded", async () => {
  const { identity, open, live, records, clock } = await world();
  const { token } = await open();
  const { token: tied } = await open({ audience: "mcp/files" });
  const { secret } = await identity.issue("agent", "coder", "operator");
  const wrong = `${token.slice(0, -1)}${token.endsWith("A") ? "B" : "A"}`;
  expect(code(() => identity.identify(null, "mcp"))).toBe("unauthenticated");
  expect(code(() => identity.identify("", "mcp"))).toBe("unauthenticated");
  expect(code(() => identity.identify(wrong, "mcp"))).toBe("unauthenticated");
  expect(code(() => identity.identify(`${token}x`, "mcp"))).toBe("unauthenticated");
  expect(code(() => identity.identify(secret, "mcp"))).toBe("wrong_audience");
  expect(code(() => identity.identify(tied, "mcp"))).toBe("wrong_audience");
  expect(code(() => identity.identify(tied, "mcp/git"))).toBe("wrong_audience");
  expect(code(() => identity.identify(tied, "mcp/files/"))).toBe("wrong_audience");
  expect(code(() => identity.identify(tied, "mcp/files"))).toBe("none");
  live.config = configOf(yaml.replace("users: { ana: {}, ben: {} }", "users: { ben: {} }"));
  expect(code(() => identity.identify(token, "mcp"))).toBe("unauthenticated");
  live.config = configOf(yaml.replace("coder: { team: eng, session_minutes: 60 }, ", ""));
  expect(code(() => identity.identify(token, "mcp"))).toBe("unauthenticated");
  live.config = configOf(yaml.replace("session_minutes: 60", "on_behalf_of: [ben]"));
  expect(code(() => identity.identify(token, "mcp"))).toBe("unauthenticated");
  await clock.advance(1000);
  const total = records("session.refused").reduce((sum, { times }) => sum + times, 0);
  expect(total).toBe(11);
});

test("a flood at the door is counted in full by two records a second a kind, whatever door it invents", async () => {
  const { identity, records, clock } = await world();
  for (let round = 0; round < 3; round++) {
    for (let n = 0; n < 500; n++) code(() => identity.identify(`lyd_session_${"x".repeat(43)}`, `mcp/${"evil".repeat(n % 9)}${n}`));
    await clock.advance(1000);
  }
  const refused = records("session.refused");
  expect(refused.every(({ door }) => door === "unknown")).toBe(true);
  expect(refused).toHaveLength(6);
  expect(refused.reduce((sum, { times }) => sum + times, 0)).toBe(1500);
});

test("refusals while the disk refuses are owed and written once it works again", async () => {
  const { identity, records, clock, disk } = await world();
  disk.medium.failure = new Error("ENOSPC");
  for (let n = 0; n < 5; n++) code(() => identity.identify(null, "mcp"));
  await clock.advance(3000);
  disk.medium.failure = null;
  await clock.advance(3000);
  expect(records("session.refused").reduce((sum, { times }) => sum + times, 0)).toBe(5);
});

test("an expired session is refused to the millisecond, then closed and recorded", async () => {
  const { identity, open, records, clock } = await world();
  await clock.advance(1); // So that no sweep falls on the same millisecond.
  const { token, principal } = await open({ minutes: 1 });
  await clock.advance(59_999);
  expect(code(() => identity.identify(token, "mcp"))).toBe("none");
  await clock.advance(1);
  expect(code(() => identity.identify(token, "mcp"))).toBe("session_expired");
  expect(code(() => identity.admit(principal))).toBe("session_expired");
  await clock.advance(10_000);
  expect(records("session.close")).toMatchObject([{ session: principal.session, why: "expired" }]);
  expect(code(() => identity.identify(token, "mcp"))).toBe("session_expired");
});

test("sessions, their calls and credentials outlive the daemon; what ended stays ended", async () => {
  const w = await world();
  const kept = await w.open({ maxCalls: 3 });
  const ended = await w.open();
  const { token: below } = await w.child(kept.token, { maxCalls: 2 });
  const { secret } = await w.identity.issue("user", "ben", "operator");
  await w.identity.close("operator", ended.principal.session, "done");
  await w.decided(kept.principal.session);
  await w.crash();
  expect(w.identity.identify(kept.token, "mcp")).toEqual(kept.principal);
  expect(w.identity.identify(below, "mcp").chain).toEqual([kept.principal.session]);
  expect(code(() => w.identity.identify(ended.token, "mcp"))).toBe("unauthenticated");
  expect(w.identity.authenticate(secret)).toMatchObject({ kind: "user", name: "ben" });
  expect(w.identity.maxCallsOf(kept.principal.session)).toBe(3);
  expect(w.identity.maxCallsOf(w.identity.identify(below, "mcp").session)).toBe(2);
  expect(w.identity.sessions().map(({ calls }) => calls)).toEqual([1, 0]);
});

test("calls of a child that was closed before a restart are still its parent's", async () => {
  const w = await world();
  const parent = await w.open({ maxCalls: 2 });
  const below = await w.child(parent.token);
  w.identity.admit(below.principal)[Symbol.dispose]();
  await w.decided(below.principal.session);
  await w.identity.close("operator", below.principal.session, "done");
  await w.restart();
  w.identity.admit(parent.principal)[Symbol.dispose]();
  expect(w.identity.sessions().map(({ calls }) => calls)).toEqual([2]);
});

test("limit calls_per_session: at the limit a call goes, one past it does not, and children share their parent's places", async () => {
  const { identity, open, child } = await world();
  const parent = await open();
  const below = await child(parent.token);
  const places = [identity.admit(parent.principal), identity.admit(below.principal), identity.admit(below.principal)];
  expect(code(() => identity.admit(parent.principal))).toBe("too_many_calls");
  expect(code(() => identity.admit(below.principal))).toBe("too_many_calls");
  places[1]?.[Symbol.dispose]();
  places[1]?.[Symbol.dispose](); // Given back once only.
  identity.admit(parent.principal);
  expect(code(() => identity.admit(below.principal))).toBe("too_many_calls");
});

test("closing a session closes its children first, at once, and only by who may", async () => {
  const { identity, open, child, records } = await world();
  const top = await open();
  const middle = await child(top.token);
  const leaf = await child(middle.token);
  const stranger = await open();
  const closer = identity.authenticate(middle.token);
  expect(await codeOf(identity.close(closer, top.principal.session, "done"))).toBe("forbidden");
  expect(await codeOf(identity.close(closer, stranger.principal.session, "done"))).toBe("forbidden");
  const closing = identity.close(identity.authenticate(top.token), middle.principal.session, "done");
  expect(code(() => identity.identify(leaf.token, "mcp"))).toBe("session_expired");
  await closing;
  expect(records("session.close").map(({ session, why }) => [session, why])).toEqual([
    [leaf.principal.session, "parent closed"],
    [middle.principal.session, "done"],
  ]);
  expect(code(() => identity.identify(top.token, "mcp"))).toBe("none");
});

test("a session that ended while the disk refused stays ended, and the record follows", async () => {
  const w = await world();
  const { token, principal } = await w.open();
  w.disk.medium.failure = new Error("ENOSPC");
  expect(await codeOf(w.identity.close("operator", principal.session, "done"))).toBe("ledger_unavailable");
  expect(code(() => w.identity.identify(token, "mcp"))).toBe("session_expired");
  w.disk.medium.failure = null;
  await w.clock.advance(10_000);
  expect(w.records("session.close")).toMatchObject([{ session: principal.session, why: "done" }]);
});

test("a child that is being opened while its parent closes does not survive it", async () => {
  const { identity, open, child } = await world();
  const parent = await open();
  const opening = codeOf(child(parent.token));
  await identity.close("operator", parent.principal.session, "done");
  expect(await opening).toBe("session_expired");
  expect(identity.sessions()).toEqual([]);
});

test("what may not be opened", async () => {
  const w = await world();
  const { identity, open, child } = w;
  const { secret } = await identity.issue("agent", "coder", "operator");
  const { secret: person } = await identity.issue("user", "ana", "operator");
  const agent = identity.authenticate(secret);
  const parent = await open({ audience: "mcp/files" });
  const asked = { onBehalfOf: "ana", purpose: "p" };
  const faults = {
    "an agent's credential for another agent": identity.open(agent, { ...asked, agent: "tied" }),
    "a user's credential": identity.open(identity.authenticate(person), { ...asked, agent: "coder" }),
    "a user the agent is not tied to": open({ agent: "tied" }),
    "an unknown agent": open({ agent: "nobody" }),
    "an unknown user": open({ onBehalfOf: "nobody" }),
    "no purpose": identity.open(agent, { onBehalfOf: "ana" }),
    "an empty purpose": open({ purpose: " " }),
    "half a character": open({ purpose: "\ud800" }),
    "longer than the agent may": open({ minutes: 61 }),
    "a fraction of a call": open({ maxCalls: 0.5 }),
    "an unknown audience": open({ audience: "mcp/nowhere" }),
    "no audience of ours": open({ audience: "https://api" }),
    "a tool without server": open({ tools: ["write_file"] }),
    "a strange label": open({ labels: ["a b"] }),
    "a child with another agent": child(parent.token, { agent: "tied" }),
    "a child for another user": child(parent.token, { onBehalfOf: "ben" }),
    "a child with a wider audience": child(parent.token, { audience: "mcp" }),
  };
  const found = Object.fromEntries(await Promise.all(Object.entries(faults).map(async ([what, opening]) => [what, await codeOf(opening)] as const)));
  expect(found).toMatchInlineSnapshot(`
    {
      "a child for another user": "forbidden",
      "a child with a wider audience": "forbidden",
      "a child with another agent": "forbidden",
      "a fraction of a call": "invalid_request",
      "a strange label": "invalid_request",
      "a tool without server": "invalid_request",
      "a user the agent is not tied to": "forbidden",
      "a user's credential": "forbidden",
      "an agent's credential for another agent": "forbidden",
      "an empty purpose": "invalid_request",
      "an unknown agent": "not_found",
      "an unknown audience": "invalid_request",
      "an unknown user": "not_found",
      "half a character": "invalid_request",
      "longer than the agent may": "invalid_request",
      "no audience of ours": "invalid_request",
      "no purpose": "invalid_request",
    }
  `);
  expect(identity.sessions()).toHaveLength(1);
});

test("limits sessions, sessions_per_agent, session_depth, session_children, credentials_per_name: at the limit yes, one past it no", async () => {
  const { identity, open, child } = await world();
  const top = await open();
  const middle = await child(top.token);
  const leaf = await child(middle.token);
  expect(await codeOf(child(leaf.token))).toBe("limit_exceeded");
  const third = await Promise.all([codeOf(child(top.token)), codeOf(child(top.token))]); // At once: what is being opened counts.
  expect(third.sort()).toEqual(["limit_exceeded", "none"]);
  expect(await codeOf(child(middle.token))).toBe("limit_exceeded"); // A child's children are its parent's too.
  const many = await Promise.all(Array.from({ length: 7 }, () => codeOf(open())));
  expect(many.filter((result) => result === "none")).toHaveLength(6);
  await open({ agent: "tied", onBehalfOf: "ben" });
  await open({ agent: "tied", onBehalfOf: "ben" });
  expect(await codeOf(open({ agent: "tied", onBehalfOf: "ben" }))).toBe("limit_exceeded");
  expect(identity.sessions()).toHaveLength(12);
  await identity.issue("agent", "coder", "operator");
  await identity.issue("agent", "coder", "operator");
  expect(await codeOf(identity.issue("agent", "coder", "operator"))).toBe("limit_exceeded");
  expect(await codeOf(identity.issue("agent", "nobody", "operator"))).toBe("not_found");
});

test("a revoked credential opens nothing, and what it had opened ends", async () => {
  const w = await world();
  const { key, secret } = await w.identity.issue("agent", "coder", "operator");
  const agent = w.identity.authenticate(secret);
  const { token } = await w.identity.open(agent, { onBehalfOf: "ana", purpose: "p" });
  const { token: below } = await w.child(token);
  const { token: other } = await w.open();
  const late = codeOf(w.identity.open(agent, { onBehalfOf: "ana", purpose: "p" }));
  await w.identity.revoke(key, "user:ben");
  expect(await late).toBe("forbidden");
  expect(code(() => w.identity.authenticate(secret))).toBe("unauthenticated");
  expect(await codeOf(w.identity.open(agent, { onBehalfOf: "ana", purpose: "p" }))).toBe("forbidden");
  expect([token, below, other].map((held) => code(() => w.identity.identify(held, "mcp")))).toEqual(["session_expired", "session_expired", "none"]);
  expect(await codeOf(w.identity.revoke(key, "operator"))).toBe("not_found");
  expect(w.records("credential.revoke")).toMatchObject([{ key, by: "user:ben", kind: "agent", name: "coder" }]);
  await w.restart();
  expect(code(() => w.identity.authenticate(secret))).toBe("unauthenticated");
});

test("listeners hear of every end once", async () => {
  const { identity, open, child, clock } = await world();
  const ended: string[] = [];
  identity.onClose((session) => ended.push(session));
  const top = await open({ minutes: 1 });
  const below = await child(top.token);
  await clock.advance(70_000);
  await settled();
  expect(ended.toSorted()).toEqual([top.principal.session, below.principal.session].toSorted());
});

const action = fc.constantFrom("files/read", "files/write", "git/push", "git/log", "git/*", "files/*");
const tools = fc.option(fc.uniqueArray(action, { maxLength: 4 }), { nil: null });
const calls = fc.option(fc.nat(20), { nil: null });
const mandate = fc.record<Mandate>({
  tools,
  labels: fc.uniqueArray(fc.constantFrom("a", "b", "c")),
  audience: fc.constantFrom("mcp", "mcp/files", "mcp/git"),
  expiresAtMs: fc.nat(1000),
  maxCalls: calls,
});
const asked = fc.record({ tools, labels: fc.uniqueArray(fc.constantFrom("a", "b", "d")), audience: fc.constantFrom("mcp", "mcp/files", "mcp/git"), expiresAtMs: fc.nat(2000), maxCalls: calls }, { requiredKeys: [] });

test("I11: whatever a chain of children asks for, none exceeds any above it", () => {
  fc.assert(
    fc.property(mandate, fc.array(asked, { minLength: 1, maxLength: 4 }), (top, requests) => {
      let parent = top;
      for (const request of requests) {
        const child = narrow(parent, request);
        for (const name of ["files/read", "files/write", "git/push", "git/log", "git/other"]) {
          // Both ways: nothing is gained, nor is more lost than was asked.
          expect(toolsCover(child.tools, name)).toBe(toolsCover(parent.tools, name) && toolsCover(request.tools ?? null, name));
        }
        for (const door of ["mcp", "mcp/files", "mcp/git"]) expect(audienceCovers(child.audience, door) && !audienceCovers(parent.audience, door)).toBe(false);
        expect(parent.labels.every((label) => child.labels.includes(label))).toBe(true);
        expect(child.expiresAtMs).toBeLessThanOrEqual(parent.expiresAtMs);
        const most = Math.min(parent.maxCalls ?? Number.POSITIVE_INFINITY, request.maxCalls ?? Number.POSITIVE_INFINITY);
        expect(child.maxCalls ?? Number.POSITIVE_INFINITY).toBe(most);
        parent = child;
      }
    }),
  );
});
