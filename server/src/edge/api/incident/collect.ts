import { Fault, type LedgerRecord, type RecordType } from "@lanyard/contract";
import { recordBodies } from "@lanyard/contract/records";
import type { Clock } from "../../../base/clock.ts";
import type { Store } from "../../../base/store/port.ts";

/** Records that can be about a session: what was done, asked, stopped, paged and taken back. Who read what is not part of it, or a second report would differ from the first. */
const types = (Object.keys(recordBodies) as RecordType[]).filter((type) => /^(?:decision|outcome|approval\.|grant\.|session\.|egress\.|workspace\.|credential\.(?:lend|misuse)|stop\.|breaker\.|undo\.|held\.|alert\.|ledger\.gap)/.test(type));

/** Everything on record about a session and those below it. */
export interface Gathered {
  /** The session, then those below it, in the order they were opened. */
  readonly sessions: readonly string[];
  readonly records: readonly LedgerRecord[];
  /** Records that were left out for the limit, the oldest but the first. */
  readonly omitted: number;
}

/**
 * Finds them in one pass from the session's first record on: whatever names one of the sessions, a record that is in already, or something that such a
 * record began. Throws Fault `not_found`.
 */
export async function gatherIncident({ store, clock }: { readonly store: Store; readonly clock: Clock }, session: string, limit: number): Promise<Gathered> {
  const opened = store.entries({ session, types: ["session.open"], limit: 1 })[0];
  if (opened?.type !== "session.open") throw new Fault("not_found", `no session \`${session}\` is on record; \`lanyard log --type session.open\` shows those that are`);
  const net = new Net(session, opened.agent, opened.user);
  const found: number[] = [];
  for (const run of store.scan({ from: opened.seq, to: store.size() - 1, types })) {
    for (const record of run) if (net.catches(record)) found.push(record.seq);
    await clock.pause(0);
  }
  const kept = found.length <= limit ? found : [found[0] ?? 0, ...found.slice(1 - limit)];
  const records = await inSlices(clock, kept, (seq) => store.entry(seq));
  return { sessions: [...net.sessions], records: records.filter((record) => record !== null), omitted: found.length - kept.length };
}

const sliceUs = 10_000;

/** Each in its order; calls that agents make go on in between. */
export async function inSlices<T, U>(clock: Clock, items: readonly T[], make: (item: T) => U): Promise<U[]> {
  const made: U[] = [];
  let sinceUs = clock.monotonicUs();
  for (const item of items) {
    made.push(make(item));
    if (clock.monotonicUs() - sinceUs < sliceUs) continue;
    await clock.pause(1);
    sinceUs = clock.monotonicUs();
  }
  return made;
}

/** What has been found so far, and so what belongs to it. */
class Net {
  readonly sessions: Set<string>;
  readonly #agent: string;
  readonly #user: string;
  readonly #seqs = new Set<number>();
  readonly #ids = new Set<string>();
  #open = true;

  constructor(session: string, agent: string, user: string) {
    this.sessions = new Set([session]);
    this.#agent = agent;
    this.#user = user;
  }

  catches(record: LedgerRecord): boolean {
    if (record.type === "session.open" && record.parent !== null && this.sessions.has(record.parent)) this.sessions.add(record.session);
    if (!this.#belongs(record)) return false;
    this.#seqs.add(record.seq);
    const { id, order } = record as { readonly id?: unknown; readonly order?: unknown };
    for (const name of [id, order]) if (typeof name === "string") this.#ids.add(name);
    if (record.type === "undo.begin") this.sessions.add(record.as); // What takes actions back acts too.
    if (record.type === "session.close" && record.session === [...this.sessions][0]) this.#open = false;
    return true;
  }

  #belongs(record: LedgerRecord): boolean {
    const { session, id, of, order, subject, kind, name } = record as { readonly [field: string]: unknown };
    if (typeof session === "string") return this.sessions.has(session);
    if (typeof of === "number" && this.#seqs.has(of)) return true;
    if ([id, order].some((one) => typeof one === "string" && this.#ids.has(one))) return true;
    if (record.type === "ledger.gap") return this.#open;
    const about = (typeof subject === "object" && subject !== null ? subject : { kind, name }) as { readonly kind?: unknown; readonly name?: unknown };
    return this.#open && this.#isAbout(String(about.kind), String(about.name));
  }

  /** Whether a stop while the session was open can have met it: what is about a team, a server, a tool or a label may have. */
  #isAbout(kind: string, name: string): boolean {
    if (kind === "session") return this.sessions.has(name);
    if (kind === "agent") return name === this.#agent;
    return kind === "user" ? name === this.#user : ["all", "team", "server", "tool", "label"].includes(kind);
  }
}
