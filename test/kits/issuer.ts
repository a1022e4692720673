import { createHash, createPublicKey, generateKeyPairSync, verify, type JsonWebKey } from "node:crypto";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import Provider from "oidc-provider";

/** oidc-provider on loopback: an authorization server as MCP servers use one. Every login there says yes. */
export class Issuer implements AsyncDisposable {
  readonly url: string;
  readonly #server: Server;

  private constructor(server: Server, url: string) {
    this.#server = server;
    this.url = url;
  }

  /** `secret`: of the client `machine`. Access tokens live for `seconds`. */
  static async open({ secret, seconds }: { secret: string; seconds: number }): Promise<Issuer> {
    const server = createServer();
    await new Promise<void>((done) => void server.listen(0, "127.0.0.1", done));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
    const provider = new Provider(url, {
      jwks: { keys: [{ ...privateKey.export({ format: "jwk" }), use: "sig", alg: "RS256", kid: "k1" }] },
      cookies: { keys: [createHash("sha256").update(url).digest("hex")] },
      clients: [{ client_id: "machine", client_secret: secret, grant_types: ["client_credentials"], redirect_uris: [], response_types: [] }],
      features: {
        devInteractions: { enabled: true },
        registration: { enabled: true },
        clientCredentials: { enabled: true },
        resourceIndicators: {
          enabled: true,
          defaultResource: () => undefined,
          useGrantedResource: () => true,
          getResourceServerInfo: (_context: unknown, resource: string) => ({ scope: "tools", audience: resource, accessTokenFormat: "jwt", jwt: { sign: { alg: "RS256" } }, accessTokenTTL: seconds }),
        },
      },
      ttl: { AccessToken: seconds, RefreshToken: 3600, Session: 3600, Grant: 3600, Interaction: 600, ClientCredentials: seconds, IdToken: 600 },
      issueRefreshToken: () => true,
      rotateRefreshToken: () => true,
      findAccount: (_context: unknown, id: string) => ({ accountId: id, claims: () => ({ sub: id }) }),
    });
    server.on("request", provider.callback());
    return new Issuer(server, url);
  }

  /** Goes through the pages of a login as a browser does, and resolves with the URL that it is sent back to. */
  async sayYes(start: string): Promise<string> {
    const cookies = new Map<string, string>();
    let next: { url: string; form?: Record<string, string> } = { url: start };
    for (let step = 0; step < 12; step++) {
      if (next.url.includes("/callback?")) return next.url;
      const response = await fetch(next.url, {
        redirect: "manual",
        headers: { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join("; ") },
        ...(next.form && { method: "POST", body: new URLSearchParams(next.form) }),
      });
      for (const line of response.headers.getSetCookie()) {
        const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
        if (value === "") cookies.delete(name);
        else cookies.set(name, value);
      }
      const location = response.headers.get("location");
      if (location !== null) next = { url: new URL(location, next.url).href };
      else {
        const page = await response.text();
        const [, action = ""] = /<form[^>]* action="([^"]+)"/.exec(page) ?? [];
        const [, prompt = ""] = /name="prompt" value="([^"]+)"/.exec(page) ?? [];
        if (action === "") throw new Error(`the issuer shows no form at step ${step} (${response.status}): ${page.replace(/<[^>]+>/g, " ").replace(/\s+/g, " ").slice(0, 400)}`);
        next = { url: new URL(action, next.url).href, form: { prompt, login: "ana", password: "x" } };
      }
    }
    throw new Error("the login does not end");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((done) => void this.#server.close(() => done()));
  }
}

/** An MCP server over HTTP that takes tokens of an issuer, and only those that were issued for it. */
export class GuardedServer implements AsyncDisposable {
  readonly url: string;
  /** The tokens that came, and what was said to each. */
  readonly seen: { readonly token: string; readonly accepted: boolean }[] = [];
  readonly #server: Server;

  private constructor(server: Server, url: string) {
    this.#server = server;
    this.url = url;
  }

  static async open(issuer: string): Promise<GuardedServer> {
    const server = createServer();
    await new Promise<void>((done) => void server.listen(0, "127.0.0.1", done));
    const guarded = new GuardedServer(server, `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`);
    const keys: Promise<{ keys: JsonWebKey[] }> = fetch(`${issuer}/jwks`).then((response) => response.json() as Promise<{ keys: JsonWebKey[] }>);
    server.on("request", (request, response) => {
      if (request.url === "/.well-known/oauth-protected-resource/mcp") return void response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ resource: guarded.url, authorization_servers: [issuer] }));
      void guarded.#answer(request, issuer, keys).then(({ status, json }) => response.writeHead(status, { "content-type": "application/json" }).end(json === null ? "" : JSON.stringify(json)));
    });
    return guarded;
  }

  async #answer(request: IncomingMessage, issuer: string, keys: Promise<{ keys: JsonWebKey[] }>): Promise<{ status: number; json: unknown }> {
    let body = "";
    for await (const chunk of request) body += String(chunk);
    const token = /^Bearer (.+)$/.exec(request.headers.authorization ?? "")?.[1] ?? "";
    const accepted = this.#isGood(token, issuer, (await keys).keys);
    if (request.method === "POST") this.seen.push({ token, accepted });
    if (!accepted) return { status: 401, json: { error: "invalid_token" } };
    if (request.method !== "POST") return { status: 405, json: null };
    const { id, method, params } = JSON.parse(body) as { id?: number; method: string; params?: { protocolVersion?: string } };
    if (id === undefined) return { status: 202, json: null };
    const results: Record<string, unknown> = {
      initialize: { protocolVersion: params?.protocolVersion, capabilities: { tools: {} }, serverInfo: { name: "guarded", version: "1" } },
      "tools/list": { tools: [{ name: "who", inputSchema: { type: "object" } }] },
      "tools/call": { content: [{ type: "text", text: `you came with ${token}` }] },
    };
    return { status: 200, json: { jsonrpc: "2.0", id, ...(results[method] ? { result: results[method] } : { error: { code: -32601, message: "no" } }) } };
  }

  #isGood(token: string, issuer: string, keys: readonly JsonWebKey[]): boolean {
    const [head = "", payload = "", signature = ""] = token.split(".");
    const key = keys[0];
    if (!key || signature === "") return false;
    const claims = JSON.parse(Buffer.from(payload, "base64url").toString()) as { iss: string; aud: string | string[]; exp: number };
    return verify("RSA-SHA256", Buffer.from(`${head}.${payload}`), createPublicKey({ key, format: "jwk" }), Buffer.from(signature, "base64url")) && claims.iss === issuer && [claims.aud].flat().includes(this.url) && claims.exp * 1000 > Date.now();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((done) => void this.#server.close(() => done()));
  }
}
