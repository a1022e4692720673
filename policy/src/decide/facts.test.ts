import type { ArgumentFacts } from "@lanyard/contract";
import { describe, expect, it } from "vitest";
import type { FactKind } from "../schema/facts.ts";
import { areShowable, carriedOn, changedFacts, factsOfKind, originsOf, unitedFact, unitedLabels, unitedOrigins } from "./facts.ts";

const argument = (more: Partial<ArgumentFacts> = {}): ArgumentFacts => ({ role: "other", labels: [], origins: [], ...more });
const path = (common: string, cls: "plain" | "unknown" = "plain"): ArgumentFacts => argument({ path: { class: cls, paths: [], common, folders: [], names: [], kinds: [] } });
const money = (minor: number, currency = "EUR", cls: "plain" | "unknown" = "plain"): ArgumentFacts => argument({ money: { class: cls, minor, currencies: [currency] } });
const sql = (cls: string): ArgumentFacts => argument({ sql: { class: cls as "read", statements: 1, tables: [cls], writes: [], functions: [], unbounded: false } });
const factOf = (facts: Parameters<typeof factsOfKind>[0], kind: FactKind, name: string) => unitedFact(factsOfKind(facts, kind), kind, name);

describe("facts of a whole call", () => {
  it("are nothing where nothing was found", () => {
    for (const facts of [undefined, {}, { a: argument() }]) {
      expect(factOf(facts, "sql", "class")).toBe("none");
      expect(factOf(facts, "sql", "tables")).toEqual([]);
      expect(factOf(facts, "sql", "statements")).toBe(0);
      expect(factOf(facts, "sql", "unbounded")).toBe(false);
      expect(factOf(facts, "path", "common")).toBe("");
      expect(factOf(facts, "money", "class")).toBe("none");
      expect(factOf(facts, "sql", "toString")).toBeUndefined();
    }
  });

  it("are the worst of all, and a class that nobody knows is worse than any", () => {
    expect(factOf({ a: sql("read"), b: sql("write") }, "sql", "class")).toBe("write");
    expect(factOf({ a: sql("unknown"), b: sql("admin") }, "sql", "class")).toBe("unknown");
    expect(factOf({ a: sql("newer") }, "sql", "class")).toBe("unknown");
    expect(factOf({ a: sql("write"), b: sql("read") }, "sql", "tables")).toEqual(["read", "write"]);
    expect(factOf({ a: sql("write"), b: sql("read") }, "sql", "statements")).toBe(2);
  });

  it.each([
    [["/work/a/", "/work/b/"], "/work/"],
    [["/work/", "/workshop/"], "/"],
    [["/work/a/", "/work/a/b/"], "/work/a/"],
    [["/", "src/"], ""],
    [["src/", "/"], ""],
    [["", "/work/"], ""],
    [["a/b/", "a/c/"], "a/"],
  ])("lie in the folder that holds all: %j", ([one = "", two = ""], common) => expect(factOf({ a: path(one), b: path(two) }, "path", "common")).toBe(common));

  it("lie in no folder once one of them cannot be read", () => expect(factOf({ a: path("/work/"), b: path("/work/", "unknown") }, "path", "common")).toBe(""));

  it("are no sum of what cannot be added", () => {
    expect(factOf({ a: money(5), b: money(6) }, "money", "minor")).toBe(11);
    for (const facts of [{ a: money(5), b: money(6, "USD") }, { a: money(5), b: money(0, "EUR", "unknown") }, { a: money(Number.MAX_SAFE_INTEGER), b: money(1) }]) {
      expect(factOf(facts, "money", "class")).toBe("unknown");
      expect(factOf(facts, "money", "minor")).toBe(0);
    }
  });

  it("know whose origin is whose", () => {
    const facts = { to: argument({ role: "recipient", origins: ["untrusted"] }), body: argument({ role: "content", origins: ["model"] }) };
    expect(unitedOrigins(facts, "recipient")).toEqual(["untrusted"]);
    expect(unitedOrigins(facts, "any")).toEqual(["model", "untrusted"]);
    expect(originsOf(facts, "body")).toEqual(["model"]);
    expect(originsOf(facts, "toString")).toEqual([]);
  });

  it("count whoever gets money as a recipient, whatever the argument is for", () => {
    const facts = { to: argument({ role: "recipient", origins: ["task"] }), note: argument({ role: "content", origins: ["model", "untrusted"], payees: ["untrusted"] }) };
    expect(unitedOrigins(facts, "recipient")).toEqual(["task", "untrusted"]);
    expect(unitedOrigins(facts, "content")).toEqual(["model", "untrusted"]);
  });

  it("have nothing to tell of what records from before did not know", () => {
    expect(factOf({ a: sql("read"), b: sql("write") }, "sql", "secrets")).toEqual([]);
    expect(factOf({ a: sql("read"), b: argument({ sql: { class: "read", statements: 1, tables: [], writes: [], functions: [], unbounded: false, secrets: ["pwd"] } }) }, "sql", "secrets")).toEqual(["pwd"]);
  });
});

describe("facts after a change", () => {
  const facts = { to: argument({ role: "recipient", labels: ["personal", "personal.email"], origins: ["untrusted"] }), body: argument({ labels: ["secret"] }) };

  it("are gone with what was left out or masked, and the organisation's where a policy said it", () => {
    expect(changedFacts(facts, ["drop(to)"])).toEqual({ body: facts.body });
    expect(changedFacts(facts, ["mask(body)"])).toEqual({ to: facts.to });
    expect(changedFacts(facts, ['set(to, "x")'])).toEqual({ to: { role: "recipient", labels: [], origins: ["directory"] }, body: facts.body });
    expect(changedFacts(facts, ["drop(to.name)", "mask(body.text)", "result.redact(secret)"])).toEqual(facts);
    expect(changedFacts(undefined, ["drop(to)"])).toBeUndefined();
  });

  it("lose a label with those below it, never the one above", () => {
    expect(unitedLabels(changedFacts(facts, ["redact(to, personal)"]))).toEqual(["secret"]);
    expect(unitedLabels(changedFacts(facts, ["redact(to, personal.email)"]))).toEqual(["personal", "secret"]);
    expect(carriedOn(changedFacts(facts, ["redact(to, secret)"]), ["redact(to, secret)"])).toBe("redact(to, secret)");
    expect(carriedOn(changedFacts(facts, ["redact(body, secret)"]), ["redact(body, secret)"])).toBeNull();
  });
});

it("shows nothing that is no exact number or no Unicode", () => {
  expect(areShowable([amounts(1), amounts(Number.MAX_SAFE_INTEGER)])).toBe(true);
  for (const odd of [0.5, 2 ** 53, Number.NaN, "\ud800", { "\ud800": 1 }, [["a", "\udfff"]]]) expect(areShowable({ a: odd })).toBe(false);
});

const amounts = (minor: number): unknown => ({ cents: money(minor) });
