import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { systemClock } from "../clock.ts";
import { glanceAt } from "./glance.ts";
import { openSqlite } from "./sqlite.ts";

const folder = mkdtempSync(join(tmpdir(), "glance-"));
afterAll(() => rmSync(folder, { recursive: true }));

const files = (data: string): Record<string, string> => Object.fromEntries(readdirSync(data).sort().map((name) => [name, readFileSync(join(data, name)).toString("base64")]));

it("reads state and objects beside a writer and without one, and leaves every byte as it is", async () => {
  const data = join(folder, "data");
  const store = await openSqlite({ folder: data, clock: systemClock, version: "1" });
  const hash = store.putObject(new TextEncoder().encode("{}"));
  const value = { server: "s", tool: "t", approved: hash };
  await store.append({ type: "catalog.gone", server: "s", tool: "t" }, { state: [{ kind: "catalog", key: "s/t", value }] });
  const look = (): void => {
    using glance = glanceAt(data);
    expect(glance.list("catalog")).toEqual([{ key: "s/t", value }]);
    expect(glance.list("session")).toEqual([]);
    expect(new TextDecoder().decode(glance.getObject(hash) ?? undefined)).toBe("{}");
    expect(glance.getObject("x".repeat(43))).toBeNull();
  };
  look();
  await store[Symbol.asyncDispose]();
  const before = files(data);
  look();
  expect(files(data)).toEqual(before);
});

it("says so where there is none", () => expect(() => glanceAt(join(folder, "none"))).toThrow("there is none"));
