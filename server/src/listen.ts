import { chmodSync, rmSync } from "node:fs";
import { createServer as createHttpServer, type IncomingMessage, type RequestListener, type Server as HttpServer } from "node:http";
import { createServer as createSocketServer, type AddressInfo, type Server } from "node:net";
import { getRequestListener } from "@hono/node-server";
import { Fault } from "@lanyard/contract";
import type { Config } from "./base/config/config.ts";
import type { Log } from "./base/log.ts";
import { gatewaySocket, operatorSocket } from "./base/sockets.ts";
import type { Way } from "./edge/api/api.ts";
import type { EgressDoor } from "./edge/gateway/egress/door.ts";
import type { AuthorityDoor } from "./edge/gateway/lease/door.ts";
import type { Surfaces } from "./edge/surfaces/surfaces.ts";
import type { Gateway } from "./edge/gateway/gateway.ts";
import { mcpHttp } from "./edge/gateway/mcp-http.ts";
import { mcpStdio } from "./edge/gateway/mcp-stdio.ts";

export interface Listening extends AsyncDisposable {
  readonly url: string;
}

interface Doors {
  readonly config: Config;
  readonly gateway: Gateway;
  readonly egress: Pick<EgressDoor, "accept" | "hangUp">;
  readonly authority: Pick<AuthorityDoor, "accept">;
  /** On TCP alone: whoever can open the operator's socket needs no page. */
  readonly surfaces: Pick<Surfaces, "handle">;
  readonly api: (request: Request, way: Way) => Promise<Response>;
  readonly log: Log;
}

/**
 * Opens the three ways in: TCP for agents and token holders, `gateway.sock` for stdio shims, `operator.sock` for the operator. Both sockets
 * lie in the data folder, which only its owner may enter. Throws Fault `conflict` when the port is taken.
 */
export async function listen({ config, gateway, egress, authority, surfaces, api, log }: Doors): Promise<Listening> {
  await using held = new AsyncDisposableStack();
  const { host, port } = config.listen;
  const mcp = mcpHttp(gateway, {});
  const requests = (answer: (request: Request) => Promise<Response>): RequestListener => getRequestListener(answer, { overrideGlobalObjects: false });
  const outside = requests(async (request) => (await surfaces.handle(request)) ?? api(request, { operator: false }));
  const tcp = createHttpServer({ shouldUpgradeCallback: (request) => isEgress(request) || isAuthority(request) }, (request, response) => (isMcp(request.url) ? mcp(request, response) : void outside(request, response)));
  tcp.on("upgrade", (request, socket, head) => (isEgress(request) ? egress : authority).accept(request, socket, head));
  tcp.keepAliveTimeout = keepAliveMs;
  hold(held, tcp);
  held.defer(() => egress.hangUp()); // A port is not free while a connection that came through it is open.
  await bind(tcp, { host, port }, `${host}:${port}`);

  const operator = createHttpServer({ shouldUpgradeCallback: isAuthority }, requests((request) => api(request, { operator: true })));
  operator.keepAliveTimeout = keepAliveMs;
  operator.on("upgrade", (request, socket, head) => authority.accept(request, socket, head));
  hold(held, operator);
  await bindSocket(operator, operatorSocket(config.data));
  const shims = createSocketServer(mcpStdio(gateway));
  held.defer(() => new Promise<void>((resolve) => shims.close(() => resolve())));
  await bindSocket(shims, gatewaySocket(config.data));

  const address = tcp.address() as AddressInfo;
  const url = `http://${address.family === "IPv6" ? `[${address.address}]` : address.address}:${address.port}`;
  log.info("listening", { url });
  const kept = held.move();
  return { url, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}

/** Longer than clients keep an idle connection, so that they close it and no request meets a closing door. */
const keepAliveMs = 75_000;

const isMcp = (url = ""): boolean => url === "/mcp" || url.startsWith("/mcp/") || url.startsWith("/mcp?");

const isEgress = ({ method, url, headers }: IncomingMessage): boolean => method === "GET" && url === "/egress" && headers.upgrade === "lanyard-egress";

const isAuthority = ({ method, url, headers }: IncomingMessage): boolean => method === "GET" && url === "/authority" && headers.upgrade === "lanyard-authority";

function hold(held: AsyncDisposableStack, server: HttpServer): void {
  held.defer(async () => {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    server.closeAllConnections();
    await closed;
  });
}

async function bindSocket(server: Server, path: string): Promise<void> {
  rmSync(path, { force: true }); // left over from a crash: whoever holds the folder's lock owns the name
  await bind(server, { path }, path);
  chmodSync(path, 0o600);
}

const bind = (server: Server, where: { host: string; port: number } | { path: string }, name: string): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once("error", (cause: NodeJS.ErrnoException) => {
      const why = cause.code === "EADDRINUSE" ? "it is in use; stop the other program, or change `listen` in lanyard.yaml" : (cause.code ?? "unknown error");
      reject(new Fault("conflict", `could not listen at \`${name}\`: ${why}`, { cause }));
    });
    server.listen(where, () => resolve());
  });
