import type { Handler } from "./handler.ts";
import type { Rooms } from "./rooms.ts";

export const policyHandlers = ({ policy }: Rooms): Record<"policy_ground", Handler> => ({
  policy_ground: () => ({ json: policy.ground() }),
});
