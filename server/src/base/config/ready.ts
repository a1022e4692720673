import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Fault } from "@lanyard/contract";
import { z } from "zod";
import { contractShape, type ContractFile } from "./contract-shape.ts";
import { yamlSource } from "./source.ts";

// Ready contracts: files of the same form as `tools:` of lanyard.yaml, but by the tool's name alone, that come with Lanyard.

const folder = join(import.meta.dirname, "contracts");
const fileShape = z.strictObject({ says: z.string().min(1), tools: z.record(z.string().min(1), contractShape) });
const known = new Map<string, ReadyContract>();

/** Contracts of a server's tools, by their names. */
export interface ReadyContract {
  /** What server it is for, in a sentence. */
  readonly says: string;
  readonly tools: Readonly<Record<string, ContractFile>>;
}

/** Names of all ready contracts, sorted. */
export const readyContracts = (): string[] => readdirSync(folder).flatMap((file) => (file.endsWith(".yaml") ? [file.slice(0, -".yaml".length)] : [])).sort();

/** A ready contract by its name; null when there is none. Throws Fault `invalid_config` when the file is not right, which tests exclude. */
export function readyContract(name: string): ReadyContract | null {
  const kept = known.get(name);
  if (kept) return kept;
  if (!readyContracts().includes(name)) return null;
  const file = join(folder, `${name}.yaml`);
  const source = yamlSource(readFileSync(file), file, { aliases: true });
  const { success, data, error } = fileShape.safeParse(source.value);
  if (!success) for (const { path, message } of error.issues) source.problem(path, `\`${path.join(".")}\`: ${message}`);
  if (!success || source.problems.length > 0) throw new Fault("invalid_config", source.report());
  known.set(name, data);
  return data;
}
