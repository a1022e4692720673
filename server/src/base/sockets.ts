import { join } from "node:path";

// The daemon's Unix sockets lie in its data folder, which only its owner may enter: the folder's mode is their access control.

/** The operator's API. */
export const operatorSocket = (dataDir: string): string => join(dataDir, "operator.sock");

/** Where `lanyard mcp` hands on what a client that can only spawn a process says; a session's token is still needed. */
export const gatewaySocket = (dataDir: string): string => join(dataDir, "gateway.sock");
