import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Fault, parseJson, type Json } from "@lanyard/contract";
import type { Clock } from "../../../base/clock.ts";
import { ObjectShelf } from "./shelf.ts";
import type { Manifest, Refusal, TreeChange, TreeEntry } from "./tree.ts";

/** Where a session's workspace came from. */
export interface WorkspaceOrigin {
  readonly session: string;
  /** Absolute and real. */
  readonly folder: string;
  readonly hidden: readonly string[];
  readonly shown: readonly string[];
  /** Mixed into every hash that leaves this folder, so that none can be guessed from what it is of. */
  readonly salt: string;
  readonly atMs: number;
}

export interface Proposal {
  /** Salted hash of all that follows: what gates, people and records speak of. */
  readonly digest: string;
  readonly changes: readonly TreeChange[];
  readonly refused: readonly Refusal[];
}

/** What a gate says, a line a finding. */
export interface GateResult {
  readonly gate: string;
  readonly passed: boolean;
  readonly findings: readonly string[];
}

const sessionName = /^[\w-]{1,256}$/;

/** What the command line keeps of one session's workspace, 0700, until it is discarded: what went in, what came out, what was there before. */
export class WorkspaceFolder {
  readonly path: string;
  readonly session: string;
  readonly #clock: Clock;

  /** `home`: LANYARD_HOME. */
  constructor(home: string, session: string, clock: Clock) {
    if (!sessionName.test(session)) throw new Fault("invalid_request", `\`${session}\` is no session`);
    this.path = join(home, "workspaces", session);
    this.session = session;
    this.#clock = clock;
  }

  static all(home: string, clock: Clock): WorkspaceFolder[] {
    const folder = join(home, "workspaces");
    return existsSync(folder) ? readdirSync(folder).filter((name) => sessionName.test(name)).map((session) => new WorkspaceFolder(home, session, clock)) : [];
  }

  get journal(): string {
    return join(this.path, "journal.json");
  }

  /** Where `lanyard run` answers while the session runs. */
  get socket(): string {
    return join(this.path, "run.sock");
  }

  /** Contents that came out. */
  contents(): ObjectShelf {
    return new ObjectShelf(join(this.path, "contents"), this.#clock);
  }

  /** Contents that applying replaced. */
  kept(): ObjectShelf {
    return new ObjectShelf(join(this.path, "kept"), this.#clock);
  }

  create(origin: Omit<WorkspaceOrigin, "salt" | "atMs">, manifest: Manifest): WorkspaceOrigin {
    mkdirSync(this.path, { recursive: true, mode: 0o700 });
    const whole = { ...origin, salt: this.#clock.random(32).toString("base64url"), atMs: this.#clock.nowMs() };
    this.#write("base.json", { entries: rows(manifest.entries), left: [...manifest.left] });
    this.#write("origin.json", whole);
    return whole;
  }

  /** Throws Fault `not_found` when there is none. */
  origin(): WorkspaceOrigin {
    return this.#read<WorkspaceOrigin>("origin.json");
  }

  base(): Manifest {
    const { entries, left } = this.#read<{ entries: Row[]; left: [string, string][] }>("base.json");
    return { entries: new Map(entries.map(([path, kind, mode, size, hash]) => [path, { kind, mode, size, hash }])), left: new Map(left) };
  }

  propose(changes: readonly TreeChange[], refused: readonly Refusal[]): Proposal {
    const proposal = { digest: this.#digestOf(changes, refused), changes, refused };
    this.#write("proposal.json", proposal);
    return proposal;
  }

  /** Null before anybody looked. Throws Fault `conflict` when it is not what its digest says. */
  proposal(): Proposal | null {
    if (!existsSync(join(this.path, "proposal.json"))) return null;
    const proposal = this.#read<Proposal>("proposal.json");
    if (proposal.digest !== this.#digestOf(proposal.changes, proposal.refused)) throw new Fault("conflict", `the files of session \`${this.session}\`'s proposal were changed since it was made; \`lanyard session discard\` clears it away`);
    return proposal;
  }

  /** Notes that somebody was shown a proposal. */
  keepShown({ digest }: Proposal): void {
    this.#write("shown.json", { digest });
  }

  /** Throws Fault `conflict` when what was shown last is another proposal than this: what a session does after a look at it is not waved through. Passes where nobody looked. */
  expectShown(digest: string): void {
    if (!existsSync(join(this.path, "shown.json")) || this.#read<{ digest: string }>("shown.json").digest === digest) return;
    throw new Fault("conflict", `session \`${this.session}\` has changed more since you looked; look again with \`lanyard session diff ${this.session}\``);
  }

  keepResults(proposal: Proposal, results: readonly GateResult[]): void {
    this.#write("gates.json", { digest: proposal.digest, results });
  }

  /** Those of this very proposal; null when they did not run on it. */
  results(proposal: Proposal): readonly GateResult[] | null {
    if (!existsSync(join(this.path, "gates.json"))) return null;
    const { digest, results } = this.#read<{ digest: string; results: GateResult[] }>("gates.json");
    return digest === proposal.digest ? results : null;
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }

  /** Of the folder they are for as well. */
  #digestOf(changes: readonly TreeChange[], refused: readonly Refusal[]): string {
    const origin = this.origin();
    return saltedHash(origin, [origin.folder, changes, refused]);
  }

  #read<T>(name: string): T {
    const path = join(this.path, name);
    if (!existsSync(path)) throw new Fault("not_found", `there is no workspace of session \`${this.session}\` here; \`lanyard session proposals\` lists them`);
    return parseJson(readFileSync(path, "utf8")) as unknown as T;
  }

  #write(name: string, value: object): void {
    const path = join(this.path, name);
    writeFileSync(`${path}.next`, JSON.stringify(value), { mode: 0o600 });
    renameSync(`${path}.next`, path);
  }
}

type Row = [path: string, kind: TreeEntry["kind"], mode: number, size: number, hash: string];
const rows = (entries: Manifest["entries"]): Row[] => [...entries].map(([path, { kind, mode, size, hash }]) => [path, kind, mode, size, hash]);

/** What of a workspace may be told outside: a hash that nobody can guess the content of. */
export const saltedHash = ({ salt }: WorkspaceOrigin, value: unknown): string => createHash("sha256").update(salt).update(JSON.stringify(value as Json)).digest("base64url");

export const manifestHash = (origin: WorkspaceOrigin, { entries, left }: Manifest): string => saltedHash(origin, [rows(entries), [...left]]);
