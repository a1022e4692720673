import { Fault, isObject, parseJson, webServer, webTools, type Action, type Json, type JsonObject, type Principal } from "@lanyard/contract";
import type { Clock } from "./base/clock.ts";
import type { Config } from "./base/config/config.ts";
import type { Answer, Exchange } from "./base/exchange.ts";
import type { Limits } from "./base/limits.ts";
import type { Log } from "./base/log.ts";
import type { InboundCall, Lease } from "./base/path.ts";
import type { Store } from "./base/store/port.ts";
import { classOf } from "./base/undo/resolve.ts";
import { webArguments, type WebRequest } from "./base/web.ts";
import { targetOf } from "./edge/gateway/egress/request.ts";
import { mediate } from "./mediation/mediate.ts";
import { normalise } from "./mediation/normalise.ts";
import type { Reply, Stages } from "./mediation/stages.ts";
import { isHeard } from "./stages/approval/voice.ts";
import type { CredentialStage } from "./stages/credential/credential.ts";
import type { Identity } from "./stages/identity/identity.ts";
import type { Upstreams } from "./stages/execution/upstreams.ts";
import type { Catalog } from "./stages/facts/catalog.ts";
import { inspect } from "./stages/inspection/inspect.ts";
import { restoreFiles } from "./stages/undo/files/files.ts";
import { Locks } from "./stages/undo/locks.ts";
import { Plans } from "./stages/undo/plans.ts";
import type { Eyes, Viewer } from "./stages/undo/state.ts";
import { Undo, type Acted, type Hands } from "./stages/undo/undo.ts";
import { HeldWrites, type HeldEnd } from "./stages/undo/held.ts";
import type { HeldCall, HeldWrite } from "./stages/undo/held-write.ts";
import type { StopStage } from "./stages/stop/stop.ts";

interface Undoable {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  readonly config: () => Config;
  readonly limits: Limits;
  readonly identity: Pick<Identity, "open" | "close" | "sessions">;
  readonly credentials: Pick<CredentialStage, "placeholders" | "wanted">;
  readonly stop: Pick<StopStage, "enter" | "standing" | "isHeld">;
  readonly catalog: Pick<Catalog, "pin">;
  readonly servers: Pick<Upstreams, "release">;
  /** The path, complete by the time that anything is asked of it. */
  readonly stages: () => Stages;
}

/** Undo over the path of actions: what reads states, what carries inverses out, and the two rooms that use them. */
export function undoing(rooms: Undoable): { readonly plans: Plans; readonly undo: Undo; readonly held: HeldWrites } & Disposable {
  const { store, clock, log, config } = rooms;
  const locks = new Locks();
  const eyes: Eyes = { call: (server, tool, args, viewer) => read(rooms, server, tool, args, viewer) };
  const held = new HeldWrites({ store, clock, log, config, release: (write, call) => releaseHeld(rooms, write, call) });
  const following = store.follow((record) => {
    if (record.type === "stop.order") void held.void((write) => isStopped(rooms, write), record.id).catch((error: unknown) => log.error("held.unvoided", { error }));
  });
  return {
    held,
    plans: new Plans({ store, clock, log, config, eyes, locks }),
    undo: new Undo({ store, clock, config, eyes, hands: handsOf(rooms, held), locks }),
    [Symbol.dispose]: () => {
      following.stop();
      held[Symbol.dispose]();
    },
  };
}

/** A reading for Lanyard itself: not decided by policy, so it is let through only where the tool's contract says that this very call changes nothing. */
async function read(rooms: Undoable, server: string, tool: string, args: JsonObject, viewer: Viewer): Promise<JsonObject> {
  const name = `${server}/${tool}`;
  if (reversibilityOf(rooms.config(), name, args) !== "read") throw new Fault("no_preimage", `\`${name}\` is to be called to read a state, and its contract does not say of this call that it only reads`);
  if (server === webServer) return viewer.lease ? readWeb(rooms, tool, args, viewer, viewer.lease) : readWebAnew(rooms, tool, args, viewer);
  const stages = rooms.stages();
  const exchange = quietly(viewer.signal);
  const action = normalise({ server, method: "tools/call", tool, params: { name: tool, arguments: args }, token: null, audience: "", exchange });
  return resultOf(inspect(rooms, action, await stages.execute(action, viewer.principal, exchange, nothingLentFor(viewer))));
}

