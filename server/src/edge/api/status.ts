import type { Handler } from "./handler.ts";
import type { Rooms } from "./rooms.ts";

export const statusHandlers = ({ status, store }: Rooms): Record<"status" | "health", Handler> => ({
  status: () => ({ json: status() }),
  health: () => ({ json: { ledger: store.healthy() ? "ok" : "refusing" } }),
});
