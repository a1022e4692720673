import { errors, Fault, parseJson, routes, type ErrorCode, type JsonObject, type Role, type Route, type RouteName } from "@lanyard/contract";
import { requests, type RequestForms } from "@lanyard/contract/requests";
import { Hono } from "hono";
import { alertHandlers } from "./alerts.ts";
import { writeEvent } from "../../base/sse.ts";
import { approvalHandlers } from "./approvals.ts";
import { budgetHandlers } from "./budgets.ts";
import { catalogHandlers } from "./catalog.ts";
import { changeHandlers } from "./changes.ts";
import { channelHandlers } from "./channels.ts";
import { credentialHandlers } from "./credentials.ts";
import { dataHandlers } from "./data.ts";
import { incidentHandlers } from "./incident/handler.ts";
import { grantHandlers } from "./grants.ts";
import type { ApiResult, Handler } from "./handler.ts";
import { lendingHandlers } from "./lendings.ts";
import { ledgerHandlers } from "./ledger.ts";
import { actorOf, type Peer, type Rooms } from "./rooms.ts";
import { policyHandlers } from "./policy.ts";
import { sessionHandlers } from "./sessions.ts";
import { undoHandlers } from "./undo.ts";
import { statusHandlers } from "./status.ts";
import { stopHandlers } from "./stops.ts";
import { workspaceHandlers } from "./workspaces.ts";

/** Whether a request came through the operator socket; TCP never does. */
export interface Way {
  readonly operator: boolean;
}

/** The administration API: the routes of the table over the rooms. */
export function api(rooms: Rooms): (request: Request, way: Way) => Promise<Response> {
  const handlers: Record<RouteName, Handler> = {
    ...statusHandlers(rooms),
    ...sessionHandlers(rooms),
    ...dataHandlers(rooms),
    ...workspaceHandlers(rooms),
    ...approvalHandlers(rooms),
    ...grantHandlers(rooms),
    ...stopHandlers(rooms),
    ...alertHandlers(rooms),
    ...budgetHandlers(rooms),
    ...undoHandlers(rooms),
    ...catalogHandlers(rooms),
    ...policyHandlers(rooms),
    ...changeHandlers(rooms),
    ...channelHandlers(rooms),
    ...credentialHandlers(rooms),
    ...lendingHandlers(rooms),
    ...ledgerHandlers(rooms),
    ...incidentHandlers(rooms),
  };
  const app = new Hono<{ Bindings: Way }>();
  for (const name of Object.keys(routes) as RouteName[]) {
    const route: Route = routes[name];
    const forms = requests[name] ?? {};
    app.on(route.method, route.path, async (context) => {
      const caller = identifyCaller(rooms, context.env, context.req.header("authorization"));
      authorise(route, caller);
      const query = check(forms.query, context.req.query(), "query");
      const body = forms.body ? check(forms.body, await readBody(context.req.raw, rooms.limits, route.large), "body") : {};
      return respond(await handlers[name]({ caller, actor: actorOf(caller), at: context.req.param(), body, query, signal: context.req.raw.signal }));
    });
  }
  app.notFound((context) => failure("not_found", `no route ${context.req.method} \`${context.req.path}\``));
  app.onError((error) => {
    if (error instanceof Fault) return failure(error.code, error.message, error.remedy);
    rooms.log.error("api.internal", { error });
    return failure("internal", "the request failed inside the daemon");
  });
  return async (request, way) => app.fetch(request, way);
}

/** A token that is sent decides who the caller is, on the operator socket too; without one, the socket does. */
function identifyCaller(rooms: Rooms, way: Way, header: string | undefined): Peer {
  if (header === undefined) return way.operator ? "operator" : "anyone";
  return rooms.identity.authenticate(/^Bearer +([\w-]+)$/i.exec(header)?.[1] ?? "");
}

const roleOf = (caller: Peer): Role => (typeof caller === "string" ? caller : caller.kind);

function authorise(route: Route, caller: Peer): void {
  if (route.roles.includes("anyone") || route.roles.includes(roleOf(caller))) return;
  const what = `${route.method} \`${route.path}\` is for ${route.roles.join(" or ")}`;
  throw caller === "anyone" ? new Fault("unauthenticated", `${what}, and no token was sent`) : new Fault("forbidden", `${what}, not for ${roleOf(caller)}s`);
}

function check(schema: RequestForms["body"], value: unknown, part: "body" | "query"): JsonObject {
  if (!schema) return {};
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data as JsonObject;
  const issues = parsed.error.issues.map((issue) => `\`${issue.path.join(".") || part}\`: ${issue.message.toLowerCase()}`);
  throw new Fault("invalid_request", `the ${part} does not fit this route: ${issues.join("; ")}`);
}

async function readBody(request: Request, limits: Rooms["limits"], large = false): Promise<unknown> {
  const limit = large ? limits.upload_bytes : limits.body_bytes;
  let text = "";
  let size = 0;
  const decoder = new TextDecoder("utf-8", { fatal: true });
  try {
    for await (const chunk of request.body ?? []) {
      size += chunk.length;
      if (size > limit) throw new Fault("limit_exceeded", `the body is over the limit ${large ? "upload_bytes" : "body_bytes"} (${limit})`);
      text += decoder.decode(chunk, { stream: true });
    }
    return text === "" ? {} : parseJson(text + decoder.decode());
  } catch (cause) {
    if (cause instanceof Fault) throw cause;
    throw new Fault("parse_error", "the body is not valid UTF-8 JSON", { cause });
  }
}

const failure = (code: ErrorCode, message: string, remedy: string = errors[code].remedy): Response => {
  const { status } = errors[code];
  return Response.json({ error: { code, message, remedy } }, { status, headers: code === "unauthenticated" ? { "www-authenticate": "Bearer" } : {} });
};

function respond(result: ApiResult): Response {
  if ("json" in result) return Response.json(result.json);
  if ("text" in result) return new Response(result.text, { headers: { "content-type": "text/plain; charset=utf-8" } });
  if ("events" in result) return streamed(serverSent(result.events), "text/event-stream");
  return "textLines" in result ? streamed(textLines(result.textLines), "text/plain; charset=utf-8") : streamed(jsonLines(result.lines), "application/x-ndjson");
}

async function* jsonLines(values: AsyncIterable<object | readonly object[]>): AsyncGenerator<string> {
  for await (const value of values) yield Array.isArray(value) ? value.map((line) => `${JSON.stringify(line)}\n`).join("") : `${JSON.stringify(value)}\n`;
}

async function* serverSent(events: AsyncIterable<object | null>): AsyncGenerator<string> {
  for await (const event of events) yield event === null ? ": still here\n\n" : writeEvent({ data: JSON.stringify(event) });
}

const chunkChars = 65_536;

/** Lines in pieces large enough that the piece, not the line, is what costs. */
async function* textLines(lines: Iterable<string>): AsyncGenerator<string> {
  let chunk = "";
  for (const line of lines) {
    chunk += `${line}\n`;
    if (chunk.length < chunkChars) continue;
    yield chunk;
    chunk = "";
  }
  if (chunk) yield chunk;
}

/** Pulls one piece at a time, so that a slow reader holds back its source and nothing else. */
function streamed(pieces: AsyncGenerator<string>, type: string): Response {
  const encoder = new TextEncoder();
  const stream = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { done, value } = await pieces.next();
      if (done) controller.close();
      else controller.enqueue(encoder.encode(value));
    },
    cancel: async () => void (await pieces.return(undefined)),
  });
  return new Response(stream, { headers: { "content-type": type } });
}
