import { spawnSync } from "node:child_process";
import { mkdirSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Fault, type NewRecord } from "@lanyard/contract";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Store } from "../../server/src/base/store/port.ts";
import { verifyStore } from "../../server/src/base/store/verify.ts";
import { openLedger, scratch } from "./tamper.ts";

const place = scratch();
const disk = join(place.path, "disk");
const folder = join(disk, "data");
const run = (command: string, ...args: string[]): boolean => spawnSync(command, args, { stdio: "ignore" }).status === 0;

const mountable = ((): boolean => {
  mkdirSync(disk);
  return run("mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", disk);
})();
const here = mountable ? test : test.skip;
const why = mountable ? "" : " (skipped: this user may not mount a tmpfs)";

let store: Store;
beforeAll(async () => {
  if (mountable) store = await openLedger(folder);
});
afterAll(async () => {
  if (mountable) {
    await store[Symbol.asyncDispose]();
    run("umount", disk);
  }
  place[Symbol.dispose]();
});

const close = (actions = 0): NewRecord => ({ type: "session.close", session: "s", why: "x".repeat(200), actions });

const attempt = async (): Promise<string> => {
  try {
    await store.append(close());
    return "written";
  } catch (error) {
    return error instanceof Fault ? error.code : String(error);
  }
};

/** Appends until one is refused. */
const untilRefused = async (): Promise<number> => {
  for (let written = 0; written < 100_000; written++) if ((await attempt()) !== "written") return written;
  throw new Error("the disk never refused");
};

const recovers = async (): Promise<void> => {
  while ((await attempt()) !== "written") await new Promise((resolve) => setTimeout(resolve, 20));
};

here(`a full disk refuses every append and keeps nothing of it; with room again the ledger goes on and says what was refused${why}`, async () => {
  const { bavail, bsize } = statfsSync(disk);
  writeFileSync(join(disk, "ballast"), Buffer.alloc(bavail * bsize - 256 * 1024));
  await untilRefused();
  const size = store.size();
  const checkpoint = store.checkpoint();
  expect(await Promise.all(Array.from({ length: 20 }, attempt))).toEqual(Array.from({ length: 20 }, () => "ledger_unavailable"));
  expect([store.healthy(), store.size(), store.checkpoint()]).toEqual([false, size, checkpoint]);
  expect(() => store.putObject(Buffer.alloc(200_000))).toThrow(Fault);
  expect(store.entry(size - 1)).not.toBeNull(); // reading goes on
  rmSync(join(disk, "ballast"));
  await recovers();
  expect(store.healthy()).toBe(true);
  expect(store.entry(size)).toMatchObject({ type: "ledger.gap", why: "database or disk is full", refused: expect.any(Number) });
  expect((store.entry(size) as { refused?: number }).refused).toBeGreaterThanOrEqual(21);
  expect((await verifyStore(folder, { from: checkpoint })).findings).toEqual([]);
});

here(`a data folder that is gone, covered by a read-only mount, refuses every append, and the ledger goes on once it is back${why}`, async () => {
  const size = store.size();
  expect(run("mount", "-t", "tmpfs", "-o", "ro", "tmpfs", folder)).toBe(true);
  expect([await attempt(), await attempt()]).toEqual(["ledger_unavailable", "ledger_unavailable"]);
  expect(store.size()).toBe(size);
  expect(run("umount", folder)).toBe(true);
  await recovers();
  expect(store.entry(size)).toMatchObject({ type: "ledger.gap" });
  expect((await verifyStore(folder)).findings).toEqual([]);
});

here(`without any append the ledger notices by itself that the disk is well again${why}`, async () => {
  const { bavail, bsize } = statfsSync(disk);
  writeFileSync(join(disk, "ballast"), Buffer.alloc(Math.max(0, bavail * bsize - 64 * 1024)));
  await untilRefused();
  rmSync(join(disk, "ballast"));
  while (!store.healthy()) await new Promise((resolve) => setTimeout(resolve, 50));
  expect(store.entry(store.size() - 1)).toMatchObject({ type: "ledger.gap" });
});

here(`a read-only data folder is refused when opened${why}`, async () => {
  const read = join(place.path, "read-only");
  mkdirSync(read);
  expect(run("mount", "-t", "tmpfs", "-o", "ro", "tmpfs", read)).toBe(true);
  try {
    await expect(openLedger(join(read, "data"))).rejects.toMatchObject({ code: "ledger_unavailable" });
  } finally {
    run("umount", read);
  }
});
