import { webServer } from "@lanyard/contract";
import { z } from "zod";
import { parseAuthority } from "../host.ts";
import { limits, type LimitName } from "../limits.ts";
import { channelShape, emailAddress, isSafeUrl, notifyShape, slackUser } from "./channels.ts";
import { contractShape, entityTypeShape } from "./contract-shape.ts";
import { alertShape } from "./alerts.ts";
import { budgetShape } from "./budgets.ts";
import { credentialShape } from "./credentials.ts";
import { labelsShape, trustShape, yieldsShape } from "./labels.ts";
import { stopShape } from "./stop.ts";
import { maxTextChars, noControl, template } from "./template.ts";
import { contractUseShape } from "./undo.ts";

// The shape of lanyard.yaml, key by key. References between its parts are checked in read.ts, where positions are known.

const nameHint = "a name is 1 to 64 letters, digits, `.`, `_` or `-`, and starts with a letter or digit";
const name = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, nameHint);
// The aggregated tool list joins server and tool by `__` where two servers collide; a server's name must leave that readable.
const serverName = name
  .refine((text) => !text.includes("__"), "the name of a server must not contain `__`")
  .refine((text) => !text.endsWith("_"), "the name of a server must not end with `_`: `a___x` could be `_x` of `a` or `x` of `a_`");
const upstreamName = serverName.refine((text) => text !== webServer, "`web` is Lanyard's own name for what leaves a sandbox; call the server something else");
const contractName = z.string().max(limits.name_chars.value).regex(/^[^/]+\/.+$/s, "a contract is named `<server>/<tool>`");

const line = z.string().min(1).max(maxTextChars).refine(noControl, "control characters are not allowed here");
const plain = line.refine((text) => !text.includes("${env:") && !text.includes("${credential:"), "`${env:NAME}` and `${credential:NAME}` work only in the values of `env` and `headers`, and in secrets of `channels`");

const names = z.array(name).max(256);
const minutes = z.int().min(1).max(limits.session_ms.value / 60_000);

const agent = z.strictObject({
  team: name,
  classes: names.optional(),
  servers: z.array(serverName).max(256).optional(),
  on_behalf_of: names.optional(),
  run_by: names.optional(),
  session_minutes: minutes.optional(),
});

const isolated = z.strictObject({
  driver: z.enum(["microvm", "gvisor", "process"]).optional(),
  readable: z.array(plain).max(256).optional(),
  egress: z.strictObject({ agent: name, on_behalf_of: name }).optional(),
});

const oauth = z
  .strictObject({
    grant: z.enum(["authorization_code", "client_credentials"]).optional(),
    issuer: plain.optional(),
    client_id: plain.optional(),
    client_secret: name.optional(),
    scope: plain.optional(),
  })
  .refine(({ grant, client_id: id, client_secret: secret }) => grant !== "client_credentials" || (id !== undefined && secret !== undefined), "`client_credentials` needs `client_id` and `client_secret`, which names a credential");

