import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Fault, isObject, type Json, type JsonObject } from "@lanyard/contract";
import type { PolicyFile } from "@lanyard/policy";
import { parse } from "yaml";

/** A ready guardrail: policies that need no tuning, with the page that says what they stop and what they cost. */
export interface GuardrailPack {
  readonly name: string;
  /** One sentence each, from its page. */
  readonly stops: string;
  readonly costs: string;
  /** With `approvers` as the group that is asked. */
  readonly policies: string;
  /** Cases of the policies, in the same words; null where it has none. */
  readonly cases: string | null;
  /** A part of lanyard.yaml that it needs; null where it needs none. */
  readonly config: string | null;
}

const folder = join(import.meta.dirname, "../../../packs");
/** The group that packs are written with. */
const writtenGroup = "approvers";

const textOf = (path: string): string | null => (existsSync(path) ? readFileSync(path, "utf8") : null);

/** All packs there are, by name. */
export function guardrailPacks(): readonly GuardrailPack[] {
  const names = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory()).map(({ name }) => name).sort();
  return names.map((name) => {
    const page = textOf(join(folder, name, "README.md")) ?? "";
    const said = (word: string): string => new RegExp(`^\\*\\*${word}:\\*\\* (.*(?:\\n.+)*)`, "m").exec(page)?.[1]?.replaceAll("\n", " ") ?? "";
    return { name, stops: said("Stops"), costs: said("Costs"), policies: textOf(join(folder, name, "policies.cedar")) ?? "", cases: textOf(join(folder, name, "cases.yaml")), config: textOf(join(folder, name, "lanyard.yaml")) };
  });
}

/** Those of these names, `all` for every one, in the order of {@link guardrailPacks}. Throws Fault `invalid_request` on a name there is none of. */
export function chosenPacks(names: readonly string[]): readonly GuardrailPack[] {
  const packs = guardrailPacks();
  if (names.includes("all")) return packs;
  const stranger = names.find((name) => !packs.some((pack) => pack.name === name));
  if (stranger !== undefined) throw new Fault("invalid_request", `there is no pack \`${stranger}\`; there are ${packs.map(({ name }) => name).join(", ")}`, { remedy: "" });
  return packs.filter(({ name }) => names.includes(name));
}

/** A text of a pack with another group that is asked. */
export const withApprovers = (text: string, group: string): string => text.replaceAll(`approval:${writtenGroup}`, `approval:${group}`).replaceAll(`Group::"${writtenGroup}"`, `Group::"${group}"`).replaceAll(`approvers: [${writtenGroup}]`, `approvers: [${group}]`);

/** Their policies as files below `guardrails/`. */
export const packPolicies = (packs: readonly GuardrailPack[], group: string): PolicyFile[] => packs.map(({ name, policies }) => ({ file: `guardrails/${name}.cedar`, text: withApprovers(policies, group) }));

/** The parts of lanyard.yaml that they bring along, as one. */
export const packConfig = (packs: readonly GuardrailPack[]): JsonObject =>
  packs.reduce<JsonObject>((all, { config }) => (config === null ? all : merged(all, parse(config) as JsonObject)), {});

const merged = (left: JsonObject, right: JsonObject): JsonObject =>
  Object.entries(right).reduce<JsonObject>((all, [key, value]) => ({ ...all, [key]: isObject(value) && isObject(all[key]) ? merged(all[key], value) : (value as Json) }), left);
