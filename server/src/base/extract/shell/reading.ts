/** What a command does, while it is read. It begins harmless and only ever gets worse. */
import { posix } from "node:path";
import { shellClasses, type ShellFacts, type shellReaches } from "@lanyard/contract";
import { kindsOfPath } from "../path-kinds.ts";
import { isOver, listed, mostChars, named, worstClass } from "../bounded.ts";

type ShellClass = ShellFacts["class"];

/** Steps over one command; and folders it goes into. What would take more is not read. */
const mostSteps = 8000;
const mostFolders = 8;

type Reach = (typeof shellReaches)[number];
/** Classes that a command is of because it reaches out, or may. */
const reaching: ReadonlySet<ShellClass> = new Set(["network", "exec", "unknown"]);

export class ShellReading {
  readonly programs = new Set<string>();
  readonly hosts = new Set<string>();
  /** Branches that it begins. */
  readonly begun = new Set<string>();
  readonly #pushed = new Set<string>();
  readonly #packages = new Set<string>();
  readonly #paths = new Set<string>();
  readonly #reaches = new Set<Reach>();
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
    if (reaching.has(to)) this.#reaches.add("other");
  }

  /** What is read in `part`, by itself. */
  classOf(part: () => void): ShellClass {
    const before = this.#class;
    this.#class = "read";
    part();
    const own = this.#class;
    this.#class = worstClass(shellClasses, [before, own]) as ShellClass;
    return own;
  }

  /** A branch of one's own goes to the remote of that name. */
  push(branch: string, remote: string): void {
    this.hosts.add(`(${remote})`);
    this.#pushed.add(branch);
    this.#reach(this.begun.has(branch) ? "new-branch" : "branch", "network");
  }

  /** A service is asked for what it has. */
  look(service: string): void {
    this.hosts.add(service);
    this.#reach("look", "network");
  }

  /** What stands at an address of this host is fetched. */
  get(host: string): void {
    this.hosts.add(host);
    this.#reach("get", "network");
  }

  /** These packages are installed. */
  install(packages: readonly string[]): void {
    for (const one of packages) this.#packages.add(one);
    this.#reach("package", "exec");
  }

  #reach(how: Reach, as: ShellClass): void {
    this.#class = worstClass(shellClasses, [this.#class, as]) as ShellClass;
    this.#reaches.add(how);
  }

  /** Names a file. After a `cd` both readings stand: it may have failed. */
  path(text: string): void {
    this.step();
    if (text === "" || text === "-") return;
    this.#paths.add(posix.normalize(text));
    if (!/^[/~]/.test(text)) for (const folder of this.#folders) this.#paths.add(posix.join(folder, text));
  }

  /** Changes a file; one that says what is installed and run is as good as running it. */
  rewrite(text: string): void {
    this.raise(kindsOfPath(posix.normalize(text)).includes("manifest") ? "exec" : "write");
    this.path(text);
  }

  /** What follows may run in that folder. */
  enter(text: string): void {
    this.path(text);
    if (this.#folders.size >= mostFolders) return this.raise("unknown");
    for (const folder of [...this.#folders]) if (!/^[/~]/.test(text)) this.#folders.add(posix.join(folder, text));
    this.#folders.add(text);
  }

  facts(): ShellFacts {
    const lists = [this.programs, this.#paths, this.hosts, this.#packages, this.begun, this.#pushed];
    if (lists.some((list) => isOver(list) || [...list].some((item) => item.length > mostChars))) this.raise("unknown");
    const [programs = [], paths = [], hosts = []] = lists.map(listed);
    return { class: this.#class, programs, paths, hosts, destructive: this.destructive, ...named("reaches", this.#reaches), ...named("packages", this.#packages), ...named("begins", this.begun), ...named("pushes", this.#pushed) };
  }
}
