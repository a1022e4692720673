import { approveCatalog, callTool, DaemonProcess, World } from "../daemon.ts";
import type { Dice } from "../fuzz/dice.ts";
import { dial, say } from "./egress.ts";
import { differing, type ActedWorld, type AgentStep, type Digest } from "./world.ts";

/** What somebody did to a world, and the world before and after it. */
interface Act {
  readonly who: "agent" | "theirs";
  readonly step: AgentStep | null;
  readonly before: Digest;
  readonly after: Digest;
  readonly places: readonly string[];
  /** As the ledger and the undo say; of an agent's act alone. */
  seq: number;
  class: string;
  verdict: string;
  why: string;
}

/** What a session of an agent and its undo came to, judged from outside by the world's digests. */
export interface Rehearsed {
  readonly world: string;
  readonly actions: number;
  /** Actions of the class `reversible` that changed something and that nobody came after. */
  readonly reversible: number;
  /** Of those: undo says restored, and the world says so too. */
  readonly restored: number;
  /** Actions left alone since somebody else, or what cannot be taken back, came after them. */
  readonly excused: number;
  /** Of the class `reversible`, refused before anything happened since nothing could be promised after all. */
  readonly declined: number;
  /** What undo says is restored, and is not; where undo went wrong over what others did; what it did not restore though it could. Each in words. */
  readonly falselyRestored: readonly string[];
  readonly overwritten: readonly string[];
  readonly left: readonly string[];
  readonly seconds: number;
}

const policy = `@id("all") @reason("It is a rehearsal.") permit (principal, action, resource);\n`;

interface Line {
  readonly kind: string;
  readonly seq: number;
  readonly verdict: string;
  readonly why: string;
  readonly says: string;
}

/** A real daemon in front of the real servers of a world. */
export class Rehearsal implements AsyncDisposable {
  readonly #lanyard: World;
  readonly #daemon: DaemonProcess;
  readonly #world: ActedWorld;

  private constructor(world: ActedWorld, lanyard: World, daemon: DaemonProcess) {
    this.#world = world;
    this.#lanyard = lanyard;
    this.#daemon = daemon;
  }

  static async open(world: ActedWorld): Promise<Rehearsal> {
    const yaml = [
      "teams: { shop: {} }\nusers: { ana: {} }\nagents: { clerk: { team: shop, session_minutes: 240 }, undoer: { team: shop, session_minutes: 240 } }\nundo: { agent: undoer }\nbreakers: false",
      ...(world.servers === "" ? [] : [`servers:\n${world.servers}`]),
      `contracts:\n${world.contracts}`,
      ...(world.egress === undefined ? [] : [world.egress]),
    ].join("\n");
    const lanyard = new World({ yaml: `${yaml}\n`, policies: { "all.cedar": policy } });
    const daemon = await DaemonProcess.start(lanyard);
    for (const [, name = ""] of world.servers.matchAll(/^ {2}(\w+):/gm)) await approveCatalog(lanyard.operator(), name);
    return new Rehearsal(world, lanyard, daemon);
  }

  /** One session of `steps` actions, with somebody else in between so many times of a hundred; then its undo. */
  async session(dice: Dice, steps: number, meddling: number): Promise<Rehearsed> {
    const world = this.#world;
    await world.reset();
    const operator = this.#lanyard.operator();
    const opened = await operator.call<{ session: string; token: string }>("session_open", { body: { agent: "clerk", on_behalf_of: "ana", purpose: "a rehearsal" } });
    const acts: Act[] = [];
    let now = await world.digest();
    const note = async (who: Act["who"], step: AgentStep | null): Promise<void> => {
      const after = await world.digest();
      acts.push({ who, step, before: now, after, places: differing(now, after), seq: 0, class: "", verdict: "", why: "" });
      now = after;
    };
    for (let at = 0; at < steps; at++) {
      const step = world.next(dice);
      await this.#carryOut(step, opened.token);
      await note("agent", step);
      if (!dice.chance(meddling)) continue;
      await world.meddle(dice);
      await note("theirs", null);
    }
    await operator.call("session_close", { at: { id: opened.session } });
    await this.#decisions(opened.session, acts);
    const began = performance.now();
    await this.#undo(opened.session, acts);
    const seconds = (performance.now() - began) / 1000;
    return { ...judged(world.name, acts, await world.digest()), seconds };
  }

