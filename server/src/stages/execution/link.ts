import type { RpcId, RpcMessage } from "../../base/rpc.ts";

/** What comes up a link. */
export interface LinkEvents {
  /** A message; `about` is the request on whose own response stream it came, which only HTTP can tell. */
  message(message: RpcMessage, about: RpcId | null): void;
  /** An answer that cannot be read, or is over a limit: to the request `about`, or to some request, which puts all in doubt. */
  garbled(why: Error, about: RpcId | null): void;
  /** The server ended the stream of this request and will answer on a later one (SEP-1699). */
  released(about: RpcId): void;
  /** The link is gone, once. `but` is a request whose own rejection tells more. */
  closed(why: Error, but: RpcId | null): void;
}

/** One way to a server: carries whole JSON-RPC messages and knows nothing of what they mean. */
export interface Link extends AsyncDisposable {
  /**
   * Sends one message; settles when it is out and, over HTTP, its response stream has ended. Rejects with Fault
   * `upstream_unavailable` only when the server certainly did not act on it, with anything else when it may have.
   */
  send(message: RpcMessage): Promise<void>;
  /** Stops caring about a request, and tells the server in the transport's own way. */
  cancel(id: RpcId, reason: string): void;
  /** Ends whoever is at its other end, where that is a process of ours, at once and with all it has started. */
  kill?(): void;
  /** Told once the handshake has settled the version. */
  speak(version: string): void;
}
