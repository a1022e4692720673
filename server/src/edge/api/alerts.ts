import { Fault } from "@lanyard/contract";
import type { Handler } from "./handler.ts";
import type { Rooms } from "./rooms.ts";

export const alertHandlers = ({ alerts }: Rooms): Record<"alert_list" | "alert_acknowledge", Handler> => ({
  alert_list: () => ({ json: { alerts: alerts.list() } }),
  alert_acknowledge: async ({ caller, at }) => {
    if (typeof caller === "string" || caller.kind !== "user") throw new Fault("forbidden", "a person acknowledges, as oneself");
    return { json: await alerts.acknowledge(at["id"] ?? "", caller.name) };
  },
});
