import type { JsonObject, Registry, ToolContract } from "@lanyard/contract";
import { describe, expect, it } from "vitest";
import { resourcesOf } from "./resources.ts";

const contract = (path: string): ToolContract => ({ effects: ["read"], reversibility: "read", resource: { type: "Repo", argument: path.split(".") } });
const known: Registry["resources"] = { Repo: { "acme/site": { labels: ["public"], owner: "web" }, "*": { labels: ["unlisted"], owner: null } } };
const ids = (path: string, args: JsonObject): string => resourcesOf(contract(path), known, args, { count: 3, chars: 9 }).map(({ id }) => id).join();

describe("what a call touches", () => {
  it("is known by what the organisation says of it, the rest by `*`", () => {
    expect(resourcesOf(contract("repo"), known, { repo: "acme/site" })).toEqual([{ type: "Repo", id: "acme/site", labels: ["public"], owner: "web" }]);
    expect(resourcesOf(contract("repo"), known, { repo: "acme/shop" })).toEqual([{ type: "Repo", id: "acme/shop", labels: ["unlisted"], owner: null }]);
    expect(resourcesOf(contract("repo"), {}, { repo: "constructor" })).toEqual([{ type: "Repo", id: "constructor", labels: [], owner: null }]);
  });

  it("is nothing where the contract names none", () => expect(resourcesOf({ effects: [], reversibility: "unknown" }, known, { repo: "a" })).toEqual([]));

  it("is several where an array names several, each once and in one order", () => {
    expect(ids("repo", { repo: ["b", "a", "b"] })).toBe("a,b");
    expect(ids("files.path", { files: [{ path: "y" }, { path: "x" }] })).toBe("x,y");
    expect(ids("a.b", { a: { b: "x" } })).toBe("x");
  });

  it.each<[string, string, JsonObject]>([
    ["nothing", "repo", {}],
    ["null", "repo", { repo: null }],
    ["no text", "repo", { repo: 7 }],
    ["an object", "repo", { repo: { __entity: { type: "Repo", id: "a" } } }],
    ["an empty text", "repo", { repo: "" }],
    ["an empty array", "repo", { repo: [] }],
    ["a text among others", "repo", { repo: ["a", 7] }],
    ["arrays in arrays", "repo", { repo: [["a"]] }],
    ["one of its files without a path", "files.path", { files: [{ path: "x" }, {}] }],
    ["what it inherits", "constructor.name", {}],
  ])("is refused when the argument holds %s", (_, path, args) => expect(() => ids(path, args)).toThrow(/^argument `/));

  it("is bounded, and what is past the bound refuses the call instead of being left out (limits call_resources, resource_chars)", () => {
    expect(ids("repo", { repo: ["a", "b", "c"] })).toBe("a,b,c");
    expect(() => ids("repo", { repo: ["a", "b", "c", "d"] })).toThrow("more than 3 resources");
    expect(() => ids("files.path", { files: ["a", "a", "a", "evil"].map((path) => ({ path })) })).toThrow("more than 3 resources");
    expect(ids("repo", { repo: "123456789" })).toBe("123456789");
    expect(() => ids("repo", { repo: "1234567890" })).toThrow("longer than 9 characters");
  });
});
