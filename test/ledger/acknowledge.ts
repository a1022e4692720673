import { writeSync } from "node:fs";
import { systemClock } from "../../server/src/base/clock.ts";
import { openSqlite } from "../../server/src/base/store/sqlite.ts";
import { someDecision } from "../kits/records.ts";

// A program for sync.slow.test.ts: appends to a store, alone and in company by turns, and says so the moment each is acknowledged.
const [folder = "", count = "0"] = process.argv.slice(2);
await using store = await openSqlite({ folder, clock: systemClock, version: "test" });
const acknowledge = async (n: number): Promise<void> => {
  await store.append(someDecision("deny"));
  writeSync(1, `ack ${n}\n`);
};
for (let n = 0; n < Number(count); n += 6) {
  await acknowledge(n);
  await Promise.all([1, 2, 3, 4, 5].map((more) => acknowledge(n + more)));
}
