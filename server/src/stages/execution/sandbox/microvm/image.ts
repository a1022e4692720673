import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";

const scripts = resolve(import.meta.dirname, "../../../../../../scripts");

/** Where `npm run isolation` puts the system of the virtual machines that belongs to this very source and Node; it need not be there. */
export function guestImagePath(cache: string): string {
  const hash = createHash("sha256");
  for (const name of ["image.mjs", "image/package-lock.json"]) hash.update(readFileSync(join(scripts, name)));
  return join(cache, "lanyard", `guest-image-${hash.update(process.version).digest("hex").slice(0, 16)}`);
}

export interface ImageFiles {
  readonly kernel: string;
  readonly modules: string;
  readonly system: string;
}

export const imageFiles = (folder: string): ImageFiles => ({ kernel: join(folder, "vmlinux"), modules: join(folder, "modules"), system: join(folder, "system.erofs") });

/** Null when it was made; else what to do. */
export const whatImageLacks = (folder: string): string | null =>
  existsSync(join(folder, "system.erofs")) ? null : "the virtual machines' system is not made; `npm run isolation` makes it (as root on Debian; else it says what to install)";
