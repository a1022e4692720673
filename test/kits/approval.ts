import { hash as digestOf } from "node:crypto";
import type { Action, Fault, Json, Principal, RecordType } from "@lanyard/contract";
import { newSigner } from "@lanyard/ledger";
import type { Config } from "../../server/src/base/config/config.ts";
import { parseConfig } from "../../server/src/base/config/read.ts";
import type { Exchange } from "../../server/src/base/exchange.ts";
import { silent } from "../../server/src/base/log.ts";
import type { Facts, Hold, Ruling } from "../../server/src/base/path.ts";
import { MemoryMedium, openMemory } from "../../server/src/base/store/memory.ts";
import { approvalStage } from "../../server/src/stages/approval/approval.ts";
import { settled, stillClock } from "./clock.ts";

export const approvalYaml = `
version: 1
groups: { leads: {}, sre: {} }
users: { ana: { groups: [leads] }, lea: { groups: [leads] }, sam: { groups: [sre] }, both: { groups: [leads, sre] }, ben: {} }
limits: { approvals: 4, approvals_per_session: 2 }
`;
/** lanyard.yaml from its text. */
export const yamlConfig = (text: string): Config => parseConfig(new TextEncoder().encode(text), "/srv/lanyard.yaml");
/** Somebody who answers through the administration API. */
export const as = (user: string) => ({ user, via: null });
export const hash = (mark: string) => (/^[\w-]+$/.test(mark) ? mark.repeat(43).slice(0, 43) : digestOf("sha256", mark, "base64url"));

export const principalOf = (session: string): Principal => ({ session, agent: "coder", user: "ana", purpose: "p", chain: [], tools: null, labels: [], isolation: "none", expiresAtMs: Number.MAX_SAFE_INTEGER });
export const actionOf = (mark = "a"): Action => ({ protocol: "mcp", server: "files", method: "tools/call", tool: "write", name: "files/write", args: { path: mark }, params: {}, digest: hash(mark) });
export const factsOf = (definition = "H"): Facts => ({
  input: {
    agent: { id: "coder", team: "eng", classes: [] },
    user: { id: "ana", groups: ["leads"] },
    session: { id: "s1", purpose: "p", depth: 0, labels: [], isolation: "none" },
    action: "files/write",
    args: { path: "a" },
    reversibility: "reversible",
    approvals: [],
    nowMs: 0,
  },
  pin: { definition: hash(definition), contract: { effects: ["write"], reversibility: "reversible" }, refuse: null },
});
export const rulingOf = (groups = ["leads"], bundle = "B", reasons: readonly string[] = []): Ruling => ({ decision: { effect: "ask", reasons: [], approvers: groups, errors: [] }, bundle: hash(bundle), reasons });

/** An approval stage on a store in memory, with mediation's part of the play. */
export async function approvalWorld(yaml = approvalYaml) {
  const still = stillClock();
  const wall = { offMs: 0 };
  const clock = { ...still, nowMs: () => still.nowMs() + wall.offMs };
  const disk = { medium: new MemoryMedium(), signer: newSigner("lanyard.local/test"), tenant: clock.random(32) };
  const live = { config: yamlConfig(yaml) };
  let store = await openMemory({ clock, ...disk });
  const start = () => approvalStage({ store, clock, log: silent, config: () => live.config });
  let approvals = start();
  const decided = (effect: "allow" | "ask", approval: string | null, session: string, mark: string) => {
    const sealed = store.seal("user:ana", { input: { ...factsOf().input, args: { path: mark } } } as unknown as Json);
    return store.append(
      {
        type: "decision", id: clock.id("d"), session, agent: "coder", user: "ana", action: "files/write", digest: hash(mark), effect, by: "policy", policies: [],
        decision: hash("D"), bundle: hash("B"), input: sealed.commitment, tool: hash("H"), reversibility: "reversible", approval, payload: sealed.payload,
      },
      // As the record stage does: the allow that names an approval takes its state away in the same commit.
      { sealed, ...(effect === "allow" && approval !== null && { state: [{ kind: "approval" as const, key: approval, value: null }] }) },
    );
  };
  return {
    clock,
    /** How far the clock on the wall was set from where it was. */
    wall,
    disk,
    live,
    get approvals() {
      return approvals;
    },
    get store() {
      return store;
    },
    decided,
    /** The session reads something, as the path records it. */
    read(url: string, session = "s1") {
      const sealed = store.seal("user:ana", { input: { ...factsOf().input, args: { url } } } as unknown as Json);
      return store.append(
        {
          type: "decision", id: clock.id("d"), session, agent: "coder", user: "ana", action: "web/GET", digest: hash(url.slice(-1)), effect: "allow", by: "policy", policies: [],
          decision: hash("D"), bundle: hash("B"), input: sealed.commitment, tool: hash("H"), reversibility: "read", approval: null, payload: sealed.payload,
        },
        { sealed },
      );
    },
    records: (...types: RecordType[]) => store.entries({ types: types.length > 0 ? types : ["approval.request", "approval.approve", "approval.deny", "approval.expire", "approval.void"] }),
    /** What mediation does with an ask: the decision is recorded, then the call is held. */
    async call({ session = "s1", mark = "a", ruling = rulingOf(), facts = factsOf(), aborted = false } = {}) {
      const { seq } = await decided("ask", null, session, mark);
      const client = new AbortController();
      if (aborted) client.abort();
      const progress: { progress: number; message?: string }[] = [];
      const exchange: Exchange = { era: "stateful", signal: client.signal, progress: (update) => progress.push(update), notify: () => {}, ask: () => Promise.reject(new Error("not asked")) };
      let ended: Hold | Fault | null = null;
      const done = approvals.hold(actionOf(mark), principalOf(session), { seq, id: "d" }, facts, ruling, exchange).then(
        (hold) => (ended = hold),
        (error: Fault) => (ended = error),
      );
      await settled();
      return { done, client, progress, ended: () => ended as { kind?: string; code?: string } | null };
    },
    only: () => approvals.list()[0]?.id ?? "",
    claim: (mark = "a", session = "s1") => approvals.claim(principalOf(session), actionOf(mark)),
    async restart(orderly = true) {
      if (orderly) {
        await approvals[Symbol.asyncDispose]();
        await store[Symbol.asyncDispose]();
      }
      store = await openMemory({ clock, ...disk });
      approvals = start();
    },
  };
}
