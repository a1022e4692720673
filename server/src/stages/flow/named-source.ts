import type { Json, JsonObject } from "@lanyard/contract";
import { address } from "./authors.ts";

export const date = /^\d{4}-\d\d(?:-\d\d)?/;

/** Whether a task, in lower case, says a path, its last part, or an id or address, and not one whose name goes on. */
export function saysThing(task: string, text: string): boolean {
  const path = text.trim().toLowerCase();
  return [path, path.slice(path.search(/[^/\\]*$/))].some((thing) => thing.length >= 5 && thing.length <= 200 && /[./_-]|\d/.test(thing) && !date.test(thing) && stands(task, thing));
}

function stands(task: string, thing: string): boolean {
  const at = task.indexOf(thing);
  return at >= 0 && !/[\p{L}\p{N}_-]/u.test(task.charAt(at - 1)) && !/[\p{L}\p{N}_-]/u.test(task.charAt(at + thing.length));
}

/** That somebody's e-mail address is found somewhere. */
const saying = /\b(?:find|get|take|look up|use)\b[^.;!?\n]{0,40}\be-?mail(?: address)?\b[^.;!?\n]{0,60}\b(?:on|in|at|from)\b|\be-?mail(?: address)?\b[^.;!?\n]{0,20}\b(?:is|stands)\b[^.;!?\n]{0,20}\b(?:on|in|at)\b/i;
const [mostChars, mostCalls] = [1_000_000, 64] as const;

/**
 * Places of which a task itself says that an e-mail address is found there: `you can find her e-mail on her website: www.dora.example`. Who names the place
 * has named the address, where there is one alone; of several nobody can tell which was meant.
 */
export class NamedSources {
  readonly #task: string;
  readonly #hasAddress: boolean;
  readonly #asked = new Set<number>();

  constructor(task: string) {
    this.#task = task.toLowerCase();
    this.#hasAddress = saying.test(task);
  }

  /** A call asks for something: for such a place, perhaps. */
  asks(seq: number, args: JsonObject): void {
    if (this.#hasAddress && this.#asked.size < mostCalls && Object.values(args).some((value) => typeof value === "string" && saysThing(this.#task, value))) this.#asked.add(seq);
  }

  /** The one address in the answer to a call that asked for such a place; null for any other answer. */
  addressIn(seq: number, answer: Json): string | null {
    if (!this.#asked.delete(seq)) return null;
    const text = JSON.stringify(answer).replace(/\\[nrt]/g, " ");
    const found = text.length > mostChars ? [] : [...new Set((text.match(address) ?? []).map((one) => one.replace(/[\\.]+$/, "").toLowerCase()))];
    return found.length === 1 ? (found[0] as string) : null;
  }
}
