import { resolve } from "node:path";
import { z } from "zod";

// The `credentials:` of lanyard.yaml: where each secret lies, what it serves, and where it is put in. The secret itself is never part of it.

/** Where a secret is read from, at each use. Names of other credentials stand for theirs. */
export type CredentialSource =
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "env"; readonly variable: string }
  | { readonly kind: "systemd"; readonly name: string }
  | {
      readonly kind: "vault";
      readonly address: string;
      /** As in the HTTP API, without `/v1/`: `secret/data/github`. */
      readonly path: string;
      readonly field: string;
      readonly namespace: string | null;
      readonly auth: { readonly token: string } | { readonly roleId: string; readonly secretId: string; readonly mount: string };
    }
  | {
      readonly kind: "exchange";
      readonly tokenEndpoint: string;
      readonly subject: string;
      readonly subjectType: string;
      readonly audience: string | null;
      readonly resource: string | null;
      readonly scope: string | null;
      /** Null: the token endpoint asks for no client. */
      readonly client: { readonly id: string; readonly secret: string } | null;
    };

/** Where the value takes the place of its placeholder; `env` is the environment of a server instead. */
export type Injection =
  | { readonly kind: "header"; readonly name: string; readonly prefix: string }
  | { readonly kind: "query"; readonly name: string }
  | { readonly kind: "basic"; readonly user: string }
  | { readonly kind: "askpass"; readonly user: string }
  | { readonly kind: "env"; readonly variable: string };

/** One origin or all below a domain. */
export interface HostPattern {
  readonly scheme: "https" | "http";
  /** Lower case. `*.` at the start stands for one or more labels. */
  readonly host: string;
  readonly port: number;
}

export interface CredentialEntry {
  readonly from: CredentialSource;
  readonly serves: {
    readonly hosts: readonly HostPattern[];
    /** Whole paths, or beginnings that end in `*`; null means every one. */
    readonly paths: readonly string[] | null;
    /** Upper case; null means every one. */
    readonly methods: readonly string[] | null;
    /** Servers that may hold it. */
    readonly servers: readonly string[];
    /** Agents whose sessions get a placeholder; null means all. */
    readonly agents: readonly string[] | null;
    /** Channels that may send with it. */
    readonly channels: readonly string[];
  };
  /** Null when it only feeds `${credential:NAME}` or another credential. */
  readonly inject: Injection | null;
  /** The variable that holds the placeholder inside a sandbox; null when there is none. */
  readonly as: string | null;
  /** What the placeholder begins with, for programs that look at a key before they use it. */
  readonly shape: string;
}

const variable = z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/, "not the name of an environment variable");
const text = z.string().min(1).max(1024).regex(/^[^\0-\x1f\x7f]*$/, "control characters are not allowed here");
const credentialName = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, "a name is 1 to 64 letters, digits, `.`, `_` or `-`, and starts with a letter or digit");

const address = text.refine((url) => {
  const parsed = URL.parse(url);
  if (!parsed || parsed.username || parsed.password || parsed.hash) return false;
  return parsed.protocol === "https:" || (parsed.protocol === "http:" && /^(?:127(?:\.\d{1,3}){3}|localhost|\[::1\])$/.test(parsed.hostname));
}, "an https URL without a user in it (http only to this machine): secrets travel there");

