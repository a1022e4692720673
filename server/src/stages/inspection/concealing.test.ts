import type { Decision, DecisionInput, JsonObject, Principal } from "@lanyard/contract";
import { transformArguments } from "@lanyard/policy";
import { expect, test } from "vitest";
import { systemClock } from "../../base/clock.ts";
import { Classifier } from "../../base/labels/classifier.ts";
import { defaultLimits } from "../../base/limits.ts";
import type { Facts } from "../../base/path.ts";
import { MemoryMedium, openMemory } from "../../base/store/memory.ts";
import { newSigner } from "@lanyard/ledger";
import { Concealing } from "./concealing.ts";
import { Pseudonyms } from "./pseudonyms.ts";

const principal: Principal = { session: "ses_1", agent: "coder", user: "ana", purpose: "p", chain: [], tools: null, labels: [], isolation: "none", expiresAtMs: 9e15 };
const factsOf = (labels: Record<string, string[]>): Facts => ({
  input: { facts: Object.fromEntries(Object.entries(labels).map(([name, own]) => [name, { role: "content" as const, labels: own, origins: [] }])) } as unknown as DecisionInput,
  pin: { definition: null, contract: { effects: [], reversibility: "unknown" }, refuse: null },
});
const decision = (...transforms: string[]): Decision => ({ effect: "allow", reasons: [], approvers: [], errors: [], transforms });
const opened = async (limits = defaultLimits) => {
  const medium = new MemoryMedium();
  const store = await openMemory({ medium, clock: systemClock, signer: newSigner("lanyard.local/test"), tenant: Buffer.alloc(32, 1) });
  const pseudonyms = new Pseudonyms({ store, limits });
  return { medium, store, pseudonyms, concealing: new Concealing({ classifier: () => new Classifier(), pseudonyms }) };
};

test("arguments: spans alone are taken out, and all texts where the facts know what cannot be seen", async () => {
  const { concealing } = await opened();
  const changed = (args: JsonObject, change: string, known: Record<string, string[]> = {}) => transformArguments(args, [change], null, concealing.conceal(principal, factsOf(known)));
  expect(changed({ body: ["write to ana@example.com"], to: "ana@example.com" }, "redact(body, personal.email)")).toEqual({ body: ["write to [redacted:personal.email]"], to: "ana@example.com" });
  expect(changed({ body: "she is ana at example com" }, "redact(body, personal)", { body: ["personal", "personal.email"] })).toEqual({ body: "[redacted:personal]" });
  expect(changed({ to: "ana@example.com" }, "tokenise(to, personal.email)")).toEqual({ to: expect.stringMatching(/^tok_[\w-]{22}$/) });
});

test("tokens: the same value of one user has one; what it stands for is durable, sealed, told to its user alone, and gone with them", async () => {
  const { concealing, pseudonyms, store } = await opened();
  const args = { to: ["ana@example.com", "ben@example.com", "ana@example.com"] };
  await concealing.remember(args, principal, { decision: decision("tokenise(to, personal.email)"), facts: factsOf({}) });
  const token = pseudonyms.tokenOf(principal, "personal.email", "ana@example.com");
  expect(pseudonyms.tokenOf({ user: "ben" }, "personal.email", "ana@example.com")).not.toBe(token);
  expect(store.entries({ types: ["data.tokenise"] })).toMatchObject([{ session: "ses_1", labels: ["personal.email"], values: 2 }]);
  expect(JSON.stringify([...store.entries({}), ...store.list("pseudonym")])).not.toContain("ana@example");
  expect(await pseudonyms.reveal(token, "user:ben", "ben")).toBeNull();
  expect(await pseudonyms.reveal("tok_nothing", "operator", null)).toBeNull();
  expect(store.entries({ types: ["access.reveal"] })).toEqual([]);
  expect(await pseudonyms.reveal(token, "user:ana", "ana")).toMatchObject({ value: "ana@example.com", label: "personal.email", session: "ses_1" });
  expect(store.entries({ types: ["access.reveal"] })).toMatchObject([{ by: "user:ana", token, label: "personal.email" }]);
  await concealing.remember(args, principal, { decision: decision("tokenise(to, personal.email)"), facts: factsOf({}) });
  expect(store.entries({ types: ["data.tokenise"] })).toHaveLength(1);
  await store.erase("user:ana", "operator", "asked to");
  expect(await pseudonyms.reveal(token, "operator", null)).toBeNull();
});

test("limit pseudonyms, and a sick disk: nothing has happened", async () => {
  const { concealing, medium } = await opened({ ...defaultLimits, pseudonyms: 2 });
  const remember = (...to: string[]) => concealing.remember({ to }, principal, { decision: decision("tokenise(to, personal.email)"), facts: factsOf({}) });
  await remember("a@example.com", "b@example.com");
  await expect(remember("c@example.com")).rejects.toMatchObject({ code: "not_tokenised" });
  await remember("b@example.com");
  medium.failure = new Error("disk full");
  const fresh = await opened();
  fresh.medium.failure = new Error("disk full");
  await expect(fresh.concealing.remember({ to: "d@example.com" }, principal, { decision: decision("tokenise(to, personal.email)"), facts: factsOf({}) })).rejects.toMatchObject({ code: "not_tokenised" });
});
