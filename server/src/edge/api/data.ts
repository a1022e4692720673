import { Fault, type LedgerRecord } from "@lanyard/contract";
import { parseTransform } from "@lanyard/policy";
import type { Store } from "../../base/store/port.ts";
import { breathe } from "../../mediation/recorded.ts";
import { userOf, type Handler } from "./handler.ts";
import type { Rooms } from "./rooms.ts";

/** Data classes: which an agent can touch and did, what tokens stand for, and what people say of a session. */
export const dataHandlers = ({ data, identity, store }: Rooms): Record<"data_agent" | "data_reveal" | "session_mark", Handler> => ({
  data_agent: async ({ actor, at }) => {
    const agent = at["agent"] ?? "";
    const can = data.reach(agent);
    await store.append({ type: "access.read", by: actor, what: "data classes", from: 0, to: Math.max(0, store.size() - 1), times: 1 });
    return { json: { agent, can, did: await touched(store, agent) } };
  },
  data_reveal: async ({ actor, caller, body }) => {
    const token = String(body["token"]);
    const told = await data.reveal(token, actor, userOf(caller) ?? null);
    // One answer for whatever it is that speaks against it: nobody learns here whose a token is.
    if (told === null) throw new Fault("not_found", `there is no token \`${token}\` whose value you may be told, or it was erased`);
    return { json: told };
  },
  session_mark: async ({ actor, caller, at, body }) => {
    const id = at["id"] ?? "";
    const user = userOf(caller) ?? null;
    const principal = identity.sessions().find((session) => session.principal.session === id)?.principal;
    if (!principal || (user !== null && principal.user !== user)) throw new Fault("not_found", `no session \`${id}\` of yours is open`);
    const labels = [...new Set((body["labels"] as string[]).map(String))].sort();
    data.mark(principal, labels); // Before it is durable: a mark only ever holds back.
    await store.append({ type: "data.mark", session: id, labels, by: actor });
    return { json: { session: id, labels } };
  },
});

interface Touched {
  readonly label: string;
  /** Read in results, sent in arguments of calls that were let through, or held back: in arguments of calls that were not, or taken out of them. */
  readonly how: "read" | "sent" | "held back";
  readonly action: string;
  times: number;
  /** Number of the last such decision: `lanyard explain` shows it. */
  last: number;
}

const mostRows = 10_000;

/** What the record says, label by label. */
async function touched(store: Pick<Store, "scan" | "outcomeOf">, agent: string): Promise<Touched[]> {
  const rows = new Map<string, Touched>();
  const note = (label: string, how: Touched["how"], { action, seq }: LedgerRecord & { type: "decision" }): void => {
    const key = JSON.stringify([label, how, action]);
    const row = rows.get(key) ?? { label, how, action, times: 0, last: seq };
    if (rows.size >= mostRows && !rows.has(key)) return;
    row.times++;
    row.last = seq;
    rows.set(key, row);
  };
  for (const run of store.scan({ agent, types: ["decision"] })) {
    for (const record of run) {
      if (record.type !== "decision") continue;
      for (const label of record.labels ?? []) note(label, record.effect === "allow" && !takenOut(label, record.transforms ?? []) ? "sent" : "held back", record);
      if (record.effect !== "allow") continue;
      const outcome = store.outcomeOf(record.seq);
      if (outcome?.type === "outcome") for (const label of outcome.labels ?? []) note(label, "read", record);
    }
    await breathe(); // Live calls go first between two runs.
  }
  return [...rows.values()].sort((a, b) => compare(a.label, b.label) || compare(a.how, b.how) || compare(a.action, b.action));
}

/** Whether what carries the label was taken out of an argument before the call was carried out. */
const takenOut = (label: string, transforms: readonly string[]): boolean =>
  transforms.some((text) => {
    const change = parseTransform(text);
    return change !== null && change.of === "arguments" && "label" in change && (change.label === label || label.startsWith(`${change.label}.`));
  });

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
