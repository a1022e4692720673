import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Json, JsonObject } from "@lanyard/contract";
import { describe, expect, it } from "vitest";
import { systemClock } from "../base/clock.ts";
import { loadConfig } from "../base/config/read.ts";
import { answerIn, checkConfig, checkData, checkDenial, checkNode, checkPolicies, checkPort, checkServers, isHealthy, type Patient } from "./doctor.ts";

const world = join(import.meta.dirname, "../../../test/journeys/world/lanyard.yaml");

describe("doctor", () => {
  it.each([["24.12.0", "ok"], ["26.0.0", "ok"], ["24.11.9", "bad"], ["20.20.2", "bad"]])("Node %s is %s", (version, state) => expect(checkNode(version).state).toBe(state));

  it("names the place of an error in the configuration", () => {
    const { check, config } = checkConfig("/nowhere/lanyard.yaml");
    expect(config).toBeNull();
    expect(check).toMatchObject({ name: "configuration", state: "bad" });
    expect(checkConfig(world).check.state).toBe("ok");
  });

  it("wants the data folder closed to others", () => {
    const folder = mkdtempSync(join(tmpdir(), "doctor-"));
    expect(checkData(folder, systemClock).map(({ name, state }) => [name, state])).toEqual([["data folder", "ok"], ["disk space", expect.any(String)], ["fsync", expect.stringMatching(/ok|warn/)]]);
    chmodSync(folder, 0o755);
    expect(checkData(folder, systemClock)[0]).toMatchObject({ state: "bad", todo: `chmod 700 ${folder}` });
    rmSync(folder, { recursive: true });
    expect(checkData("/proc/nowhere", systemClock)).toMatchObject([{ state: "bad" }]);
  });

  it("tells a port that is taken from one that is free", async () => {
    const server = createServer();
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    const { port } = server.address() as AddressInfo;
    expect(await checkPort({ host: "127.0.0.1", port }, false)).toMatchObject({ state: "bad", found: expect.stringContaining("EADDRINUSE") as string });
    expect(await checkPort({ host: "127.0.0.1", port }, true)).toMatchObject({ state: "ok" });
    await new Promise((done) => server.close(done));
    expect(await checkPort({ host: "127.0.0.1", port }, false)).toMatchObject({ state: "warn" });
  });

  it("is unhealthy when a server does not answer", () => {
    const checks = checkServers({ servers: [{ server: "a", version: "2025-11-25", failures: 0 }, { server: "b", version: null, failures: 3 }] });
    expect(checks.map(({ state }) => state)).toEqual(["ok", "bad"]);
    expect(isHealthy(checks)).toBe(false);
  });

  it.each([
    ["ok", { bundle: { hash: "h", policies: 3 }, policy_errors: [], rechecks: null }],
    ["bad", { bundle: { hash: "h", policies: 3 }, policy_errors: ["teams/a/x.cedar:1:1: the agent `bot` is none of the team `a`"], rechecks: null }],
    ["bad", { bundle: null, policy_errors: ["a.cedar:1:1: wrong"], rechecks: null }],
    ["bad", { bundle: { hash: "h" }, policy_errors: [], rechecks: { differences: 1 } }],
    ["warn", { bundle: null, policy_errors: [], rechecks: null }],
  ])("says %s of the policies of %j", (state, status) => expect(checkPolicies(status).map((one) => one.state)).toEqual([state]));

  it("reads an answer from JSON and from an event stream", () => {
    expect(answerIn(`{"id":1,"result":{}}`)).toEqual({ id: 1, result: {} });
    expect(answerIn(`event: message\ndata: {"method":"notifications/progress"}\n\ndata: {"id":1,"result":{}}\n\n`)).toEqual({ id: 1, result: {} });
    expect(() => answerIn("")).toThrow(/no answer/);
  });
});

describe("the proof of a denial", () => {
  const refusal = { jsonrpc: "2.0", id: 1, result: { isError: true, content: [] } };
  const denied = { type: "decision", effect: "deny", seq: 7 };
  const patient = (answer: Json, records: readonly JsonObject[], tools: Json = [{ server: "notes", tool: "read_note", state: "approved" }]): Patient & { closed: string[]; opened: JsonObject[] } => {
    const opened: JsonObject[] = [];
    const closed: string[] = [];
    const answers: Record<string, Json> = { catalog_list: { tools }, session_open: { session: "s_1", token: "t", url: "http://gateway/mcp" }, session_close: {} };
    return {
      opened,
      closed,
      api: {
        call: async <T>(route: string, { at, body }: { at?: object; body?: JsonObject } = {}) => {
          if (route === "session_open") opened.push(body ?? {});
          if (route === "session_close") closed.push(JSON.stringify(at));
          return answers[route] as T;
        },
        text: async () => "",
        raw: () => Promise.reject(new Error("doctor reads no streams")),
        async *lines<T>() {
          yield* records as Iterable<T>;
        },
      },
      send: async (url) => {
        expect(url).toBe("http://gateway/mcp/notes");
        return answer as JsonObject;
      },
    };
  };
  const config = loadConfig(world);

  it("is a refusal the model can read, and a record of it", async () => {
    const healthy = patient(refusal, [denied]);
    expect(await checkDenial(healthy, config)).toMatchObject({ state: "ok", found: "`notes/read_note` by a session without permission was refused and recorded as entry 7" });
    expect(healthy.opened).toMatchObject([{ agent: "clerk", tools: ["notes/lanyard-doctor"] }]);
    expect(healthy.closed).toEqual([`{"id":"s_1"}`]);
  });

  it.each([
    ["the call went through", { jsonrpc: "2.0", id: 1, result: { content: [] } }, [denied]],
    ["nothing was recorded", refusal, []],
    ["the effect was an allow", refusal, [{ ...denied, effect: "allow" }]],
    ["something was carried out", refusal, [denied, { type: "outcome", of: 7 }]],
  ])("fails when %s", async (_, answer, records) => {
    const sick = patient(answer, records);
    expect(await checkDenial(sick, config)).toMatchObject({ state: "bad" });
    expect(sick.closed).toHaveLength(1);
  });

  it("is not claimed when there was nothing to call", async () => expect(await checkDenial(patient(refusal, [], []), config)).toMatchObject({ state: "warn" }));
});
