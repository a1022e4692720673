import { stringify } from "yaml";
import { Fault, type JsonObject } from "@lanyard/contract";
import { parseConfig } from "../../base/config/read.ts";
import { packConfig, withApprovers, type GuardrailPack } from "../../base/packs.ts";
import { version } from "../../base/version.ts";
import type { Imported } from "./imported.ts";

/** What a new set-up is made of. */
export interface NewSetup {
  readonly packs: readonly GuardrailPack[];
  /** The group that the packs ask. */
  readonly approvers: string;
  /** Servers of an existing set-up; null where there is none. */
  readonly imported: Imported | null;
  /** The packs decide nothing yet: what worked before goes on, and they stand beside it. */
  readonly shadow: boolean;
}

/** Where the policies lie that let everything go on as before. */
export const beforeFolder = "before";
/** The folder of policies that lanyard.yaml names. */
export const policyFolder = "policies";

/** Every file of a new set-up, by path, lanyard.yaml last: without it nothing of the rest counts. Throws Fault `invalid_request`. */
export function setupFiles(setup: NewSetup): ReadonlyMap<string, string> {
  const { packs, approvers, imported, shadow } = setup;
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(approvers)) throw new Fault("invalid_request", "the name of a group is 1 to 64 letters, digits, `.`, `_` or `-`, and starts with a letter or digit", { remedy: "" });
  const files = new Map<string, string>();
  for (const { name, policies, cases } of packs) {
    const origin = `From the pack \`${name}\` of Lanyard ${version}; packs/${name}/README.md says what it stops and what it costs.`;
    files.set(`${policyFolder}/guardrails/${name}.cedar`, `// ${origin}\n${withApprovers(policies, approvers)}`);
    if (cases !== null) files.set(`${policyFolder}/guardrails/${name}.cases.yaml`, `# ${origin}\n${withApprovers(cases, approvers)}`);
  }
  if (shadow && imported !== null) files.set(`${beforeFolder}/existing.cedar`, asBefore(Object.keys(imported.servers)));
  const config = configText(setup);
  parseConfig(new TextEncoder().encode(config), "lanyard.yaml");
  return files.set("lanyard.yaml", config);
}

const asBefore = (servers: readonly string[]): string => `// What worked before goes on: every tool of the servers that were taken over, once its definition is approved in the catalog.

@id("existing.servers")
@reason("It worked before; the guardrails only look on.")
permit (principal, action in [${servers.map((server) => `Action::"server:${server}"`).join(", ")}], resource);
`;

const section = (comment: string, value: JsonObject): string => `\n${comment.split("\n").map((line) => `# ${line}\n`).join("")}${stringify(value, { lineWidth: 0 })}`;

function configText({ packs, approvers, imported, shadow }: NewSetup): string {
  const { budgets, ...rest } = packConfig(packs);
  const owners = shadow ? { owner: { groups: [...new Set(["owners", approvers])] }, "second-owner": { groups: [...new Set(["owners", approvers])] } } : { approver: { groups: [approvers] } };
  const asks = shadow
    ? "What is published and activated decides (docs/releases.md); the members of `owners` do that, and no version that allows more comes into force\nwithout two of them. The first says what worked before, the guardrails stand beside it."
    : "What is saved in this folder decides (docs/policies.md).";
  return [
    `# Written by \`lanyard init\` of Lanyard ${version}. docs/guardrails.md says what the guardrails in ${policyFolder}/ do.\nversion: 1\ndata: data\n`,
    section(asks, { policies: policyFolder, ...(shadow && { release: "reviewed", owners: ["owners"] }) }),
    section(`Who there is: name your people and agents. The guardrails ask the group \`${approvers}\`.`, {
      teams: { agents: {} },
      groups: { [approvers]: {}, ...(shadow && { owners: {} }) },
      users: { user: {}, ...owners },
      agents: { agent: { team: "agents", on_behalf_of: ["user"] } },
    }),
    section(imported === null ? "MCP servers, such as\n  files: { command: npx, args: [-y, '@modelcontextprotocol/server-filesystem', /work] }" : "MCP servers, as they were found.", { servers: { ...imported?.servers } }),
    ...(Object.keys(rest).length > 0 ? [section("Parts that the guardrails bring along.", rest)] : []),
    ...(budgets === undefined ? [] : [shadow ? commented({ budgets }) : section("Budgets refuse by themselves (docs/budgets.md).", { budgets })]),
  ].join("");
}

/** Budgets refuse by themselves, whatever policy says; where the guardrails only look on, they may not. */
const commented = (value: JsonObject): string => section(`For the day the guardrails are in force: budgets refuse by themselves (docs/budgets.md).\n${stringify(value, { lineWidth: 0 }).trimEnd()}`, {}).replace(/\{\}\n$/, "");
