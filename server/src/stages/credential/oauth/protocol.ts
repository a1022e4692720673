import { Fault } from "@lanyard/contract";
import * as oauth from "oauth4webapi";
import type { OauthServer } from "../../../base/config/config.ts";

// OAuth 2.1 as MCP asks for it (2026-07-28, basic/authorization): the server says who issues its tokens (RFC 9728), the issuer what it speaks
// (RFC 8414), and every token is asked for one server (RFC 8707), so that no other will take it.

/** Who issues tokens for a server, and what we are to it. */
export interface Registration {
  readonly as: oauth.AuthorizationServer;
  readonly client: oauth.Client;
  /** Null: a public client. */
  readonly secret: string | null;
}

export interface IssuedTokens {
  readonly access: string;
  readonly refresh: string | null;
  /** Milliseconds since the epoch; null when the issuer does not say. */
  readonly expiresAtMs: number | null;
}

const askMs = 10_000;
const loopback = /^(?:127(?:\.\d{1,3}){3}|localhost|\[::1\])$/;

/** Plain HTTP only between programs of this machine. */
const optionsFor = (server: string) => {
  const ours = loopback.test(new URL(server).hostname);
  return {
    [oauth.allowInsecureRequests]: ours,
    [oauth.customFetch]: (url: string, options: oauth.CustomFetchOptions<string, unknown>) => {
      if (new URL(url).protocol !== "https:" && !(ours && loopback.test(new URL(url).hostname))) throw new Fault("no_credential", `\`${new URL(url).origin}\` does not use https, and tokens travel there`);
      return fetch(url, { ...(options as RequestInit), redirect: "manual", signal: AbortSignal.timeout(askMs) });
    },
  };
};

/** What somebody else's server may be repeated with: a code of the standards. */
const codeOf = (error: unknown): string => {
  const { error: code, code: own, status } = error as { error?: unknown; code?: unknown; status?: unknown };
  const known = [code, own].find((one): one is string => typeof one === "string" && /^[A-Za-z_]{3,50}$/.test(one));
  return known ?? (typeof status === "number" ? `HTTP ${status}` : (error as Error).name);
};

/** Throws Fault `no_credential` that says what was tried, and of what was answered no more than an error code. */
export async function attempt<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof Fault) throw error;
    throw new Fault("no_credential", `${what}: ${codeOf(error)}`);
  }
}

/** Finds out who issues tokens for a server. Throws Fault `no_credential`. */
export function discover(server: string, wanted: string | null): Promise<oauth.AuthorizationServer> {
  return attempt(`asking who issues tokens for \`${server}\``, async () => {
    const options = optionsFor(server);
    const issuer = wanted ?? (await issuerNamedBy(server, options));
    const from = async (algorithm: "oauth2" | "oidc") => oauth.processDiscoveryResponse(new URL(issuer), await oauth.discoveryRequest(new URL(issuer), { algorithm, ...options }));
    const as = await from("oauth2").catch(() => from("oidc"));
    if (!as.code_challenge_methods_supported?.includes("S256")) throw new Fault("no_credential", `the issuer \`${issuer}\` does not say that it supports PKCE with S256, without which a code could be stolen`);
    return as;
  });
}

async function issuerNamedBy(server: string, options: ReturnType<typeof optionsFor>): Promise<string> {
  const { authorization_servers: issuers = [] } = await oauth.processResourceDiscoveryResponse(new URL(server), await oauth.resourceDiscoveryRequest(new URL(server), options));
  const [issuer, ...more] = issuers;
  if (issuer === undefined || more.length > 0) throw new Fault("no_credential", `\`${server}\` names ${issuers.length} issuers of tokens; write the one that is meant as \`issuer\``);
  return issuer;
}

