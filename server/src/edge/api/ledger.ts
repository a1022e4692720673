import { Fault, type JsonObject, type LedgerRecord, type RecordType } from "@lanyard/contract";
import { matches } from "../../base/store/filter.ts";
import type { LogFilter } from "../../base/store/port.ts";
import type { ApiCall, Handler } from "./handler.ts";
import { explain } from "./explain.ts";
import type { Rooms } from "./rooms.ts";

type LedgerRoute = "log" | "explain" | "replay" | "audit_checkpoint" | "audit_prove" | "audit_export" | "audit_key";

/** Reading the ledger. Every read is itself recorded (`access.read`, `access.unseal`) before anything is shown. */
export const ledgerHandlers = (rooms: Rooms): Record<LedgerRoute, Handler> => ({
  log: async (call) => ({ lines: call.query["follow"] ? follow(rooms, call) : once(rooms, call) }),

  explain: async ({ actor, at }) => {
    await rooms.store.settled();
    const seq = seqOf(rooms, at["ref"] ?? "");
    await rooms.store.append({ type: "access.unseal", by: actor, of: seq });
    return { json: await explain(rooms, seq) };
  },

  replay: async ({ actor, body }) => {
    const from = Number(body["from"]);
    const to = body["to"] === undefined ? rooms.store.size() - 1 : Number(body["to"]);
    await recordRead(rooms, actor, "replay", from, to);
    return { lines: rooms.replay(from, to) };
  },

  audit_checkpoint: () => ({ text: rooms.store.checkpoint() }),
  audit_prove: async ({ actor, at }) => {
    const seq = seqOf(rooms, at["seq"] ?? "");
    await rooms.store.append({ type: "access.export", by: actor, what: "proof", from: seq, to: seq });
    return { text: rooms.store.prove(seq) };
  },
  audit_export: async ({ actor }) => {
    await rooms.store.append({ type: "access.export", by: actor, what: "ledger", from: 0, to: rooms.store.size() - 1 });
    return { textLines: rooms.exportLines() };
  },
  audit_key: () => ({ text: `${rooms.store.verifierKey()}\n` }),
});

const recordRead = (rooms: Rooms, by: string, what: string, from: number, to: number) =>
  rooms.store.append({ type: "access.read", by, what, from, to: Math.max(from, to), times: 1 });

/** A seq, or a decision id as denials show it. */
function seqOf({ store }: Rooms, ref: string): number {
  if (/^\d{1,15}$/.test(ref)) {
    if (Number(ref) < store.size()) return Number(ref);
    throw new Fault("not_found", `the ledger has no entry \`${ref}\`; the newest is ${store.size() - 1}`);
  }
  const found = ref.startsWith("d_") ? store.decisionById(ref) : null;
  if (found === null) throw new Fault("not_found", `the ledger has no decision \`${ref}\``);
  return found;
}

function filterOf(query: JsonObject): LogFilter {
  const { from, to, since_ms, session, agent, effect, tool, type, limit } = query as Record<string, never>;
  return {
    ...(from !== undefined && { from }),
    ...(to !== undefined && { to }),
    ...(since_ms !== undefined && { sinceMs: since_ms }),
    ...(session !== undefined && { session }),
    ...(agent !== undefined && { agent }),
    ...(effect !== undefined && { effect }),
    ...(tool !== undefined && { action: tool }),
    ...(type !== undefined && { types: [type as RecordType] }),
    ...(limit !== undefined && { limit }),
    newest: from === undefined,
  };
}

/** Of a decision, the first reason in the policy author's words. */
export function reasonOf(past: Pick<Rooms["past"], "policy">, record: LedgerRecord): { why?: string } {
  if (record.type !== "decision" || !record.bundle) return {};
  const why = past.policy(record.bundle, record.policies[0] ?? "")?.reason;
  return why ? { why } : {};
}

/** A record as the log shows it. */
const lineOf = (rooms: Rooms, record: LedgerRecord): object => ({ ...record, ...reasonOf(rooms.past, record) });

async function* once(rooms: Rooms, { actor, query }: ApiCall): AsyncGenerator<object> {
  await rooms.store.settled();
  const records = rooms.store.entries(filterOf(query));
  await recordRead(rooms, actor, "log", records[0]?.seq ?? 0, records.at(-1)?.seq ?? 0);
  for (const record of records) yield lineOf(rooms, record);
}

const followBacklog = 10_000;

/** The newest entries that fit, then each new one as it becomes durable, until the reader goes away or falls too far behind. */
async function* follow(rooms: Rooms, call: ApiCall): AsyncGenerator<object> {
  const queue: LedgerRecord[] = [];
  let wake = (): void => {};
  const filter = filterOf(call.query);
  let behind = false;
  const subscription = rooms.store.follow((record) => {
    // Here and not where it is read: a reader who reads nothing must not make the queue grow.
    behind = behind || queue.length >= followBacklog;
    if (behind) queue.length = 0;
    else queue.push(record);
    wake();
  });
  const stop = (): void => wake();
  call.signal.addEventListener("abort", stop);
  try {
    const shown = call.query["from"] === undefined && call.query["since_ms"] === undefined && call.query["limit"] === undefined ? [] : rooms.store.entries(filter);
    const last = shown.at(-1)?.seq ?? -1;
    await recordRead(rooms, call.actor, "log --follow", shown[0]?.seq ?? rooms.store.size(), rooms.store.size());
    for (const record of shown) yield lineOf(rooms, record);
    while (!call.signal.aborted) {
      if (behind) throw new Fault("limit_exceeded", `the reader of the log fell ${followBacklog} entries behind`);
      const record = queue.shift();
      if (record && record.seq > last && matches(filter, record)) yield lineOf(rooms, record);
      if (queue.length === 0 && !behind && !call.signal.aborted) await new Promise<void>((resolve) => (wake = resolve));
    }
  } finally {
    call.signal.removeEventListener("abort", stop);
    subscription.stop();
  }
}
