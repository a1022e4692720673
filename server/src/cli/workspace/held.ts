import { createServer, type Server, connect } from "node:net";
import { chmodSync, rmSync } from "node:fs";
import { text } from "node:stream/consumers";
import { Fault, isObject, parseJson } from "@lanyard/contract";
import type { Sandbox } from "../../stages/execution/sandbox/driver.ts";
import { copyInto } from "../../stages/execution/workspace/base.ts";
import { manifestHash, type WorkspaceFolder, type WorkspaceOrigin, type Proposal } from "../../stages/execution/workspace/folder.ts";
import { withoutStaged } from "../../stages/execution/workspace/git.ts";
import { harvest } from "../../stages/execution/workspace/harvest.ts";
import type { Manifest } from "../../stages/execution/workspace/tree.ts";
import type { Client } from "../client.ts";
import type { ProgressLine } from "../progress.ts";
import { tellProposal } from "./settle.ts";

export interface HeldOptions {
  readonly origin: Omit<WorkspaceOrigin, "salt" | "atMs" | "session">;
  readonly limits: { readonly workspace_files: number; readonly workspace_bytes: number };
  readonly progress: ProgressLine;
  folderOf(session: string): WorkspaceFolder;
}

/**
 * A folder as a session works on it: copied in, looked at while it runs, and what became of it kept as a proposal. Nothing of the folder itself
 * is touched here.
 */
export class HeldWorkspace implements Disposable {
  readonly #options: HeldOptions;
  #manifest: Manifest | null = null;
  #open: { readonly folder: WorkspaceFolder; readonly origin: WorkspaceOrigin; readonly api: Client } | null = null;
  #server: Server | null = null;
  #looking: Promise<unknown> = Promise.resolve();

  constructor(options: HeldOptions) {
    this.#options = options;
  }

  /** Copies the folder into a started sandbox. Throws Fault `limit_exceeded`, `conflict`. */
  async fill(sandbox: Sandbox): Promise<void> {
    const { origin, limits, progress } = this.#options;
    try {
      this.#manifest = await copyInto((tar) => sandbox.put(sandbox.workspace, tar), { ...origin, limits, progress: (files) => progress.show(files) });
    } finally {
      progress.clear();
    }
  }

  /** Has it recorded, and answers `lanyard session diff` from now on. `api` speaks for the session or the operator. */
  async open(session: string, sandbox: Sandbox, api: Client): Promise<void> {
    const manifest = this.#manifest as Manifest;
    const folder = this.#options.folderOf(session);
    const origin = folder.create({ ...this.#options.origin, session }, manifest);
    const files = [...manifest.entries.values()];
    const base = { base: manifestHash(origin, manifest), files: files.length, bytes: files.reduce((sum, { size }) => sum + size, 0), left: manifest.left.size };
    await api.call("workspace_open", { at: { id: session }, body: base }).catch((error: unknown) => {
      folder.remove();
      throw error;
    });
    this.#open = { folder, origin, api };
    this.#server = createServer((peer) => {
      const answer = this.look(sandbox).then((proposal) => ({ digest: proposal?.digest ?? null }), (error: unknown) => ({ error: error instanceof Fault ? error.message : "the workspace could not be read" }));
      peer.on("error", () => {});
      void answer.then((said) => peer.end(JSON.stringify(said)));
    });
    const heard = await new Promise<boolean>((resolve) => this.#server?.once("error", () => resolve(false)).listen(folder.socket, () => resolve(true)));
    if (heard) chmodSync(folder.socket, 0o600); // Its folder is 0700. Where its path is too long for a socket, nobody can look before the end.
    this.#server.unref();
  }

  /** What the workspace is now, as a proposal; recorded. Null when there is none to look at. One look at a time. */
  look(sandbox: Sandbox): Promise<Proposal | null> {
    const look = this.#looking.then(async () => {
      if (!this.#open || !this.#manifest) return null;
      const { folder, origin, api } = this.#open;
      const { changes, refused } = await harvest({ base: this.#manifest, shelf: folder.contents(), limits: this.#options.limits }, sandbox.get(sandbox.workspace));
      const proposal = folder.propose(withoutStaged(changes), refused);
      await tellProposal(api, origin, proposal);
      return proposal;
    });
    this.#looking = look.catch(() => {});
    return look;
  }

  /** Where it is kept; null before it was opened. */
  kept(): WorkspaceFolder | null {
    return this.#open?.folder ?? null;
  }

  [Symbol.dispose](): void {
    this.#server?.close();
    if (this.#open) rmSync(this.#open.folder.socket, { force: true });
  }
}

/** Has a running session look at its workspace anew; false when it does not run. Throws Fault `invalid_request` with what went wrong there. */
export async function askToLook(folder: WorkspaceFolder): Promise<boolean> {
  const socket = connect(folder.socket);
  const there = await new Promise<boolean>((resolve) => socket.once("connect", () => resolve(true)).once("error", () => resolve(false)));
  if (!there) return false;
  const said = parseJson(await text(socket));
  if (isObject(said) && typeof said["error"] === "string") throw new Fault("invalid_request", said["error"]);
  return true;
}