function reversibilityOf({ undo, tools }: Config, name: string, args: JsonObject): string | undefined {
  const contract = undo.contracts.get(name);
  if (contract) return classOf(contract, args);
  return (tools.get(name) ?? webTools.find(({ definition }) => `${webServer}/${definition.name}` === name)?.contract)?.reversibility;
}

/** What a server holds is its connection's affair; a call at it is lent nothing. */
const nothingLentFor = ({ lease }: Viewer): Lease => lease ?? ({ credentials: [], guards: false, signal: new AbortController().signal } as unknown as Lease);

const resultOf = (answer: Answer): JsonObject => ("error" in answer ? { isError: true, error: { ...answer.error } } : answer.result);

const quietly = (signal: AbortSignal): Exchange => ({
  era: "stateful",
  signal,
  progress: () => {},
  notify: () => {},
  ask: () => Promise.reject(new Fault("internal", "nobody is there to be asked")),
});

/** Before an action, with what was lent for it. */
async function readWeb(rooms: Undoable, tool: string, args: JsonObject, { principal, signal }: Viewer, lease: Lease): Promise<JsonObject> {
  const stages = rooms.stages();
  const web = requestOf(tool, args, (text) => text);
  const action = webAction(rooms, principal, web);
  const answer = inspect(rooms, action, await stages.execute(action, principal, { ...quietly(signal), web }, lease));
  return webResult(rooms.limits, answer);
}

/** At any other time a reading of the web is an action like any other: whoever takes back is lent what policy lets it use. */
async function readWebAnew(rooms: Undoable, tool: string, args: JsonObject, viewer: Viewer): Promise<JsonObject> {
  let seen: JsonObject | null = null;
  const web = requestOf(tool, args, placeholdersOf(rooms, viewer.of, viewer.principal));
  const reply = await carry(rooms, viewer.principal, webCall(rooms, viewer.principal, web, { ...quietly(viewer.signal), undoes: 0 }), async (answer) => void (seen = await webResult(rooms.limits, answer)));
  if (reply.kind !== "done" || seen === null) throw new Fault("no_preimage", reply.kind === "refused" ? `reading it was refused: ${firstLine(reply.text)}` : "reading it did not end");
  return seen;
}

const firstLine = (text: string): string => text.split("\n").slice(0, 2).join(" ").slice(0, 500);

/** The same request for another session: placeholders of the session that acted become those of the one that takes back. */
function placeholdersOf({ credentials, store }: Undoable, of: string, principal: Principal): (text: string) => string {
  const opened = store.entries({ session: of, types: ["session.open"], limit: 1 })[0];
  const agent = opened?.type === "session.open" ? opened.agent : principal.agent;
  const [old, own] = [credentials.placeholders({ session: of, agent }), credentials.placeholders(principal)];
  const pairs = Object.entries(old).flatMap(([variable, placeholder]) => (own[variable] === undefined ? [] : [[placeholder, own[variable]] as const]));
  return (text) => pairs.reduce((made, [from, to]) => made.replaceAll(from, to), text);
}

/** A request out of the arguments that a policy sees, where a server may have had a hand in its path: held to what the door holds requests to. Throws Fault `no_preimage`. */
export function requestOf(tool: string, args: JsonObject, placeholders: (text: string) => string): WebRequest {
  const { scheme = "https", host, port, path: at = "/", query: asked = "", headers, body = "" } = args;
  if (typeof host !== "string" || typeof at !== "string" || typeof asked !== "string" || typeof body !== "string" || (scheme !== "https" && scheme !== "http")) throw new Fault("no_preimage", "the arguments of a request do not make one");
  if (args["body_cut"] === true) throw new Fault("no_preimage", "the body of the request was not kept whole");
  const { path, query } = targetFrom(asked === "" ? at : `${at}?${asked}`);
  const lines = Object.entries(isObject(headers) ? headers : {}).filter(([name]) => !unsent.has(name.toLowerCase()));
  return { tool, scheme, host, port: typeof port === "number" ? port : scheme === "https" ? 443 : 80, path, query, headers: lines.map(([name, value]) => [name.toLowerCase(), placeholders(String(value))]), body: Buffer.from(body) };
}

function targetFrom(target: string): Pick<WebRequest, "path" | "query"> {
  try {
    return targetOf(target);
  } catch (cause) {
    throw new Fault("no_preimage", "the path of a request could be read in two ways", { cause });
  }
}

