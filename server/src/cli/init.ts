import { lstatSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import type { Command } from "commander";
import { Fault } from "@lanyard/contract";
import { chosenPacks, guardrailPacks } from "../base/packs.ts";
import type { Context } from "./context.ts";
import { importServers, type Imported } from "./init/imported.ts";
import { beforeFolder, policyFolder, setupFiles } from "./init/written.ts";
import { json, printable, table } from "./terminal.ts";

interface SetupOptions {
  packs?: string;
  approvers: string;
  dir: string;
  from?: string;
  enforce?: boolean;
  list?: boolean;
  json?: boolean;
}

/** Without it whoever calls is allowed nothing: every other pack only takes away. */
const permit = "permit-the-rest";

export function setupVerb(program: Command, context: Context): void {
  program
    .command("init")
    .description("a lanyard.yaml and a folder of policies with ready guardrails; takes over the MCP servers of a client")
    .option("--packs <names>", "guardrails, `all` or names with commas between (default: all); `--list` shows them")
    .option("--approvers <group>", "the group that they ask", "approvers")
    .option("--dir <folder>", "where to; nothing that is there is touched", ".")
    .option("--from <file>", "a client's configuration of MCP servers (.mcp.json, claude_desktop_config.json, .vscode/mcp.json, config.toml, settings.json): the guardrails then only look on")
    .option("--enforce", "with --from: the guardrails are in force at once")
    .option("--list", "shows the guardrails there are, and writes nothing")
    .option("--json", "as one JSON object")
    .addHelpText("after", "\nExample:\n  lanyard init --list\n  lanyard init --packs all\n  lanyard init --from .mcp.json")
    .action((options: SetupOptions) => (options.list ? list(context, options) : begin(context, options)));
}

function list(context: Context, options: SetupOptions): void {
  const packs = guardrailPacks().map(({ name, stops, costs }) => ({ name, stops, costs }));
  if (options.json) return context.out(json({ packs }));
  for (const line of table(["pack", "stops", "costs"], packs.map(({ name, stops, costs }) => [name, firstSentence(stops), firstSentence(costs)]), context.colour)) context.out(line);
}

const firstSentence = (text: string): string => /^.*?[.:](?= |$)/.exec(text)?.[0].replace(/[.:]$/, "") ?? text;

function begin(context: Context, { packs: named, approvers, dir, from, enforce = false, json: asJson }: SetupOptions): void {
  if (enforce && from === undefined) throw new Fault("invalid_request", "`--enforce` goes with `--from`; without it the guardrails are in force anyway", { remedy: "" });
  const wanted = named?.split(",") ?? ["all"];
  const packs = chosenPacks([...wanted, permit]);
  const imported = from === undefined ? null : importServers(from, dir);
  const shadow = imported !== null && !enforce;
  const files = setupFiles({ packs, approvers, imported, shadow });
  demandNothingThere(dir, files.keys());
  for (const [path, text] of files) write(join(dir, path), text);
  const next = nextCommands(dir, imported, shadow);
  if (asJson) return context.out(json({ wrote: [...files.keys()], packs: packs.map(({ name }) => name), shadow, servers: Object.keys(imported?.servers ?? {}), left_out: imported?.leftOut ?? [], variables: imported?.variables ?? [], next }));
  const { dim } = context.colour;
  context.out(`wrote ${printable(join(dir, "lanyard.yaml"))} and ${files.size - 1} files of policies and cases below ${printable(join(dir, policyFolder))}${shadow ? ` and ${printable(join(dir, beforeFolder))}` : ""}`);
  context.out(`guardrails: ${packs.map(({ name }) => name).join(", ")}${named === undefined ? " (all there are; --packs chooses)" : wanted.includes("all") || wanted.includes(permit) ? "" : ` (\`${permit}\` came along: without a permit nothing is allowed)`}`);
  if (imported !== null) tell(context, imported);
  if (shadow) context.out("everything goes on as before; once these have run, the guardrails decide beside it, without effect:");
  else context.out("next:");
  for (const line of next) context.out(`  ${line}`);
  if (imported === null) context.out(dim("before that, name your MCP servers under `servers:` in lanyard.yaml; `lanyard connect claude` (codex, gemini) connects an agent"));
  else context.out(dim(`then connect the client, such as with \`lanyard connect claude\`, and take the servers out of ${printable(from ?? "")}: what it starts by itself goes past Lanyard`));
  if (shadow) context.out(dim("some work later, `lanyard guardrails report` tells what they would have done"));
}

function tell(context: Context, { servers, variables, leftOut }: Imported): void {
  context.out(`servers taken over: ${Object.keys(servers).join(", ")}`);
  for (const { server, why } of leftOut) context.out(`left out: ${printable(server.slice(0, 64))}: ${printable(why)}`);
  if (variables.length > 0) context.out(`values that may be secrets were not written down; \`lanyard serve\` reads them from ${variables.join(", ")}`);
}

/** Commands for a shell, in order; `lanyard serve` goes on until it is ended. */
function nextCommands(dir: string, imported: Imported | null, shadow: boolean): string[] {
  const servers = Object.keys(imported?.servers ?? {});
  const as = (who: string, command: string): string => `LANYARD_CREDENTIAL=$(cat ${who}.secret) lanyard ${command}`;
  return [
    ...(resolve(dir) === process.cwd() ? [] : [`cd '${resolve(dir).replaceAll("'", String.raw`'\''`)}'`]),
    ...(shadow ? [] : ["lanyard policy test"]),
    "lanyard serve &",
    ...servers.map((server) => `lanyard catalog approve ${server}`),
    ...(shadow
      ? [
          "(umask 077; for who in owner second-owner; do lanyard credential issue user $who > $who.secret; done)",
          as("owner", `policy publish --dir ${beforeFolder} --note "what worked before"`),
          as("second-owner", "policy approve 1"),
          as("owner", "policy activate 1"),
          as("owner", 'policy publish --note "ready guardrails"'),
          as("owner", "policy shadow 2"),
        ]
      : []),
  ];
}

/** Throws Fault `invalid_request` when anything is where a file of ours would go, be it a broken link. */
function demandNothingThere(dir: string, files: Iterable<string>): void {
  for (const name of new Set(Array.from(files, (file) => file.split("/")[0] ?? "").reverse())) {
    const path = join(dir, name);
    if (lstatSync(path, { throwIfNoEntry: false }) !== undefined) throw new Fault("invalid_request", `\`${path}\` is there already, and nothing is written over; name another folder with \`--dir\`, and copy from there what you want`, { remedy: "" });
  }
}

function write(path: string, text: string): void {
  try {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text, { flag: "wx" });
  } catch (cause) {
    throw new Fault("invalid_request", `\`${path}\` could not be written (${(cause as NodeJS.ErrnoException).code ?? "unknown error"})`, { cause, remedy: "" });
  }
}
