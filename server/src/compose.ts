import { type CatalogEntry, type JsonObject, type LedgerRecord, type ToolDefinition } from "@lanyard/contract";
import { Oracle, Solver, type Ground } from "@lanyard/policy";
import { alerting } from "./alerting.ts";
import { systemClock, type Clock } from "./base/clock.ts";
import { registryOf, type Config, type ServerDefinition } from "./base/config/config.ts";
import type { Answer } from "./base/exchange.ts";
import { settings, type Environment } from "./base/config/environment.ts";
import { LiveConfig } from "./base/config/live.ts";
import { typedSchema } from "./base/extract/declared.ts";
import { loadExtractors } from "./base/extract/sql/sql.ts";
import type { Limits } from "./base/limits.ts";
import type { Log } from "./base/log.ts";
import { toolsCover } from "./base/mandate.ts";
import type { Store } from "./base/store/port.ts";
import { openSqlite } from "./base/store/sqlite.ts";
import { exportLedger } from "./base/store/verify.ts";
import { version } from "./base/version.ts";
import { api, type Way } from "./edge/api/api.ts";
import { reasonOf } from "./edge/api/ledger.ts";
import type { Rooms } from "./edge/api/rooms.ts";
import { EgressDoor } from "./edge/gateway/egress/door.ts";
import { AuthorityDoor } from "./edge/gateway/lease/door.ts";
import { enclosing } from "./enclosing.ts";
import { flowing, noting, vouchingIn } from "./flowing.ts";
import { gathering } from "./gathering.ts";
import { Gateway } from "./edge/gateway/gateway.ts";
import { dataRoom, labelling, screening, type Labelling } from "./labelling.ts";
import { listen, type Listening } from "./listen.ts";
import { Changes } from "./mediation/changes.ts";
import { mediate } from "./mediation/mediate.ts";
import { replay } from "./mediation/replay.ts";
import type { Stages } from "./mediation/stages.ts";
import { channelsRoom, notifying, surfacing } from "./notifying.ts";
import { releasing } from "./releasing.ts";
import { noted, remembering } from "./remembering.ts";
import { storedAlerts } from "./stages/alert/alerts.ts";
import { noHeld, noUndo, undoing } from "./undoing.ts";
import { BudgetStage } from "./stages/budget/budget.ts";
import { approvalStage, type Approvals } from "./stages/approval/approval.ts";
import { CredentialStage } from "./stages/credential/credential.ts";
import type { Releases } from "./stages/decision/releases.ts";
import { PastBundles } from "./stages/decision/past.ts";
import { releaseViews } from "./stages/decision/releases-view.ts";
import { DecisionStage } from "./stages/decision/stage.ts";
import { execute } from "./stages/execution/execute.ts";
import { clearSandboxes } from "./stages/execution/sandbox/choice.ts";
import type { UpstreamSpec } from "./stages/execution/upstream.ts";
import { Upstreams } from "./stages/execution/upstreams.ts";
import { executeWeb } from "./stages/execution/web.ts";
import { Catalog } from "./stages/facts/catalog.ts";
import { reachableServers } from "./stages/facts/gather.ts";
import { webDefinitions, webGround } from "./stages/facts/web-tools.ts";
import type { Flow } from "./stages/flow/flow.ts";
import type { Deadlines } from "./stages/history/deadlines.ts";
import type { HistoryStage } from "./stages/history/history.ts";
import { abandoned, identityStage, type Identity } from "./stages/identity/identity.ts";
import { inspect } from "./stages/inspection/inspect.ts";
import { Proposals } from "./stages/proposal/proposals.ts";
import { recordStage } from "./stages/record/record.ts";
import { StopStage } from "./stages/stop/stop.ts";
import { linkStop } from "./stopping.ts";

export interface ComposeOptions {
  readonly config: Config;
  readonly environment: Environment;
  readonly log: Log;
  readonly clock?: Clock;
}

/** The administration API as a function; `operator` says that the request came through the operator's own way in. */
export type Api = (request: Request, way: Way) => Promise<Response>;

/** The API over a data folder that no daemon holds: for reading. */
export interface Offline extends AsyncDisposable {
  readonly api: Api;
}

