/** What a command does, while it is read. It begins harmless and only ever gets worse. */
import { posix } from "node:path";
import { shellClasses, type ShellFacts } from "@lanyard/contract";
import { isOver, listed, mostChars, worstClass } from "../bounded.ts";

type ShellClass = ShellFacts["class"];

/** Steps over one command; and folders it goes into. What would take more is not read. */
const mostSteps = 8000;
const mostFolders = 8;

export class ShellReading {
  readonly programs = new Set<string>();
  readonly hosts = new Set<string>();
  readonly #paths = new Set<string>();
  readonly #folders = new Set<string>();
  destructive = false;
  #class: ShellClass = "read";
  #steps = 0;

  /** Counts work. Throws where it is too much. */
  step(count = 1): void {
    this.#steps += count;
    if (this.#steps > mostSteps) throw new RangeError("more work than a command is worth");
  }

  raise(to: ShellClass): void {
    this.#class = worstClass(shellClasses, [this.#class, to]) as ShellClass;
  }

  /** Names a file. After a `cd` both readings stand: it may have failed. */
  path(text: string): void {
    this.step();
    if (text === "" || text === "-") return;
    this.#paths.add(posix.normalize(text));
    if (!/^[/~]/.test(text)) for (const folder of this.#folders) this.#paths.add(posix.join(folder, text));
  }

  /** What follows may run in that folder. */
  enter(text: string): void {
    this.path(text);
    if (this.#folders.size >= mostFolders) return this.raise("unknown");
    for (const folder of [...this.#folders]) if (!/^[/~]/.test(text)) this.#folders.add(posix.join(folder, text));
    this.#folders.add(text);
  }

  facts(): ShellFacts {
    const lists = [this.programs, this.#paths, this.hosts];
    if (lists.some((list) => isOver(list) || [...list].some((item) => item.length > mostChars))) this.raise("unknown");
    const [programs = [], paths = [], hosts = []] = lists.map(listed);
    return { class: this.#class, programs, paths, hosts, destructive: this.destructive };
  }
}
