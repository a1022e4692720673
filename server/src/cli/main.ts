#!/usr/bin/env node
import { Fault, type ErrorCode } from "@lanyard/contract";
import { Command, CommanderError } from "commander";
import { settings, systemEnvironment } from "../base/config/environment.ts";
import { version } from "../compose.ts";
import { approvalVerbs } from "./approvals.ts";
import { auditVerbs } from "./audit.ts";
import { catalogVerbs } from "./catalog.ts";
import { adviceOf, ApiError } from "./client.ts";
import type { Context } from "./context.ts";
import { connectVerb } from "./connect-verb.ts";
import { credentialVerbs, lendingVerbs } from "./credentials.ts";
import { demoVerb } from "./demo.ts";
import { doctorVerb } from "./doctor-verb.ts";
import { explainVerb } from "./explain.ts";
import { limitsVerb } from "./limits.ts";
import { logVerb } from "./log.ts";
import { mcpVerb } from "./mcp.ts";
import { reach } from "./reach.ts";
import { policyVerbs } from "./policy/policy.ts";
import { replayVerb } from "./replay.ts";
import { runVerb } from "./run-verb.ts";
import { serveVerb } from "./serve.ts";
import { sessionVerbs } from "./sessions.ts";
import { statusVerb } from "./status.ts";
import { stopVerbs } from "./stop.ts";
import { exit, processTerminal } from "./terminal.ts";
import { tryVerb } from "./try.ts";

/** The whole command line: verbs register themselves on one program, in the order `--help` lists them. */
export function commandLine(context: Context, setConfig: (path: string) => void): Command {
  const program = new Command("lanyard")
    .enablePositionalOptions()
    .description("The leash for AI agents: every call is decided, recorded, and can be explained.")
    .version(version, "--version", "which Lanyard this is")
    .option("-c, --config <file>", "lanyard.yaml to use (default: LANYARD_CONFIG, or ./lanyard.yaml)")
    .hook("preAction", (root) => {
      const { config } = root.opts<{ config?: string }>();
      if (config) setConfig(config);
    })
    .showHelpAfterError("(`lanyard --help` lists every verb)")
    .exitOverride();
  const verbs = [
    demoVerb, serveVerb, runVerb, mcpVerb, statusVerb, logVerb, explainVerb, replayVerb, auditVerbs, approvalVerbs, stopVerbs, catalogVerbs, policyVerbs, tryVerb, sessionVerbs,
    credentialVerbs, lendingVerbs, connectVerb, doctorVerb, limitsVerb,
  ];
  for (const register of verbs) register(program, context);
  return program;
}

/** Exit code and message of whatever a verb threw. Private causes stay private. */
export function failureOf(error: unknown): { code: number; message: string } {
  if (error instanceof CommanderError) return { code: error.exitCode === 0 ? exit.ok : exit.usage, message: "" };
  if (error instanceof ApiError) return { code: error.code === "unreachable" ? exit.unreachable : exitOf(error.code), message: error.message };
  if (error instanceof Fault) return { code: exitOf(error.code), message: adviceOf(error) };
  return { code: exit.failed, message: `an internal error: ${error instanceof Error ? error.stack : String(error)}` };
}

const exitOf = (code: ErrorCode): number => (code === "invalid_config" || code === "invalid_request" || code === "not_found" ? exit.usage : exit.failed);

async function main(argv: readonly string[]): Promise<void> {
  const environment = systemEnvironment();
  const { config } = settings(environment);
  let configPath = config;
  const terminal = processTerminal();
  const context: Context = {
    ...terminal,
    variable: (name) => environment[name] || undefined,
    configPath: () => configPath,
    reach: (options) => reach(context, environment, options),
  };
  try {
    await commandLine(context, (path) => (configPath = path)).parseAsync(argv, { from: "user" });
  } catch (error) {
    const { code, message } = failureOf(error);
    if (message) terminal.err(`${terminal.colour.red("lanyard:")} ${message}`);
    process.exitCode = code;
  }
}

await main(process.argv.slice(2));
