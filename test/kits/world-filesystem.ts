import { chmodSync, existsSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Dice } from "../fuzz/dice.ts";
import { someText, type ActedWorld, type AgentStep, type Digest } from "./world.ts";

/** Everything below a folder: kind, mode and content by path; `except` names what is left out. */
export function folderDigest(root: string, except: readonly string[] = []): Map<string, string> {
  const found = new Map<string, string>();
  const look = (path: string): void => {
    for (const name of readdirSync(join(root, path))) {
      const here = join(path, name);
      if (except.includes(here)) continue;
      const at = join(root, here);
      const stats = lstatSync(at);
      const mode = (stats.mode & 0o7777).toString(8);
      if (stats.isSymbolicLink()) found.set(`file ${here}`, `link ${readlinkSync(at)}`);
      else if (stats.isDirectory()) {
        found.set(`file ${here}`, `folder ${mode}`);
        look(here);
      } else found.set(`file ${here}`, `file ${mode} ${readFileSync(at, "base64")}`);
    }
  };
  look("");
  return found;
}

/** A new empty folder, by its real path. */
export const scratch = (): string => realpathSync(mkdtempSync(join(tmpdir(), "lanyard-world-")));

const folders = ["", "docs", "docs/old", "src", "src/deep/er"];
const files = ["notes.md", "run.sh", "data.bin", "report.md", "ä ö.txt"];

/** A folder that an agent reaches through the reference filesystem server. */
export class FilesystemWorld implements ActedWorld {
  readonly name = "filesystem";
  readonly root = scratch();
  readonly servers: string;
  readonly contracts: string;

  /** `programs`: where the demo's servers are installed. */
  constructor(programs: string) {
    this.servers = `  files: { command: "${process.execPath}", args: ["${programs}/node_modules/@modelcontextprotocol/server-filesystem/dist/index.js", "${this.root}"] }`;
    this.contracts = `  files: { use: filesystem, root: "${this.root}" }`;
  }

  async reset(): Promise<void> {
    for (const name of readdirSync(this.root)) rmSync(join(this.root, name), { recursive: true, force: true });
    mkdirSync(join(this.root, "docs/old"), { recursive: true });
    writeFileSync(join(this.root, "notes.md"), "# Notes\n\nCall Ben.\n");
    writeFileSync(join(this.root, "run.sh"), "#!/bin/sh\necho hello\n", { mode: 0o755 });
    writeFileSync(join(this.root, "data.bin"), Buffer.from([0, 255, 254, 10, 13, 10]));
    writeFileSync(join(this.root, "docs/old/report.md"), "old\n", { mode: 0o640 });
  }

  async digest(): Promise<Digest> {
    return folderDigest(this.root);
  }

  #path(dice: Dice): string {
    return join(this.root, dice.pick(folders), dice.pick(files));
  }

  next(dice: Dice): AgentStep {
    const path = this.#path(dice);
    switch (dice.below(10)) {
      case 0:
      case 1:
      case 2:
      case 3:
        return { action: "files/write_file", args: { path, content: someText(dice) } };
      case 4:
        return { action: "files/edit_file", args: { path, edits: [{ oldText: dice.pick(["Notes", "hello", "o", "shop"]), newText: someText(dice) }], ...(dice.chance(20) && { dryRun: true }) } };
      case 5:
      case 6:
        return { action: "files/create_directory", args: { path: join(this.root, dice.pick(folders), dice.pick(["", "new", "new/er"])) } };
      case 7:
      case 8:
        return { action: "files/move_file", args: { source: dice.chance(25) ? join(this.root, dice.pick(folders.slice(1))) : path, destination: this.#path(dice) } };
      default:
        return { action: "files/list_directory", args: { path: this.root } };
    }
  }

  async meddle(dice: Dice): Promise<void> {
    const path = this.#path(dice);
    const isFile = existsSync(path) && lstatSync(path).isFile();
    if (isFile && dice.chance(30)) return rmSync(path);
    if (isFile && dice.chance(20)) return chmodSync(path, 0o600);
    if (existsSync(path) && !isFile) return writeFileSync(join(path, "theirs.txt"), `theirs ${dice.below(1000)}\n`);
    mkdirSync(join(path, ".."), { recursive: true });
    writeFileSync(path, `theirs ${dice.below(1000)}\n`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    rmSync(this.root, { recursive: true, force: true });
  }
}
