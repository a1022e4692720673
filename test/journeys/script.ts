import { spawn, type ChildProcess } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";

// A journey is a text that a person can follow: commands after `$ `, what they print below, `[exit n]` when that is not 0, then an empty
// line. Empty lines of the output itself are left out, so that its end is plain.
//
//   $ lanyard limits | head -2        run by sh in a scratch folder; `lanyard` is the real program
//   & lanyard serve                   started in the background; goes on after its first line
//   $ eventually test -s out.txt      tries until it succeeds, half a minute at most
//
// The runner plays the commands and writes the text anew with what they really printed; the test compares the two texts. What differs
// from run to run is replaced by a name: <id>, <time>, <dir>, ... Files for the scratch folder follow as in txtar: `-- name --`.

interface Command {
  readonly line: string;
  readonly isBackground: boolean;
}

/** Lines of a block, each a command with the output recorded below it, or prose. */
type Part = { readonly prose: string } | { readonly command: Command };

const partsOf = (block: string): Part[] => {
  const parts: Part[] = [];
  let isOutput = false;
  for (const line of block.split("\n")) {
    const isBackground = line.startsWith("& ");
    if (line.startsWith("$ ") || isBackground) {
      parts.push({ command: { line: line.slice(2), isBackground } });
      isOutput = true;
    } else if (line === "") {
      parts.push({ prose: line });
      isOutput = false;
    } else if (!isOutput) parts.push({ prose: line });
  }
  return parts;
};

/** Runs of text that are never twice the same, and what stands for them. The first that matches wins. */
const volatile: readonly (readonly [RegExp, string])[] = [
  [/\blyd_[a-z]+_[A-Za-z0-9_-]{20,}/g, "<secret>"],
  [/\b([a-z]{1,6})_(?=[A-Za-z_-]*[0-9A-Z])[A-Za-z0-9_-]{16}(?![A-Za-z0-9_-])/g, "<$1>"],
  [/(?<![A-Za-z0-9_-])[A-Za-z0-9_-]{43}=?(?![A-Za-z0-9_-])/g, "<hash>"],
  [/\b(bundle) [A-Za-z0-9_-]{12}\b/g, "$1 <hash>"],
  [/\blanyard\.local\/[A-Za-z0-9_-]+/g, "lanyard.local/<key>"],
  [/\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?Z?/g, "<time>"],
  [/\b\d\d:\d\d:\d\d\.\d{3}\b/g, "<time>"],
  [/\b1\d{12}\b/g, "<time>"],
  [/\b\d+(?:\.\d+)? (ms|us|µs)\b/g, "<n> $1"],
  [/\b\d+\.\d+ s\b/g, "<n> s"],
  [/^ *\d+ {2}(?=<time>)/gm, "<seq>  "],
  [/\b(explain|call of|entry|at size) \d+\b(?!:)/g, "$1 <seq>"],
  [/(for the call of) \d+/g, "$1 <seq>"],
  [/"of":\d+/g, '"of":<seq>'],
  [/\b\d+ entries\b/g, "<n> entries"],
  [/127\.0\.0\.1:\d{2,5}/g, "127.0.0.1:<port>"],
];

const settle = (output: string, folder: string): string =>
  volatile.reduce((text, [pattern, name]) => text.replaceAll(pattern, name), output.replaceAll(folder, "<dir>")).replace(/\n{2,}/g, "\n").replace(/^\n|\n$/g, "");

/** A command that takes longer hangs; it is ended with all it started, and `[exit SIGKILL]` fails the journey. */
const commandLimitMs = 180_000;

const killGroup = ({ pid }: ChildProcess): void => {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // It has ended by itself.
  }
};

export interface Scratch extends AsyncDisposable {
  readonly folder: string;
  /** Plays the block's commands and returns it with the output they really gave. */
  play(block: string): Promise<string>;
}