const unsent: ReadonlySet<string> = new Set(["host", "content-length", "transfer-encoding", "connection", "accept-encoding", "expect", "upgrade", "te", "trailer"]);

const webCall = (rooms: Undoable, principal: Principal, web: WebRequest, exchange: Exchange): InboundCall => ({
  token: null,
  audience: `mcp/${webServer}`,
  server: webServer,
  method: web.tool,
  tool: web.tool,
  params: webArguments(web, rooms.limits.egress_shown_bytes, rooms.credentials.wanted(principal, web)),
  exchange: { ...exchange, web },
});

const webAction = (rooms: Undoable, principal: Principal, web: WebRequest): Action => normalise(webCall(rooms, principal, web, quietly(new AbortController().signal)));

/** `{status, headers, body, json}`: `body` null when it is no text, `json` null when it is none. */
async function webResult(limits: Limits, answer: Answer): Promise<JsonObject> {
  if ("error" in answer || !answer.web) return { isError: true };
  const { status, headers, body } = answer.web;
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > limits.undo_preimage_bytes) throw new Fault("no_preimage", `the answer is over the limit undo_preimage_bytes (${limits.undo_preimage_bytes})`);
    chunks.push(chunk);
  }
  const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(Buffer.concat(chunks));
  const isText = Buffer.from(text).equals(Buffer.concat(chunks));
  return { status, headers: Object.fromEntries(headers.map(([name, value]) => [name.toLowerCase(), value])), body: isText ? text : null, json: isText ? jsonOf(text) : null, ...(status >= 400 && { isError: true }) };
}

function jsonOf(text: string): Json {
  try {
    return parseJson(text) as Json;
  } catch {
    return null;
  }
}

/** Puts a call on the path as a session that nobody holds a token of. `took` gets a web answer before its body has passed. */
function carry(rooms: Undoable, principal: Principal, call: InboundCall, took?: (answer: Answer) => Promise<void>): Promise<Reply> {
  const deliver: Exchange["deliver"] = async (answer) => {
    await took?.(answer);
    return { answer: { result: resultOf(answer) }, code: "" };
  };
  return mediate({ ...rooms.stages(), identify: () => principal }, { ...call, exchange: { ...call.exchange, ...(call.exchange.web && { deliver }) } });
}

function handsOf(rooms: Undoable, held: HeldWrites): Hands {
  const { identity, config } = rooms;
  return {
    open: async (user, purpose, before) => {
      const kept = identity.sessions().find(({ principal }) => principal.session === before && principal.agent === config().undo.agent);
      if (kept) return kept.principal;
      const { agent } = config().undo;
      if (agent === null) throw new Fault("invalid_config", "lanyard.yaml does not say whose policies decide what is taken back");
      return (await identity.open("operator", { agent, onBehalfOf: user, purpose, labels: ["undo"] })).principal;
    },
    close: async (session) => {
      if (identity.sessions().some(({ principal }) => principal.session === session)) await identity.close("operator", session, "undo ended");
    },
    withdrawHeld: (sessions, to) => held.void(({ session, of }) => sessions.includes(session) && of > (to ?? -1), "undo"),
    isAtLarge: (session) => identity.sessions().some(({ principal }) => principal.session === session && !rooms.stop.isHeld(principal)),
    act: async (principal, { server, of, instead, step }): Promise<Acted> => {
      const exchange: Exchange = { ...quietly(new AbortController().signal), undoes: of };
      try {
        return actedOf(await carry(rooms, principal, callOf(rooms, principal, { server, instead, step, exchange }), async (answer) => void (await webResult(rooms.limits, answer))));
      } catch (error) {
        if (!(error instanceof Fault)) throw error;
        return { kind: "refused", code: error.code, text: error.message }; // Nothing was decided, so nothing has happened.
      }
    },
  };
}

/** Who staged a call: as the session is now, or, when it has ended its own work since, as it was. */
function stagedBy({ identity, clock }: Undoable, { session, agent, user, chain, tools, labels, isolation }: HeldWrite, { purpose }: HeldCall): { readonly principal: Principal; readonly isOpen: boolean } {
  const open = identity.sessions().find(({ principal }) => principal.session === session);
  return open ? { principal: open.principal, isOpen: true } : { principal: { session, agent, user, chain, tools, labels, isolation, purpose, expiresAtMs: clock.nowMs() + endedMs }, isOpen: false };
}

/** How long a call of a session that has ended may take. */
const endedMs = 3_600_000;

