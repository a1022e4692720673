import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import picocolors from "picocolors";
import { expect, test } from "vitest";
import { systemClock } from "../../base/clock.ts";
import { WorkspaceFolder } from "../../stages/execution/workspace/folder.ts";
import type { TreeChange, TreeEntry } from "../../stages/execution/workspace/tree.ts";
import { patchLines } from "./report.ts";

const colour = picocolors.createColors(false);
const file = (hash: string): TreeEntry => ({ kind: "file", mode: 0o644, size: 1, hash });
const proposal = (changes: TreeChange[]): { digest: string; changes: TreeChange[]; refused: [] } => ({ digest: "d", changes, refused: [] });

test("a file in a folder's place is shown like any that is new", () => {
  const home = mkdtempSync(join(tmpdir(), "lanyard-report-"));
  try {
    const folder = new WorkspaceFolder(home, "ses_1", systemClock);
    folder.create({ session: "ses_1", folder: "/nowhere", hidden: [], shown: [] }, { entries: new Map(), left: new Map() });
    writeFileSync(folder.contents().place("h"), "evil\n");
    expect(patchLines(folder, proposal([{ path: "run", before: { kind: "folder", mode: 0o755, size: 0, hash: "" }, after: file("h") }]), colour)).toEqual(["run", "+ evil"]);
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
});
