import type { Config } from "../config/config.ts";
import type { Store } from "../store/port.ts";

/** How a channel does: plain JSON. */
export type ChannelState = {
  name: string;
  kind: string;
  /** Messages that are not delivered yet. */
  waiting: number;
  /** The newest that ended; `code` says why it was given up. */
  last: { id: string; state: "delivered" | "failed"; code: string | null } | null;
};

/** The configured channels, with what the outbox keeps of each. */
export function channelStates({ channels }: Pick<Config, "channels">, store: Pick<Store, "list">): ChannelState[] {
  const kept = Map.groupBy(store.list("notice"), ({ value }) => String(value["channel"]));
  return [...channels].map(([name, { kind }]) => {
    const own = kept.get(name) ?? [];
    const ended = own.filter(({ value }) => value["state"] !== "waiting").sort((a, b) => Number(a.value["order"]) - Number(b.value["order"])).at(-1);
    const code = ended?.value["code"];
    const last = ended ? ({ id: ended.key.slice(name.length + 1), state: ended.value["state"] === "delivered" ? "delivered" : "failed", code: typeof code === "string" ? code : null } as const) : null;
    return { name, kind, waiting: own.length - own.filter(({ value }) => value["state"] !== "waiting").length, last };
  });
}
