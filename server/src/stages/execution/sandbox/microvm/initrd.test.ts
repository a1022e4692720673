import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { initrd } from "./initrd.ts";

test("modules are without the signature that would be checked at each boot, and whole when they have none", () => {
  const folder = mkdtempSync(join(tmpdir(), "lanyard-initrd-"));
  try {
    const modules = join(folder, "modules");
    mkdirSync(modules);
    writeFileSync(join(folder, "agent"), "agent");
    const about = Buffer.alloc(12);
    about.writeUInt32BE(9, 8);
    writeFileSync(join(modules, "00-signed.ko"), Buffer.concat([Buffer.from("module one"), Buffer.from("signature"), about, Buffer.from("~Module signature appended~\n")]));
    writeFileSync(join(modules, "01-plain.ko"), "module two, signature");
    const archive = initrd(join(folder, "agent"), modules).toString("latin1");
    expect(archive).toMatch(/00-signed\.ko\0+module one\0*070701/);
    expect(archive).toMatch(/01-plain\.ko\0+module two, signature\0*070701/);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
