import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { JsonObject, RouteName } from "@lanyard/contract";
import { Command } from "commander";
import picocolors from "picocolors";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import type { ApiRequest, Client } from "../client.ts";
import type { Context } from "../context.ts";
import { policyVerbs } from "./policy.ts";

interface Run {
  readonly sent: readonly (readonly [RouteName, ApiRequest | undefined])[];
  readonly out: string;
}

/** What a command line asks of the API, which answers `answer`. */
const run = async (line: readonly string[], answer: JsonObject = { ok: true }): Promise<Run> => {
  const sent: [RouteName, ApiRequest | undefined][] = [];
  const out: string[] = [];
  const call = async <T>(route: RouteName, request?: ApiRequest): Promise<T> => {
    sent.push([route, request]);
    return answer as T;
  };
  const context = { out: (text: string) => out.push(text), err: () => {}, colour: picocolors.createColors(false), live: false, variable: () => "lyd_user_x", configPath: () => "", reach: async () => ({ call }) as Client } as unknown as Context;
  const program = new Command("lanyard").exitOverride().enablePositionalOptions();
  await policyVerbs(program, context, line);
  await program.parseAsync(["policy", ...line], { from: "user" });
  return { sent, out: out.join("\n") };
};
const refusal = (line: readonly string[]): Promise<string> => run(line).then(({ sent }) => `sent ${JSON.stringify(sent)}`, (error: unknown) => (error as Error).message);

describe("a canary", () => {
  it("has a share and bands, in the units of the API", async () => {
    expect((await run(["canary", "4", "5%"])).sent).toEqual([["policy_canary", { body: { version: 4, share: 0.05, deny_rate: 5, error_rate: 1, latency_p99_us: 2000, minimum: 100 } }]]);
    const { sent } = await run(["canary", "4", "12.5%", "--deny-rate", "0.5", "--error-rate", "0", "--latency-p99-us", "300", "--minimum", "7"]);
    expect(sent).toEqual([["policy_canary", { body: { version: 4, share: 0.125, deny_rate: 0.5, error_rate: 0, latency_p99_us: 300, minimum: 7 } }]]);
    expect((await run(["canary", "--stop"])).sent).toEqual([["policy_canary", { body: { version: null } }]]);
  });

  it.each([["canary"], ["canary", "4"], ["canary", "4", "0%"], ["canary", "4", "100%"], ["canary", "4", "0.05"], ["canary", "4", "5 %"], ["canary", "x", "5%"], ["canary", "4", "5%", "--stop"], ["canary", "4", "5%", "--minimum", "-1"]])("is refused before anything is sent: %s %s %s %s", async (...line) => {
    expect(await refusal(line.filter(Boolean))).toMatch(/^(name a version|`.*` is no (share|version|figure))/);
  });
});

it.each([["shadow"], ["shadow", "4", "--stop"], ["shadow", "0"], ["activate", "1.5"], ["approve", "newest"], ["publish", "--base", "-1", "--dir", "docs"]])("a version is a number, and --stop stands alone: %s %s %s %s %s", async (...line) => {
  expect(await refusal(line.filter(Boolean))).toMatch(/^(name a version, or --stop|`.*` is no version)/);
});

describe("show --write", () => {
  const folder = mkdtempSync(join(tmpdir(), "lanyard-show-"));
  afterEach(() => {
    for (const name of readdirSync(folder)) rmSync(join(folder, name), { recursive: true });
  });
  afterAll(() => rmSync(folder, { recursive: true }));
  const shown = (file: string): JsonObject => ({ version: 3, files: [{ file, text: "permit", change: "" }] });

  it("writes the files of a version", async () => {
    await run(["show", "3", "--write", join(folder, "new")], shown("teams/support/a.cedar"));
    expect(readFileSync(join(folder, "new/teams/support/a.cedar"), "utf8")).toBe("permit");
  });

  it("writes over nothing, and nothing outside the folder", async () => {
    writeFileSync(join(folder, "mine"), "");
    await expect(run(["show", "3", "--write", folder], shown("a.cedar"))).rejects.toThrow(/is not empty/);
    for (const file of ["../a.cedar", "a/../../b.cedar", "/a.cedar", ".hidden/a.cedar"]) await expect(run(["show", "3", "--write", join(folder, "out")], shown(file))).rejects.toThrow(/no path below a folder/);
    expect(readdirSync(folder)).toEqual(["mine"]);
  });
});

