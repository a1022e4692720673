import { execFile, execFileSync } from "node:child_process";
import { chmodSync, cpSync, existsSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { expect, it } from "vitest";
import { systemClock } from "../../server/src/base/clock.ts";
import { takeBackInterrupted } from "../../server/src/cli/workspace/settle.ts";
import { processState } from "../../server/src/stages/execution/sandbox/usage.ts";
import { WorkspaceFolder } from "../../server/src/stages/execution/workspace/folder.ts";
import { apply, recover } from "../../server/src/stages/execution/workspace/apply.ts";
import { openBase } from "../../server/src/stages/execution/workspace/base.ts";
import { harvest } from "../../server/src/stages/execution/workspace/harvest.ts";
import { ObjectShelf } from "../../server/src/stages/execution/workspace/shelf.ts";
import type { TreeChange } from "../../server/src/stages/execution/workspace/tree.ts";

const limits = { workspace_files: 1000, workspace_bytes: 10_000_000 };
const applySource = new URL("../../server/src/stages/execution/workspace/", import.meta.url).href;

/** Paths with what is there: mode and content, or where a link leads. */
const read = (folder: string, at = ""): string[] =>
  readdirSync(join(folder, at)).sort().flatMap((name) => {
    const path = join(at, name);
    const stats = lstatSync(join(folder, path));
    if (stats.isSymbolicLink()) return [`${path} -> ${readlinkSync(join(folder, path))}`];
    return stats.isDirectory() ? [`${path}/`, ...read(folder, path)] : [`${path} ${(stats.mode & 0o777).toString(8)} ${readFileSync(join(folder, path), "utf8").slice(0, 20)}`];
  });

async function changesTo(root: string, other: string, shelf: ObjectShelf): Promise<readonly TreeChange[]> {
  const base = openBase({ folder: root, hidden: [], limits });
  base.tar.resume();
  const archive = await buffer(openBase({ folder: other, hidden: [], limits }).tar);
  return (await harvest({ base: await base.manifest, shelf, limits }, Readable.from([archive]))).changes;
}

/** What a process of its own runs: a job from a file, ended by SIGKILL at the n-th step, when there is one. */
const child = (job: string): string => `
  import { readFileSync } from "node:fs";
  import { apply } from "${applySource}apply.ts";
  import { ObjectShelf } from "${applySource}shelf.ts";
  import { systemClock } from "${new URL("../../server/src/base/clock.ts", import.meta.url).href}";
  const { root, changes, contents, kept, journal, killAt } = JSON.parse(readFileSync(${JSON.stringify(job)}, "utf8"));
  let [steps, last] = [0, ""];
  try {
    apply({ root, changes, journal, contents: new ObjectShelf(contents, systemClock), kept: new ObjectShelf(kept, systemClock), step: (name) => void (last = name, steps++ === killAt && process.kill(process.pid, "SIGKILL")) });
  } catch (error) {
    console.log(last, error.message);
  }`;
const node = [process.execPath, "--conditions=@lanyard/source", "--input-type=module", "-e"] as const;

it("SIGKILL at each step of applying: the next look makes it all or nothing, and it can be applied again", async () => {
  const ground = mkdtempSync(join(tmpdir(), "lanyard-crash-"));
  const [first, other] = [join(ground, "first"), join(ground, "other")];
  for (const folder of [first, other]) mkdirSync(join(folder, "keep"), { recursive: true });
  mkdirSync(join(first, "old"));
  mkdirSync(join(other, "new"));
  for (const [path, text] of [["first/a", "1"], ["first/old/b", "1"], ["first/c", "1"], ["first/keep/x", "1"], ["other/a", "2"], ["other/new/d", "2"], ["other/keep/x", "1"]] as const) writeFileSync(join(ground, path), text);
  chmodSync(join(other, "keep/x"), 0o755);
  symlinkSync("a", join(other, "c"));
  const shelf = new ObjectShelf(join(ground, "contents"), systemClock);
  const changes = await changesTo(first, other, shelf);
  const [before, after] = [read(first), read(other)];
  const ends = new Set<string>();
  let steps = 0;
  for (let over = false; !over; steps += 4) {
    const four = await Promise.all([0, 1, 2, 3].map(async (more) => {
      const own = join(ground, `try-${steps + more}`);
      const [root, journal, job] = [join(own, "root"), join(own, "journal.json"), join(own, "job.json")];
      cpSync(first, root, { recursive: true, verbatimSymlinks: true });
      const contents = join(ground, "contents");
      writeFileSync(job, JSON.stringify({ root, changes, contents, kept: join(own, "kept"), journal, killAt: steps + more }));
      const killed = await new Promise<boolean>((done) => execFile(node[0], [...node.slice(1), child(job)], (error) => done(error?.signal === "SIGKILL")));
      const how = recover(journal);
      const now = read(root);
      expect(how === "done" || (how === null && !killed) ? after : before, `killed at step ${steps + more}: ${how}`).toEqual(now);
      ends.add(String(how));
      if (how === "taken back") {
        apply({ root, changes, contents: shelf, kept: new ObjectShelf(join(own, "kept"), systemClock), journal });
        expect(read(root)).toEqual(after);
      }
      return killed;
    }));
    over = four.includes(false);
  }
  expect([...ends].sort()).toEqual(["done", "null", "taken back"]);
  expect(steps).toBeGreaterThan(changes.length);
  rmSync(ground, { recursive: true });
});

it("the next run, of whatever session, takes back what a crash left, and not what another process is at", async () => {
  const ground = mkdtempSync(join(tmpdir(), "lanyard-next-"));
  const [root, other] = [join(ground, "root"), join(ground, "other")];
  for (const folder of [root, other]) mkdirSync(folder);
  for (const name of ["a", "b", "c"]) writeFileSync(join(root, name), "1");
  for (const name of ["a", "b", "c"]) writeFileSync(join(other, name), "2");
  const kept = new WorkspaceFolder(ground, "ses_x", systemClock);
  kept.create({ session: "ses_x", folder: root, hidden: [], shown: [] }, { entries: new Map(), left: new Map() });
  const changes = await changesTo(root, other, kept.contents());
  const before = read(root);
  const job = join(ground, "job.json");
  writeFileSync(job, JSON.stringify({ root, changes, contents: join(kept.path, "contents"), kept: join(kept.path, "kept"), journal: kept.journal, killAt: 6 }));
  await new Promise((done) => execFile(node[0], [...node.slice(1), child(job)], done));
  expect(read(root)).not.toEqual(before);
  const journal = readFileSync(kept.journal, "utf8");
  const mine = JSON.parse(journal) as { holder: { pid: number; begun: string } };
  const said: string[] = [];
  writeFileSync(kept.journal, JSON.stringify({ ...mine, holder: { pid: process.ppid, begun: processState(process.ppid)?.begun } }));
  takeBackInterrupted(WorkspaceFolder.all(ground, systemClock), (line) => said.push(line));
  expect(said).toEqual([]);
  expect(read(root)).not.toEqual(before);
  writeFileSync(kept.journal, journal);
  takeBackInterrupted(WorkspaceFolder.all(ground, systemClock), (line) => said.push(line));
  expect([said, read(root)]).toEqual([[`an interrupted change of \`${root}\` was taken back`], before]);
  rmSync(ground, { recursive: true });
});

const alone = process.geteuid?.() === 0 ? ["unshare", "-m"] : ["unshare", "-Urm"];
const mounts = ((): boolean => {
  try {
    execFileSync(alone[0] as string, [...alone.slice(1), "mount", "-t", "tmpfs", "none", "/mnt"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
})();
if (!mounts) process.stderr.write("\n  SKIPPED: a disk that fills while changes are applied was not tried: no mount namespace can be had\n\n");

it.skipIf(!mounts).each([
  ["blocks, while what comes is written", "size=160k", /^stag.*ENOSPC.*nothing was applied/],
  ["places for files, while names move", "nr_inodes=14", /^(moving|makeFolder).*ENOSPC.*nothing was applied/],
] as const)("a disk that runs out of %s leaves nothing half-applied", async (_, option, how) => {
  const ground = mkdtempSync(join(tmpdir(), "lanyard-full-"));
  const [first, other, root] = [join(ground, "first"), join(ground, "other"), join(ground, "root")];
  for (const folder of [first, other, root, join(other, "n1"), join(other, "n2"), join(other, "n3")]) mkdirSync(folder);
  for (const name of ["a", "b", "c"]) {
    writeFileSync(join(first, name), `old ${name}`);
    writeFileSync(join(other, name), `new ${name}${"x".repeat(50_000)}`);
  }
  for (const name of ["n1", "n2", "n3"]) writeFileSync(join(other, name, "f"), "y");
  const changes = await changesTo(first, other, new ObjectShelf(join(ground, "contents"), systemClock));
  const job = join(ground, "job.json");
  const before = read(first);
  writeFileSync(job, JSON.stringify({ root, changes, contents: join(ground, "contents"), kept: join(ground, "kept"), journal: join(ground, "journal.json"), killAt: -1 }));
  // The mount is this process's own and ends with it; what is on it is copied out to be looked at.
  const script = `mount -t tmpfs -o ${option} none "$1" && cp "$2"/* "$1" && "$3" --conditions=@lanyard/source --input-type=module -e "$4"; cp -r "$1" "$5"`;
  const said = execFileSync(alone[0] as string, [...alone.slice(1), "sh", "-c", script, "sh", root, first, process.execPath, child(job), join(ground, "seen")], { encoding: "utf8" });
  expect(said).toMatch(how);
  expect(read(join(ground, "seen"))).toEqual(before);
  expect(existsSync(join(ground, "journal.json"))).toBe(false);
  rmSync(ground, { recursive: true });
});
