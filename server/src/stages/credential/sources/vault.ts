import { Fault, isObject } from "@lanyard/contract";
import type * as Vault from "node-vault";
import { askJson } from "./ask.ts";
import type { SecretSource } from "./source.ts";

/** How long a secret without a lease of its own is kept: it can be changed there at any time, and asking for each call would make it a bottleneck. */
const keepMs = 30_000;

/**
 * Vault or OpenBao: the engines `kv` (both versions) and whatever else answers a read with `data`. A secret with a lease is kept for four fifths
 * of it; what it was read with (a token, or an AppRole's secret id) is a credential in turn.
 */
export const fromVault: SecretSource<"vault"> = async ({ address, path, field, namespace, auth }, name, { clock, other }) => {
  const wrong = (why: string, cause?: unknown) => new Fault("no_credential", `the credential \`${name}\` could not be read from \`${path}\` at \`${address}\`: ${why}`, { cause });
  const vault = await client(address, namespace);
  try {
    if ("token" in auth) vault.token = (await other(auth.token)).reveal();
    else await vault.approleLogin({ role_id: auth.roleId, secret_id: (await other(auth.secretId)).reveal(), mount_point: auth.mount });
    const answer: unknown = await vault.read(path);
    if (!isObject(answer) || !isObject(answer["data"])) throw wrong("it answered without `data`");
    const { data, lease_duration: leaseSeconds } = answer;
    const inner = data["data"];
    const value = isObject(inner) && isObject(data["metadata"]) ? inner[field] : data[field]; // kv version 2 wraps what version 1 has at the top
    if (typeof value !== "string") throw wrong(`there is no text in the field \`${field}\``);
    const ms = typeof leaseSeconds === "number" && leaseSeconds > 0 ? leaseSeconds * 800 : keepMs;
    return { text: value, keepUntilMs: clock.nowMs() + ms };
  } catch (error) {
    if (error instanceof Fault) throw error;
    // The library's errors repeat what was asked and answered: of them only the status may be told.
    const status = (error as { response?: { statusCode?: unknown } }).response?.statusCode;
    throw wrong(typeof status === "number" ? `it answered HTTP ${status}` : "it could not be asked");
  }
};

/**
 * node-vault with our own way over the network: its own follows redirects with the token, and goes through a proxy that the environment names. Nor
 * may the environment choose another token, namespace or prefix than lanyard.yaml says.
 */
async function client(address: string, namespace: string | null): Promise<Vault.client> {
  const { default: createVault } = await import("node-vault"); // Few daemons have a Vault; all others start without it.
  const send = async ({ uri, method, headers, json }: { uri: string; method: string; headers: Record<string, string>; json?: unknown }) => {
    const asks = json === undefined || json === true ? {} : { body: JSON.stringify(json), headers: { ...headers, "content-type": "application/json" } };
    const { status, json: body } = await askJson(uri, { method, headers, ...asks });
    return { statusCode: status, body: body ?? {}, request: { path: new URL(uri).pathname } };
  };
  const quiet = () => {};
  const vault = createVault({ endpoint: address, debug: quiet, "request-promise": { defaults: () => send } } as unknown as Vault.VaultOptions);
  return Object.assign(vault, { token: "", pathPrefix: "", namespace: namespace ?? "" });
}
