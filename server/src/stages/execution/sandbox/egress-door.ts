import type { Duplex } from "node:stream";
import { http } from "../../../base/http.ts";
import type { DoorTarget } from "./mcp-door.ts";

/**
 * The door of a sandbox to the daemon's egress enforcement point: each connection becomes one of the session's own to `/egress`, and from then on
 * its bytes are the guest's. Invariant: the token is put in here, so the session of a connection is fixed before the guest has said anything.
 */
export function egressDoor(target: () => DoorTarget | null): (connection: Duplex) => void {
  return (connection) => {
    connection.on("error", () => connection.destroy());
    const to = target();
    if (!to) return void connection.destroy();
    const why = to.authority.refusal();
    if (why) return refuse(connection, why.message);
    let through: Duplex | null = null;
    const { signal } = to.authority;
    const cut = () => (through ? through.destroy() : refuse(connection, lostText(to)));
    signal.addEventListener("abort", cut, { once: true });
    connection.once("close", () => signal.removeEventListener("abort", cut));
    const { hostname, port } = new URL(to.url);
    const headers = { connection: "Upgrade", upgrade: "lanyard-egress", authorization: `Bearer ${to.token}` };
    const asked = http.request({ host: hostname.replace(/^\[|\]$/g, ""), port, path: "/egress", headers, agent: false });
    asked.once("upgrade", (_answer, socket, head) => {
      if (head.length > 0) socket.unshift(head);
      through = socket;
      if (signal.aborted) socket.destroy();
      join(connection, socket, () => lostText(to));
    });
    asked.once("response", (answer) => {
      answer.resume();
      refuse(connection, answer.statusCode === 429 ? "there are too many connections of this session" : "the Lanyard daemon does not open the egress door to this session");
    });
    asked.once("error", () => refuse(connection, "the Lanyard daemon cannot be reached"));
    connection.once("close", () => asked.destroy());
    asked.end();
  };
}

const lostText = ({ authority }: DoorTarget): string => authority.refusal()?.message ?? "the Lanyard daemon went away before it answered";

/** Where the daemon goes away while a request waits, whoever asked is told so, unless bytes of ours would be taken for those of whom a tunnel leads to. */
function join(connection: Duplex, socket: Duplex, whyLost: () => string): void {
  let waits = false;
  let inTunnel: "no" | "asked" | "yes" | null = null;
  connection.on("data", (chunk: Buffer) => {
    waits = true;
    inTunnel ??= chunk.toString("latin1", 0, 8) === "CONNECT " ? "asked" : "no";
  });
  socket.on("data", () => {
    waits = false;
    if (inTunnel === "asked") inTunnel = "yes";
  });
  socket.on("error", () => {}); // told by `close`
  socket.once("close", () => {
    if (inTunnel === null) refuse(connection, whyLost()); // It went before the first byte came: whoever is about to ask is told.
    else if (waits && inTunnel !== "yes") refuse(connection, `${whyLost()}; the request may have been carried out`);
    else connection.end(); // what was read already still goes in
  });
  connection.once("close", () => socket.destroy());
  connection.pipe(socket).pipe(connection, { end: false });
}

function refuse(connection: Duplex, why: string): void {
  connection.resume();
  connection.end(`HTTP/1.1 502 Bad Gateway\r\ncontent-type: text/plain\r\ncontent-length: ${why.length + 1}\r\nconnection: close\r\n\r\n${why}\n`);
}
