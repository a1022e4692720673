import fc from "fast-check";
import { expect, test } from "vitest";
import { Locks } from "./locks.ts";

const breathe = () => new Promise((resume) => setImmediate(resume));

test("whoever works on a state is alone with it, in the order of coming, and nobody waits for ever", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.uniqueArray(fc.constantFrom("a", "b", "c"), { minLength: 1 }), { minLength: 1, maxLength: 8 }), async (wanted) => {
      const locks = new Locks();
      const inside = new Map<string, number>();
      const came: number[] = [];
      await Promise.all(
        wanted.map(async (keys, at) => {
          using _held = await locks.take(keys);
          for (const key of keys) {
            expect(inside.has(key)).toBe(false);
            inside.set(key, at);
          }
          came.push(at);
          await breathe();
          for (const key of keys) inside.delete(key);
        }),
      );
      expect(came.toSorted()).toEqual(wanted.map((_, at) => at));
      for (const key of ["a", "b", "c"] as const) {
        const order = came.filter((at) => wanted[at]?.includes(key) && wanted[at]?.length === 1);
        expect(order).toEqual(order.toSorted((a, b) => a - b));
      }
    }),
    { numRuns: 100 },
  );
});

test("whoever goes away while it waits lets the next one by", async () => {
  const locks = new Locks();
  const first = await locks.take(["a"]);
  const gone = new AbortController();
  const second = locks.take(["b", "a"], gone.signal);
  const third = locks.take(["a"]);
  gone.abort(new Error("gone"));
  await expect(second).rejects.toThrow("gone");
  (await locks.take(["b"]))[Symbol.dispose]();
  first[Symbol.dispose]();
  (await third)[Symbol.dispose]();
});

test("whoever works on a folder is alone with all below it", async () => {
  const locks = new Locks();
  const waits = async (held: string, wanted: string) => {
    const first = await locks.take([held]);
    let got = false;
    const second = locks.take([wanted]).then((lock) => ((got = true), lock));
    await breathe();
    const waited = !got;
    first[Symbol.dispose]();
    (await second)[Symbol.dispose]();
    return waited;
  };
  for (const [one, other, meet] of [["/r", "/r/a", true], ["/r/a", "/r/a/b/c", true], ["/r/a", "/r/ab", false], ["/r/a", "/r/b", false], ["/", "/r", true], ["r", "r/a", false]] as const) {
    expect([await waits(one, other), await waits(other, one)], `${one} ${other}`).toEqual([meet, meet]);
  }
});
