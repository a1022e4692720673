import { createHash } from "node:crypto";
import { Fault, parseJson, type CatalogEntry, type Json, type JsonObject, type NewRecord, type ToolDefinition } from "@lanyard/contract";
import type { Clock } from "../../base/clock.ts";
import type { Config } from "../../base/config/config.ts";
import type { Log } from "../../base/log.ts";
import type { Pin } from "../../base/path.ts";
import type { Store } from "../../base/store/port.ts";
import { visible } from "../../base/visible.ts";
import { pinnedBytes, readable, suspicions } from "./definition.ts";
import { lineDiff } from "./diff.ts";

/** A definition and the hash it is pinned by. */
interface Pinned {
  readonly hash: string;
  readonly definition: ToolDefinition;
}

/** One tool's place in the catalog. */
interface Slot {
  readonly server: string;
  readonly tool: string;
  approved: Pinned | null;
  /** As the server showed it last. */
  seen: Pinned;
  gone: boolean;
  /** Hash seen last, or "gone", as far as the ledger knows; "" when it does not know the tool. */
  recorded: string;
}

const nowOf = ({ seen, gone }: Slot): string => (gone ? "gone" : seen.hash);
const isOwed = (slot: Slot): boolean => slot.recorded !== nowOf(slot);

/** Back to the approved definition counts only once the ledger knows it. */
const stateOf = (slot: Slot): CatalogEntry["state"] => {
  if (slot.gone) return "gone";
  return slot.seen.hash === slot.approved?.hash && !isOwed(slot) ? "approved" : "quarantined";
};

const hourMs = 3_600_000;

/**
 * Tool definitions as their servers show them, and those an operator accepted. A call goes through only while the two are the same.
 *
 * Invariant: what tightens (a new or changed definition) is in force before it is recorded, what loosens only after.
 */
export class Catalog {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #config: () => Config;
  readonly #servers = new Map<string, Map<string, Slot>>();
  /** Hash of the list each server showed last, once everything in it is recorded. */
  readonly #lists = new Map<string, string>();
  readonly #changes = new Map<string, { sinceMs: number; count: number }>();
  readonly #listeners = new Set<() => void>();
  #working: Promise<unknown> = Promise.resolve();

  constructor({ store, clock, log, config }: { store: Store; clock: Clock; log: Log; config: () => Config }) {
    this.#store = store;
    this.#clock = clock;
    this.#log = log;
    this.#config = config;
    for (const { value } of store.list("catalog")) this.#revive(value);
  }

