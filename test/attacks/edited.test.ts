import { DatabaseSync, type SQLOutputValue } from "node:sqlite";
import { join } from "node:path";
import type { Fault } from "@lanyard/contract";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { verifyStore } from "../../server/src/base/store/verify.ts";
import { copyFolder, openLedger, scratch } from "../ledger/tamper.ts";
import { someDecision } from "../kits/records.ts";

// Somebody who can write to the database file, but has not the key that signs checkpoints.

const home = scratch();
const untouched = join(home.path, "untouched");
let copies = 0;

beforeAll(async () => {
  await using store = await openLedger(untouched);
  const bundle = store.putObject(Buffer.from("a bundle of policies"));
  const definition = store.putObject(Buffer.from("a tool's definition"));
  await store.append({ type: "bundle.activate", bundle, before: null, policies: 1, by: "operator", post: "active", version: null, share_ppm: null, why: "" }, { state: [{ kind: "setting", key: "bundle", value: { hash: bundle } }] });
  await store.append({ type: "catalog.approve", server: "s", tool: "t", definition, by: "operator" });
  await store.append(someDecision("deny", { bundle, tool: definition }));
  const request = { state: "pending", given: [] };
  await store.append({ type: "approval.request", id: "apr_1", of: 0, digest: "d".repeat(43), groups: ["leads"], session: "s", expires_at_ms: 9 }, { state: [{ kind: "approval", key: "apr_1", value: request }] });
});
afterAll(() => home[Symbol.dispose]());

/** A copy of the ledger after `sql` was run on it. */
const after = (sql: string): string => {
  const folder = copyFolder(untouched, join(home.path, `copy${++copies}`));
  using database = new DatabaseSync(join(folder, "ledger.db"));
  database.exec(sql);
  return folder;
};

test("the ledger is intact before anybody touches it", async () => {
  expect((await verifyStore(untouched)).findings).toEqual([]);
});

test.each<[string, string]>([
  ["the bundle that decided is removed", "DELETE FROM object WHERE hash = (SELECT hash FROM object WHERE bytes = CAST('a bundle of policies' AS BLOB))"],
  ["a pinned definition is removed", "DELETE FROM object WHERE hash = (SELECT hash FROM object WHERE bytes = CAST('a tool''s definition' AS BLOB))"],
  ["all objects are removed", "DELETE FROM object"],
  ["an approval is given by hand", `UPDATE state SET text = '{"state":"approved","given":[]}' WHERE kind = 'approval'`],
  ["a credential is made by hand", "INSERT INTO state VALUES ('credential', 'key_1', '{}', x'00', 0)"],
  ["an approval request disappears", "DELETE FROM state WHERE kind = 'approval'"],
  ["the active bundle is another one", `UPDATE state SET text = '{"hash":"x"}' WHERE kind = 'setting'`],
  ["a trigger waits for the daemon", "CREATE TRIGGER t AFTER INSERT ON entry BEGIN DELETE FROM state; END"],
  ["the clock of the last commit is moved", "UPDATE head SET at_ms = at_ms + 1"],
])("audit verify reports it: %s", async (_what, sql) => {
  expect((await verifyStore(after(sql))).findings.length).toBeGreaterThan(0);
});

describe("a daemon that is started on it does not act on what no record vouches for", () => {
  test.each<[string, string, "approval" | "credential" | "setting"]>([
    ["an approval given by hand", `UPDATE state SET text = '{"given":[],"state":"approved"}' WHERE kind = 'approval'`, "approval"],
    ["a credential made by hand", `INSERT INTO state VALUES ('credential', 'key_1', '{"hash":"x","kind":"user","name":"lea"}', x'00', 0)`, "credential"],
    ["another active bundle", `UPDATE state SET text = '{"hash":"x"}' WHERE kind = 'setting'`, "setting"],
  ])("%s", async (_what, sql, kind) => {
    const opened = await openLedger(after(sql)).catch((error: Fault) => error);
    if (opened instanceof Error) return expect(opened.message).toMatch(/state|changed|record/);
    const documents = opened.list(kind).map(({ value }) => JSON.stringify(value));
    await opened[Symbol.asyncDispose]();
    expect(documents.filter((text) => /approved|"lea"|"x"/.test(text))).toEqual([]);
  });

  test.each<[string, string, RegExp]>([
    ["names the kind of document and its record", `UPDATE state SET text = '{"state":"approved","given":[]}' WHERE kind = 'approval'`, /record `4` does not vouch for the state document of kind `approval`.*lanyard audit verify/],
    ["a document of no record", "INSERT INTO state VALUES ('credential', 'key_1', '{}', x'00', 999)", /record `999` does not vouch.*`credential`/],
    ["a document that is no JSON", "UPDATE state SET text = '{' WHERE kind = 'setting'", /record `1` does not vouch.*`setting`/],
    ["a document that is gone", "DELETE FROM state WHERE kind = 'setting'", /a state document was removed, or put back.*lanyard audit verify/],
  ])("it does not start, and says why: %s", async (_what, sql, why) => {
    await expect(openLedger(after(sql))).rejects.toMatchObject({ code: "ledger_unavailable", message: expect.stringMatching(why) as string });
  });

  test.each(["spent", "spent, with more records after it"])("an approval put back as it was before it was %s", async (what) => {
    const folder = copyFolder(untouched, join(home.path, `copy${++copies}`));
    const row = (): Record<string, SQLOutputValue> | undefined => {
      using database = new DatabaseSync(join(folder, "ledger.db"));
      return database.prepare("SELECT * FROM state WHERE kind = 'approval'").get();
    };
    const approved = row();
    {
      await using store = await openLedger(folder);
      await store.append({ type: "approval.expire", id: "apr_1" }, { state: [{ kind: "approval", key: "apr_1", value: null }] });
      if (what !== "spent") for (let at = 0; at < 300; at++) void store.append(someDecision("deny", { bundle: null }));
    }
    expect(row()).toBeUndefined();
    {
      using database = new DatabaseSync(join(folder, "ledger.db"));
      database.prepare("INSERT INTO state VALUES (?, ?, ?, ?, ?)").run(...Object.values(approved ?? {}));
    }
    await expect(openLedger(folder)).rejects.toThrow(/a state document was removed, or put back to what it was before/);
    expect((await verifyStore(folder)).findings.map(({ what: found }) => found)).toEqual(["no record vouches for the state document `approval/apr_1`"]);
  });
});