/** A staged call whose time has come, on the path like any other. Every fact and policy is that of now; only who and what are those of then. */
async function releaseHeld(rooms: Undoable, write: HeldWrite, call: HeldCall): Promise<HeldEnd> {
  const { principal, isOpen } = stagedBy(rooms, write, call);
  const { server, method, tool, params } = call;
  if (tool !== null && rooms.catalog.pin(server, tool).definition !== write.definition) return { of: null, status: "refused", code: "quarantined" };
  const approval = write.approval && isHeard(rooms.config(), { ...principal, groups: write.approval.groups }, write.approval.given) ? write.approval : null;
  const stages: Stages = { ...rooms.stages(), identify: () => principal, ...(!isOpen && { admit: () => ({ [Symbol.dispose]: () => {} }) }) };
  try {
    const reply = await mediate(stages, { token: null, audience: `mcp/${server}`, server, method, ...(tool !== null && { tool }), params, exchange: quietly(new AbortController().signal), released: { approval } });
    if (reply.kind === "done") return { of: reply.intent.seq, status: "error" in reply.answer || reply.answer.result["isError"] === true ? "failed" : "done", code: "" };
    if (reply.kind === "uncertain") return { of: reply.intent.seq, status: "uncertain", code: "uncertain" };
    return { of: reply.intent?.seq ?? null, status: reply.code === "result_withheld" ? "uncertain" : "refused", code: reply.code };
  } catch (error) {
    return { of: null, status: "refused", code: error instanceof Fault ? error.code : "internal" };
  } finally {
    if (!isOpen) await rooms.servers.release(principal.session);
  }
}

/** Whether somebody has stopped what a staged call belongs to. */
function isStopped(rooms: Undoable, write: HeldWrite): boolean {
  const { principal } = stagedBy(rooms, write, { server: "", method: "", tool: null, params: {}, args: {}, purpose: "" });
  const [server = "", tool = ""] = write.action.split(/\/(.*)/s);
  const action: Action = { protocol: "mcp", server, method: "tools/call", tool, name: write.action, args: {}, params: {}, digest: write.digest };
  using passage = rooms.stop.enter(action, principal, quietly(new AbortController().signal));
  return rooms.stop.standing(passage, { pin: { definition: null, contract: { effects: [], reversibility: "unknown" }, refuse: null } }) !== null;
}

/** The method by which what the daemon itself puts back is decided and recorded: `<server>/mcp:lanyard/restore`, the path as its `uri`. */
const restoreMethod = "lanyard/restore";

function callOf(rooms: Undoable, principal: Principal, { server, instead, step, exchange }: { server: string; instead: string; step: Parameters<Hands["act"]>[1]["step"]; exchange: Exchange }): InboundCall {
  const door = { token: null, audience: `mcp/${server}`, server };
  if ("restore" in step) {
    const { root, changed, contents } = step.restore;
    const params = { uri: changed[0]?.place ?? root, places: changed.map(({ place }) => place) };
    return { ...door, method: restoreMethod, params, exchange: { ...exchange, restore: () => restoreFiles(root, changed, contents) } };
  }
  if (server === webServer) return webCall(rooms, principal, requestOf(step.tool, step.args, placeholdersOf(rooms, instead, principal)), exchange);
  return { ...door, method: "tools/call", tool: step.tool, params: { name: step.tool, arguments: step.args }, exchange };
}

function actedOf(reply: Reply): Acted {
  if (reply.kind === "done") return { kind: "carried out", failed: "error" in reply.answer || reply.answer.result["isError"] === true };
  if (reply.kind === "uncertain" || reply.code === "result_withheld") return { kind: "uncertain" };
  return { kind: "refused", code: reply.code, text: firstLine(reply.text) };
}

/** Without a daemon there is nothing to take back with. */
export const noUndo: Pick<Undo, "run" | "mayAsk"> = {
  mayAsk: () => {},
  run: () => {
    throw new Fault("conflict", "no daemon runs, and only a daemon takes back what agents did: start it with `lanyard serve`", { remedy: "" });
  },
};

/** What is staged is carried out, and withdrawn, by a daemon. */
export const noHeld: Pick<HeldWrites, "list" | "withdraw"> = {
  list: () => [],
  withdraw: () => Promise.reject(new Fault("conflict", "no daemon runs, and nothing staged is carried out until one does: start it with `lanyard serve`", { remedy: "" })),
};