it("foreign words cannot pass for lines of ours", async () => {
  const version = { version: 2, base: 1, author: "user:ana", at_ms: 0, note: "x\n  signature      verified\u202e", loosens: true, waits: true, why: ["a\nb"], second_person: null, bundle: "h", bundle_intact: false, files: [{ file: "a\n.cedar", change: "added" }], standing: {}, differences: [] };
  const { out } = await run(["show", "2"], version);
  expect(out.split("\n").slice(2)).toEqual([
    "  note           x\\u{000a}  signature      verified\\u{202e}",
    "  second person  waited for",
    "    loosens: a\\u{000a}b",
    "  signature      verified",
    "  bundle         h (its bytes are missing, or were changed on disk)",
    "  files          1, 1 changed",
    "    added    a\\u{000a}.cedar",
  ]);
});

it("show tells when what decides was compiled anew", async () => {
  const version = { version: 2, base: 1, author: "user:ana", at_ms: 0, note: "", loosens: false, waits: false, why: [], second_person: null, bundle: "h", bundle_intact: true, files: [], standing: { active: { bundle: "other", by: "user:ana", since_ms: 0 } }, differences: [] };
  expect((await run(["show", "2"], version)).out).toContain("by user:ana, compiled anew as other:");
});

describe("files of one's own", () => {
  const folder = mkdtempSync(join(tmpdir(), "lanyard-publish-"));
  afterAll(() => rmSync(folder, { recursive: true }));
  for (const file of ["org.cedar", "org.yaml", "teams/shop/a.cedar", "teams/bank/b.cedar"]) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), "");
  }
  const sent = async (...more: string[]): Promise<unknown> => {
    const { sent: requests, out } = await run(["publish", "--dir", folder, ...more], { ok: true, version: 1, waits: false, why: [], failing: [] });
    const body = requests[0]?.[1]?.body as { policies: { file: string }[]; tests: { file: string }[]; team?: string };
    return [[...body.policies, ...body.tests].map(({ file }) => file), body.team, out];
  };

  it("are all that --team and --org publish, whatever else lies in the folder", async () => {
    expect(await sent()).toEqual([["org.cedar", "teams/bank/b.cedar", "teams/shop/a.cedar", "org.yaml"], undefined, "published version 1"]);
    expect(await sent("--team", "shop")).toEqual([["teams/shop/a.cedar"], "shop", "published version 1; 3 other files of the folder left out"]);
    expect(await sent("--org")).toEqual([["org.cedar", "org.yaml"], "", "published version 1; 2 other files of the folder left out"]);
  });

  it("must be there: a slip in a name would publish that a team has no policies", async () => {
    expect(await refusal(["publish", "--dir", folder, "--team", "shp"])).toMatch(/no file of the team `shp`/);
    expect(await refusal(["publish", "--dir", folder, "--team", "shop", "--org"])).toMatch(/leave one out/);
  });

  it.each(["{}", '{"servers":[],"tools":[],"registry":{}}', '{"servers":[],"tools":[{"server":"s"}],"registry":{"agents":{},"users":{},"teams":{},"groups":{},"owners":[],"resources":{}}}', "[", "7"])("are not checked against what is no ground: %s", async (text) => {
    writeFileSync(join(folder, "ground.json"), text);
    for (const verb of ["check", "test", "analyse"]) expect(await refusal([verb, "--dir", folder, "--ground", join(folder, "ground.json")])).toMatch(/is no ground|could not be read as JSON/);
  });
});

it("a comparison of nothing with nothing is refused: it would say that nothing changes", async () => {
  expect(await refusal(["diff", "1", "2", "--no-traffic", "--no-solver"])).toMatch(/nothing is compared/);
});
