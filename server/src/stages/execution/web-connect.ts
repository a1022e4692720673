import { Resolver } from "node:dns/promises";
import { readFileSync } from "node:fs";
import { connect, isIP, type LookupFunction, type Socket } from "node:net";
import { networkInterfaces } from "node:os";
import { connect as connectTls, createSecureContext, getCACertificates, type SecureContext } from "node:tls";
import { Fault } from "@lanyard/contract";
import type { Clock } from "../../base/clock.ts";
import type { EgressRules } from "../../base/config/config.ts";
import { endpointText, type Endpoint } from "../../base/host.ts";
import type { Limits } from "../../base/limits.ts";
import { whyRefused } from "../../base/address.ts";

/** What a connection to the outside must know. */
export interface WebConnector {
  readonly clock: Clock;
  readonly limits: Limits;
  rules(): EgressRules;
  /** Where this daemon itself listens, `http://host:port`. */
  ownUrl(): string;
}

const unavailable = (why: string, cause?: unknown): Fault => new Fault("upstream_unavailable", why, { cause });
const codeOf = (error: unknown): string => (error as { code?: string } | null)?.code ?? "unknown error";

/**
 * A connection to an endpoint, TLS included where `tls` is set. The name is looked up here and now, every address it has is held against the table,
 * and the connection goes to one of these and no other: an answer that changes afterwards changes nothing. Throws Fault `address_refused`,
 * `upstream_unavailable`; nothing was sent then.
 */
export async function connectWeb(connector: WebConnector, to: Endpoint, { tls, signal }: { tls: boolean; signal: AbortSignal }): Promise<Socket> {
  const addresses = await addressesOf(to.host);
  for (const address of addresses) check(connector, to, address);
  const limitMs = connector.limits.egress_connect_ms;
  const late = AbortSignal.any([signal, AbortSignal.timeout(limitMs)]);
  const socket = connect({ host: to.host, port: to.port, lookup: pinned(addresses), autoSelectFamily: addresses.length > 1, noDelay: true });
  const plain = await opened(socket, "connect", to, late);
  if (!tls) return plain;
  const secured = connectTls({ socket: plain, ...(isIP(to.host) ? {} : { servername: to.host }), host: to.host, secureContext: contextOf(connector.rules().ca), ALPNProtocols: ["http/1.1"] });
  return opened(secured, "secureConnect", to, late);
}

/** Asks the resolver of the machine, past its hosts file and its search list: a name means the same wherever it is asked. */
async function addressesOf(host: string): Promise<string[]> {
  if (isIP(host)) return [host];
  if (host === "localhost") return ["127.0.0.1", "::1"];
  const resolver = new Resolver({ timeout: 2000, tries: 2 });
  const found = await Promise.allSettled([resolver.resolve4(host), resolver.resolve6(host)]);
  const addresses = found.flatMap((one) => (one.status === "fulfilled" ? one.value : []));
  const [first] = found;
  if (addresses.length === 0) throw unavailable(`no address of \`${host}\` was found (${first?.status === "rejected" ? codeOf(first.reason) : "none"})`);
  return addresses;
}

/** Invariant: one address that is refused refuses the host; a name that has good and bad ones has them for a reason. */
function check({ rules, ownUrl }: WebConnector, to: Endpoint, address: string): void {
  const own = URL.parse(ownUrl());
  const mine = () => Object.values(networkInterfaces()).some((list = []) => list.some((each) => each.address === address));
  if (own && to.port === Number(own.port) && (address.startsWith("127.") || address === "::1" || mine())) throw new Fault("address_refused", `\`${endpointText(to)}\` is Lanyard itself, which is reached through its own endpoint`);
  const why = whyRefused(address);
  if (why !== null && !rules().private.has(endpointText(to))) throw new Fault("address_refused", `\`${endpointText(to)}\` has the address ${address}, and nothing is sent there (${why})`);
}

const pinned =
  (addresses: readonly string[]): LookupFunction =>
  (_host, { all }, done) =>
    all ? done(null, addresses.map((address) => ({ address, family: isIP(address) }))) : done(null, addresses[0] ?? "", isIP(addresses[0] ?? ""));

function opened<S extends Socket>(socket: S, event: "connect" | "secureConnect", to: Endpoint, late: AbortSignal): Promise<S> {
  return new Promise((resolve, reject) => {
    const fail = (error: unknown): void => {
      socket.destroy();
      reject(unavailable(`\`${endpointText(to)}\` could not be reached (${late.aborted ? "no answer in time" : codeOf(error)})`, error));
    };
    const stop = (): void => fail(late.reason);
    if (late.aborted) return stop();
    late.addEventListener("abort", stop, { once: true });
    socket.once("error", fail);
    socket.once(event, () => {
      late.removeEventListener("abort", stop);
      socket.off("error", fail).on("error", () => {}); // whoever reads it sees it closed
      resolve(socket);
    });
  });
}

const contexts = new Map<string | null, SecureContext>();

/** The roots that Node and the system trust, and those of the file. Read once: a changed file needs a restart. */
function contextOf(file: string | null): SecureContext {
  const known = contexts.get(file);
  if (known) return known;
  try {
    const made = createSecureContext({ ca: [...new Set([...getCACertificates("default"), ...getCACertificates("system"), ...(file === null ? [] : [readFileSync(file, "utf8")])])], minVersion: "TLSv1.2" });
    contexts.set(file, made);
    return made;
  } catch (cause) {
    throw unavailable(`the certificates of \`egress: ca:\` could not be read (${codeOf(cause)})`, cause);
  }
}
