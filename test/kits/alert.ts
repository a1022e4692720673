import { Fault } from "@lanyard/contract";
import { newSigner } from "@lanyard/ledger";
import { systemClock, type Clock } from "../../server/src/base/clock.ts";
import { alertRules, alertShape } from "../../server/src/base/config/alerts.ts";
import { unsealTemplate } from "../../server/src/base/config/environment.ts";
import { silent } from "../../server/src/base/log.ts";
import type { Attempt } from "../../server/src/base/notify/channel.ts";
import { channelsOf } from "../../server/src/base/notify/channels.ts";
import type { Notice, Outbox } from "../../server/src/base/notify/notice.ts";
import { DurableOutbox } from "../../server/src/base/notify/outbox.ts";
import { MemoryMedium, openMemory } from "../../server/src/base/store/memory.ts";
import { Alerts } from "../../server/src/stages/alert/alerts.ts";
import { Postman } from "../../server/src/stages/alert/postman.ts";
import type { Sources, StandingOrder } from "../../server/src/stages/alert/sources.ts";
import { ConditionWatch } from "../../server/src/stages/alert/watch.ts";
import { yamlConfig } from "./approval.ts";
import { settled, stillClock } from "./clock.ts";

/** Ana is on call, Ben is next, the channel `ops` hears the second page; warnings and what is less are held at night (UTC). */
export const alertSettings = {
  rotas: { sre: { zone: "UTC", shifts: [{ who: "ana", from: "00:00", to: "00:00" }] } },
  contacts: { ana: ["ana-phone"], ben: ["ben-phone", "ops"], lea: [] },
  routes: {
    page: { levels: [{ rotas: ["sre"], minutes: 5 }, { users: ["ben"], channels: ["ops"], minutes: 10 }], repeat: 1 },
    calm: { levels: [{ channels: ["ops"] }], quiet: [{ zone: "UTC", from: "22:00", to: "07:00" }] },
  },
  conditions: {
    quarantine: { route: "page" },
    breaker: { route: "page" },
    approval_waiting: { route: "calm", minutes: 15 },
    open_intent: { route: "calm" },
    ledger_down: { route: "page" },
    upstream_down: { route: "calm" },
    budget: { route: "calm", severity: "info" },
    verify_failed: { route: "page" },
  },
};

export const orderOf = (changes: Partial<StandingOrder> = {}): StandingOrder => ({
  id: "st_1", subject: "agent clerk", by: "lanyard", breaker: "denials", why: "20 denials in a minute", sinceMs: 0, done: ["2 sessions were quarantined.", "1 call was cancelled."],
  session: "ses_1", last: 41, resume: "lanyard resume st_1", ...changes,
});

const channelSecrets = { HOOK: `whsec_${Buffer.from("a signing key of some length").toString("base64")}`, PD: "R0UT1NGKEY" };

/** Alerts over a store in memory, an outbox that keeps what it is given, and conditions that a test sets. */
export async function alertWorld({ startMs, settings = alertSettings, yaml }: { startMs?: number; settings?: unknown; /** lanyard.yaml with `channels:` and `alerts:`, whose channels are then the real ones. */ yaml?: string } = {}) {
  const still = stillClock(startMs);
  const wall = { offMs: 0 };
  const clock: Clock = { ...still, nowMs: () => still.nowMs() + wall.offMs };
  const medium = new MemoryMedium();
  const disk = { medium, signer: newSigner("lanyard.local/test"), tenant: systemClock.random(32) };
  let store = await openMemory({ clock, ...disk });
  const facts = {
    quarantines: [] as StandingOrder[],
    approvals: [] as ReturnType<Sources["approvals"]>,
    intents: [] as ReturnType<Sources["intents"]>,
    budgets: [] as ReturnType<Sources["budgets"]>,
    servers: [] as ReturnType<Sources["downServers"]>,
    findings: [] as string[],
    unreadable: false,
  };
  /** What the outbox took, by channel and id once, and what was delivered past it. */
  const taken = new Set<string>();
  const posted: { channel: string; notice: Notice }[] = [];
  const direct: { channel: string; notice: Notice }[] = [];
  const post = { refuses: false, channelFails: false };
  const config = yaml === undefined ? { ...yamlConfig("version: 1\nusers: { ana: {}, ben: {}, lea: {}, eve: {} }\n"), alerts: alertRules(alertShape.parse(settings)) } : yamlConfig(yaml);
  const channels = channelsOf({ clock, config: () => config, fill: (templates) => Promise.resolve(unsealTemplate(templates, channelSecrets)) });
  const kept: Outbox = {
    post: async (channel, notice) => {
      if (post.refuses || !store.healthy()) throw new Fault("ledger_unavailable", "posting: the disk refused");
      const key = `${channel} ${notice.id}`;
      if (!taken.has(key)) posted.push({ channel, notice });
      taken.add(key);
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
  const past = (channel: string) => async ({ notice }: Attempt) => {
    if (post.channelFails) throw new Error("unreachable");
    direct.push({ channel, notice });
    return null;
  };
  const start = () => {
    const outbox = yaml === undefined ? kept : new DurableOutbox({ store, clock, log: silent, config: () => config, channel: channels });
    const postman = new Postman({ clock, log: silent, limits: () => ({ channel_ms: 10_000, notices: 1000 }), outbox, channel: yaml === undefined ? past : channels });

    const watch = new ConditionWatch({ clock, log: silent }, {
      deadlines: () => [],
      quarantines: () => {
        if (facts.unreadable) throw new Fault("ledger_unavailable", "reading the ledger: the disk refused");
        return facts.quarantines;
      },
      approvals: () => facts.approvals,
      intents: () => facts.intents,
      budgets: () => facts.budgets,
      downServers: () => facts.servers,
      ledgerWrites: () => store.healthy(),
      verdict: () => ({ atMs: clock.nowMs(), findings: facts.findings }),
    });
    const alerts = new Alerts({ store, clock, log: silent, config: () => config, watch: (isOpen) => watch.look(config.alerts.conditions, isOpen), postman, told: () => (outbox instanceof DurableOutbox ? outbox.open("alert") : []) });
    return { alerts, postman, outbox };
  };
  let running = start();
  return {
    clock,
    wall,
    medium,
    config,
    facts,
    post,
    direct,
    get alerts() {
      return running.alerts;
    },
    get store() {
      return store;
    },
    advance: (ms: number) => still.advance(ms),
    /** `channel: title` of each notice since the last time. */
    sent: () => posted.splice(0).map(({ channel, notice }) => `${channel}: ${notice.title}`),
    /** Those since then, whole. */
    notices: () => [...posted],
    records: () => store.entries({ types: ["alert.raise", "alert.escalate", "alert.acknowledge", "alert.resolve"] }),
    only: () => String(running.alerts.list()[0]?.["id"]),
    async restart({ orderly = true } = {}) {
      await running.alerts[Symbol.asyncDispose]();
      await running.postman[Symbol.asyncDispose]();
      await running.outbox[Symbol.asyncDispose]();
      if (orderly) await store[Symbol.asyncDispose]();
      store = await openMemory({ clock, ...disk });
      running = start();
      await settled();
    },
    async [Symbol.asyncDispose]() {
      await running.alerts[Symbol.asyncDispose]();
      await running.postman[Symbol.asyncDispose]();
      await running.outbox[Symbol.asyncDispose]();
      await store[Symbol.asyncDispose]();
    },
  };
}

