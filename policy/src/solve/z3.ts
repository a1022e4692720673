import { init, killThreads } from "z3-solver";

/** What the solver may spend on one question, counted in its own steps so that the same question always ends the same; megabytes for all. */
const bounds = { steps: 4_000_000, megabytes: 1500 } as const;

/** The solver Z3: SMT-LIB in, its answers out. */
export interface Z3 {
  /** Blocks this thread. Throws only when the solver itself breaks; what it cannot read it says in its answer. */
  run(text: string): string;
  close(): Promise<void>;
}

/** The parts of the compiled solver that its typed interface hides. */
interface Compiled {
  readonly HEAPU8: Uint8Array;
  _malloc(bytes: number): number;
  _free(place: number): void;
  _Z3_eval_smtlib2_string(context: number, text: number): number;
  UTF8ToString(place: number): string;
}

/**
 * Starts Z3 in this thread: one that can be ended, never the one that decides. Takes some 200 ms.
 *
 * Its own `eval_smtlib2_string` puts the text on a stack that is given back before the thread it starts has read it: long texts lost their
 * ends, at random. So the text lies on the heap here, and the call is the one that waits.
 */
export const startZ3 = async (): Promise<Z3> => {
  const { Z3: api, em } = await init();
  const compiled = em as Compiled;
  api.global_param_set("memory_max_size", `${bounds.megabytes}`);
  const context = api.mk_context(api.mk_config()) as unknown as number;
  const run = (text: string): string => {
    const bytes = new TextEncoder().encode(`${text}\0`);
    const place = compiled._malloc(bytes.length);
    compiled.HEAPU8.set(bytes, place);
    try {
      return compiled.UTF8ToString(compiled._Z3_eval_smtlib2_string(context, place));
    } finally {
      compiled._free(place);
    }
  };
  run(`(set-option :rlimit ${bounds.steps}) (declare-sort Text 0)`);
  return { run, close: () => killThreads(em) };
};