const server = z
  .strictObject({
    command: plain.optional(),
    args: z.array(z.string().max(maxTextChars).refine((text) => !/\0|\$\{(?:env|credential):/.test(text), "no NUL, no `${env:...}` and no `${credential:...}` here: arguments are visible to every process of the machine")).max(256).optional(),
    cwd: plain.optional(),
    env: z.record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, "not the name of an environment variable"), template).optional(),
    isolated: z.union([z.boolean(), isolated], "`true`, or what it is given: `{driver, readable, egress: {agent, on_behalf_of}}`").optional(),
    oauth: z.union([z.literal(true), oauth], "`true`, or `{grant, issuer, client_id, client_secret, scope}`").optional(),
    url: plain.optional(),
    yields: yieldsShape.optional(),
    headers: z.record(z.string().regex(/^[!#$%&'*+.^_`|~A-Za-z0-9-]+$/, "not the name of an HTTP header"), template).optional(),
  })
  .superRefine((entry, context) => {
    const wrong = (message: string, path: string[] = []) => context.addIssue({ code: "custom", message, path });
    const stray = (keys: readonly ("args" | "cwd" | "env" | "headers" | "isolated" | "oauth")[], kind: string) => {
      for (const key of keys) if (entry[key] !== undefined) wrong(`\`${key}\` does not go with \`${kind}\``, [key]);
    };
    if (entry.command !== undefined && entry.url !== undefined) return wrong("a server has either `command` or `url`, not both");
    if (entry.command !== undefined) return stray(["headers", "oauth"], "command");
    if (entry.url === undefined) return wrong("a server needs `command` (started here) or `url` (reached over HTTP)");
    stray(["args", "cwd", "env", "isolated"], "url");
    const url = URL.parse(entry.url);
    if (!url || (url.protocol !== "http:" && url.protocol !== "https:")) return wrong(`\`${entry.url}\` is no http or https URL`, ["url"]);
    if (url.username || url.password) wrong("credentials in a URL end up in logs; put them into `headers` as `${env:NAME}`", ["url"]);
    if (entry.oauth !== undefined && Object.keys(entry.headers ?? {}).some((key) => key.toLowerCase() === "authorization")) wrong("`oauth` gives the header `Authorization`", ["headers"]);
  });

const resource = z.strictObject({ labels: names.optional(), owner: name.optional(), yields: trustShape.optional() });
const recheck = z.strictObject({ share: z.number().min(0).max(1).optional(), on_difference: z.enum(["alarm", "deny"]).optional() });

const endpoint = z.string().refine((text) => parseAuthority(text, null) !== null, "an endpoint is `host:port`: a name in plain letters, `10.0.0.7:5432`, `[fd00::7]:5432`");
const egress = z.strictObject({ tcp: z.array(endpoint).max(256).optional(), private: z.array(endpoint).max(256).optional(), ca: plain.optional() });
const gates = z.strictObject({
  commands: z.array(z.union([line, z.strictObject({ run: line, minutes: z.int().min(1).max(120).optional() })])).max(32).optional(),
  protected: z.array(line).max(1000).optional(),
  owners: z.array(line).max(1000).optional(),
  max_bytes: z.int().min(0).max(limits.workspace_bytes.value).optional(),
  max_files: z.int().min(0).max(limits.workspace_files.value).optional(),
});

const publicUrl = plain.refine((text) => isSafeUrl(text) && URL.parse(text)?.pathname === "/" && !text.includes("?"), "an https URL without path or user (http only to this machine), such as `https://lanyard.example.com`");

const lowered = ([key, { value, unit }]: [string, { value: number; unit: string }]) => [
  key,
  z.int().min(1).max(value, `\`${key}\` may be lowered, not raised: at most ${value} ${unit}`).optional(),
];

export const configShape = z.strictObject({
  version: z.literal(1, "`version: 1` is the only version there is"),
  listen: z.string().optional(),
  allow_remote: z.boolean().optional(),
  data: plain.optional(),
  policies: plain.optional(),
  release: z.enum(["live", "reviewed"]).optional(),
  recheck: recheck.optional(),
  owners: names.optional(),
  teams: z.record(name, z.strictObject({ owners: names.optional() })).optional(),
  groups: z.record(name, z.strictObject({ team: name.optional() })).optional(),
  resources: z.record(entityTypeShape, z.record(z.string().min(1).max(256), resource)).optional(),
  users: z.record(name, z.strictObject({ groups: names.optional(), email: emailAddress.optional(), slack: slackUser.optional() })).optional(),
  agents: z.record(name, agent).optional(),
  servers: z.record(upstreamName, server).optional(),
  credentials: z.record(name, credentialShape).optional(),
  channels: z.record(name, channelShape).optional(),
  public_url: publicUrl.optional(),
  approvals: z.strictObject({ notify: notifyShape(name).optional() }).optional(),
  tools: z.record(contractName, contractShape).optional(),
  labels: labelsShape.optional(),
  contracts: z.record(serverName, contractUseShape).optional(),
  undo: z.strictObject({ agent: name, by: names.optional() }).optional(),
  origins: z.strictObject({ directory: z.array(line.max(1024)).max(10_000).optional(), declassify: names.optional() }).optional(),
  egress: egress.optional(),
  gates: gates.optional(),
  ...stopShape(template, plain),
  alerts: alertShape.optional(),
  budgets: z.record(name, budgetShape).optional(),
  limits: z.strictObject(Object.fromEntries(Object.entries(limits).map(lowered)) as Record<LimitName, z.ZodOptional<z.ZodInt>>).optional(),
});

export type ConfigFile = z.infer<typeof configShape>;

/** The keys an object of the file may have at `path`; empty where keys are names. Serves the hint at a mistyped key. */
export function knownKeys(path: readonly PropertyKey[]): string[] {
  let at: unknown = configShape;
  for (const step of path) {
    at = bare(at);
    if (at instanceof z.ZodObject) at = at.shape[String(step)];
    else if (at instanceof z.ZodRecord) at = at.valueType;
    else return [];
  }
  const end = bare(at);
  return end instanceof z.ZodObject ? Object.keys(end.shape) : [];
}

const bare = (schema: unknown): unknown => (schema instanceof z.ZodOptional ? bare(schema.unwrap()) : schema instanceof z.ZodPipe ? bare(schema.out) : schema);
