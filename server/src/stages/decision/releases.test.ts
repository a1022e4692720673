import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Fault, type DecisionInput, type LedgerRecord, type RecordType, type Registry } from "@lanyard/contract";
import type { Snapshot } from "@lanyard/policy";
import { afterEach, describe, expect, it } from "vitest";
import { systemClock } from "../../base/clock.ts";
import type { Config } from "../../base/config/config.ts";
import { defaultLimits, type Limits } from "../../base/limits.ts";
import { silent } from "../../base/log.ts";
import { openMemory } from "../../base/store/memory.ts";
import type { Store } from "../../base/store/port.ts";
import type { TierVerdict } from "./clearance.ts";
import type { Edition } from "./edition.ts";
import { Releases, type Upload } from "./releases.ts";
import { releaseViews, type ReleaseViews } from "./releases-view.ts";
import { DecisionStage } from "./stage.ts";

const registry: Registry = {
  agents: { bot: { team: "support", classes: [] } },
  users: {},
  teams: { support: { owners: ["support-leads"] }, sales: { owners: [] } },
  groups: {},
  owners: ["policy"],
  resources: {},
};
const readTool = { server: "files", tool: "read", definition: "d", inputSchema: { type: "object" as const, properties: { path: { type: "string" } } }, contract: { effects: ["read" as const], reversibility: "read" as const } };
const inputOf = (session = "s"): DecisionInput => ({
  agent: { id: "bot", team: "support", classes: [] },
  user: { id: "ana", groups: [] },
  session: { id: session, purpose: "", depth: 0, labels: [], isolation: "none" },
  action: "files/read",
  args: { path: "/secret" },
  approvals: [],
  nowMs: 1_790_000_000_000,
});

const permit = '@id("base") @reason("Reading is fine.") permit (principal, action == Action::"files/read", resource);\n';
const forbid = '@id("no-secret") @reason("Secrets stay.") forbid (principal, action == Action::"files/read", resource) when { context.input has path && context.input.path == "/secret" };\n';
const team = '@id("support.read") @reason("Support reads.") permit (principal in Team::"support", action == Action::"files/read", resource);\n';
const upload = (files: Readonly<Record<string, string>>, more: Partial<Upload> = {}): Upload => ({
  policies: Object.entries(files).flatMap(([file, text]) => (file.endsWith(".yaml") ? [] : [{ file, text }])),
  tests: Object.entries(files).flatMap(([file, text]) => (file.endsWith(".yaml") ? [{ file, text }] : [])),
  note: "",
  base: null,
  team: null,
  ...more,
});
const all = { texts: false, agents: null };
const tight = { "org.cedar": permit + forbid };
const loose = { "org.cedar": permit };

/** Stands for the solver: dropping the forbid loosens, and so does any permit over nothing. */
let compared = 0;
const compare = async (before: Snapshot, after: Snapshot): Promise<TierVerdict> => {
  compared += 1;
  const ids = ({ bundle }: Snapshot): string[] => bundle.policies.map(({ id }) => id);
  const loosens = (ids(before).includes("no-secret") || !ids(before).includes("base")) && !ids(after).includes("no-secret") && ids(after).includes("base");
  return { loosens, why: loosens ? ["`files/read` of /secret was denied, and is allowed"] : [] };
};

