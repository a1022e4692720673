import { closeSync, constants, existsSync, fsyncSync, openSync } from "node:fs";
import { join } from "node:path";
import { Fault } from "@lanyard/contract";

const parentOf = (path: string): string => path.slice(0, Math.max(0, path.lastIndexOf("/")));

/**
 * A folder held open by itself. Where the system shows open folders by number (Linux), every step into it starts from there and follows no
 * link, so that a name swapped for a link meanwhile leads nowhere; elsewhere each step is only looked at before it is taken.
 */
export class Anchor implements Disposable {
  readonly #root: string;
  readonly #fd: number;
  readonly #open = new Map<string, number>();

  /** Throws Fault `conflict` when it is no folder any more. */
  constructor(root: string) {
    this.#root = root;
    this.#fd = openFolderOnly(root, "");
  }

  /**
   * A path by which the parent of `path` is reached whatever becomes of the names on the way. Throws Fault `conflict` when a folder on the way
   * is none, or a link.
   */
  reach(path: string): string {
    const name = path.slice(path.lastIndexOf("/") + 1);
    return join(this.#folder(parentOf(path)), name);
  }

  /** Makes what was done in a path's folder lasting. */
  sync(path: string): void {
    const parent = parentOf(path);
    this.#folder(parent);
    fsyncSync(this.#open.get(parent) ?? this.#fd);
  }

  [Symbol.dispose](): void {
    this.forget();
    closeSync(this.#fd);
  }

  /** Folders may have come or gone. */
  forget(): void {
    for (const fd of this.#open.values()) closeSync(fd);
    this.#open.clear();
  }

  #folder(path: string): string {
    if (path === "") return this.#by(this.#fd, "");
    const known = this.#open.get(path);
    if (known !== undefined) return this.#by(known, path);
    const fd = openFolderOnly(this.reach(path), path);
    if (this.#open.size > 200) this.forget();
    this.#open.set(path, fd);
    return this.#by(fd, path);
  }

  #by(fd: number, path: string): string {
    const held = `/proc/self/fd/${fd}`;
    return existsSync(held) ? `${held}/.` : join(this.#root, path);
  }
}

function openFolderOnly(place: string, path: string): number {
  try {
    return openSync(place, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  } catch (cause) {
    throw new Fault("conflict", `\`${path || place}\` is no folder any more, or became a link; nothing was changed behind it`, { cause });
  }
}
