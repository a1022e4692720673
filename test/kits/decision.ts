import type { DecisionInput, LedgerRecord, Registry } from "@lanyard/contract";
import type { ApprovedTool, Ground } from "@lanyard/policy";
import type { Clock } from "../../server/src/base/clock.ts";
import { defaultLimits, type Limits } from "../../server/src/base/limits.ts";
import { silent, type Log } from "../../server/src/base/log.ts";
import { MemoryMedium, openMemory } from "../../server/src/base/store/memory.ts";
import type { Store } from "../../server/src/base/store/port.ts";
import type { Edition } from "../../server/src/stages/decision/edition.ts";
import { DecisionStage, type DecisionDeps } from "../../server/src/stages/decision/stage.ts";
import { stillClock, type StillClock } from "./clock.ts";

const nobody: Registry = { agents: {}, users: {}, teams: {}, groups: {}, owners: [], resources: {} };

/** A tool of the server `files` that takes a path and a number. */
export const someTool = (tool: string, definition = "d".repeat(43)): ApprovedTool => ({
  server: "files",
  tool,
  definition,
  inputSchema: { type: "object", properties: { path: { type: "string" }, size: { type: "integer" } } },
  contract: { effects: [], reversibility: "unknown" },
});

/** What `lanyard` would ask policy when the agent `bot` calls `files/read`. */
export const someInput = (session = "s", { action = "files/read", args = {} }: { action?: string; args?: DecisionInput["args"] } = {}): DecisionInput => ({
  agent: { id: "bot", team: "shop", classes: [] },
  user: { id: "ana", groups: [] },
  session: { id: session, purpose: "", depth: 0, labels: [], isolation: "none" },
  action,
  args,
  approvals: [],
  nowMs: 1_790_000_000_000,
});

/** One file of policies. */
export const someEdition = (version: number, text: string): Edition => ({ version, policies: [{ file: "a.cedar", text }], tests: [] });

export const policies = {
  allow: '@id("all") permit (principal, action, resource);',
  deny: '@id("none") @reason("Closed today.") forbid (principal, action, resource);',
  small: '@id("small") permit (principal, action == Action::"files/read", resource) when { context.input has size && context.input.size < 10 };',
} as const;

/** A stage in memory that takes only what is posted, and a clock that stands still. */
export class StageStand implements AsyncDisposable {
  readonly clock: StillClock;
  readonly medium: MemoryMedium;
  readonly store: Store;
  readonly stage: DecisionStage;
  /** Change it and call `stage.recompile`: the ground has changed. */
  readonly tools: ApprovedTool[];
  release: "live" | "reviewed" = "reviewed";

  private constructor(parts: { clock: StillClock; medium: MemoryMedium; store: Store; deps: Partial<DecisionDeps>; limits: Partial<Limits>; log: Log; folder: string }) {
    this.clock = parts.clock;
    this.medium = parts.medium;
    this.store = parts.store;
    this.tools = [someTool("read")];
    const ground = (): Ground => ({ servers: ["files"], tools: this.tools, registry: nobody });
    const common = { store: parts.store, clock: parts.clock as Clock, log: parts.log, policyDir: parts.folder, ground };
    this.stage = new DecisionStage({ ...common, limits: { ...defaultLimits, ...parts.limits }, release: () => this.release, ...parts.deps });
  }

  static async open({ deps = {}, limits = {}, log = silent, folder = "/nowhere/at/all", before, release = "reviewed" }: { deps?: Partial<DecisionDeps>; limits?: Partial<Limits>; log?: Log; folder?: string; before?: StageStand; release?: "live" | "reviewed" } = {}): Promise<StageStand> {
    const clock = stillClock();
    const medium = before?.medium ?? new MemoryMedium();
    const stand = new StageStand({ clock, medium, store: before?.store ?? (await openMemory({ clock, medium })), deps, limits, log, folder });
    stand.release = release;
    await stand.stage.start();
    return stand;
  }

  effect(session?: string, call?: Parameters<typeof someInput>[1]): string {
    return this.stage.decide(someInput(session, call)).decision.effect;
  }

  /** Records about bundles, in order. */
  records(): LedgerRecord[] {
    return this.store.entries({ types: ["bundle.activate", "bundle.withdraw", "bundle.refuse", "bundle.difference", "engine.difference"] });
  }

  /** Ends the stage and keeps the store, as a restart does. */
  async restart(options: Parameters<typeof StageStand.open>[0] = {}): Promise<StageStand> {
    await this.stage[Symbol.asyncDispose]();
    return StageStand.open({ ...options, before: this });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stage[Symbol.asyncDispose]();
    await this.store[Symbol.asyncDispose]();
  }
}
