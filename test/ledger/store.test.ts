import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { newSigner } from "@lanyard/ledger";
import { systemClock as clock } from "../../server/src/base/clock.ts";
import { MemoryMedium, openMemory } from "../../server/src/base/store/memory.ts";
import { openSqlite } from "../../server/src/base/store/sqlite.ts";
import { storeKit } from "../kits/store.ts";

storeKit("memory", async () => {
  const kept = { medium: new MemoryMedium(), signer: newSigner("lanyard.local/memory"), tenant: clock.random(32) };
  return { open: () => openMemory(kept), clean: async () => undefined };
});

storeKit("sqlite", async () => {
  const folder = mkdtempSync(join(tmpdir(), "lanyard-store-"));
  return { open: () => openSqlite({ folder, clock, version: "test" }), clean: async () => rmSync(folder, { recursive: true }) };
});