  /**
   * Takes note of the whole list of tools a server shows. New and changed definitions are quarantined before this returns; the promise
   * resolves when that is recorded too, or logged as owed (it never rejects: a list is not worth less because the disk is full).
   */
  seen(server: string, tools: readonly ToolDefinition[]): Promise<void> {
    const print = createHash("sha256").update(JSON.stringify(tools)).digest("base64url");
    if (this.#lists.get(server) === print) return Promise.resolve();
    this.#lists.delete(server);
    this.#note(server, tools);
    return this.#turn(async () => {
      const owed = [...this.#slots(server).values()].filter(isOwed);
      for (const result of await Promise.allSettled(owed.map((slot) => this.#settle(slot)))) {
        if (result.status === "rejected") throw result.reason;
      }
      if (![...this.#slots(server).values()].some(isOwed)) this.#lists.set(server, print);
    }).catch((error: unknown) => this.#log.warn("catalog.unrecorded", { server, error }));
  }

  /** What a call of a tool must know: the definition that was approved, and whether the call is refused whatever policy says. */
  pin(server: string, tool: string): Pick<Pin, "definition" | "refuse"> {
    const slot = this.#servers.get(server)?.get(tool);
    if (!slot || slot.gone) return { definition: slot?.approved?.hash ?? null, refuse: { code: "not_found", text: `server \`${server}\` shows no tool \`${tool}\`` } };
    if (stateOf(slot) === "approved") return { definition: slot.seen.hash, refuse: null };
    const why = slot.approved === null ? "nobody has reviewed its definition yet" : "its definition changed since it was approved";
    return { definition: slot.approved?.hash ?? null, refuse: { code: "quarantined", text: `tool \`${server}/${tool}\` is quarantined: ${why}` } };
  }

  /** The definition that calls of a tool are pinned to; null where none was ever approved. */
  definition(server: string, tool: string): ToolDefinition | null {
    return this.#servers.get(server)?.get(tool)?.approved?.definition ?? null;
  }

  /** Those of a server's tools, as it just showed them, whose definition is the approved one. Order is kept. */
  approvedAmong(server: string, tools: readonly ToolDefinition[]): ToolDefinition[] {
    const slots = this.#slots(server);
    return tools.filter((tool) => {
      const slot = slots.get(tool.name);
      return slot !== undefined && stateOf(slot) === "approved" && this.#pin(server, tool)?.hash === slot.seen.hash;
    });
  }

  /**
   * Every definition that was approved, also of tools that are quarantined or gone now, sorted: what policies are typed against. It
   * changes only by an operator's act, so that no server can make a bundle, or void an approval, by changing its list.
   */
  known(): { readonly server: string; readonly tool: ToolDefinition; readonly hash: string }[] {
    return this.#all().flatMap(({ server, approved }) => (approved ? [{ server, tool: approved.definition, hash: approved.hash }] : []));
  }

  /** The whole catalog, sorted by server and tool. */
  entries(): CatalogEntry[] {
    return this.#all().map(entryOf);
  }

  /** What approving would accept: a unified diff of the approved and the seen definition, hidden characters spelled out. Throws Fault `not_found`. */
  diff(server: string, tool: string): string {
    const slot = this.#servers.get(server)?.get(tool);
    if (!slot) throw new Fault("not_found", `no tool \`${server}/${tool}\` is in the catalog`);
    const { approved, seen } = slot;
    const hints = suspicions(seen.definition).map((what) => `! look closely: ${what}`);
    const lines = lineDiff(readable(approved?.definition ?? null), readable(seen.definition));
    const name = visible(`${server}/${tool}`);
    return [`--- ${name} approved ${approved?.hash ?? "(never)"}`, `+++ ${name} seen ${seen.hash}`, ...hints, ...lines].join("\n");
  }

  /**
   * Accepts quarantined definitions: of one tool, of a server, or all. With `hash` only that definition. Resolves with what was accepted,
   * durable. Throws Fault `not_found`, `conflict` (the definition changed since it was shown), `ledger_unavailable`.
   */
  approve(which: { server?: string; tool?: string; hash?: string }, by: string): Promise<CatalogEntry[]> {
    return this.#turn(async () => {
      const { server, tool, hash } = which;
      const chosen = this.#all().filter((slot) => (server === undefined || slot.server === server) && (tool === undefined || slot.tool === tool));
      if (chosen.length === 0) throw new Fault("not_found", `no tool \`${server ?? "*"}/${tool ?? "*"}\` is in the catalog`);
      if (hash !== undefined && !chosen.some(({ seen }) => seen.hash === hash)) {
        throw new Fault("conflict", `\`${server ?? "*"}/${tool ?? "*"}\` does not show the definition \`${hash}\` any more; look at the diff again`);
      }
      const open = chosen.filter((slot) => stateOf(slot) === "quarantined" && (hash === undefined || slot.seen.hash === hash));
      const results = await Promise.allSettled(open.map((slot) => this.#accept(slot, slot.seen, by)));
      const accepted = open.filter((_, index) => results[index]?.status === "fulfilled");
      if (accepted.length > 0) for (const listener of this.#listeners) listener();
      for (const result of results) if (result.status === "rejected") throw result.reason;
      return accepted.map(entryOf);
    });
  }

  /** Calls back when the set of approved definitions has changed. */
  onChange(listener: () => void): { stop(): void } {
    this.#listeners.add(listener);
    return { stop: () => void this.#listeners.delete(listener) };
  }

  /** Synchronous half of `seen`: from here on a call of what is new or changed is refused. */
  #note(server: string, tools: readonly ToolDefinition[]): void {
    const slots = this.#slots(server);
    const shown = new Map<string, Pinned>();
    for (const tool of tools.slice(0, this.#config().limits.list_items)) {
      const pinned = this.#pin(server, tool);
      if (!pinned) continue;
      const before = shown.get(tool.name);
      // A name that is shown twice counts as the definition nobody approved.
      if (!before || before.hash === slots.get(tool.name)?.approved?.hash) shown.set(tool.name, pinned);
    }
    for (const [tool, seen] of shown) {
      const slot = slots.get(tool);
      if (slot) Object.assign(slot, { seen, gone: false });
      else slots.set(tool, { server, tool, approved: null, seen, gone: false, recorded: "" });
    }
    for (const slot of slots.values()) {
      if (shown.has(slot.tool)) continue;
      slot.gone = true;
      if (slot.recorded === "") slots.delete(slot.tool); // Came and went unrecorded: nothing refers to it.
    }
  }

  /** Writes what the ledger does not know yet of a slot. */
  async #settle(slot: Slot): Promise<void> {
    const { server, tool, approved, seen, gone } = slot;
    const now = nowOf(slot);
    if (!this.#mayRecord(server)) return;
    if (gone) await this.#write({ type: "catalog.gone", server, tool }, slot, approved, seen);
    else if (seen.hash === approved?.hash) {
      // The approved definition is back: nobody needs to review it twice.
      await this.#write({ type: "catalog.approve", server, tool, definition: seen.hash, by: "lanyard" }, slot, approved, seen);
    } else {
      const why = approved ? "changed" : "first seen";
      await this.#write({ type: "catalog.quarantine", server, tool, why, definition: seen.hash, approved: approved?.hash ?? null }, slot, approved, seen);
    }
    slot.recorded = now; // What the server showed meanwhile stays owed.
    if (slot.gone && !slot.approved) this.#slots(server).delete(tool);
  }

  async #accept(slot: Slot, seen: Pinned, by: string): Promise<void> {
    await this.#write({ type: "catalog.approve", server: slot.server, tool: slot.tool, definition: seen.hash, by }, slot, seen, seen);
    slot.approved = seen;
    slot.recorded = seen.hash;
  }

  async #write(record: NewRecord, { server, tool, gone }: Slot, approved: Pinned | null, seen: Pinned): Promise<void> {
    for (const { definition } of new Set(approved ? [approved, seen] : [seen])) this.#store.putObject(pinnedBytes(definition));
    const value = gone && !approved ? null : { server, tool, approved: approved?.hash ?? null, seen: seen.hash, gone };
    await this.#store.append(record, { state: [{ kind: "catalog", key: `${server}/${tool}`, value }] });
  }

  /** A server that changes its list over and over may fill no disk: past the limit its changes stay quarantined in memory. */
  #mayRecord(server: string): boolean {
    const now = this.#clock.nowMs();
    let window = this.#changes.get(server);
    if (!window || now - window.sinceMs >= hourMs) this.#changes.set(server, (window = { sinceMs: now, count: 0 }));
    const max = this.#config().limits.catalog_changes_per_hour;
    if (window.count === max) this.#log.warn("catalog.flood", { server, limit: max });
    return window.count++ < max;
  }

  /** Null for what cannot be pinned; it stays out of the catalog, and so cannot be called. */
  #pin(server: string, tool: ToolDefinition): Pinned | null {
    const { name_chars, definition_bytes } = this.#config().limits;
    try {
      if (typeof tool.name !== "string" || tool.name === "" || `${server}/${tool.name}`.length > name_chars) return null;
      // Its action would be that of an MCP request: who may read resources could call a tool named `mcp:resources/read`.
      if (tool.name.startsWith("mcp:")) return null;
      const bytes = pinnedBytes(tool);
      if (bytes.length <= definition_bytes) return { hash: createHash("sha256").update(bytes).digest("base64url"), definition: tool };
      this.#log.warn("catalog.too_large", { server, tool: tool.name, bytes: bytes.length, limit: definition_bytes });
    } catch (error) {
      this.#log.warn("catalog.unpinnable", { server, error });
    }
    return null;
  }

  #revive({ server, tool, approved, seen, gone }: JsonObject): void {
    const shown = pinnedAt(this.#store, seen);
    if (!shown) return this.#log.error("catalog.lost", { server, tool, definition: seen }); // Fails closed: unknown until shown again.
    const slot: Slot = { server: String(server), tool: String(tool), approved: pinnedAt(this.#store, approved), seen: shown, gone: gone === true, recorded: "" };
    slot.recorded = nowOf(slot);
    this.#slots(slot.server).set(slot.tool, slot);
  }

  #slots(server: string): Map<string, Slot> {
    const known = this.#servers.get(server);
    if (known) return known;
    const slots = new Map<string, Slot>();
    this.#servers.set(server, slots);
    return slots;
  }

  #all(): Slot[] {
    const slots = [...this.#servers.values()].flatMap((server) => [...server.values()]);
    return slots.toSorted((a, b) => order(a.server, b.server) || order(a.tool, b.tool));
  }

  /** One change at a time, in the order they came. */
  #turn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#working.then(work);
    this.#working = turn.catch(() => {});
    return turn;
  }
}

const order = (a: string, b: string): number => (a < b ? -1 : Number(a > b));

const entryOf = (slot: Slot): CatalogEntry => {
  const { server, tool, approved, seen } = slot;
  const state = stateOf(slot);
  const why = state !== "quarantined" ? "" : approved ? "changed" : "first seen";
  return { server, tool, state, why, approvedHash: approved?.hash ?? null, seenHash: seen.hash, approved: approved?.definition ?? null, seen: seen.definition };
};

/** Null also for bytes that are no longer those of their address: what was edited on disk is not what was approved. */
const pinnedAt = (store: Pick<Store, "getObject">, hash: Json | undefined): Pinned | null => {
  const bytes = typeof hash === "string" ? store.getObject(hash) : null;
  return bytes && typeof hash === "string" && createHash("sha256").update(bytes).digest("base64url") === hash ? { hash, definition: parseJson(new TextDecoder().decode(bytes)) as ToolDefinition } : null;
};

/** Every definition that a stored catalog has approved, as {@link Catalog.known} gives it, without a catalog in use. */
export const approvedIn = (store: Pick<Store, "list" | "getObject">): ReturnType<Catalog["known"]> =>
  store.list("catalog").flatMap(({ value: { server, approved } }) => {
    const pinned = pinnedAt(store, approved);
    return pinned ? [{ server: String(server), tool: pinned.definition, hash: pinned.hash }] : [];
  });
