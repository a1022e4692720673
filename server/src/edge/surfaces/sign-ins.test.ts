import { expect, test } from "vitest";
import { stillClock } from "../../../../test/kits/clock.ts";
import { SignIns } from "./sign-ins.ts";

const world = () => {
  const clock = stillClock();
  return { clock, signIns: new SignIns({ clock, limits: () => ({ sign_ins: 2, sign_in_ms: 600_000 }) }) };
};

test("a sign-in is good for its link and its time, to the millisecond, and until it is ended", async () => {
  const { clock, signIns } = world();
  const secret = signIns.begin("a", "lea", "key_1");
  expect(signIns.find("a", secret)).toMatchObject({ user: "lea", credential: "key_1" });
  expect([signIns.find("b", secret), signIns.find("a", ""), signIns.find("a", "x")]).toEqual([null, null, null]);
  await clock.advance(599_999);
  expect(signIns.find("a", secret)).not.toBeNull();
  await clock.advance(1);
  expect(signIns.find("a", secret)).toBeNull();
  const other = signIns.begin("a", "lea", "key_1");
  signIns.end(other);
  expect(signIns.find("a", other)).toBeNull();
});

test("limit sign_ins: the oldest makes room", () => {
  const { signIns } = world();
  const [a, b, c] = ["1", "2", "3"].map((key) => signIns.begin("a", "lea", key)) as [string, string, string];
  expect([a, b, c].map((secret) => signIns.find("a", secret)?.credential ?? null)).toEqual([null, "2", "3"]);
});

test("every form has a key of its own", () => {
  const { signIns } = world();
  const keys = [signIns.entryKey("a"), signIns.entryKey("b"), ...["a", "a", "b"].map((link) => signIns.find(link, signIns.begin(link, "lea", "k"))?.formKey)];
  expect(new Set(keys).size).toBe(5);
  expect(keys).not.toContain(undefined);
});
