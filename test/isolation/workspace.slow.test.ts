import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { ambient, DaemonProcess, program, World } from "../daemon.ts";
import { systemClock } from "../../server/src/base/clock.ts";
import { loadConfig } from "../../server/src/base/config/read.ts";
import { HeldWorkspace } from "../../server/src/cli/workspace/held.ts";
import { applyProposal, judged, reconcile, revertProposal, rowOf } from "../../server/src/cli/workspace/settle.ts";
import { WorkspaceFolder, type Proposal } from "../../server/src/stages/execution/workspace/folder.ts";
import { SandboxGround, shell, textOf } from "../kits/sandbox.ts";

const yaml = `
teams: { support: {} }
groups: { leads: {} }
users: { ana: {}, ben: { groups: [leads] }, eve: {} }
agents: { clerk: { team: support } }
gates:
  commands: ["test ! -e broken && cat note.txt > /dev/null"]
  owners: ["/pay/ @leads", "/.github/ ben"]
`;
const ground = new SandboxGround();
const lacking = await ground.drivers.process.probe();
if (lacking) process.stderr.write(`\n  SKIPPED: workspaces were not tried: ${lacking}\n\n`);
const world = new World({ yaml, policies: { "a.cedar": `@id("a") @reason("r") permit (principal, action, resource);` } });
const daemon = await DaemonProcess.start(world, { HOME: process.env["HOME"] ?? "" });
const home = join(world.folder, "home");
mkdirSync(home);
afterAll(async () => {
  await daemon[Symbol.asyncDispose]();
  world[Symbol.dispose]();
  ground[Symbol.dispose]();
});

