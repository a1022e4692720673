import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";

const source = resolve(import.meta.dirname, "../../../../../guest/agent.c");

/** Where `npm run isolation` puts the guest agent that belongs to this very source; it need not be there. `cache`: the user's cache folder. */
export const guestAgentPath = (cache: string): string =>
  join(cache, "lanyard", `guest-agent-${createHash("sha256").update(readFileSync(source)).digest("hex").slice(0, 16)}`, "agent");
