import { existsSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import { text } from "node:stream/consumers";
import { parseJson, routes, type ErrorCode, type JsonObject, type RouteName } from "@lanyard/contract";
import { http } from "../base/http.ts";

/** How a request reaches the API: the operator socket of a running daemon, or the API itself in this process. */
export type Transport = (method: string, path: string, body: JsonObject | undefined, token: string | undefined) => Promise<ApiAnswer>;

export interface ApiAnswer {
  readonly status: number;
  text(): Promise<string>;
  /** The body as it comes, for answers that are a line of JSON each. */
  readonly chunks: AsyncIterable<Uint8Array>;
}

/** An error the API answered, or the lack of an answer. `code` is from the table of errors. */
export class ApiError extends Error {
  readonly code: ErrorCode | "unreachable";
  constructor(code: ErrorCode | "unreachable", message: string) {
    super(message);
    this.name = "ApiError";
    this.code = code;
  }
}

export interface ApiRequest {
  /** Values for `:name` parts of the route's path. */
  readonly at?: Readonly<Record<string, string | number>>;
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  readonly body?: JsonObject;
}

/** A client drawn from the table of routes; every verb of the CLI talks through it. */
export interface Client {
  call<T = JsonObject>(route: RouteName, request?: ApiRequest): Promise<T>;
  text(route: RouteName, request?: ApiRequest): Promise<string>;
  /** The body as it comes, for answers too long to hold. */
  raw(route: RouteName, request?: ApiRequest): Promise<AsyncIterable<Uint8Array>>;
  lines<T = JsonObject>(route: RouteName, request?: ApiRequest): AsyncIterable<T>;
}

export function client(transport: Transport, token?: string): Client {
  const send = async (route: RouteName, request: ApiRequest = {}): Promise<ApiAnswer> => {
    const { method, path } = routes[route];
    const answer = await transport(method, pathOf(path, request), request.body, token);
    if (answer.status < 400) return answer;
    throw errorOf(answer.status, await answer.text());
  };
  return {
    call: async <T>(route: RouteName, request?: ApiRequest) => parseJson(await (await send(route, request)).text()) as T,
    text: async (route, request) => (await send(route, request)).text(),
    raw: async (route, request) => (await send(route, request)).chunks,
    async *lines<T>(route: RouteName, request?: ApiRequest) {
      let rest = "";
      const decoder = new TextDecoder();
      for await (const chunk of (await send(route, request)).chunks) {
        const parts = (rest + decoder.decode(chunk, { stream: true })).split("\n");
        rest = parts.pop() ?? "";
        for (const line of parts) if (line) yield parseJson(line) as T;
      }
    },
  };
}

function pathOf(template: string, { at = {}, query = {} }: ApiRequest): string {
  const path = template.replace(/:(\w+)/g, (_, name: string) => encodeURIComponent(String(at[name])));
  const search = new URLSearchParams(Object.entries(query).flatMap(([key, value]): [string, string][] => (value === undefined ? [] : [[key, String(value)]])));
  return search.size > 0 ? `${path}?${search}` : path;
}

/** What failed, and what to do. */
export const adviceOf = ({ message, remedy }: { readonly message: string; readonly remedy: string }): string => (remedy === "" ? message : `${message}; ${remedy}`);

function errorOf(status: number, text: string): ApiError {
  try {
    const { error } = parseJson(text) as { error: { code: ErrorCode; message: string; remedy: string } };
    return new ApiError(error.code, adviceOf(error));
  } catch {
    return new ApiError("internal", `the daemon answered ${status} without an error this client knows`);
  }
}

/** Speaks to a daemon over its operator socket. */
export const daemonTransport = (socket: string): Transport => async (method, path, body, token) => {
  const headers = { host: "lanyard.local", ...(token && { authorization: `Bearer ${token}` }), ...(body && { "content-type": "application/json" }) };
  const answer = await new Promise<IncomingMessage>((done, failed) => {
    http.request({ socketPath: socket, method, path, headers }, done).once("error", failed).end(body && JSON.stringify(body));
  }).catch((cause: NodeJS.ErrnoException) => {
    throw new ApiError("unreachable", `no daemon answers at \`${socket}\` (${cause.code ?? cause.message}); start it with \`lanyard serve\``);
  });
  return { status: answer.statusCode ?? 0, text: () => text(answer), chunks: answer };
};

/** Speaks to an API in this process: how read commands work while no daemon runs. */
export const localTransport = (fetch: (request: Request) => Response | Promise<Response>): Transport => async (method, path, body, token) => {
  const headers: Record<string, string> = { ...(token && { authorization: `Bearer ${token}` }), ...(body && { "content-type": "application/json" }) };
  const response = await fetch(new Request(`http://lanyard.local${path}`, { method, headers, ...(body && { body: JSON.stringify(body) }) }));
  return { status: response.status, text: () => response.text(), chunks: response.body ?? (async function* () {})() };
};

/** Whether a daemon listens on the socket: the file alone may be left over from a crash. */
export async function answers(socket: string): Promise<boolean> {
  if (!existsSync(socket)) return false;
  return daemonTransport(socket)("GET", routes.health.path, undefined, undefined)
    .then((answer) => answer.text()) // An answer left unread holds its connection, and with it this process.
    .then(
      () => true,
      () => false,
    );
}

