import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { verifyStore } from "../../server/src/base/store/verify.ts";
import { approveCatalog, callTool, DaemonProcess, until, World } from "../daemon.ts";
import { counter } from "./counter.ts";

// The ledger's disk fills up, or turns read-only, under a running daemon: nothing may happen unrecorded, and no operator is needed
// to go on once there is room again. A small tmpfs of the test's own is the disk.

const mounts: string[] = [];
afterEach(() => {
  for (const folder of mounts.splice(0)) {
    execFileSync("umount", [folder]);
    rmSync(folder, { recursive: true });
  }
});

function smallDisk(): string | null {
  const folder = mkdtempSync(join(tmpdir(), "lanyard-disk-"));
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=24m,mode=0700", "tmpfs", folder], { stdio: "pipe" });
  } catch {
    rmSync(folder, { recursive: true });
    return null;
  }
  mounts.push(folder);
  return folder;
}

const troubles = {
  "a full disk": {
    begin: (disk: string): void => {
      const { bavail, bsize } = statfsSync(disk);
      writeFileSync(join(disk, "ballast"), Buffer.alloc(Math.max(0, bavail * bsize - 8192)));
    },
    end: (disk: string): void => rmSync(join(disk, "ballast")),
  },
  "a read-only disk": {
    begin: (disk: string): void => void execFileSync("mount", ["-o", "remount,ro", disk]),
    end: (disk: string): void => void execFileSync("mount", ["-o", "remount,rw", disk]),
  },
};

for (const [name, trouble] of Object.entries(troubles)) {
  test(`${name}: every call is denied, nothing is forwarded, it recovers by itself and leaves a gap entry`, { timeout: 60_000 }, async ({ skip }) => {
    const disk = smallDisk();
    if (disk === null) return skip("this machine lets nobody mount a tmpfs here");
    const data = join(disk, "data");
    mkdirSync(data, { mode: 0o700 });
    await using upstream = await counter();
    using world = new World({
      data,
      yaml: `teams: { t: {} }\nusers: { ben: {} }\nagents: { bot: { team: t } }\nservers: { c: { url: "${upstream.url}" } }\n`,
      policies: { "all.cedar": '@id("all") @reason("All.") permit (principal, action, resource);\n' },
    });
    await using daemon = await DaemonProcess.start(world);
    const operator = world.operator();
    await approveCatalog(operator, "c");
    const { token } = await operator.call<{ token: string }>("session_open", { body: { agent: "bot", on_behalf_of: "ben", purpose: "disk" } });
    const call = (n: number): Promise<unknown> => callTool(daemon.url, token, "count", { n }).then((answer) => answer.body);
    await until(async () => JSON.stringify(await call(0)).includes("counted"), "a call went through");
    const effects = upstream.effects.length;

    trouble.begin(disk);
    const refused: unknown[] = [];
    // What was written up to now may leave a last free page or two; from the first refusal on, all must be refused.
    await until(async () => JSON.stringify(await call(1)).includes("nothing may happen unrecorded"), "the first call was refused");
    const forwarded = upstream.effects.length;
    for (let n = 0; n < 50; n++) refused.push(await call(2));
    expect(refused.filter((answer) => !JSON.stringify(answer).includes("nothing may happen unrecorded"))).toEqual([]);
    expect(upstream.effects.length).toBe(forwarded);
    expect(forwarded - effects).toBeLessThan(200);

    trouble.end(disk);
    await until(async () => JSON.stringify(await call(3)).includes("counted"), "calls go through again");
    const log = await operator.text("log", { query: { type: "ledger.gap" } });
    expect(JSON.parse(log.split("\n")[0] ?? "{}")).toMatchObject({ type: "ledger.gap" });
    expect(await daemon.stop()).toBe(0);
    expect((await verifyStore(data)).findings).toEqual([]);
  });
}
