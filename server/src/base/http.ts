import type * as Http from "node:http";

/**
 * HTTP for a process that is no daemon. Not imported: Node reads every name of a built-in module that is, and behind one of these (WebSocket) it loads all of undici. Every verb
 * would wait for that, for a sixth of its start.
 */
export const http: typeof Http = process.getBuiltinModule("node:http");
