import type { ValueOrigin } from "@lanyard/contract";

/** Origins of what somebody who is trusted has said. */
export const vouched: ReadonlySet<ValueOrigin> = new Set(["task", "directory", "trusted"]);
