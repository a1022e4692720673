import type { IncomingMessage } from "node:http";
import { performServerHandshake, type ServerHttp2Session, type ServerHttp2Stream } from "node:http2";
import { isIP } from "node:net";
import type { Duplex } from "node:stream";
import { createServer, type Server, type TLSSocket } from "node:tls";
import { endpointText, parseAuthority, type Endpoint } from "../../../base/host.ts";
import { whyRefused } from "../../../base/address.ts";
import { overSocket, overStream } from "./answer.ts";
import type { EgressWays, Occupant } from "./occupant.ts";
import { Patience } from "./patience.ts";
import { headOfStream, type TunnelEnd } from "./request.ts";
import { TurnedAway } from "./turned-away.ts";

const established = "Connection Established";

/** CONNECT: a connection to a named endpoint, or a tunnel whose requests are looked at one by one. */
export function openTunnel(door: EgressWays, occupant: Occupant, incoming: IncomingMessage, socket: Duplex): void {
  const back = overSocket(incoming, socket, established);
  socket.on("error", () => socket.destroy());
  try {
    const to = endpointOf(door, occupant, incoming);
    if (door.options.rules().tcp.has(endpointText(to))) {
      const request = { tool: "TCP", scheme: "http", ...to, path: "", query: "", headers: [], body: Buffer.alloc(0) } as const;
      door.carry(occupant, request, back).catch((error: unknown) => door.turnAway(occupant, back, error));
      return;
    }
    back.head(200, []);
    peek(door, occupant, socket, to);
  } catch (error) {
    door.turnAway(occupant, back, error);
  }
}

/** Throws TurnedAway. */
function endpointOf(door: EgressWays, occupant: Occupant, { url = "", rawHeaders }: IncomingMessage): Endpoint {
  if (occupant.origin) throw new TurnedAway("target", "there is no proxy inside a tunnel");
  const to = parseAuthority(url, null);
  if (to === null) throw new TurnedAway("host", "CONNECT names no `host:port` in its usual spelling");
  const hosts = rawHeaders.filter((_, at) => at % 2 === 1 && rawHeaders[at - 1]?.toLowerCase() === "host");
  const named = hosts.map((text) => parseAuthority(text, to.port));
  if (hosts.length > 1 || named.some((each) => each?.host !== to.host || each.port !== to.port)) throw new TurnedAway("mismatch", "`Host` is not the host that CONNECT names", "misdirected");
  const why = isIP(to.host) ? whyRefused(to.host) : null;
  if (why !== null && !door.options.rules().private.has(endpointText(to))) throw new TurnedAway("address", `nothing is sent to \`${endpointText(to)}\` (${why})`, "address_refused");
  return to;
}

/** TLS begins with the byte 22; a request line with a capital letter. */
function peek(door: EgressWays, occupant: Occupant, socket: Duplex, to: Endpoint): void {
  const give = (fault: "protocol" | "slow", why: string): void => {
    door.note(occupant, new TurnedAway(fault, why));
    socket.destroy();
  };
  const { clock, limits: { egress_head_ms: limitMs } } = door.options;
  const late = clock.after(limitMs, () => give("slow", `nothing was said in a tunnel within the limit egress_head_ms (${limitMs} ms)`));
  socket.once("close", () => late.cancel());
  socket.once("readable", () => {
    const first = socket.read() as Buffer | null;
    late.cancel();
    if (first === null) return void socket.destroy();
    socket.unshift(first);
    const [byte = 0] = first;
    if (byte === 22) return void secure(door, occupant, socket, { ...to, scheme: "https" }).catch(() => socket.destroy());
    if (byte >= 0x41 && byte <= 0x5a) return door.speak(socket, { ...occupant, origin: { ...to, scheme: "http" } });
    give("protocol", "a tunnel speaks neither TLS nor HTTP; name its endpoint under `egress: tcp:` of lanyard.yaml");
  });
}

async function secure(door: EgressWays, occupant: Occupant, socket: Duplex, origin: TunnelEnd): Promise<void> {
  const authority = await door.authority(occupant.principal);
  const server = await authority.serverFor(origin, (material) => tlsServer(door, { ...occupant, origin }, origin.host, material));
  if (!socket.destroyed) server.emit("connection", socket);
}

/** Speaks TLS as one endpoint to the programs of one session, and hands on what comes out of it. */
function tlsServer(door: EgressWays, occupant: Occupant, host: string, material: { key: string; cert: string }): Server {
  const server = createServer({
    ...material,
    minVersion: "TLSv1.2",
    ALPNProtocols: ["h2", "http/1.1"],
    handshakeTimeout: door.options.limits.egress_head_ms,
    SNICallback: (name, done) => (name.toLowerCase() === host ? done(null) : done(new TurnedAway("mismatch", "the name in TLS is not the one that CONNECT named", "misdirected"))),
  });
  server.on("secureConnection", (tls) => {
    tls.on("error", () => tls.destroy());
    if (tls.alpnProtocol === "h2") return speakH2(door, occupant, tls);
    door.speak(tls, occupant);
  });
  server.on("tlsClientError", (error) => door.note(occupant, error instanceof TurnedAway ? error : new TurnedAway("tls", "the TLS handshake failed; does the program trust the session's authority?")));
  return server;
}

function speakH2(door: EgressWays, occupant: Occupant, tls: TLSSocket): void {
  const session: ServerHttp2Session = performServerHandshake(tls, { maxSessionMemory: 64, settings: { enablePush: false, enableConnectProtocol: false, maxConcurrentStreams: 100, maxHeaderListSize: 64 * 1024 } });
  session.on("error", () => session.destroy());
  const { clock, limits: { egress_idle_ms: idleMs } } = door.options;
  const end = () => session.destroy();
  const patience = new Patience({ ...{ clock, idleMs, headMs: idleMs, late: end, idle: end }, read: () => 0 }); // Its frames are more than heads, so silence is where no stream is.
  session.once("close", () => patience.end());
  session.on("stream", (stream: ServerHttp2Stream, headers, _flags, rawHeaders: string[]) => {
    stream.on("error", () => {}); // told by `close`
    stream.once("close", patience.taken());
    const back = overStream(stream, headers[":method"] === "HEAD");
    answer(door, occupant, stream, rawHeaders, back).catch((error: unknown) => door.turnAway(occupant, back, error));
  });
}

async function answer(door: EgressWays, occupant: Occupant, stream: ServerHttp2Stream, rawHeaders: readonly string[], back: ReturnType<typeof overStream>): Promise<void> {
  if (!occupant.origin) throw new TurnedAway("protocol", "HTTP/2 is taken inside TLS only");
  await door.take(occupant, headOfStream(rawHeaders, occupant.origin), stream, back);
}
