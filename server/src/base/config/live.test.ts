import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { newSigner } from "@lanyard/ledger";
import { afterEach, expect, test } from "vitest";
import { stillClock } from "../../../../test/kits/clock.ts";
import { logger } from "../log.ts";
import { MemoryMedium, openMemory } from "../store/memory.ts";
import { LiveConfig } from "./live.ts";
import { loadConfig } from "./read.ts";

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

async function world() {
  const folder = mkdtempSync(join(tmpdir(), "lanyard-live-"));
  folders.push(folder);
  const file = join(folder, "lanyard.yaml");
  const write = (text: string) => writeFileSync(file, `version: 1\n${text}`);
  write("users: { ana: {} }");
  const clock = stillClock();
  const disk = { medium: new MemoryMedium(), signer: newSigner("lanyard.local/test"), tenant: clock.random(32) };
  const store = await openMemory({ clock, ...disk });
  const lines: string[] = [];
  const log = logger({ clock, write: (line) => lines.push(line) });
  const live = new LiveConfig({ first: loadConfig(file), store, clock, log });
  await live.start();
  const users = () => [...live.current().users.keys()].join();
  return { folder, file, write, clock, disk, store, lines, log, live, users, changes: () => store.entries({ types: ["config.change"] }) };
}

test("a valid change is live within a second, recorded, and told", async () => {
  const w = await world();
  const told: string[] = [];
  w.live.onChange((after, before) => told.push(`${before.users.size} -> ${after.users.size}`));
  w.write("users: { ana: {}, ben: {} }");
  await w.clock.advance(1000);
  expect(w.users()).toBe("ana,ben");
  expect(told).toEqual(["1 -> 2"]);
  const [first, second] = w.changes();
  expect(second).toMatchObject({ before: first && "config" in first ? first.config : "", config: w.live.current().hash });
});

test("a file that an editor replaced by a rename is seen too", async () => {
  const w = await world();
  writeFileSync(join(w.folder, "new"), "version: 1\nusers: { cem: {} }\n");
  renameSync(join(w.folder, "new"), w.file);
  await w.clock.advance(1000);
  expect(w.users()).toBe("cem");
});

test("an invalid change is refused with its places, once, and the old configuration stays until the file is good again", async () => {
  const w = await world();
  w.write("users: { ana: {}, ben: {} }\nagnets: {}");
  await w.clock.advance(5000);
  expect(w.users()).toBe("ana");
  expect(w.lines.filter((line) => line.includes("config.refused"))).toHaveLength(1);
  expect(w.lines.join()).toContain("lanyard.yaml:3:1: unknown key `agnets`");
  await expect(w.live.reload()).resolves.toBe(false);
  rmSync(w.file);
  await w.clock.advance(5000);
  expect(w.users()).toBe("ana");
  w.write("users: { ben: {} }");
  await w.clock.advance(1000);
  expect(w.users()).toBe("ben");
  expect(w.changes()).toHaveLength(2);
});

test("going back to the configuration in force is no change", async () => {
  const w = await world();
  w.write("users: {");
  await w.clock.advance(1000);
  w.write("users: { ana: {} }");
  await w.clock.advance(1000);
  expect(w.changes()).toHaveLength(1);
});

test("a change that cannot be recorded is not in force, and is taken up once it can", async () => {
  const w = await world();
  w.disk.medium.failure = new Error("ENOSPC");
  w.write("users: { ana: {}, eve: {} }");
  await w.clock.advance(2000);
  expect(w.users()).toBe("ana");
  w.disk.medium.failure = null;
  await w.clock.advance(2000);
  expect(w.users()).toBe("ana,eve");
});

test("a start with the file as recorded adds no record, one with another file does", async () => {
  const w = await world();
  await w.live[Symbol.asyncDispose]();
  const again = new LiveConfig({ first: loadConfig(w.file), store: w.store, clock: w.clock, log: w.log });
  await again.start();
  expect(w.changes()).toHaveLength(1);
  await again[Symbol.asyncDispose]();
  w.write("users: { zoe: {} }");
  await new LiveConfig({ first: loadConfig(w.file), store: w.store, clock: w.clock, log: w.log }).start();
  expect(w.changes()).toHaveLength(2);
});
