import { expect, test } from "vitest";
import type { JsonObject } from "@lanyard/contract";
import { classOf } from "../undo/resolve.ts";
import { parseConfig } from "./read.ts";
import { readyContract, readyContracts } from "./ready.ts";

const config = parseConfig(
  Buffer.from(`version: 1
servers: { files: { command: x }, git: { command: x }, lite: { command: x }, pg: { command: x } }
contracts:
  files: { use: filesystem, root: /world }
  git: { use: git, root: /world }
  lite: sqlite
  pg: postgres
  web: { use: http, when: [{ at: /args/host, is: api.example.org }] }
`),
  "/etc/lanyard/lanyard.yaml",
);

const at = (action: string, args: JsonObject): string => {
  const contract = config.undo.contracts.get(action);
  return contract ? classOf(contract, args) : (config.tools.get(action)?.reversibility ?? "no contract");
};

test("every ready contract can be read, and says whom it is for", () => {
  expect(readyContracts()).toEqual(["filesystem", "git", "http", "postgres", "sqlite"]);
  for (const name of readyContracts()) expect(readyContract(name)?.says).toBeTruthy();
});

const web = { scheme: "https", host: "api.example.org", port: 443, path: "/notes/1", query: "" };

test.each<[action: string, args: JsonObject, reversibility: string]>([
  ["files/read_text_file", { path: "/world/a" }, "read"],
  ["files/write_file", { path: "/world/a", content: "x" }, "reversible"],
  ["files/write_file", { path: "a", content: "x" }, "unknown"],
  ["files/edit_file", { path: "/world/a", edits: [], dryRun: true }, "read"],
  ["files/edit_file", { path: "/world/a", edits: [] }, "reversible"],
  ["files/create_directory", { path: "/world/a" }, "reversible"],
  ["files/move_file", { source: "/world/a", destination: "b" }, "unknown"],
  ["git/git_status", { path: "/world/repo" }, "read"],
  ["git/git_commit", { path: "/world/repo", message: "m" }, "reversible"],
  ["git/git_commit", { message: "m" }, "unknown"],
  ["git/git_branch", { path: "/world/repo" }, "read"],
  ["git/git_branch", { path: "/world/repo", mode: "delete", branchName: "x" }, "reversible"],
  ["git/git_tag", { path: "/world/repo", mode: "list" }, "read"],
  ["git/git_stash", { path: "/world/repo" }, "reversible"],
  ["git/git_reset", { path: "/world/repo", mode: "hard" }, "reversible"],
  ["git/git_clean", { path: "/world/repo", dryRun: true }, "read"],
  ["git/git_worktree", { path: "/world/repo", mode: "add" }, "unknown"],
  ["git/git_push", { path: "/world/repo" }, "irreversible"],
  ["git/git_push", { path: "/world/repo", dryRun: true }, "irreversible"],
  ["git/git_pull", { path: "/world/repo" }, "unknown"],
  ["lite/search_objects", {}, "read"],
  ["lite/execute_sql", { sql: "SELECT count(*) FROM orders" }, "read"],
  ["lite/execute_sql", { sql: "UPDATE orders SET status = 'paid' WHERE id = 1" }, "reversible"],
  ["lite/execute_sql", { sql: "UPDATE main.orders SET status = 'paid' WHERE id = 1" }, "unknown"],
  ["pg/execute_sql", { sql: "UPDATE public.orders SET status = 'paid' WHERE id = 1" }, "reversible"],
  ["pg/execute_sql", { sql: "UPDATE orders SET a = 1; DELETE FROM orders" }, "unknown"],
  ["pg/execute_sql", { sql: "DROP TABLE orders" }, "unknown"],
  ["pg/execute_sql", { sql: "SELECT pg_sleep(9)" }, "unknown"],
  ["web/PUT", web, "reversible"],
  ["web/PUT", { ...web, host: "elsewhere.example.org" }, "unknown"],
  ["web/DELETE", { ...web, query: "all=1" }, "unknown"],
])("%s %j is %s", (action, args, reversibility) => expect(at(action, args)).toBe(reversibility));
