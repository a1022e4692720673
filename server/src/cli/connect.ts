import { createHash } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, readFileSync, realpathSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { Fault, parseJson, type JsonObject } from "@lanyard/contract";
import type { Environment } from "../base/config/environment.ts";
import { spliceJson, spliceToml } from "./splice.ts";

/** What a client is told to start: the stdio face of the gateway. */
export interface Launch {
  readonly command: string;
  readonly args: readonly string[];
  /** Variables a client would not hand on by itself. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Where things lie for the user who connects. */
export interface Surroundings {
  readonly home: string;
  readonly cwd: string;
  /** LANYARD_HOME. */
  readonly lanyardHome: string;
  readonly environment: Environment;
}

/** An agent program whose configuration Lanyard knows how to write. */
export interface KnownClient {
  /** Name of its executable. */
  readonly program: string;
  file(around: Surroundings): string;
  /** `text` with the entry `lanyard` in it; everything else stays as it is. */
  write(text: string, launch: Launch): string;
  /** What the user does next. */
  readonly afterwards: string;
}

const mcpServer = ["mcpServers", "lanyard"] as const;
const plain = ({ command, args, env }: Launch): JsonObject => ({ command, args: [...args], ...(env && { env: { ...env } }) });

export const knownClients = {
  claude: {
    program: "claude",
    file: ({ cwd }) => join(cwd, ".mcp.json"),
    write: (text, launch) => spliceJson(text, mcpServer, { type: "stdio", ...plain(launch) }),
    afterwards: "start `claude` in this folder and accept the project's server; `/mcp` lists it",
  },
  codex: {
    program: "codex",
    file: ({ home, environment }) => join(environment["CODEX_HOME"] || join(home, ".codex"), "config.toml"),
    // Its own time-outs are 10 s to start and 60 s a call; ours are the limits call_ms and hold_ms. A server that is not required and takes
    // more than a second is left out of the first turn without a word: the agent would go on with no tools of Lanyard's.
    write: (text, launch) => spliceToml(text, "mcp_servers.lanyard", { ...plain(launch), required: true, startup_timeout_sec: 30, tool_timeout_sec: 650 }),
    afterwards: "start `codex`; `/mcp` lists it",
  },
  gemini: {
    program: "gemini",
    file: ({ home }) => join(home, ".gemini", "settings.json"),
    write: (text, launch) => spliceJson(text, mcpServer, plain(launch)),
    afterwards: "start `gemini`; `/mcp` lists it",
  },
} as const satisfies Record<string, KnownClient>;

export type ClientName = keyof typeof knownClients;

/** A change of one file, not made yet. `before` is null when there is no such file. */
export interface Edit {
  readonly file: string;
  readonly before: string | null;
  readonly after: string | null;
}

/** What --undo needs: the file as it was, and a hash of what we made of it. */
interface Backup {
  readonly file: string;
  readonly before: string | null;
  readonly after_sha256: string;
}

const read = (file: string): string | null => {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw new Fault("invalid_config", `cannot read \`${file}\`: ${(cause as Error).message}`, { cause });
  }
};

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

const backupPath = (client: ClientName, file: string, around: Surroundings): string => join(around.lanyardHome, "connect", `${client}-${sha256(file).slice(0, 16)}.json`);

const readBackup = (client: ClientName, file: string, around: Surroundings): Backup | null => {
  const text = read(backupPath(client, file, around));
  return text === null ? null : (parseJson(text) as Backup);
};

/** What connecting would change. Throws Fault `invalid_config` with the file's name when it cannot be edited safely. */
export function planConnect(client: ClientName, launch: Launch, around: Surroundings): Edit {
  const { file: fileOf, write } = knownClients[client];
  const file = fileOf(around);
  const before = read(file);
  try {
    return { file, before, after: write(before ?? "", launch) };
  } catch (error) {
    if (error instanceof Fault) throw new Fault(error.code, error.message, { cause: error, place: file });
    throw error;
  }
}

/** What undoing would change. Throws Fault `not_found` when nothing was connected, `conflict` when the file was changed since. */
export function planUndo(client: ClientName, around: Surroundings): Edit {
  const file = knownClients[client].file(around);
  const backup = readBackup(client, file, around);
  if (!backup) throw new Fault("not_found", `\`lanyard connect ${client}\` never wrote \`${file}\``);
  const now = read(file);
  if (now === null || sha256(now) !== backup.after_sha256) {
    throw new Fault("conflict", `\`${file}\` was changed since \`lanyard connect ${client}\` wrote it; take its entry \`lanyard\` out by hand`);
  }
  return { file, before: now, after: backup.before };
}

/** Replaces the file in one step, through a link if it is one, and keeps its mode; a new file is for the user alone. */
const replace = (file: string, text: string | null): void => {
  if (text === null) return rmSync(file);
  const target = existsSync(file) ? realpathSync(file) : file;
  mkdirSync(dirname(target), { recursive: true });
  const fresh = `${target}.lanyard-new`;
  writeFileSync(fresh, text, { mode: 0o600 });
  if (existsSync(target)) chmodSync(fresh, statSync(target).mode & 0o777);
  renameSync(fresh, target);
};

/** Makes the change of `planConnect`, having kept what was there. Connecting twice keeps the file as it was before the first time. */
export function applyConnect(client: ClientName, { file, before, after }: Edit, around: Surroundings): void {
  if (after === null || after === before) return;
  const earlier = readBackup(client, file, around);
  const isOurs = earlier !== null && before !== null && sha256(before) === earlier.after_sha256;
  const backup: Backup = { file, before: isOurs ? earlier.before : before, after_sha256: sha256(after) };
  const path = backupPath(client, file, around);
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  replace(path, JSON.stringify(backup));
  replace(file, after);
}

/** Makes the change of `planUndo`: the file is again, byte for byte, what it was; gone when there was none. */
export function applyUndo(client: ClientName, { file, after }: Edit, around: Surroundings): void {
  replace(file, after);
  rmSync(backupPath(client, file, around));
}

/** True when the client's configuration at hand holds our entry. */
export function isConnected(client: ClientName, around: Surroundings): boolean {
  return readBackup(client, knownClients[client].file(around), around) !== null;
}

/** The lines of an edit that are new (`+`) or gone (`-`), with up to `context` lines around them. */
export function diffLines({ before, after }: Edit, context = 3): string[] {
  const split = (text: string | null): string[] => (text === null || text === "" ? [] : text.replace(/\n$/, "").split("\n"));
  const [old, fresh] = [split(before), split(after)];
  let head = 0;
  while (head < old.length && head < fresh.length && old[head] === fresh[head]) head += 1;
  let tail = 0;
  while (tail < Math.min(old.length, fresh.length) - head && old.at(-1 - tail) === fresh.at(-1 - tail)) tail += 1;
  const mark = (sign: string, lines: readonly string[]): string[] => lines.map((line) => `${sign}${line}`);
  return [
    ...mark(" ", old.slice(Math.max(0, head - context), head)),
    ...mark("-", old.slice(head, old.length - tail)),
    ...mark("+", fresh.slice(head, fresh.length - tail)),
    ...mark(" ", old.slice(old.length - tail, old.length - tail + context)),
  ];
}
