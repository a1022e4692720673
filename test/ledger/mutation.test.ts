import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Json, LedgerRecord } from "@lanyard/contract";
import { recordBodies } from "@lanyard/contract/records";
import { checkpointText, emptyFrontier, grow, leafHash, newSigner, parseCheckpoint, parseNote, rootOf, signNote, type Signer } from "@lanyard/ledger";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readKeys } from "../../server/src/base/store/keys.ts";
import { unpackRow } from "../../server/src/base/store/pack.ts";
import { verifyStore, type VerifyOptions } from "../../server/src/base/store/verify.ts";
import { sampleRecords, someDecision } from "../kits/records.ts";
import { copyFolder, fill, openLedger, scratch, Tampered } from "./tamper.ts";

const folder = scratch();
const ledger = join(folder.path, "ledger");
let before = ""; // a checkpoint remembered early
let latest = "";

beforeAll(async () => {
  {
    await using store = await openLedger(ledger);
    await Promise.all(Array.from({ length: 20 }, () => store.append(someDecision("deny"))));
    before = store.checkpoint();
  }
  await fill(ledger);
  using tampered = new Tampered(ledger);
  latest = String(tampered.database.prepare("SELECT checkpoint FROM head").get()?.["checkpoint"]);
});
afterAll(() => folder[Symbol.dispose]());

const findings = async (at: string, options: VerifyOptions = {}): Promise<string[]> =>
  (await verifyStore(at, options)).findings.map(({ seq, what }) => `${seq ?? "ledger"}: ${what}`);

/** Every place in a JSON value where a scalar or an empty list stands, as a path. */
const leavesOf = (value: Json, path: readonly (string | number)[] = []): (readonly (string | number)[])[] => {
  if (Array.isArray(value) && value.length > 0) return value.flatMap((item, at) => leavesOf(item, [...path, at]));
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return Object.entries(value).flatMap(([key, item]) => leavesOf(item, [...path, key]));
  return [path];
};

const other = (value: Json): Json => {
  if (typeof value === "number") return value + 1;
  if (typeof value === "string") return value.startsWith("A") ? `B${value.slice(1)}` : `A${value.slice(1)}`;
  return value === null ? "A".repeat(43) : null;
};

const changed = (record: LedgerRecord, path: readonly (string | number)[]): unknown => {
  const copy = structuredClone(record) as unknown as { [key: string]: Json };
  const parent = path.slice(0, -1).reduce<Json>((at, key) => (at as { [key: string]: Json })[key] as Json, copy) as { [key: string]: Json };
  const last = path.at(-1) as string;
  parent[last] = other(parent[last] as Json);
  return copy;
};

describe("a ledger that nobody touched", () => {
  test("verifies, also from remembered checkpoints, and holds every type of record", async () => {
    expect(await findings(ledger)).toEqual([]);
    for (const from of [before, latest]) expect(await findings(ledger, { from, key: readFileSync(join(ledger, "ledger.vkey"), "utf8") })).toEqual([]);
    using tampered = new Tampered(ledger);
    const { records } = await verifyStore(ledger);
    const types = new Set(Array.from({ length: records }, (_, seq) => tampered.record(seq).type));
    expect([...types].sort()).toEqual(Object.keys(recordBodies).sort());
  });

  test("verifies while a daemon writes on it", async () => {
    using copy = scratch();
    await using store = await openLedger(copyFolder(ledger, join(copy.path, "ledger")));
    await store.append(sampleRecords["session.close"]);
    expect(await findings(join(copy.path, "ledger"))).toEqual([]);
  });
});

/** One record of each type, by its seq. */
const oneOfEach = async (tampered: Tampered): Promise<ReadonlyMap<number, LedgerRecord>> => {
  const { records } = await verifyStore(ledger);
  const last = new Map(Array.from({ length: records }, (_, seq) => [tampered.record(seq).type, seq]));
  return new Map([...last.values()].map((seq) => [seq, tampered.record(seq)]));
};

const unlike = "the record was changed: it does not hash to its leaf";