const open: AsyncDisposable[] = [];
const folders: string[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one[Symbol.asyncDispose]();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

interface Setting {
  readonly store: Store;
  readonly stage: DecisionStage;
  readonly releases: Releases;
  readonly views: ReleaseViews;
  readonly records: (...types: RecordType[]) => LedgerRecord[];
}

const begin = async ({ release = "reviewed", limits = {}, test = async () => [] }: { release?: Config["release"]; limits?: Partial<Limits>; test?: (edition: Edition) => Promise<string[]> } = {}): Promise<Setting> => {
  const policyDir = mkdtempSync(join(tmpdir(), "lanyard-releases-"));
  folders.push(policyDir);
  const store = await openMemory();
  open.push(store);
  const lowered = { ...defaultLimits, ...limits };
  const stage = new DecisionStage({ store, clock: systemClock, log: silent, policyDir, ground: () => ({ servers: ["files"], tools: [readTool], registry }), limits: lowered, release: () => release });
  open.push(stage);
  await stage.start();
  const users = new Map([["ana", ["policy"]], ["ben", ["policy"]], ["cleo", ["support-leads"]], ["dan", []]].map(([name, groups]) => [name as string, { groups: groups as string[] }]));
  const agents = new Map([["bot", { team: "support", classes: [], servers: null, onBehalfOf: null, runBy: [], sessionMinutes: null }]]);
  const config = () => ({ release, agents, owners: registry.owners, teams: new Map(Object.entries(registry.teams)), users });
  const releases = new Releases({ store, clock: systemClock, config, limits: lowered, decision: stage, test, compare });
  return { store, stage, releases, views: releaseViews({ store, releases, lineup: () => stage.lineup() }), records: (...types) => store.entries({ types }) };
};
const effectOf = (stage: DecisionStage): string => stage.decide(inputOf()).decision.effect;
const fault = (promise: Promise<unknown>): Promise<string> => promise.then(() => "went through", (error: unknown) => (error instanceof Fault ? `${error.code}: ${error.message}` : String(error)));
/** Version 1, tight, in force with a second person's yes. */
const beginWithOne = async (): Promise<Setting> => {
  const setting = await begin();
  await setting.releases.publish("ana", upload(tight));
  await setting.releases.activate(1, "ana");
  return setting;
};

describe("publishing", () => {
  it("signs a version, records it, and puts nothing in force", async () => {
    const { releases, stage, records, store } = await begin();
    const outcome = await releases.publish("ana", upload(tight, { note: "first" }));
    expect(outcome).toMatchObject({ ok: true, published: { statement: { version: 1, base: 0, author: "user:ana", note: "first", loosens: false } } });
    const version = releases.version(1);
    expect(records("policy.publish")).toMatchObject([{ version: 1, base: 0, statement: version.address, source: version.statement.source, bundle: version.statement.bundle, by: "user:ana" }]);
    expect(store.getObject(version.statement.bundle)).not.toBeNull();
    expect(releases.edition(1)).toEqual({ version: 1, policies: [{ file: "org.cedar", text: permit + forbid }], tests: [] });
    expect(effectOf(stage)).toBe("deny");
    expect(stage.active()).toBeNull();
  });

  it("works beside the live folder, where posting does not", async () => {
    const { releases } = await begin({ release: "live" });
    expect(await releases.publish("ana", upload(tight))).toMatchObject({ ok: true });
    for (const verb of [releases.activate(1, "ana"), releases.shadow(1, "ana"), releases.rollback(null, "")]) expect(await fault(verb)).toMatch(/^conflict: .*`release: reviewed` in lanyard\.yaml/);
  });

  it("gives errors back with their place, and failing cases, and keeps nothing", async () => {
    const wrong = await begin();
    expect(await wrong.releases.publish("ana", upload({ "a.cedar": "permit nobody;" }))).toMatchObject({ ok: false, problems: [expect.stringMatching(/^a\.cedar:1:8: /)] });
    const failing = await begin({ test: async () => ["cases.yaml:3:1: expected deny, decided allow"] });
    expect(await failing.releases.publish("ana", upload(tight))).toEqual({ ok: false, problems: ["cases.yaml:3:1: expected deny, decided allow"] });
    expect([wrong, failing].map(({ releases, records }) => [releases.newest(), records("policy.publish").length])).toEqual([[0, 0], [0, 0]]);
  });

  it("does not wait for a team whose cases the organisation's change fails: they are told", async () => {
    const { releases } = await begin({ test: async ({ tests, policies }) => tests.flatMap(({ file, text }) => (policies.some((policy) => policy.text.includes(text)) ? [`${file}: fails`] : [])) });
    const cases = { "teams/support/a.yaml": "no-secret" };
    await releases.publish("ana", upload(loose));
    expect(await releases.publish("cleo", upload(cases, { team: "support" }))).toMatchObject({ ok: true, failing: [] });
    expect(await releases.publish("ana", upload({ ...tight, ...cases }))).toMatchObject({ ok: true, failing: ["teams/support/a.yaml: fails"] });
    expect(await releases.publish("cleo", upload({ ...cases, "teams/support/read.cedar": team }, { team: "support" }))).toMatchObject({ ok: false, problems: ["teams/support/a.yaml: fails"] });
    expect(await releases.publish("ana", upload({ ...tight, ...cases, "org.yaml": "no-secret" }))).toMatchObject({ ok: false, problems: ["org.yaml: fails"] });
  });

  it("is a conflict when somebody published meanwhile, and when nothing differs", async () => {
    const { releases } = await begin();
    await releases.publish("ana", upload(tight));
    await releases.publish("ben", upload({ ...tight, "teams/sales/x.yaml": "" }, { base: 1 }));
    expect(await fault(releases.publish("ana", upload(loose, { base: 1 })))).toMatch(/^conflict: .*`user:ben` published version 2 meanwhile/);
    expect(await fault(releases.publish("ana", upload(loose, { base: 9 })))).toMatch(/^conflict: .*there is no version 9/);
    expect(await fault(releases.publish("ana", upload({ ...tight, "teams/sales/x.yaml": "" })))).toMatch(/^conflict: nothing to publish: the files are those of version 2/);
  });

  it("goes one at a time", async () => {
    const { releases } = await begin();
    const [first, second] = await Promise.all([fault(releases.publish("ana", upload(tight))), fault(releases.publish("ben", upload(loose)))]);
    expect([first, second]).toEqual(["went through", "conflict: another version is being published at this moment"]);
  });

  it("takes as many versions and files as the limits say, and no more", async () => {
    const { releases } = await begin({ limits: { versions: 2, policy_files: 2, policy_bytes: 1000 } });
    expect(await fault(releases.publish("ana", upload({ ...tight, "b.cedar": "", "c.cedar": "" })))).toMatch(/limit_exceeded.*policy_files/);
    expect(await fault(releases.publish("ana", upload({ "a.cedar": "/".repeat(1001) })))).toMatch(/limit_exceeded.*policy_bytes/);
    expect(await fault(releases.publish("ana", upload({ ...tight, "b.cedar": "" })))).toBe("went through");
    expect(await fault(releases.publish("cleo", upload({ "teams/support/a.cedar": "" }, { team: "support" })))).toMatch(/limit_exceeded.*policy_files/);
    expect(await fault(releases.publish("ana", upload(tight)))).toBe("went through");
    expect(await fault(releases.publish("ana", upload({ ...tight, "b.cedar": "" })))).toMatch(/limit_exceeded: publishing version 3/);
  });
});

describe("files and their owners", () => {
  it("are refused by name when they are somebody else's", async () => {
    const { releases } = await begin();
    const files = { ...tight, "teams/support/read.cedar": team };
    expect(await fault(releases.publish("dan", upload(tight)))).toMatch(/^forbidden: publishing: the file `org\.cedar` would be added.*`dan`.*members of `policy`/);
    expect(await fault(releases.publish("ana", upload(files)))).toMatch(/^forbidden: .*`teams\/support\/read\.cedar`.*`support-leads`/);
    await releases.publish("ana", upload(tight));
    expect(await fault(releases.publish("cleo", upload({ ...files, "org.cedar": permit })))).toMatch(/^forbidden: .*`org\.cedar` would be changed.*`cleo`/);
    expect(await fault(releases.publish("cleo", upload({ "teams/support/read.cedar": team })))).toMatch(/^forbidden: .*`org\.cedar` would be removed/);
    expect(await fault(releases.publish("cleo", upload(files)))).toBe("went through");
  });

  it("of a team alone are published with the rest as it is", async () => {
    const { releases } = await begin();
    await releases.publish("ana", upload(tight));
    const own = { "teams/support/read.cedar": team };
    expect(await releases.publish("cleo", upload(own, { team: "support" }))).toMatchObject({ ok: true });
    expect(releases.edition(2).policies.map(({ file }) => file)).toEqual(["org.cedar", "teams/support/read.cedar"]);
    expect(await fault(releases.publish("cleo", upload({ ...own, "org.cedar": permit }, { team: "support" })))).toMatch(/^forbidden: .*`org\.cedar` is not below `teams\/support\/`/);
    expect(await fault(releases.publish("cleo", upload({ "teams/sales/x.cedar": "" }, { team: "sales" })))).toMatch(/^forbidden/);
  });

  it("of the organisation alone are published with every team's folder as it is", async () => {
    const { releases } = await begin();
    await releases.publish("ana", upload(tight));
    await releases.publish("cleo", upload({ "teams/support/read.cedar": team }, { team: "support" }));
    await releases.publish("ana", upload({ "org.cedar": permit }, { team: "" }));
    expect(releases.edition(3).policies.map(({ text }) => text)).toEqual([permit, team]);
    expect(await fault(releases.publish("ana", upload({ "org.cedar": permit, "teams/support/read.cedar": "" }, { team: "" })))).toMatch(/^forbidden: .*`teams\/support\/read\.cedar` is a team's/);
  });

  it.each(["../a.cedar", "/a.cedar", "a//b.cedar", ".a.cedar", "teams/./a.cedar", "a.yaml", "a\\b.cedar", "a\n.cedar", "\ud800.cedar"])("have plain names: not %j", async (file) => {
    const { releases } = await begin();
    expect(await fault(releases.publish("ana", { ...upload({}), policies: [{ file, text: permit }] }))).toMatch(/^invalid_request/);
  });

  it("come once, and are text", async () => {
    const { releases } = await begin();
    const file = { file: "a.cedar", text: permit };
    expect(await fault(releases.publish("ana", { ...upload({}), policies: [file, file] }))).toMatch(/comes twice/);
    expect(await fault(releases.publish("ana", upload({ "a.cedar": "// \ud800" })))).toMatch(/no Unicode/);
  });
});

describe("the second person", () => {
  it("must say yes before a version that loosens decides anything; shadowing it is free", async () => {
    const { releases, stage, views, records } = await beginWithOne();
    await releases.publish("ana", upload(loose));
    expect(views.history(9)["versions"]).toMatchObject([{ version: 2, waits: true, loosens: true, second_person: null }, { version: 1, waits: false, posts: ["active"] }]);
    for (const verb of [releases.activate(2, "ana"), releases.activate(2, "ben"), releases.canary(2, "ana", terms)]) expect(await fault(verb)).toMatch(/^approval_pending: version 2 loosens.*\/secret was denied.*lanyard policy approve 2/);
    expect(await releases.shadow(2, "ana")).toEqual({ ok: true });
    expect(await fault(releases.approve(2, "ana"))).toMatch(/^forbidden: .*`ana` published it/);
    expect(await fault(releases.approve(2, "cleo"))).toMatch(/^forbidden: .*a member of `policy`/);
    await releases.approve(2, "ben");
    expect(views.show("2", all)).toMatchObject({ waits: false, second_person: { by: "user:ben" }, why: ["`files/read` of /secret was denied, and is allowed"] });
    expect(records("policy.approve")).toMatchObject([{ version: 2, statement: releases.version(2).address, by: "user:ben" }]);
    await releases.activate(2, "ana");
    expect(effectOf(stage)).toBe("allow");
  });

  it("is not whoever wrote it under another's name: a team publishes on top, and its author's yes does not count", async () => {
    const { releases } = await beginWithOne();
    await releases.publish("ana", upload(loose));
    await releases.publish("cleo", upload({ "teams/support/read.cedar": team }, { team: "support" }));
    expect(await fault(releases.activate(3, "ben"))).toMatch(/^approval_pending: version 3 loosens/);
    expect(await fault(releases.approve(3, "ana"))).toMatch(/^forbidden: .*what `ana` changed in version 2/);
    await releases.approve(3, "ben");
    expect(await releases.activate(3, "ben")).toEqual({ ok: true });
  });

  it("is not needed for the same org tier again, and is for an old version that loosens what is in force now", async () => {
    const { releases } = await begin();
    await releases.publish("ana", upload(loose));
    await releases.approve(1, "ben");
    await releases.publish("ana", upload({ ...loose, "x.yaml": "" }));
    expect(await releases.activate(2, "ana")).toEqual({ ok: true }); // its org tier is version 1's, which ben approved over the same
    await releases.publish("ana", upload(tight));
    expect(await releases.activate(3, "ana")).toEqual({ ok: true });
    expect(await fault(releases.activate(1, "ana"))).toMatch(/^approval_pending: version 1 loosens/);
    expect(await fault(releases.approve(3, "ben"))).toMatch(/^conflict: version 3 changes nothing/);
  });

  it("is asked for over what is in force at that moment: two activations at once do not pass each other", async () => {
    const { releases, stage } = await begin();
    await releases.publish("ana", upload(loose));
    await releases.approve(1, "ben");
    await releases.activate(1, "ana");
    await releases.publish("ana", upload(tight));
    await releases.publish("ana", upload({ ...loose, "org.cedar": `// no looser than version 1\n${permit}` }));
    const both = await Promise.all([fault(releases.activate(2, "ben")), fault(releases.activate(3, "ana"))]);
    expect(both).toEqual(["went through", expect.stringMatching(/^approval_pending: version 3 loosens/)]);
    expect(effectOf(stage)).toBe("deny");
  });

  it("is asked where nobody can say, and for a first version over nothing", async () => {
    const { releases } = await begin();
    await releases.publish("ana", upload(loose));
    expect(await fault(releases.activate(1, "ana"))).toMatch(/^approval_pending/);
    expect(await fault(releases.approve(7, "ben"))).toMatch(/^not_found: no version `7`/);
  });
});

const terms = { share: 0.5, bands: { denyRate: 0.05, errorRate: 0.01, latencyP99Us: 1_000_000 }, minimum: 1 };

describe("posting", () => {
  it("is for owners, and for a team's owners when only their folder differs from what is in force", async () => {
    const { releases } = await beginWithOne();
    await releases.publish("cleo", upload({ "teams/support/read.cedar": team }, { team: "support" }));
    expect(await fault(releases.activate(2, "dan"))).toMatch(/^forbidden: .*`teams\/support\/read\.cedar`/);
    expect(await releases.canary(2, "cleo", terms)).toEqual({ ok: true });
    expect(await releases.activate(2, "cleo")).toEqual({ ok: true });
    expect(await fault(releases.activate(2, "cleo"))).toMatch(/^conflict: version 2 is in force already/);
    await releases.publish("ana", upload({ ...tight, "teams/support/read.cedar": team, "more.cedar": forbid.replace("no-secret", "no-more") }));
    expect(await fault(releases.shadow(3, "cleo"))).toMatch(/^forbidden: .*`more\.cedar`/);
    expect(await fault(releases.shadow(null, "ana"))).toMatch(/^conflict: there is no shadow/);
    await releases.shadow(3, "ana");
    expect(await fault(releases.shadow(null, "cleo"))).toMatch(/^forbidden/);
    expect(await releases.shadow(null, "ben")).toEqual({ ok: true });
  });

  it("asks again whether it loosens only when something else is in force than was compared", async () => {
    const { releases } = await beginWithOne();
    const more = (n: number): Record<string, string> => ({ ...tight, "more.cedar": forbid.replace("no-secret", `no-${n}`) });
    await releases.publish("ana", upload(more(2)));
    await releases.publish("ana", upload(more(3)));
    compared = 0;
    await releases.activate(2, "ana");
    expect(compared).toBe(0);
    await releases.activate(3, "ana");
    expect(compared).toBe(1);
  });

  it("of a tighter version ends a canary that nobody has approved over it, before it decides", async () => {
    const { releases, stage, records } = await begin();
    await releases.publish("ana", upload(loose));
    await releases.approve(1, "ben");
    await releases.activate(1, "ana");
    await releases.publish("ana", upload({ ...loose, "more.cedar": permit.replace("base", "base-too") }));
    expect(await releases.canary(2, "ana", { ...terms, share: 1 })).toEqual({ ok: true });
    await releases.publish("ana", upload(tight));
    await releases.activate(3, "ana");
    expect([effectOf(stage), stage.lineup().canary]).toEqual(["deny", null]);
    expect(records("bundle.activate", "bundle.withdraw").slice(-2)).toMatchObject([{ type: "bundle.withdraw", post: "canary", version: 2, by: "lanyard" }, { type: "bundle.activate", post: "active", version: 3 }]);
    await releases.publish("cleo", upload({ "teams/support/read.cedar": team }, { team: "support" }));
    await releases.canary(4, "cleo", terms);
    await releases.publish("ana", upload({ ...tight, "teams/support/read.cedar": team, "notes.yaml": "[]" }));
    await releases.activate(5, "ana");
    expect(stage.lineup()).toMatchObject({ active: { version: 5 }, canary: { version: 4 } }); // the same policies of the organisation
  });

  it("of a canary needs something in force", async () => {
    const { releases } = await begin();
    await releases.publish("ana", upload(tight));
    expect(await fault(releases.canary(1, "ana", terms))).toMatch(/^conflict: .*there is none/);
  });
});

describe("rolling back", () => {
  it("goes to the version in force before, ends canary and shadow, and goes further back the next time", async () => {
    const { releases, stage, records } = await beginWithOne();
    const more = (n: number): Record<string, string> => ({ ...tight, "more.cedar": forbid.replace("no-secret", `no-${n}`) });
    for (const n of [2, 3, 4]) await releases.publish("ana", upload(more(n)));
    await releases.activate(2, "ana");
    await releases.activate(3, "ben");
    await releases.canary(4, "ana", terms);
    await releases.shadow(4, "ana");
    expect(await releases.rollback(null, "calls are denied")).toEqual({ from: 3, to: 2 });
    expect(stage.lineup()).toMatchObject({ active: { version: 2, by: "operator" }, canary: null, shadow: null });
    expect(records("policy.rollback")).toMatchObject([{ from: 3, to: 2, by: "operator", why: "calls are denied" }]);
    expect(records("bundle.withdraw").map((record) => (record.type === "bundle.withdraw" ? record.post : ""))).toEqual(["canary", "shadow"]);
    expect(await releases.rollback("ben", "")).toEqual({ from: 2, to: 1 });
    expect(await fault(releases.rollback(null, ""))).toMatch(/^conflict: there is nothing to roll back/);
    await releases.activate(3, "ana");
    expect(await releases.rollback("ana", "")).toEqual({ from: 3, to: 1 });
  });

  it("needs no second person, and of a user the right to change what it changes", async () => {
    const { releases, stage } = await begin();
    await releases.publish("ana", upload(loose));
    await releases.approve(1, "ben");
    await releases.activate(1, "ana");
    await releases.publish("ana", upload(tight));
    await releases.activate(2, "ana");
    expect(await fault(releases.rollback("cleo", ""))).toMatch(/^forbidden: rolling back: the file `org\.cedar`/);
    expect(await releases.rollback(null, "")).toEqual({ from: 2, to: 1 });
    expect(effectOf(stage)).toBe("allow");
  });

  it("by a team, or its own canary, leaves what the organisation runs beside", async () => {
    const { releases, stage } = await beginWithOne();
    await releases.publish("cleo", upload({ "teams/support/read.cedar": team }, { team: "support" }));
    await releases.activate(2, "cleo");
    const later = { "teams/support/read.cedar": `${team}// as before` };
    await releases.publish("cleo", upload(later, { team: "support" }));
    await releases.publish("ana", upload({ ...tight, ...later, "more.cedar": forbid.replace("no-secret", "no-more") }));
    for (const post of [releases.canary(4, "ana", terms), releases.shadow(4, "ana")]) await post;
    for (const posting of [releases.canary(3, "cleo", terms), releases.shadow(3, "cleo")]) expect(await fault(posting)).toMatch(/^forbidden: .*version 4 stands there/);
    expect(await releases.rollback("cleo", "")).toEqual({ from: 2, to: 1 });
    expect(stage.lineup()).toMatchObject({ active: { version: 1 }, canary: { version: 4 }, shadow: { version: 4 } });
  });

  it("with nothing before ends what runs beside", async () => {
    const { releases, stage } = await beginWithOne();
    await releases.publish("ana", upload({ ...tight, "more.cedar": forbid.replace("no-secret", "no-more") }));
    await releases.shadow(2, "ana");
    expect(await releases.rollback(null, "")).toEqual({ from: 1, to: null });
    expect(stage.lineup()).toMatchObject({ active: { version: 1 }, shadow: null });
  });
});

it("a shadow's differences are told to the owners of the organisation's policies, and of the agent's team", async () => {
  const { releases, stage, views, store } = await beginWithOne();
  await releases.publish("ana", upload(loose));
  await releases.shadow(2, "ana");
  expect(effectOf(stage)).toBe("deny");
  await expect.poll(() => store.entries({ types: ["bundle.difference"] }).length, { timeout: 10_000 }).toBe(1);
  const told = (user: string): unknown => views.show("shadow", { texts: false, agents: releases.sees(user) })["differences"];
  expect(told("ana")).toMatchObject([{ agent: "bot", action: "files/read", effect: "deny", beside_effect: "allow" }]);
  expect([told("cleo"), told("dan"), told("nobody")]).toEqual([told("ana"), [], []]);
});

it("a version shows its files, what changed, who made it, and that its signature holds", async () => {
  const { releases, views, store } = await beginWithOne();
  await releases.publish("ana", upload({ "more.cedar": forbid, "org.cedar": permit }, { note: "moved" }));
  const shown = views.show("newest", { texts: true, agents: null });
  expect(shown).toMatchObject({
    version: 2, author: "user:ana", note: "moved", signature: "verified", bundle_intact: true, posts: [],
    files: [{ file: "more.cedar", change: "added", text: forbid }, { file: "org.cedar", change: "changed" }],
  });
  expect(store.notary.vouched("lanyard policy version/v1", String(shown["signed"]))).toMatchObject({ version: 2, author: "user:ana" });
  expect(() => views.show("8", all)).toThrow(/no version `8`/);
  expect(() => views.show("canary", all)).toThrow(/there is no canary/);
  expect(() => views.show("best", all)).toThrow(/`best` is no version/);
  expect(views.show("active", all)).toMatchObject({ version: 1, standing: { active: { policies: 2, by: "user:ana" } } });
});
