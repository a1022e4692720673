import { isObject, parseJson, reversibilities, type Json, type JsonObject } from "@lanyard/contract";
import { limits } from "../../base/limits.ts";
import type { Sealed, Store } from "../../base/store/port.ts";
import type { StateReading, UndoCase, UndoTemplate } from "../../base/undo/contract.ts";
import { digestOf, type StateSnapshot } from "./state.ts";

/** What is kept of an action before its effect. The contract is in it as it was then: a later one does not change how this action is taken back. */
export interface PlanDocument {
  readonly action: string;
  readonly server: string;
  readonly args: JsonObject;
  readonly root: string | null;
  readonly undo: UndoCase;
  /** By name of the reading; null when nothing could be read and the contract let the action proceed. */
  readonly before: Readonly<Record<string, StateSnapshot>> | null;
}

/** A state that was seen: its digest, and of files and rows the places themselves; of another the value while it is short, else null. */
export interface SeenState {
  readonly digest: string;
  readonly value: Json;
  /** What finds the same rows again. */
  readonly kept?: Json;
}

/** What is kept right after: the states by name, and what came back, null when it was too long to keep. */
export interface Settlement {
  readonly after: Readonly<Record<string, SeenState>> | null;
  readonly result: Json;
}

export const seenOf = (reading: Pick<StateReading, "files" | "rows">, snapshot: StateSnapshot): SeenState => {
  const digest = digestOf(snapshot);
  if (!snapshot.there) return { digest, value: null };
  const { value, kept } = snapshot;
  if (!isPlaces(reading)) return { digest, value: JSON.stringify(value).length > limits.result_payload_bytes.value ? null : value };
  return { digest, value, ...(reading.rows !== null && kept !== undefined && { kept }) };
};

/** Whether what is read has places that are compared one by one. */
export const isPlaces = ({ files, rows }: Pick<StateReading, "files" | "rows">): boolean => files !== null || rows !== null;

const plain = (readings: ReadonlyMap<string, StateReading | UndoTemplate>): JsonObject => Object.fromEntries(readings) as unknown as JsonObject;
const asMap = <T>(value: Json | undefined): ReadonlyMap<string, T> => new Map(Object.entries(isObject(value) ? value : {})) as unknown as ReadonlyMap<string, T>;

/** A plan as texts to be sealed, the first for the plan itself. */
export const piecesOf = ({ undo, ...rest }: PlanDocument): string[] => {
  const whole = JSON.stringify({ ...rest, undo: { ...undo, before: plain(undo.before), state: plain(undo.state), expect: plain(undo.expect) } });
  const size = limits.undo_piece_bytes.value;
  return Array.from({ length: Math.max(1, Math.ceil(whole.length / size)) }, (_, at) => whole.slice(at * size, (at + 1) * size));
};

/** Why a plan that was made cannot be read. */
type Unopened = "erased" | "changed";

/** The plan of an action out of the ledger; null when there is none. Callers append `access.read` first. */
export const readPlan = (store: Pick<Store, "entry" | "scan" | "unsealAll">, planSeq: number): PlanDocument | Unopened => {
  const record = store.entry(planSeq);
  if (record?.type !== "undo.plan") return "changed";
  const parts = [{ payload: record.payload, commitment: record.plan }];
  if (record.pieces > 0) {
    for (const run of store.scan({ session: record.session, types: ["undo.piece"], to: planSeq, from: record.of })) {
      for (const piece of run) if (piece.type === "undo.piece" && piece.of === record.of) parts[piece.at] = { payload: piece.payload, commitment: piece.piece };
    }
  }
  if (Object.keys(parts).length !== record.pieces + 1) return "changed";
  const text = opened(store, parts);
  if (text === "erased" || text === "changed") return text;
  const value = parseJson(text.join("")) as { undo: JsonObject } & Omit<PlanDocument, "undo">;
  const { undo } = value;
  const of = reversibilities.find((one) => one === undo["class"]) ?? "unknown";
  return { ...value, undo: { ...(undo as unknown as UndoCase), class: of, before: asMap(undo["before"]), state: asMap(undo["state"]), expect: asMap(undo["expect"]) } };
};

/** What is known of an action's state right after it. */
export const readSettlement = (store: Pick<Store, "entry" | "unsealAll">, settleSeq: number): Settlement | Unopened => {
  const record = store.entry(settleSeq);
  if (record?.type !== "undo.settle") return "changed";
  const text = opened(store, [{ payload: record.payload, commitment: record.after }]);
  return text === "erased" || text === "changed" ? text : (parseJson(text.join("")) as Settlement);
};

const opened = (store: Pick<Store, "unsealAll">, parts: readonly { readonly payload: string | null; readonly commitment: string }[]): string[] | Unopened => {
  const values = store.unsealAll(parts.map(({ payload, commitment }) => ({ payload: payload ?? "", commitment })));
  if (values.includes("erased")) return "erased";
  const texts = values.map((one) => (typeof one === "object" && one.opens && typeof one.value === "string" ? one.value : null));
  return texts.includes(null) ? "changed" : (texts as string[]);
};

/** Seals a text for the user on whose behalf it is kept. */
export const sealFor = (store: Pick<Store, "seal">, user: string, text: string): Sealed => store.seal(`user:${user}`, text);
