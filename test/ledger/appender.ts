// The program that kill.slow.test.ts kills: 16 callers append to the ledger in argv[2]; each acknowledged record is a line `<seq> <id or of>` on
// stdout, written before the caller goes on.
import { writeSync } from "node:fs";
import { systemClock as clock } from "../../server/src/base/clock.ts";
import { openSqlite } from "../../server/src/base/store/sqlite.ts";
import { putObjects, someDecision, someOutcome } from "../kits/records.ts";

const store = await openSqlite({ folder: process.argv[2] as string, clock, version: "torture" });
putObjects(store);
writeSync(1, `open ${store.openIntents().join()}\n`);

const caller = async (): Promise<never> => {
  for (;;) {
    const record = someDecision("allow", { id: clock.id("d") });
    const input = store.seal(`user:${clock.nowMs() % 5}`, { id: record.id });
    const intent = await store.append({ ...record, input: input.commitment, payload: input.payload }, { sealed: input, state: [{ kind: "session", key: "one", value: { last: record.id } }] });
    writeSync(1, `intent ${intent.seq} ${record.id}\n`);
    const outcome = await store.append(someOutcome(intent.seq));
    writeSync(1, `outcome ${outcome.seq} ${intent.seq}\n`);
  }
};
await Promise.all(Array.from({ length: 16 }, caller));
