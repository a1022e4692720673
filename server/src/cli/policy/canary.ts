import { Fault, type JsonObject } from "@lanyard/contract";
import type { Command } from "commander";
import type { Context } from "../context.ts";
import { json } from "../terminal.ts";
import { asOneself, credentialHelp, printProblems, versionNumber, type PostAnswer } from "./oneself.ts";

interface CanaryOptions {
  stop?: boolean;
  denyRate?: string;
  errorRate?: string;
  latencyP99Us?: string;
  minimum?: string;
  json?: boolean;
}

export function canaryVerb(policy: Command, context: Context): void {
  policy
    .command("canary [version] [share]")
    .description("lets a version decide for a share of the sessions; it is taken back when it leaves its bands")
    .option("--stop", "ends it")
    .option("--deny-rate <points>", "greatest distance of the share of denied calls from the active version's, percentage points", "5")
    .option("--error-rate <points>", "greatest excess of the share of decisions in which a policy failed, percentage points", "1")
    .option("--latency-p99-us <us>", "greatest excess of the 99th percentile of deciding, microseconds", "2000")
    .option("--minimum <decisions>", "decisions on each side before the bands are looked at", "100")
    .option("--json", "as one JSON object")
    .addHelpText("after", `${credentialHelp}\nExample:\n  lanyard policy canary 4 5%\n  lanyard policy canary 4 20% --deny-rate 2 --minimum 500\n  lanyard policy canary --stop`)
    .action(async (text: string | undefined, share: string | undefined, options: CanaryOptions) => {
      const body = options.stop ? stopped(text) : canaryOf(text, share, options);
      const answer = await (await asOneself(context, "run a canary")).call<PostAnswer>("policy_canary", { body });
      if (options.json) context.out(json(answer));
      if (!answer.ok) return printProblems(context, answer.problems ?? [], "no canary");
      if (!options.json) context.out(options.stop ? "the canary has ended" : `version ${text} decides for ${share} of the sessions; \`lanyard policy show canary\` tells how it does`);
    });
}

const wrong = (message: string): never => {
  throw new Fault("invalid_request", message);
};

const stopped = (text: string | undefined): JsonObject => (text === undefined ? { version: null } : wrong("name a version and its share, or --stop"));

const canaryOf = (text: string | undefined, share: string | undefined, options: CanaryOptions): JsonObject => {
  if (text === undefined || share === undefined) return wrong("name a version and its share of the sessions, as in `canary 4 5%`, or --stop");
  const [, points] = /^(\d{1,2}(?:\.\d{1,4})?)%$/.exec(share) ?? [];
  if (!points || Number(points) === 0) return wrong(`\`${share}\` is no share of the sessions: write a percentage above 0 and below 100, as in \`5%\``);
  return {
    version: versionNumber(text),
    share: Number(points) / 100,
    deny_rate: figure(options.denyRate, "--deny-rate"),
    error_rate: figure(options.errorRate, "--error-rate"),
    latency_p99_us: figure(options.latencyP99Us, "--latency-p99-us"),
    minimum: figure(options.minimum, "--minimum"),
  };
};

const figure = (text = "", option: string): number => (/^\d{1,8}(\.\d{1,4})?$/.test(text) ? Number(text) : wrong(`\`${text}\` is no figure for ${option}`));
