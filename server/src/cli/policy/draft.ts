import { readFileSync } from "node:fs";
import { Fault, parseJson } from "@lanyard/contract";
import type { Ground, PolicyFile } from "@lanyard/policy";
import { z } from "zod";
import { loadConfig } from "../../base/config/read.ts";
import { readPolicies, readTests } from "../../base/policies.ts";
import type { Context } from "../context.ts";

/** Options of every verb that works on a draft. */
export interface DraftOptions {
  /** Folder of policies; default: `policies:` of lanyard.yaml. */
  readonly dir?: string;
  /** File made by `lanyard policy ground`; default: the daemon's, or the data folder's when none runs. */
  readonly ground?: string;
}

/** Policies as an author has them in a folder, with what they are written against. */
export interface PolicyDraft {
  readonly folder: string;
  readonly policies: readonly PolicyFile[];
  readonly tests: readonly PolicyFile[];
  readonly ground: Ground;
}

/** Reads a folder of policies and its cases. Throws Fault `invalid_config`. */
export async function readDraft(context: Context, options: DraftOptions): Promise<PolicyDraft> {
  const folder = options.dir ?? loadConfig(context.configPath()).policies;
  const [policies, tests, ground] = await Promise.all([readPolicies(folder), readTests(folder), readGround(context, options)]);
  return { folder, policies, tests, ground };
}

const words = z.array(z.string());

/** What a ground must have to be compiled against: files of people's own hand come here too. */
const groundForm = z.object({
  servers: words,
  tools: z.array(
    z.object({
      server: z.string(),
      tool: z.string(),
      definition: z.string(),
      inputSchema: z.looseObject({}),
      contract: z.object({ effects: words, reversibility: z.string(), resource: z.object({ type: z.string(), argument: words }).optional() }),
      annotations: z.looseObject({}).optional(),
    }),
  ),
  contracts: words.optional(),
  registry: z.object({
    agents: z.record(z.string(), z.object({ team: z.string(), classes: words })),
    users: z.record(z.string(), z.object({ groups: words })),
    teams: z.record(z.string(), z.object({ owners: words })),
    groups: z.record(z.string(), z.object({ team: z.string().nullable() })),
    owners: words,
    resources: z.record(z.string(), z.record(z.string(), z.object({ labels: words, owner: z.string().nullable() }))),
  }),
});

/** The ground from a file, or as the daemon (or, when none runs, the data folder) has it now. Throws Fault `invalid_config`. */
export async function readGround(context: Context, { ground }: Pick<DraftOptions, "ground">): Promise<Ground> {
  if (ground === undefined) return (await context.reach()).call<Ground>("policy_ground");
  let value: unknown;
  try {
    value = parseJson(readFileSync(ground, "utf8"));
  } catch (cause) {
    throw new Fault("invalid_config", `\`${ground}\` could not be read as JSON; \`lanyard policy ground\` writes such a file`, { cause });
  }
  const [issue] = groundForm.safeParse(value).error?.issues ?? [];
  if (issue !== undefined) throw new Fault("invalid_config", `\`${ground}\` is no ground (\`${issue.path.join(".")}\`: ${issue.message.toLowerCase()}); \`lanyard policy ground\` writes one`, { remedy: "" });
  return value as unknown as Ground;
}
