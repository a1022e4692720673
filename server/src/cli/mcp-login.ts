import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Fault } from "@lanyard/contract";
import type { Command } from "commander";
import type { Context } from "./context.ts";
import { printable, time } from "./terminal.ts";

const waitMs = 600_000;

/** Logging in at MCP servers over HTTP, for all agents: a person does it once, in a browser. */
export function mcpLoginVerbs(mcp: Command, context: Context): void {
  mcp
    .command("login <server>")
    .description("logs Lanyard in at a server of lanyard.yaml that has `oauth`; you say yes in a browser")
    .addHelpText("after", "\nExample:\n  lanyard mcp login docs")
    .action(async (server: string) => {
      const api = await context.reach({ daemonOnly: true });
      await using callback = await listenForCallback();
      const { url, issuer } = await api.call<{ url: string; issuer: string }>("server_login", { body: { server, redirect_uri: callback.uri } });
      context.err(`open this page and say yes; ${printable(issuer)} sends you back here:`);
      context.out(printable(url));
      const { expires_at_ms: untilMs } = await api.call<{ expires_at_ms: number | null }>("server_login_finish", { body: { callback: await callback.called } });
      context.err(`logged in at ${server}${untilMs === null ? "" : `; its token is renewed by itself after ${time(untilMs)}`}`);
    });

  mcp
    .command("logout <server>")
    .description("forgets the tokens for a server")
    .action(async (server: string) => {
      await (await context.reach()).call("server_logout", { body: { server } });
      context.out(`forgot the tokens for ${server}`);
    });
}

/** The page of this machine that a browser is sent back to (RFC 8252, 7.3), open for one answer. */
async function listenForCallback(): Promise<AsyncDisposable & { readonly uri: string; readonly called: Promise<string> }> {
  const { promise: called, resolve, reject } = Promise.withResolvers<string>();
  const server = createServer((request, response) => {
    const isCallback = request.method === "GET" && request.url?.startsWith("/callback?") === true;
    response.writeHead(isCallback ? 200 : 404, { "content-type": "text/plain", connection: "close" }).end(isCallback ? "Done. You can close this page; the terminal says how it went.\n" : "nothing here\n");
    if (isCallback) resolve(`${uri}${request.url?.slice("/callback".length) ?? ""}`);
  });
  await new Promise<void>((done) => void server.listen(0, "127.0.0.1", done));
  const uri = `http://127.0.0.1:${(server.address() as AddressInfo).port}/callback`;
  const late = setTimeout(() => reject(new Fault("no_credential", "nobody said yes within ten minutes")), waitMs);
  called.catch(() => {});
  return {
    ...{ uri, called },
    [Symbol.asyncDispose]: async () => {
      clearTimeout(late);
      server.closeAllConnections();
      await new Promise<void>((done) => void server.close(() => done()));
    },
  };
}
