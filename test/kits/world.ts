import type { JsonObject } from "@lanyard/contract";
import type { Dice } from "../fuzz/dice.ts";

/** The complete state of a world, by place. What is not in it (times, reflogs, numbers that a database gave out) is what contracts name as residue. */
export type Digest = ReadonlyMap<string, string>;

/** What an agent does next: a tool of one of the world's servers by its name for policies, and its arguments. */
export interface AgentStep {
  readonly action: string;
  readonly args: JsonObject;
}

/** A world that agents act in through real servers, that others change too, and that can say all that is in it. */
export interface ActedWorld extends AsyncDisposable {
  readonly name: string;
  /** Entries of lanyard.yaml, each indented by two. */
  readonly servers: string;
  readonly contracts: string;
  /** Its `egress:`; absent when it needs none. */
  readonly egress?: string;
  /** Makes it anew, the same each time. */
  reset(): Promise<void>;
  digest(): Promise<Digest>;
  /** A random step, of a kind that agents take: most of them work, some do not. */
  next(dice: Dice): AgentStep;
  /** A random change by somebody else, past Lanyard. */
  meddle(dice: Dice): Promise<void>;
}

/** Places that differ. */
export const differing = (one: Digest, other: Digest): string[] => [...new Set([...one.keys(), ...other.keys()])].filter((place) => one.get(place) !== other.get(place)).sort();

const words = ["shop", "orders", "open", "paid", "Ana", "Ben", "it's", "a\\b", '"quoted"', "ümläut", "100%", "new\nline", "", "x; y", "$HOME", "--"];

/** A short text with what likes to go wrong in it. */
export const someText = (dice: Dice): string => dice.some(0, 4, () => dice.pick(words)).join(" ");
