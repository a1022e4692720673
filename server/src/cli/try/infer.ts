import type { JsonObject } from "@lanyard/contract";
import type { Bundle } from "@lanyard/policy";
import { newGuess, readBy, refine, schemaOfGuess, type Guess } from "./guess.ts";
import type { TrialWorld } from "./trial-world.ts";

/**
 * Gives a definition to tools that nobody has defined: the arguments that policies look at, typed as they read them, else as the first call
 * has them. A guess, and good for a trial only.
 */
export class Guesser {
  readonly #world: TrialWorld;
  readonly #guesses = new Map<string, Guess>();
  readonly #called = new Set<string>();
  #policies: Bundle["policies"] | null = null;

  constructor(world: TrialWorld) {
    this.#world = world;
  }

  /** Guesses the tools that contracts and policies name, so that one compilation serves them all. Throws as {@link meet}. */
  foresee(): void {
    const named = this.#read().flatMap(({ head: { action } }) => (action.op === "==" ? [action.entity.id] : action.op === "in" ? ("entities" in action ? action.entities : [action.entity]).map(({ id }) => id) : []));
    for (const name of [...this.#world.config.tools.keys(), ...named]) if (isTool(name) && !this.#world.knows(name)) this.#begin(name);
  }

  /**
   * Sees a call before it is decided; true when the tool's definition is a guess. Throws Fault `invalid_config` when the policies do not
   * compile even without it.
   */
  meet(name: string, args: JsonObject): boolean {
    if (!isTool(name)) return false;
    let guess = this.#guesses.get(name);
    if (guess === undefined && this.#world.knows(name)) return false;
    guess ??= this.#begin(name);
    this.#called.add(name);
    if (refine(guess, args)) this.#teach(name, guess);
    return true;
  }

  /** Somebody has defined it after all. */
  forget(name: string): void {
    this.#guesses.delete(name);
    this.#called.delete(name);
  }

  /** Tools that were called by a guess, sorted. */
  names(): readonly string[] {
    return [...this.#called].sort();
  }

  #begin(name: string): Guess {
    const guess = newGuess();
    guess.kinds.add("object");
    const groups = groupsOf(this.#world, name);
    for (const { head, conditions } of this.#read()) if (speaksOf(head.action, name, groups)) readBy(guess, conditions.map(({ body }) => body));
    this.#guesses.set(name, guess);
    this.#teach(name, guess);
    return guess;
  }

  #teach(name: string, guess: Guess): void {
    const [, server = "", tool = ""] = /^([^/]+)\/(.+)$/s.exec(name) ?? [];
    this.#world.learn(server, [{ name: tool, inputSchema: schemaOfGuess(guess) }]);
  }

  #read(): Bundle["policies"] {
    return (this.#policies ??= this.#world.compiled(this.#world.ground()).bundle.policies);
  }
}

const isTool = (name: string): boolean => /^[^/]+\/(?!mcp:)./s.test(name) && name.length <= 256;

/** Groups of actions that the tool will be in. */
const groupsOf = (world: TrialWorld, name: string): ReadonlySet<string> => {
  const { effects, reversibility } = world.contractOf(name);
  const writes = effects.includes("destructive") || effects.includes("money") || effects.includes("access");
  return new Set([...effects, ...(writes ? ["write"] : []), `reversibility:${reversibility}`, `server:${name.slice(0, name.indexOf("/"))}`]);
};

type ActionScope = Bundle["policies"][number]["head"]["action"];

const speaksOf = (scope: ActionScope, name: string, groups: ReadonlySet<string>): boolean => {
  const named = (id: string): boolean => id === name || groups.has(id);
  if (scope.op === "==") return scope.entity.id === name;
  if (scope.op !== "in") return true;
  return "entities" in scope ? scope.entities.some(({ id }) => named(id)) : named(scope.entity.id);
};