  async #carryOut({ action, args }: AgentStep, token: string): Promise<void> {
    const [server, tool = ""] = action.split("/");
    if (server !== "web") {
      const { status, body } = await callTool(this.#daemon.url, token, tool, args);
      if (status >= 500) throw new Error(`\`${action}\` was answered ${status}: ${JSON.stringify(body)}`);
      return;
    }
    const { host, port, path, headers, body } = args as unknown as { host: string; port: number; path: string; headers: Record<string, string>; body: string };
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    await say(await dial(this.#daemon.url, token), `${tool} http://${host}:${port}${path} HTTP/1.1\r\nHost: ${host}:${port}\r\n${lines.join("")}Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`);
  }

  /** Which entry of the ledger is which act: decisions of the session stand in the order of its calls. */
  async #decisions(session: string, acts: readonly Act[]): Promise<void> {
    const entries: { seq: number; type: string; action?: string; reversibility?: string; effect?: string; of?: number; status?: string }[] = [];
    for await (const entry of this.#lanyard.operator().lines<(typeof entries)[number]>("log", { query: { session, limit: "10000" } })) entries.push(entry);
    const decisions = entries.filter(({ type }) => type === "decision");
    const mine = acts.filter(({ who }) => who === "agent");
    if (decisions.length !== mine.length || decisions.some(({ action }, at) => action !== mine[at]?.step?.action)) throw new Error(`${mine.length} actions, and ${decisions.length} decisions on record`);
    const refused = new Set(entries.flatMap(({ type, of, status }) => (type === "outcome" && status === "refused" && of !== undefined ? [of] : [])));
    decisions.forEach(({ seq, reversibility = "", effect }, at) => Object.assign(mine[at] as Act, { seq, class: effect === "allow" && !refused.has(seq) ? reversibility : `${reversibility} (refused)` }));
  }

  async #undo(session: string, acts: readonly Act[]): Promise<void> {
    const bySeq = new Map(acts.map((act) => [act.seq, act]));
    for await (const { kind, seq, verdict, why, says } of this.#lanyard.operator().lines<Line>("undo", { at: { id: session }, body: {} })) {
      const act = bySeq.get(seq);
      if (kind === "step" && act) Object.assign(act, { verdict, why: `${why}: ${says}` });
    }
  }

  get log(): string {
    return this.#daemon.log;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#daemon[Symbol.asyncDispose]();
    this.#lanyard[Symbol.dispose]();
  }
}

const isBack = ({ verdict }: Act): boolean => verdict === "restored" || verdict === "residue";
const shown = (value: string | undefined): string => value?.slice(0, 80) ?? "nothing";
const named = ({ step, seq, why }: Act): string => `${seq} ${step?.action ?? "theirs"} ${JSON.stringify(step?.args ?? {})} (${why})`;

/** Holds what undo said against what the world is now. */
function judged(world: string, acts: readonly Act[], now: Digest): Omit<Rehearsed, "seconds"> {
  const [falselyRestored, overwritten]: [string[], string[]] = [[], []];
  const wrong = new Set<Act>();
  for (const place of new Set([...acts.flatMap(({ places }) => places), ...differing(acts.at(-1)?.after ?? now, now)])) {
    const writers = acts.filter(({ places }) => places.includes(place));
    let value = (acts.at(-1)?.after ?? now).get(place);
    for (const act of writers.toReversed()) {
      const [before, after] = [act.before.get(place), act.after.get(place)];
      // What undo itself says went wrong may be as before or as after.
      const isTaken = isBack(act) || (act.verdict === "failed" && now.get(place) === before);
      if (!isTaken || value === before) continue;
      if (value !== after) {
        falselyRestored.push(`${place} was ${shown(value)} when ${named(act)} was taken back; all: ${writers.map((one) => `${named(one)} ${shown(one.before.get(place))} => ${shown(one.after.get(place))}`).join(" | ")}`);
        wrong.add(act);
      }
      value = before;
    }
    if (now.get(place) === value) continue;
    const say = `${place} is ${shown(now.get(place))}, not ${shown(value)}; after ${writers.map(named).join(" | ")}`;
    if (writers.some(({ who, after }) => who === "theirs" && after.get(place) === value)) overwritten.push(say);
    else falselyRestored.push(say);
    writers.forEach((act) => wrong.add(act));
  }
  const counted = countable(acts);
  const good = counted.filter((act) => act.verdict === "restored" && !wrong.has(act));
  return {
    ...{ world, actions: acts.filter(({ who }) => who === "agent").length, reversible: counted.length, restored: good.length, falselyRestored, overwritten },
    left: counted.filter((act) => !good.includes(act)).map(named),
    excused: acts.filter((act) => act.class === "reversible" && act.places.length > 0).length - counted.length,
    declined: acts.filter((act) => act.class === "reversible (refused)").length,
  };
}

/** Reversible actions that changed something, and that no third party nor anything that cannot be taken back came after at the same place, above it or below it. */
function countable(acts: readonly Act[]): Act[] {
  const blocked = new Set<string>();
  const touches = (place: string): boolean => blocked.has(place) || [...blocked].some((other) => other.startsWith(`${place}/`) || place.startsWith(`${other}/`));
  return acts.toReversed().filter((act) => {
    const isFree = act.who === "agent" && act.class === "reversible" && !act.places.some(touches);
    if (!isFree) for (const place of act.places) blocked.add(place);
    return isFree && act.places.length > 0;
  });
}
