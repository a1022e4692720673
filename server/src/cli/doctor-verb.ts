import { mkdtempSync, rmSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import type { Command } from "commander";
import { request } from "undici";
import { systemClock } from "../base/clock.ts";
import type { Config } from "../base/config/config.ts";
import { settings, systemEnvironment } from "../base/config/environment.ts";
import { silent } from "../base/log.ts";
import { operatorSocket } from "../base/sockets.ts";
import { tried } from "../stages/execution/sandbox/choice.ts";
import { compose } from "../compose.ts";
import { answers, client, daemonTransport, localTransport } from "./client.ts";
import type { Context } from "./context.ts";
import { answerIn, checkClients, checkConfig, checkData, checkDenial, checkNode, checkPolicies, checkPort, checkSandbox, checkServers, isHealthy, type Symptom, type Patient } from "./doctor.ts";
import { choiceOptions } from "./run-in-sandbox.ts";
import { exit, json, printable } from "./terminal.ts";

export function doctorVerb(program: Command, context: Context): void {
  program
    .command("doctor")
    .description("says what this machine lacks, and proves with a real call that a denied action is denied")
    .option("--json", "as one JSON object")
    .addHelpText("after", "\nExample:\n  lanyard doctor")
    .action(async (options: { json?: boolean }) => {
      const checks: Symptom[] = [];
      for await (const check of examine(context)) {
        checks.push(check);
        if (!options.json) for (const line of lines(check, context)) context.out(line);
      }
      if (options.json) context.out(json({ healthy: isHealthy(checks), checks }));
      if (!isHealthy(checks)) process.exitCode = exit.failed;
    });
}

const lines = ({ name, state, found, todo }: Symptom, { colour }: Context): string[] => {
  const sign = { ok: colour.green("✓"), warn: colour.yellow("!"), bad: colour.red("✗") }[state];
  return [`${sign} ${name.padEnd(16)} ${printable(found)}`, ...(todo ? [`  ${" ".repeat(16)} -> ${printable(todo)}`] : [])];
};

async function* examine(context: Context): AsyncGenerator<Symptom> {
  const environment = systemEnvironment();
  yield checkNode(process.versions.node);
  const { check, config } = checkConfig(context.configPath());
  yield check;
  if (config) {
    yield* checkData(config.data, systemClock);
    const isRunning = await answers(operatorSocket(config.data));
    yield await checkPort(config.listen, isRunning);
    yield* isRunning ? examineDaemon(running(config), config) : examineOwn(config);
  }
  for await (const candidate of tried(choiceOptions(environment))) yield checkSandbox(candidate);
  yield* checkClients({ home: homedir(), cwd: process.cwd(), lanyardHome: settings(environment).home, environment });
}

async function* examineDaemon(patient: Patient, config: Config, isScratch = false): AsyncGenerator<Symptom> {
  const status = await patient.api.call("status");
  yield* checkServers(status);
  // A ledger to be thrown away knows of no version that was activated.
  if (!isScratch || config.release === "live") yield* checkPolicies(status);
  yield await checkDenial(patient, config);
}

/** No daemon runs: one of our own on the same configuration, with a ledger that is thrown away. */
async function* examineOwn(config: Config): AsyncGenerator<Symptom> {
  const data = mkdtempSync(join(tmpdir(), "lanyard-doctor-"));
  try {
    const scratch: Config = { ...config, data, listen: { host: "127.0.0.1", port: 0 } };
    await using daemon = await compose({ config: scratch, environment: systemEnvironment(), log: silent });
    await daemon.ready();
    yield* examineDaemon({ api: client(localTransport((sent) => daemon.api(sent, { operator: true }))), send }, scratch, true);
  } finally {
    rmSync(data, { recursive: true, force: true });
  }
}

const running = (config: Config): Patient => ({ api: client(daemonTransport(operatorSocket(config.data))), send });

const send: Patient["send"] = async (url, token, message) => {
  const { body } = await request(url, {
    method: "POST",
    headers: {
      authorization: `Bearer ${token}`,
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      "mcp-protocol-version": "2026-07-28",
      "mcp-method": "tools/call",
      "mcp-name": String((message["params"] as { name: string }).name),
    },
    body: JSON.stringify(message),
  });
  return answerIn(await body.text());
};
