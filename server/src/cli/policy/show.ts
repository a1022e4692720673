import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { Fault } from "@lanyard/contract";
import type { Command } from "commander";
import type { Context } from "../context.ts";
import { json, printable, time } from "../terminal.ts";

interface Figures {
  readonly decisions: number;
  readonly denied: number;
  readonly asked: number;
  readonly failed: number;
  readonly latency_p99_us: number;
}

interface Standing {
  readonly bundle: string;
  readonly by: string;
  readonly since_ms: number;
}

interface ShownVersion {
  readonly version: number;
  readonly base: number;
  readonly author: string;
  readonly at_ms: number;
  readonly note: string;
  readonly loosens: boolean;
  readonly waits: boolean;
  readonly why: readonly string[];
  readonly second_person: { readonly by: string; readonly at_ms: number } | null;
  readonly bundle: string;
  readonly bundle_intact: boolean;
  readonly files: readonly { readonly file: string; readonly change: string; readonly text?: string }[];
  readonly standing: {
    readonly active?: Standing;
    readonly canary?: Standing & { readonly terms: { readonly share: number }; readonly statistics: { readonly live: Figures; readonly canary: Figures } };
    readonly shadow?: Standing & { readonly statistics: { readonly [name: string]: number } };
  };
  readonly differences: readonly { readonly agent: string; readonly action: string; readonly effect: string; readonly beside_effect: string; readonly policies: readonly string[]; readonly beside_policies: readonly string[]; readonly times: number }[];
}

export function showVerb(policy: Command, context: Context): void {
  policy
    .command("show [version]")
    .description("one version (a number, or active, shadow, canary, newest): files, author, second person, signature, and how it does")
    .option("--write <folder>", "writes its files into this new or empty folder")
    .option("--json", "as one JSON object, with the text of every file and the signed statement")
    .addHelpText("after", "\nExample:\n  lanyard policy show active\n  lanyard policy show 4 --write ./version-4")
    .action(async (which: string | undefined, options: { write?: string; json?: boolean }) => {
      const texts = options.json === true || options.write !== undefined;
      const shown = await (await context.reach()).call<ShownVersion>("policy_show", { at: { version: which ?? "active" }, query: { texts } });
      if (options.write !== undefined) writeFiles(shown, options.write);
      if (options.json) return context.out(json(shown));
      if (options.write !== undefined) return context.out(`wrote version ${shown.version} to ${options.write}`);
      for (const line of linesOf(shown)) context.out(line);
    });
}

/** Writes nothing over anything, and nothing outside the folder. Throws Fault `invalid_request`. */
function writeFiles({ version, files }: ShownVersion, folder: string): void {
  if (existsSync(folder) && readdirSync(folder).length > 0) throw new Fault("invalid_request", `\`${folder}\` is not empty, and version ${version} would mix with what is there`);
  for (const { file, text } of files) {
    if (text === undefined) continue;
    if (file.split("/").some((part) => part === "" || part.startsWith("."))) throw new Fault("invalid_request", `version ${version} holds a file \`${file}\`, which is no path below a folder`);
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), text, { flag: "wx" });
  }
}

function linesOf(shown: ShownVersion): string[] {
  const { version, base, author, at_ms, note, bundle, bundle_intact, files } = shown;
  const changed = files.filter(({ change }) => change !== "");
  return [
    `version ${version}${base === 0 ? "" : `, made from version ${base}`}`,
    `  author         ${printable(author)}, ${time(at_ms)}`,
    ...(note === "" ? [] : [`  note           ${printable(note)}`]),
    `  second person  ${secondOf(shown)}`,
    ...(shown.loosens ? shown.why.map((why) => `    loosens: ${printable(why)}`) : []),
    `  signature      verified`,
    `  bundle         ${bundle}${bundle_intact ? "" : " (its bytes are missing, or were changed on disk)"}`,
    ...standingOf(shown),
    ...shown.differences.map((one) => `    ${one.times === 1 ? "" : `${one.times} times `}${printable(`${one.agent} ${one.action}`)}: ${told(one.effect, one.policies)}, would be ${told(one.beside_effect, one.beside_policies)}`),
    `  files          ${files.filter(({ change }) => change !== "removed").length}${changed.length === 0 ? "" : `, ${changed.length} changed`}`,
    ...changed.map(({ file, change }) => `    ${change.padEnd(8)} ${printable(file)}`),
  ];
}

const words: Readonly<Record<string, string>> = { allow: "allowed", deny: "denied", ask: "asked" };
const told = (effect: string, policies: readonly string[]): string => `${words[effect] ?? effect}${policies.length > 0 ? ` (${printable(policies.join(", "))})` : ""}`;

const secondOf = ({ second_person, waits, loosens }: ShownVersion): string => {
  const given = second_person === null ? "" : `${printable(second_person.by)}, ${time(second_person.at_ms)}`;
  if (waits) return `${given === "" ? "waited for" : `waited for: ${given} approved it over other policies than are in force now`}`;
  return given || (loosens ? "not needed over what is in force now" : "not needed");
};

const counted = (count: number, thing: string): string => `${count} ${count === 1 ? thing.replace(/s$/, "") : thing}`;

const sideOf = ({ decisions, denied, asked, failed, latency_p99_us }: Figures): string => `${counted(decisions, "decisions")}, ${denied} denied, ${asked} asked, ${failed} failed, p99 ${latency_p99_us} us`;

function standingOf({ bundle: published, standing: { active, canary, shadow } }: ShownVersion): string[] {
  const anew = (bundle: string): string => (bundle === published ? "" : `, compiled anew as ${bundle}: tools or names have changed since`);
  const since = ({ by, since_ms, bundle }: Standing): string => `since ${time(since_ms)}, by ${printable(by)}${anew(bundle)}`;
  const lines: string[] = [];
  if (active) lines.push(`  active         ${since(active)}`);
  if (canary) {
    lines.push(`  canary         for ${Number((canary.terms.share * 100).toFixed(4))} % of the sessions, ${since(canary)}`);
    lines.push(`    canary: ${sideOf(canary.statistics.canary)}`, `    active: ${sideOf(canary.statistics.live)}`);
  }
  if (shadow) {
    const figures = Object.entries(shadow.statistics).map(([name, count]) => counted(count, name.replaceAll("_", " ")));
    lines.push(`  shadow         ${since(shadow)}`, `    ${figures.join(", ")}`);
  }
  return lines;
}