/** A running daemon. Disposing it ends sessions' connections, closes the ledger, and frees its port and sockets. */
export interface Daemon extends Offline {
  /** `http://host:port`; agents use `/mcp` below it. */
  readonly url: string;
  readonly store: Store;
  /** Resolves once every server has shown its tools, or could not. */
  ready(): Promise<void>;
  /** Resolves once the policies fit the catalog as it is now. */
  settled(): Promise<void>;
  /** For a decision, its first reason in the policy author's words. */
  why(record: LedgerRecord): { why?: string };
}

/** The rooms that need no server and no network. */
interface Core {
  readonly clock: Clock;
  readonly log: Log;
  readonly store: Store;
  readonly live: LiveConfig;
  readonly identity: Identity;
  readonly catalog: Catalog;
  readonly ground: () => Ground;
  readonly decision: DecisionStage;
  readonly releases: Releases;
  readonly approvals: Approvals;
  readonly limits: Limits;
  readonly credentials: CredentialStage;
  readonly stop: StopStage;
  readonly budgets: BudgetStage;
  readonly labels: Labelling;
  readonly flow: Flow;
  readonly history: HistoryStage;
  readonly deadlines: Deadlines;
}

async function core({ config, environment, log, clock = systemClock }: ComposeOptions, held: AsyncDisposableStack): Promise<Core> {
  const store = held.use(await openSqlite({ folder: config.data, clock, version, alarm: (event, fields) => log.error(event, fields) }));
  const live = held.use(new LiveConfig({ first: config, store, clock, log }));
  const current = (): Config => live.current();
  const { limits } = config;
  const stop = held.use(new StopStage({ store, clock, log, config: current }));
  const budgets: BudgetStage = held.use(new BudgetStage({ store, clock, config: current, maxCallsOf: (session) => identity.maxCallsOf(session), quarantine: stop.exceeded }));
  const identity = held.use(identityStage({ store, clock, log, config: current, mayOpen: stop.mayOpen, reserveChild: budgets.reserveChild }));
  const catalog = new Catalog({ store, clock, log, config: current });
  for (const bytes of webDefinitions()) store.putObject(bytes);
  const ground = (): Ground => ({
    registry: registryOf(current()),
    servers: [...current().servers.keys()],
    contracts: [...current().tools.keys()].sort(),
    tools: [
      ...catalog.known().map(({ server, tool, hash }) => ({
        server,
        tool: tool.name,
        definition: hash,
        inputSchema: typedSchema(tool.inputSchema, current().arguments.get(`${server}/${tool.name}`)),
        contract: current().tools.get(`${server}/${tool.name}`) ?? { effects: [], reversibility: "unknown" as const },
        ...(tool.annotations && { annotations: tool.annotations }),
      })),
      ...webGround.map((tool) => ({ ...tool, contract: current().tools.get(`${tool.server}/${tool.tool}`) ?? tool.contract })),
    ],
  });
  const recheck = { terms: () => current().recheck, opinion: new Oracle({ after: clock.after }) };
  const decision = held.use(new DecisionStage({ store, clock, log, policyDir: config.policies, ground, limits, release: () => current().release, recheck }));
  const solver = held.use(new Solver({ after: clock.after, patienceMs: limits.compile_ms }));
  const releases = releasing({ store, clock, log, limits, config: current, ground, decision, solver });
  const approvals = held.use(approvalStage({ store, clock, log, config: current }));
  const credentials = new CredentialStage({ store, clock, log, config: current, environment });
  const labels = labelling({ store, live, limits, log }, held);
  return { clock, log, store, live, identity, catalog, ground, decision, releases, approvals, limits, credentials, stop, budgets, labels, flow: flowing({ store, clock, live, identity, classifier: labels.classifier }, held), ...remembering({ store, clock, log, limits, decision, identity }, held) };
}

/** How long whoever asks for the catalog waits at most, while servers have not shown their tools yet since the daemon began. */
const firstLookMs = 5000;

