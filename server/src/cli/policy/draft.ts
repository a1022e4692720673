import { readFileSync } from "node:fs";
import { Fault, isObject } from "@lanyard/contract";
import type { Ground, PolicyFile } from "@lanyard/policy";
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

/** The ground from a file, or as the daemon (or, when none runs, the data folder) has it now. Throws Fault `invalid_config`. */
export async function readGround(context: Context, { ground }: Pick<DraftOptions, "ground">): Promise<Ground> {
  if (ground === undefined) return (await context.reach()).call<Ground>("policy_ground");
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(ground, "utf8"));
  } catch (cause) {
    throw new Fault("invalid_config", `\`${ground}\` could not be read as JSON; \`lanyard policy ground\` writes such a file`, { cause });
  }
  if (!isObject(value) || !Array.isArray(value["servers"]) || !Array.isArray(value["tools"]) || !isObject(value["registry"])) {
    throw new Fault("invalid_config", `\`${ground}\` is no ground; \`lanyard policy ground\` writes one`);
  }
  return value as unknown as Ground;
}
