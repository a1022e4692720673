import { Readable } from "node:stream";
import { gzipSync } from "node:zlib";
import type { Action, Decision, JsonObject, Principal } from "@lanyard/contract";
import { newSigner } from "@lanyard/ledger";
import { expect, test } from "vitest";
import { systemClock } from "../../base/clock.ts";
import { parseConfig } from "../../base/config/read.ts";
import type { Answer, Exchange } from "../../base/exchange.ts";
import { Classifier } from "../../base/labels/classifier.ts";
import { defaultLimits } from "../../base/limits.ts";
import { openMemory, MemoryMedium } from "../../base/store/memory.ts";
import { Pseudonyms } from "./pseudonyms.ts";
import { screen, screenedLine } from "./screen.ts";

const action: Action = { protocol: "mcp", server: "crm", method: "tools/call", tool: "get", name: "crm/get", args: {}, params: {}, digest: "" };
const principal: Principal = { session: "s_1", agent: "coder", user: "ana", purpose: "p", chain: [], tools: null, labels: [], isolation: "none", expiresAtMs: 9e15 };
const config = parseConfig(new TextEncoder().encode("version: 1\nservers: { crm: { command: x, yields: { labels: [customer] } } }\n"), "/srv/lanyard.yaml");
const store = await openMemory({ medium: new MemoryMedium(), clock: systemClock, signer: newSigner("lanyard.local/test"), tenant: Buffer.alloc(32, 1) });
const rooms = { classifier: () => new Classifier(), config: () => config, pseudonyms: new Pseudonyms({ store, limits: defaultLimits }) };
const call = (...transforms: string[]) => ({ action, principal, decision: { effect: "allow", reasons: [], approvers: [], errors: [], transforms } satisfies Decision, facts: null });
const text = (said: string): Answer => ({ result: { content: [{ type: "text", text: said }] } });
const key = "AKIAIOSFODNN7EXAMPLQ";

test("an answer carries its labels: those of its contract, and those of what is in it as the agent gets it", async () => {
  expect(await screen(rooms, call(), text("hello"))).toEqual({ ...text("hello"), labels: ["customer"] });
  expect((await screen(rooms, call(), text(`k ${key}`))).labels).toEqual(["customer", "secret"]);
  expect(await screen(rooms, call("result.redact(secret)"), text(`k ${key}`))).toEqual({ ...text("k [redacted:secret]"), labels: ["customer"] });
  expect(await screen(rooms, call("result.redact(customer)"), text("Acme"))).toMatchObject(text("[redacted:customer]"));
  expect(await screen(rooms, call("result.redact(secret)"), { error: { code: 1, message: `no ${key}` } })).toMatchObject({ error: { code: 1, message: "no [redacted:secret]" } });
});

test("tokens stand in it once they are durable; what cannot be masked or is not known is withheld", async () => {
  const { result } = (await screen(rooms, call("result.tokenise(personal.email)"), text("of ana@example.com"))) as { result: JsonObject };
  const token = /tok_[\w-]{22}/.exec(JSON.stringify(result))?.[0] ?? "";
  expect(await rooms.pseudonyms.reveal(token, "operator", null)).toMatchObject({ value: "ana@example.com" });
  await expect(screen(rooms, call("result.mask(ssn)"), text("ssn: 1"))).rejects.toMatchObject({ code: "result_withheld" });
  await expect(screen(rooms, call("result.frob(ssn)"), text("x"))).rejects.toMatchObject({ code: "result_withheld" });
});

const web = async (body: Readable, headers: [string, string][], ...transforms: string[]): Promise<{ passed: string; headers: unknown; labels: unknown }> => {
  const answer = await screen(rooms, call(...transforms), { result: { status: 200 }, web: { status: 200, headers, body, sum: () => ({ bytes: 1, sha256: "" }) } });
  if (!("result" in answer) || !answer.web) throw new Error("no body");
  let passed = "";
  for await (const chunk of answer.web.body) passed += String(chunk);
  return { passed, headers: answer.web.headers, labels: answer.web.sum?.().labels };
};

test("a body out of the web is looked through as it passes; one that policy changes is held, changed and passed on, or withheld", async () => {
  expect(await web(Readable.from([Buffer.from(`a ${key.slice(0, 9)}`), Buffer.from(key.slice(9))]), [])).toEqual({ passed: `a ${key}`, headers: [], labels: ["customer", "secret"] });
  const zipped = gzipSync(`{"k":"${key}"}`);
  const headers: [string, string][] = [["content-type", "application/json"], ["content-encoding", "gzip"], ["content-length", "99"]];
  expect(await web(Readable.from([zipped]), headers, "result.redact(secret)")).toEqual({ passed: '{"k":"[redacted:secret]"}', headers: [["content-type", "application/json"]], labels: ["customer"] });
  for (const [bytes, head] of [[Buffer.from([1, 2, 255]), [["content-type", "image/png"]]], [Buffer.from("x"), [["content-encoding", "odd"]]], [Buffer.alloc(defaultLimits.label_body_bytes + 1, "a"), []], [Buffer.from([0xff]), []]] as [Buffer, [string, string][]][]) {
    await expect(web(Readable.from([bytes]), head, "result.redact(secret)")).rejects.toMatchObject({ code: "result_withheld" });
  }
});

test("what a server says while the call is open is changed as its answer is", () => {
  const said: unknown[] = [];
  const exchange: Exchange = { era: "stateful", signal: new AbortController().signal, progress: (update) => void said.push(update), notify: (_method, params) => void said.push(params), ask: async () => null };
  const line = screenedLine(rooms, call("result.tokenise(secret)", "result.mask(ssn)"), exchange);
  line.progress({ progress: 1, message: `k ${key}` });
  line.notify("notifications/message", { data: `k ${key}`, ssn: 7 });
  line.notify("notifications/message", { data: "ssn: 7" });
  expect(said).toEqual([{ progress: 1, message: "k [redacted:secret]" }, { data: "k [redacted:secret]", ssn: "[masked]" }]);
  expect(screenedLine(rooms, call(), exchange)).toBe(exchange);
});
