import { Fault } from "@lanyard/contract";
import type { Environment } from "../base/config/environment.ts";
import { dataFolderIn } from "../base/config/file.ts";
import { silent } from "../base/log.ts";
import { operatorSocket } from "../base/sockets.ts";
import { answers, client, daemonTransport, localTransport, type Client } from "./client.ts";
import type { Context } from "./context.ts";

/**
 * Finds the API: the running daemon's, or, when none runs and reading is all that is wanted, one opened in this process on the same
 * data folder. Its writer lock keeps that from ever happening beside a daemon.
 */
export async function reach(context: Context, environment: Environment, { daemonOnly = false, token }: { daemonOnly?: boolean; token?: string } = {}): Promise<Client> {
  const folder = dataFolderIn(context.configPath());
  if (folder !== null && (await answers(operatorSocket(folder)))) return client(daemonTransport(operatorSocket(folder)), token);
  const config = (await import("../base/config/read.ts")).loadConfig(context.configPath()); // What is wrong with it is said before that nobody answers.
  const socket = operatorSocket(config.data);
  if (daemonOnly) return client(daemonTransport(socket), token);
  const { composeOffline } = await import("../compose.ts"); // All of the daemon: only who needs it waits for it.
  const offline = await composeOffline({ config, environment, log: silent }).catch((error: unknown) => {
    if (error instanceof Fault && error.code === "conflict") throw new Fault("conflict", `a daemon holds \`${config.data}\` but does not answer at \`${socket}\``, { cause: error });
    throw error;
  });
  process.once("beforeExit", () => void offline[Symbol.asyncDispose]());
  return client(localTransport((request) => offline.api(request, { operator: true })), token);
}
