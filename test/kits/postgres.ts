import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { chmodSync, chownSync, rmSync } from "node:fs";
import { join } from "node:path";
import { freePort } from "./ports.ts";
import { scratch } from "./world-filesystem.ts";

/** Who runs it: it refuses to be root. */
function unprivileged(): { uid: number; gid: number } | null {
  if (process.geteuid?.() !== 0) return null;
  const id = (flag: string): number => Number(execFileSync("id", [flag, "nobody"], { encoding: "utf8" }));
  return { uid: id("-u"), gid: id("-g") };
}

/** A PostgreSQL of its own, in a temporary folder and on loopback; ended, and gone with all data, when disposed of. */
export class Postgres implements AsyncDisposable {
  /** For clients, with a user who may do everything in an empty database. */
  readonly dsn: string;
  readonly #programs: string;
  readonly #folder: string;
  readonly #child: ChildProcess;

  private constructor(programs: string, folder: string, child: ChildProcess, port: number) {
    this.#programs = programs;
    this.#folder = folder;
    this.#child = child;
    this.dsn = `postgres://clerk@127.0.0.1:${port}/postgres`;
  }

  /** `programs`: the folder of its programs. */
  static async start(programs: string): Promise<Postgres> {
    const folder = scratch();
    const owner = unprivileged();
    if (owner) {
      chownSync(folder, owner.uid, owner.gid);
      chmodSync(folder, 0o700);
    }
    const as = { ...owner, cwd: folder, env: { PATH: process.env["PATH"], LC_ALL: "C.UTF-8" } };
    execFileSync(join(programs, "initdb"), ["-D", join(folder, "data"), "-U", "clerk", "-A", "trust", "-E", "UTF8", "--no-sync", "--no-instructions"], { ...as, stdio: "pipe" });
    const port = await freePort();
    const settings = ["listen_addresses=127.0.0.1", `port=${port}`, `unix_socket_directories=${folder}`, "fsync=off", "max_connections=40", "shared_buffers=16MB"];
    const child = spawn(join(programs, "postgres"), ["-D", join(folder, "data"), ...settings.flatMap((setting) => ["-c", setting])], { ...as, stdio: ["ignore", "ignore", "pipe"] });
    let log = "";
    child.stderr.on("data", (chunk: Buffer) => (log = `${log}${chunk.toString()}`.slice(-4000)));
    while (!log.includes("ready to accept connections")) {
      await Promise.race([once(child.stderr, "data"), once(child, "close")]);
      if (child.exitCode !== null) throw new Error(`PostgreSQL ended with ${child.exitCode}:\n${log}`);
    }
    return new Postgres(programs, folder, child, port);
  }

  /** What psql prints: fields with tabs between them. Throws when a statement fails. */
  query(sql: string): string[][] {
    const out = execFileSync(join(this.#programs, "psql"), ["-X", "-q", "-A", "-t", "-F", "\t", "-v", "ON_ERROR_STOP=1", "-d", this.dsn, "-c", sql], { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
    return out.split("\n").flatMap((line) => (line === "" ? [] : [line.split("\t")]));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null) {
      this.#child.kill("SIGINT");
      await once(this.#child, "close");
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
