import type { Duplex, Readable, Writable } from "node:stream";
import type { Isolation } from "@lanyard/contract";

/** One way to build sandboxes. The words are the field's (E2B, Kubernetes agent-sandbox, OCI). */
export interface SandboxDriver {
  readonly name: "microvm" | "gvisor" | "process" | "none";
  /** What its sandboxes are worth to a policy. */
  readonly tier: Isolation;
  /** Verbs its sandboxes do not have. They are no methods then, so that nobody calls them in hope. */
  readonly lacks: readonly ("snapshot" | "pause" | "resume")[];
  /** Null when a sandbox was really started and answered; else why not, and what to do. Opening a device or finding a binary proves nothing. */
  probe(): Promise<string | null>;
  /** Prepares a sandbox; nothing runs yet. Throws Fault `isolation_unavailable`, `invalid_request`. */
  create(spec: SandboxSpec): Promise<Sandbox>;
}

export interface SandboxSpec {
  /**
   * Where, inside, the folder lies that the commands work in; absolute. It begins empty and ends with the sandbox: whoever made the sandbox
   * fills it with `put` and reads it with `get`. Nothing of the machine's files can be changed from inside.
   */
  readonly workspace: string;
  /** Paths of the machine that can be read inside, at the same place. */
  readonly readable: readonly string[];
  /** Ports of the sandbox's own loopback, and who takes a connection made to one: the only way out. */
  readonly doors: ReadonlyMap<number, (connection: Duplex) => void>;
  readonly limits: SandboxLimits;
}

/** What a session may use, all its processes together but where it says otherwise. */
export interface SandboxLimits {
  readonly cpuMs: number;
  readonly memoryBytes: number;
  readonly processes: number;
  /** Of the workspace; /tmp and home have half of it each, besides. */
  readonly diskBytes: number;
  /** One file. */
  readonly fileBytes: number;
  /** Open files of one process. */
  readonly files: number;
  readonly wallMs: number;
}

/** `memory`, `cpu` and `wall` end the session; the others are refused inside, where the command reads EAGAIN, EMFILE, ENOSPC. */
export type SandboxLimit = "cpu" | "memory" | "processes" | "disk" | "files" | "wall";

export type SandboxEvent =
  | { readonly kind: "started" }
  | { readonly kind: "limit"; readonly limit: SandboxLimit }
  /** `why` is empty when it was asked to end. */
  | { readonly kind: "ended"; readonly why: string };

export interface Sandbox extends AsyncDisposable {
  readonly id: string;
  readonly tier: Isolation;
  /** Where the workspace is, for whoever works inside: what was asked for, but where there is nothing that could put it there (driver `none`). */
  readonly workspace: string;
  /** Resolves once the guest agent has answered. Throws Fault `isolation_unavailable`. */
  start(): Promise<void>;
  /** Throws Fault `limit_exceeded` when the request is over 256 KiB, `sandbox_ended`. */
  exec(request: ExecRequest): Execution;
  /** Unpacks a tar stream into a folder inside, modes as they are. Throws Fault `sandbox_ended`, `invalid_request` when tar fails. */
  put(folder: string, tar: Readable): Promise<void>;
  /**
   * A folder as a tar stream, made inside: untrusted bytes, to be read with suspicion. Of files that are written to meanwhile it may have half.
   * The stream errors with what `put` throws.
   */
  get(folder: string): Readable;
  /** Resolves when the guest agent answers. Throws Fault `sandbox_ended`. */
  ping(): Promise<void>;
  /** Asks commands to end (SIGTERM), then destroys. */
  stop(): Promise<void>;
  /** Ends everything at once; afterwards no process, mount, socket or file of it is left. */
  destroy(): Promise<void>;
  onEvent(listener: (event: SandboxEvent) => void): { stop(): void };
  /** It stands still, commands and all; the limit of wall time goes on. Throws Fault `sandbox_ended`. */
  readonly pause?: () => Promise<void>;
  readonly resume?: () => Promise<void>;
  /** What it is now. Throws Fault `invalid_request` while a command runs, `sandbox_ended`. */
  readonly snapshot?: () => Promise<SandboxSnapshot>;
}

/** A sandbox as it was, of which others are copies: files and memory. Kept until it is disposed of. */
export interface SandboxSnapshot extends Disposable {
  /** A copy, to be started, whose doors lead elsewhere: at most the ports that the first one had. Throws Fault `isolation_unavailable`. */
  create(doors: SandboxSpec["doors"]): Promise<Sandbox>;
}

export interface ExecRequest {
  readonly command: string;
  readonly args: readonly string[];
  /** All it gets: nothing is inherited. */
  readonly environment: Readonly<Record<string, string>>;
  /** As seen inside; default: the workspace. */
  readonly folder?: string;
  /** Past it the command and everything it started are killed. */
  readonly timeoutMs?: number;
  /** It gets a terminal of this size, which carries what it writes to both outputs, as `stdout`. */
  readonly terminal?: TerminalSize;
}

export interface TerminalSize {
  readonly columns: number;
  readonly rows: number;
}

/** `failed`: it could not be started; `value` is the errno, else the exit code or the number of the signal. */
export interface Ending {
  readonly kind: "failed" | "exited" | "signalled";
  readonly value: number;
}

/** A command inside. Both outputs must be read (or `resume`d): what is not read holds the command back. */
export interface Execution {
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** Resolves when the command, and with it everything it started, has ended. Rejects with Fault `sandbox_ended`. */
  readonly ended: Promise<Ending>;
  /** To the command's process group. */
  signal(number: number): void;
  /** Of its terminal; nothing without one. */
  resize(size: TerminalSize): void;
}
