import type { Fault, NewRecord } from "@lanyard/contract";
import { expect, test } from "vitest";
import { openMemory } from "../../server/src/base/store/memory.ts";
import { ledgerHandlers } from "../../server/src/edge/api/ledger.ts";
import type { Rooms } from "../../server/src/edge/api/rooms.ts";

// What one reader does not read, the daemon does not keep for ever.

test("a follower of the log who stops reading is let go, and what it did not read is not kept", async () => {
  await using store = await openMemory();
  const { log } = ledgerHandlers({ store, policies: () => null } as unknown as Rooms);
  const stop = new AbortController();
  const answer = await log({ caller: "operator", actor: "operator", at: {}, body: {}, query: { follow: true, from: 0 }, signal: stop.signal });
  if (!("lines" in answer)) throw new Error("not a stream");
  const lines = answer.lines[Symbol.asyncIterator]();
  await lines.next();
  const record: NewRecord = { type: "session.refused", code: "unauthenticated", door: "mcp", times: 1 };
  for (let n = 0; n < 11; n++) await Promise.all(Array.from({ length: 1000 }, () => store.append(record)));
  const end = await (async () => {
    for (let n = 0; n < 20; n++) if ((await lines.next()).done) return "done";
    return "still reading";
  })().catch((error: Fault) => error.code);
  expect(end).toBe("limit_exceeded");
});