/** Builds and starts a daemon. Throws Fault `conflict` when another holds the data folder, `ledger_unavailable`, `invalid_config`. */
export async function compose(options: ComposeOptions): Promise<Daemon> {
  await using held = new AsyncDisposableStack();
  const { config, environment } = options;
  const rooms = await core(options, held);
  const { clock, log, store, live, identity, catalog, decision } = rooms;
  await live.start();
  await loadExtractors();
  await decision.start();
  await rooms.history.start();

  const servers = held.use(new Upstreams({ servers: [...config.servers].map((entry) => spec(entry, rooms.credentials, (...guest) => enclose(...guest))), environment: childEnvironment(environment), clock, limits: rooms.limits, log, rootOf: identity.rootOf, stopOf: (server) => rooms.stop.stopOfServer(server), seen: (server, tools) => catalog.seen(server, tools) }));
  const back = held.use(undoing({ ...rooms, config: () => live.current(), servers, stages: () => stages }));
  const stages: Stages = { ...pathOf(rooms, servers, () => listening.url), plan: back.plans.plan, staged: back.held.staged, stage: back.held.stage };
  const face = held.use(
    new Gateway({
      identify: identity.identify,
      mediate: (call) => mediate(stages, call),
      view: (principal, server, tools) => viewOf(rooms, principal, server, tools),
      stopOf: (principal) => rooms.stop.stopOf(principal),
      serversOf: (principal) => reachableServers(live.current(), principal),
      upstreams: servers,
      clock,
      limits: rooms.limits,
      log,
    }),
  );
  const egress = held.use(
    new EgressDoor({
      identify: identity.identify,
      credentials: (principal, request) => rooms.credentials.wanted(principal, request),
      mediate: (call) => mediate(stages, call),
      record: async (refusal) => void (await store.append({ type: "egress.refuse", ...refusal })),
      rules: () => live.current().egress,
      derive: (purpose) => store.derive(purpose),
      clock,
      limits: rooms.limits,
      log,
    }),
  );
  const outbox = held.use(notifying(rooms));
  const surfaces = held.use(surfacing(rooms, outbox, () => listening.url));
  const alerts = alerting(rooms, outbox, servers, held);
  const enclose = enclosing({ ...rooms, environment, config: () => live.current(), door: egress });
  const authority = held.use(new AuthorityDoor({ authenticate: identity.authenticate, stopOf: (principal) => rooms.stop.stopOf(principal), hold: identity.hold, termMs: () => live.current().stop.authorityTermMs, limits: rooms.limits }));
  await linkStop(rooms, { face, servers, authority }, held);
  linkChanges(rooms, { face, egress, servers, clear: () => clearSandboxes(settings(environment).home) }, held);
  const { ask, past } = administration(rooms, { alerts, ...back, channels: channelsRoom(rooms, outbox), servers: () => servers.state() as unknown as JsonObject[], look: (server) => servers.probe(server), looked: () => Promise.race([probes, new Promise((resolve) => void clock.after(firstLookMs, () => resolve(null)))]), url: () => listening.url, egressCa: async (principal) => (await egress.authority(principal)).pem });
  const listening: Listening = held.use(await listen({ config, gateway: face, egress, authority, surfaces, api: ask, log }));
  identity.awaitHolders();
  surfaces.announce();
  back.held.start();

  const probes = Promise.allSettled(servers.servers.map((name) => probe(rooms, servers, name)));
  const kept = held.move();
  return {
    url: listening.url,
    api: ask,
    store,
    ready: async () => void (await probes),
    settled: () => decision.recompile("catalog changed"),
    why: (record) => reasonOf(past, record),
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

/** Opens the API on a data folder that no daemon holds. Throws Fault `conflict` when one does. */
export async function composeOffline(options: ComposeOptions): Promise<Offline> {
  await using held = new AsyncDisposableStack();
  const rooms = await core(options, held);
  const { ask } = administration(rooms, { alerts: storedAlerts(rooms.store), undo: noUndo, held: noHeld, channels: channelsRoom(rooms, null), servers: () => [], look: () => Promise.resolve(), looked: () => Promise.resolve(), url: () => "", egressCa: () => Promise.resolve("") });
  const kept = held.move();
  return { api: ask, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}

/** The path's collaborators, out of the rooms. */
function pathOf({ clock, log, store, live, identity, catalog, decision, approvals, limits, credentials, stop, budgets, labels, flow, history }: Core, servers: Upstreams, ownUrl: () => string): Omit<Stages, "plan" | "staged" | "stage"> {
  const record = recordStage({ store, clock, log });
  const executor = { upstreams: servers, limits, pin: (server: string, tool: string) => catalog.pin(server, tool) };
  const web = { clock, limits, rules: () => live.current().egress, ownUrl };
  return {
    monotonicUs: () => clock.monotonicUs(),
    unforeseen: ({ name }, error) => log.error("call.unforeseen", { action: name, error }),
    identify: identity.identify,
    admit: identity.admit,
    enter: stop.enter,
    standing: stop.standing,
    reserve: budgets.reserve,
    look: stop.look,
    recall: (principal) => flow.recall(principal),
    gather: gathering({ config: () => live.current(), catalog, clock, classifier: labels.classifier, flow, history }),
    decide: (input) => decision.decide(input),
    ...noted(history, flow, { intend: record.intend, conclude: (endedMs, intent, principal, ...ending) => record.conclude(endedMs, intent, principal, ...ending, flow.owed(intent.seq)) }),
    claim: (principal, action) => approvals.claim(principal, action),
    unclaim: (approval, why) => approvals.unclaim(approval, why),
    hold: (...call) => approvals.hold(...call),
    vet: (action, principal, { web: request }) => credentials.vet(action, principal, request),
    lease: (action, principal, intent, { web: request }) => credentials.lease(action, principal, intent, request),
    execute: (action, principal, exchange, lease) => (exchange.restore ? restored(exchange.restore) : action.protocol === "http" ? executeWeb(web, action, exchange, lease) : execute(executor, action, principal, exchange)),
    ...screening(labels, () => live.current(), (action, answer, passage) => stop.watch(passage, inspect({ limits }, action, answer))),
    ...noting(flow, () => live.current()),
  };
}

/** What the daemon itself puts back: its own reading tells whether it came off. */
async function restored(restore: () => Promise<void>): Promise<Answer> {
  await restore();
  return { result: {} };
}

/** What one agent is shown of a server's tools: approved definitions that some policy could allow it and its session reaches. */
function viewOf({ live, catalog, decision }: Core, principal: Parameters<typeof reachableServers>[1], server: string, tools: readonly ToolDefinition[]): ToolDefinition[] {
  const agent = live.current().agents.get(principal.agent);
  if (!agent) return [];
  const approved = catalog.approvedAmong(server, tools);
  const inReach = approved.filter(({ name }) => toolsCover(principal.tools, `${server}/${name}`));
  const names = decision.visible({ id: principal.agent, team: agent.team, classes: agent.classes }, inReach.map(({ name }) => `${server}/${name}`), principal.session);
  const shown = new Set(names);
  return inReach.filter(({ name }) => shown.has(`${server}/${name}`));
}

/** A change in one room that others must hear of. */
function linkChanges({ live, catalog, decision, identity, store, log, credentials }: Core, { face, egress, servers, clear }: { face: Gateway; egress: EgressDoor; servers: Upstreams; clear(): void }, held: AsyncDisposableStack): void {
  const fitPolicies = (): void => {
    decision.recompile("catalog changed").then(
      () => face.toolsChanged(),
      (error: unknown) => log.error("policy.failed", { error }),
    );
  };
  const heed = (record: LedgerRecord): void => {
    if (record.type === "bundle.activate" || record.type === "bundle.withdraw" || record.type === "catalog.quarantine") face.toolsChanged();
    if (record.type === "session.close" && record.why === abandoned) clear(); // Its processes ended with whoever held them.
  };
  const release = (session: string): void => {
    egress.ended(session);
    void face.ended(session).catch((error: unknown) => log.error("session.unreleased", { error }));
  };
  const renew = (holders: readonly string[]): void => {
    for (const server of holders) void servers.renew(server).then(() => probe({ log }, servers, server)).catch((error: unknown) => log.error("server.unrenewed", { server, error }));
  };
  const subscriptions = [credentials.onChange(renew), catalog.onChange(fitPolicies), live.onChange(fitPolicies), identity.onClose(release), store.follow(heed)];
  held.defer(() => {
    for (const subscription of subscriptions) subscription.stop();
  });
}

async function probe({ log }: Pick<Core, "log">, servers: Upstreams, server: string): Promise<void> {
  try {
    await servers.probe(server);
  } catch (error) {
    log.warn("server.unreachable", { server, error });
  }
}

/** Variables that a server's process gets beside its own `env`: what programs need to run at all, and nothing that could be a secret. */
function childEnvironment(environment: Environment): Record<string, string> {
  const names = ["PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "USER"];
  return Object.fromEntries(names.flatMap((name) => (environment[name] === undefined ? [] : [[name, environment[name]]])));
}

/** Secrets in `env` and `headers` are looked up at each use, so that no configuration holds them. */
function spec([name, server]: [string, ServerDefinition], credentials: CredentialStage, enclose: ReturnType<typeof enclosing>): UpstreamSpec {
  if (server.kind === "http") return { name, url: server.url, headers: () => credentials.give(name, server.headers) };
  const { command, args, cwd, isolated } = server;
  return { name, command, args, cwd, env: () => credentials.give(name, server.env), ...(isolated && { enclose: () => enclose(name, isolated) }) };
}

function administration(rooms: Core, net: { alerts: Rooms["alerts"]; undo: Rooms["undo"]; held: Rooms["held"]; channels: Rooms["channels"]; servers(): JsonObject[]; look: Rooms["catalog"]["look"]; looked(): Promise<unknown>; url(): string; egressCa: Rooms["egressCa"] }): { ask: Api; past: PastBundles } {
  const { clock, log, limits, store, live, identity, catalog, decision, releases, approvals, credentials, stop, budgets } = rooms;
  const past = new PastBundles({ store, active: () => decision.active()?.snapshot ?? null });
  const versions = releaseViews({ store, releases, lineup: () => decision.lineup() });
  const surface: Rooms = {
    clock,
    log,
    limits,
    store,
    channels: net.channels,
    url: net.url,
    egressCa: net.egressCa,
    identity,
    vouching: vouchingIn(rooms),
    credentials,
    approvals,
    stop,
    budgets,
    alerts: net.alerts,
    undo: net.undo,
    held: net.held,
    workspaces: new Proposals({ store, config: () => live.current() }),
    catalog: {
      list: async (): Promise<readonly CatalogEntry[]> => {
        await net.looked();
        return catalog.entries();
      },
      entries: (): readonly CatalogEntry[] => catalog.entries(),
      look: net.look,
      diff: (server, tool) => catalog.diff(server, tool),
      approve: async (wanted, by) => {
        const approved = await Promise.all(wanted.map((which) => catalog.approve(which, by)));
        await decision.recompile("catalog changed"); // what was approved can be called as soon as this is answered
        return approved.flat();
      },
    },
    data: dataRoom(rooms),
    policy: { ground: rooms.ground },
    releases,
    versions,
    exportLines: () => exportLedger(live.current().data),
    past,
    changes: new Changes({ store, clock, limits, config: () => live.current(), ground: rooms.ground, lineup: () => decision.lineup(), edition: (number) => releases.edition(number) }),
    replay: (from, to) => replay({ store }, from, to),
    status: () => {
      const active = decision.active();
      return {
        version,
        daemon: net.url() === "" ? "not running" : `listens at ${net.url()}`,
        ledger: store.healthy() ? "ok" : "refusing: calls are denied until it can write again",
        entries: store.size(),
        open_intents: store.openIntents(),
        release: live.current().release,
        bundle: active ? { hash: active.hash, version: active.version, policies: active.policies, warnings: active.warnings.length } : versions.remembered(),
        ...versions.beside(),
        policy_errors: [...decision.refusal()],
        rechecks: decision.rechecks() as unknown as JsonObject,
        config: live.current().hash,
        sessions: identity.sessions().length,
        approvals: approvals.list().length,
        stops: stop.list().length,
        budgets: budgets.near(),
        quarantined: catalog.entries().filter(({ state }) => state === "quarantined").length,
        servers: net.servers(),
      };
    },
  };
  return { ask: api(surface), past };
}
