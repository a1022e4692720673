import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { Worker } from "node:worker_threads";
import { makeBatch } from "./batch.ts";
import { Dice } from "./dice.ts";
import { loadEvaluator } from "./evaluator.ts";
import type { MutantFate } from "./mutant-worker.ts";
import type { SourceMutation } from "./mutations.ts";

const root = join(import.meta.dirname, "../..");
const evaluatorFolder = join(root, "policy/src/cedar");
/** The evaluator itself. */
export const evaluatorUrl = pathToFileURL(`${evaluatorFolder}/`);

/** A mutant that takes longer is taken for one that never ends; the evaluator itself takes a second. */
const patienceMs = 60_000;

export interface MutantReport {
  readonly killed: number;
  readonly survivors: readonly SourceMutation[];
}

export interface MutantOptions {
  readonly seed: number;
  /** How many policies each mutant is asked, at most. */
  readonly policies: number;
  readonly tell: (done: number, mutation: SourceMutation, fate: string) => void;
}

/**
 * Whether the fuzzer notices when the evaluator is wrong: applies each mutation alone to a copy of the evaluator and asks it what Cedar was
 * asked. Throws on a mutation whose text is not there exactly once, and when the copy that nothing was done to is noticed.
 */
export const tryMutants = async (mutations: readonly SourceMutation[], { seed, policies, tell }: MutantOptions): Promise<MutantReport> => {
  const place = mkdtempSync(join(tmpdir(), "lanyard-mutants-"));
  let nursery: Nursery | null = null;
  try {
    symlinkSync(join(root, "node_modules"), join(place, "node_modules"));
    writeFileSync(join(place, "package.json"), '{ "type": "module" }');
    const corpus = join(place, "corpus.json");
    writeFileSync(corpus, JSON.stringify(await corpusOf(seed, policies)));
    nursery = new Nursery(corpus);
    const healthy = await nursery.fateOf(copyWith(place, "healthy", null));
    if (healthy !== "survived") throw new Error(`the evaluator itself is ${healthy}: run the fuzzer first`);
    const survivors: SourceMutation[] = [];
    for (const [index, mutation] of mutations.entries()) {
      const fate = await nursery.fateOf(copyWith(place, `m${index}`, mutation));
      if (fate === "survived") survivors.push(mutation);
      tell(index + 1, mutation, fate);
    }
    return { killed: mutations.length - survivors.length, survivors };
  } finally {
    await nursery?.close();
    rmSync(place, { recursive: true, force: true });
  }
};

const corpusOf = async (seed: number, policies: number): Promise<unknown[]> => {
  const [dice, modules, size] = [new Dice(seed), await loadEvaluator(evaluatorUrl), 100];
  return Array.from({ length: Math.ceil(policies / size) }, () => makeBatch(dice, modules, size));
};

const copyWith = (place: string, name: string, mutation: SourceMutation | null): string => {
  const folder = join(place, name);
  mkdirSync(folder);
  cpSync(evaluatorFolder, folder, { recursive: true, filter: (path) => !path.endsWith(".test.ts") });
  if (mutation !== null) {
    const file = join(folder, mutation.file);
    const parts = readFileSync(file, "utf8").split(mutation.from);
    if (parts.length !== 2) throw new Error(`\`${mutation.from}\` stands ${parts.length - 1} times in ${mutation.file}`);
    writeFileSync(file, parts.join(mutation.to));
  }
  return pathToFileURL(`${folder}/`).href;
};

/** Keeps the thread that mutants are tried in, and gets another when one hangs or breaks it. */
class Nursery {
  readonly #corpus: string;
  #worker: Worker | null = null;
  constructor(corpus: string) {
    this.#corpus = corpus;
  }

  async fateOf(folder: string): Promise<string> {
    const worker = (this.#worker ??= new Worker(new URL("./mutant-worker.ts", import.meta.url), { workerData: this.#corpus }));
    const { promise, resolve } = Promise.withResolvers<string>();
    const hear = ({ killedAfter }: MutantFate): void => resolve(killedAfter === null ? "survived" : `killed after ${killedAfter} policies`);
    const lost = (): void => resolve("killed: it broke its thread");
    const alarm = setTimeout(() => resolve("killed: it did not end"), patienceMs);
    worker.on("message", hear).on("error", lost).on("exit", lost).postMessage(folder, []);
    const fate = await promise;
    clearTimeout(alarm);
    worker.off("message", hear).off("error", lost).off("exit", lost);
    if (fate.startsWith("killed: ")) await this.close();
    return fate;
  }

  async close(): Promise<void> {
    const worker = this.#worker;
    this.#worker = null;
    await worker?.terminate();
  }
}
