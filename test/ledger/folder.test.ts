import { chmodSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { parseVerifierKey, verifyExport, verifyProof, VerifyError } from "@lanyard/ledger";
import { describe, expect, test } from "vitest";
import { exportLedger, verifyStore } from "../../server/src/base/store/verify.ts";
import { sampleRecords, someDecision } from "../kits/records.ts";
import { fill, openLedger, scratch } from "./tamper.ts";

describe("a data folder", () => {
  test("is its owner's alone, every file of it but the public key", async () => {
    using folder = scratch();
    const data = join(folder.path, "deep", "data");
    await using store = await openLedger(data);
    await store.append(someDecision("deny"));
    const modes = Object.fromEntries(readdirSync(data).map((name) => [name, (statSync(join(data, name)).mode & 0o777).toString(8)]));
    expect(modes).toEqual({ "ledger.db": "600", "ledger.db-shm": "600", "ledger.db-wal": "600", "ledger.key": "600", "ledger.vkey": "644", "lock.db": "600", "tenant.key": "600" });
    expect((statSync(data).mode & 0o777).toString(8)).toBe("700");
    expect(readFileSync(join(data, "ledger.vkey"), "utf8")).toBe(`${store.verifierKey()}\n`);
  });

  test("is made its owner's alone when it was open to others", async () => {
    using folder = scratch();
    chmodSync(folder.path, 0o755);
    await using _store = await openLedger(folder.path);
    expect((statSync(folder.path).mode & 0o777).toString(8)).toBe("700");
  });

  test("is for one daemon at a time, and free again after it", async () => {
    using folder = scratch();
    {
      await using store = await openLedger(folder.path);
      await expect(openLedger(folder.path)).rejects.toMatchObject({ code: "conflict", message: `opening the data folder \`${folder.path}\`: another daemon uses it` });
      await store.append(someDecision("deny"));
    }
    await using store = await openLedger(folder.path);
    expect(store.size()).toBe(4);
  });

  test("with a ledger but without its keys is not given new ones", async () => {
    using folder = scratch();
    await (await openLedger(folder.path))[Symbol.asyncDispose]();
    for (const name of ["ledger.key", "tenant.key"]) {
      const text = readFileSync(join(folder.path, name));
      rmSync(join(folder.path, name));
      await expect(openLedger(folder.path)).rejects.toMatchObject({ code: "invalid_config" });
      writeFileSync(join(folder.path, name), "no key");
      await expect(openLedger(folder.path)).rejects.toMatchObject({ code: "invalid_config" });
      writeFileSync(join(folder.path, name), text);
    }
    await (await openLedger(folder.path))[Symbol.asyncDispose]();
  });

  test("of a newer program is left alone", async () => {
    using folder = scratch();
    await (await openLedger(folder.path))[Symbol.asyncDispose]();
    new DatabaseSync(join(folder.path, "ledger.db")).exec("PRAGMA user_version = 99");
    await expect(openLedger(folder.path)).rejects.toMatchObject({ code: "conflict" });
  });

  test("without a ledger is not found by an auditor, and stays as it was", async () => {
    using folder = scratch();
    await expect(verifyStore(join(folder.path, "nothing"))).rejects.toMatchObject({ code: "not_found" });
    expect(readdirSync(folder.path)).toEqual([]);
  });
});

test("what was erased is in no file of the folder", async () => {
  using folder = scratch();
  await using store = await openLedger(folder.path);
  const sealed = store.seal("user:ana", { secret: "x".repeat(5000) });
  await store.append(someDecision("deny", { input: sealed.commitment, payload: sealed.payload }), { sealed });
  const everything = (): Buffer => Buffer.concat(readdirSync(folder.path).map((name) => readFileSync(join(folder.path, name))));
  const box = (sealed as unknown as { readonly bytes: Buffer }).bytes.subarray(100, 400);
  expect(everything().includes(box)).toBe(true);
  await store.erase("user:ana", "operator", "asked to");
  expect(everything().includes(box)).toBe(false);
});

test("an export verifies with the single-file verifier, and a proof of it", async () => {
  using folder = scratch();
  await fill(folder.path);
  const [, ...lines] = exportLedger(folder.path);
  await using store = await openLedger(folder.path);
  const keys = [parseVerifierKey(store.verifierKey())];
  expect(await verifyExport(lines, keys)).toEqual({ size: lines.length - 7, findings: [] });
  expect((await verifyExport(lines.with(7, lines[8] ?? ""), keys)).findings).toMatchObject([{ seq: 7 }, { seq: null }]);
  await expect(verifyExport(lines.slice(0, -1), keys)).rejects.toThrow(VerifyError);
  const { seq } = await store.append(sampleRecords["session.close"]);
  expect(Buffer.from(verifyProof(store.prove(seq), keys).entry)).toEqual(Buffer.from(store.entryBytes(seq) ?? []));
  expect(store.prove(seq).length).toBeLessThan(2560);
});