interface Said {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

async function lanyard(folder: string, args: readonly string[], credential?: string): Promise<Said> {
  const env = { ...ambient, HOME: process.env["HOME"], LANYARD_HOME: home, LANYARD_LOG: "error", ...(credential !== undefined && { LANYARD_CREDENTIAL: credential }) };
  const child = spawn(process.execPath, [program, "--config", world.config, ...args], { cwd: folder, env, stdio: ["ignore", "pipe", "pipe"] });
  const code = new Promise<number | null>((done) => child.once("close", done));
  const [out, err] = await Promise.all([textOf(child.stdout), textOf(child.stderr)]);
  return { code: await code, out, err };
}

let folders = 0;
function project(): string {
  const folder = join(world.folder, `project-${++folders}`);
  mkdirSync(join(folder, "src"), { recursive: true });
  writeFileSync(join(folder, "note.txt"), "one\ntwo\n");
  writeFileSync(join(folder, "src/a.sh"), "#!/bin/sh\n");
  writeFileSync(join(folder, "gone.bin"), Buffer.from([0, 1, 2]));
  return folder;
}

const who = ["--agent", "clerk", "--on-behalf-of", "ana", "--purpose", "change"];
const operator = world.operator();
const config = loadConfig(world.config);
const options = { api: operator, config, driver: () => ground.drivers.process, say: () => {} };

/** What a line does in a sandbox over a folder, as a proposal: as `lanyard run` does it, without a process of its own. */
async function propose(folder: string, line: string): Promise<{ kept: WorkspaceFolder; proposal: Proposal }> {
  const { session } = await operator.call<{ session: string }>("session_open", { body: { agent: "clerk", on_behalf_of: "ana", purpose: "change", isolation: "namespace" } });
  const { sandbox } = await ground.open(ground.drivers.process, { workspace: folder });
  await using _ = sandbox;
  const folderOf = (id: string): WorkspaceFolder => new WorkspaceFolder(home, id, systemClock);
  using held = new HeldWorkspace({ origin: { folder, hidden: [], shown: [] }, limits: config.limits, progress: { show: () => {}, clear: () => {} }, folderOf });
  await held.fill(sandbox);
  await held.open(session, sandbox, operator);
  await shell(sandbox, line);
  return { kept: folderOf(session), proposal: (await held.look(sandbox)) as Proposal };
}

const types = async (session: string): Promise<string[]> => {
  const found: string[] = [];
  for await (const { type } of operator.lines<{ type: string }>("log", { query: { session, limit: 1000 } })) if (type.startsWith("workspace.")) found.push(type);
  return found;
};

describe.skipIf(lacking !== null)("what a session changed is a proposal", () => {
  it("is shown, applied as a whole, taken back and discarded, and every step is in the ledger", async () => {
    const folder = project();
    const said = await lanyard(folder, ["run", "--isolation", "process", ...who, "--", "sh", "-c", "sed -i s/two/2/ note.txt; chmod 755 src/a.sh; rm gone.bin; mkdir lib; mv src/a.sh lib/b.sh; ln -s ../note.txt lib/link; exit 3"]);
    expect(said.code).toBe(3);
    expect(said.err).toContain("changed: 1 added, 1 changed, 1 removed, 1 renamed");
    const id = /lanyard session diff (\S+)/.exec(said.err)?.[1] ?? "";
    expect(readFileSync(join(folder, "note.txt"), "utf8")).toBe("one\ntwo\n");
    const diff = await lanyard(folder, ["session", "diff", id]);
    expect(diff.code).toBe(0);
    expect(diff.out).toContain("- two\n+ 2\n");
    expect(diff.out).toContain("D gone.bin\n");
    expect(diff.out).toContain("R src/a.sh -> lib/b.sh");
    expect(diff.out).toContain("A lib/link -> ../note.txt\n");
    expect(diff.out).toContain("passed  command 1");
    expect(await lanyard(folder, ["session", "apply", id])).toMatchObject({ code: 0, out: expect.stringContaining("applied 1 added, 1 changed, 1 removed, 1 renamed") });
    expect([readFileSync(join(folder, "note.txt"), "utf8"), readdirSync(folder).sort(), readdirSync(join(folder, "lib")).sort()]).toEqual(["one\n2\n", ["lib", "note.txt", "src"], ["b.sh", "link"]]);
    const kept = new WorkspaceFolder(home, id, systemClock);
    const proposal = kept.proposal() as Proposal;
    await expect(applyProposal(options, kept, proposal)).rejects.toThrow("is applied, not proposed");
    writeFileSync(join(folder, "note.txt"), "mine");
    await expect(revertProposal(options, kept, proposal)).rejects.toThrow("does not fit any more");
    writeFileSync(join(folder, "note.txt"), "one\n2\n");
    await revertProposal(options, kept, proposal);
    expect([readFileSync(join(folder, "note.txt"), "utf8"), readdirSync(folder).sort(), readdirSync(join(folder, "src"))]).toEqual(["one\ntwo\n", ["gone.bin", "note.txt", "src"], ["a.sh"]]);
    expect((await lanyard(folder, ["session", "discard", id])).out).toBe(`discarded ${id}\n`);
    expect(readdirSync(join(home, "workspaces"))).toEqual([]);
    expect(await types(id)).toEqual([
      ...["workspace.open", "workspace.diff", ...Array.from({ length: 5 }, () => "workspace.gate"), "workspace.apply", "workspace.outcome"],
      ...["workspace.revert", "workspace.outcome", "workspace.revert", "workspace.outcome", "workspace.discard"],
    ]);
    expect((await lanyard(folder, ["audit", "verify"])).code).toBe(0);
    const log = await operator.text("log", { query: { limit: 1000 } });
    for (const word of ["note.txt", "gone.bin", folder]) expect(log).not.toContain(word);
  });

  it("is judged by what its commits hold, not only by what its files show", async () => {
    const git = "git -c user.name=a -c user.email=a@b";
    const commit = (what: string) => `${git} add -A && ${git} commit -q -m "${what}"`;
    const repository = (): string => {
      const folder = project();
      for (const line of ["git init -q .", commit("first"), "git pack-refs --all"]) execFileSync("sh", ["-c", line], { cwd: folder });
      return folder;
    };
    const commits = async (line: string): Promise<readonly string[] | undefined> => {
      const { kept, proposal } = await propose(repository(), line);
      return (await judged(options, kept, proposal)).results.find(({ gate }) => gate === "commits")?.findings;
    };
    const [token, workflow] = [`ghp_${"a1B2".repeat(9)}`, "mkdir -p .github && echo on: push > .github/ci.yml"];
    expect(await commits(`echo 3 >> note.txt; ${commit("a change")}`)).toEqual([]);
    expect(await commits("echo 3 >> note.txt")).toBeUndefined(); // Nothing was committed.
    const hidden = `${workflow}; echo ${token} > key; ${commit("more")}; rm -r .github key; ${commit("less")}; echo 3 >> note.txt; ${commit("what shows")}`;
    const bad = [expect.stringMatching(/^\.github\/ci\.yml: commit [0-9a-f]{12} of \.git changes it otherwise than the files show, and it is protected$/), expect.anything(), "a commit of .git brings a GitHub token"];
    expect(await commits(hidden)).toEqual(bad);
    expect(await commits(`${git} checkout -q -b side; ${hidden}; ${git} checkout -q -`)).toEqual(bad);
    expect(await commits(`${git} commit -q --allow-empty -m "use ${token}"`)).toEqual(["a commit of .git brings a GitHub token"]);
    expect(await commits(`${workflow}; ${commit("owned")}`)).toEqual([]); // As the files show: for the gate `protected`, and its owners.
    expect(await commits(`${workflow}; ${commit("owned")}; echo more >> .github/ci.yml`)).toEqual([bad[0]]);
    expect(await commits(`echo 3 >> note.txt; ${commit("x")}; find .git/objects -type f -name '*' -newer .git/packed-refs -exec sh -c 'chmod u+w "$1"; echo broken > "$1"' _ {} \\;`)).toEqual([expect.stringMatching(/^the commits in \.git could not be read: git exited with 128/)]);
  });

  it("is nothing where nothing changed, whatever came and went; what git wrote for itself is no change", async () => {
    const folder = project();
    execFileSync("git", ["init", "-q", folder]);
    execFileSync("git", ["-C", folder, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "--allow-empty", "-m", "first"]);
    const { proposal } = await propose(folder, "touch note.txt; echo x > new; git add . >/dev/null 2>&1; git status >/dev/null; rm new");
    expect(proposal).toMatchObject({ changes: [], refused: [] });
  });

  it("is refused when its base moved, a gate failed or an approval lacks; then nothing is applied", async () => {
    const folder = project();
    const moved = await propose(folder, "echo three >> note.txt; echo new > new.txt");
    const broken = await propose(folder, "touch broken; mkdir .husky; echo x > .husky/pre-commit; echo 'token = \"AKIAQWERTYUIOPASDFGH\"' > conf; mkfifo pipe; ln -s /etc/passwd out; echo x > AUX.txt");
    const failing = await propose(folder, "touch broken");
    const owned = await propose(folder, "mkdir -p pay .github; echo 1 > pay/rate; echo 1 > .github/ci.yml");
    renameSync(join(folder, "note.txt"), join(folder, "note.old"));
    writeFileSync(join(folder, "note.txt"), "mine\n");

    await judged(options, moved.kept, moved.proposal);
    await expect(applyProposal(options, moved.kept, moved.proposal)).rejects.toThrow("`note.txt` is not what the session began with");
    const { results } = await judged(options, broken.kept, broken.proposal);
    expect(results.filter(({ passed }) => !passed).map(({ gate, findings }) => [gate, [...findings].sort()])).toEqual([
      ["escapes", ["AUX.txt: its name is a device's on Windows", "out: it is a link that leads to an absolute path", "pipe: it is a fifo"]],
      ["protected", [".husky/pre-commit: it is protected", ".husky: it is protected"]],
      ["secrets", ["conf:1: an AWS access key"]],
      ["commands", ["nothing is run on what may not come out"]],
    ]);
    await expect(applyProposal(options, broken.kept, broken.proposal)).rejects.toThrow("did not pass: escapes, protected, secrets, commands");
    expect((await judged(options, failing.kept, failing.proposal)).results.at(-1)).toEqual({ gate: "command 1", passed: false, findings: ["`test ! -e broken && cat note.txt > /dev/null` exited with 1", ""] });
    await expect(applyProposal(options, failing.kept, failing.proposal)).rejects.toThrow("did not pass: command 1");

    const { row } = await judged(options, owned.kept, owned.proposal);
    expect(row.lacking).toEqual([["ben"], ["@leads"]]);
    await expect(applyProposal(options, owned.kept, owned.proposal)).rejects.toThrow("lacks an approval of ben, and of @leads");
    const approve = async (name: string): Promise<unknown> => {
      const { secret } = await operator.call<{ secret: string }>("credential_issue", { body: { kind: "user", name } });
      return world.operator(secret).call("workspace_approve", { at: { id: owned.kept.session }, body: { proposal: owned.proposal.digest } });
    };
    await expect(approve("ana")).rejects.toThrow("may not approve what was made on behalf of `ana`");
    await expect(approve("eve")).rejects.toThrow("none of those whose approval");
    await approve("ben");
    // A crash after the intent, before anything was done; and one after all was done, before anybody was told: the folder tells.
    await operator.call("workspace_apply", { at: { id: owned.kept.session }, body: { proposal: owned.proposal.digest } });
    const look = async (): Promise<string> => (await reconcile(operator, owned.kept, await rowOf(operator, owned.kept.session), () => {})).state;
    expect(await look()).toBe("proposed");
    const crash = (step: string): void => {
      if (step === "applied") throw new Error("crash");
    };
    await expect(applyProposal({ ...options, step: crash }, owned.kept, owned.proposal)).rejects.toThrow("crash");
    expect((await rowOf(operator, owned.kept.session)).state).toBe("applying");
    expect(await look()).toBe("applied");
    expect([readdirSync(folder).sort(), readFileSync(join(folder, "note.txt"), "utf8")]).toEqual([[".github", "gone.bin", "note.old", "note.txt", "pay", "src"], "mine\n"]);
  });

  it("is judged by the daemon's gates, not by those of a lanyard.yaml that lies where somebody stands", async () => {
    const { kept, proposal } = await propose(project(), "echo x > CLAUDE.md");
    await expect(judged({ ...options, config: { ...config, gates: { ...config.gates, protected: ["!*"] } } }, kept, proposal)).rejects.toThrow("has other gates than the daemon");
    expect((await judged(options, kept, proposal)).results.filter(({ passed }) => !passed).map(({ gate }) => gate)).toEqual(["protected"]);
  });

  it("can be looked at while the session runs", async () => {
    const folder = project();
    const env = { ...ambient, HOME: process.env["HOME"], LANYARD_HOME: home, LANYARD_LOG: "error" };
    const args = ["run", "--isolation", "process", ...who, "--", "sh", "-c", "echo three >> note.txt; echo ready; sleep 600"];
    const running = spawn(process.execPath, [program, "--config", world.config, ...args], { cwd: folder, env, stdio: ["ignore", "pipe", "inherit"] });
    const ended = new Promise((done) => running.once("close", done));
    await new Promise((ready) => running.stdout.once("data", ready));
    const id = readdirSync(join(home, "workspaces")).find((one) => existsSync(join(home, "workspaces", one, "run.sock"))) ?? "";
    expect(await lanyard(folder, ["session", "diff", id])).toMatchObject({ code: 0, out: expect.stringMatching(/\+ three\n$/) });
    expect((await lanyard(folder, ["session", "apply", id])).err).toContain("is still running");
    running.kill("SIGTERM");
    expect(await ended).toBe(128 + 15);
    const kept = new WorkspaceFolder(home, id, systemClock);
    await applyProposal(options, kept, kept.proposal() as Proposal);
    expect(readFileSync(join(folder, "note.txt"), "utf8")).toBe("one\ntwo\nthree\n");
  });
});
