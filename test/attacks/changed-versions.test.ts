import { rmSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { loadConfig } from "../../server/src/base/config/read.ts";
import { silent } from "../../server/src/base/log.ts";
import { verifyStore } from "../../server/src/base/store/verify.ts";
import { compose } from "../../server/src/compose.ts";
import { World } from "../daemon.ts";
import { copyFolder } from "../ledger/tamper.ts";

// Somebody who can write to the data folder's database, but has no key: published versions must not change under their number.

const yaml = "release: reviewed\nowners: [policy]\nteams: { t: {} }\ngroups: { policy: {} }\nusers: { ana: { groups: [policy] }, ben: { groups: [policy] } }\nagents: { bot: { team: t } }\n";
const permit = '@id("org.read") @reason("Reading is fine.") permit (principal, action, resource);';
const forbid = '@id("org.closed") @reason("Closed.") forbid (principal, action, resource);';

interface Answer {
  readonly status: number;
  readonly body: { readonly [key: string]: unknown };
}
type Ask = (user: "ana" | "ben" | null, method: string, path: string, body?: object) => Promise<Answer>;

const first = new World({ yaml, policies: {} });
let world = first;
let addresses: Readonly<Record<string, string>>;
const secrets: { ana: string; ben: string } = { ana: "", ben: "" };
beforeAll(async () => void (addresses = await published()), 60_000);
beforeEach(() => {
  world = new World({ yaml, policies: {} });
  rmSync(world.data, { recursive: true });
  copyFolder(first.data, world.data);
});
afterEach(() => world[Symbol.dispose]());
afterAll(() => first[Symbol.dispose]());

/** Runs `work` against the API of a daemon on the data folder. */
const opened = async <T>(work: (ask: Ask) => Promise<T>): Promise<T> => {
  await using rooms = await compose({ config: loadConfig(world.config), environment: {}, log: silent });
  return await work(async (user, method, path, body) => {
    const headers = user ? { authorization: `Bearer ${secrets[user]}` } : {};
    const response = await rooms.api(new Request(`http://lanyard.local${path}`, { method, headers, ...(body && { body: JSON.stringify(body) }) }), { operator: true });
    return { status: response.status, body: (await response.json()) as Answer["body"] };
  });
};

const publish = (ask: Ask, text: string, user: "ana" | "ben" = "ana"): Promise<Answer> => ask(user, "POST", "/v1/policy/versions", { policies: [{ file: "org.cedar", text }], tests: [] });

/** Version 1 forbids, version 2 permits and has ben's yes; version 1 is in force. */
const published = (): Promise<Record<string, string>> =>
  opened(async (ask) => {
    for (const name of ["ana", "ben"] as const) secrets[name] = String((await ask(null, "POST", "/v1/credentials", { kind: "user", name })).body["secret"]);
    expect((await publish(ask, forbid)).body).toMatchObject({ ok: true, version: 1 });
    expect((await ask("ana", "POST", "/v1/policy/activate", { version: 1 })).body).toMatchObject({ ok: true });
    expect((await publish(ask, permit + forbid)).body).toMatchObject({ ok: true, version: 2 });
    const { source, bundle, statement } = (await ask("ana", "GET", "/v1/policy/versions/2")).body as Record<string, string>;
    return { source, bundle, statement } as Record<string, string>;
  });

const edit = (address: string, change: (text: string) => string): void => {
  using database = new DatabaseSync(join(world.data, "ledger.db"));
  const key = Buffer.from(address, "base64url");
  const { bytes } = database.prepare("SELECT bytes FROM object WHERE hash = ?").get(key) as { bytes: Uint8Array };
  const text = Buffer.from(bytes).toString("latin1"); // Large ones are kept compressed.
  expect(change(text)).not.toBe(text);
  database.prepare("UPDATE object SET bytes = ? WHERE hash = ?").run(Buffer.from(change(text), "latin1"), key);
};

const posts = ["activate", "shadow", "canary"] as const;

test("untouched, a version can be put in force", async () => {
  expect(await opened((ask) => ask("ben", "POST", "/v1/policy/activate", { version: 2 }))).toMatchObject({ status: 200, body: { ok: true } });
});

describe.each<[string, "source" | "statement", (text: string) => string]>([
  ["the files: a forbid turned into a permit", "source", (text) => text.replace("forbid (", "permit (")],
  ["the files: one byte", "source", (text) => text.replace("Closed", "closed")],
  ["the statement: another author", "statement", (text) => text.replace("user:ana", "user:ben")],
  ["the statement: it loosens nothing", "statement", (text) => text.replace('"loosens":', '"loosens" :')],
  ["the statement: no signature", "statement", (text) => text.slice(0, text.indexOf("\n\n") + 1)],
])("edited on disk: %s", (_what, which, change) => {
  test("is refused wherever the version is used, and found by audit", async () => {
    edit(addresses[which] ?? "", change);
    await opened(async (ask) => {
      for (const post of posts) expect(await ask("ben", "POST", `/v1/policy/${post}`, { version: 2 })).toMatchObject({ status: 500, body: { error: { message: expect.stringMatching(/^version 2 cannot be used: its (files|signed statement).*changed on disk; `lanyard audit verify`/) as string } } });
      expect(await ask("ben", "GET", "/v1/policy/versions/2")).toMatchObject({ status: 500 });
      expect(await publish(ask, `${permit}${forbid}// more`)).toMatchObject({ status: 500 });
      const { versions } = (await ask(null, "GET", "/v1/policy/versions")).body as { versions: { version: number; signature: string; posts?: string[] }[] };
      expect(versions).toMatchObject([{ version: 2, signature: which === "statement" ? "broken" : "verified" }, { version: 1, signature: "verified", posts: ["active"] }]);
    });
    expect((await verifyStore(world.data)).findings.map(({ what }) => what)).toEqual([`the object \`${addresses[which]}\` was changed`]);
  });
});

test("the bundle in force edited on disk decides nothing after a restart: everything is denied", async () => {
  const bundle = await opened(async (ask) => String(((await ask("ana", "GET", "/v1/policy/versions/active")).body as { standing: { active: { bundle: string } } }).standing.active.bundle));
  edit(bundle, (text) => text.slice(0, -1) + String.fromCharCode(text.charCodeAt(text.length - 1) ^ 1));
  const status = await opened(async (ask) => (await ask(null, "GET", "/v1/status")).body);
  expect(status["bundle"]).not.toHaveProperty("policies");
});

test("a second person's yes written by hand keeps the daemon from starting", async () => {
  {
    using database = new DatabaseSync(join(world.data, "ledger.db"));
    const { text } = database.prepare("SELECT text FROM state WHERE kind = 'release' AND key = '2'").get() as { text: string };
    const forged = { ...(JSON.parse(text) as object), approved: { at_ms: 1, by: "user:ben", over: null } };
    database.prepare("UPDATE state SET text = ? WHERE kind = 'release' AND key = '2'").run(JSON.stringify(forged));
  }
  await expect(opened((ask) => ask(null, "GET", "/v1/status"))).rejects.toThrow(/does not vouch for the state document of kind `release`/);
});

describe("uploads", () => {
  test("may be as long as upload_bytes, longer than other bodies, and no longer", async () => {
    world[Symbol.dispose]();
    world = new World({ yaml: `${yaml}limits: { body_bytes: 500, upload_bytes: 2000 }\n`, policies: {} });
    await opened(async (ask) => {
      secrets.ana = String((await ask(null, "POST", "/v1/credentials", { kind: "user", name: "ana" })).body["secret"]);
      const body = (size: number): object => {
        const empty = { policies: [{ file: "a.cedar", text: "" }], tests: [] };
        return { policies: [{ file: "a.cedar", text: "/".repeat(size - JSON.stringify(empty).length) }], tests: [] };
      };
      expect(await ask("ana", "POST", "/v1/policy/versions", body(2000))).toMatchObject({ status: 200 });
      expect(await ask("ana", "POST", "/v1/policy/versions", body(2001))).toMatchObject({ status: 413, body: { error: { message: "the body is over the limit upload_bytes (2000)" } } });
      expect(await ask("ana", "POST", "/v1/policy/rollback", { why: "x".repeat(600) })).toMatchObject({ status: 413, body: { error: { message: "the body is over the limit body_bytes (500)" } } });
    });
  });
});
