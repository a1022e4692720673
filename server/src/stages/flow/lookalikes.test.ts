import { expect, it } from "vitest";
import { Lookalikes, MetDomains } from "./lookalikes.ts";

const known = new Lookalikes({ users: new Map([["ana", { email: "ana@hollins-outdoor.example" }]]), origins: { directory: ["wrencastle.com", "ford@hayeliterary.com", "mina@gmail.com", "+44 7700 900812", "acme.io"] } } as never);

it.each(["tessa@wrencastle-archive.net", "tessa@wrencastIe.com", "t@wrencaste.com", "t@wrencastel.com", "ford@hayeliterary.co", "x@mail.hollins-outdoor.example.win", "x@hollinsoutdoor.example", "a: tessa@vvrencastle.com;"])("%s is made to look like one of the directory", (text) => {
  expect(known.areIn(text)).toBe(true);
});

it.each(["tessa@wrencastle.com", "x@eu.wrencastle.com", "FORD@HAYELITERARY.COM", "bob@gmail.com", "bob@gmai1-fans.example", "press@castle.example", "acme.io and acmee.io", "bob@acne.io", "no address at all", "@wrencastle"])("%s is not", (text) => {
  expect(known.areIn(text)).toBe(false);
});

it("takes no handle for an address", () => {
  const own = new Lookalikes({ users: new Map(), origins: { directory: ["larder.example"], declassify: [] } } as never);
  expect([own.areIn("@little.larder.louise wrote"), own.areIn("louise@little-larder.example wrote")]).toEqual([false, true]);
});

it("knows nobody where the directory has nobody", () => {
  expect(new Lookalikes({ users: new Map(), origins: { directory: [] } } as never).areIn("a@wrencastle.com")).toBe(false);
});

const meets = (...texts: readonly (readonly [text: string, isOurs: boolean])[]): boolean[] => {
  const met = new MetDomains();
  return texts.map(([text, isOurs]) => met.meets(text, isOurs));
};

it.each([
  ["brouwerstaal.example", "brouwer-staal.example"],
  ["nordlicht.example", "nord1icht.example"],
  ["wrencastle.com", "vvrencastle.com"],
  ["wrencastle.com", "wrencastel.com"],
  ["mail.wrencastle.com", "wrenncastle.com"],
])("of %s and %s one is an impostor's, whichever is met first", (one, other) => {
  expect(meets([`a@${one}`, true], [`b@${other}`, false])).toEqual([false, true]);
  expect(meets([`a@${other}`, false], [`b@${one}`, true])).toEqual([false, true]);
  expect(meets([`From: a@${one}, b@${other}`, false])).toEqual([true]);
  expect(meets([`a@${one}`, true], [`b@${other}`, true]), "both are ours").toEqual([false, false]);
});

it.each([
  ["wrencastle.com", "wrencastle.de"],
  ["eu.wrencastle.com", "us.wrencastle.com"],
  ["wrencastle.com", "mail.wrencastle.com"],
  ["store-12.example", "store-13.example"],
  ["region-a.example", "region-b.example"],
  ["acme.io", "acne.io"],
  ["hotmail.com", "hotmall.com"],
  ["northgate.example", "southgate.example"],
])("%s and %s are two", (one, other) => expect(meets([`a@${one}`, false], [`b@${other}`, false])).toEqual([false, false]));

it("is bounded, whatever comes", () => {
  const met = new MetDomains();
  for (let at = 0; at < 1000; at++) met.meets(`x@domain${String.fromCharCode(97 + (at % 26))}${at}name.example `.repeat(20), false);
  expect(met.meets("a@".repeat(100_000), false)).toBe(false);
});