describe("records changed", () => {
  // Of every type the first leaf at once, then the second, and so on: a verification reads the whole ledger, and there are some thousand leaves.
  test("every leaf of every type is named by its seq", async () => {
    using tampered = new Tampered(ledger);
    const each = await oneOfEach(tampered);
    expect(each.size).toBe(Object.keys(sampleRecords).length);
    const paths = new Map([...each].map(([seq, record]) => [seq, leavesOf(record as unknown as Json)]));
    const most = Math.max(...[...paths.values()].map(({ length }) => length));
    for (let round = 0; round <= most; round++) {
      const touched = [...each].flatMap(([seq, record]) => {
        const path = paths.get(seq)?.[round];
        return path ? [{ seq, text: `${record.type}: ${path.join(".")}`, value: changed(record, path) }] : round === most ? [{ seq, text: record.type, value: { ...record, extra: 1 } }] : [];
      });
      const bodies = touched.map(({ seq }) => tampered.body(seq));
      for (const { seq, value } of touched) tampered.setRecord(seq, value, false);
      const found = new Set(await findings(ledger));
      expect(touched.filter(({ seq }) => !found.has(`${seq}: ${unlike}`)).map(({ text }) => text)).toEqual([]);
      for (const [at, { seq }] of touched.entries()) tampered.setBody(seq, bodies[at] as Uint8Array);
    }
    expect(await findings(ledger)).toEqual([]);
  });

  // With the leaf made to fit only the tree tells, which one change at a time shows.
  test("a careful change is found too", async () => {
    using tampered = new Tampered(ledger);
    for (const [at, [seq, record]] of [...(await oneOfEach(tampered))].entries()) {
      const body = tampered.body(seq);
      const paths = leavesOf(record as unknown as Json);
      expect(paths.length).toBeGreaterThan(4);
      const path = paths[at % paths.length] as readonly (string | number)[];
      tampered.setRecord(seq, changed(record, path), true);
      expect(await findings(ledger), `${record.type}: ${path.join(".")}`).not.toEqual([]);
      tampered.setBody(seq, body);
    }
    expect(await findings(ledger)).toEqual([]);
  });

  // One at a time: the rows after one that cannot be read are taken for moved. Every third row, and every place in a row as they go.
  test("any byte of a row is named by its seq", async () => {
    using tampered = new Tampered(ledger);
    const { records } = await verifyStore(ledger);
    for (let seq = 0; seq < records; seq += 3) {
      const body = tampered.body(seq);
      const flipped = Uint8Array.from(body);
      const at = (seq * 7) % body.length;
      flipped[at] = (flipped[at] as number) ^ (1 << seq % 8);
      tampered.setBody(seq, flipped);
      const found = await verifyStore(ledger);
      expect(found.findings.map((finding) => finding.seq), `byte ${at} of ${seq}`).toContain(seq);
      tampered.setBody(seq, body);
    }
    expect(await findings(ledger)).toEqual([]);
  });
});

