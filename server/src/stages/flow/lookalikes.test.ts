import { expect, it } from "vitest";
import { Lookalikes } from "./lookalikes.ts";

const known = new Lookalikes({ users: new Map([["ana", { email: "ana@hollins-outdoor.example" }]]), origins: { directory: ["wrencastle.com", "ford@hayeliterary.com", "mina@gmail.com", "+44 7700 900812", "acme.io"] } } as never);

it.each(["tessa@wrencastle-archive.net", "tessa@wrencastIe.com", "t@wrencaste.com", "t@wrencastel.com", "ford@hayeliterary.co", "x@mail.hollins-outdoor.example.win", "x@hollinsoutdoor.example", "a: tessa@vvrencastle.com;"])("%s is made to look like one of the directory", (text) => {
  expect(known.areIn(text)).toBe(true);
});

it.each(["tessa@wrencastle.com", "x@eu.wrencastle.com", "FORD@HAYELITERARY.COM", "bob@gmail.com", "bob@gmai1-fans.example", "press@castle.example", "acme.io and acmee.io", "bob@acne.io", "no address at all", "@wrencastle"])("%s is not", (text) => {
  expect(known.areIn(text)).toBe(false);
});

it("knows nobody where the directory has nobody", () => {
  expect(new Lookalikes({ users: new Map(), origins: { directory: [] } } as never).areIn("a@wrencastle.com")).toBe(false);
});
