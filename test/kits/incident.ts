import { createHash } from "node:crypto";
import type { Json, NewRecord } from "@lanyard/contract";
import { parseSigner } from "@lanyard/ledger";
import type { Clock } from "../../server/src/base/clock.ts";
import { defaultLimits, type Limits } from "../../server/src/base/limits.ts";
import { decisionId } from "../../server/src/base/store/decision-id.ts";
import { MemoryMedium, openMemory } from "../../server/src/base/store/memory.ts";
import { incidentOf } from "../../server/src/edge/api/incident/report.ts";
import { stillClock } from "./clock.ts";

// A key for tests: with it, and with bytes that only seem random, the same records make the same ledger.
const signer = parseSigner("PRIVATE+KEY+lanyard.local/golden+629c9ac5+AUu7WPDR9wC/HWNOSAanLwy/aH/cRcgLSrIqxNkQxXlF");
const hash = (text: string): string => createHash("sha256").update(text).digest("base64url");

const seeded = (clock: Clock): Clock => {
  let count = 0;
  const random = (size: number): Buffer => {
    const blocks = Array.from({ length: Math.ceil(size / 32) }, () => createHash("sha256").update(`bytes ${count++}`).digest());
    return Buffer.concat(blocks).subarray(0, size);
  };
  return { ...clock, random, id: (prefix) => `${prefix}_${random(12).toString("base64url")}` };
};

/** A ledger in memory that is the same each time, and what an agent did in it. */
export async function incidentWorld({ limits = {}, reason = "The plan is not for agents to change." }: { limits?: Partial<Limits>; reason?: string } = {}) {
  const still = stillClock(Date.parse("2026-11-22T02:10:00Z"));
  const clock = seeded(still);
  const store = await openMemory({ clock, medium: new MemoryMedium(), signer, tenant: Buffer.alloc(32, 7) });
  const append = async (record: NewRecord, sealed?: { subject: string; field: string; value: Json }) => {
    const box = sealed ? store.seal(sealed.subject, sealed.value) : null;
    const { seq } = await store.append(box ? ({ ...record, payload: box.payload, [sealed?.field ?? ""]: box.commitment } as NewRecord) : record, box ? { sealed: box } : {});
    await still.advance(1500);
    return seq;
  };
  const open = (session: string, { agent = "clerk", purpose = "tidy up the notes", parent = null }: { agent?: string; purpose?: string; parent?: string | null } = {}) =>
    append({ type: "session.open", session, agent, user: "ben", purpose: hash("purpose"), payload: null, parent, expires_at_ms: clock.nowMs() + 3_600_000, isolation: "none" }, { subject: "user:ben", field: "purpose", value: purpose });
  const call = async (session: string, action: string, args: Json, { effect = "allow", by = "policy", policies = ["notes.base"], resources = [], agent = "clerk" }: { effect?: "allow" | "deny" | "ask"; by?: string; policies?: string[]; resources?: Json[]; agent?: string } = {}) => {
    const box = store.seal("user:ben", { input: { args, resources } });
    const { seq } = await store.append(
      {
        type: "decision", id: decisionId(clock), session, agent, user: "ben", action, digest: hash(JSON.stringify(args)), effect, by, policies, decision: hash("decision"), bundle: hash("bundle"), input: box.commitment,
        tool: hash("tool"), reversibility: "reversible", approval: null, payload: box.payload,
      },
      { sealed: box },
    );
    await still.advance(800);
    return seq;
  };
  const outcome = (of: number, status: "done" | "refused" | "failed" | "uncertain" = "done", code = "") => append({ type: "outcome", of, status, code, result: null, payload: null, duration_us: 1200 });
  const past = { policy: (_: string, id: string) => ({ file: "notes.cedar", line: 4, text: `@id("${id}") permit(principal, action, resource);`, reason, remedy: "" }), snapshot: async () => null };
  return {
    clock, store, append, open, call, outcome, advance: still.advance,
    report: (session: string) => incidentOf({ store, clock, limits: { ...defaultLimits, ...limits }, past }, session),
  };
}