describe("any other cell of the database changed", () => {
  const tables = ["node", "zone", "outcome", "left_open", "subject", "payload", "state", "object", "head", "word"];

  test.each(tables)("every cell of `%s`, and every row taken out", async (table) => {
    using tampered = new Tampered(ledger);
    const { database } = tampered;
    const columns = database.prepare(`SELECT name, pk FROM pragma_table_info('${table}')`).all() as { name: string; pk: number }[];
    const rows = database.prepare(`SELECT * FROM ${table}`).all() as { [column: string]: string | number | Uint8Array | null }[];
    expect(rows.length).toBeGreaterThan(0);
    for (const row of rows.slice(0, 40)) {
      const keys = columns.filter(({ pk }) => pk > 0).map(({ name }) => name);
      const where = keys.map((key) => `${key} = ?`).join(" AND ");
      const put = () => database.prepare(`INSERT INTO ${table} VALUES (${columns.map(() => "?").join()})`).run(...columns.map(({ name }) => row[name] ?? null));
      const take = () => database.prepare(`DELETE FROM ${table} WHERE ${where}`).run(...keys.map((key) => row[key] ?? null));
      for (const { name } of columns.filter((column) => table !== "head" || column.name !== "id")) {
        const value = row[name] ?? null;
        if (value === null) continue; // an erased box cannot come back: its key is gone
        const changedValue = value instanceof Uint8Array ? Uint8Array.from(value, (byte, at) => (at === value.length - 1 ? byte ^ 1 : byte)) : typeof value === "number" ? value + 10_000 : `${value}x`;
        database.exec("BEGIN");
        database.prepare(`UPDATE ${table} SET ${name} = ? WHERE ${where}`).run(changedValue, ...keys.map((key) => row[key] ?? null));
        database.exec("COMMIT");
        expect(await findings(ledger), `${table}.${name}`).not.toEqual([]);
        database.prepare(`UPDATE ${table} SET ${name} = ? WHERE ${keys.map((key) => `${key} = ?`).join(" AND ")}`).run(value, ...keys.map((key) => (key === name ? changedValue : (row[key] ?? null))));
      }
      if (table === "head") continue; // without a head nothing opens
      take();
      expect(await findings(ledger), `${table} row gone`).not.toEqual([]);
      put();
    }
    expect(await findings(ledger)).toEqual([]);
  });

  test("a document put back to what it was before, with its old salt and seq", async () => {
    using copy = scratch();
    const at = copyFolder(ledger, join(copy.path, "ledger"));
    using tampered = new Tampered(at);
    const old = tampered.database.prepare("SELECT text, salt, seq FROM state WHERE key = 'kept'").get() as { text: string; salt: Uint8Array; seq: number };
    {
      await using store = await openLedger(at);
      await store.append(sampleRecords["session.close"], { state: [{ kind: "session", key: "kept", value: { calls: 100 } }] });
    }
    tampered.database.prepare("UPDATE state SET text = ?, salt = ?, seq = ? WHERE key = 'kept'").run(old.text, old.salt, old.seq);
    expect(await findings(at)).toEqual([expect.stringContaining("the state document `session/kept` is not the one the record commits to")]);
  });

  test("a trigger or a table more", async () => {
    using copy = scratch();
    const at = copyFolder(ledger, join(copy.path, "ledger"));
    using tampered = new Tampered(at);
    tampered.database.exec("CREATE TRIGGER quiet AFTER INSERT ON entry BEGIN DELETE FROM outcome; END");
    expect(await findings(at)).toEqual(["ledger: the database has a table, index or trigger that is not the program's"]);
  });
});

