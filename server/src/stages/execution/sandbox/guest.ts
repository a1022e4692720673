import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";

const source = resolve(import.meta.dirname, "../../../../../guest");

/** Where `npm run isolation` puts the guest agent that belongs to this very source; it need not be there. `cache`: the user's cache folder. */
export function guestAgentPath(cache: string): string {
  const hash = createHash("sha256");
  for (const name of readdirSync(source).sort()) hash.update(readFileSync(join(source, name)));
  return join(cache, "lanyard", `guest-agent-${hash.digest("hex").slice(0, 16)}`, "agent");
}
