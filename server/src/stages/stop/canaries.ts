import { pipeline, Transform, type TransformCallback, type Writable } from "node:stream";
import { Fault } from "@lanyard/contract";
import type { Answer, Exchange } from "../../base/exchange.ts";
import type { Passage } from "../../base/path.ts";
import { Detector } from "../../base/patterns/detector.ts";

/** Shorter values would be found where nobody put them. */
const shortest = 8;

/** Values that nobody has a reason to send or to receive. Seen anywhere, in any form that is looked for, something is where it should not be. */
export class Canaries {
  #detector: Detector | null = null;

  /** Throws Fault `invalid_config` for a value that is too short. */
  set(values: ReadonlyMap<string, string>): void {
    for (const [name, value] of values) if (value.length < shortest) throw new Fault("invalid_config", `the canary \`${name}\` has fewer than ${shortest} characters, and would be found everywhere`);
    this.#detector = values.size > 0 ? new Detector(values) : null;
  }

  /** The canary in what a call sends; null when there is none. */
  inCall({ action: { params }, exchange: { web } }: Passage): string | null {
    const detector = this.#detector;
    if (!detector) return null;
    return detector.find(JSON.stringify(params)) ?? (web ? detector.find(`${web.path}?${web.query}\n${web.headers.flat().join("\n")}`) ?? detector.find(web.body) : null);
  }

  /** The canary in what came back and is whole; null when there is none. */
  inAnswer(answer: Answer): string | null {
    const detector = this.#detector;
    if (!detector) return null;
    if ("error" in answer) return detector.find(JSON.stringify(answer.error));
    return detector.find(JSON.stringify(answer.result)) ?? (answer.web ? detector.find(answer.web.headers.flat().join("\n")) : null);
  }

  /** The same answer, whose body and what is sent back on it are looked at as they pass; `seen` is called with the first canary, and the stream breaks off. */
  watched(answer: Answer, seen: (name: string) => void): Answer {
    const detector = this.#detector;
    if (!detector || "error" in answer || !answer.web) return answer;
    const { web } = answer;
    const body = new Watch(detector, seen);
    pipeline([web.body, body], () => {}); // An error of either ends the other.
    return { ...answer, web: { ...web, body, ...(web.input && { input: before(web.input, new Watch(detector, seen)) }) } };
  }

  /** The same line back to the client, on which a server says nothing with a canary in it. */
  line(exchange: Exchange, seen: (name: string) => void): Exchange {
    const detector = this.#detector;
    if (!detector) return exchange;
    const isClean = (said: unknown): boolean => {
      const name = detector.find(JSON.stringify(said) ?? "");
      if (name !== null) seen(name);
      return name === null;
    };
    return {
      ...exchange,
      progress: (update) => isClean(update) && exchange.progress(update),
      notify: (method, params) => isClean(params) && exchange.notify(method, params),
      ask: async (method, params) => {
        const answer = isClean(params) ? await exchange.ask(method, params) : null;
        if (answer === null || !isClean(answer)) throw new Fault("session_quarantined", "what was asked or answered is not passed on");
        return answer;
      },
    };
  }
}

class Watch extends Transform {
  readonly #look: (chunk: Uint8Array) => string | null;
  readonly #seen: (name: string) => void;

  constructor(detector: Detector, seen: (name: string) => void) {
    super();
    this.#look = detector.stream();
    this.#seen = seen;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    const name = this.#look(chunk);
    if (name === null) return done(null, chunk);
    this.#seen(name);
    done(new Fault("session_quarantined", "the stream was cut off"));
  }
}

/** `watch` in the place of what it leads to: whatever ends one of them ends the other. */
function before(to: Writable, watch: Watch): Writable {
  pipeline([watch, to], () => {});
  to.once("close", () => watch.destroy());
  return watch;
}