/** A scratch folder with these files in it, and a shell in which `lanyard` is the program of this repository. */
export function openScratch(root: string, files: Readonly<Record<string, string>>, template?: string): Scratch {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "journey-")));
  if (template) cpSync(template, folder, { recursive: true });
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  const bin = join(folder, ".bin");
  mkdirSync(bin);
  const launcher = (name: string, line: string): void => writeFileSync(join(bin, name), `#!/bin/sh\nexec ${line} "$@"\n`, { mode: 0o755 });
  launcher("lanyard", `'${process.execPath}' '${join(root, "server/src/cli/main.ts")}'`);
  writeFileSync(join(bin, "eventually"), '#!/bin/sh\nn=0; until "$@" >/dev/null 2>&1; do n=$((n+1)); [ $n -lt 300 ] || { echo "never: $*"; exit 1; }; sleep 0.1; done\n', { mode: 0o755 });
  launcher("node", `'${process.execPath}'`);
  const { NODE_COMPILE_CACHE } = process.env; // a journey starts the program some ten times
  const env = { ...(NODE_COMPILE_CACHE && { NODE_COMPILE_CACHE }), PATH: [bin, process.env["PATH"]].join(delimiter), HOME: folder, TZ: "UTC", NO_COLOR: "1", LANYARD_HOME: join(folder, ".lanyard-home"), LANYARD_LOG: "error", LANYARD_SOURCE: root };
  const background: { child: ChildProcess; ended: Promise<unknown> }[] = [];

  const run = ({ line, isBackground }: Command): Promise<string> =>
    new Promise((done) => {
      // One pipe for both streams: from two, what was printed first could be read last.
      const child = spawn("sh", ["-c", `exec 2>&1; ${isBackground ? "exec " : ""}${line}`], { cwd: folder, env, stdio: ["ignore", "pipe", "ignore"], detached: true });
      const limit = setTimeout(() => killGroup(child), commandLimitMs);
      let output = "";
      const add = (chunk: Buffer): void => {
        output += chunk.toString("utf8");
        if (!isBackground || !output.includes("\n")) return;
        clearTimeout(limit);
        done(settle(output, folder));
      };
      child.stdout.on("data", add);
      const ended = new Promise((resolve) => child.once("exit", resolve)); // not "close": what it started may hold its pipe for ever
      if (isBackground) background.push({ child, ended });
      child.once("close", (code, signal) => {
        clearTimeout(limit);
        const exit = code === 0 ? "" : `\n[exit ${code ?? signal}]`;
        done(`${settle(output, folder)}${exit}`.replace(/^\n/, ""));
      });
    });

  return {
    folder,
    play: async (block) => {
      const lines: string[] = [];
      for (const part of partsOf(block)) {
        if ("prose" in part) {
          lines.push(part.prose);
          continue;
        }
        const output = await run(part.command);
        lines.push(`${part.command.isBackground ? "& " : "$ "}${part.command.line}`, ...(output ? [output] : []));
      }
      return lines.join("\n");
    },
    [Symbol.asyncDispose]: async () => {
      for (const { child } of background) child.kill("SIGTERM");
      const limit = setTimeout(() => background.forEach(({ child }) => killGroup(child)), commandLimitMs);
      await Promise.all(background.map(({ ended }) => ended));
      clearTimeout(limit);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Splits a txtar text: what stands before the first file, and the files. */
export function splitFiles(text: string): { readonly script: string; readonly files: Record<string, string>; readonly tail: string } {
  const marks = [...text.matchAll(/^-- (\S+) --\n/gm)];
  const first = marks[0]?.index ?? text.length;
  const files = marks.map(({ 0: mark, 1: name, index }, n) => [name ?? "", text.slice(index + mark.length, marks[n + 1]?.index ?? text.length)]);
  return { script: text.slice(0, first), files: Object.fromEntries(files) as Record<string, string>, tail: text.slice(first) };
}

const consoleBlock = /^```console\n([\s\S]*?)^```$/gm;

/** Blocks of a page that hold commands, in order. */
export const consoleBlocks = (page: string): string[] => [...page.matchAll(consoleBlock)].map(([, block]) => block ?? "");

/** The page with its console blocks replaced, in order. */
export function withBlocks(page: string, blocks: readonly string[]): string {
  let n = 0;
  return page.replaceAll(consoleBlock, () => `\`\`\`console\n${blocks[n++]}\`\`\``);
}