const vault = z.strictObject({
  address,
  path: text.regex(/^[^/?#][^?#]*$/, "the path of the HTTP API without `/v1/`, such as `secret/data/github`"),
  field: text,
  namespace: text.optional(),
  auth: z.union([z.strictObject({ token: credentialName }), z.strictObject({ approle: z.strictObject({ role_id: text, secret_id: credentialName, mount: text.optional() }) })], "`token: NAME` or `approle: {role_id, secret_id: NAME}`, where NAME is another credential"),
});

const exchange = z.strictObject({
  token_endpoint: address,
  subject: credentialName,
  subject_type: text.optional(),
  audience: text.optional(),
  resource: text.optional(),
  scope: text.optional(),
  client: z.strictObject({ id: text, secret: credentialName }).optional(),
});

const source = z
  .strictObject({ file: text.optional(), env: variable.optional(), systemd: text.regex(/^[^/]+$/, "a name, without a folder").optional(), vault: vault.optional(), exchange: exchange.optional() })
  .refine((given) => Object.values(given).filter((one) => one !== undefined).length === 1, "exactly one of `file`, `env`, `systemd`, `vault` or `exchange`");

const hostPattern = /^(?:(https?):\/\/)?((?:\*\.)?[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\])(?::(\d{1,5}))?$/i;
const host = z.string().max(300).regex(hostPattern, "a host such as `api.example.com`, `*.example.com`, `example.com:8443` or `http://127.0.0.1:4010`");

const headerName = z
  .string()
  .regex(/^[!#$%&'*+.^_`|~A-Za-z0-9-]{1,128}$/, "not the name of an HTTP header")
  .refine((name) => !/^(?:host|content-length|transfer-encoding|connection|upgrade|te|trailer|expect|proxy-.*)$/i.test(name), "this header says how the request travels; a credential cannot be in it");
const inject = z
  .strictObject({
    header: z.strictObject({ name: headerName, prefix: z.string().max(64).regex(/^[\x20-\x7e]*$/, "printable ASCII").optional() }).optional(),
    query: text.optional(),
    basic: z.strictObject({ user: text.regex(/^[^:]*$/, "the name of a user has no `:`") }).optional(),
    askpass: z.strictObject({ user: text.regex(/^[^:\s'"\\]*$/, "the name of a user has no `:`, quotes or spaces") }).optional(),
    env: variable.optional(),
  })
  .refine((given) => Object.values(given).filter((one) => one !== undefined).length === 1, "exactly one of `header`, `query`, `basic`, `askpass` or `env`");

/** Variables that would change what programs do rather than whom they speak as. */
const reserved = /^(?:LANYARD_.*|PATH|HOME|SHELL|USER|IFS|ENV|BASH_ENV|LD_.*|NODE_.*|GIT_.*|.*_PROXY|.*_proxy|SSL_CERT_.*|PYTHON.*)$/;

/** The shape of one credential, key by key. References are checked in read.ts, where positions are known. */
export const credentialShape = z
  .strictObject({
    from: source,
    serves: z
      .strictObject({
        hosts: z.array(host).min(1).max(64).optional(),
        paths: z.array(text.regex(/^\/[^*?#]*\*?$/, "a path begins with `/`, and ends in `*` where it stands for all that begin so")).min(1).max(64).optional(),
        methods: z.array(z.string().regex(/^[A-Za-z]{1,32}$/, "the name of a method, such as `POST`")).min(1).max(32).optional(),
        tools: z.array(z.string().max(300).regex(/^[^/]+\/\*$/, "a server holds a credential whichever of its tools is called: write `<server>/*`")).min(1).max(64).optional(),
        agents: z.array(credentialName).min(1).max(256).optional(),
        channels: z.array(credentialName).min(1).max(64).optional(),
      })
      .optional(),
    inject: inject.optional(),
    as: variable.refine((name) => !reserved.test(name), "this variable has a meaning of its own; take another").optional(),
    shape: z.string().regex(/^[A-Za-z0-9_-]{1,32}$/, "1 to 32 letters, digits, `_` or `-`").optional(),
  })
  .superRefine(({ serves = {}, inject: given, as, shape }, context) => {
    const wrong = (message: string, path: string[]) => context.addIssue({ code: "custom", message, path });
    const atDoor = given !== undefined && given.env === undefined;
    if (atDoor && !serves.hosts) wrong("what is put into requests needs `serves: {hosts: [...]}`, or it could go anywhere", ["inject"]);
    if (atDoor && as === undefined && given.askpass === undefined) wrong("needs `as: VARIABLE`, the variable that holds the placeholder in the sandbox", ["inject"]);
    if (!atDoor && serves.hosts) wrong("`hosts` need `inject` with `header`, `query`, `basic` or `askpass`", ["serves", "hosts"]);
    if (!serves.hosts && serves.paths) wrong("`paths` go with `hosts`", ["serves", "paths"]);
    if (!serves.hosts && serves.methods) wrong("`methods` go with `hosts`", ["serves", "methods"]);
    if (!serves.hosts && serves.agents) wrong("`agents` are those that get a placeholder; there is none without `hosts`", ["serves", "agents"]);
    if (given?.env !== undefined && !serves.tools) wrong("`env` needs `serves: {tools: [<server>/*]}`, the servers that get it", ["inject", "env"]);
    if (!atDoor && as !== undefined) wrong("`as` names a placeholder; there is none without `hosts`", ["as"]);
    if (!atDoor && shape !== undefined) wrong("`shape` is a placeholder's; there is none without `hosts`", ["shape"]);
  });

type CredentialFile = z.infer<typeof credentialShape>;

/** Other credentials that one is made with, with the place of each name. */
export function neededBy({ from: { vault: inVault, exchange: by } }: CredentialFile): { readonly name: string; readonly path: readonly string[] }[] {
  const auth = inVault?.auth;
  return [
    ...(auth && "token" in auth ? [{ name: auth.token, path: ["from", "vault", "auth", "token"] }] : []),
    ...(auth && "approle" in auth ? [{ name: auth.approle.secret_id, path: ["from", "vault", "auth", "approle", "secret_id"] }] : []),
    ...(by ? [{ name: by.subject, path: ["from", "exchange", "subject"] }] : []),
    ...(by?.client ? [{ name: by.client.secret, path: ["from", "exchange", "client", "secret"] }] : []),
  ];
}

/** One checked entry of the file as the daemon uses it; `folder` places relative paths. */
export function credentialEntry({ from, serves = {}, inject: given, as, shape }: CredentialFile, folder: string): CredentialEntry {
  return {
    from: sourceOf(from, folder),
    serves: {
      hosts: (serves.hosts ?? []).map(hostOf),
      paths: serves.paths ?? null,
      methods: serves.methods?.map((method) => method.toUpperCase()) ?? null,
      servers: (serves.tools ?? []).map((tools) => tools.slice(0, -"/*".length)),
      agents: serves.agents ?? null,
      channels: serves.channels ?? [],
    },
    inject: given ? injectionOf(given) : null,
    as: as ?? null,
    shape: shape ?? "",
  };
}

const hostOf = (pattern: string): HostPattern => {
  const [, scheme, name = "", port] = hostPattern.exec(pattern) ?? [];
  const kind = scheme?.toLowerCase() === "http" ? "http" : "https";
  return { scheme: kind, host: name.toLowerCase(), port: port === undefined ? (kind === "http" ? 80 : 443) : Number(port) };
};

function sourceOf({ file, env, systemd, vault: inVault, exchange: by }: CredentialFile["from"], folder: string): CredentialSource {
  if (file !== undefined) return { kind: "file", path: resolve(folder, file) };
  if (env !== undefined) return { kind: "env", variable: env };
  if (systemd !== undefined) return { kind: "systemd", name: systemd };
  if (inVault) {
    const { auth, namespace = null, ...same } = inVault;
    return { kind: "vault", ...same, namespace, auth: "token" in auth ? auth : { roleId: auth.approle.role_id, secretId: auth.approle.secret_id, mount: auth.approle.mount ?? "approle" } };
  }
  if (!by) throw new Error("a credential from nowhere"); // the shape has ruled it out
  const { token_endpoint: tokenEndpoint, subject, subject_type: subjectType = "urn:ietf:params:oauth:token-type:access_token", audience, resource, scope, client } = by;
  return { kind: "exchange", tokenEndpoint, subject, subjectType, audience: audience ?? null, resource: resource ?? null, scope: scope ?? null, client: client ?? null };
}

function injectionOf({ header, query, basic, askpass, env }: NonNullable<CredentialFile["inject"]>): Injection {
  if (header) return { kind: "header", name: header.name.toLowerCase(), prefix: header.prefix ?? "" };
  if (query !== undefined) return { kind: "query", name: query };
  if (basic) return { kind: "basic", user: basic.user };
  if (askpass) return { kind: "askpass", user: askpass.user };
  return { kind: "env", variable: env ?? "" };
}
