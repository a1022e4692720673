import { createWriteStream, readFileSync, writeFileSync } from "node:fs";
import { pipeline } from "node:stream/promises";
import { Fault } from "@lanyard/contract";
import type { Command } from "commander";
import { systemClock } from "../base/clock.ts";
import { loadConfig } from "../base/config/read.ts";
import { verifyStore, type VerifyOptions, type VerifyReport } from "../base/store/verify.ts";
import type { Context } from "./context.ts";
import { exit, json, printable, type Terminal } from "./terminal.ts";

interface VerifyVerbOptions {
  from?: string;
  key?: string;
  json?: boolean;
}

export function auditVerbs(program: Command, context: Context): void {
  const audit = program
    .command("audit")
    .description("proof: verify the ledger, write checkpoints and proofs an auditor can check offline")
    .addHelpText(
      "after",
      "\nExample:\n  lanyard audit checkpoint > monday.note\n  lanyard audit verify --from monday.note\n  lanyard audit prove 42 && node ledger/src/verify.ts 42.tlog-proof --key \"$(lanyard audit key)\"",
    );

  audit
    .command("verify")
    .description("recomputes every leaf, the tree and every signature; needs no daemon")
    .option("--from <file>", "a checkpoint kept from before: finds truncation, restored backups and rewritten history")
    .option("--key <vkey>", "the verifier key as you kept it; without it the data folder's own is believed")
    .option("--json", "as one JSON object")
    .addHelpText("after", "\nExits 1 when anything is not as it was written.\n\nExample:\n  lanyard audit verify --from monday.note")
    .action(async (options: VerifyVerbOptions) => {
      const { data } = loadConfig(context.configPath());
      const given: VerifyOptions = { ...(options.from !== undefined && { from: textOf(options.from) }), ...(options.key !== undefined && { key: options.key }) };
      if (options.json) {
        const report = await verifyStore(data, given);
        context.out(json(report));
        if (report.findings.length > 0) process.exitCode = exit.failed;
        return;
      }
      const { lines, intact } = await verifyLines(data, given, context);
      for (const line of lines) context.out(line);
      if (!intact) process.exitCode = exit.failed;
    });

  audit
    .command("prove <entry>")
    .description("writes a tlog-proof file (C2SP) of one entry, `<entry>.tlog-proof`")
    .option("-o, --output <file>", "where to; - for standard output")
    .action(async (entry: string, options: { output?: string }) => {
      const proof = await (await context.reach()).text("audit_prove", { at: { seq: entry } });
      if (options.output === "-") return context.out(proof.trimEnd());
      const file = options.output ?? `${entry.replace(/[^\w-]/g, "_")}.tlog-proof`;
      writeFileSync(file, proof);
      context.out(`wrote ${file}`);
    });

  audit
    .command("export <file>")
    .description("writes the whole ledger, records and checkpoint, for an auditor to verify offline; payloads stay sealed here")
    .addHelpText("after", '\nExample:\n  lanyard audit export ledger.txt && node ledger/src/verify.ts ledger.txt --key "$(lanyard audit key)"')
    .action(async (file: string) => {
      const lines = await (await context.reach()).raw("audit_export");
      await pipeline(lines, createWriteStream(file, { mode: 0o600 }));
      context.out(`wrote ${file}`);
    });

  audit
    .command("checkpoint")
    .description("prints the signed checkpoint of the whole ledger; keep it where the daemon's machine cannot reach")
    .action(async () => context.out((await (await context.reach()).text("audit_checkpoint")).trimEnd()));

  audit
    .command("key")
    .description("prints the key that verifies checkpoints and proofs")
    .action(async () => context.out((await (await context.reach()).text("audit_key")).trim()));
}

function textOf(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    throw new Fault("invalid_request", `the checkpoint \`${file}\` cannot be read`, { cause });
  }
}

/** Verifies and says so in lines for people; progress goes to standard error on a terminal. */
export async function verifyLines(data: string, options: VerifyOptions, { colour, live }: Pick<Terminal, "colour" | "live">): Promise<{ lines: string[]; intact: boolean }> {
  const startedUs = systemClock.monotonicUs();
  const progress = (done: number, all: number): void => void process.stderr.write(`\r  ${done} of ${all} entries`);
  const report: VerifyReport = await verifyStore(data, { ...options, ...(live && { progress }) });
  if (live) process.stderr.write("\r\x1b[K");
  const seconds = ((systemClock.monotonicUs() - startedUs) / 1_000_000).toFixed(2);
  if (report.findings.length === 0) {
    const against = options.from ? "consistent with the checkpoint you kept" : "keep a checkpoint (`lanyard audit checkpoint`) elsewhere, and later verify `--from` it: only then is a restored backup found";
    return { lines: [`${colour.green("intact")}: ${report.records} entries of ${report.ledger} verified in ${seconds} s; ${against}`], intact: true };
  }
  const lines = report.findings.map(({ seq, what, expected, found }) => {
    const detail = [expected && `expected ${expected}`, found && `found ${found}`].filter(Boolean).join(", ");
    return printable(`${seq === null ? "ledger" : `entry ${seq}`}: ${what}${detail ? ` (${detail})` : ""}`);
  });
  const total = report.findings.length + report.more;
  return { lines: [colour.red(`DAMAGED: ${total} finding${total === 1 ? "" : "s"} in ${report.records} entries`), ...lines, ...(report.more > 0 ? [`and ${report.more} more`] : [])], intact: false };
}
