import type { Command } from "commander";
import { Fault, type JsonObject } from "@lanyard/contract";
import { teamOf, type PolicyFile } from "@lanyard/policy";
import { loadConfig } from "../../base/config/read.ts";
import { readPolicies, readTests } from "../../base/policies.ts";
import type { Context } from "../context.ts";
import { json, printable } from "../terminal.ts";
import { asOneself, credentialHelp, printProblems, versionNumber } from "./oneself.ts";

interface PublishOptions {
  dir?: string;
  note?: string;
  base?: string;
  team?: string;
  org?: boolean;
  json?: boolean;
}

type PublishAnswer = { readonly ok: true; readonly version: number; readonly waits: boolean; readonly why: readonly string[]; readonly failing: readonly string[] } | { readonly ok: false; readonly problems: readonly string[] };

export function publishVerb(policy: Command, context: Context): void {
  policy
    .command("publish")
    .description("publishes a folder of policies as the next version, as yourself; nothing changes until it is activated")
    .option("--dir <folder>", "folder of policies (default: `policies:` of lanyard.yaml)")
    .option("--note <text>", "what it changes and why; kept with the version")
    .option("--base <version>", "the version it was made from; refused when somebody published meanwhile")
    .option("--team <team>", "only the folder of this team changes; everything else stays as in the newest version")
    .option("--org", "only the organisation's own files change; every team's folder stays as in the newest version")
    .option("--json", "as one JSON object")
    .addHelpText("after", `${credentialHelp}\nExample:\n  lanyard policy publish --note "refunds over 100 need a lead" --base 3\n  lanyard policy publish --team support`)
    .action(async (options: PublishOptions) => {
      const part = partOf(options);
      const folder = options.dir ?? loadConfig(context.configPath()).policies;
      const read = await Promise.all([readPolicies(folder), readTests(folder)]);
      const [policies, tests] = part === null ? read : read.map((files) => files.filter(({ file }) => teamOf(file) === part)) as [PolicyFile[], PolicyFile[]];
      if (part !== null && policies.length + tests.length === 0) throw new Fault("invalid_request", `\`${folder}\` has no file of ${part === "" ? "the organisation" : `the team \`${part}\``} to publish`, { remedy: "" });
      const leftOut = read.flat().length - policies.length - tests.length;
      const api = await asOneself(context, "publish");
      if (context.live) context.err("compiling, running the cases, comparing with what is in force ...");
      const body = { policies, tests, ...(options.note && { note: options.note }), ...(part !== null && { team: part }), ...(options.base && { base: baseOf(options.base) }) };
      const answer = await api.call<PublishAnswer>("policy_publish", { body: body as unknown as JsonObject });
      if (!answer.ok) {
        if (options.json) context.out(json(answer));
        return printProblems(context, answer.problems, "not published");
      }
      if (options.json) return context.out(json(answer));
      context.out(`published version ${answer.version}${leftOut === 0 ? "" : `; ${leftOut} other ${leftOut === 1 ? "file" : "files"} of the folder left out`}`);
      if (answer.failing.length > 0) context.out("cases of other teams fail under it; their owners should know:");
      for (const line of answer.failing.flatMap((text) => text.split("\n"))) context.out(`  ${printable(line)}`);
      if (!answer.waits) return;
      context.out("it loosens the organisation's policies and waits for a second person:");
      for (const why of answer.why) context.out(`  ${printable(why)}`);
      context.out(`one of \`owners\` who did not write it runs \`lanyard policy approve ${answer.version}\``);
    });
}

/** The team whose files alone are meant, empty for the organisation's; null for all. Throws Fault `invalid_request`. */
const partOf = ({ team, org }: PublishOptions): string | null => {
  if (team !== undefined && org) throw new Fault("invalid_request", "`--team` and `--org` say two things: leave one out", { remedy: "" });
  return org ? "" : (team ?? null);
};

const baseOf = (text: string): number => (text === "0" ? 0 : versionNumber(text));
