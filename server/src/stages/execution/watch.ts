import { isObject, type JsonObject } from "@lanyard/contract";
import type { Clock } from "../../base/clock.ts";
import { metaKeys } from "../../base/mcp.ts";
import type { Connection, ServerNotice } from "./connection.ts";
import { quiet } from "./handshake.ts";

/** A standing `subscriptions/listen` at a stateless server. */
export interface Watch {
  end(): void;
}

/**
 * Listens for what `filter` names (2026-07-28, basic/patterns/subscriptions); resolves once the server has acknowledged. A stream that
 * breaks later is opened again while the connection lives: servers and proxies end long streams as they please.
 */
export async function watch(connection: Connection, filter: JsonObject, clock: Clock, limitMs: number, onNotice: ServerNotice): Promise<Watch> {
  const stop = new AbortController();
  let acknowledged = false;
  const listen = async (onReady: () => void): Promise<void> => {
    const notify = (method: string, params: JsonObject) => {
      if (method === "notifications/subscriptions/acknowledged") onReady();
      else onNotice(method, unmarked(params));
    };
    const answer = await connection.request("subscriptions/listen", { notifications: filter }, { ...quiet, signal: stop.signal, notify }, 0);
    if ("error" in answer) throw new Error(`the server does not let it be watched: ${answer.error.message}`);
  };
  const again = (failures: number) => {
    if (!acknowledged || stop.signal.aborted || connection.closed || failures > 5) return;
    clock.after(1000 * failures, () => {
      if (stop.signal.aborted) return;
      let next = failures + 1;
      void listen(() => (next = 1)).catch(() => {}).finally(() => again(next));
    });
  };
  await new Promise<void>((resolve, reject) => {
    const late = clock.after(limitMs, () => stop.abort());
    const ready = () => {
      acknowledged = true;
      late.cancel();
      resolve();
    };
    void listen(ready).then(ready, reject).finally(() => again(1));
  });
  return { end: () => stop.abort() };
}

/** The subscription's id is the connection's own business. */
function unmarked(params: JsonObject): JsonObject {
  const { _meta, ...rest } = params;
  if (!isObject(_meta)) return rest;
  const { [metaKeys.subscription]: _id, ...kept } = _meta;
  return Object.keys(kept).length > 0 ? { ...rest, _meta: kept } : rest;
}
