import { createHash } from "node:crypto";

/**
 * A git index (versions 2 and 3) by what it says: mode, object, stage, flags and path of each entry, as a hash. What git caches in it besides,
 * when a file was last looked at, changes with every `git status` and says nothing. Null for what is no such index.
 */
export function indexEntries(bytes: Buffer): string | null {
  if (bytes.length < 32 || bytes.toString("latin1", 0, 4) !== "DIRC") return null;
  const version = bytes.readUInt32BE(4);
  if (version !== 2 && version !== 3) return null;
  const hash = createHash("sha256");
  const end = bytes.length - 20;
  let at = 12;
  for (let left = bytes.readUInt32BE(8); left > 0; left--) {
    const start = at;
    if (start + 62 > end) return null;
    const flags = bytes.readUInt16BE(start + 60);
    const extended = (flags & 0x4000) !== 0;
    if (extended && version === 2) return null;
    const name = start + (extended ? 64 : 62);
    const stop = bytes.indexOf(0, name);
    if (stop < 0 || stop >= end) return null;
    // Mode and object; stage and assume-valid without the name's length, which the name says itself.
    hash.update(bytes.subarray(start + 24, start + 28)).update(bytes.subarray(start + 40, start + 60));
    hash.update(Buffer.from([flags >> 12, ...(extended ? bytes.subarray(start + 62, start + 64) : [])]));
    hash.update(bytes.subarray(name, stop + 1));
    at = start + (((stop - start + 8) >> 3) << 3);
  }
  return hash.digest("base64url");
}