/** What we are to the issuer: as lanyard.yaml says, or registered there now (RFC 7591). Throws Fault `no_credential`. */
export function register(server: string, as: oauth.AuthorizationServer, { clientId }: OauthServer, secret: string | null, redirectUri: string): Promise<Registration> {
  return attempt(`registering at \`${as.issuer}\``, async () => {
    if (clientId !== null) return { as, client: { client_id: clientId }, secret };
    if (as.registration_endpoint === undefined) throw new Fault("no_credential", `the issuer \`${as.issuer}\` registers nobody by itself; register Lanyard there and write \`client_id\``);
    const asked = { client_name: "Lanyard", redirect_uris: [redirectUri], grant_types: ["authorization_code", "refresh_token"], response_types: ["code"], token_endpoint_auth_method: "none", application_type: "native" };
    const client = await oauth.processDynamicClientRegistrationResponse(await oauth.dynamicClientRegistrationRequest(as, asked, optionsFor(server)));
    return { as, client: { client_id: client.client_id }, secret: typeof client.client_secret === "string" ? client.client_secret : null };
  });
}

const authOf = ({ as, secret }: Registration): oauth.ClientAuth => {
  if (secret === null) return oauth.None();
  const methods = as.token_endpoint_auth_methods_supported ?? ["client_secret_basic"];
  return methods.includes("client_secret_basic") ? oauth.ClientSecretBasic(secret) : oauth.ClientSecretPost(secret);
};

/** The page on which a person says yes. Throws Fault `no_credential`. */
export async function authorizationUrl({ as, client }: Registration, asked: { server: string; redirectUri: string; state: string; verifier: string; scope: string | null }): Promise<string> {
  if (as.authorization_endpoint === undefined) throw new Fault("no_credential", `the issuer \`${as.issuer}\` has no page to log in at`);
  const url = new URL(as.authorization_endpoint);
  const query = {
    client_id: client.client_id,
    response_type: "code",
    redirect_uri: asked.redirectUri,
    state: asked.state,
    code_challenge: await oauth.calculatePKCECodeChallenge(asked.verifier),
    code_challenge_method: "S256",
    resource: asked.server,
    ...(asked.scope !== null && { scope: asked.scope }),
    ...(asked.scope?.split(" ").includes("offline_access") && { prompt: "consent" }), // OpenID Connect Core, 11
  };
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
  return url.href;
}

export const newVerifier = (): string => oauth.generateRandomCodeVerifier();

/** The code that came back for tokens. Throws Fault `no_credential`. */
export function redeem(registration: Registration, login: { server: string; redirectUri: string; state: string; verifier: string }, callback: URL, nowMs: number): Promise<IssuedTokens> {
  const { as, client } = registration;
  return attempt(`logging in at \`${as.issuer}\``, async () => {
    const parameters = oauth.validateAuthResponse(as, client, callback, login.state);
    const response = await oauth.authorizationCodeGrantRequest(as, client, authOf(registration), parameters, login.redirectUri, login.verifier, { ...optionsFor(login.server), additionalParameters: { resource: login.server } });
    return issued(await oauth.processAuthorizationCodeResponse(as, client, response), null, nowMs);
  });
}

/** New tokens for the one that was kept for it; the issuer may replace that too. Throws Fault `no_credential`, and oauth4webapi's own error when the issuer says no. */
export async function renew(registration: Registration, server: string, refresh: string, nowMs: number): Promise<IssuedTokens> {
  const { as, client } = registration;
  const response = await oauth.refreshTokenGrantRequest(as, client, authOf(registration), refresh, { ...optionsFor(server), additionalParameters: { resource: server } });
  return issued(await oauth.processRefreshTokenResponse(as, client, response), refresh, nowMs);
}

/** A token for a machine: nobody is asked. Throws Fault `no_credential`. */
export function forMachine(registration: Registration, server: string, scope: string | null, nowMs: number): Promise<IssuedTokens> {
  const { as, client } = registration;
  return attempt(`asking \`${as.issuer}\` for a token`, async () => {
    const response = await oauth.clientCredentialsGrantRequest(as, client, authOf(registration), { resource: server, ...(scope !== null && { scope }) }, optionsFor(server));
    return issued(await oauth.processClientCredentialsResponse(as, client, response), null, nowMs);
  });
}

export const isRefused = (error: unknown): boolean => error instanceof oauth.ResponseBodyError && error.error === "invalid_grant";

const issued = ({ access_token: access, refresh_token: refresh, expires_in: seconds }: oauth.TokenEndpointResponse, before: string | null, nowMs: number): IssuedTokens => ({
  access,
  refresh: refresh ?? before,
  expiresAtMs: seconds === undefined ? null : nowMs + seconds * 1000,
});
