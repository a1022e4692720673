import type { Handler } from "../handler.ts";
import type { Rooms } from "../rooms.ts";
import { incidentOf } from "./report.ts";

/** Reading a report opens sealed values and takes them out of the house: it is on record before anything is shown. */
export const incidentHandlers = (rooms: Rooms): Record<"incident", Handler> => ({
  incident: async ({ actor, at }) => {
    const session = at["session"] ?? "";
    await rooms.store.settled();
    const report = await incidentOf(rooms, session);
    const seqs = report.records.map(({ seq }) => Number(seq));
    await rooms.store.append({ type: "access.export", by: actor, what: `incident ${session}`.slice(0, 256), from: seqs[0] ?? 0, to: seqs.at(-1) ?? 0 });
    return { json: report };
  },
});
