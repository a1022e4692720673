import { isObject, type ArgumentFacts, type Json, type ValueOrigin, type ValueSource } from "@lanyard/contract";
import type { SessionMemory } from "./memory.ts";
import type { PrintTable } from "./table.ts";
import { isConstant, isTyped, type TracedLeaf, type Tracing } from "./tracing.ts";
import { origin, originName, originOf } from "./values.ts";

const mostSources = 16;

/** What arguments are held against. */
export interface Known {
  readonly memory: SessionMemory;
  readonly directory: PrintTable;
  readonly tracing: Tracing;
  /** Labels that a text does not carry any more. */
  liftedOf(text: string): ReadonlySet<string>;
}

/** The facts of one argument, with its origins, the labels its values bring along, and where they were read. */
export function argumentOf({ memory, directory, tracing, liftedOf }: Known, { name, value, own, constants }: { name: string; value: Json; own: ArgumentFacts; constants: ReadonlySet<string> }): ArgumentFacts {
  const origins = new Set<ValueOrigin>();
  const brought = new Set<string>();
  const sources = new Map<string, ValueSource>();
  const told = new Set<number>();
  let at = "";
  let lifted: ReadonlySet<string> = new Set();
  /** By all leaves; null before the first. */
  let liftedByAll: ReadonlySet<string> | null = null;
  const leaf: TracedLeaf = {
    look: (low, high) => memory.look(low, high, directory),
    brings: (set) => {
      if (set !== 0) for (const label of memory.read.labels.names(set)) if (!isLifted(lifted, label)) brought.add(label);
    },
    found: (known) => {
      if (told.has(known)) return;
      told.add(known);
      const code = originOf(known) === origin.model && memory.read.isPartial ? origin.untrusted : originOf(known);
      origins.add(originName(code));
      if (code === origin.model || sources.size >= mostSources) return;
      const from = memory.sourceOf(known);
      const source = { at, origin: originName(code), seq: from?.seq ?? null, field: from?.field ?? "" };
      sources.set(`${at} ${source.origin} ${source.seq} ${source.field}`, source);
    },
  };
  const trace = (text: string, pointer: string): void => {
    at = pointer;
    told.clear();
    lifted = liftedOf(text);
    const before: ReadonlySet<string> | null = liftedByAll;
    liftedByAll = before === null ? lifted : new Set([...lifted].filter((label) => isLifted(before, label)));
    tracing.trace(text, leaf, own.role === "amount");
  };
  const visit = (item: Json, pointer: string): void => {
    if (typeof item === "string" || typeof item === "number") {
      const text = String(item); // A list of the tool's definition is its server's word: it names no one who gets something.
      if (!isConstant(text) && !(constants.has(text) && !(own.role === "recipient" && isTyped(text)))) trace(text, pointer);
    } else if (Array.isArray(item)) for (const [index, one] of item.entries()) visit(one, `${pointer}/${index}`);
    else if (isObject(item)) {
      for (const [key, one] of Object.entries(item)) {
        const below = `${pointer}/${escaped(key)}`;
        if (isTyped(key)) trace(key, below);
        visit(one, below);
      }
    }
  };
  visit(value, `/${escaped(name)}`);
  const labels = [...own.labels.filter((label) => !isLifted(liftedByAll ?? new Set(), label)), ...brought];
  const listed = [...sources.values()].sort((a, b) => Number(b.seq !== null) - Number(a.seq !== null));
  return { ...own, labels: [...new Set(labels)].sort(), origins: [...origins].sort(), ...(listed.length > 0 && { sources: listed }) };
}

const escaped = (key: string): string => key.replaceAll("~", "~0").replaceAll("/", "~1");
/** A label is lifted with those that it is one of: `personal` lifts `personal.email`. */
const isLifted = (lifted: ReadonlySet<string>, label: string): boolean => lifted.size > 0 && [...lifted].some((one) => label === one || label.startsWith(`${one}.`));
