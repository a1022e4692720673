import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { JsonObject } from "@lanyard/contract";
import { afterAll, expect, test } from "vitest";
import { readyContract } from "../../base/config/ready.ts";
import { undoCaseOf } from "../../base/config/undo.ts";
import { lockKeys } from "./plans.ts";
import { look, placeOf, Unreadable, type StateSnapshot, type Viewer } from "./state.ts";

// The state of what ready contracts look at, where an agent made the place something else than it looks like.

const root = mkdtempSync(join(tmpdir(), "lanyard-state-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const at = (path: string) => join(root, path);

const stateOf = async (contract: string, tool: string, args: JsonObject): Promise<StateSnapshot> => {
  const last = readyContract(contract)?.tools[tool]?.undo?.at(-1);
  const reading = last && undoCaseOf(last).state.get("files");
  if (!reading) throw new Error(`no state of ${tool}`);
  const roots = { args, root };
  return look({ call: () => Promise.reject(new Error("no tool is asked")) }, "s", placeOf("s", reading, roots), {} as Viewer, roots);
};

test("a link is no state of what it leads to, which is what a server writes and moves", async () => {
  writeFileSync(at("aim"), "1");
  symlinkSync("aim", at("link"));
  expect(await stateOf("filesystem", "write_file", { path: at("aim") })).toMatchObject({ there: true });
  for (const [tool, args] of [["write_file", { path: at("link") }], ["edit_file", { path: at("link") }], ["move_file", { source: at("link"), destination: at("new") }], ["create_directory", { path: at("link") }]] as const) {
    await expect(stateOf("filesystem", tool, args), tool).rejects.toBeInstanceOf(Unreadable);
  }
});

test("a folder that only lies in a repository, or whose `.git` leads elsewhere, says nothing of the repository", async () => {
  mkdirSync(at("repo/.git"), { recursive: true });
  mkdirSync(at("repo/sub"));
  mkdirSync(at("tree"));
  mkdirSync(at("linked"));
  writeFileSync(at("tree/.git"), `gitdir: ${at("repo/.git/worktrees/tree")}\n`);
  symlinkSync("../repo/.git", at("linked/.git"));
  expect(await stateOf("git", "git_commit", { path: at("repo") })).toMatchObject({ there: true });
  for (const tool of ["git_commit", "git_reset"]) {
    for (const path of ["repo/sub", "tree", "linked", "none"]) await expect(stateOf("git", tool, { path: at(path) }), `${tool} ${path}`).rejects.toBeInstanceOf(Unreadable);
  }
});

test("only what a POST has made is what is deleted again, not what some other answer leads to", () => {
  const reading = undoCaseOf(readyContract("http")?.tools["POST"]?.undo?.[0] ?? { class: "unknown" }).state.get("resource");
  const pathAfter = (status: number) => {
    const { at: where } = placeOf("web", reading!, { args: { scheme: "https", host: "h", port: 443, path: "/notes" }, root: null, before: {}, result: { status, headers: { location: "/users/1" } } });
    return "args" in where ? where.args["path"] : undefined;
  };
  expect([201, 200, 202, 303].map(pathAfter)).toEqual(["/users/1", null, null, null]);
});

test("what is locked of files is where they are, whatever tool of whatever server works on them", () => {
  const locks = (contract: string, tool: string, args: JsonObject) => {
    const last = readyContract(contract)?.tools[tool]?.undo?.at(-1) ?? { class: "unknown" as const };
    return lockKeys("s", undoCaseOf(last), { args, root: "/w", before: {} });
  };
  expect(locks("filesystem", "write_file", { path: "/w/a/b" })).toEqual(["/w/a/b"]);
  expect(locks("filesystem", "move_file", { source: "/w/a/", destination: "/w/c" })).toEqual(["/w/a", "/w/c"]);
  expect(locks("filesystem", "create_directory", { path: "/w/a/b/c" })).toEqual(["/w/a"]);
  expect(locks("git", "git_commit", { path: "/w/repo" })).toEqual(["/w/repo/.git"]);
  expect(locks("git", "git_reset", { path: "/w/repo" })).toEqual(["/w/repo/.git", "/w/repo"]);
});