describe("an attacker who has the folder, its keys and time", () => {
  /** Makes the ledger's own checkpoint fit its records again, signed with `signer`. */
  const resign = (at: string, signer: Signer): void => {
    using tampered = new Tampered(at);
    const bodies = tampered.database.prepare("SELECT body FROM entry ORDER BY seq").all() as { body: Uint8Array }[];
    const { checkpoint } = tampered.database.prepare("SELECT checkpoint FROM head").get() as { checkpoint: string };
    const { extensions } = parseCheckpoint(parseNote(checkpoint).text);
    let tree = emptyFrontier;
    tampered.database.exec("DELETE FROM node");
    const add = tampered.database.prepare("INSERT INTO node VALUES (?, ?, ?)");
    for (const { body } of bodies) tree = grow(tree, leafHash(unpackRow(body, tampered.words)), (level, index, hash) => void (level >= 8 && add.run(level, index, hash)));
    tampered.database.prepare("UPDATE head SET size = ?, checkpoint = ?").run(tree.size, signNote(checkpointText(signer.name, tree.size, rootOf(tree), extensions), signer));
  };

  const attack = async (change: (at: string) => void | Promise<void>, options: VerifyOptions = {}): Promise<string[]> => {
    using copy = scratch();
    const at = copyFolder(ledger, join(copy.path, "ledger"));
    await change(at);
    return findings(at, { from: latest, ...options });
  };

  const early = 5; // a record both remembered checkpoints cover

  test("truncation", async () => {
    const cut = (at: string): void => {
      using tampered = new Tampered(at);
      tampered.database.exec("DELETE FROM entry WHERE seq > 100");
    };
    expect(await attack(cut)).toContain("ledger: the number of records is not that of the checkpoint");
    expect(await attack((at) => (cut(at), resign(at, readKeys(at).signer)))).toContain("ledger: records were cut off, or an older database put in place: a remembered checkpoint covers more");
  });

  test("a record taken out of the middle", async () => {
    expect(await attack((at) => new Tampered(at).database.exec(`DELETE FROM entry WHERE seq = ${early}`))).toContain(`${early}: the record is missing`);
  });

  test("reordering", async () => {
    const swap = (at: string): void => {
      using tampered = new Tampered(at);
      const [one, two] = [tampered.body(early), tampered.body(early + 1)];
      tampered.setBody(early, two);
      tampered.setBody(early + 1, one);
    };
    const found = await attack((at) => (swap(at), resign(at, readKeys(at).signer)));
    expect(found).toContain(`${early}: the record carries another seq`);
    expect(found).toContain("ledger: the first 308 records are not those of the remembered checkpoint".replace("308", latest.split("\n")[1] as string));
  });

  test("duplication", async () => {
    const found = await attack((at) => {
      using tampered = new Tampered(at);
      tampered.setBody(early + 1, tampered.body(early));
    });
    expect(found).toContain(`${early + 1}: the record carries another seq`);
  });

  test("a splice: a record of another ledger, made to fit in every way", async () => {
    const splice = (at: string): void => {
      using tampered = new Tampered(at);
      tampered.setRecord(early, { ...tampered.record(early + 1), seq: early }, true);
    };
    for (const from of [before, latest]) {
      const found = await attack((at) => (splice(at), resign(at, readKeys(at).signer)), { from });
      expect(found).toEqual([expect.stringMatching(/^ledger: the first \d+ records are not those of the remembered checkpoint$/)]);
    }
  });

  test("a fork: two histories that each verify", async () => {
    using copy = scratch();
    const forks = ["one", "two"].map((name) => copyFolder(ledger, join(copy.path, name)));
    const notes: string[] = [];
    for (const fork of forks) {
      await using store = await openLedger(fork);
      await store.append(someDecision("deny"));
      notes.push(store.checkpoint());
    }
    const [one = "", two = ""] = forks;
    expect([await findings(one, { from: latest }), await findings(two, { from: latest })]).toEqual([[], []]);
    expect(await findings(two, { from: notes[0] as string })).not.toEqual([]);
    expect(await findings(one, { from: notes[1] as string })).not.toEqual([]);
  });

  test("an older database put back", async () => {
    using copy = scratch();
    const at = copyFolder(ledger, join(copy.path, "ledger"));
    const old = readFileSync(join(at, "ledger.db"));
    let remembered = "";
    {
      await using store = await openLedger(at);
      await store.append(someDecision("deny"));
      remembered = store.checkpoint();
    }
    writeFileSync(join(at, "ledger.db"), old);
    expect(await findings(at)).toEqual([]);
    expect(await findings(at, { from: remembered })).toEqual(["ledger: records were cut off, or an older database put in place: a remembered checkpoint covers more"]);
  });

  test("everything signed anew with another key", async () => {
    const swapKey = (at: string): void => {
      const { name } = readKeys(at).signer;
      const signer = newSigner(name);
      writeFileSync(join(at, "ledger.key"), signer.skey);
      writeFileSync(join(at, "ledger.vkey"), signer.vkey);
      resign(at, signer);
    };
    expect(await attack(swapKey)).toEqual(["ledger: the remembered checkpoint is not to be believed: no trusted key signed this note"]);
    const key = readFileSync(join(ledger, "ledger.vkey"), "utf8");
    expect(await attack(swapKey, { key })).toContain("ledger: the ledger's checkpoint is not to be believed: no trusted key signed this note");
  });

  test("a daemon does not continue a ledger whose end was changed", async () => {
    using copy = scratch();
    const at = copyFolder(ledger, join(copy.path, "ledger"));
    {
      using tampered = new Tampered(at);
      const last = Number(tampered.database.prepare("SELECT max(seq) AS last FROM entry").get()?.["last"]);
      tampered.setRecord(last - 3, { ...tampered.record(last - 3), at_ms: 1 }, true);
    }
    await expect(openLedger(at)).rejects.toThrow("its records are not those of its last checkpoint");
  });
});
