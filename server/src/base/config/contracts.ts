import { isAbsolute } from "node:path";
import { webServer, webTools, type Reversibility, type ToolContract } from "@lanyard/contract";
import type { UndoContract } from "../undo/contract.ts";
import type { AskedBy } from "../extract/asked.ts";
import type { DeclaredArguments } from "../extract/declared.ts";
import { declaredArguments } from "./arguments.ts";
import type { ContractFile } from "./contract-shape.ts";
import type { YieldsFile } from "./labels.ts";
import { readyContract, readyContracts } from "./ready.ts";
import type { ConfigFile } from "./schema.ts";
import { nearest, type Path, type YamlSource } from "./source.ts";
import { classesIn, contractUseOf, reversibilityOf, toolsRead, undoCaseOf } from "./undo.ts";

/** What the configuration says of one tool, its own words before those of the ready contract that its server has. */
interface Spoken {
  readonly own: ContractFile;
  readonly ready: ContractFile;
}

/** By Cedar action id, everything that has a contract. */
function spoken({ tools = {}, contracts = {} }: ConfigFile): Map<string, Spoken> {
  const all = new Map<string, Spoken>();
  for (const [server, use] of Object.entries(contracts)) {
    for (const [tool, ready] of Object.entries(readyContract(contractUseOf(use).use)?.tools ?? {})) all.set(`${server}/${tool}`, { own: {}, ready });
  }
  for (const [action, own] of Object.entries(tools)) all.set(action, { own, ready: all.get(action)?.ready ?? {} });
  return all;
}

const webContract = (action: string): ToolContract | undefined => webTools.find(({ definition }) => action === `${webServer}/${definition.name}`)?.contract;

const otherwiseOf = (action: string, { own, ready }: Spoken): Reversibility => webContract(action)?.reversibility ?? own.reversibility ?? ready.reversibility ?? "unknown";

/** What must hold of contracts together. Notes problems where they are written. */
export function checkContracts(shape: ConfigFile, source: YamlSource): void {
  const servers = Object.keys(shape.servers ?? {});
  for (const [server, use] of Object.entries(shape.contracts ?? {})) {
    const { use: name, root } = contractUseOf(use);
    if (server !== webServer && !servers.includes(server)) source.problem(["contracts", server], `no server \`${server}\` is registered under \`servers\``, "key");
    if (root !== null && !isAbsolute(root)) source.problem(["contracts", server, "root"], "`root` is an absolute path");
    if (!readyContract(name)) source.problem(typeof use === "string" ? ["contracts", server] : ["contracts", server, "use"], `there is no ready contract \`${name}\`${nearestOf(name)}`);
  }
  const all = spoken(shape);
  for (const [action, { own, ready }] of all) {
    // Who says what arguments and results are, or what tasks ask for it, need not say what the tool does: its name and its arguments tell, as of a tool without any contract.
    if (own.effects === undefined && own.arguments === undefined && own.asked_by === undefined && own.yields === undefined && ready.effects === undefined && webContract(action) === undefined) source.problem(["tools", action], "`effects` is missing: what the tool does, such as `[write]`");
    const at: Path = own.undo ? ["tools", action, "undo"] : ["contracts", action.slice(0, action.indexOf("/"))];
    for (const [index, one] of (own.undo ?? ready.undo ?? []).entries()) {
      for (const { tool, path } of toolsRead(one)) {
        const read = `${action.slice(0, action.indexOf("/"))}/${tool}`;
        const entry = all.get(read);
        const classes = entry ? classesIn(entry.own.undo ?? entry.ready.undo ?? [], otherwiseOf(read, entry)) : [webContract(read)?.reversibility];
        if (!classes.includes("read")) source.problem(own.undo ? [...at, index, ...path] : at, `\`${read}\` is called to read a state, and nothing under \`tools\` says that a call of it can be of the class \`read\``);
      }
    }
  }
  const agent = shape.undo?.agent;
  if (agent !== undefined && !shape.agents?.[agent]) source.problem(["undo", "agent"], `no agent \`${agent}\` is registered under \`agents\``);
}

const nearestOf = (name: string): string => {
  const close = nearest(name, readyContracts());
  return close === null ? `; there are ${readyContracts().join(", ")}` : `; did you mean \`${close}\`?`;
};

/** Contracts by Cedar action id. */
export const toolContracts = (shape: ConfigFile): ReadonlyMap<string, ToolContract> =>
  new Map([...spoken(shape)].map(([action, both]) => [action, contractOf(action, both)]));

const contractOf = (action: string, { own, ready }: Spoken): ToolContract => {
  const resource = own.resource ?? ready.resource;
  const reversibility = reversibilityOf(classesIn(own.undo ?? ready.undo ?? [], otherwiseOf(action, { own, ready })));
  const web = webContract(action);
  if (web) return { ...web, ...reversibility };
  return {
    effects: own.effects ?? ready.effects ?? [],
    ...reversibility,
    ...(resource && { resource: { type: resource.type, argument: resource.argument.split(".") } }),
  };
};

/** What arguments are, by Cedar action id; the organisation's own words on an argument count before a ready contract's. */
export function argumentsOfAll(shape: ConfigFile): ReadonlyMap<string, DeclaredArguments> {
  const found = new Map<string, DeclaredArguments>();
  for (const [action, { own, ready }] of spoken(shape)) {
    const use = shape.contracts?.[action.slice(0, action.indexOf("/"))];
    const { root } = use === undefined ? { root: null } : contractUseOf(use);
    const all = { ...ready.arguments, ...own.arguments };
    if (Object.keys(all).length > 0) found.set(action, declaredArguments(all, root));
  }
  return found;
}

/** How calls are taken back, by Cedar action id: what has cases at all. */
export function undoContracts(shape: ConfigFile): ReadonlyMap<string, UndoContract> {
  const found = new Map<string, UndoContract>();
  for (const [action, both] of spoken(shape)) {
    const use = shape.contracts?.[action.slice(0, action.indexOf("/"))];
    const { root, when } = use === undefined ? { root: null, when: [] } : contractUseOf(use);
    const cases = both.own.undo?.map((one) => undoCaseOf(one)) ?? both.ready.undo?.map((one) => undoCaseOf(one, when)) ?? [];
    if (cases.length > 0) found.set(action, { cases, otherwise: otherwiseOf(action, both), root });
  }
  return found;
}

/** Which tasks ask for calls, by Cedar action id; tools of which nothing is said are absent. */
export const askedByOfAll = (shape: ConfigFile): ReadonlyMap<string, AskedBy> =>
  new Map([...spoken(shape)].flatMap(([action, { own, ready }]) => ((words) => (words === undefined ? [] : [[action, words]]))(own.asked_by ?? ready.asked_by)));

/** What results are, by Cedar action id of a tool and by name of a server, as far as anything is said. */
export function yieldsOfAll(shape: ConfigFile): ReadonlyMap<string, YieldsFile> {
  const servers = Object.entries(shape.servers ?? {}).map(([name, { yields }]) => [name, yields] as const);
  const tools = [...spoken(shape)].map(([action, { own, ready }]) => [action, own.yields ?? ready.yields] as const);
  return new Map([...servers, ...tools].flatMap(([name, yields]) => (yields === undefined ? [] : [[name, yields]])));
}
