import { expect, test } from "vitest";
import { compile, type Source } from "./compile.ts";
import { Compiler } from "./compiler.ts";

const source: Source = { servers: ["s"], tools: [], policies: [{ file: "a.cedar", text: '@id("a") permit (principal, action, resource);\n@id("b") forbid (principal, action in Action::"mcp", resource) when { context.input has nmae };' }] };
const never = { after: () => ({ cancel: () => {} }), patienceMs: 1 };

test("compiles in a thread of its own what compiling here would give, again and again, and says how far it is", async () => {
  await using compiler = new Compiler(never);
  const told: [number, number][] = [];
  const first = await compiler.compile(source, (done, total) => told.push([done, total]));
  expect(first).toEqual(compile(source));
  expect(await compiler.compile(source)).toEqual(first);
  expect(told.at(-1)).toEqual([2, 2]);
  expect(told.map(([done]) => done)).toEqual(told.map(([done]) => done).toSorted((left, right) => left - right));
});

test("what cannot be a source at all is a fault, and the next is compiled all the same", async () => {
  await using compiler = new Compiler(never);
  await expect(compiler.compile({ ...source, servers: ["a/b"] })).rejects.toMatchObject({ code: "invalid_config", message: "cannot name an action after the server `a/b`" });
  expect((await compiler.compile(source)).ok).toBe(true);
});

test("a compilation that takes too long is given up with its thread, and the next begins anew", async () => {
  const alarms: (() => void)[] = [];
  await using compiler = new Compiler({ after: (_, task) => ({ cancel: () => {}, at: alarms.push(task) }), patienceMs: 1 });
  const slow = compiler.compile(source);
  await Promise.resolve();
  alarms[0]?.();
  await expect(slow).rejects.toMatchObject({ code: "engine_unavailable", message: "policies were not compiled within 1 ms" });
  expect((await compiler.compile(source)).ok).toBe(true);
});

test("a closed compiler compiles nothing", async () => {
  const compiler = new Compiler(never);
  await compiler[Symbol.asyncDispose]();
  await expect(compiler.compile(source)).rejects.toMatchObject({ code: "engine_unavailable" });
});
